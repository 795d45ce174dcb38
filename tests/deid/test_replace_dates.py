"""Dates: moved by one offset, written as they were."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.deid.surrogates.dates import DateShift, offset_days


def _shifted(text: str, days: int, *others: str) -> str | None:
    return DateShift(days, [text, *others]).shifted(text)


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("10/12/2023", "01/20/2024"),
        ("3/4/2023", "6/12/2023"),
        ("12/31/23", "04/09/24"),
        ("October 12th, 2023", "January 20th, 2024"),
        ("OCTOBER 3RD", "JANUARY 11TH"),
        ("Sept. 5, 2023", "Dec. 14, 2023"),
        ("Jan 20th '23", "Apr 30th '23"),
        ("12 October 2023", "20 January 2024"),
        ("the 12th of December", "the 22nd of March"),
        ("5th day of May 2024", "13th day of August 2024"),
        ("2024-05-05T18:37:28", "2024-08-13T18:37:28"),
        ("2023-01-02T03:04:05.123+01:00", "2023-04-12T03:04:05.123+01:00"),
        ("01/05/2024 06:47", "04/14/2024 06:47"),
        ("01/05/2024 0647 hrs", "04/14/2024 0647 hrs"),
        ("12/25/2024 at 5:30 pm", "04/04/2025 at 5:30 pm"),
        ("01JAN2023", "11APR2023"),
        ("05-May-2023", "13-Aug-2023"),
        ("20240727", "20241104"),
        ("13.04.2024", "22.07.2024"),
        ("10/2025", "01/2026"),
        ("2024-07", "2024-10"),
        ("October 2025", "January 2026"),
        ("July 22", "October 30"),
        ("June", "September"),
        ("last December", "last March"),
        ("spring 2022", "summer 2022"),
        ("fall of 2023", "winter of 2024"),
        ("01/02/2023 - 03/04/2023", "04/12/2023 - 06/12/2023"),
        ("Friday, March 1, 2024", "Sunday, June 9, 2024"),
    ],
)
def test_a_date_keeps_its_format(text: str, new: str) -> None:
    assert _shifted(text, 100) == new


@pytest.mark.parametrize(
    "text",
    ["02/30/2024", "02/29/2023", "13/13/2024", "00/12/2023", "31 April 2024", "9999-12-31", "the 12th", "March 3-5, 2023"],
)
def test_what_is_no_date_or_not_understood_is_not_kept(text: str) -> None:
    assert _shifted(text, 100) is None


@pytest.mark.parametrize("text", ["last week", "yesterday", "", "patient"])
def test_words_without_a_date_have_no_counterpart(text: str) -> None:
    assert _shifted(text, 100) is None


def test_leap_days_and_ends_of_years() -> None:
    assert _shifted("02/28/2024", 366) == "02/28/2025"
    assert _shifted("02/28/2023", 366) == "02/29/2024"
    assert _shifted("02/29/2024", -60) == "12/31/2023"
    assert _shifted("Feb 29", 1, "2023-05-05") == "Mar 1"
    assert _shifted("12/31/1999", 1) == "01/01/2000"


@pytest.mark.parametrize(
    ("others", "new"),
    [
        ((), "04/14/2024"),  # nothing tells: month first
        (("13/02/2024",), "09/08/2024"),  # day first elsewhere: the 1st of May
        (("02/13/2024",), "04/14/2024"),
        (("13.02.2024",), "09/08/2024"),  # with another separator
        (("13.02.2024", "02/13/2024"), "04/14/2024"),  # the same separator has the say
        (("13/02/2024", "14/02/2024", "02/15/2024"), "09/08/2024"),  # most of them
    ],
)
def test_the_order_of_day_and_month_is_taken_from_the_other_dates(others: tuple[str, ...], new: str) -> None:
    assert _shifted("01/05/2024", 100, *others) == new


def test_single_digits_are_written_as_elsewhere_in_the_note() -> None:
    assert _shifted("10/12/2023", -100) == "07/04/2023"
    assert _shifted("10/12/2023", -100, "3/4/2023") == "7/4/2023"


@pytest.mark.parametrize(
    ("text", "others", "kept"),
    [
        ("03/04/1920", (), False),
        ("1931", (), False),
        ("03/04/1960", (), True),
        ("03/04/2020", ("03/04/2111",), False),  # notes moved into the future, as MIMIC's are
        ("03/04/2030", ("03/04/2111",), True),
        ("03/04/1960", ("12/31/9999",), True),  # a date for "never" is not the present
    ],
)
def test_a_year_that_tells_an_age_over_89_is_not_kept(text: str, others: tuple[str, ...], kept: bool) -> None:
    assert (_shifted(text, 100, *others) is not None) is kept


FORMATS = ("%m/%d/%Y", "%Y-%m-%d", "%d-%b-%Y", "%B %d, %Y", "%d%b%Y", "%Y%m%d")


@given(
    st.dates(date(1950, 1, 1), date(2030, 12, 31)),
    st.integers(0, 2000),
    st.integers(0, 2**64 - 1),
    st.sampled_from(FORMATS),
)
def test_intervals_are_exact(first: date, gap: int, number: int, style: str) -> None:
    from datetime import datetime

    second = first + timedelta(gap)
    texts = [first.strftime(style), second.strftime(style)]
    shift = DateShift(offset_days(number), texts)
    new = [datetime.strptime(shift.shifted(text) or "", style).date() for text in texts]
    if second.year - first.year < 80:
        assert new[1] - new[0] == timedelta(gap)
        assert new[0] - first == timedelta(offset_days(number))


@given(st.integers(0, 2**64 - 1))
def test_the_offset_is_never_so_small_that_a_month_stays(number: int) -> None:
    days = offset_days(number)
    assert 31 <= abs(days) <= 334
    for month in ("January", "March", "October"):
        assert _shifted(month, days) not in (None, month)


def test_offsets_go_both_ways_and_reach_their_bounds() -> None:
    assert {offset_days(n) for n in range(1000)} == {*range(31, 335), *range(-334, -30)}


@pytest.mark.parametrize("text", ["1/" * 20_000, "9" * 50_000, "January " * 5_000, "12:" * 20_000, " " * 50_000 + "1"])
def test_long_hostile_lines_take_linear_time(text: str) -> None:
    import time

    started = time.process_time()
    DateShift(100, [text]).shifted(text)
    assert time.process_time() - started < 2
