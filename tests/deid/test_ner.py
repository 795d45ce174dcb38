"""The second opinion: when it is asked, and what the guard lets pass."""

import pytest

from medloom.deid.detect import load_detector
from medloom.deid.gazetteers import gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.ner import load_model, questions
from medloom.deid.page import read_page
from medloom.deid.rules.reading import Names
from medloom.deid.spans import find

KNOWN = Names(lexicon(), gazetteer())


def asked(text: str) -> list[str]:
    """The stretches that the model is asked about."""
    page = read_page(text)
    return [text[q.start : q.end] for q in questions(0, page, bytearray(len(text)), KNOWN)]


def test_explained_text_is_not_asked_about() -> None:
    """Most of a note: medical words, ordinary words, eponyms, headings."""
    assert asked("HISTORY OF PRESENT ILLNESS:\nPatient has Parkinson disease on Lasix. Chest clear.") == []


def test_only_the_sentence_with_a_suspect_is_asked_about() -> None:
    """Neighbours that are long enough stay out."""
    before, after = (
        "The patient was in no acute distress at the time of the exam today.",
        "Abdomen soft and nontender, with bowel sounds present.",
    )
    (stretch,) = asked(f"{before}\nA letter came from Przybylski about the matter.\n{after}")
    assert "Przybylski" in stretch
    assert before not in stretch
    assert after not in stretch


def test_what_is_covered_is_not_asked_about() -> None:
    """The rules were surer."""
    text = "A letter came from Przybylski about the matter."
    assert list(questions(0, read_page(text), bytearray(b"\1" * len(text)), KNOWN)) == []


def test_stretches_cover_the_text_and_are_short() -> None:
    """A line without end is cut."""
    text = "Qzxv Wvutr " * 500
    stretches = asked(text)
    assert "".join(stretches) == text
    assert max(map(len, stretches)) <= 601


def test_the_model_adds_a_name_that_no_rule_sees() -> None:
    """And only there."""
    text = "The family thanked Gerhard Przybylski, who came."
    spans = find(load_detector("rules+ner"), text)
    assert [text[s.start : s.end] for s in spans] == ["Gerhard Przybylski"]


@pytest.mark.parametrize(
    "text",
    [
        "The Webril dressing was placed with Duragen and Viscoat.",
        "Judkins catheter advanced.",
        "Foramen of Magendie was patent.",
    ],
)
def test_the_guard_holds_it_in_check(text: str) -> None:
    """Products, devices, anatomy."""
    assert find(load_detector("rules+ner"), text) == []


def test_the_model_has_its_named_entities_alone() -> None:
    """Nothing else is loaded or run."""
    assert load_model().pipe_names == ["tok2vec", "ner"]
