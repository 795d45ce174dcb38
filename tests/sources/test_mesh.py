"""The descriptor file of MeSH, on descriptors of our own."""

import gzip
from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources import Rejects
from medloom.sources.mesh import MeshSource

_HEAD = '<?xml version="1.0"?>\n<!DOCTYPE DescriptorRecordSet SYSTEM "http://127.0.0.1:9/own.dtd">\n'
LICENCE = (
    CONCEPT,
    ("licence", "US National Library of Medicine, free to use with attribution and year"),
)


def _term(text: str, permuted: str = "N") -> str:
    return f'<Term IsPermutedTermYN="{permuted}"><TermUI>T</TermUI><String>{text}</String></Term>'


def _record(identity: str, name: str, numbers: tuple[str, ...], concepts: str = "", note: str = "") -> str:
    trees = "".join(f"<TreeNumber>{n}</TreeNumber>" for n in numbers)
    scope = f"<ScopeNote>{note}\n </ScopeNote>" if note else ""
    return (
        f'<DescriptorRecord DescriptorClass="1"><DescriptorUI>{identity}</DescriptorUI>'
        f"<DescriptorName><String>{name}</String></DescriptorName>"
        "<DateRevised><Year>2020</Year><Month>05</Month><Day>07</Day></DateRevised>"
        "<SeeRelatedList><SeeRelatedDescriptor><DescriptorReferredTo><DescriptorUI>D9</DescriptorUI></DescriptorReferredTo>"
        f"</SeeRelatedDescriptor></SeeRelatedList><TreeNumberList>{trees}</TreeNumberList><ConceptList>"
        f'<Concept PreferredConceptYN="Y"><ConceptUI>M1</ConceptUI>{scope}<TermList>{_term(name)}{_term("Cold Shiver")}'
        f"{_term('Shiver, Cold', 'Y')}{_term('Shivers, Cold')}</TermList></Concept>{concepts}</ConceptList>"
        "</DescriptorRecord>\n"
    )


def _concept(text: str, relation: str) -> str:
    return (
        f'<Concept PreferredConceptYN="N"><ScopeNote>Of another.</ScopeNote><ConceptRelationList>'
        f'<ConceptRelation RelationName="{relation}"><Concept1UI>M1</Concept1UI></ConceptRelation></ConceptRelationList>'
        f"<TermList>{_term(text)}</TermList></Concept>"
    )


MESH = (
    _HEAD
    + '<DescriptorRecordSet LanguageCode="eng">'
    + _record("D1", "Own Signs", ("C23",))
    + _record("D2", "Fevers", ("C23.100",))
    + _record(
        "D3",
        "Chills",
        ("C23.100.200", "C23.300.400", "F03.900"),
        _concept("Ague", "NRW") + _concept("Malaise", "BRD") + _concept("Sweat", "REL"),
        "Feeling cold\n with a fever.",
    )
    + _record("D4", "Own Drugs", ("D01",))
    + _record("D5", "Own Moods", ("F03",))
    + "</DescriptorRecordSet>"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "desc2020.xml.gz"
    file.write_bytes(gzip.compress(MESH.encode()))
    return file


def test_documents(path: Path) -> None:
    signs, fevers, chills, drugs, _ = MeshSource(path=path).documents(Rejects(None))
    assert chills == Document(
        id="D3",
        source="mesh",
        title="Chills",
        text="Feeling cold with a fever.",
        synonyms=(
            Synonym("Ague", "narrow"),
            Synonym("Cold Shiver"),
            Synonym("Malaise", "broad"),
            Synonym("Sweat", "related"),
        ),
        parents=("D2", "D5"),
        categories=("Own Moods", "Own Signs"),
        revision="2020-05-07",
        metadata=LICENCE,
    )
    assert (signs.parents, signs.categories) == ((), ("Own Signs",))
    assert (fevers.parents, fevers.text) == (("D1",), "")
    assert drugs.categories == ()


def test_branches_of_the_tree(path: Path) -> None:
    source = MeshSource(path=path, branches=("F", "D01"))
    assert [d.id for d in source.documents(Rejects(None))] == ["D3", "D4", "D5"]
    with pytest.raises(SourceError, match=r"source mesh: .* holds no terms"):
        list(MeshSource(path=path, branches=("Z",)).documents(Rejects(None)))


def test_release(path: Path) -> None:
    assert MeshSource(path=path).release().version == "2020"
    assert MeshSource(path=path, version="2021").release().version == "2021"
    other = path.rename(path.with_name("own.xml"))
    assert MeshSource(path=other).release().version == "not stated"


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    (tmp_path / "desc2020.xml").write_text(MESH.removesuffix("</DescriptorRecordSet>"), "utf-8")
    with pytest.raises(SourceError, match=r"desc2020\.xml, line \d+: it ends before its root"):
        list(MeshSource(path=tmp_path / "desc2020.xml").documents(Rejects(None)))
