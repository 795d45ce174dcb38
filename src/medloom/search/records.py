"""What indexing and searching speak: chunks that are found, conditions they must meet, and hits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
CATEGORY = "category"
"""Name under which a document's categories stand among its facts."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a document that is found as one.

    Attributes:
        id: UUID, the same for the same source, document and number.
        source: Name of the source.
        doc_id: The document, within its source.
        number: Of the chunk in its document, from 0.
        title: Of the document.
        heading: Of the section that the chunk is part of; empty if it has none.
        text: The stretch.
        part: Number of the section it stands in; -1 for the document's text.
        start: Where it begins, in characters of that section or text.
        end: Where it ends.
        group: What the document belongs to (patient, page, trial).
        facts: The document's metadata, and its categories as :data:`CATEGORY`: ordered by name, each once.
        digest: Hash of all that is embedded or shown: another one means that the chunk has changed.
        context: What the encoder sees before the text; None for title and heading in full.
    """

    id: str
    source: str
    doc_id: str
    number: int
    title: str
    heading: str
    text: str
    part: int
    start: int
    end: int
    group: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    context: str | None = None

    @property
    def embedded(self) -> str:
        """The text that the encoder sees: title and heading give a chunk its context."""
        head = heading_of(self.title, self.heading) if self.context is None else self.context
        return f"{head}\n{self.text}" if head else self.text


def heading_of(title: str, heading: str) -> str:
    """Title and heading in a line, whichever there are."""
    return " - ".join(part for part in (title, heading) if part)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a fact of a document must be.

    Attributes:
        name: Of the fact; ``source``, ``id`` and ``group`` are facts too.
        operator: How it compares. Dates and numbers compare by size, all else only for equality.
        values: Any one of them will do.
    """

    name: str
    operator: Operator
    values: tuple[str, ...]


Filter = tuple[Condition, ...]
"""Conditions that must all hold."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found.

    Attributes:
        chunk: It.
        score: What the results are ordered by, best first.
        parts: How it came about: rank (from 1) and score of each way of searching that found it.
        evidence: Start and end, in characters of the chunk's text, of the sentence that answers best; None if not asked for.
        further: How many further chunks of its document were among those that were looked at.
    """

    chunk: Chunk
    score: float
    parts: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    evidence: tuple[int, int] | None = None
    further: int = 0
