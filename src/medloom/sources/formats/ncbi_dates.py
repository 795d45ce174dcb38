"""Dates as PubMed and JATS write them, in the form of ISO 8601, as exact as they are given."""

import re
from typing import TYPE_CHECKING

from medloom.text.inline import name_of
from medloom.text.normalise import one_line

if TYPE_CHECKING:
    from lxml import etree

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: n for n, name in enumerate(_NAMES, start=1)}
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_MONTH = re.compile(r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\b(?:\s+(\d{1,2})(?!\d))?")
_ISO = re.compile(r"\s*((?:1[5-9]|20)\d\d)-(\d\d)(?:-(\d\d))?(?!\d)")


def date_of(element: "etree._Element | None") -> str:
    """The date in the children ``Year``, ``Month`` and ``Day`` (in any case), or in ``MedlineDate``; empty if there is none.

    A month may be a number or a name. Seasons, and the ends of ranges, are left out.
    """
    if element is None:
        return ""
    found = {name_of(child).casefold(): one_line(child.text or "") for child in element}
    if "medlinedate" in found:
        return date_in(found["medlinedate"])
    year = found.get("year", "")
    return iso_date(year, found.get("month", ""), found.get("day", "")) if _YEAR.fullmatch(year) else date_in(year)


def date_in(text: str) -> str:
    """The first date of a text such as ``2019 Nov-Dec``, ``1998 Winter`` or ``2000 Dec 23-30``; empty if there is none."""
    if iso := _ISO.match(text):
        return iso_date(iso[1], iso[2], iso[3] or "")
    year = _YEAR.search(text)
    if year is None:
        return ""
    month = _MONTH.search(text)
    return iso_date(year.group(), month[1] if month else "", (month[2] or "") if month else "")


def iso_date(year: str, month: str, day: str) -> str:
    """Year, month and day as far as they are given and can be."""
    number = int(month) if month.isdecimal() else _MONTHS.get(month[:3].casefold(), 0)
    if not 1 <= number <= 12:
        return year
    if not day.isdecimal() or not 1 <= int(day) <= 31:
        return f"{year}-{number:02}"
    return f"{year}-{number:02}-{int(day):02}"
