"""The journal of a collection: which shards there are, how far each has come, and who works on it.

One SQLite file, shared by all processes that work on the collection. A part of documents counts once its row is here, in
the same transaction that moves the cursor of its shard: a killed process loses what it had not committed, and nothing is
taken twice.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from medloom.collect.pages import Reject, Shard
from medloom.database import open_database, sqlite_errors
from medloom.workers import Worker, is_gone

_APPLICATION = 0x6D6C636A
_VERSION = 1
_LEASE = 3_600.0
_LONGEST_RAW = 10_000
_TABLES = """
CREATE TABLE info (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rounds (
    number INTEGER PRIMARY KEY, since TEXT NOT NULL, started TEXT NOT NULL, service TEXT NOT NULL, finished TEXT
);
CREATE TABLE shards (
    round INTEGER NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, cursor TEXT,
    done INTEGER NOT NULL DEFAULT 0, parts INTEGER NOT NULL DEFAULT 0, total INTEGER,
    host TEXT, pid INTEGER, started REAL, run TEXT, renewed REAL,
    PRIMARY KEY (round, number)
) WITHOUT ROWID;
CREATE TABLE parts (
    round INTEGER NOT NULL, shard INTEGER NOT NULL, part INTEGER NOT NULL, file TEXT NOT NULL, documents INTEGER NOT NULL,
    PRIMARY KEY (round, shard, part)
) WITHOUT ROWID;
CREATE TABLE rejects (id INTEGER PRIMARY KEY, place TEXT NOT NULL, problem TEXT NOT NULL, raw TEXT NOT NULL);
CREATE TABLE counts (name TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE failures (run TEXT NOT NULL PRIMARY KEY, message TEXT NOT NULL) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Claimed:
    """A shard that a worker has taken.

    Attributes:
        round: The round of collecting, from 0.
        number: Of the shard in its round.
        shard: The shard.
        cursor: Where it stopped; None if it has not begun.
        parts: Parts that it has written.
    """

    round: int
    number: int
    shard: Shard
    cursor: str | None
    parts: int


@dataclass(frozen=True)
class Progress:
    """How far the open round has come.

    Attributes:
        shards: Shards in all.
        done: Those that are finished.
        documents: Documents written in all rounds.
        total: Records in all, as far as the source says; 0 where it says nothing.
    """

    shards: int
    done: int
    documents: int
    total: int


class Journal:
    """The journal in one file.

    Args:
        path: The file; made if it is not there.

    Raises:
        ArtifactError: The file is no journal, is of another version, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_database(path, _APPLICATION, _VERSION, _TABLES)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def info(self, name: str) -> str | None:
        """A fact about the collection."""
        rows = self._read("SELECT value FROM info WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def note(self, name: str, value: str) -> None:
        """Set a fact about the collection."""
        with self._writing():
            self._database.execute("INSERT OR REPLACE INTO info VALUES (?, ?)", (name, value))

    def rounds(self) -> list[dict[str, Any]]:
        """Every round: number, since, started, service, finished."""
        names = ("number", "since", "started", "service", "finished")
        return [dict(zip(names, row, strict=True)) for row in self._read("SELECT * FROM rounds ORDER BY number")]

    def begin(self, since: str, started: str, service: str, shards: Sequence[Shard]) -> None:
        """Begin a round."""
        with self._writing():
            (number,) = self._database.execute("SELECT count(*) FROM rounds").fetchone()
            self._database.execute("INSERT INTO rounds VALUES (?, ?, ?, ?, NULL)", (number, since, started, service))
            self._database.executemany(
                "INSERT INTO shards (round, number, key, value) VALUES (?, ?, ?, ?)",
                [(number, i, shard.key, shard.value) for i, shard in enumerate(shards)],
            )

    def claim(self, worker: Worker) -> Claimed | None:
        """Take the first shard that is open and that nobody works on; None if there is none."""
        with self._writing():
            rows = self._database.execute(
                "SELECT round, number, key, value, cursor, parts, host, pid, started, run, renewed FROM shards "
                "WHERE NOT done ORDER BY round, number"
            )
            for round_, number, key, value, cursor, parts, *holder in rows:
                if _is_held(*holder):
                    continue
                self._database.execute(
                    "UPDATE shards SET host = ?, pid = ?, started = ?, run = ?, renewed = ? WHERE round = ? AND number = ?",
                    (*astuple(worker), time.time(), round_, number),
                )
                return Claimed(round_, number, Shard(key, value), cursor, parts)
        return None

    def commit(
        self,
        claimed: Claimed,
        worker: Worker,
        file: str,
        documents: int,
        cursor: str | None,
        rejects: Sequence[Reject],
        counts: Mapping[str, int],
        total: int | None,
    ) -> Claimed | None:
        """Write down a part and move the shard's cursor behind it.

        Args:
            claimed: The shard as it stood.
            worker: Who has it.
            file: Name of the part; empty if there is nothing to keep.
            documents: Documents in it.
            cursor: Where to go on; None if the shard is done.
            rejects: Records that could not be read.
            counts: Records passed over, by reason.
            total: Records of the shard in all, where known.

        Returns:
            The shard as it stands now; None if another worker has taken it since, and nothing was written.
        """
        parts = claimed.parts + bool(file)
        with self._writing():
            changed = self._database.execute(
                "UPDATE shards SET cursor = ?, done = ?, parts = ?, total = coalesce(?, total), renewed = ? "
                "WHERE round = ? AND number = ? AND run = ? AND parts = ? AND NOT done",
                (
                    cursor,
                    cursor is None,
                    parts,
                    total,
                    time.time(),
                    claimed.round,
                    claimed.number,
                    worker.run,
                    claimed.parts,
                ),
            ).rowcount
            if not changed:
                return None
            if file:
                self._database.execute(
                    "INSERT INTO parts VALUES (?, ?, ?, ?, ?)",
                    (claimed.round, claimed.number, claimed.parts, file, documents),
                )
            self._database.executemany(
                "INSERT INTO rejects (place, problem, raw) VALUES (?, ?, ?)",
                [(_plain(r.where), _plain(r.problem), _plain(r.raw[:_LONGEST_RAW])) for r in rejects],
            )
            self._count(counts)
        return Claimed(claimed.round, claimed.number, claimed.shard, cursor, parts)

    def give_up(self, worker: Worker) -> None:
        """Leave what the worker holds to others."""
        with self._writing():
            self._database.execute("UPDATE shards SET run = NULL, renewed = 0 WHERE run = ?", (worker.run,))

    def progress(self) -> Progress:
        """How far the last round has come."""
        last = "WHERE round = (SELECT max(number) FROM rounds)"
        shards, done, total = self._read(
            f"SELECT count(*), coalesce(sum(done), 0), coalesce(sum(total), 0) FROM shards {last}"
        )[0]
        (documents,) = self._read("SELECT coalesce(sum(documents), 0) FROM parts")[0]
        return Progress(shards, done, documents, total)

    def parts(self) -> list[str]:
        """Names of all parts, in the order of rounds, shards and pages."""
        return [row[0] for row in self._read("SELECT file FROM parts ORDER BY round, shard, part")]

    def finish(self, moment: str, counts: Mapping[str, int]) -> None:
        """The last round is assembled: its parts are not needed any more.

        Args:
            moment: When, ISO 8601 UTC.
            counts: Documents dropped when the parts were put together, by reason.
        """
        with self._writing():
            self._database.execute("UPDATE rounds SET finished = coalesce(finished, ?)", (moment,))
            self._database.execute("DELETE FROM parts")
            self._count(counts)

    def rejects(self) -> Iterator[dict[str, str]]:
        """Every reject."""
        for place, problem, raw in self._read("SELECT place, problem, raw FROM rejects ORDER BY place, id"):
            yield {"where": place, "problem": problem, "row": raw}

    def counts(self) -> dict[str, int]:
        """Records passed over or dropped, by reason, and ``rejected``."""
        (rejected,) = self._read("SELECT count(*) FROM rejects")[0]
        found = dict(self._read("SELECT name, n FROM counts ORDER BY name"))
        return {**({"rejected": rejected} if rejected else {}), **found}

    def fail(self, run: str, message: str) -> None:
        """Write down why a worker ended."""
        with self._writing():
            self._database.execute("INSERT OR REPLACE INTO failures VALUES (?, ?)", (run, message))

    def take_failures(self) -> list[str]:
        """Why workers ended, and forget it."""
        with self._writing():
            found = [row[0] for row in self._database.execute("SELECT message FROM failures ORDER BY run")]
            self._database.execute("DELETE FROM failures")
        return found

    def _count(self, counts: Mapping[str, int]) -> None:
        self._database.executemany(
            "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n",
            [(name, n) for name, n in counts.items() if n],
        )

    def _read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        with sqlite_errors(self._path):
            return self._database.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with sqlite_errors(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in one form, for comparison."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def _is_held(host: str | None, pid: int, started: float, run: str | None, renewed: float) -> bool:
    if host is None or run is None or renewed + _LEASE < time.time():
        return False
    return not is_gone(Worker(host, pid, started, run))


def _plain(text: str) -> str:
    """The text without half surrogates, which SQLite does not take."""
    return text.encode("utf-8", "replace").decode("utf-8")
