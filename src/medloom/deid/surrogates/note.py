"""The surrogates of one note: which kind is replaced by what."""

import re
from collections.abc import Callable, Sequence

from medloom.deid.keys import Draw
from medloom.deid.spans import Kind
from medloom.deid.surrogates import ages, pools
from medloom.deid.surrogates.codes import Codes, squeezed
from medloom.deid.surrogates.dates import DateShift, offset_days
from medloom.deid.surrogates.people import People
from medloom.deid.surrogates.places import Places

_WORD = re.compile(r"[^\W\d_]+")


class NoteSurrogates:
    """Invents for one note. The same value gives the same surrogate in every note of the patient.

    Only where an invented name or number is itself an original in a note does that note get the next one.

    Args:
        draw: Draws for the note's patient.
        found: Every identifier of the note: kind, text, and the text just before it.
    """

    def __init__(self, draw: Draw, found: Sequence[tuple[Kind, str, str]]) -> None:
        words = frozenset(pools.fold(word) for _, text, _ in found for word in _WORD.findall(text))
        codes = Codes(draw, frozenset(squeezed(text) for _, text, _ in found))
        places = Places(draw, words, codes)
        self._people = People(draw, [(text, before) for kind, text, before in found if kind == "NAME"], words)
        dates = DateShift(offset_days(draw.number("offset")), [text for kind, text, _ in found if kind == "DATE"])
        self._by_kind: dict[Kind, Callable[[str], str | None]] = {
            "CITY": places.city,
            "ADDRESS": places.address,
            "HOSPITAL": places.organisation,
            "ORG": places.organisation,
            "DATE": dates.shifted,
            "AGE": ages.grouped,
            "PHONE": codes.phone,
            "FAX": codes.phone,
            "EMAIL": codes.email,
            "SSN": codes.ssn,
            "URL": codes.url,
            "IP": codes.ip,
        }
        self._otherwise = codes.code
        self._made: dict[tuple[Kind, str, str], str | None] = {}

    def of(self, kind: Kind, text: str, before: str) -> str | None:
        """The surrogate of an identifier; None where nothing of its kind and shape can be made.

        Args:
            kind: What it is.
            text: As written.
            before: The text just before it.
        """
        key = (kind, text, before if kind == "NAME" else "")
        if key not in self._made:
            self._made[key] = self._invented(kind, text, before)
        return self._made[key]

    def _invented(self, kind: Kind, text: str, before: str) -> str | None:
        if kind == "NAME":
            return self._people.replacement(text, before) or self._otherwise(text)
        new = self._by_kind.get(kind, self._otherwise)(text)
        return new or None
