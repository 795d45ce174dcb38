"""All calls of a job, each exactly once: concurrency, retries, limits, and what ends a run."""

import gc
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from medloom.errors import ArtifactError, MedloomError
from medloom.generate import runner
from medloom.generate.calls import Call, CallStore
from medloom.generate.chat import Answer, Ask, CallFailed, RetryLater, ServerRefuses
from medloom.generate.config import GenerateConfig
from medloom.generate.retry import PROBE, Clock, ServerGone
from medloom.generate.runner import BudgetReached, CallCounts, CallCrashed, run_calls
from medloom.progress import shown_on
from medloom.workers import this_worker

Reply = Callable[[Ask, int], Answer]


class FakeModel:
    """Answers by a function of the ask and of how often it was asked before, and counts."""

    name = "fake"
    host: str | None = None

    def __init__(self, reply: Reply = lambda ask, n: Answer(f"to {ask.user}", 10, 5), seconds: float = 0.0) -> None:
        self.reply, self.seconds = reply, seconds
        self.asked: Counter[str] = Counter()
        self.order: list[str] = []
        self.flying = self.most = 0
        self._lock = threading.Lock()

    def ask(self, ask: Ask) -> Answer:
        with self._lock:
            n = self.asked[ask.user]
            self.asked[ask.user] += 1
            self.order.append(ask.user)
            self.flying += 1
            self.most = max(self.most, self.flying)
        try:
            time.sleep(self.seconds)
            return self.reply(ask, n)
        finally:
            with self._lock:
                self.flying -= 1

    def key(self, user: str) -> str:
        return Ask("s", user).key(self.name)


