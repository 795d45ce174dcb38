"""The table of calls: each finished call to a language model is one row of an SQLite file.

A row holds what came back and what it cost, never the prompt: that may be about a patient, and its hash (the key) is all
that is needed not to ask again. Answers may quote the documents, so the file is to be kept as these are kept.

A row that was written stays when the process is killed, in the middle of a write too. A power cut may cost the answers of
the last seconds: the log is put on the disk every few seconds, not at every row. SQLite wants a local disk: on a network
file system neither locks nor the write-ahead log can be relied on, and two workers could ask the same twice.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from medloom.database import open_database, sqlite_errors
from medloom.errors import ArtifactError
from medloom.generate.chat import Answer, Ask
from medloom.identity import digest
from medloom.workers import Worker, is_gone

State = Literal["answered", "failed", "held", "open"]

SCHEMA_VERSION = 1
CHARACTERS_PER_TOKEN = 4
_APPLICATION = 0x6D6C6361
_BEATS_PER_LEASE = 12
_TABLES = """
CREATE TABLE calls (
    key TEXT NOT NULL PRIMARY KEY,
    model TEXT NOT NULL,
    parameters TEXT NOT NULL,
    characters INTEGER NOT NULL,
    response TEXT,
    finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT,
    finished TEXT NOT NULL,
    worker TEXT NOT NULL
);
CREATE TABLE claims (
    key TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started REAL NOT NULL,
    run TEXT NOT NULL,
    renewed REAL NOT NULL
) WITHOUT ROWID;
"""
_SPENT = f"""
SELECT count(*),
    coalesce(sum(CASE WHEN prompt_tokens > 0 OR response IS NULL THEN prompt_tokens
                      ELSE (characters + {CHARACTERS_PER_TOKEN - 1}) / {CHARACTERS_PER_TOKEN} END), 0),
    coalesce(sum(CASE WHEN completion_tokens > 0 OR response IS NULL THEN completion_tokens
                      ELSE (length(response) + {CHARACTERS_PER_TOKEN - 1}) / {CHARACTERS_PER_TOKEN} END), 0),
    coalesce(sum(seconds), 0.0)
FROM calls
"""


@dataclass(frozen=True)
class Spent:
    """What calls have cost.

    Attributes:
        calls: Calls, those that failed included.
        prompt_tokens: As the server counted; a quarter of the characters where it did not say.
        completion_tokens: Likewise.
        seconds: Time that the server took, all calls added up.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Call:
    """A finished call.

    Attributes:
        key: Of the ask.
        model: Name of the model.
        ask: What was asked; only its parameters and its length are kept.
        outcome: The answer, or why there is none.
        seconds: Time that the last try took.
        attempts: Tries.
    """

    key: str
    model: str
    ask: Ask
    outcome: Answer | str
    seconds: float
    attempts: int


