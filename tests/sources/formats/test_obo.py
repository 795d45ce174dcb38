"""The OBO reader on a small file of our own."""

from pathlib import Path

import pytest

from medloom.records import Synonym
from medloom.sources.formats.obo import read_terms, read_version
from medloom.sources.formats.terms import Term

OBO = r"""format-version: 1.2
data-version: own/2020-01-01
ontology: own

[Term]
id: X:1
name: Fever \{high\}
def: "A \"raised\" temperature, over 38\\n." [own:1, "quoted"]
comment: passed over
synonym: "Hot" EXACT layperson [own:2]
synonym: "Pyrexia" EXACT []
synonym: "High [very] fever" NARROW []
synonym: "Unwell" BROAD []
synonym: "Chills" RELATED []
synonym: "FEV" EXACT abbreviation [own:3]
synonym: "No scope" []
xref: own:4
is_a: X:2 ! Sign
is_a: X:3 {source="own:5", comment="a ! mark"} ! Other sign

[Term]
id: X:9
name: Gone
is_obsolete: true

[Typedef]
id: part_of
name: part of

[Term]
name: without id

[Term]
id: X:2
name: Sign
is_obsolete: false"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "own.obo"
    path.write_text(OBO, "utf-8")
    return path


def test_terms(path: Path) -> None:
    first, second = read_terms(path)
    assert first == Term(
        id="X:1",
        name="Fever {high}",
        definition=first.definition,
        synonyms=[
            (Synonym("Hot", "exact", lay=True), "layperson"),
            (Synonym("Pyrexia", "exact"), ""),
            (Synonym("High [very] fever", "narrow"), ""),
            (Synonym("Unwell", "broad"), ""),
            (Synonym("Chills", "related"), ""),
            (Synonym("FEV", "exact"), "abbreviation"),
            (Synonym("No scope", "related"), ""),
        ],
        parents=["X:2", "X:3"],
    )
    assert first.definition.startswith('A "raised" temperature, over 38')
    assert second == Term(id="X:2", name="Sign")


def test_an_escaped_line_end_is_white_space(tmp_path: Path) -> None:
    path = tmp_path / "own.obo"
    path.write_text('[Term]\nid: X:1\ndef: "Small joints, \\nsecond to fifth." []\n', "utf-8")
    (term,) = read_terms(path)
    assert term.definition.split() == ["Small", "joints,", "second", "to", "fifth."]


def test_version(path: Path, tmp_path: Path) -> None:
    assert read_version(path) == "own/2020-01-01"
    bare = tmp_path / "bare.obo"
    bare.write_text("format-version: 1.2\n\n[Term]\nid: X:1\ndata-version: not here\n", "utf-8")
    assert read_version(bare) == ""


def test_windows_line_ends_and_trailing_blanks(tmp_path: Path) -> None:
    path = tmp_path / "own.obo"
    path.write_bytes(
        b"data-version: v1 \r\n\r\n[Term]\r\nid: X:1 \r\nname: Fever \r\nis_a: X:2 \r\n\r\n[Term]\r\nid: X:2\r\n"
    )
    assert read_version(path) == "v1"
    assert list(read_terms(path)) == [Term("X:1", "Fever", parents=["X:2"]), Term("X:2")]
