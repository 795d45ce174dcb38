"""Conditions on facts: how they are written, and what they mean."""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from medloom.errors import SearchError
from medloom.search.records import Chunk, Condition, Filter, Operator

_WRITTEN = re.compile(r"(?P<name>[^=!<>]+?)\s*(?P<operator>!=|<=|>=|=|<|>)\s*(?P<values>.+)", re.DOTALL)
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,300}(?:\.\d+)?", re.ASCII)
_OPERATORS: Mapping[str, Operator] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_SECONDS = 86_400
OWN = ("source", "id", "group")
"""Facts that every chunk has."""


def parse_filter(written: Iterable[str]) -> Filter:
    """Conditions as a user writes them: ``source=pubmed|pmc``, ``specialty!=surgery``, ``date>=2020-01-01``.

    Raises:
        SearchError: One is no condition, or compares by size with what is neither a date nor a number.
    """
    return tuple(_parse(one) for one in written)


def _parse(written: str) -> Condition:
    found = _WRITTEN.fullmatch(written.strip())
    values = tuple(v for v in (part.strip() for part in found["values"].split("|")) if v) if found else ()
    if found is None or not values:
        raise SearchError("a filter is name=value, with =, !=, <, <=, > or >=, and | between values that will do")
    condition = Condition(found["name"].strip(), _OPERATORS[found["operator"]], values)
    check_condition(condition)
    return condition


def check_condition(condition: Condition) -> None:
    """Refuse a comparison by size with what has none.

    Raises:
        SearchError: A value is neither a date (2020, 2020-05, 2020-05-01) nor a number, or there is none.
    """
    if not condition.name or not condition.values:
        raise SearchError("a filter needs the name of a fact and at least one value")
    if condition.operator not in _OPERATORS:
        raise SearchError("a filter compares by =, !=, <, <=, > or >=")
    if condition.operator not in ("=", "!=") and any(not bounds(condition.operator, v) for v in condition.values):
        raise SearchError(
            f"the filter on {condition.name!r} compares by size: give a number, or a date as 2020, 2020-05 or 2020-05-01"
        )


def number_of(value: str) -> float | None:
    """A fact as a number; None if it is none."""
    return float(value) if _NUMBER.fullmatch(value) else None


def day_of(value: str) -> float | None:
    """A fact as a date or moment, in days since 0001-01-01, UTC; a month or year is its first day. None if it is none."""
    span = _days(value)
    if span is not None:
        return float(span[0])
    if len(value) < len("2020-01-01T00") or value[10] not in "T ":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - datetime(1, 1, 1, tzinfo=UTC)) / timedelta(seconds=_SECONDS) + 1


def _days(value: str) -> tuple[int, int] | None:
    """The first day of a written date, and the day after its last."""
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    try:
        first = date(year, month or 1, day or 1).toordinal()
        last = date(year, month or 12, day or monthrange(year, month or 12)[1]).toordinal()
    except (ValueError, IndexError):
        return None
    return first, last + 1


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison by size that a store can make.

    Attributes:
        days: Whether days are compared, not numbers.
        operator: How.
        value: With what.
    """

    days: bool
    operator: Operator
    value: float

    def holds(self, value: str) -> bool:
        """Whether it holds for a fact."""
        size = day_of(value) if self.days else number_of(value)
        return size is not None and _COMPARE[self.operator](size, self.value)


_COMPARE: Mapping[Operator, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def bounds(operator: Operator, value: str) -> list[Bound]:
    """What a comparison by size asks of numbers and of days; any one of them will do.

    A year or month is all of its days: ``<=2020`` takes in December 2020, ``>2020`` begins with 2021.
    """
    found: list[Bound] = []
    number = number_of(value)
    if number is not None:
        found.append(Bound(False, operator, number))
    span = _days(value)
    if span is not None:
        day = span[1] if operator in ("<=", ">") else span[0]
        found.append(Bound(True, "<" if operator in ("<", "<=") else ">=", float(day)))
    elif (moment := day_of(value)) is not None:
        found.append(Bound(True, operator, moment))
    return found


def facts_of(chunk: Chunk) -> dict[str, list[str]]:
    """Every fact of a chunk by name, its own (``source``, ``id``, ``group``) among them, values in order and once."""
    facts: dict[str, dict[str, None]] = {}
    for name, value in chunk.facts:
        if name not in OWN:
            facts.setdefault(name, {})[value] = None
    facts |= {"source": {chunk.source: None}, "id": {chunk.doc_id: None}, "group": {chunk.group: None}}
    return {name: list(values) for name, values in facts.items()}


def meets(chunk: Chunk, where: Filter) -> bool:
    """Whether a chunk meets all conditions. ``!=`` is also met by a chunk that lacks the fact."""
    facts = facts_of(chunk) if where else {}
    return all(_meets(facts.get(condition.name, []), condition) for condition in where)


def _meets(values: Sequence[str], condition: Condition) -> bool:
    if condition.operator == "=":
        return any(value in condition.values for value in values)
    if condition.operator == "!=":
        return all(value not in condition.values for value in values)
    wanted = [bound for value in condition.values for bound in bounds(condition.operator, value)]
    return any(bound.holds(value) for bound in wanted for value in values)
