"""Orphanet's two files, on entities of our own."""

from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources import Rejects
from medloom.sources.ordo import OrdoSource

LICENCE = ("licence", "CC BY 4.0")
ENTITIES = '<!DOCTYPE rdf:RDF [<!ENTITY ordo "http://www.orpha.net/ORDO/"><!ENTITY xsd "http://own.example/XMLSchema#">]>'


def _class(code: str, label: str, *more: str) -> str:
    about = f"http://www.orpha.net/ORDO/{code}"
    return f'<owl:Class rdf:about="{about}"><rdfs:label xml:lang="en">{label}</rdfs:label>{"".join(more)}</owl:Class>\n'


def _kind(code: str) -> str:
    return f'<rdfs:subClassOf rdf:resource="http://www.orpha.net/ORDO/{code}"/>'


def _part(code: str, relation: str = "http://purl.obolibrary.org/obo/BFO_0000050") -> str:
    return (
        f'<rdfs:subClassOf><owl:Restriction><owl:onProperty rdf:resource="{relation}"/>'
        f'<owl:someValuesFrom rdf:resource="http://www.orpha.net/ORDO/{code}"/></owl:Restriction></rdfs:subClassOf>'
    )


OWL = (
    '<?xml version="1.0"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" '
    'xmlns:efo="http://www.ebi.ac.uk/efo/" xmlns:oio="http://www.geneontology.org/formats/oboInOwl#">\n'
    '<owl:Ontology rdf:about="http://own.example/ordo"><owl:versionInfo>4.7</owl:versionInfo></owl:Ontology>\n'
    + _class("Orphanet_C001", "clinical entity")
    + _class("Orphanet_C010", "genetic material")
    + _class("Orphanet_557492", "group of disorders", _kind("Orphanet_C001"))
    + _class("Orphanet_557493", "disorder", _kind("Orphanet_C001"))
    + _class("Orphanet_1", "Rare own disease", _kind("Orphanet_557492"))
    + _class(
        "Orphanet_2",
        "Own syndrome",
        _kind("Orphanet_557493"),
        _part("Orphanet_1"),
        _part("Orphanet_9", "http://www.orpha.net/ORDO/Orphanet_C016"),
        '<efo:alternative_term xml:lang="en">Ours</efo:alternative_term>',
        '<efo:alternative_term xml:lang="fr">Notre</efo:alternative_term>',
        "<oio:hasNarrowSynonym>Own syndrome type 1</oio:hasNarrowSynonym>",
        '<efo:definition xml:lang="en">A syndrome of  ours.</efo:definition>',
    )
    + _class("Orphanet_3", "Old syndrome", _kind("ObsoleteClass"))
    + _class("Orphanet_4", "OBSOLETE: Older syndrome", _kind("Orphanet_557493"))
    + _class("Orphanet_5", "Deprecated syndrome", _kind("Orphanet_557493"), "<owl:deprecated>true</owl:deprecated>")
    + _class("Orphanet_6", "NON RARE IN EUROPE: Cold", _kind("Orphanet_557493"), _part("Orphanet_1"))
    + _class("Orphanet_9", "a gene", _kind("Orphanet_C010"))
    + "</rdf:RDF>"
)
LIST = """<?xml version="1.0" encoding="UTF-8"?>
<JDBOR date="2020-01-02 03:04:05" version="1.3"><DisorderList count="3">
<Disorder id="1"><OrphaCode>2</OrphaCode><Name lang="en">Own syndrome</Name>
<DisorderFlagList count="1"><DisorderFlag id="475"><Value>1</Value><Label></Label></DisorderFlag></DisorderFlagList>
<SynonymList count="1"><Synonym lang="en">Ours</Synonym></SynonymList>
<DisorderType id="1"><Name lang="en">Malformation syndrome</Name></DisorderType>
<SummaryInformationList count="1"><SummaryInformation id="1" lang="en"><TextSectionList count="1">
<TextSection id="1" lang="en"><TextSectionType id="1"><Name lang="en">Definition</Name></TextSectionType>
<Contents>A syndrome of ours.</Contents>
</TextSection></TextSectionList></SummaryInformation></SummaryInformationList></Disorder>
<Disorder id="2"><OrphaCode>3</OrphaCode><Name lang="en">Old syndrome</Name>
<DisorderFlagList><DisorderFlag id="495"><Value>8192</Value><Label>Inactive</Label></DisorderFlag></DisorderFlagList>
</Disorder>
<Disorder id="3"><OrphaCode>4</OrphaCode><Name lang="en">OBSOLETE: Older syndrome</Name></Disorder>
</DisorderList></JDBOR>"""


def _source(folder: Path, name: str, text: str) -> OrdoSource:
    (folder / name).write_text(text, "utf-8")
    return OrdoSource(path=folder / name)


@pytest.mark.parametrize("entities", ["", ENTITIES])
def test_the_ontology(tmp_path: Path, entities: str) -> None:
    text = OWL.replace("\n", f"\n{entities}\n", 1)
    if entities:
        text = text.replace('about="http://www.orpha.net/ORDO/', 'about="&ordo;')
    source = _source(tmp_path, "ORDO_en_4.7.owl", text)
    group, syndrome, cold = source.documents(Rejects(None))
    assert group == Document(
        "ORPHA:1",
        "ordo",
        "Rare own disease",
        categories=("Rare own disease",),
        metadata=(
            CONCEPT,
            LICENCE,
        ),
    )
    assert syndrome == Document(
        id="ORPHA:2",
        source="ordo",
        title="Own syndrome",
        text="A syndrome of ours.",
        synonyms=(Synonym("Ours"), Synonym("Own syndrome type 1", "narrow")),
        parents=("ORPHA:1",),
        categories=("Rare own disease",),
        metadata=(
            CONCEPT,
            LICENCE,
        ),
    )
    assert (cold.id, cold.title) == ("ORPHA:6", "Cold")
    assert source.release().version == "4.7"


def test_a_hierarchy_of_kinds_alone(tmp_path: Path) -> None:
    text = OWL.replace(_part("Orphanet_1"), _kind("Orphanet_1"))
    _, syndrome, cold = _source(tmp_path, "ordo.owl", text).documents(Rejects(None))
    assert syndrome.parents == cold.parents == ("ORPHA:1",)


def test_the_list_of_names(tmp_path: Path) -> None:
    source = _source(tmp_path, "en_product1.xml", LIST)
    assert list(source.documents(Rejects(None))) == [
        Document(
            id="ORPHA:2",
            source="ordo",
            title="Own syndrome",
            text="A syndrome of ours.",
            synonyms=(Synonym("Ours"),),
            metadata=(CONCEPT, LICENCE, ("kind", "Malformation syndrome")),
        )
    ]
    assert source.release().version == "1.3 of 2020-01-02 03:04:05"


def test_other_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no terms ORPHA:"):
        list(_source(tmp_path, "own.xml", "<own><a/></own>").documents(Rejects(None)))
    assert _source(tmp_path, "own.xml", "<own><a/></own>").release().version == "not stated"
    bomb = OWL.replace("\n", f'\n<!DOCTYPE rdf:RDF [<!ENTITY a "{"y" * 300}">]>\n', 1)
    with pytest.raises(SourceError, match="declares entities of its own"):
        list(_source(tmp_path, "own.owl", bomb).documents(Rejects(None)))
