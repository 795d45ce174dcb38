"""Stays in hospital: after how long the same patient came back."""

from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.errors import RowError, SourceError
from medloom.sources.formats import readers

_COLUMNS = ("subject_id", "hadm_id", "admittime", "dischtime", "deathtime")
_EPOCH = datetime(2000, 1, 1)
_MINUTE = timedelta(minutes=1)
_MINUTES_A_DAY = 24 * 60
_NEVER = np.iinfo(np.int64).max
_MAX_CHARS = 100_000

Minutes = npt.NDArray[np.int64]


class Stays:
    """The time from each stay's end to the start of the patient's next stay, for all stays of MIMIC-IV's ``admissions``.

    Held are 12 bytes a stay. The rules:

    - The next stay is the first that begins after this one's end, however soon, with or without a note. One that begins at
      the very minute of the end, or before it, and ends later is a transfer: the patient has not left, so nothing counts as
      coming back after the first of the two.
    - After a death in hospital nobody comes back. Stays that begin at or after the patient's time of death (accounts for
      organ donors) count for nothing.
    - A stay without a time of discharge, or with one before its admission, is followed by nothing.

    Args:
        path: ``admissions.csv`` or ``admissions.csv.gz``.

    Raises:
        SourceError: It is no such table.
        RowError: A row of it has no number or time where there must be one.
    """

    def __init__(self, path: Path) -> None:
        rows = np.frombuffer(_numbers(path), dtype=np.int64).reshape(-1, len(_COLUMNS))
        rows = rows[np.lexsort((rows[:, 1], rows[:, 2], rows[:, 0]))]
        days = np.full(len(rows), np.nan, dtype=np.float32)
        for first, last in pairwise([*np.flatnonzero(np.diff(rows[:, 0], prepend=-1)), len(rows)]):
            if last - first > 1:
                days[first:last] = _gaps(rows[first:last, 2], rows[first:last, 3], rows[first:last, 4])
        order = np.argsort(rows[:, 1], kind="stable")
        self._ids, self._days = rows[order, 1], days[order]

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, stay: int) -> bool:
        place = int(np.searchsorted(self._ids, stay))
        return place < len(self._ids) and int(self._ids[place]) == stay

    def days_to_next(self, stay: int) -> float | None:
        """Days, with fractions, from the stay's end to the start of the next; None if there is none that counts."""
        if stay not in self:
            return None
        days = float(self._days[np.searchsorted(self._ids, stay)])
        return None if np.isnan(days) else days


def _gaps(begins: Minutes, ends: Minutes, deaths: Minutes) -> Sequence[float]:
    """Days to the next stay of one patient's stays, in the order of their beginnings; nan where there is none."""
    death = int(deaths.min())
    latest = list(accumulate(np.where(ends == _NEVER, begins, ends).tolist(), max))
    found = []
    for begin, end, died in zip(begins.tolist(), ends.tolist(), deaths.tolist(), strict=True):
        after = int(np.searchsorted(begins, end, side="right"))
        days = float("nan")
        if begin <= end != _NEVER and died == _NEVER and latest[after - 1] <= end and after < len(begins):
            following = int(begins[after])
            days = (following - end) / _MINUTES_A_DAY if following < death else days
        found.append(days)
    return found


def _numbers(path: Path) -> "array[int]":
    """Patient, stay, and minutes of admission, discharge and death of every row; what is absent never comes."""
    numbers = array("q")
    for where, row, _ in readers.read(path, _MAX_CHARS):
        if isinstance(row, RowError):
            raise row
        if not numbers and (missing := [name for name in _COLUMNS if name not in row]):
            raise SourceError(f"{path} has no column {missing[0]!r}: give admissions.csv.gz of MIMIC-IV's folder hosp")
        numbers.extend(_row(row, where))
    if not numbers:
        raise SourceError(f"{path} holds no rows: fetch it again")
    return numbers


def _row(row: dict[str, Any], where: str) -> Iterator[int]:
    for name in _COLUMNS[:2]:
        if not row[name].isdecimal():
            raise RowError(where, f"column {name!r} holds no whole number")
        yield int(row[name])
    if not row["admittime"]:
        raise RowError(where, "column 'admittime' is empty")
    died = row["deathtime"] or (row["dischtime"] if row.get("hospital_expire_flag") == "1" else "")
    for name, value in (("admittime", row["admittime"]), ("dischtime", row["dischtime"]), ("deathtime", died)):
        try:
            yield (datetime.fromisoformat(value) - _EPOCH) // _MINUTE if value else _NEVER
        except (ValueError, TypeError):
            raise RowError(where, f"column {name!r} holds no time of the form 2180-05-06 22:23:00") from None
