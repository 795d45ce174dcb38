"""Dates moved by a number of days and written as they were written."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Order = Literal["mdy", "dmy"]

OLDEST_AGE = 89
SMALLEST_SHIFT, LARGEST_SHIFT = 31, 334
"""Bounds of the offset in days: a month that stands alone always becomes another month."""
_NOW = 2026
_LAST_YEAR = 2250
_CENTURY_AHEAD = 10
_MID_MONTH, _MID_YEAR = 15, 7
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS = {"winter": 1, "spring": 4, "summer": 7, "autumn": 10, "fall": 10}
_ABBREVIATED = 3

_MON = (
    r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)(?![a-z])"
)
_MON_DIGIT = _MON.replace("(?![a-z])", "")
_D = r"(?P<d>\d{1,2})(?P<ord>st|nd|rd|th)?(?![a-z\d])"
_Y = r"(?P<y>'\d\d|’\d\d|\d{4})(?!\d)"
_FORMATS = (
    r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?!\d)",
    r"(?P<y>(?:19|20)\d\d)(?P<m>[01]\d)(?P<d>[0-3]\d)(?!\d)",
    r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d\d)(?!\d)",
    rf"(?P<d>\d\d?)(?P<join>[-/]?){_MON_DIGIT}(?P=join)(?P<y>\d{{4}}|\d\d)(?!\d)",
    rf"{_D}\s+(?:day\s+)?(?:of\s+)?{_MON}\.?(?:,?\s+(?:of\s+)?{_Y})?",
    rf"{_MON}\.?\s*{_D}(?:,?\s*{_Y})?",
    rf"{_MON}\.?,?\s*(?:of\s+)?{_Y}",
    _MON,
    r"(?P<m>\d{1,2})(?P<sep>[-/])(?P<y>\d{4})(?!\d)",
    r"(?P<y>\d{4})(?P<sep>[-/])(?P<m>\d\d)(?![-/\d])",
    r"(?P<a>\d{1,2})(?P<sep>/)(?P<b>\d{1,2})(?![/\d])",
    rf"(?P<season>{'|'.join(_SEASONS)})(?![a-z])(?:\s+(?:of\s+)?{_Y})?",
    r"(?P<weekday>mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
    r"(?![a-z])",
    r"(?P<y>(?:18|19|20)\d\d)(?![\da-z])",
)
_PATTERNS = tuple(re.compile(one, re.IGNORECASE) for one in _FORMATS)
_TIME = re.compile(
    r"(?:\s*(?:,|@|\bat\b|T(?=\d))\s*|\s+)?"
    r"(?:\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\s*[+-]\d\d:?\d\d(?!\d))?|(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?(?!\d))",
    re.IGNORECASE,
)
_LOOSE_TIME = re.compile(r"(?<!\d)\d{1,2}:\d\d(?::\d\d)?(?![\d:])")
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class _Found:
    """A date in a text: where, what it says, and the match that knows how it is written."""

    match: re.Match[str]
    year: int | None
    month: int | None
    day: int | None
    order: Order


class DateShift:
    """Moves the dates of one note.

    A date without a year is taken to be of the note's latest year, one without a day to be in the middle of its month. In
    which order ``10/12/2023`` is to be read is decided by what is possible, else by the note's other dates with that
    separator, then with any; else the month is first, as in the United States.

    Args:
        days: By how many days, later or (negative) earlier.
        texts: All dates of the note, as written.
    """

    def __init__(self, days: int, texts: Iterable[str]) -> None:
        self._days = days
        self._seen: Counter[tuple[str, Order]] = Counter()
        years: list[int] = []
        fields: list[str] = []
        for text in texts:
            for match in _matches(text):
                groups = match.groupdict()
                if len(groups.get("y") or "") == len("2023"):
                    years.append(int(groups["y"]))
                possible = _possible(groups)
                if groups.get("a") and len(possible) == 1:
                    self._seen[groups["sep"], possible[0]] += 1
                fields += [groups[k] for k in "ab" if groups.get(k)]
        self._year_told = max((y for y in years if y <= _LAST_YEAR), default=_NOW)
        self._latest = max(self._year_told, _NOW)
        self._pads = any(f.startswith("0") for f in fields) or not any(len(f) == 1 for f in fields)

    def shifted(self, text: str) -> str | None:
        """The date, or dates, of a text in its own format; None if it has none, an impossible one, or unread digits.

        Also None where the year says that someone is over 89: the note's latest year, or that of this program if it is
        later, less the date's.
        """
        pieces, rest, at = [], [], 0
        for match in _matches(text):
            found = self._read(match)
            if found is None or self._tells_age(found):
                return None
            written = self._written(found)
            if written is None:
                return None
            between = text[at : match.start()]
            rest.append(between)
            pieces += [between, written]
            at = match.end()
            if found.year is not None and (time := _TIME.match(text, at)):
                pieces.append(time[0])
                at = time.end()
        rest.append(text[at:])
        if not pieces or any(c.isdigit() for c in _LOOSE_TIME.sub("", "\n".join(rest))):
            return None
        return "".join(pieces) + text[at:]

    def _read(self, match: re.Match[str]) -> _Found | None:
        groups = match.groupdict()
        year = self._year(groups.get("y"))
        order: Order = "mdy"
        month, day = _month(groups), int(groups["d"]) if groups.get("d") else None
        if groups.get("a"):
            possible = _possible(groups)
            if not possible:
                return None
            order = possible[0] if len(possible) == 1 else self._usual(groups["sep"])
            first, second = int(groups["a"]), int(groups["b"])
            month, day = (first, second) if order == "mdy" else (second, first)
        found = _Found(match, year, month, day, order)
        return found if groups.get("weekday") or self._date(found) else None

    def _year(self, written: str | None) -> int | None:
        if not written:
            return None
        digits = int(written.lstrip("'’"))
        if len(written) == len("2023"):
            return digits
        return 2000 + digits if 2000 + digits <= self._latest + _CENTURY_AHEAD else 1900 + digits

    def _usual(self, separator: str) -> Order:
        for separators in ({separator}, {sep for sep, _ in self._seen}):
            first, second = (sum(self._seen[sep, order] for sep in separators) for order in ("mdy", "dmy"))
            if first != second:
                return "mdy" if first > second else "dmy"
        return "mdy"

    def _date(self, found: _Found) -> date | None:
        year = found.year if found.year is not None else self._year_told
        if found.year is None and (found.month, found.day) == (2, 29):
            year -= next(back for back in range(9) if _exists(year - back, 2, 29))
        month = found.month or _MID_YEAR
        day = found.day if found.day is not None else (_MID_MONTH if found.month else 1)
        return date(year, month, day) if _exists(year, month, day) else None

    def _tells_age(self, found: _Found) -> bool:
        return found.year is not None and self._latest - found.year > OLDEST_AGE

    def _written(self, found: _Found) -> str | None:
        """The moved date in the match's own format."""
        if weekday := found.match.groupdict().get("weekday"):
            return _weekday(weekday, self._days)
        old = self._date(found)
        try:
            new = old + timedelta(self._days) if old else None
        except OverflowError:
            new = None
        return _rewritten(found, new, self._pads) if new else None


