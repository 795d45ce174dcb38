"""The ClinicalTrials.gov source, on records of our own."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sources.collecting import plan_of, rows_of
from tests.sources.replicas.clinicaltrials import study

from medloom.collect.pool import collect
from medloom.errors import RowError, SourceError
from medloom.records import Document, Section
from medloom.sources import Rejects
from medloom.sources.clinicaltrials import ClinicalTrialsSource

Write = Callable[..., Path]
OUTCOMES = [
    {"measure": "Pain", "description": "On a scale.", "timeFrame": "1 week"},
    {"measure": "Sleep", "timeFrame": "1 week"},
    {"timeFrame": "1 year"},
]


EVERY_SECTION = (
    "brief summary",
    "detailed description",
    "conditions",
    "arms and interventions",
    "primary outcomes",
    "secondary outcomes",
    "eligibility criteria",
)


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
    for number, row in enumerate([level, short]):
        assert _read(write_jsonl(f"{number}.jsonl", [row])) == [expected]
    facts = (("brief_title", "Tea"), ("url", "https://clinicaltrials.gov/study/NCT1"))
    assert _read(write_jsonl("nested.jsonl", [nested])) == [replace(expected, metadata=facts)]


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


def test_every_field_of_a_download(tmp_path: Path) -> None:
    record = study(7)
    protocol = record["protocolSection"]
    protocol["conditionsModule"] = {"conditions": ["Gout", "Gout  of the foot"], "keywords": ["tea"]}
    protocol["designModule"] = {"studyType": "INTERVENTIONAL", "phases": ["PHASE2", "PHASE3"]}
    protocol["armsInterventionsModule"] = {
        "armGroups": [{"label": "Tea", "description": "Given tea,\ndaily."}, {"label": "Usual care"}],
        "interventions": [{"type": "OTHER", "name": "tea \\[linden\\]"}],
    }
    protocol["outcomesModule"] = {
        "primaryOutcomes": [{"measure": "Pain", "description": "\\>= 5"}],
        "secondaryOutcomes": [{"measure": "Sleep"}],
    }
    criteria = "Inclusion Criteria:\n\n* Age \\> 18 years\n\nExclusion Criteria:\n\n* None"
    protocol["eligibilityModule"] = {"eligibilityCriteria": criteria, "sex": "ALL"}
    (tmp_path / "one.json").write_text(json.dumps(record, indent=1))
    (document,) = _read(tmp_path / "one.json", sections=EVERY_SECTION)
    identification, status = protocol["identificationModule"], protocol["statusModule"]
    described = protocol["descriptionModule"]
    posted, updated = status["studyFirstPostDateStruct"]["date"], status["lastUpdatePostDateStruct"]["date"]
    assert document == Document(
        "NCT00000007",
        "clinicaltrials",
        identification["officialTitle"],
        sections=(
            Section("brief summary", described["briefSummary"]),
            Section("detailed description", described["detailedDescription"]),
            Section("conditions", "Gout\nGout of the foot"),
            Section("arms and interventions", "Tea: Given tea, daily.\nUsual care\ntea [linden]"),
            Section("primary outcomes", "measure: Pain description: >= 5"),
            Section("secondary outcomes", "measure: Sleep"),
            Section("inclusion criteria", "* Age > 18 years"),
            Section("exclusion criteria", "* None"),
        ),
        revision=updated,
        metadata=(
            ("date", posted),
            ("updated", updated),
            ("status", status["overallStatus"]),
            ("phase", "PHASE2"),
            ("phase", "PHASE3"),
            ("study_type", "INTERVENTIONAL"),
            ("brief_title", identification["briefTitle"]),
            ("acronym", "CARE-7"),
            ("condition", "Gout"),
            ("condition", "Gout of the foot"),
            ("keyword", "tea"),
            ("url", "https://clinicaltrials.gov/study/NCT00000007"),
        ),
    )


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("Inclusion Criteria: adults\nExclusion criteria: children", ["inclusion criteria", "exclusion criteria"]),
        (
            "**Key Inclusion Criteria:**\n* adults\n\n**Key Exclusion Criteria:**\n* none",
            ["inclusion criteria", "exclusion criteria"],
        ),
        ("Adults who meet the inclusion criteria of the ward", ["eligibility criteria"]),
        ("Part A\nInclusion Criteria:\nx\nExclusion Criteria:\ny", ["eligibility criteria"]),
        ("Exclusion Criteria:\nx\nInclusion Criteria:\ny", ["eligibility criteria"]),
        ("Inclusion Criteria:\n\nExclusion Criteria:\ny", ["exclusion criteria"]),
        ("", []),
    ],
)
def test_eligibility_is_cut_where_it_has_one_heading_for_each(write_jsonl: Write, text: str, headings: list[str]) -> None:
    path = write_jsonl("a.jsonl", [{"title": "Tea", "eligibility_criteria": text}])
    (document,) = _read(path, sections=["eligibility criteria"])
    assert [s.heading for s in document.sections] == headings


def test_the_forms_of_a_download_give_the_same_documents(tmp_path: Path) -> None:
    studies = [study(number) for number in range(1, 8)]
    (tmp_path / "all.json").write_text(json.dumps(studies))
    (tmp_path / "pages.json").write_text("\n".join(json.dumps({"studies": part}) for part in (studies[:4], studies[4:])))
    with zipfile.ZipFile(tmp_path / "each.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", "not a record")
        for one in studies:
            archive.writestr(f"00/{one['protocolSection']['identificationModule']['nctId']}.json", json.dumps(one))
    read = [_read(tmp_path / name) for name in ("all.json", "pages.json", "each.zip")]
    assert read[0] == read[1] == read[2]
    assert [d.id for d in read[0]] == [f"NCT{number:08}" for number in range(1, 8)]
    assert len(_read(tmp_path)) == 21
    result = collect(plan_of(ClinicalTrialsSource(path=tmp_path / "each.zip", version="2026-10-01"), tmp_path / "out"))
    assert [replace(d, contains_phi=None) for d in rows_of(tmp_path / "out")] == read[0]
    assert result.rounds[0]["service"] == "2026-10-01"
    followed = collect(
        plan_of(
            ClinicalTrialsSource(path=tmp_path / "all.json"),
            tmp_path / "again",
            lock=result.table.with_name("lock.jsonl.gz"),
        )
    )
    assert followed.differences is not None
    assert followed.differences.as_row() == {"same": 7, "changed": 0, "vanished": 0}


def test_a_bad_file_in_a_zip_is_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "each.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("a", json.dumps(study(1))), ("b", '{"secret": '), ("c", "3"), ("d", json.dumps(study(4)))):
            archive.writestr(f"{name}.json", text)
    with pytest.raises(RowError, match=r"each\.zip, b\.json: the file in the ZIP is not whole JSON"):
        _read(path)
    assert [d.id for d in _read(path, on_error="skip")] == ["NCT00000001", "NCT00000004"]
    rows = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert [row["problem"] for row in rows] == [
        "the file in the ZIP is not whole JSON",
        "expected a JSON object of fields, found int",
    ]


def test_records_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    long = study(2)
    long["protocolSection"]["descriptionModule"]["detailedDescription"] = "tea " * 300_000
    (tmp_path / "a.json").write_text(json.dumps([study(1), long, study(3)]))
    assert [len(d.sections[1].text) > 1_000_000 for d in _read(tmp_path / "a.json")] == [False, True, False]


def test_a_damaged_file_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "each.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", json.dumps(study(1)))
        archive.writestr("b.json", json.dumps(study(2)))
    path.write_bytes(path.read_bytes().replace(b"CARE-1", b"CARE-9"))
    assert [d.id for d in _read(path, on_error="skip")] == ["NCT00000002"]
    assert "is damaged, encrypted or packed" in (tmp_path / "rejects.jsonl").read_text()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", b"[" + json.dumps(study(1)).encode(), "ends within its array, after 1 values"),
        ("a.json", b'[{"title": "Tea"}, {"ti', "is not whole JSON after 1 values"),
        ("a.json.gz", b"no gzip", "is damaged or cut off"),
        ("a.zip", b"PK no zip", "damaged or cut-off ZIP file"),
        ("a.json", b"[]", "holds no rows"),
    ],
)
def test_damaged_downloads(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=problem):
        _read(tmp_path / name)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"path": "a.json", "terms": ["gout"]}, "terms is for the service"),
        ({"terms": [" "]}, "a term or condition is empty"),
        ({"posted_from": "2020-01-02", "posted_to": "2020-01-01"}, "posted_from lies after posted_to"),
        ({"sections": ["results"]}, "sections"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ClinicalTrialsSource.model_validate(settings)
