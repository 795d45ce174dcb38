"""``medloom deid`` from the command line, with the detector that comes with medloom."""

import json
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from medloom.cli import main

pytestmark = pytest.mark.e2e

NAME, SECRETS = (
    "Zebediah Quux",
    ("Zebediah", "Quux", "Q4471902", "10/12/2023", "10/22/2023", "617-234-5678", "quux@mail.test"),
)
NOTES = [
    f"Patient: {NAME}\nMRN: Q4471902\nDate of visit: 10/12/2023\n"
    "Mr. Quux is a 94-year-old man with a dry cough for two weeks. Parkinson disease; takes 5 mg of prednisone daily. "
    "Call him at 617-234-5678 or quux@mail.test.",
    f"Patient: {NAME}\nDate of visit: 10/22/2023\nMr. Quux is better. Lungs are clear on both sides.",
    "A dry cough is common in winter and mostly harmless.",
]
CLINICAL = ("dry cough", "Parkinson disease", "5 mg of prednisone daily", "two weeks", "Lungs are clear")


@dataclass(frozen=True)
class Said:
    """What a command ended with."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs ``medloom deid`` in a folder with notes.jsonl; neither stream may quote a note."""
    rows = [{"mrn": f"Q{i}", "patient": "P1" if i < 2 else "P2", "note": note} for i, note in enumerate(NOTES)]
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*args: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["medloom", "deid", *args])
        code: int | str | None = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        assert not any(secret in said.out + said.err for secret in SECRETS)
        assert "Traceback" not in said.err
        return Said(int(code or 0), said.out, said.err)

    return command


FIELDS = ("--text", "note", "--id", "mrn", "--group", "patient", "--detector", "rules")


def _rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def test_notes_in_surrogates_out(run: Run, tmp_path: Path) -> None:
    options = ("--spans", "spans.jsonl", "--audit", "audit.html", "--json")
    said = run("notes.jsonl", "--out", "clean/notes.jsonl", *FIELDS, *options)
    assert said.code == 0
    result = json.loads(said.out)
    rows = _rows("clean/notes.jsonl")
    text = "\n".join(row["text"] for row in rows)
    assert not any(secret in text for secret in SECRETS)
    assert all(words in text for words in CLINICAL)
    assert "90+-year-old" in text
    assert rows[2]["text"] == NOTES[2]
    assert rows[0]["group"] == rows[1]["group"] != rows[2]["group"]
    assert not {"Q0", "Q1", "P1"} & {rows[0]["id"], rows[1]["id"], rows[0]["group"]}
    assert {row["deidentified"] for row in rows} == {result["mark"]}
    assert result["mark"].startswith("safe-harbor/1 surrogate rules/")
    people = [row["text"].split("\n")[0] for row in rows[:2]]
    assert people[0] == people[1]
    assert people[0].split()[-1] in rows[0]["text"].split("Mr. ")[1]

    assert result["documents"] == 3
    assert result["with_identifiers"] == 2
    assert result["found"]["NAME"] >= 4
    assert result["found"]["DATE"] == 2
    key = tmp_path / "clean" / "deid.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "never pass it on" in said.err

    found = [NOTES[int(r["id"][1:])][r["start"] : r["end"]] for r in _rows("spans.jsonl")]
    assert {"Q4471902", "10/12/2023", "10/22/2023", "94"} <= set(found)
    page = Path("audit.html").read_text("utf-8")
    assert "This page holds patient text." in page
    assert "Quux" in page


