"""Names that the gazetteer knows."""

import pytest

from medloom.deid.gazetteers import gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.page import read_page
from medloom.deid.rules.hits import to_spans
from medloom.deid.rules.people import people
from medloom.deid.rules.reading import Names

KNOWN = Names(lexicon(), gazetteer())


def found(text: str) -> list[str]:
    """What is taken for a name."""
    return [text[s.start : s.end] for s in to_spans(text, people(read_page(text), KNOWN))]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("options for Robert Brown with", "Robert Brown"),
        ("drug for Anna S., who", "Anna S."),
        ("and Anne-Marie B., who", "Anne-Marie B."),
        ("for Jane A. Doe seen", "Jane A. Doe"),
        ("JANET WHITAKER WAS SEEN", "JANET WHITAKER"),
        ("and Martinez, Carlos were", "Martinez, Carlos"),
        ("by K. Okafor today", "K. Okafor"),
        ("Then Janet was seen", "Janet"),
        ("as Ludwig van der Berg was", "Ludwig van der Berg"),
        ("Theodore Parkinson was", "Theodore Parkinson"),
    ],
)
def test_corroborated(text: str, name: str) -> None:
    """A first name beside a last name, an initial, a particle; a first name that is nothing else."""
    assert found(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Will May resume",
            "May Brown discharge",
            "Young White male",
            "Frank Pain noted",
            "Mark Long incision",
            "Miller Fisher variant",
        ),
        *(
            "Bruce protocol",
            "Thomas test",
            "Kelly clamp",
            "Allen test",
            "Russell bodies",
            "Charles Bonnet syndrome",
            "Vitamin K. Given",
        ),
        *(
            "Hepatitis B. Chronic",
            "MARK LEFT BREAST",
            "GRANT ROOM",
            "Tanner I female",
            "Val717Leu",
            "St. Jude valve",
            "Foley, Thomas splint",
        ),
    ],
)
def test_ambiguous_words_need_a_cue(text: str) -> None:
    """Ordinary words, eponyms, capitals everywhere."""
    assert found(text) == []
