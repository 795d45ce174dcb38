"""SQLite files that several processes write to: opened in one way, with errors that say what to do."""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medloom.artifacts import disk_errors
from medloom.errors import ArtifactError

_BUSY = 60.0


def open_database(path: Path, application: int, version: int, tables: str) -> sqlite3.Connection:
    """Open a database for any number of threads and processes, or make it.

    It has a write-ahead log; a committed row survives the end of the process, and after a power cut the file is whole, but
    without the rows since the log was last put on the disk (a checkpoint).

    Args:
        path: The file; its folder is made if it is not there.
        application: Marks the file as one of ours.
        version: Of the tables.
        tables: SQL that makes them, without a semicolon inside a statement.

    Raises:
        ArtifactError: The file is none of ours, of another version, or cannot be written.
    """
    with sqlite_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("BEGIN")
            ours = _is_ours(connection, path, application, version)
            connection.execute("COMMIT")
            if not ours:
                _to_wal(connection)
                connection.execute("BEGIN IMMEDIATE")
                if not _is_ours(connection, path, application, version):
                    for statement in tables.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA application_id = {application}")
                    connection.execute(f"PRAGMA user_version = {version}")
                connection.execute("COMMIT")
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection


def _is_ours(connection: sqlite3.Connection, path: Path, application: int, version: int) -> bool:
    """Whether the file holds the tables already; False for an empty one.

    Asked within a transaction: its three reads must see one state of a file that another process may just be making.
    """
    marks = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if marks == (0, 0) and tables == 0:
        return False
    if marks[0] != application:
        raise ArtifactError(f"{path} is a database of another program: name another file")
    if marks[1] != version:
        raise ArtifactError(
            f"{path} has schema version {marks[1]}, this medloom reads {version}: use the medloom that wrote it, or name "
            "another file (what it holds would be made again)"
        )
    return True


def _to_wal(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on; processes that do so at the same time must take turns."""
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into clear ones.

    Raises:
        ArtifactError: The disk is full or read-only, or the file is damaged, locked or no database.
    """
    with disk_errors(path.parent):
        try:
            yield
        except sqlite3.DatabaseError as error:
            number = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EACCES}.get(_code(error))
            if number:
                raise OSError(number, os.strerror(number)) from None
            problem = {
                sqlite3.SQLITE_NOTADB: "is not an SQLite file: name another file",
                sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a copy, or delete it (it is then made again)",
                sqlite3.SQLITE_BUSY: f"was locked by another process for {_BUSY:.0f} s: end that, or wait for it",
                sqlite3.SQLITE_CANTOPEN: "cannot be opened: is its folder there, and may it be written?",
                sqlite3.SQLITE_IOERR: "cannot be read or written: is its disk full, gone, or a network file system?",
            }.get(_code(error))
            if problem is None:
                raise
            raise ArtifactError(f"{path} {problem}") from None
