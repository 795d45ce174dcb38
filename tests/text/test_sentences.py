"""Sentences of clinical notes."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.text.sentences import first_characters, first_words, sentence_spans, sentences


def parted(marked: str) -> list[str]:
    """The sentences of a text that has a bar where each but the first starts."""
    return [part.strip() for part in marked.split("|") if part.strip()]


@pytest.mark.parametrize(
    "marked",
    [
        "Dr. Ito saw her. |She is well.",
        "Take 5 mg b.i.d. with food and q.i.d. if needed. |Return.",
        "Metoprolol 25 mg b.i.d. |Return in May.",
        "1. 8 mg of morphine.\n|2. Tube No. 3 was placed.",
        "It rose to 1. 8 mg of it was given.",
        "1. 8 mg b.i.d. as Dr. Ito advised. |2. Rest.",
        "Start 1. 8 mg b.i.d. per Dr. Moe today.",
        "She takes it b.i.d. |Dr. Ito agreed. |Mr. Moe and Mrs. Lund did not.",
        "Use fluids, e.g. saline. |Aspirin vs. Placebo was tried.",
        "J. R. Moe and K. Lund agree. |Seen by A. Berg today.",
        "Known hepatitis C. |She lacks vitamin D. |Iron is low.",
        "E. coli grew. |S. aureus did not.",
        "Sodium 138.5 today. |Potassium 4.1.",
        "Pt. is well. |I saw the pt. |She left.",
        "Reviewed by T. Holm, M.D. |She agrees.",
        "Seen at 5 p.m. on Monday. |Left at 6 p.m. |Then slept.",
        "NO FEVER. |NO COUGH. |SEEN BY DR. MOE.",
        "Pain... |She waited. |Well...then no.",
        "Really?! |Yes! |Is it ?PE or asthma? |Unclear.",
        'He said "stop." |Then he left (by cab.) |She stayed.',
        "pt seen. |no complaints. |denies fever.",
        "She went home.|The wound healed.|See www.Some.Where or a.Moe@Some.Where now.",
        "done.,|PLAN:,  |1.  She rests.,|2.  Recheck.,|ALLERGIES: , |None.",
        "The cyst was removed, etc., and sent.",
        "left knee,|PLAN: rest.",
        "About 5 cm. in length, approx. two days old.",
        "熱がある。|咳もある。",
        "",
        " \n	 ",
        "...",
    ],
)
def test_marks(marked: str) -> None:
    assert sentences(marked.replace("|", "")) == parted(marked)


@pytest.mark.parametrize(
    "marked",
    [
        "Meds:\n|- aspirin 81 mg\n|- lisinopril 10 mg q.d.\n\n|Next",
        "metoprolol 25 mg\n|lisinopril 10 mg",
        "WBC 9.1\n|Hgb 12.0\n|Plt 231",
        "PAST HISTORY\n|She had mumps.",
        "** Plan **\n|Rest.",
        "1.\nRest at home",
        "seen by Dr.\nMoe today",
        "admitted with fever and\ncough",
    ],
)
def test_lines(marked: str) -> None:
    assert sentences(marked.replace("|", "")) == parted(marked)


def test_wrapped_lines_are_one_sentence() -> None:
    text = (
        "The patient is a gardener who came to the clinic because of a cough that\n"
        "Maria, her daughter, had noticed for several weeks, and that had kept her\n"
        "Husband awake. She was given an inhaler and asked to come back in about a\n"
        "month."
    )
    found = sentences(text)
    assert len(found) == 2
    assert found[1].startswith("She was given") and found[1].endswith("month.")


@given(st.text(alphabet=st.sampled_from("aA1bDr. ,:;?!\n\t-*()\"'…PLN熱。"), max_size=200))
def test_every_character_is_in_exactly_one_span(text: str) -> None:
    spans = sentence_spans(text)
    assert all(start < end and text[start:end] == text[start:end].strip() for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    covered = {i for start, end in spans for i in range(start, end)}
    assert all(i in covered for i, c in enumerate(text) if not c.isspace())


@pytest.mark.parametrize(
    "unit", [".", ". ", "A.", "1. ", ":,", "Dr. ", ")", " ", "\n", "- \n", "PLAN,", "A:", "www.", "a.b@", "x'", "...", "? "]
)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit)) + " end"
        start = time.process_time()
        sentence_spans(text)
        return time.process_time() - start

    short = max(min(seconds(10_000) for _ in range(2)), 0.01)
    assert min(seconds(80_000) for _ in range(2)) < 24 * short


def test_first_words() -> None:
    text = "One two. Three four five. Six."
    assert first_words(text, 6) == text
    assert first_words(text, 5) == "One two. Three four five."
    assert first_words(text, 4) == "One two."
    assert first_words(text, 1) == "One"
    assert first_words("", 5) == ""


def test_first_characters() -> None:
    text = "One two. Dr. Ito came. Six."
    assert first_characters(text, len(text)) == text
    assert first_characters(text, 26) == "One two. Dr. Ito came."
    assert first_characters(text, 22) == "One two. Dr. Ito came."
    assert first_characters(text, 21) == first_characters(text, 8) == "One two."
    assert first_characters(text, 7) == first_characters(text, 4) == "One"
    assert first_characters(text, 2) == "On"
    assert first_characters("", 5) == first_characters("abc", 0) == ""


@given(st.text(alphabet=st.sampled_from("aA1b. ,\n"), max_size=300), st.integers(0, 200))
def test_first_characters_are_a_beginning_that_fits(text: str, count: int) -> None:
    start = first_characters(text, count)
    assert text.startswith(start)
    assert len(start) <= count or start == text
