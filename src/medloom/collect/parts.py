"""Parts of a collection: a Parquet file each, with the documents of some pages and the ids that were withdrawn."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medloom.artifacts import read_table, write_table
from medloom.collect.pages import Page, Reject
from medloom.records import Document

GONE = "\x00gone"
"""``source`` of a row that stands for a withdrawn document."""


@dataclass
class Buffer:
    """Pages that have been read and not yet written.

    Attributes:
        rows: Their documents, and a row for each withdrawn id, in order.
        documents: How many of the rows are documents.
        characters: Of their texts, roughly.
        rejects: Their rejects.
        counts: What they passed over.
        total: Records of the shard in all, as the last page says.
        pages: How many they are.
    """

    rows: list[Document] = field(default_factory=list)
    documents: int = 0
    characters: int = 0
    rejects: list[Reject] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    total: int | None = None
    pages: int = 0

    def add(self, page: Page) -> None:
        """Take in a page."""
        self.rows += [Document(id=identity, source=GONE) for identity in page.gone]
        self.rows += page.documents
        self.documents += len(page.documents)
        self.characters += sum(map(_characters, page.documents))
        self.rejects += page.rejects
        for name, n in page.counts.items():
            self.counts[name] = self.counts.get(name, 0) + n
        self.total = page.total if page.total is not None else self.total
        self.pages += 1


def write_part(path: Path, rows: Sequence[Document]) -> None:
    """Write a part through a temporary file, so that one of that name is whole."""
    temporary = path.with_name(path.name + ".tmp")
    write_table(temporary, rows, Document)
    with temporary.open("rb+") as f:
        os.fsync(f.fileno())
    temporary.replace(path)


def read_parts(paths: Sequence[Path]) -> Iterator[Document]:
    """The rows of parts, in order."""
    for path in paths:
        yield from read_table(path, Document)


def _characters(document: Document) -> int:
    return len(document.title) + len(document.text) + sum(len(s.text) for s in document.sections)
