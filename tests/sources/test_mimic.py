"""The MIMIC source, on invented notes of MIMIC's shape."""

import csv
import gzip
import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medloom.deid.gate import PUBLISH, may_pass
from medloom.errors import RowError, SourceError
from medloom.mine import PairsConfig, pairs_of
from medloom.records import Document, Section
from medloom.sources import Rejects, known_sources
from medloom.sources.formats.mimic_sections import NAMES, sections_of
from medloom.sources.formats.mimic_stays import Stays
from medloom.sources.mimic import MimicSource
from medloom.text import clean

NOTE_COLUMNS = ("note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "storetime", "text")
STAY_COLUMNS = ("subject_id", "hadm_id", "admittime", "dischtime", "deathtime", "admission_type", "hospital_expire_flag")
SUMMARY = """ \nName:  ___                     Unit No:   ___
 \nAdmission Date:  ___              Discharge Date:   ___
 \nDate of Birth:  ___             Sex:   F
 \nService: MEDICINE
 \nAllergies: \nNo Known Allergies
 \nAttending: ___.
 \nChief Complaint:
Cough
 \nMajor Surgical or Invasive Procedure:
___

 \nHistory of Present Illness:
Ms. ___ coughs, history of present illness as above. Her
past medical history: long. Nothing else in the
discharge instructions
of last time.

More on it.
 \nSocial History:
___
Family History:
A father with gout.
 \nDischarge Diagnosis:
PRIMARY DIAGNOSIS:
Pneumonia
 \nDischarge Condition:
Good
"""
SHAPED = "mimic_shaped"


def read(path: Path, rejects: Rejects | None = None, **settings: Any) -> list[Document]:
    return list(MimicSource(path=path, **settings).documents(rejects or Rejects(None)))


def parts(text: str) -> list[tuple[str, str]]:
    return [(s.heading, s.text) for s in sections_of(clean(text))]


@pytest.fixture(scope="module")
def shaped() -> ModuleType:
    """The generator of invented notes."""
    spec = importlib.util.spec_from_file_location(SHAPED, Path(__file__).parents[2] / "benchmarks" / f"{SHAPED}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[SHAPED] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes a table of notes or stays below ``tmp_path``, packed."""

    def write(name: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        return path

    return write


def note(
    stay: object = 21, subject: object = 11, text: str = SUMMARY, type_: str = "DS", seq: int = 1
) -> tuple[object, ...]:
    return (f"{subject}-{type_}-{seq}", subject, stay, type_, seq, "2180-05-07 00:00:00", "2180-05-09 15:26:00", text)


def test_a_note_becomes_a_document(table: Callable[..., Path]) -> None:
    path = table("discharge.csv.gz", NOTE_COLUMNS, [note()])
    (document,) = read(path)
    assert document == Document(
        id="21",
        source="mimic",
        group="11",
        sections=(
            Section("allergies", "No Known Allergies"),
            Section("chief complaint", "Cough"),
            Section(
                "history of present illness",
                "Ms. ___ coughs, history of present illness as above. Her\npast medical history: long. Nothing else in the\n"
                "discharge instructions\nof last time.\n\nMore on it.",
            ),
            Section("family history", "A father with gout."),
            Section("discharge diagnosis", "PRIMARY DIAGNOSIS:\nPneumonia"),
            Section("discharge condition", "Good"),
        ),
        contains_phi=True,
        revision="2180-05-09 15:26:00",
        metadata=(
            ("admission", "21"),
            ("subject", "11"),
            ("date", "2180-05-07"),
            ("note type", "DS"),
            ("sex", "F"),
            ("service", "MEDICINE"),
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nchief complaint:\nCough", [("chief complaint", "Cough")]),
        ("CHIEF COMPLAINT:\t\n\n\n\tCough", [("chief complaint", "Cough")]),
        ("Chief Complaint\nCough", [("chief complaint", "Cough")]),
        ("Chief  Complaint : Cough, fever: high", [("chief complaint", "Cough, fever: high")]),
        ("\r\nChief Complaint:\r\nCough\r\n \r\nSocial History:\r\n___\r\n", [("chief complaint", "Cough")]),
        ("Chief Complaint:\nOne\n\n \n\t\n\nTwo", [("chief complaint", "One\n\nTwo")]),
        ("Follow-up Instructions:\nSoon", [("followup instructions", "Soon")]),
        ("Discharge Diagnoses:\nA\nDischarge Diagnosis:\nB", [("discharge diagnosis", "A"), ("discharge diagnosis", "B")]),
        ("Discharge Diagnosis:\nA\nDischarge Diagnosis:\nA", [("discharge diagnosis", "A")]),
        ("Physical Exam:\nPHYSICAL EXAM:\nWell", [("physical exam", "Well")]),
        ("Physical Exam:\nDISCHARGE EXAM:\nWell", [("physical exam", "DISCHARGE EXAM:\nWell")]),
        ("Chief Complaint:\nhistory of present illness: no", [("chief complaint", "history of present illness: no")]),
        ("Chief Complaint:\nSocial History\nno", [("chief complaint", "Social History\nno")]),
        ("Family History: Allergies:\nAllergies: tea", [("family history", "Allergies:\nAllergies: tea")]),
        ("Brief Hospital Course:\nAttending: there", [("brief hospital course", "Attending: there")]),
        (
            "Discharge Disposition:\nHome\n\nFacility:\nThe Elms",
            [("discharge disposition", "Home"), ("facility", "The Elms")],
        ),
        ("Just words: no headings", [("", "Just words: no headings")]),
        ("Chief Complaint:\n___\nSocial History:\n___.", []),
        ("___", []),
        ("", []),
    ],
)
def test_headings_and_their_quirks(text: str, expected: list[tuple[str, str]]) -> None:
    assert parts(text) == expected


PIECES = [*"ab _:\t\n", *(f"\n{name.capitalize()}:" for name in NAMES), "\n\nattending: ", "\n \n"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_nothing_is_made_up(text: str) -> None:
    whole = "".join(text.split())
    for section in sections_of(clean(text)):
        assert section.heading in ("", *NAMES)
        assert section.text == section.text.strip() != ""
        assert "".join(section.text.split()) in whole
        assert "\n\n\n" not in section.text


def test_what_was_put_into_invented_notes_is_read(shaped: ModuleType) -> None:
    notes = list(shaped.notes_of(list(shaped.stays_of(120, 5)), 5))
    assert [parts(n.text) for n in notes] == [n.parts for n in notes]
    assert any("\r\n" in n.text for n in notes)
    assert any("PRIMARY DIAGNOSIS:" in n.text for n in notes)


def test_long_notes_quotes_and_line_breaks(table: Callable[..., Path]) -> None:
    course = 'He said ""no"", "yes",\nand left. ' * 60_000
    path = table("discharge.csv.gz", NOTE_COLUMNS, [note(text=f"Brief Hospital Course:\n{course}\nSocial History:\nQuiet")])
    (document,) = read(path)
    assert [(s.heading, len(s.text)) for s in document.sections] == [
        ("brief hospital course", len(course.strip())),
        ("social history", 5),
    ]


def test_ids_of_several_notes_of_a_stay(table: Callable[..., Path]) -> None:
    rows = [
        note(21, type_="AD", seq=1, text="More."),
        note(21, seq=2),
        note(21, seq=3, text="Again."),
        note("", seq=4),
        note("22.0", seq=5),
    ]
    documents = read(table("discharge.csv.gz", NOTE_COLUMNS, rows))
    assert [d.id for d in documents] == ["11-AD-1", "21", "11-DS-3", "11-DS-4", "22"]
    assert [d.fact("admission") for d in documents] == ["21", "21", "21", "", "22"]
    assert documents[0].sections == (Section("", "More."),)


def test_only_the_sections_asked_for(table: Callable[..., Path]) -> None:
    path = table("discharge.csv.gz", NOTE_COLUMNS, [note(), note(22, text="No heading.", seq=2)])
    kept = read(path, keep=("discharge diagnosis", "chief complaint"))
    assert [[s.heading for s in d.sections] for d in kept] == [["chief complaint", "discharge diagnosis"], []]
    with pytest.raises(ValidationError, match="chief complaint"):
        MimicSource.model_validate({"path": path, "keep": ["complaint"]})


@pytest.mark.parametrize("value", [False, None])
def test_contains_phi_cannot_be_denied(tmp_path: Path, value: bool | None) -> None:
    with pytest.raises(ValidationError, match="contains_phi is always true for mimic"):
        MimicSource(path=tmp_path, contains_phi=value)


def test_the_gate_keeps_every_note(table: Callable[..., Path]) -> None:
    (document,) = read(table("discharge.csv.gz", NOTE_COLUMNS, [note()]), contains_phi=True)
    assert not may_pass(document, "api.example.org", ())
    assert not may_pass(document, PUBLISH, ())
    assert may_pass(document, "localhost", ())


def test_the_source_is_known_and_says_its_terms(tmp_path: Path) -> None:
    assert known_sources()["mimic"] is MimicSource
    release = MimicSource(path=tmp_path).release()
    assert release.version == "2.2"
    assert "PhysioNet Credentialed" in release.licence


@pytest.mark.parametrize(
    ("stays", "expected"),
    [
        ([("05-01", "05-04"), ("05-07", "05-08")], [3.0, None]),
        ([("05-01", "05-04"), ("05-07 00:01", "05-08")], [3.0 + 1 / 1440, None]),
        ([("05-07", "05-08"), ("05-01", "05-04")], [None, 3.0]),
        ([("05-01", "05-04"), ("05-04 00:01", "05-08")], [1 / 1440, None]),
        ([("05-01", "05-04"), ("05-04", "05-08"), ("05-10", "05-11")], [None, 2.0, None]),
        ([("05-01", "05-04"), ("05-03", "05-08"), ("05-10", "05-11")], [None, 2.0, None]),
        ([("05-01", "05-08"), ("05-03", "05-04"), ("05-10", "05-11")], [2.0, None, None]),
        ([("05-01", "05-04"), ("05-06", "05-08", "05-08"), ("05-08 02:00", "05-08 01:00", "05-08")], [2.0, None, None]),
        ([("05-01", ""), ("05-06", "05-08")], [None, None]),
        ([("05-04", "05-01"), ("05-06", "05-08")], [None, None]),
        ([("05-01", "05-04")], [None]),
    ],
    ids=[
        *("three days", "a minute more", "any order of rows", "same day", "transfer", "overlap", "stay within a stay"),
        *("death and donor account", "no discharge", "discharge before admission", "one stay"),
    ],
)
def test_days_to_the_next_stay(
    table: Callable[..., Path], stays: list[tuple[str, ...]], expected: list[float | None]
) -> None:
    def time(day: str) -> str:
        return f"2180-{day}{'' if ' ' in day else ' 00:00'}:00" if day else ""

    rows = [(1, n, *map(time, (*times, "")[:3]), "URGENT", "") for n, times in enumerate(stays)]
    rows.append((2, 99, time("05-05"), time("05-06"), "", "URGENT", ""))
    found = Stays(table("admissions.csv.gz", STAY_COLUMNS, rows))
    assert len(found) == len(rows)
    assert [found.days_to_next(n) for n in range(len(stays))] == [e and pytest.approx(e, rel=1e-3) for e in expected]
    assert 99 in found
    assert found.days_to_next(99) is None
    assert 50 not in found
    assert found.days_to_next(50) is None


def test_the_flag_of_death_is_enough(table: Callable[..., Path]) -> None:
    rows = [
        (1, 1, "2180-05-01 00:00:00", "2180-05-02 00:00:00", "", "URGENT", 1),
        (1, 2, "2180-05-03 00:00:00", "2180-05-04 00:00:00", "", "URGENT", 0),
    ]
    assert Stays(table("admissions.csv.gz", STAY_COLUMNS, rows)).days_to_next(1) is None


def test_categories_of_coming_back(table: Callable[..., Path], tmp_path: Path) -> None:
    days = ("01 00:00", "04 00:00", "05 00:00", "12 00:00", "20 00:00")
    stays = [(11, 21 + n, f"2180-05-{day}:00", f"2180-05-{day[:2]} 12:00:00", "", "URGENT", 0) for n, day in enumerate(days)]
    table("hosp/admissions.csv.gz", STAY_COLUMNS, stays)
    path = table("note/discharge.csv.gz", NOTE_COLUMNS, [note(21 + n, seq=n) for n in range(6)])
    folder = [(d.categories, d.fact("days to next admission")) for d in read(tmp_path)]
    three, seven, thirty = (f"readmission {n} days" for n in (3, 7, 30))
    assert folder == [
        ((three, seven, thirty), "2.50"),
        ((three, seven, thirty), "0.50"),
        ((seven, thirty), "6.50"),
        ((thirty,), "7.50"),
        ((), ""),
        ((), ""),
    ]
    assert {d.categories for d in read(path)} == {()}
    assert [d.categories for d in read(path, admissions=tmp_path / "hosp")] == [categories for categories, _ in folder]
    assert list(MimicSource(path=tmp_path).inputs()) == ["1-discharge.csv.gz", "2-admissions.csv.gz"]
    assert list(MimicSource(path=path).inputs()) == ["1-discharge.csv.gz"]


def test_stays_of_another_release_are_refused(
    table: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table("hosp/admissions.csv.gz", STAY_COLUMNS, [(11, 21, "2180-05-01", "2180-05-02", "", "URGENT", 0)])
    path = table("discharge.csv.gz", NOTE_COLUMNS, [note(21), note(22, seq=2)])
    assert len(read(tmp_path)) == 2
    assert "1 of 2 stays with a note are not in" in caplog.text
    table("discharge.csv.gz", NOTE_COLUMNS, [note(23)])
    with pytest.raises(SourceError, match=r"none of the 1 stays with a note is in .*: give the admissions of the same"):
        read(path.parent)


def test_bad_rows_of_notes(table: Callable[..., Path], tmp_path: Path) -> None:
    bad = [note(subject=""), note(stay="secret"), ("", *note()[1:]), ("secret",)]
    path = table("discharge.csv.gz", NOTE_COLUMNS, [*bad, note()])
    with pytest.raises(RowError, match=r"line 2: column 'subject_id' is empty \(or set on_error: skip") as caught:
        read(path)
    assert "Pneumonia" not in str(caught.value)
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert [d.id for d in read(path, rejects, on_error="skip")] == ["21"]
    assert rejects.counts == {"rejected": 4}
    assert "column 'hadm_id' holds no whole number" in (tmp_path / "rejects.jsonl").read_text()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ((1, "secret", "2180-05-01", "2180-05-02", "", "", 0), "'hadm_id' holds no whole number"),
        ((1, 2, "secret", "2180-05-02", "", "", 0), "'admittime' holds no time"),
        ((1, 2, "", "2180-05-02", "", "", 0), "'admittime' is empty"),
        ((1, 2, "2180-05-01", "2180-05-02"), "4 cells where the header has 7"),
    ],
)
def test_bad_rows_of_stays(table: Callable[..., Path], row: tuple[object, ...], problem: str) -> None:
    with pytest.raises(RowError, match=problem) as caught:
        Stays(table("admissions.csv.gz", STAY_COLUMNS, [row]))
    assert "secret" not in str(caught.value)


def test_files_that_are_not_there_or_not_it(table: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no discharge.csv.gz in .*: give that file of MIMIC-IV-Note"):
        read(tmp_path)
    other = table("other.csv.gz", ("id", "text"), [(1, "secret")])
    with pytest.raises(SourceError, match=r"no column 'note_id': give discharge.csv.gz as PhysioNet ships it"):
        read(other)
    with pytest.raises(SourceError, match=r"is no CSV: give discharge.csv.gz"):
        read(other.rename(tmp_path / "other.parquet"))
    other = table("other.csv.gz", ("id", "text"), [(1, "secret")])
    notes = table("a/note/discharge.csv.gz", NOTE_COLUMNS, [note()])
    with pytest.raises(SourceError, match=r"no column 'subject_id': give admissions.csv.gz"):
        read(notes, admissions=other)
    with pytest.raises(SourceError, match=r"no admissions.csv.gz in .*or leave admissions out"):
        read(notes, admissions=tmp_path / "none")
    table("b/discharge.csv.gz", NOTE_COLUMNS, [note()])
    with pytest.raises(SourceError, match=r"holds 2 files discharge\.csv"):
        read(tmp_path)


def test_empty_tables(table: Callable[..., Path]) -> None:
    for columns, name in ((NOTE_COLUMNS, "discharge"), (STAY_COLUMNS, "admissions")):
        path = table(f"{name}.csv.gz", columns, [])
        with pytest.raises(SourceError, match=rf"{name}.csv.gz holds no rows"):
            read(path) if columns is NOTE_COLUMNS else Stays(path)


def test_the_pairs_of_the_medte_model(table: Callable[..., Path]) -> None:
    (document,) = read(table("discharge.csv.gz", NOTE_COLUMNS, [note(text=SUMMARY.replace("PRIMARY DIAGNOSIS:\n", ""))]))
    wanted = [{"query": "discharge diagnosis", "finds": ("chief complaint", "history of present illness")}]
    config = PairsConfig.model_validate({"kinds": ["section_section"], "section_pairs": wanted})
    (record,) = pairs_of(document, config, {})
    assert (record.query, record.positives[0][:17]) == ("Pneumonia", "Cough Ms. ___ cou")


def test_equal_seeds_give_equal_folders(shaped: ModuleType, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        shaped.write(tmp_path / name, 8, seed)
    first, again, other = ((tmp_path / name / "note" / "discharge.csv.gz").read_bytes() for name in "abc")
    assert first == again != other
