"""The table of calls: what is in it, whose a call is, and what it survives."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from medloom.errors import ArtifactError
from medloom.generate.calls import Call, CallStore, Spent, now
from medloom.generate.chat import Answer, Ask
from medloom.identity import digest
from medloom.workers import Worker, is_gone, this_worker

ASK = Ask("You write queries.", "Zebra-striped patient Quillfeather was seen.", {"type": "object"}, 0.5, 100, 3)
YES = Answer("yes", 10, 5)


def call(key: str = "k", outcome: Answer | str = YES, ask: Ask = ASK, attempts: int = 1) -> Call:
    return Call(key, "org/model", ask, outcome, 1.5, attempts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "calls.sqlite"


def test_a_call_is_one_row(path: Path) -> None:
    worker = this_worker()
    with CallStore(path) as store:
        assert store.claim("k", worker) == "open"
        assert store.counts() == {"answered": 0, "failed": 0, "claimed": 1}
        assert store.record(call(), worker)
        assert store.get("k") == YES
        assert store.failure("k") is None
        assert store.look("k") == store.claim("k", worker) == "answered"
        assert store.counts() == {"answered": 1, "failed": 0, "claimed": 0}
        assert store.get("other") is None
        assert store.look("other") == "open"
    row: dict[str, Any] = dict(zip(*_rows(path), strict=True))
    schema = digest({"type": "object"})[:16]
    assert json.loads(row["parameters"]) == {"temperature": 0.5, "max_tokens": 100, "seed": 3, "schema": schema}
    assert (row["model"], row["attempts"], row["seconds"], row["worker"]) == ("org/model", 1, 1.5, worker.name)
    assert row["finished"] <= now()


def _rows(path: Path) -> tuple[list[str], tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        cursor = connection.execute("SELECT * FROM calls")
        return [c[0] for c in cursor.description], cursor.fetchone()


def test_the_prompt_is_not_in_the_file(path: Path) -> None:
    with CallStore(path) as store:
        store.record(call(outcome=Answer("findable")), this_worker())
        store.record(call("f", "too long"), this_worker())
        held = b"".join(p.read_bytes() for p in path.parent.iterdir())
    assert b"findable" in held
    assert b"Quillfeather" not in held
    assert b"You write" not in held


@pytest.mark.parametrize(
    ("text", "kept"),
    [("", ""), ("a\0b", "a\0b"), ("naïve 😀\n", "naïve 😀\n"), ("cut \ud83d", "cut ?"), ("x" * 2_000_000, "x" * 2_000_000)],
    ids=["empty", "nul", "emoji", "half surrogate", "long"],
)
def test_any_answer_can_be_kept(path: Path, text: str, kept: str) -> None:
    with CallStore(path) as store:
        store.record(call(outcome=Answer(text, finish="length")), this_worker())
    with CallStore(path) as store:
        assert store.get("k") == Answer(kept, finish="length")


def test_an_answer_takes_a_failures_place_and_nothing_takes_an_answers(path: Path) -> None:
    worker = this_worker()
    with CallStore(path) as store:
        store.record(call(outcome="filtered", attempts=2), worker)
        assert store.failure("k") == "filtered"
        assert store.get("k") is None
        assert store.look("k") == "failed"
        before = now()
        assert store.look("k", retry_before=before) == "open"
        store.record(call(outcome="filtered again", attempts=3), worker)
        assert store.look("k", retry_before=before) == "failed", "it failed again since then"
        store.record(call(outcome=Answer("first"), attempts=4), worker)
        store.record(call(outcome=Answer("second")), worker)
        store.record(call(outcome="late failure"), worker)
        assert store.get("k") == Answer("first")
        assert store.failure("k") is None
    assert dict(zip(*_rows(path), strict=True))["attempts"] == 9


def test_what_calls_cost_with_estimates_where_the_server_does_not_count(path: Path) -> None:
    worker = this_worker()
    with CallStore(path) as store:
        assert store.spent() == Spent()
        store.record(call("a", Answer("x", 10, 5)), worker)
        store.record(call("b", Answer("ninechars"), Ask("sys", "user!")), worker)
        store.record(call("c", "failed"), worker)
        assert store.spent("a") == Spent(1, 10, 5, 1.5)
        assert store.spent("b") == Spent(1, 2, 3, 1.5)
        assert store.spent("c") == Spent(1, 0, 0, 1.5)
        assert store.spent("d") == Spent()
        assert store.spent() == Spent(3, 12, 8, 4.5)
        assert store.spent(model="org/model").calls == 2
        assert store.spent(model="another") == Spent()


def test_a_claim_keeps_others_off_while_its_worker_lives(path: Path) -> None:
    one, two = this_worker(), this_worker()
    with CallStore(path) as store, CallStore(path) as other:
        assert store.claim("k", one) == "open"
        assert other.claim("k", two) == other.look("k") == "held"
        assert store.claim("k", one) == "held", "an equal ask of the same run waits too"
        assert other.claimed_elsewhere(two) == ["k"]
        assert other.claimed_elsewhere(one) == []
        with store.working(one):
            pass
        assert other.claim("k", two) == "open"


def test_a_dead_workers_claim_is_void_at_once(path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    dead = replace(this_worker(), pid=process.pid, started=psutil.Process(process.pid).create_time(), run="dead")
    with CallStore(path) as store:
        store.claim("k", dead)
        assert store.look("k") == "held"
        process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while not is_gone(dead):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert process.returncode is None, "a zombie that nobody has waited for is gone too"
        assert store.look("k") == "open"
        assert store.claimed_elsewhere(this_worker()) == []
        process.wait()
        assert is_gone(dead)
        assert store.claim("k", this_worker()) == "open"


def test_a_process_id_that_was_used_again_is_another_process() -> None:
    worker = this_worker()
    assert not is_gone(worker)
    assert is_gone(replace(worker, started=worker.started - 1000))


def test_a_claim_from_another_machine_is_void_when_its_lease_is_over(path: Path) -> None:
    away = Worker("elsewhere", os.getpid(), 0.0, "away")
    with CallStore(path, lease=0.3) as store:
        store.claim("k", away)
        assert store.look("k") == "held"
        with store.working(away):
            time.sleep(0.7)
            assert store.look("k") == "held", "it was renewed"
        store.claim("k", away)
        time.sleep(0.4)
        assert store.look("k") == "open"
        assert store.claim("k", this_worker()) == "open"


def test_an_overtaken_worker_still_delivers(path: Path) -> None:
    slow, fast = this_worker(), this_worker()
    with CallStore(path, lease=0.0) as store:
        store.claim("k", slow)
        time.sleep(0.01)
        assert store.claim("k", fast) == "open"
        store.record(call(outcome=Answer("slow")), slow)
        assert store.counts()["claimed"] == 1, "the claim is the other's"
        store.record(call(outcome=Answer("fast")), fast)
        assert store.get("k") == Answer("slow")
        assert store.counts() == {"answered": 1, "failed": 0, "claimed": 0}


def test_after_closing_a_late_answer_is_dropped_in_peace(path: Path) -> None:
    store = CallStore(path)
    store.close()
    assert not store.record(call(), this_worker())


def test_threads_share_a_store(path: Path) -> None:
    worker = this_worker()
    taken: list[str] = []

    def work(store: CallStore) -> None:
        for i in range(30):
            if store.claim(str(i), worker) == "open":
                taken.append(str(i))
                store.record(call(str(i)), worker)

    with CallStore(path) as store:
        threads = [threading.Thread(target=work, args=(store,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == sorted(map(str, range(30)))
        assert store.counts()["answered"] == 30


OPENER = """
import sys
from pathlib import Path
from medloom.generate.calls import CallStore
sys.stdin.readline()
CallStore(Path(sys.argv[1])).close()
"""


def test_many_processes_may_make_the_file_at_once(path: Path) -> None:
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    time.sleep(0.5)
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("\n")
        opener.stdin.flush()
    for opener in openers:
        _, err = opener.communicate(timeout=60)
        assert opener.returncode == 0, err
    with CallStore(path) as store:
        assert store.counts() == {"answered": 0, "failed": 0, "claimed": 0}


DIES_WRITING = """
import os, signal, sys
from pathlib import Path
from medloom.generate.calls import Call, CallStore
from medloom.generate.chat import Answer, Ask
from medloom.workers import this_worker

