"""Work that is shared among processes: in order, and none of it lost or done for nothing when one is killed."""

import math
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest

from medloom.errors import MedloomError, RowError, StageError, WorkerError
from medloom.parallel import in_order

_FUNCTIONS = """
import os
import signal
import time
from pathlib import Path

from medloom.errors import RowError


class Odd(Exception):
    def __init__(self, one, two):
        super().__init__("odd")


def slow_first(number):
    time.sleep(0.2 if number == 0 else 0)
    return number * number


def process(number):
    time.sleep(0.02)
    return os.getpid()


def long(item):
    return bytes(item)


def doubled(text):
    return text + text


def dies_once(number, folder):
    mark = Path(folder, str(number))
    if number in (2, 5) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_dies(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fails(number, how):
    if number == 2:
        raise {"row": RowError("file, line 3", "is bad"), "odd": Odd(1, 2), "value": ValueError("plain")}[how]
    return number


def unsendable(number):
    return lambda: number
"""


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that new processes can import."""
    (tmp_path / "shared_functions.py").write_text(_FUNCTIONS, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shared_functions", raising=False)
    return import_module("shared_functions")


@pytest.fixture(autouse=True)
def nobody_stays() -> Iterator[None]:
    """No test leaves a process behind."""
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order(functions: Any, workers: int) -> None:
    assert list(in_order(functions.slow_first, range(40), workers)) == [n * n for n in range(40)]
    assert list(in_order(math.sqrt, [], workers)) == []


def test_one_worker_is_this_process_and_more_are_others(functions: Any) -> None:
    assert set(in_order(functions.process, range(3), 1)) == {os.getpid()}
    others = set(in_order(functions.process, range(12), 2))
    assert len(others) == 2
    assert os.getpid() not in others


def test_items_are_taken_as_the_work_goes_on(functions: Any) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(1_000):
            taken.append(number)
            yield number

    results = in_order(functions.slow_first, items(), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(taken) < 30
    results.close()  # type: ignore[attr-defined]


def test_large_items_and_large_results_do_not_block(functions: Any) -> None:
    sizes = [3_000_000, 10, 2_000_000, 1_000_000, 10, 10]
    assert [len(result) for result in in_order(functions.long, sizes, 2)] == sizes
    texts = ["x" * size for size in sizes]
    assert [len(result) for result in in_order(functions.doubled, texts, 2)] == [2 * size for size in sizes]


def test_killed_workers_are_replaced_and_nothing_is_lost_or_twice(functions: Any, tmp_path: Path) -> None:
    found = list(in_order(partial(functions.dies_once, folder=tmp_path), range(30), 2))
    assert found == list(range(30))
    assert (tmp_path / "2").exists()
    assert (tmp_path / "5").exists()


def test_an_item_that_kills_every_worker_ends_the_work_with_a_clear_error(functions: Any) -> None:
    done: list[int] = []
    with pytest.raises(WorkerError, match=r"ended with -9 at part 4 of the work.*set workers lower"):
        done.extend(in_order(functions.always_dies, range(30), 2))
    assert done == [] or done == list(range(len(done)))


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [("row", MedloomError, "file, line 3: is bad"), ("odd", RuntimeError, "Odd"), ("value", ValueError, "plain")],
)
def test_errors_of_the_function_come_through(functions: Any, how: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        list(in_order(partial(functions.fails, how=how), range(10), 2))
    with pytest.raises(RowError if how == "row" else Exception):
        list(in_order(partial(functions.fails, how=how), range(10), 1))


def test_a_result_that_cannot_travel_is_an_error(functions: Any) -> None:
    with pytest.raises(Exception, match=r"pickle|lambda"):
        list(in_order(functions.unsendable, range(3), 2))


def test_workers_end_when_the_process_that_gave_them_work_is_killed(functions: Any, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import shared_functions\nfrom medloom.parallel import in_order\nif __name__ == '__main__':\n"
        "    for pid in in_order(shared_functions.process, iter(int, 1), 2):\n        print(pid, flush=True)\n",
        "utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        workers = {int(process.stdout.readline()) for _ in range(20)}
        process.kill()
        deadline = time.monotonic() + 30
        while any(map(_is_running, workers)):
            assert time.monotonic() < deadline, "workers are still there"
            time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_errors_of_the_items_come_through(functions: Any) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise StageError("no more")

    with pytest.raises(StageError, match="no more"):
        list(in_order(functions.slow_first, items(), 2))


def test_an_error_of_a_worker_can_travel_on() -> None:
    call: Callable[..., Any]
    call, arguments = WorkerError(-9, 3).__reduce__()
    assert str(call(*arguments)) == str(WorkerError(-9, 3))