def offset_days(number: int) -> int:
    """A drawn number as an offset: 31 to 334 days, later or earlier."""
    width = LARGEST_SHIFT - SMALLEST_SHIFT + 1
    days = SMALLEST_SHIFT + number // 2 % width
    return days if number % 2 else -days


def ordinal(number: int) -> str:
    """The ending of an ordinal number: st, nd, rd or th."""
    return "th" if 10 < number % 100 < 14 else _ORDINALS.get(number % 10, "th")


def _matches(text: str) -> Iterator[re.Match[str]]:
    """The dates in a text, from left to right, none overlapping."""
    at = 0
    while at < len(text):
        if text[at].isalnum() and (at == 0 or not text[at - 1].isalnum()):
            match = next((found for pattern in _PATTERNS if (found := pattern.match(text, at))), None)
            if match is not None:
                yield match
                at = match.end()
                time = _TIME.match(text, at) if match.groupdict().get("y") else None
                at = time.end() if time else at
                continue
        at += 1


def _possible(groups: dict[str, str]) -> list[Order]:
    """The orders in which two numbers can be month and day."""
    if not groups.get("a"):
        return []
    a, b, year = int(groups["a"]), int(groups["b"]), groups.get("y")
    known = int(year) + (2000 if len(year) == len("23") else 0) if year else 2024
    return [order for order, month, day in (("mdy", a, b), ("dmy", b, a)) if _exists(known, month, day)]  # type: ignore[misc]


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _month(groups: dict[str, str]) -> int | None:
    if name := groups.get("mon"):
        return next(n for n, month in enumerate(_MONTHS, 1) if month.startswith(name.casefold()[:_ABBREVIATED]))
    if season := groups.get("season"):
        return _SEASONS[season.casefold()]
    return int(groups["m"]) if groups.get("m") else None


