"""What a detector finds: places of identifiers in a text, by kind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal[
    "NAME",
    "CITY",
    "ADDRESS",
    "ZIP",
    "HOSPITAL",
    "ORG",
    "DATE",
    "AGE",
    "PHONE",
    "FAX",
    "EMAIL",
    "SSN",
    "MRN",
    "PLAN",
    "ACCOUNT",
    "LICENSE",
    "VEHICLE",
    "DEVICE",
    "URL",
    "IP",
    "BIOMETRIC",
    "PHOTO",
    "OTHER",
]

SAFE_HARBOR: dict[Kind, str] = {
    "NAME": "A",
    "CITY": "B",
    "ADDRESS": "B",
    "ZIP": "B",
    "HOSPITAL": "B",
    "ORG": "B",
    "DATE": "C",
    "AGE": "C",
    "PHONE": "D",
    "FAX": "E",
    "EMAIL": "F",
    "SSN": "G",
    "MRN": "H",
    "PLAN": "I",
    "ACCOUNT": "J",
    "LICENSE": "K",
    "VEHICLE": "L",
    "DEVICE": "M",
    "URL": "N",
    "IP": "O",
    "BIOMETRIC": "P",
    "PHOTO": "Q",
    "OTHER": "R",
}
"""Of each kind, the item of HIPAA's Safe Harbor list that it falls under: 45 CFR 164.514(b)(2)(i)."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An identifier's place.

    Attributes:
        start: First character, counted from 0.
        end: One past the last character.
        kind: What it is.
    """

    start: int
    end: int
    kind: Kind


class Detector(Protocol):
    """Finds identifiers. Two calls with the same text give the same spans, whatever else was asked between."""

    name: str
    """What it is and its version, for marks and manifests: ``rules/1``, ``rules+ner/1``."""

    def find_many(self, notes: Iterable[Sequence[str]]) -> Iterable[list[list[Span]]]:
        """Find the identifiers of many notes, lazily and in order.

        Args:
            notes: Each the texts of one note (title, body, sections): a name found in one of them is found in all.

        Yields:
            For each note, for each of its texts, the spans in order, none overlapping.
        """


def find(detector: Detector, text: str) -> list[Span]:
    """The identifiers of a single text."""
    return next(iter(detector.find_many([[text]])))[0]
