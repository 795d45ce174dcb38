"""Faults of the server, the disk and the machine, end to end: nothing is lost, nothing made twice, the counts add up."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.generate.scripted import Reply, Script, ScriptedServer, completion, failed, ok, reply

from medloom.errors import ArtifactError
from medloom.generate.calls import CallStore
from medloom.generate.chat import Ask, ServerRefuses
from medloom.generate.config import GenerateConfig
from medloom.generate.endpoint import OpenAIChat
from medloom.generate.retry import PROBE, Clock, ServerGone
from medloom.generate.runner import CallCounts, run_calls

HURRIED = Clock(wait=lambda event, seconds: _wait(event, seconds / 100))
N = 24


def _wait(event: threading.Event, seconds: float) -> None:
    event.wait(seconds)


def asks(n: int = N) -> list[Ask]:
    return [Ask("You write queries.", f"note {i}", max_tokens=64) for i in range(n)]


def note(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def once(fault: Reply) -> Script:
    """The fault at the first request about a note, then a good answer."""
    seen: set[str] = set()
    lock = threading.Lock()

    def script(body: dict[str, Any], call: int) -> Reply:
        with lock:
            first = note(body) not in seen
            seen.add(note(body))
        return fault if first and note(body) != PROBE.user else good(body, call)

    return script


def good(body: dict[str, Any], call: int) -> Reply:
    return ok(f"query about {note(body)}")


def bad_for(fault: Reply, *notes: int) -> Script:
    """The fault for these notes, whenever they are asked about."""
    names = {f"note {i}" for i in notes}
    return lambda body, call: fault if note(body) in names else good(body, call)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CallStore]:
    with CallStore(tmp_path / "calls.sqlite") as one:
        yield one


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def go(server: ScriptedServer, store: CallStore, n: int = N, timeout: float = 20.0, **settings: Any) -> CallCounts:
    config = GenerateConfig.model_validate({"concurrency": 4, **settings})
    return run_calls(asks(n), OpenAIChat(server.where(), timeout), store, config, clock=HURRIED)


def asked(server: ScriptedServer) -> Counter[str]:
    """How often the server was asked about each note."""
    return Counter(name for request in server.requests if (name := note(request.body)) != PROBE.user)


def assert_all_there(store: CallStore, n: int = N, but: tuple[int, ...] = (), model: str = "org/model") -> None:
    for i, ask in enumerate(asks(n)):
        answer = store.get(ask.key(model))
        assert (answer is None) == (i in but)
        assert answer is None or answer.text == f"query about note {i}"
    assert store.counts() == {"answered": n - len(but), "failed": len(but), "claimed": 0}


@pytest.mark.parametrize(
    "fault",
    [
        failed(429),
        failed(429, headers={"Retry-After": "0"}),
        failed(500),
        failed(503),
        failed(408),
        Reply(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}),
        ok("never seen", drop="before"),
        ok("seen by half " * 50, drop="middle"),
        Reply(200, b'{"choices": [{"message": {"content": "cut'),
    ],
    ids=["429", "429 at once", "500", "503", "408", "502 html", "hung up before", "hung up in mid-answer", "broken body"],
)
def test_what_passes_is_tried_again(store: CallStore, fault: Reply) -> None:
    with ScriptedServer(once(fault)) as server:
        counts = go(server, store)
        assert (counts.asked, counts.answered, counts.failed, counts.total) == (N, N, {}, N)
        assert set(asked(server).values()) == {2}
        assert_all_there(store)
        again = go(server, store)
        assert (again.asked, again.cached) == (0, N)
        assert set(asked(server).values()) == {2}, "an answered call is never made again"


def test_retry_after_is_kept_by_all(store: CallStore) -> None:
    refusal = failed(429, headers={"Retry-After": "1"})
    with ScriptedServer(lambda body, call: refusal if call == 8 else good(body, call)) as server:
        counts = go(server, store, 60)
        assert counts.answered == 60
        refused = server.requests[8].at
        assert not [r for r in server.requests if refused + 0.2 < r.at < refused + 1.0]
        assert max(asked(server).values()) == 2
        assert sum(asked(server).values()) <= 61 + 3, "calls that were on their way may be refused too, no others"


def test_a_stall_ends_with_the_timeout(store: CallStore) -> None:
    with ScriptedServer(once(ok("late", delay=60.0))) as server:
        start = time.monotonic()
        counts = go(server, store, 8, timeout=0.3)
        assert time.monotonic() - start < 10
        assert counts.answered == 8
        assert set(asked(server).values()) == {2}
    assert_all_there(store, 8)


def test_a_stall_in_mid_answer_ends_with_the_timeout(store: CallStore) -> None:
    with ScriptedServer(once(ok("half of it " * 20, stall=60.0))) as server:
        assert go(server, store, 8, timeout=0.3).answered == 8
    assert_all_there(store, 8)


@pytest.mark.parametrize(
    "fault",
    [
        reply({**completion({"content": "x"}), "choices": []}),
        ok("", finish="stop"),
        ok("kept back", finish="content_filter"),
        failed(400, "this model's maximum context length is 8192 tokens", code="context_length_exceeded"),
        failed(413),
    ],
    ids=["empty choices", "empty answer", "filter", "too long", "413"],
)
def test_what_never_passes_fails_that_call_alone(store: CallStore, fault: Reply) -> None:
    with ScriptedServer(bad_for(fault, 0, 5, 23)) as server:
        counts = go(server, store)
        assert counts.failures == 3
        assert (counts.answered, counts.total, len(counts.failed)) == (N - 3, N, 1)
        assert set(asked(server).values()) == {1}
        assert_all_there(store, but=(0, 5, 23))
        again = go(server, store)
        assert (again.asked, again.failures, again.answered) == (0, 3, N - 3)
        assert set(asked(server).values()) == {1}


def test_a_note_that_breaks_the_server_is_given_up_and_no_other(store: CallStore) -> None:
    with ScriptedServer(bad_for(failed(500), 7)) as server:
        counts = go(server, store, retries=2)
        assert (counts.failures, counts.answered, counts.total) == (1, N - 1, N)
        assert 3 <= asked(server)["note 7"] <= 7
        del asked(server)["note 7"]
    assert_all_there(store, but=(7,))
    assert "status 500" in (store.failure(asks()[7].key("org/model")) or "")


@pytest.mark.parametrize(
    "text",
    ["I'm sorry, but I cannot help with that.", '{"queries": [{"kind": "ke', "```json\n{}\n```", '{"something": "else"}'],
    ids=["refusal", "truncated JSON", "fenced JSON", "wrong schema"],
)
def test_an_answer_is_an_answer_whatever_it_says(store: CallStore, text: str) -> None:
    with ScriptedServer(lambda body, call: ok(text, finish="length")) as server:
        counts = go(server, store, 6)
        assert (counts.answered, counts.failed) == (6, {})
        assert set(asked(server).values()) == {1}
    answers = [store.get(ask.key("org/model")) for ask in asks(6)]
    assert [(a.text, a.finish) for a in answers if a] == [(text, "length")] * 6, "it is for the checks to judge"


@pytest.mark.parametrize(
    "fault",
    [failed(404, "The model does not exist", code="model_not_found"), failed(401, "bad key")],
    ids=["wrong model", "wrong key"],
)
def test_what_no_call_can_pass_costs_one_request(store: CallStore, fault: Reply) -> None:
    with ScriptedServer(lambda body, call: fault) as server:
        start = time.monotonic()
        with pytest.raises(ServerRefuses):
            go(server, store, 200, concurrency=32)
        assert len(server.requests) == 1
        assert time.monotonic() - start < 5
        assert store.counts() == {"answered": 0, "failed": 0, "claimed": 0}
        server.script = good
        assert go(server, store).answered == N
    assert_all_there(store)


def test_a_server_that_goes_away_and_comes_back_costs_nothing(store: CallStore) -> None:
    with ScriptedServer(lambda body, call: ok(f"query about {note(body)}", delay=0.02)) as server:

        def away() -> None:
            while len(server.requests) < 10:
                time.sleep(0.005)
            server.stop()
            time.sleep(1.5)
            server.start()

        thread = threading.Thread(target=away)
        thread.start()
        counts = go(server, store, 60, retries=0, max_wait=30.0)
        thread.join()
        assert (counts.answered, counts.failed, counts.total) == (60, {}, 60)
        assert sum(asked(server).values()) <= 60 + 4, "only what was in flight was asked again"
    assert_all_there(store, 60)


def test_a_server_that_stays_away_ends_the_run_and_the_next_goes_on(store: CallStore) -> None:
    with ScriptedServer(lambda body, call: ok(f"query about {note(body)}", delay=0.02)) as server:

        def away() -> None:
            while len(server.requests) < 10:
                time.sleep(0.005)
            server.stop()

        threading.Thread(target=away).start()
        start = time.monotonic()
        with pytest.raises(ServerGone, match="give the same command again"):
            go(server, store, 60, retries=0, max_wait=0.8)
        assert time.monotonic() - start < 10
        before = store.counts()
        assert 0 < before["answered"] < 60
        assert (before["failed"], before["claimed"]) == (0, 0)
        server.start()
        counts = go(server, store, 60)
        assert (counts.cached, counts.answered) == (before["answered"], 60)
        assert sum(asked(server).values()) <= 60 + 4
    assert_all_there(store, 60)


def test_a_full_disk_ends_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a small file system here (needs root)")
    try:
        with ScriptedServer(lambda body, call: ok("x" * 4000)) as server:
            with (
                CallStore(disk / "calls.sqlite") as store,
                pytest.raises(ArtifactError, match=r"the disk is full\. Finished stages are kept: make room"),
            ):
                go(server, store, 150)
            subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
            with CallStore(disk / "calls.sqlite") as store:
                kept = store.counts()["answered"]
                assert 5 < kept < 150
                assert kept <= len(server.requests) <= kept + 4, "only answers that could not be written are lost"
                counts = go(server, store, 150)
                assert (counts.cached, counts.asked, counts.total) == (kept, 150 - kept, 150)
                assert store.counts() == {"answered": 150, "failed": 0, "claimed": 0}
            assert len(server.requests) <= 154
    finally:
        subprocess.run(["umount", str(disk)], check=True)


WORKER = """
import os, signal, sys
from pathlib import Path
from medloom.generate.calls import CallStore
from medloom.generate.chat import Ask
from medloom.generate.config import GenerateConfig
from medloom.generate.endpoint import OpenAIChat
from medloom.generate.runner import run_calls

