"""Ages over 89: the number alone."""

import pytest

from medloom.deid.page import read_page
from medloom.deid.rules.ages import ages


def found(text: str) -> set[str]:
    """What is taken for an age."""
    return {text[h.start : h.end] for h in ages(read_page(text))}


@pytest.mark.parametrize(
    ("text", "age"),
    [
        *(
            ("Pt is 94-year-old", "94"),
            ("a 92 y/o man", "92"),
            ("95yo woman", "95"),
            ("99 y.o. male", "99"),
            ("died at age 93", "93"),
            ("aged 101", "101"),
        ),
        *(
            ("AGE: 90", "90"),
            ("mother died at 97", "97"),
            ("a 91F with", "91"),
            ("ninety-four-year-old", "ninety-four"),
            ("93 years of age", "93"),
        ),
        *(("at the age of 96", "96"), ("102 yr old", "102"), ("her father is 95.", "95"), ("94M with", "94")),
    ],
)
def test_ages(text: str, age: str) -> None:
    """Only the digits or the words of the number."""
    assert found(text) == {age}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "an 89-year-old",
            "aged 45",
            "for 90 minutes",
            "HR 96, RR 18",
            "SpO2 94%",
            "weighs 95 kg",
            "T 98 F",
            "99F today",
            "T 98.6 F",
            "BP 190/95",
        ),
        *("father is 95 kg", "1990 years old wall", "room 94", "pulse was 92", "died at 93% saturation"),
    ],
)
def test_no_ages(text: str) -> None:
    """Younger people, vitals, weights."""
    assert found(text) == set()
