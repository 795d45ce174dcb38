"""Texts that many patients share tie nobody together, and are no test text."""

import pytest
from tests.guard.tables import guarded

from medloom.records import Document, Section, TrainingRecord

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def _history(number: int) -> str:
    return " ".join(f"{NUMBERS[(number * place + place) % 12]} {number} {place}" for place in range(1, 9))


def _notes(patients: int) -> list[Document]:
    """Notes whose allergies and diagnoses are those of many, and whose histories are their own."""
    return [
        Document(
            id=str(number),
            source="notes",
            group=f"p{number}",
            sections=(
                Section("allergies", "None"),
                Section("discharge diagnosis", ("Pneumonia", "Sepsis")[number % 2]),
                Section("history of present illness", _history(number)),
            ),
        )
        for number in range(patients)
    ]


def _pairs(notes: list[Document]) -> list[TrainingRecord]:
    return [
        TrainingRecord(n.sections[1].text, (n.sections[2].text,), "section_section", n.source, n.id, negatives=("None",))
        for n in notes
    ]


def test_notes_of_one_hospital_are_split_and_trained_on() -> None:
    notes = _notes(100)
    held_out, test, train, counts = guarded(notes, _pairs(notes), holdout=0.3)
    assert 15 <= len(held_out) == len(test) <= 45
    assert len(train) == 100 - len(test)
    assert {record.query for record in train} == {"Pneumonia", "Sepsis"}
    assert {record.negatives for record in train} == {("None",)}
    assert (counts.common, counts.largest_tie, counts.reasons) == (3, 1, {})


def test_up_to_the_limit_a_text_still_ties() -> None:
    letters = [Document(str(number), "letters", text="No findings.") for number in range(21)]
    few, many = (guarded(letters[:n], [])[3] for n in (20, 21))
    assert (few.common, few.largest_tie) == (0, 20)
    assert (many.common, many.largest_tie) == (1, 1)


def test_a_diagnosis_of_a_few_patients_ties_none_of_them_and_may_be_asked_with() -> None:
    notes = _notes(20)
    held_out, test, train, counts = guarded(notes, _pairs(notes), holdout=0.4)
    assert (counts.common, counts.largest_tie, counts.reasons) == (0, 1, {})
    assert 0 < len(held_out) == len(test) < 20
    assert {record.query for record in train} == {record.query for record in test} == {"Pneumonia", "Sepsis"}
    answers = [TrainingRecord(p.positives[0], (p.query,), p.kind, p.source, p.doc_id) for p in _pairs(notes)]
    _, _, train, counts = guarded(notes, answers, holdout=0.4)
    assert (train, counts.reasons) == ([], {"exact": 20 - len(test)})


def test_a_name_that_is_a_diagnosis_too_is_no_label() -> None:
    notes = _notes(20)
    concepts = [Document(f"c{n}", "terms", "Pneumonia", f"Definition {n}.") for n in range(2)]
    held, _, train, counts = guarded([*notes, *concepts], _pairs(notes), holdout=0.5)
    if any(d.source == "terms" for d in held):
        assert {record.query for record in train} == {"Sepsis"}
        assert counts.reasons["exact"] > 0
    assert counts.largest_tie == 2


def test_the_larger_part_of_a_document_ties_it() -> None:
    same = " ".join(NUMBERS)
    papers = [Document(str(n), "s", sections=(Section("a", same), Section("b", f"own {n}"))) for n in range(6)]
    assert guarded(papers, [])[3].largest_tie == 6
    papers = [Document(str(n), "s", sections=(Section("a", "in all"), Section("b", f"{same} {n}"))) for n in range(6)]
    assert guarded(papers, [])[3].largest_tie == 1


def test_it_is_groups_that_count_not_documents() -> None:
    notes = [Document(str(n), "s", text="None", group=f"p{n % 3}") for n in range(60)]
    assert guarded(notes, [])[3].common == 0


def test_a_history_of_one_patient_stays_test_text() -> None:
    notes = _notes(100)
    held, _, _, _ = guarded(notes, _pairs(notes), holdout=0.3)
    theirs = next(d for d in notes if d.id not in {h.id for h in held})
    leak = TrainingRecord("Pneumonia", (held[0].sections[2].text,), "section_section", "notes", theirs.id)
    _, _, train, counts = guarded(notes, [*_pairs(notes), leak], holdout=0.3)
    assert counts.reasons == {"exact": 1}
    assert leak not in train


@pytest.mark.parametrize("workers", [1, 2])
def test_the_limit_is_a_setting_and_workers_change_nothing(workers: int) -> None:
    notes = _notes(12)
    held_out, _, train, counts = guarded(notes, _pairs(notes), holdout=0.4, common=5, workers=workers)
    assert counts.common == 3
    assert len(held_out) + len(train) == 12


REVIEW = "denies fevers chills sweats headache cough dyspnea chest pain nausea vomiting diarrhea rash and dysuria"


def test_a_phrase_that_very_many_notes_hold_costs_no_pair() -> None:
    notes = [
        Document(n.id, n.source, group=n.group, sections=(*n.sections[:2], Section("history", f"{_history(i)} {REVIEW}")))
        for i, n in enumerate(_notes(120))
    ]
    _, test, train, counts = guarded(notes, _pairs(notes), holdout=0.4, near_duplicate=1.0)
    assert len(test) > 20
    assert len(train) == 120 - len(test)
    _, test, train, counts = guarded(notes, _pairs(notes), holdout=0.1, near_duplicate=1.0)
    assert len(test) <= 20
    assert counts.reasons == {"ngram": 120 - len(test)}
    assert train == []
