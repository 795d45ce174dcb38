"""Rate limits across processes, and clocks that were set back."""

import multiprocessing
import time
from pathlib import Path

from medloom.collect.turns import Turns


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


def _turns(path: Path, clock: Clock) -> Turns:
    return Turns(path, lambda: clock.now, clock.sleep)


def test_turns_lie_an_interval_apart_for_each_service(tmp_path: Path) -> None:
    clock = Clock()
    turns = _turns(tmp_path / "t.sqlite", clock)
    for service in ("a", "a", "b", "a"):
        turns.wait(service, 0.5)
    assert clock.slept == [0.0, 0.5, 0.0, 0.5]
    turns.wait("a", 0.0)
    assert clock.slept == [0.0, 0.5, 0.0, 0.5]


def test_a_busy_service_is_left_alone_by_all(tmp_path: Path) -> None:
    clock = Clock()
    _turns(tmp_path / "t.sqlite", clock).hold("a", 7.0)
    _turns(tmp_path / "t.sqlite", clock).wait("a", 0.5)
    assert clock.slept == [7.0]


def test_a_moment_that_a_wrong_clock_booked_counts_for_nothing(tmp_path: Path) -> None:
    clock = Clock()
    turns = _turns(tmp_path / "t.sqlite", clock)
    clock.now = 90_000.0
    turns.wait("a", 0.5)
    clock.now = 1_000.0
    turns.wait("a", 0.5)
    assert clock.slept == [0.0, 0.0]


def _take(path: Path, moments: "multiprocessing.queues.Queue[float]") -> None:
    turns = Turns(path)
    for _ in range(4):
        turns.wait("a", 0.05)
        moments.put(time.time())


def test_processes_share_the_turns(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    moments: multiprocessing.queues.Queue[float] = context.Queue()
    processes = [context.Process(target=_take, args=(tmp_path / "t.sqlite", moments)) for _ in range(3)]
    for process in processes:
        process.start()
    found = sorted(moments.get(timeout=20) for _ in range(12))
    for process in processes:
        process.join()
    assert found[-1] - found[0] >= 11 * 0.05 - 0.03