def _rewritten(found: _Found, new: date, pads: bool) -> str:
    """The match's text with every part of the date changed in place."""
    match, groups = found.match, found.match.groupdict()
    padded = _padded(groups, pads)
    number = {"m": new.month, "d": new.day, "a": new.month, "b": new.day}
    if found.order == "dmy":
        number |= {"a": new.day, "b": new.month}
    changes = [(match.span(k), f"{v:02}" if padded else str(v)) for k, v in number.items() if groups.get(k)]
    if year := groups.get("y"):
        text = f"{new.year:04}" if len(year) == len("2023") and year[0].isdigit() else f"{new.year % 100:02}"
        changes.append((match.span("y"), (year[0] if not year[0].isdigit() else "") + text))
    if name := groups.get("mon"):
        short = _is_short(match, name)
        changes.append((match.span("mon"), _cased(_month_name(new.month, name, short), name)))
    if season := groups.get("season"):
        changes.append((match.span("season"), _cased(_season(new.month, season), season)))
    if ending := groups.get("ord"):
        changes.append((match.span("ord"), _cased(ordinal(new.day), ending)))
    text, start = match[0], match.start()
    for (first, last), value in sorted(changes, reverse=True):
        text = text[: first - start] + value + text[last - start :]
    return text


def _padded(groups: dict[str, str], usual: bool) -> bool:
    """Whether days and months are written with two digits; where the date itself does not tell, as usual in the note."""
    fields = [groups[k] for k in "mdab" if groups.get(k)]
    if any(field[0] == "0" for field in fields):
        return True
    if any(len(field) == 1 for field in fields):
        return False
    return groups.get("join") is not None if groups.get("mon") else usual or not groups.get("a")


def _is_short(match: re.Match[str], name: str) -> bool:
    """Whether a month's name is cut short; of "May" the rest of the date must tell."""
    if name.casefold() == "may":
        after = match.string[match.end("mon") : match.end("mon") + 1]
        return after == "." or match.groupdict().get("join") is not None
    return len(name) <= len("sept") and name.casefold() not in _MONTHS


def _month_name(month: int, like: str, short: bool) -> str:
    full = _MONTHS[month - 1]
    if not short:
        return full
    return "sept" if month == 9 and len(like) == len("sept") else full[:_ABBREVIATED]


def _season(month: int, like: str) -> str:
    season = next(name for name, middle in _SEASONS.items() if (month - middle) % 12 in (11, 0, 1))
    return "fall" if season == "autumn" and like.casefold() != "autumn" else season


def _weekday(name: str, days: int) -> str:
    at = next(n for n, day in enumerate(_DAYS) if day.startswith(name.casefold()[:_ABBREVIATED]))
    full = _DAYS[(at + days) % 7]
    return _cased(full if name.casefold() in _DAYS else full[:_ABBREVIATED], name)


def _cased(text: str, like: str) -> str:
    """A lower-case text in the case of another."""
    if like.isupper():
        return text.upper()
    return text.capitalize() if like[0].isupper() else text
