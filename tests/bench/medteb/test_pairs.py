"""Pair classification: options of exams, and negatives that do not belong, in both modes."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from medloom.records import Document, Section
from medloom.text import text_key

Build = Callable[..., Any]
Documents = dict[str, list[Document]]
TRIALS = "pairclassification_clinical_trials_officialTitle_vsdetailedDescription"
COMPLAINTS = "pairclassification_mimic_Chief_Complaint_vs_Discharge_Diagnosis"
EXAM = "pairclassification_medmcqa_pair_classification"
WIKI = "pairclassification_wiki_diseases_dataset"


def _rows(task: Any) -> list[tuple[str, str, int, str]]:
    return list(zip(*(task.data[c] for c in ("sentence1", "sentence2", "labels", "groups")), strict=True))


def _trial(number: int, title: str, description: str) -> Document:
    return Document(f"NCT{number}", "clinicaltrials", title, sections=(Section("detailed description", description),))


def _stay(number: int, patient: int, complaint: str, diagnosis: str) -> Document:
    sections = (Section("chief complaint", complaint), Section("discharge diagnosis", diagnosis))
    return Document(f"stay{number}", "mimic", group=f"patient{patient}", sections=sections)


def test_strict_negatives_do_not_belong(build: Build) -> None:
    stays = [_stay(n, n // 3, f"Complaint {n % 12}", f"Disease of kind {n % 40}") for n in range(240)]
    task = build({"mimic": stays}, COMPLAINTS)[0][COMPLAINTS]
    true = {(text_key(s.sections[0].text), text_key(s.sections[1].text)) for s in stays}
    had = defaultdict(set)
    for stay in stays:
        had[stay.group].add(text_key(stay.sections[1].text))
    rows = _rows(task)
    assert Counter(label for _, _, label, _ in rows) == {1: len(true), 0: len(true)}
    assert len(true) == 120
    for query, text, label, group in rows:
        assert ((text_key(query), text_key(text)) in true) == bool(label)
        if not label:
            assert text_key(text) not in had[group]
    assert task.counts["merged"] == 120


def test_strict_mixes_words_and_vectors(build: Build, make_encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [_trial(n, f"Trial of substance {n}", f"word{n % 30} shared {n} filler{n % 7}") for n in range(120)]

    class Contrary(make_encoder):  # type: ignore[misc]
        """Nearest are the texts with the same filler, whatever the words."""

        def encode(self, texts: Any, prompt: Any = None, label: Any = None) -> Any:
            import numpy as np

            return np.array([[float(f"filler{place}" in t) for place in range(7)] for t in texts], dtype=np.float32)

    monkeypatch.setattr("medloom.bench.medteb.negatives._DEPTH", 4)
    rows = _rows(build({"clinicaltrials": trials}, TRIALS, encoder=Contrary())[0][TRIALS])
    right = {query: text for query, text, label, _ in rows if label}
    wrong = {query: text for query, text, label, _ in rows if not label}
    by_word = sum(wrong[q].split()[0] == right[q].split()[0] for q in right)
    by_filler = sum(wrong[q].split()[3] == right[q].split()[3] for q in right)
    assert by_word >= 50
    assert by_filler >= 55
    assert by_word + by_filler <= 130


def test_strict_without_a_near_text_draws_any(build: Build) -> None:
    trials = [_trial(n, f"Trial {n}", f"alone{n}") for n in range(20)]
    task = build({"clinicaltrials": trials}, TRIALS)[0][TRIALS]
    assert task.counts["random_negatives"] == 10
    assert Counter(task.data["labels"]) == {1: 20, 0: 20}


def test_strict_leaves_out_pairs_with_no_negative_at_all(build: Build) -> None:
    trials = [_trial(n, "One title", f"alone{n}") for n in range(20)]
    tasks, left_out = build({"clinicaltrials": trials}, TRIALS)
    assert tasks == {}
    assert left_out[TRIALS].startswith("0 pairs, fewer than 16")


def test_compat_keeps_copies(build: Build) -> None:
    trials = [_trial(n, f"Trial {n}", "The same text" if n < 30 else f"Text {n}") for n in range(40)]
    rows = _rows(build({"clinicaltrials": trials}, TRIALS, mode="compat")[0][TRIALS])
    assert len(rows) == 80
    wrong = {query: text for query, text, label, _ in rows if not label}
    assert wrong["Trial 1"] == "The same text"
    strict = _rows(build({"clinicaltrials": trials}, TRIALS)[0][TRIALS])
    assert all(text != "The same text" for query, text, label, _ in strict if not label and int(query.split()[1]) < 30)


def test_compat_of_notes_lowers_the_second_text_and_never_draws_it_again(build: Build) -> None:
    stays = [_stay(n, n, f"Complaint {n}", ("Gout", "Flu")[n % 2]) for n in range(40)]
    rows = _rows(build({"mimic": stays}, COMPLAINTS, mode="compat")[0][COMPLAINTS])
    right = {query: text for query, text, label, _ in rows if label}
    assert set(right.values()) == {"gout", "flu"}
    assert all(text != right[query] for query, text, label, _ in rows if not label)


def test_compat_takes_the_first_records_and_caps_pairs(
    build: Build, all_documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    import medloom.bench.medteb as package

    small = tuple(replace(d, fetched=30, cap=40) if d.name == TRIALS else d for d in package.DEFINITIONS)
    monkeypatch.setattr(package, "DEFINITIONS", small)
    task = build(all_documents, TRIALS, mode="compat")[0][TRIALS]
    assert task.n == 40
    assert task.counts == {"pairs_found": 60, "capped": 20}
    assert set(task.groups) <= {f"NCT{n}" for n in range(30)}
    strict = build(all_documents, TRIALS)[0][TRIALS]
    assert Counter(strict.data["labels"]) == {1: 20, 0: 20}
    assert not set(strict.groups) <= {f"NCT{n}" for n in range(30)}


def _question(number: int, *options: tuple[str, str], title: str = "") -> Document:
    sections = tuple(Section(heading, text) for heading, text in options)
    return Document(f"m{number}", "medmcqa", title or f"Question {number}?", sections=sections)


def test_exam_options(build: Build) -> None:
    right, wrong, withheld = "correct option", "wrong option", "option"
    questions = [_question(n, (wrong, f"a{n}"), (right, f"b{n}"), (wrong, f"c{n}")) for n in range(20)]
    questions += [
        _question(30, (right, "x"), (wrong, "y"), title="Twice asked?"),
        _question(31, (right, "X."), (wrong, "z"), title="twice asked"),
        _question(32, (right, "u"), (wrong, "v"), title="Undecided?"),
        _question(33, (right, "v"), (wrong, "w"), title="Undecided?"),
        _question(34, (right, "same"), (wrong, "Same")),
        _question(35, (right, "+"), (wrong, "minus")),
        _question(36, (withheld, "k"), (withheld, "l")),
    ]
    task = build({"medmcqa": questions}, EXAM)[0][EXAM]
    rows = _rows(task)
    assert {r[:3] for r in rows if r[0].startswith("Question")} == {
        (f"Question {n}?", f"{letter}{n}", int(letter == "b")) for n in range(20) for letter in "abc"
    }
    assert {r[1:] for r in rows if r[0].lower().startswith("twice")} == {("x", 1, "m30"), ("y", 0, "m30"), ("z", 0, "m30")}
    assert {r[1:] for r in rows if r[0] == "Undecided?"} == {("u", 1, "m32"), ("w", 0, "m32")}
    assert len(rows) == 65
    assert task.counts == {
        "questions_found": 27,
        "answer_withheld": 1,
        "without_words": 1,
        "equal_questions": 2,
        "right_and_wrong": 2,
        "without_clear_answer": 2,
        "capped": 0,
    }
    compat = _rows(build({"medmcqa": questions}, EXAM, mode="compat")[0][EXAM])
    assert len(compat) == 60 + 14
    assert {r[2] for r in compat if r[0] == "Question 36?"} == {0}


def test_strict_exam_draws_whole_questions(build: Build, all_documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    import medloom.bench.medteb as package

    small = tuple(replace(d, cap=70) if d.name == EXAM else d for d in package.DEFINITIONS)
    monkeypatch.setattr(package, "DEFINITIONS", small)
    task = build(all_documents, EXAM)[0][EXAM]
    assert Counter(Counter(task.groups).values()) == {4: 17}
    assert task.counts["capped"] == 24 - 17
    assert build(all_documents, EXAM, mode="compat")[0][EXAM].n == 70


def test_strict_pairs_of_pages_are_consecutive_sections(build: Build, all_documents: Documents) -> None:
    pages = {d.group: d for d in all_documents["wikipedia"]}
    rows = _rows(build(all_documents, WIKI)[0][WIKI])
    for first, second, label, group in rows:
        assert first == pages[group].sections[1].text
        assert (second == pages[group].sections[2].text) == bool(label)
