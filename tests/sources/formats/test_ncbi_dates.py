"""Dates as PubMed and JATS write them."""

import pytest
from lxml import etree

from medloom.sources.formats.ncbi_dates import date_in, date_of


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2019 Nov-Dec", "2019-11"),
        ("1998 Winter", "1998"),
        ("2000 Dec 23-30", "2000-12-23"),
        ("1999-2000", "1999"),
        ("Spring 2001", "2001"),
        ("2001 Sept 3", "2001-09-03"),
        ("2024-02-02 11:22:33.456", "2024-02-02"),
        ("2024-02", "2024-02"),
        ("1984 Mar 31-Apr 6", "1984-03-31"),
        ("no year", ""),
        ("12345", ""),
    ],
)
def test_first_date_of_a_text(text: str, date: str) -> None:
    assert date_in(text) == date


@pytest.mark.parametrize(
    ("inner", "date"),
    [
        ("<Year>2020</Year><Month>Feb</Month><Day>9</Day>", "2020-02-09"),
        ("<Year>2020</Year><Month>02</Month>", "2020-02"),
        ("<Year>2020</Year><Season>Winter</Season>", "2020"),
        ("<Year>2020</Year><Month>13</Month><Day>1</Day>", "2020"),
        ("<Year>2020</Year><Month>1</Month><Day>32</Day>", "2020-01"),
        ("<day>3</day><month>11</month><year>2021</year>", "2021-11-03"),
        ("<MedlineDate>1976-1977 Winter</MedlineDate>", "1976"),
        ("<Year>2020-2021</Year>", "2020"),
        ("", ""),
    ],
)
def test_dates_in_elements(inner: str, date: str) -> None:
    assert date_of(etree.fromstring(f"<d>{inner}</d>")) == date


def test_no_element_has_no_date() -> None:
    assert date_of(None) == ""
