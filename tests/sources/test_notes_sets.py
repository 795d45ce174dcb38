"""The three published sets of note-like text, on rows of our own."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources import Rejects
from medloom.sources.asclepius import AsclepiusSource
from medloom.sources.mtsamples import MtSamplesSource
from medloom.sources.pmc_patients import PmcPatientsSource

Write = Callable[..., Path]


def _csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as f:
        table = csv.DictWriter(f, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    return path


def test_asclepius(tmp_path: Path, write_jsonl: Write) -> None:
    row = {"patient_id": 5, "note": "Stay of\nthree days.", "question": "How long?", "answer": "Three days.", "task": "QA"}
    expected = Document(
        id="5",
        source="asclepius",
        title="How long?",
        text="Three days.",
        group="5",
        sections=(Section("note", "Stay of\nthree days."),),
        categories=("QA",),
        metadata=(("licence", "CC BY-NC-SA 4.0"), ("language", "en"), ("kind", "synthetic note")),
    )
    assert list(AsclepiusSource(path=_csv(tmp_path / "synthetic.csv", [row])).documents(Rejects(None))) == [expected]
    bad = write_jsonl("bad.jsonl", [row | {"note": ""}])
    with pytest.raises(RowError, match="line 1: no text in the field 'note'"):
        list(AsclepiusSource(path=bad).documents(Rejects(None)))


def test_pmc_patients(tmp_path: Path) -> None:
    row = {
        "patient_id": 0,
        "patient_uid": "123-1",
        "PMID": 99,
        "file_path": "comm/PMC001xxxxxx/PMC123.xml",
        "title": "A rare cough",
        "patient": "A person of 40 years coughed.",
        "age": "[[40.0, 'year']]",
        "gender": "F",
        "relevant_articles": "{'98': 1}",
        "similar_patients": "{}",
    }
    rows = [row, row | {"patient_uid": "123-2", "file_path": "elsewhere.xml"}]
    first, second = PmcPatientsSource(path=_csv(tmp_path / "PMC-Patients.csv", rows)).documents(Rejects(None))
    marks = (("licence", "CC BY-NC-SA 4.0"), ("language", "en"), ("kind", "case report"), ("pmid", "99"))
    assert first == Document(
        id="123-1",
        source="pmc-patients",
        title="A rare cough",
        text="A person of 40 years coughed.",
        group="99",
        metadata=(*marks, ("pmcid", "PMC123")),
    )
    assert (second.id, second.group, second.metadata) == ("123-2", "99", marks)


def test_mtsamples(tmp_path: Path) -> None:
    row = {
        "": 0,
        "description": "A visit for a cough.",
        "medical_specialty": " Allergy",
        "sample_name": " Cough - 1 ",
        "transcription": "SUBJECTIVE:,  It began on Monday.",
        "keywords": "allergy, cough",
    }
    rows = [row, row | {"medical_specialty": "General"}, row | {"transcription": ""}]
    rejects = Rejects(None)
    first, second = MtSamplesSource(path=_csv(tmp_path / "mtsamples.csv", rows)).documents(rejects)
    assert first == Document(
        id="1",
        source="mtsamples",
        title="Cough - 1",
        text="SUBJECTIVE:,  It began on Monday.",
        group=second.group,
        sections=(
            Section("description", "A visit for a cough."),
            Section("transcription", "SUBJECTIVE:,  It began on Monday."),
        ),
        categories=("Allergy",),
        metadata=(("licence", "CC0 as marked by the collector"), ("language", "en"), ("kind", "sample report")),
    )
    assert first.group and second.categories == ("General",)
    assert rejects.counts == {"withheld": 1}