class CallStore:
    """The table of calls in one file, for any number of threads and processes on one machine.

    Args:
        path: The file; made if it is not there.
        lease: Seconds after which a claim that nobody renewed is void. The claims of a process on this machine that has
            ended are void at once.

    Raises:
        ArtifactError: The file is not a table of calls, is of another version, or cannot be written.
    """

    def __init__(self, path: Path, lease: float = 120.0) -> None:
        self.path = path
        self._lease = lease
        self._lock = threading.RLock()
        self._closed = False
        self._connection = open_database(path, _APPLICATION, SCHEMA_VERSION, _TABLES)

    def __enter__(self) -> "CallStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. A call that ends after this is not kept."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def get(self, key: str) -> Answer | None:
        """The answer to a call; None if there is none (yet)."""
        rows = self._read(
            "SELECT response, prompt_tokens, completion_tokens, finish FROM calls WHERE key = ? AND error IS NULL", key
        )
        return Answer(*rows[0]) if rows else None

    def failure(self, key: str) -> str | None:
        """Why a call failed; None if it did not."""
        rows = self._read("SELECT error FROM calls WHERE key = ? AND error IS NOT NULL", key)
        return str(rows[0][0]) if rows else None

    def counts(self) -> dict[str, int]:
        """Calls ``answered`` and ``failed``, and those that somebody has ``claimed`` and not finished."""
        answered, failed, claimed = self._read(
            "SELECT (SELECT count(*) FROM calls WHERE error IS NULL), (SELECT count(*) FROM calls WHERE error IS NOT NULL), "
            "(SELECT count(*) FROM claims)"
        )[0]
        return {"answered": answered, "failed": failed, "claimed": claimed}

    def spent(self, key: str | None = None, model: str | None = None) -> Spent:
        """What calls have cost.

        Args:
            key: Only this call.
            model: Only the answered calls of this model.
        """
        if key is not None:
            return Spent(*self._read(f"{_SPENT} WHERE key = ?", key)[0])
        if model is not None:
            return Spent(*self._read(f"{_SPENT} WHERE model = ? AND error IS NULL", model)[0])
        return Spent(*self._read(_SPENT)[0])

    def look(self, key: str, retry_before: str | None = None) -> State:
        """How a call stands.

        Args:
            key: The call.
            retry_before: A failure that is older counts as open; a moment as :func:`now` gives it.

        Returns:
            ``answered``, ``failed``, ``held`` (claimed by a worker that is still there, this one included), or ``open``.
        """
        rows = self._read("SELECT error, finished FROM calls WHERE key = ?", key)
        if rows:
            error, finished = rows[0]
            if error is None:
                return "answered"
            if retry_before is None or finished >= retry_before:
                return "failed"
        claims = self._read("SELECT host, pid, started, run, renewed FROM claims WHERE key = ?", key)
        return "held" if claims and not self._is_void(*claims[0]) else "open"

    def claim(self, key: str, worker: Worker, retry_before: str | None = None) -> State:
        """Take a call for a worker if it is open: what is returned is how it stood before, see :meth:`look`."""
        with self._writing():
            state = self.look(key, retry_before)
            if state == "open":
                self._connection.execute(
                    "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?)", (key, *astuple(worker), time.time())
                )
            return state

    def record(self, call: Call, worker: Worker) -> bool:
        """Write a finished call and give up its claim. An answer that is there already stays; a failure is replaced.

        Returns:
            False if the store is closed, and nothing was written.
        """
        answer = call.outcome if isinstance(call.outcome, Answer) else None
        row = (
            call.key,
            call.model,
            _parameters(call.ask),
            len(call.ask.system) + len(call.ask.user),
            None if answer is None else _clean(answer.text),
            "" if answer is None else _clean(answer.finish),
            0 if answer is None else answer.prompt_tokens,
            0 if answer is None else answer.completion_tokens,
            call.seconds,
            call.attempts,
            _clean(call.outcome) if isinstance(call.outcome, str) else None,
            now(),
            worker.name,
        )
        with self._lock:
            if self._closed:
                return False
            with self._writing():
                self._connection.execute(
                    f"INSERT INTO calls VALUES ({', '.join('?' * len(row))}) ON CONFLICT (key) DO UPDATE SET "
                    "response = excluded.response, finish = excluded.finish, prompt_tokens = excluded.prompt_tokens, "
                    "completion_tokens = excluded.completion_tokens, seconds = excluded.seconds, "
                    "attempts = calls.attempts + excluded.attempts, error = excluded.error, "
                    "finished = excluded.finished, worker = excluded.worker WHERE calls.error IS NOT NULL",
                    row,
                )
                self._connection.execute("DELETE FROM claims WHERE key = ? AND run = ?", (call.key, worker.run))
        return True

    def claimed_elsewhere(self, worker: Worker) -> list[str]:
        """Keys that other workers hold."""
        rows = self._read("SELECT host, pid, started, run, renewed, key FROM claims WHERE run != ?", worker.run)
        return [row[5] for row in rows if not self._is_void(*row[:5])]

    @contextmanager
    def working(self, worker: Worker) -> Iterator[None]:
        """Renew the worker's claims all the while inside; at the end give up those that are left."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(self._lease / _BEATS_PER_LEASE):
                with suppress(ArtifactError):
                    self._renew(worker)

        thread = threading.Thread(target=beat, daemon=True, name="medloom-lease")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with suppress(ArtifactError), self._writing():
                self._connection.execute("DELETE FROM claims WHERE run = ?", (worker.run,))

    def _renew(self, worker: Worker) -> None:
        """Keep a worker's claims alive, and put what is in the log on the disk."""
        with self._writing():
            self._connection.execute("UPDATE claims SET renewed = ? WHERE run = ?", (time.time(), worker.run))
        with self._lock, sqlite_errors(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _is_void(self, host: str, pid: int, started: float, run: str, renewed: float) -> bool:
        return renewed + self._lease < time.time() or is_gone(Worker(host, pid, started, run))

    def _read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        with self._lock, sqlite_errors(self.path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, alone among all processes."""
        with self._lock, sqlite_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def now() -> str:
    """This moment, ISO 8601 in UTC with microseconds: moments compare as strings."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _parameters(ask: Ask) -> str:
    """The ask's parameters as JSON; of the schema only the hash, of the messages nothing."""
    return json.dumps(
        {
            "temperature": ask.temperature,
            "max_tokens": ask.max_tokens,
            "seed": ask.seed,
            "schema": None if ask.schema is None else digest(ask.schema)[:16],
        }
    )


def _clean(text: str) -> str:
    """The text without half surrogates, which SQLite does not take: an answer cut in an emoji has one."""
    return text.encode("utf-8", "replace").decode("utf-8")
