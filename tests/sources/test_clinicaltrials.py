"""The ClinicalTrials.gov source, on records of our own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources import Rejects
from medloom.sources.clinicaltrials import ClinicalTrialsSource

Write = Callable[..., Path]
OUTCOMES = [
    {"measure": "Pain", "description": "On a scale.", "timeFrame": "1 week"},
    {"measure": "Sleep", "timeFrame": "1 week"},
    {"timeFrame": "1 year"},
]


def _read(path: Path, **settings: object) -> list[Document]:
    return list(ClinicalTrialsSource(path=path, **settings).documents(Rejects(path.with_name("rejects.jsonl"))))


def test_the_three_shapes_of_a_record_give_one_document(write_jsonl: Write) -> None:
    nested = {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT1", "officialTitle": "A study of tea", "briefTitle": "Tea"},
            "descriptionModule": {"briefSummary": "Tea helps.", "detailedDescription": "Much tea."},
            "outcomesModule": {"primaryOutcomes": OUTCOMES},
        },
        "hasResults": False,
    }
    level = {
        "nctId": "NCT1",
        "officialTitle": "A study of tea",
        "briefSummary": "Tea helps.",
        "detailedDescription": "Much tea.",
        "primaryOutcomes": OUTCOMES,
    }
    short = {
        "nct_id": "NCT1",
        "title": "A study of tea",
        "brief_summary": "Tea helps.",
        "detailed_description": "Much tea.",
        "primary_outcomes": "measure: Pain description: On a scale.\nmeasure: Sleep",
    }
    expected = Document(
        "NCT1",
        "clinicaltrials",
        "A study of tea",
        sections=(
            Section("brief summary", "Tea helps."),
            Section("detailed description", "Much tea."),
            Section("primary outcomes", "measure: Pain description: On a scale.\nmeasure: Sleep"),
        ),
    )
    for number, row in enumerate([nested, level, short]):
        assert _read(write_jsonl(f"{number}.jsonl", [row])) == [expected]


def test_what_a_record_lacks_is_left_out(write_jsonl: Write) -> None:
    rows = [
        {"briefTitle": "Tea", "detailedDescription": ""},
        {"protocolSection": {"identificationModule": {"briefTitle": "A"}}},
    ]
    assert _read(write_jsonl("a.jsonl", rows)) == [
        Document("1", "clinicaltrials", "Tea"),
        Document("2", "clinicaltrials", "A"),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"title": ""}, "no text in the field"),
        ({"protocolSection": "secret"}, "'protocolSection' must be an object"),
        ({"title": "Tea", "primaryOutcomes": ["secret"]}, "primary outcomes must be text or a list"),
        ({"title": "Tea", "primaryOutcomes": [{"measure": 3}]}, "'measure' holds int"),
    ],
)
def test_bad_records(write_jsonl: Write, row: dict[str, object], problem: str) -> None:
    path = write_jsonl("a.jsonl", [row, {"title": "Tea"}])
    with pytest.raises(RowError, match=problem) as caught:
        _read(path)
    assert "secret" not in str(caught.value)
    assert [d.title for d in _read(path, on_error="skip")] == ["Tea"]


def test_release_inputs_and_count(write_jsonl: Write) -> None:
    source = ClinicalTrialsSource(path=write_jsonl("a.jsonl", [{"title": "Tea"}]), version="2025-01-01")
    assert source.release().version == "2025-01-01"
    assert "sponsors" in source.release().licence
    assert list(source.inputs()) == ["1-a.jsonl"]
    assert source.count() == 1