path, where, n, dies_at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
writes = 0
with CallStore(path) as store:
    def watch(statement):
        global writes
        writes += statement.startswith("INSERT INTO calls")
        if dies_at and writes > dies_at and statement.startswith("DELETE FROM claims"):
            os.kill(os.getpid(), signal.SIGKILL)
    store._connection.set_trace_callback(watch)
    asks = (Ask("You write queries.", f"note {i}", max_tokens=64) for i in range(n))
    counts = run_calls(asks, OpenAIChat(where), store, GenerateConfig(concurrency=4))
    sys.stdout.write(f"{counts.asked} {counts.cached} {counts.total}")
"""


def start(path: Path, server: ScriptedServer, n: int, dies_at: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(path), server.where(), str(n), str(dies_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> tuple[int, ...]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return tuple(map(int, out.split()))


def slowly(body: dict[str, Any], call: int) -> Reply:
    return ok(f"query about {note(body)}", delay=0.03)


def test_killed_in_a_write_it_goes_on_without_repeating_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with ScriptedServer(slowly) as server:
        for dies_at in (1, 6, 9):
            process = start(path, server, 60, dies_at)
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
        with CallStore(path) as store:
            kept = {f"note {i}" for i, ask in enumerate(asks(60)) if store.get(ask.key("org/model"))}
            assert len(kept) == 1 + 6 + 9
        before = asked(server)
        new, cached, total = finished(start(path, server, 60))
        assert (new, cached, total) == (44, 16, 60)
        assert all(asked(server)[name] == before[name] for name in kept), "an answered call is never made again"
        assert sum(asked(server).values()) <= 60 + 3 * 4
    with CallStore(path) as store:
        assert_all_there(store, 60)


def test_killed_anywhere_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with ScriptedServer(slowly) as server:
        for kill in range(1, 5):
            process = start(path, server, 80)
            while len(server.requests) < 15 * kill:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.001)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        new, cached, total = finished(start(path, server, 80))
        assert new + cached == total == 80
        assert sum(asked(server).values()) <= 80 + 4 * 4
    with CallStore(path) as store:
        assert_all_there(store, 80)


def test_ctrl_c_keeps_what_was_in_flight(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with ScriptedServer(lambda body, call: ok(f"query about {note(body)}", delay=0.1)) as server:
        process = start(path, server, 40)
        while len(server.requests) < 10:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert err.rstrip().endswith("KeyboardInterrupt")
        with CallStore(path) as store:
            assert store.counts() == {"answered": len(server.requests), "failed": 0, "claimed": 0}
        new, cached, total = finished(start(path, server, 40))
        assert new + cached == total == 40
        assert set(asked(server).values()) == {1}


def test_two_processes_share_one_job_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with ScriptedServer(slowly) as server:
        workers = [start(path, server, 150) for _ in range(2)]
        results = [finished(worker) for worker in workers]
        assert set(asked(server).values()) == {1}
        assert len(asked(server)) == 150
    assert [total for _, _, total in results] == [150, 150]
    assert sum(new for new, _, _ in results) == 150
    with CallStore(path) as store:
        assert_all_there(store, 150)


def test_one_of_two_is_killed_and_the_other_does_its_work(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with ScriptedServer(slowly) as server:
        victim, survivor = start(path, server, 150, dies_at=20), start(path, server, 150)
        begun = time.monotonic()
        new, cached, total = finished(survivor)
        assert time.monotonic() - begun < 40, "a dead worker's lease is not waited for"
        victim.communicate(timeout=60)
        assert victim.returncode == -signal.SIGKILL
        assert new + cached == total == 150
        assert sum(asked(server).values()) <= 150 + 4, "only what the victim had in flight was asked again"
    with CallStore(path) as store:
        assert_all_there(store, 150)
