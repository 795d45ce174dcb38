"""Files that several processes open at the same instant."""

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from medloom.database import open_database

APPLICATION, TABLES = 4711, "CREATE TABLE a (x); CREATE TABLE b (y)"


def test_a_file_that_another_is_just_making_is_not_taken_for_a_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, failures = tmp_path / "calls.sqlite", []
    real = sqlite3.connect

    def other() -> None:
        try:
            open_database(path, APPLICATION, 1, TABLES).close()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=other)

    class Interrupted(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith("SELECT count(*)") and not thread.ident:
                monkeypatch.setattr(sqlite3, "connect", real)
                thread.start()
                time.sleep(0.5)
            return super().execute(sql, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: real(*args, **more, factory=Interrupted))
    connection = open_database(path, APPLICATION, 1, TABLES)
    thread.join(60)
    assert failures == [] and not thread.is_alive()
    assert {name for (name,) in connection.execute("SELECT name FROM sqlite_master")} == {"a", "b"}
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    connection.close()