def test_twice_is_the_same_and_another_key_is_not(run: Run) -> None:
    assert run("notes.jsonl", "--out", "a.parquet", *FIELDS, "--key", "one.key").code == 0
    assert run("notes.jsonl", "--out", "b.parquet", *FIELDS, "--key", "one.key").code == 0
    assert run("notes.jsonl", "--out", "c.parquet", *FIELDS, "--key", "two.key").code == 0
    a, b, c = (Path(f"{name}.parquet").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_another_folder_of_the_same_patients_and_key_moves_dates_alike(run: Run) -> None:
    from datetime import date

    Path("more.csv").write_text("patient,note\nP1,Date of visit: 11/02/2023. Well.\n", "utf-8")
    assert run("notes.jsonl", "--out", "a.jsonl", *FIELDS, "--key", "k").code == 0
    assert (
        run("more.csv", "--out", "b.jsonl", "--text", "note", "--group", "patient", "--detector", "rules", "--key", "k").code
        == 0
    )

    def day(text: str) -> date:
        month, number, year = text.split("Date of visit: ")[1][:10].split("/")
        return date(int(year), int(month), int(number))

    days = [day(row["text"]) for row in (*_rows("a.jsonl")[:2], *_rows("b.jsonl"))]
    assert [(b - a).days for a, b in pairwise(days)] == [10, 11]


def test_tags_removal_and_kept_ids(run: Run) -> None:
    assert run("notes.jsonl", "--out", "tag.jsonl", *FIELDS, "--method", "tag", "--ids", "keep").code == 0
    first = _rows("tag.jsonl")[0]
    assert (first["id"], first["group"]) == ("Q0", "P1")
    assert first["text"].startswith("Patient: [NAME]\nMRN: [MRN]\nDate of visit: [DATE]\nMr. [NAME] is a [AGE]-year-old man")
    assert run("notes.jsonl", "--out", "gone.jsonl", *FIELDS, "--method", "remove").code == 0
    assert _rows("gone.jsonl")[0]["text"].startswith("Patient:\nMRN:\nDate of visit:\nMr. is a year-old man")


def test_the_output_passes_where_the_notes_may_not(run: Run) -> None:
    from medloom.deid.gate import may_pass
    from medloom.sources.files import FieldMap, FilesSource
    from medloom.sources.rewrite import CountedRejects, Skipped

    assert run("notes.jsonl", "--out", "clean.jsonl", *FIELDS).code == 0
    for path, text, passes in (("notes.jsonl", "note", False), ("clean.jsonl", "text", True)):
        source = FilesSource(path=path, fields=FieldMap(text=text), contains_phi=True)
        documents = list(source.documents(CountedRejects(Skipped())))
        assert {may_pass(document, "api.example.org", ()) for document in documents} == {passes}


def test_a_table_for_people(run: Run) -> None:
    said = run("notes.jsonl", "--out", "clean.jsonl", *FIELDS)
    assert "Found in 3 notes" in said.out
    assert "(C) Dates, and ages over 89" in said.out
    assert "something was found in 2 of 3 notes" in said.out
    assert "look over a sample with --audit" in said.err


def test_bad_rows_are_told_without_their_text(run: Run) -> None:
    with Path("notes.jsonl").open("a", encoding="utf-8") as f:
        f.write(json.dumps({"mrn": "Q9", "note": [NAME]}) + "\n" + NAME + "\n")
    stopped = run("notes.jsonl", "--out", "clean.jsonl", *FIELDS)
    assert stopped.code == 2
    assert "line 4" in stopped.err
    assert not Path("clean.jsonl").exists()
    said = run("notes.jsonl", "--out", "clean.jsonl", *FIELDS, "--on-error", "skip", "--json")
    assert said.code == 0
    assert json.loads(said.out)["skipped"] == 2
    assert "line 5" in said.err
    assert len(_rows("clean.jsonl")) == 3


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nowhere.jsonl", "--out", "a.jsonl"), "no such file"),
        (("notes.jsonl", "--out", "a.csv"), "ends in .jsonl or .parquet"),
        (("notes.jsonl", "--out", "notes.jsonl", "--force"), "read by this command"),
        (("notes.jsonl", "--out", "there.jsonl"), "--force"),
        (("notes.jsonl", "--out", "a.jsonl", "--method", "hide"), "--method"),
        (("notes.jsonl", "--out", "a.jsonl", "--detector", "magic"), "--detector"),
        (("notes.jsonl", "--out", "a.jsonl", "--ids", "drop"), "--ids"),
        (("notes.jsonl", "--out", "a.jsonl", "--on-error", "guess"), "--on-error"),
        (("notes.jsonl", "--out", "a.jsonl", "--text", "nowt"), "fields.text"),
        (("notes.jsonl", "--out", "a.jsonl", "--text", "note", "--key", "short.key"), "at least 32"),
    ],
)
def test_what_is_wrong_is_said(run: Run, args: tuple[str, ...], said: str) -> None:
    Path("there.jsonl").write_text("mine")
    Path("short.key").write_text("k")
    Path("short.key").chmod(0o600)
    ended = run(*args)
    assert ended.code == 2
    assert said in ended.err
    assert not Path("a.jsonl").exists()
    assert Path("there.jsonl").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_an_open_key_is_refused(run: Run) -> None:
    Path("open.key").write_bytes(bytes(32))
    Path("open.key").chmod(0o644)
    ended = run("notes.jsonl", "--out", "a.jsonl", *FIELDS, "--key", "open.key")
    assert ended.code == 2
    assert "chmod 600" in ended.err
