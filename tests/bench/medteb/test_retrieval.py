"""Retrieval: merged texts in strict, rows as they come in compat."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from medloom.records import Document, Section

Build = Callable[..., Any]
QUAD = "retrieval_medquad_dataset"
COMPLAINTS = "retrieval_mimic_Chief_Complaint_vs_Discharge_Diagnosis"
WIKI = "retrieval_wiki_diseases_dataset"


def _quad(number: int, question: str, answer: str, focus: str = "") -> Document:
    return Document(f"q{number}", "medquad", question, answer, group=focus or f"focus {number}")


def _answers(data: dict[str, Any]) -> dict[str, set[str]]:
    return {text: {data["corpus"][d] for d in data["qrels"][q]} for q, text in data["queries"].items()}


def _stays() -> list[Document]:
    return [
        Document(
            f"s{n:03}",
            "mimic",
            group=f"patient{n % 30}",
            sections=(Section("chief complaint", f"Pain {n % 20}"), Section("discharge diagnosis", f"Disease {n % 7}")),
        )
        for n in range(60)
    ]


def test_strict_merges_equal_texts(build: Build) -> None:
    rows = [_quad(n, f"Question {n}?", f"Answer {n}.", f"f{n // 2}") for n in range(20)]
    rows += [
        _quad(20, "question 0", "Another answer.", "f99"),
        _quad(21, "Question 21?", "ANSWER 0", "f98"),
        _quad(22, "Question 22?", "question 22", "f97"),
        _quad(23, "???", "Words.", "f96"),
        _quad(24, "Question 24?", "", "f95"),
    ]
    task = build({"medquad": rows}, QUAD)[0][QUAD]
    answers = _answers(task.data)
    assert task.n == 21
    both = answers.get("Question 0?") or answers["question 0"]
    assert {a.lower().strip(".") for a in both} == {"answer 0", "another answer"}
    assert {a.lower().strip(".") for a in answers["Question 21?"]} == {"answer 0"}
    assert len(task.data["corpus"]) == 21
    assert task.counts == {
        "pairs_found": 24,
        "same_text": 1,
        "without_words": 1,
        "capped": 0,
        "equal_queries": 1,
        "equal_documents": 1,
    }
    by_query = dict(zip(task.data["queries"].values(), task.groups, strict=True))
    assert by_query["Question 3?"] == "f1"


def test_strict_gives_a_query_every_answer_of_its_copies(build: Build) -> None:
    stays = _stays()
    data = build({"mimic": stays}, COMPLAINTS)[0][COMPLAINTS].data
    expected: dict[str, set[str]] = {}
    for stay in stays:
        expected.setdefault(stay.sections[0].text, set()).add(stay.sections[1].text)
    assert _answers(data) == expected
    assert len(data["queries"]) == 20
    assert len(data["corpus"]) == 7


def test_compat_keeps_every_row(build: Build) -> None:
    data = build({"mimic": _stays()}, COMPLAINTS, mode="compat")[0][COMPLAINTS].data
    assert list(data["queries"]) == [f"q_{n}" for n in range(60)]
    assert data["qrels"] == {f"q_{n}": {f"doc_{n}": 1} for n in range(60)}
    assert data["queries"]["q_21"] == "Pain 1"
    assert data["corpus"]["doc_21"] == "No title Disease 0"
    assert data["groups"][31] == "patient1"


@pytest.mark.parametrize("mode", ["strict", "compat"])
def test_the_cap(build: Build, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    import medloom.bench.medteb as package

    small = tuple(replace(d, cap=50) if d.name == COMPLAINTS else d for d in package.DEFINITIONS)
    monkeypatch.setattr(package, "DEFINITIONS", small)
    task = build({"mimic": _stays()}, COMPLAINTS, mode=mode)[0][COMPLAINTS]
    assert sum(len(found) for found in task.data["qrels"].values()) <= 50
    assert task.counts["capped"] == 10


def test_strict_finds_sections_by_title_and_heading(build: Build) -> None:
    text = "A section on what is known of the disease, over fifty characters, number"
    pages = [
        Document(
            f"w{n}",
            "wikipedia",
            f"Disease {n}",
            group=f"page{n}",
            sections=(Section("", f"{text} lead {n}"), Section("Cause", f"{text} {n}"), Section("Notes", "Short.")),
            categories=("diseases and disorders by system" if n < 18 else "Physics",),
        )
        for n in range(20)
    ]
    data = build({"wikipedia": pages}, WIKI)[0][WIKI].data
    assert _answers(data) == {f"Disease {n}: Cause": {f"{text} {n}"} for n in range(18)}
    assert set(data["groups"]) == {f"page{n}" for n in range(18)}