store, worker = CallStore(Path(sys.argv[1])), this_worker()
for i in range(5):
    store.claim(str(i), worker)
    store.record(Call(str(i), "m", Ask("", "u"), Answer("whole " * 2000), 1.0, 1), worker)
def die(statement):
    if statement.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
store._connection.set_trace_callback(die)
store.claim("5", worker)
store.record(Call("5", "m", Ask("", "u"), Answer("lost " * 2000), 1.0, 1), worker)
"""


@pytest.mark.parametrize("moment", ["INSERT OR REPLACE INTO claims", "INSERT INTO calls", "DELETE FROM claims", "COMMIT"])
def test_killed_in_a_write_what_was_committed_stays(path: Path, moment: str) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES_WRITING, str(path), moment], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with CallStore(path) as store:
        assert [store.get(str(i)) for i in range(5)] == [Answer("whole " * 2000)] * 5
        assert store.get("5") is None
        assert store.claim("5", this_worker()) == "open", "the dead worker's claim is void"


def test_a_torn_log_costs_only_its_torn_end(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIES_WRITING, str(path), "DELETE FROM claims"], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    log = path.with_name(path.name + "-wal")
    whole = log.read_bytes()
    log.write_bytes(whole + whole[32 : 32 + 3000])
    with CallStore(path) as store:
        assert all(store.get(str(i)) for i in range(5))


def test_a_file_that_is_no_database_is_said(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("notes about calls\n" * 100)
    with pytest.raises(ArtifactError, match="not an SQLite file"):
        CallStore(path)
    assert path.read_text().startswith("notes"), "it is left as it was"


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="database of another program"):
        CallStore(path)
    assert path.read_bytes() == before


def test_another_version_is_said(path: Path) -> None:
    CallStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ArtifactError, match=r"schema version 99, this medloom reads 1: use the medloom that wrote it"):
        CallStore(path)


def test_a_folder_in_the_files_place_is_said(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ArtifactError, match="cannot be opened"):
        CallStore(path)


def test_damage_is_said(path: Path) -> None:
    with CallStore(path) as store:
        for i in range(50):
            store.record(call(str(i), Answer("x" * 3000)), this_worker())
    data = bytearray(path.read_bytes())
    data[4096 * 3 :] = os.urandom(len(data) - 4096 * 3)
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="damaged"), CallStore(path) as store:
        for i in range(50):
            store.get(str(i))


def test_a_full_disk_is_said_and_costs_no_row(path: Path) -> None:
    worker = this_worker()
    with CallStore(path) as store:
        store.record(call("0", Answer("y" * 3000)), worker)
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        written = 1
        with pytest.raises(ArtifactError, match=r"the disk is full\. Finished stages are kept: make room"):
            for i in range(1, 100):
                store.record(call(str(i), Answer("y" * 3000)), worker)
                written += 1
        assert 2 <= written < 100
        assert store.counts()["answered"] == written
        store._connection.execute("PRAGMA max_page_count = 1000000")
        assert store.record(call(str(written)), worker), "with room again it goes on"
    with CallStore(path) as store:
        assert store.counts()["answered"] == written + 1


def test_a_really_full_disk_is_said_and_costs_no_row(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a small file system here (needs root)")
    path, worker, written = disk / "calls.sqlite", this_worker(), 0
    try:
        with CallStore(path) as store:
            with pytest.raises(ArtifactError, match="the disk is full"):
                for i in range(1000):
                    store.record(call(str(i), Answer("y" * 3000)), worker)
                    written += 1
            assert store.counts()["answered"] == written > 5
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        with CallStore(path) as store:
            assert store.counts()["answered"] == written
            store.record(call(str(written)), worker)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
