"""The page on which a person looks over what was found and what was not: one HTML file that asks nothing of the network.

It holds the notes as they were. It is written on request only, and belongs where the notes belong.
"""

import base64
import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medloom.deid.replace import PartSpans, texts_of
from medloom.deid.spans import SAFE_HARBOR
from medloom.identity import text_hash
from medloom.records import Document

LONGEST_NOTE = 50_000
"""Characters of one note that are shown."""
_NAMES = {
    "A": "Names",
    "B": "Places smaller than a state",
    "C": "Dates, and ages over 89",
    "D": "Telephone numbers",
    "E": "Fax numbers",
    "F": "E-mail addresses",
    "G": "Social security numbers",
    "H": "Medical record numbers",
    "I": "Health plan numbers",
    "J": "Account numbers",
    "K": "Certificate and licence numbers",
    "L": "Vehicles and plates",
    "M": "Devices and serial numbers",
    "N": "Web addresses",
    "O": "IP addresses",
    "P": "Biometric identifiers",
    "Q": "Photographs of the face",
    "R": "Any other identifying number or code",
}
_FAMILIES = {"A": "name", "B": "place", "C": "date", "P": "other", "Q": "other", "R": "other"} | {
    **dict.fromkeys("DEFNO", "contact"),
    **dict.fromkeys("GHIJKLM", "number"),
}


@dataclass(frozen=True)
class Piece:
    """A stretch of text: as it was, or an identifier with what took its place.

    Attributes:
        text: The original.
        kind: Of an identifier; empty for other text.
        family: Names the colour.
        new: The replacement.
    """

    text: str
    kind: str = ""
    family: str = ""
    new: str = ""


@dataclass(frozen=True)
class ShownNote:
    """A note of the page.

    Attributes:
        id: Its id in the source.
        parts: Name and pieces of each of its texts.
        kinds: What was found in it.
        hidden: Characters that are not shown.
    """

    id: str
    parts: tuple[tuple[str, tuple[Piece, ...]], ...]
    kinds: tuple[str, ...]
    hidden: int


@dataclass(frozen=True)
class KindRow:
    """A kind of identifier: what Safe Harbor calls it, and how often it was found."""

    kind: str
    letter: str
    name: str
    family: str
    count: int


class AuditSample:
    """Keeps a number of notes, drawn by seed and id, whatever their order.

    Args:
        limit: How many at most.
        seed: Of the draw.
    """

    def __init__(self, limit: int, seed: int = 0) -> None:
        self._limit = limit
        self._seed = seed
        self._kept: list[tuple[int, int, Document, list[PartSpans]]] = []
        self._added = 0

    def add(self, document: Document, found: list[PartSpans]) -> None:
        """Offer a note, as it was, with what was found in it."""
        self._added += 1
        rank = -int.from_bytes(text_hash(f"{self._seed}:{document.id}"), "big")
        heapq.heappush(self._kept, (rank, self._added, document, found))
        if len(self._kept) > self._limit:
            heapq.heappop(self._kept)

    def notes(self) -> list[tuple[Document, list[PartSpans]]]:
        """The notes drawn, in the order in which they came."""
        return [(document, found) for _, _, document, found in sorted(self._kept, key=lambda one: one[1])]


def render_audit(notes: Sequence[tuple[Document, list[PartSpans]]], counts: Mapping[str, int], total: int, mark: str) -> str:
    """The page.

    Args:
        notes: Documents as they were, with what was found in them.
        counts: Identifiers found in all documents, by kind.
        total: All documents.
        mark: Policy, method and detector.

    Returns:
        HTML whose content security policy forbids every request, and every script but its own. Texts are escaped.
    """
    package = "medloom.deid"
    own = {name: files(package).joinpath(name).read_text("utf-8") for name in ("audit.css", "audit.js")}
    env = Environment(
        loader=PackageLoader(package, ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return env.get_template("audit.html.j2").render(
        css=Markup(own["audit.css"]),
        script=Markup(own["audit.js"]),
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(own["audit.js"].encode()).digest()).decode("ascii"),
        notes=[_shown(document, found) for document, found in notes],
        kinds=kind_rows(counts),
        total=total,
        mark=mark,
    )


def kind_rows(counts: Mapping[str, int]) -> list[KindRow]:
    """Every kind of identifier with Safe Harbor's item, in its order, those not found with 0."""
    return [
        KindRow(kind, letter, _NAMES[letter], _FAMILIES[letter], counts.get(kind, 0)) for kind, letter in SAFE_HARBOR.items()
    ]


def _shown(document: Document, found: Iterable[PartSpans]) -> ShownNote:
    by_part = {part.part: part for part in found}
    room = LONGEST_NOTE
    parts, hidden = [], 0
    for name, text in texts_of(document):
        shown = text[: max(0, room)]
        room -= len(shown)
        hidden += len(text) - len(shown)
        if shown:
            parts.append((name, tuple(_pieces(shown, by_part.get(name)))))
    kinds = sorted({piece.kind for _, pieces in parts for piece in pieces if piece.kind})
    return ShownNote(document.id, tuple(parts), tuple(kinds), hidden)


def _pieces(text: str, found: PartSpans | None) -> Iterable[Piece]:
    at = 0
    for span, new in zip(found.spans, found.replacements, strict=True) if found else ():
        if span.end > len(text):
            break
        if span.start > at:
            yield Piece(text[at : span.start])
        yield Piece(text[span.start : span.end], span.kind, _FAMILIES[SAFE_HARBOR[span.kind]], new)
        at = span.end
    if at < len(text):
        yield Piece(text[at:])
