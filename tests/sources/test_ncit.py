"""The NCI Thesaurus: its flat file, plain, packed and zipped, on concepts of our own."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources import Rejects
from medloom.sources.ncit import NcitSource

HEADER = "code\tconcept IRI\tparents\tsynonyms\tdefinition\tdisplay name\tconcept status\tsemantic type\tconcept in subset"
ROWS = [
    ("C1", "", "Disease|Disorder", "", "", "", "Disease or Syndrome"),
    ("C2", "C1", "Gout|Podagra|Gout", 'A "painful"  disease.', "", "", "Disease or Syndrome|Finding"),
    ("C3", "C1|C9", "|Fever", "", "Pyrexia", "", ""),
    ("C4", "C1", "Old", "", "", "Retired_Concept", ""),
    ("C5", "", "Drug", "", "", "Header_Concept", "Substance"),
    ("C6", "C5", "Aspirin", "", "", "", ""),
    ("C7", "C5", "", "", "", "Obsolete_Concept|Retired_Concept", ""),
]


def _flat(header: bool = False) -> str:
    lines = ["\t".join((code, f"<http://own.example#{code}>", *cells, "")) for code, *cells in ROWS]
    return "".join(f"{line}\n" for line in ([HEADER] if header else []) + lines)


def _zipped(member: str) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(member, _flat())
    return raw.getvalue()


def _read(path: Path, **settings: object) -> list[Document]:
    return list(NcitSource.model_validate({"path": path, **settings}).documents(Rejects(None)))


@pytest.mark.parametrize("name", ["Thesaurus.txt", "header.txt", "Thesaurus.txt.gz", "Thesaurus.FLAT.zip"])
def test_the_flat_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    plain = _flat(name.startswith("header")).encode()
    path.write_bytes({".gz": gzip.compress(plain), ".zip": _zipped("Thesaurus.txt")}.get(path.suffix, plain))
    disease, gout, fever, drug, aspirin = _read(path)
    licence = ("licence", "CC BY 4.0")
    assert disease == Document(
        id="NCIT:C1",
        source="ncit",
        title="Disease",
        synonyms=(Synonym("Disorder"),),
        categories=("Disease",),
        metadata=(CONCEPT, licence, ("kind", "Disease or Syndrome")),
    )
    assert gout == Document(
        id="NCIT:C2",
        source="ncit",
        title="Gout",
        text='A "painful" disease.',
        synonyms=(Synonym("Podagra"),),
        parents=("NCIT:C1",),
        categories=("Disease",),
        metadata=(CONCEPT, licence, ("kind", "Disease or Syndrome"), ("kind", "Finding")),
    )
    assert (fever.title, fever.synonyms, fever.parents) == ("Pyrexia", (Synonym("Fever"),), ("NCIT:C1",))
    assert (drug.categories, aspirin.categories) == (("Drug",), ("Drug",))


def test_a_branch_alone(tmp_path: Path) -> None:
    (tmp_path / "Thesaurus.txt").write_text(_flat(), "utf-8")
    assert [d.id for d in _read(tmp_path / "Thesaurus.txt", below=("NCIT:C5",))] == ["NCIT:C5", "NCIT:C6"]


def test_the_foundrys_edition(tmp_path: Path) -> None:
    path = tmp_path / "ncit.obo"
    path.write_text("data-version: 2020\n\n[Term]\nid: NCIT:C1\nname: Disease\n\n[Term]\nid: OBI:1\nname: other\n", "utf-8")
    assert [d.id for d in _read(path)] == ["NCIT:C1"]
    assert NcitSource(path=path).release().version == "2020"


def test_release(tmp_path: Path) -> None:
    path = tmp_path / "Thesaurus.txt"
    path.write_text(_flat(), "utf-8")
    assert NcitSource(path=path).release().version == "not stated"
    assert NcitSource(path=path, version="26.10d").release().version == "26.10d"
    assert list(NcitSource(path=path).inputs()) == ["Thesaurus.txt"]


def test_other_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("C1\tsecret\n", "utf-8")
    with pytest.raises(SourceError, match=r"other\.txt, line 1: 2 columns, too few") as caught:
        _read(tmp_path / "other.txt")
    assert "secret" not in str(caught.value)
    (tmp_path / "other.zip").write_bytes(_zipped("README.txt"))
    with pytest.raises(SourceError, match=r"other\.zip holds no Thesaurus\.txt"):
        _read(tmp_path / "other.zip")
    (tmp_path / "cut.zip").write_bytes(_zipped("Thesaurus.txt")[:-30])
    with pytest.raises(SourceError, match=r"cut\.zip is damaged or cut off"):
        _read(tmp_path / "cut.zip")
