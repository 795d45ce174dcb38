"""The phenotype source, on a small ontology of our own and on the package's."""

from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import Document, Synonym
from medloom.sources import Rejects
from medloom.sources.hpo import HpoSource

OBO = """data-version: own/2020-01-01

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
is_a: HP:0000001

[Term]
id: HP:0000010
name: Abnormality of the heart
is_a: HP:0000118

[Term]
id: HP:0000020
name: Abnormality of the chest
is_a: HP:0000118

[Term]
id: HP:0000011
name: Big  heart
def: "The heart  is enlarged." []
synonym: "Large heart" EXACT layperson []
synonym: "BH" EXACT abbreviation []
synonym: "Cor magnum" EXACT obsolete_synonym []
synonym: "Cardiomegaly" EXACT []
is_a: HP:0000010
is_a: HP:0000020

[Term]
id: HP:0000012
name: Gone
is_a: HP:0000010
is_obsolete: true

[Term]
id: HP:0000099
name: Inheritance
is_a: HP:0000001
"""


@pytest.fixture
def source(tmp_path: Path) -> HpoSource:
    (tmp_path / "own.obo").write_text(OBO, "utf-8")
    return HpoSource(obo=Path("own.obo")).relative_to(tmp_path)


def test_documents(source: HpoSource, tmp_path: Path) -> None:
    documents = {d.id: d for d in source.documents(Rejects(tmp_path / "r.jsonl"))}
    assert list(documents) == ["HP:0000001", "HP:0000118", "HP:0000010", "HP:0000020", "HP:0000011", "HP:0000099"]
    assert documents["HP:0000011"] == Document(
        id="HP:0000011",
        source="hpo",
        title="Big heart",
        text="The heart is enlarged.",
        synonyms=(Synonym("Large heart", lay=True), Synonym("Cardiomegaly")),
        parents=("HP:0000010", "HP:0000020"),
        categories=("Abnormality of the chest", "Abnormality of the heart"),
    )
    assert documents["HP:0000010"].categories == ("Abnormality of the heart",)
    assert documents["HP:0000118"].categories == ()
    assert documents["HP:0000099"].categories == ()
    assert source.count() == len(documents)


def test_release_and_inputs(source: HpoSource, tmp_path: Path) -> None:
    assert source.release().version == "own/2020-01-01"
    before = source.inputs()
    assert list(before) == ["hp.obo"]
    with (tmp_path / "own.obo").open("a", encoding="utf-8") as f:
        f.write("\n[Term]\nid: HP:0000100\nname: More\n")
    assert source.inputs() != before


def test_a_missing_ontology(tmp_path: Path) -> None:
    source = HpoSource(obo=Path("gone.obo")).relative_to(tmp_path)
    with pytest.raises(SourceError, match=r"source hpo: no file .*gone\.obo"):
        list(source.documents(Rejects(tmp_path / "r.jsonl")))


def test_an_ontology_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "own.obo").write_bytes(OBO.replace("Inheritance", "H\xe9r\xe9dit\xe9").encode("latin-1"))
    source = HpoSource(obo=Path("own.obo")).relative_to(tmp_path)
    with pytest.raises(SourceError, match=r"own\.obo.*UTF-8"):
        list(source.documents(Rejects(tmp_path / "r.jsonl")))


def test_the_ontology_of_the_package(tmp_path: Path) -> None:
    source = HpoSource()
    documents = list(source.documents(Rejects(tmp_path / "r.jsonl")))
    by_id = {d.id: d for d in documents}
    assert len(by_id) == len(documents) == source.count()
    assert len(documents) > 15_000
    assert by_id["HP:0001945"].title == "Fever"
    assert any(s.lay for s in by_id["HP:0001640"].synonyms)
    assert "Abnormality of the cardiovascular system" in by_id["HP:0001640"].categories
    assert all(parent in by_id for d in documents for parent in d.parents)
    assert source.release().version.startswith("hp/releases/")
    assert not [d.id for d in documents if d.title.startswith("obsolete ")]