class FakeTime:
    """A clock on which waiting takes hardly any time, and those who wait do so together; keeps how long was waited."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def wait(self, event: threading.Event, seconds: float) -> None:
        until = self.time + seconds
        time.sleep(0.001)
        with self._lock:
            self.time = max(self.time, until)
            self.waits.append(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.wait)


def asks(n: int, start: int = 0) -> list[Ask]:
    return [Ask("s", str(i)) for i in range(start, start + n)]


def config(**settings: Any) -> GenerateConfig:
    return GenerateConfig.model_validate({"concurrency": 4, **settings})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CallStore]:
    with CallStore(tmp_path / "calls.sqlite") as one:
        yield one


def later(after: float | None = None) -> RetryLater:
    return RetryLater("the server is busy", after)


def test_every_ask_is_answered_once_and_the_counts_add_up(store: CallStore) -> None:
    model = FakeModel()
    counts = run_calls(asks(50), model, store, config())
    assert counts.asked == counts.answered == counts.total == 50
    assert (counts.prompt_tokens, counts.completion_tokens, counts.tokens) == (500, 250, 750)
    assert counts.seconds > 0
    assert set(model.asked.values()) == {1}
    assert all(store.get(model.key(str(i))) == Answer(f"to {i}", 10, 5) for i in range(50))
    assert store.counts() == {"answered": 50, "failed": 0, "claimed": 0}
    again = run_calls(lambda: iter(asks(60)), model, store, config())
    assert (again.asked, again.cached, again.answered, again.total) == (10, 50, 60, 60)
    assert set(model.asked.values()) == {1}


def test_nothing_to_ask_is_fine(store: CallStore) -> None:
    counts = run_calls([], FakeModel(), store, config(max_calls=1))
    assert counts == CallCounts(seconds=counts.seconds)


def test_equal_asks_are_asked_once(store: CallStore) -> None:
    model = FakeModel(seconds=0.05)
    counts = run_calls(asks(3) * 4, model, store, config())
    assert set(model.asked.values()) == {1}
    assert (counts.asked, counts.cached, counts.answered, counts.total) == (3, 9, 12, 12)


def test_equal_asks_fail_together(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        raise CallFailed("too long")

    model = FakeModel(reply, seconds=0.05)
    counts = run_calls(asks(1) * 5, model, store, config())
    assert model.asked == {"0": 1}
    assert counts.failed == {"too long": 5}
    assert counts.total == 5


def test_another_models_answer_is_not_taken(store: CallStore) -> None:
    run_calls(asks(3), FakeModel(), store, config())
    other = FakeModel()
    other.name = "another"
    assert run_calls(asks(3), other, store, config()).asked == 3


def test_so_many_at_once_and_no_more(store: CallStore) -> None:
    model = FakeModel(seconds=0.03)
    run_calls(asks(40), model, store, config(concurrency=6))
    assert model.most == 6


def test_asks_are_taken_as_they_are_needed(store: CallStore) -> None:
    ahead: list[int] = []
    alive: weakref.WeakSet[Ask] = weakref.WeakSet()

    def stream() -> Iterator[Ask]:
        for i in range(300):
            ask = Ask("s", str(i))
            alive.add(ask)
            ahead.append(i + 1 - sum(store.counts()[x] for x in ("answered", "failed")))
            yield ask
            if i % 50 == 0:
                gc.collect()
                assert len(alive) <= 12

    run_calls(stream(), FakeModel(seconds=0.002), store, config(concurrency=4))
    assert len(ahead) == 300
    assert max(ahead) <= 8, "at most twice the concurrency"


def test_the_first_call_goes_alone(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        raise ServerRefuses("no such model")

    model = FakeModel(reply, seconds=0.05)
    with pytest.raises(ServerRefuses, match="no such model"):
        run_calls(asks(100), model, store, config(concurrency=32))
    assert sum(model.asked.values()) == 1
    assert store.counts() == {"answered": 0, "failed": 0, "claimed": 0}


def test_a_refusal_later_on_stops_all_and_marks_nothing(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        if int(ask.user) >= 10:
            raise ServerRefuses("the key was withdrawn")
        return Answer("fine")

    model = FakeModel(reply, seconds=0.01)
    with pytest.raises(ServerRefuses):
        run_calls(asks(1000), model, store, config())
    assert sum(model.asked.values()) <= 14
    assert store.counts() == {"answered": 10, "failed": 0, "claimed": 0}


def test_a_try_that_fails_is_made_again_with_growing_random_pauses(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        if ask == PROBE or n >= 8:
            return Answer("at last")
        raise later()

    fake, model = FakeTime(), FakeModel(reply)
    counts = run_calls(asks(1), model, store, config(retries=8), clock=fake.clock)
    assert counts.answered == 1
    assert model.asked["0"] == 9
    assert len(fake.waits) == 8
    assert all(wait <= 2.0**i for i, wait in enumerate(fake.waits[:6]))
    assert len({round(wait, 6) for wait in fake.waits}) == 8
    assert max(fake.waits) > 2.0
    with_attempts = store._read("SELECT attempts FROM calls")
    assert with_attempts == [(9,)]


def test_the_servers_pause_is_kept_by_all(store: CallStore) -> None:
    moments: list[tuple[str, float]] = []
    told = threading.Event()

    def reply(ask: Ask, n: int) -> Answer:
        moments.append((ask.user, time.monotonic()))
        if ask.user == "5" and n == 0:
            told.set()
            raise later(0.6)
        return Answer("fine")

    start = time.monotonic()
    model = FakeModel(reply, seconds=0.01)
    counts = run_calls(asks(60), model, store, config(concurrency=3))
    assert counts.answered == 60
    refused = next(t for user, t in moments if user == "5")
    assert not [user for user, t in moments if refused + 0.05 < t < refused + 0.6], "nobody asks in the pause"
    assert sum(t >= refused + 0.6 for _, t in moments) > 40
    assert time.monotonic() - start > 0.6


def test_the_servers_pause_is_no_longer_than_max_wait(store: CallStore) -> None:
    fake = FakeTime()
    model = FakeModel(lambda ask, n: Answer("fine") if n else _raise(later(10_000.0)))
    assert run_calls(asks(1), model, store, config(max_wait=30.0), clock=fake.clock).answered == 1
    assert 30.0 <= fake.time - 1000.0 < 35.0


def _raise(error: Exception) -> Answer:
    raise error


def test_a_call_that_fails_while_others_are_answered_is_given_up(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        if ask.user == "3":
            raise RetryLater("status 500")
        return Answer("fine")

    model, fake = FakeModel(reply, seconds=0.002), FakeTime()
    counts = run_calls(asks(200), model, store, config(retries=2), clock=fake.clock)
    assert counts.answered == 199
    assert counts.total == 200
    (reason,) = counts.failed
    assert reason.endswith("the last: status 500")
    assert 3 <= model.asked["3"] <= 6
    assert store.failure(model.key("3")) == reason


def test_a_bad_call_that_is_left_alone_is_told_from_a_server_that_is_gone(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        if ask == PROBE:
            return Answer("yes")
        raise RetryLater("status 500")

    model, fake = FakeModel(reply), FakeTime()
    counts = run_calls(asks(1), model, store, config(retries=3), clock=fake.clock)
    assert counts.failures == counts.total == 1
    assert model.asked["0"] == 3 + 3, "three before the server is seen to be there, then as many as retries"
    assert model.asked[PROBE.user] == 3
    assert store.counts() == {"answered": 0, "failed": 1, "claimed": 0}, "the probe is no call of the job"


def test_a_server_that_is_gone_uses_up_no_tries_and_ends_the_run(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        if gone:
            raise RetryLater("cannot be reached")
        return Answer("fine")

    gone = False
    model, fake = FakeModel(reply), FakeTime()
    run_calls(asks(5), model, store, config(), clock=fake.clock)
    gone, start = True, fake.time
    with pytest.raises(ServerGone, match=r"fake has answered nothing for .*cannot be reached.*same command again") as caught:
        run_calls(asks(20), model, store, config(retries=1, max_wait=120.0), clock=fake.clock)
    assert isinstance(caught.value, MedloomError)
    assert 120.0 <= fake.time - start <= 200.0
    assert store.counts() == {"answered": 5, "failed": 0, "claimed": 0}
    gone = False
    counts = run_calls(asks(20), model, store, config(), clock=fake.clock)
    assert (counts.cached, counts.asked, counts.failed) == (5, 15, {})


def test_a_server_that_comes_back_in_time_is_waited_for(store: CallStore) -> None:
    fake = FakeTime()

    def reply(ask: Ask, n: int) -> Answer:
        if 1000.0 <= fake.time < 1120.0:
            raise RetryLater("cannot be reached")
        return Answer("fine")

    model = FakeModel(reply)
    counts = run_calls(asks(30), model, store, config(retries=1, max_wait=300.0), clock=fake.clock)
    assert counts.answered == counts.total == 30
    assert store.counts()["failed"] == 0


def test_a_busy_server_that_says_when_to_come_again_fails_no_call(store: CallStore) -> None:
    """One call in ten gets through: with a count of tries alone most would be given up."""
    fake, turn = FakeTime(), iter(range(10**6))

    def reply(ask: Ask, n: int) -> Answer:
        if next(turn) % 10:
            raise later(1.0)
        return Answer("fine")

    counts = run_calls(
        asks(40), FakeModel(reply), store, config(retries=1, concurrency=16, max_wait=9000.0), clock=fake.clock
    )
    assert counts.answered == 40


def test_a_bad_call_to_a_server_that_always_says_wait_ends_too(store: CallStore) -> None:
    model = FakeModel(lambda ask, n: Answer("yes") if ask == PROBE else _raise(later(5.0)))
    counts = run_calls(asks(1), model, store, config(retries=2, max_wait=100.0), clock=FakeTime().clock)
    assert counts.failures == counts.total == 1


def test_a_call_that_can_never_work_is_a_row_and_not_asked_again(store: CallStore) -> None:
    works = False

    def reply(ask: Ask, n: int) -> Answer:
        if int(ask.user) % 5 == 0 and not works:
            raise CallFailed("the prompt is too long" if int(ask.user) % 2 else "filtered")
        return Answer("fine")

    model = FakeModel(reply)
    counts = run_calls(asks(20), model, store, config())
    assert counts.failed == {"the prompt is too long": 2, "filtered": 2}
    assert (counts.answered, counts.total) == (16, 20)
    assert store.failure(model.key("5")) == "the prompt is too long"
    again = run_calls(asks(20), model, store, config())
    assert (again.asked, again.failures, again.cached) == (0, 4, 16)
    works = True
    retried = run_calls(asks(20), model, store, config(), retry_failed=True)
    assert (retried.asked, retried.failures, retried.answered) == (4, 0, 20)


def test_what_fails_again_is_retried_once(store: CallStore) -> None:
    model = FakeModel(lambda ask, n: _raise(CallFailed("filtered")))
    run_calls(asks(2), model, store, config())
    counts = run_calls(asks(2) * 3, model, store, config(), retry_failed=True)
    assert model.asked == {"0": 2, "1": 2}
    assert counts.failed == {"filtered": 6}


def test_many_reasons_are_counted_together(store: CallStore) -> None:
    model = FakeModel(lambda ask, n: _raise(CallFailed(f"{ask.user} tokens too many")))
    counts = run_calls(asks(50), model, store, config())
    assert len(counts.failed) == 21
    assert counts.failed["other reasons"] == 30
    assert counts.total == 50


def test_a_fault_of_the_program_is_said_without_the_text(store: CallStore) -> None:
    model = FakeModel(lambda ask, n: _raise(ValueError("patient Quillfeather")) if ask.user == "7" else Answer("fine"))
    with pytest.raises(CallCrashed, match=r"ValueError at test_runner\.py:\d+") as caught:
        run_calls(asks(100), model, store, config())
    assert "Quillfeather" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert store.get(model.key("0"))
    assert store.counts()["claimed"] == 0


def test_asks_that_cannot_be_made_end_the_run_with_what_is_in_flight_kept(store: CallStore) -> None:
    def stream() -> Iterator[Ask]:
        yield from asks(6)
        raise MedloomError("the source is damaged")

    model = FakeModel(seconds=0.05)
    with pytest.raises(MedloomError, match="source is damaged"):
        run_calls(stream(), model, store, config())
    assert store.counts() == {"answered": 6, "failed": 0, "claimed": 0}


def test_ctrl_c_starts_nothing_more_and_keeps_what_is_in_flight(store: CallStore) -> None:
    def stream() -> Iterator[Ask]:
        yield from asks(7)
        raise KeyboardInterrupt

    model = FakeModel(seconds=0.1)
    with pytest.raises(KeyboardInterrupt):
        run_calls(stream(), model, store, config())
    assert sum(model.asked.values()) == store.counts()["answered"] == 7
    assert store.counts()["claimed"] == 0


def test_ctrl_c_does_not_wait_for_ever(store: CallStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE", 0.2)
    hang = threading.Event()

    def stream() -> Iterator[Ask]:
        yield from asks(2)
        raise KeyboardInterrupt

    def reply(ask: Ask, n: int) -> Answer:
        if ask.user == "1":
            hang.wait(20)
        return Answer("late")

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_calls(stream(), FakeModel(reply), store, config())
    assert time.monotonic() - start < 5
    assert store.counts()["claimed"] == 0
    hang.set()
    deadline = time.monotonic() + 5
    while store.counts()["answered"] < 2:
        assert time.monotonic() < deadline, "an answer that comes late is kept all the same"
        time.sleep(0.01)


def test_waiting_for_the_next_try_ends_with_the_run(store: CallStore) -> None:
    def reply(ask: Ask, n: int) -> Answer:
        if ask.user == "2":
            raise later(500.0)
        return Answer("fine")

    def stream() -> Iterator[Ask]:
        yield from asks(3)
        time.sleep(0.2)
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_calls(stream(), FakeModel(reply), store, config())
    assert time.monotonic() - start < 5
    assert store.counts() == {"answered": 2, "failed": 0, "claimed": 0}


def test_max_calls_is_kept_to_the_call(store: CallStore) -> None:
    model = FakeModel(seconds=0.01)
    with pytest.raises(BudgetReached, match=r"max_calls \(10\) is reached.*same command again.*on_budget: go_on") as caught:
        run_calls(asks(100), model, store, config(max_calls=10))
    assert sum(model.asked.values()) == store.counts()["answered"] == 10
    assert caught.value.counts.answered == 10
    with pytest.raises(BudgetReached):
        run_calls(asks(100), model, store, config(max_calls=10))
    assert sum(model.asked.values()) == 10, "what was spent before counts"
    counts = run_calls(asks(100), model, store, config(max_calls=25, on_budget="go_on"))
    assert (counts.asked, counts.cached, counts.answered, counts.not_asked, counts.total) == (15, 10, 25, 75, 100)


def test_a_limit_that_is_just_enough_is_not_reached(store: CallStore) -> None:
    counts = run_calls(asks(10), FakeModel(), store, config(max_calls=10))
    assert (counts.answered, counts.not_asked) == (10, 0)
    assert run_calls(asks(10), FakeModel(), store, config(max_calls=10)).cached == 10


def test_only_this_jobs_calls_count(store: CallStore) -> None:
    model = FakeModel()
    run_calls(asks(30), model, store, config())
    counts = run_calls(asks(20, start=20), model, store, config(max_calls=15, on_budget="go_on"))
    assert (counts.cached, counts.asked, counts.not_asked) == (10, 5, 5)


def test_what_the_job_spent_counts_wherever_it_stands(store: CallStore) -> None:
    model = FakeModel()
    run_calls(asks(10, start=90), model, store, config())
    counts = run_calls(asks(100), model, store, config(max_calls=12, on_budget="go_on"))
    assert (counts.asked, counts.cached, counts.not_asked, counts.total) == (2, 10, 88, 100)
    assert sum(model.asked.values()) == 12


def test_a_stream_that_can_be_read_once_has_limits_too(store: CallStore) -> None:
    model = FakeModel()
    counts = run_calls(iter(asks(30)), model, store, config(max_calls=12, on_budget="go_on"))
    assert (counts.asked, counts.not_asked) == (12, 18)
    again = run_calls(iter(asks(30)), model, store, config(max_calls=12, on_budget="go_on"))
    assert (again.asked, again.cached, again.not_asked) == (0, 12, 18)


def test_equal_asks_cost_once(store: CallStore) -> None:
    counts = run_calls(asks(5) * 3, FakeModel(seconds=0.01), store, config(max_calls=5, on_budget="go_on"))
    assert (counts.asked, counts.cached, counts.not_asked) == (5, 10, 0)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_tokens_are_not_overshot_by_more_than_one_estimate(store: CallStore, concurrency: int) -> None:
    model = FakeModel(lambda ask, n: Answer("fine", 60, 40), seconds=0.005)
    with pytest.raises(BudgetReached, match=r"max_total_tokens \(1,050\)"):
        run_calls(asks(100), model, store, config(max_total_tokens=1050, concurrency=concurrency))
    assert 1050 <= store.spent().tokens <= 1050 + 100


def test_a_server_that_does_not_count_is_counted_by_characters(store: CallStore) -> None:
    long = [Ask("s" * 300, f"{i:0100}") for i in range(50)]
    model = FakeModel(lambda ask, n: Answer("a" * 400))
    counts = run_calls(long, model, store, config(max_total_tokens=2000, on_budget="go_on"))
    assert (counts.asked, counts.tokens) == (10, 2000)


def test_cost_is_reckoned_by_price(store: CallStore) -> None:
    model = FakeModel(lambda ask, n: Answer("fine", 1000, 100))
    settings = config(price=(2.0, 10.0), max_cost=0.03, on_budget="go_on")
    counts = run_calls(asks(50), model, store, settings)
    assert counts.asked == 10
    assert counts.cost == pytest.approx(0.03)
    with pytest.raises(ValidationError, match="max_cost needs price"):
        config(max_cost=1.0)


def test_failures_are_calls_too_and_a_retried_one_counts_once(store: CallStore) -> None:
    model = FakeModel(lambda ask, n: _raise(CallFailed("filtered")) if n == 0 else Answer("fine", 5, 5))
    counts = run_calls(asks(10), model, store, config(max_calls=4, on_budget="go_on"))
    assert (counts.failures, counts.not_asked) == (4, 6)
    counts = run_calls(asks(10), model, store, config(max_calls=4, on_budget="go_on"), retry_failed=True)
    assert counts.total == 10
    assert counts.not_asked == 10, "the limit is reached by the failures themselves"
    counts = run_calls(asks(10), model, store, config(max_calls=5, on_budget="go_on"), retry_failed=True)
    assert counts.total == 10
    assert sum(model.asked.values()) <= 4 + 5


def test_a_call_that_another_worker_makes_is_waited_for(store: CallStore) -> None:
    other, model = this_worker(), FakeModel()
    ask = asks(3)[1]
    store.claim(ask.key(model.name), other)
    threading.Timer(
        0.5, lambda: store.record(Call(ask.key(model.name), model.name, ask, Answer("theirs"), 0.1, 1), other)
    ).start()
    start = time.monotonic()
    counts = run_calls(asks(3), model, store, config())
    assert time.monotonic() - start >= 0.4
    assert (counts.asked, counts.cached, counts.answered) == (2, 1, 3)
    assert store.get(ask.key(model.name)) == Answer("theirs")
    assert model.asked == {"0": 1, "2": 1}


def test_what_another_worker_gives_up_is_taken_over(store: CallStore) -> None:
    other, model = this_worker(), FakeModel()

    def give_up() -> None:
        with store.working(other):
            time.sleep(0.4)

    for ask in asks(6):
        store.claim(ask.key(model.name), other)
    threading.Thread(target=give_up).start()
    counts = run_calls(asks(6), model, store, config(max_calls=6))
    assert (counts.asked, counts.answered) == (6, 6)


def test_two_runs_in_one_process_share_the_work(store: CallStore) -> None:
    model = FakeModel(seconds=0.01)
    results: list[CallCounts] = []
    threads = [
        threading.Thread(target=lambda: results.append(run_calls(asks(60), model, store, config()))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(model.asked.values()) == {1}
    assert [r.total for r in results] == [r.answered for r in results] == [60, 60]
    assert sum(r.asked for r in results) == 60
    assert min(r.asked for r in results) > 10


def test_a_full_disk_ends_the_run_and_loses_no_row(store: CallStore) -> None:
    model = FakeModel(lambda ask, n: Answer("y" * 5000))
    run_calls(asks(3), model, store, config())
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(ArtifactError, match=r"the disk is full\. Finished stages are kept"):
        run_calls(asks(100), model, store, config())
    kept = store.counts()["answered"]
    assert 3 < kept < 100
    assert sum(model.asked.values()) <= kept + 4, "it stops at once"
    store._connection.execute("PRAGMA max_page_count = 1000000")
    counts = run_calls(asks(100), model, store, config())
    assert (counts.cached, counts.answered) == (kept, 100)


def test_the_bar_tells_failures_and_rate(store: CallStore) -> None:
    out = StringIO()
    model = FakeModel(lambda ask, n: _raise(CallFailed("filtered")) if ask.user == "3" else Answer("x", 100, 20), 0.02)
    with shown_on(Console(file=out, force_terminal=True, width=140)):
        run_calls(asks(60), model, store, config(price=(1000.0, 0.0)), total=60)
    shown = out.getvalue()
    assert "asking" in shown
    assert "/60" in shown
    assert "1 failed" in shown
    assert "/s" in shown
    assert "tokens" in shown
    assert "spent" in shown
