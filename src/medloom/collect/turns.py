"""Rate limits that hold for all processes of a user on one machine together."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from medloom.database import open_database, sqlite_errors
from medloom.folders import cache_folder

_APPLICATION = 0x6D6C7475
_VERSION = 1
_FARTHEST = 3_600.0
"""Seconds: a moment farther off was booked by a clock that has been set back since, and counts for nothing."""
_TABLES = "CREATE TABLE turns (service TEXT NOT NULL PRIMARY KEY, next REAL NOT NULL) WITHOUT ROWID"


class Turns:
    """Gives out moments at which a service may be asked.

    The moments of a service lie at least an interval apart, whoever asks: threads, workers of one job, two jobs at once.

    Args:
        path: The file that the processes share.
        now: Tells the time, seconds since 1970.
        sleep: Passes it.
    """

    def __init__(
        self, path: Path, now: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._path, self._now, self._sleep = path, now, sleep
        self._lock = threading.Lock()

    def wait(self, service: str, interval: float) -> None:
        """Wait for this process's turn.

        Args:
            service: Whom the limit is about: the host.
            interval: Seconds between two turns; 0 does not wait.
        """
        if interval > 0:
            self._sleep(max(0.0, self._book(service, interval) - self._now()))

    def hold(self, service: str, seconds: float) -> None:
        """Let nobody ask the service for so many seconds: it said that it is too busy."""
        self._change(service, lambda following: max(following, self._now() + seconds))

    def _book(self, service: str, interval: float) -> float:
        """Take the next free moment."""
        taken = 0.0

        def booked(following: float) -> float:
            nonlocal taken
            taken = max(self._now(), following)
            return taken + interval

        self._change(service, booked)
        return taken

    def _change(self, service: str, change: Callable[[float], float]) -> None:
        with self._lock, closing(self._open()) as database, sqlite_errors(self._path):
            database.execute("BEGIN IMMEDIATE")
            row = database.execute("SELECT next FROM turns WHERE service = ?", (service,)).fetchone()
            following = row[0] if row and row[0] < self._now() + _FARTHEST else 0.0
            database.execute("INSERT OR REPLACE INTO turns VALUES (?, ?)", (service, change(following)))
            database.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        return open_database(self._path, _APPLICATION, _VERSION, _TABLES)


def shared_turns() -> Turns:
    """The turns of this user on this machine."""
    return Turns(cache_folder() / "turns.sqlite")
