"""Dates in every form, and fractions that are none."""

import pytest

from medloom.deid.page import read_page
from medloom.deid.rules.dates import dates
from medloom.deid.rules.hits import to_spans


def found(text: str) -> list[str]:
    """What is taken for a date."""
    return [text[s.start : s.end] for s in to_spans(text, dates(read_page(text)))]


@pytest.mark.parametrize(
    "date",
    [
        *(
            "October 12th, 2023",
            "Oct 12 2023",
            "Oct. 12, '23",
            "12 October 2023",
            "12-Oct-2023",
            "12/Oct/23",
            "01JAN2023",
            "the 19th of December",
        ),
        *(
            "2023-10-12",
            "2023/10/12",
            "2023-10-12T03:35:01Z",
            "20231012",
            "10/12/2023",
            "12.10.2023",
            "10-12-2023",
            "10/12/23",
            "08/01/2025 03:35",
        ),
        *(
            "10/2023",
            "2023-08",
            "March of 2002",
            "October 2023",
            "2023 Oct 12",
            "Monday, March 3",
            "Thursday, 06/12/2008",
            "June 5 to 7, 2020",
        ),
        *(
            "3/1-3/5/2021",
            "April 25th",
            "Feb 22, 2024 at 5 pm",
            "may 5, 2021",
            "fall of 2019",
            "January this year",
            "07-Feb-'61",
            "1/5/93",
        ),
    ],
)
def test_forms(date: str) -> None:
    """The whole date and nothing else, with punctuation around it left."""
    assert found(f"He came {date}.") == [date]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Seen in clinic 8/2 by him", "8/2"),
        ("back pain since 12/1", "12/1"),
        ("CT on 4/12 was clear", "4/12"),
        ("PSA October were reviewed", "October"),
        ("due in July.", "July"),
        ("since May he", "May"),
        ("seen last December?", "last December"),
        ("returned on the 19th, then", "the 19th"),
        ("admitted on Christmas Day 2020", "Christmas Day 2020"),
        ("born in 1921", "1921"),
        ("3/12, 4/15 and 5/20/2021", "3/12"),
        ("in 2021-12 he", "2021-12"),
    ],
)
def test_words_around_tell(text: str, date: str) -> None:
    """Two numbers, a month alone, a day alone."""
    assert date in found(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "in 2011",
            "since 1998 and 2007",
            "pain 7/10, improved to 3/10",
            "strength 4/5 and 5/5",
            "2/6 systolic murmur",
            "1/2 tablet",
            "BP 142/88",
        ),
        *(
            "lasted 3-4 days",
            "1-0-1 dosing",
            "7.31",
            "12.5.1",
            "L4-L5",
            "24/7",
            "12/80 nodes",
            "GCS 14/15",
            "MMSE 28/30",
            "vision 20/20",
            "10/20 mg",
        ),
        *(
            "She may resume diet",
            "March in place",
            "May have pain",
            "may 10 mg",
            "over 60 may benefit",
            "last week",
            "last Tuesday",
            "Monday",
        ),
        *(
            "summer and fall",
            "FALL RISK",
            "90 days",
            "oct scan",
            "OCT showed",
            "measured by OCT.",
            "carbidopa-levodopa 25/100",
            "age 12 may",
            "SUN exposure",
        ),
        *(
            "less than or equal to 5/10",
            "pH 7.50-7.55",
            "ratio 3/4",
            "sep",
            "dec 2"[:3],
            "A-dec 2 tablets",
            "Dr. April Jones"[4:],
        ),
    ],
)
def test_no_dates(text: str) -> None:
    """Years, fractions, durations, verbs."""
    assert found(text) == []
