"""Records as the rows that training draws its batches from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from medloom.records import TrainingRecord

if TYPE_CHECKING:
    from datasets import Dataset

ROW = "label"
"""Column with the number of the row; the loss gets it as its labels."""


@dataclass(frozen=True, slots=True)
class Row:
    """A query, one positive and its negatives.

    Attributes:
        query: The anchor.
        documents: The positive, then the negatives.
        task: Name of its set.
        source: Name of its source.
        document: The document or concept that the positive belongs to, unique over sources; empty if unknown.
    """

    query: str
    documents: tuple[str, ...]
    task: str
    source: str
    document: str


def rows_of(records: Iterable[TrainingRecord], positives: Literal["first", "all"]) -> list[Row]:
    """A row for each record's first positive, or for each positive."""
    return [
        Row(
            record.query,
            (positive, *record.negatives),
            record.task,
            record.source,
            f"{record.source}:{record.doc_id}" if record.doc_id else "",
        )
        for record in records
        for positive in (record.positives if positives == "all" else record.positives[:1])
    ]


def datasets_of_rows(rows: Sequence[Row], batches: Literal["set", "source", "mixed"]) -> "dict[str, Dataset]":
    """A data set for each part that batches are drawn from and each number of negatives, in a fixed order."""
    from datasets import Dataset

    columns: dict[tuple[str, int], dict[str, list[str | int]]] = {}
    for number, row in enumerate(rows):
        part = columns.setdefault((_part(row, batches), len(row.documents) - 1), {})
        part.setdefault("anchor", []).append(row.query)
        for place, text in enumerate(row.documents):
            part.setdefault(f"negative_{place}" if place else "positive", []).append(text)
        part.setdefault(ROW, []).append(number)
    return {f"{name}/{negatives}": Dataset.from_dict(part) for (name, negatives), part in sorted(columns.items())}


def _part(row: Row, batches: Literal["set", "source", "mixed"]) -> str:
    return {"set": row.task, "source": row.source, "mixed": "all"}[batches]


def keys_of(
    rows: Sequence[Row],
    records: Iterable[TrainingRecord],
    apart: Literal["texts", "positives", "documents"],
) -> list[frozenset[int]]:
    """What of each row may not stand in a batch twice.

    Args:
        rows: The rows.
        records: All that is known of what answers which query.
        apart: The rows' own texts; also all known positives of their query; also their document.
    """
    numbers: dict[tuple[str, str], int] = {}

    def number(kind: str, name: str) -> int:
        return numbers.setdefault((kind, name), len(numbers))

    known: dict[str, set[str]] = {}
    if apart != "texts":
        for record in records:
            known.setdefault(record.query, set()).update(record.positives)
    keys = []
    for row in rows:
        texts = {row.query, *row.documents, *known.get(row.query, ())}
        key = {number("text", text) for text in texts}
        if apart == "documents" and row.document:
            key.add(number("document", row.document))
        keys.append(frozenset(key))
    return keys
