"""Which documents an index holds, and how far the writing has come: one SQLite file, so that a kill loses nothing."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medloom.database import open_database, sqlite_errors

JOURNAL = "journal.sqlite"
_APPLICATION = 0x6D6C7378
_VERSION = 1
_TABLES = """
CREATE TABLE info (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
  source TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, chunks INTEGER NOT NULL, round INTEGER NOT NULL,
  PRIMARY KEY (source, id)
) WITHOUT ROWID;
CREATE INDEX documents_by_round ON documents (round)
"""
_PAGE = 500
Key = tuple[str, str]
"""Source and id of a document."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a document.

    Attributes:
        digest: Of what the index holds of it; empty while it is being written.
        chunks: How many the store may hold of it.
        round: Number of the last command that came upon it.
    """

    digest: str
    chunks: int
    round: int


class Journal:
    """The journal in one file.

    A document is announced with :meth:`intend` before the store is told of its chunks, and ends with :meth:`done` once they
    are safe there. After a kill in between its digest is empty: it is written again, over the same ids.

    Args:
        path: The file; made if it is not there.

    Raises:
        ArtifactError: The file is no journal, is of another version, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_database(path, _APPLICATION, _VERSION, _TABLES)
        self.round = int(self.info("round") or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def info(self, name: str) -> str | None:
        """A fact about the index."""
        rows = self._read("SELECT value FROM info WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def note(self, name: str, value: str) -> None:
        """Set a fact about the index."""
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO info VALUES (?, ?)", (name, value))

    def begin(self) -> None:
        """Begin a round: a command that goes through all documents."""
        self.round += 1
        self.note("round", str(self.round))

    def entry(self, key: Key) -> Entry | None:
        """What is known of a document; None if it was never written."""
        rows = self._read("SELECT digest, chunks, round FROM documents WHERE source = ? AND id = ?", *key)
        return Entry(*rows[0]) if rows else None

    def seen(self, keys: Iterable[Key]) -> None:
        """The round came upon documents that are as they were."""
        with self._writing() as database:
            database.executemany(
                "UPDATE documents SET round = ? WHERE source = ? AND id = ?", ((self.round, *key) for key in keys)
            )

    def intend(self, documents: Sequence[tuple[Key, int]]) -> None:
        """Documents, each with its number of chunks, are about to be written."""
        with self._writing() as database:
            database.executemany(
                "INSERT INTO documents VALUES (?, ?, '', ?, ?) ON CONFLICT (source, id) DO UPDATE SET "
                "digest = '', chunks = max(chunks, excluded.chunks), round = excluded.round",
                ((*key, chunks, self.round) for key, chunks in documents),
            )

    def done(self, documents: Sequence[tuple[Key, str, int]]) -> None:
        """Documents, each with its digest and number of chunks, are safe in the store."""
        with self._writing() as database:
            database.executemany(
                "UPDATE documents SET digest = ?, chunks = ? WHERE source = ? AND id = ?",
                ((digest, chunks, *key) for key, digest, chunks in documents),
            )

    def unseen(self) -> Iterator[list[tuple[Key, int]]]:
        """Documents that the round did not come upon, with the number of their chunks, in parts that are then removed."""
        while True:
            rows = self._read(f"SELECT source, id, chunks FROM documents WHERE round <> ? LIMIT {_PAGE}", self.round)
            if not rows:
                return
            part = [((source, identity), chunks) for source, identity, chunks in rows]
            yield part
            with self._writing() as database:
                database.executemany("DELETE FROM documents WHERE source = ? AND id = ?", (key for key, _ in part))

    def totals(self) -> tuple[int, int, int]:
        """Documents that are whole, their chunks, and documents that a killed command has left half written."""
        rows = self._read("SELECT count(*) FILTER (WHERE digest <> ''), total(chunks), count(*) FROM documents")
        whole, chunks, all_ = rows[0]
        return int(whole), int(chunks), int(all_) - int(whole)

    def _read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        with sqlite_errors(self._path):
            return self._database.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with sqlite_errors(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
