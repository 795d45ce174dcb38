"""A cluster of this machine with two workers, started once."""

import os
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from medloom.engine import Engine, Sharing, open_engine
from medloom.parallel import Turns

KillAfter = Callable[..., list[int]]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def started() -> Iterator[None]:
    """A cluster of this machine, which takes some seconds to start; this process is connected to it."""
    if find_spec("ray") is None:
        pytest.skip("ray is not installed: pip install 'medloom[ray]'")
    from medloom.engine.on_ray import ray_engine

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
        with ray_engine(2):
            yield


@pytest.fixture
def cluster(started: None) -> Iterator[Engine]:
    """Two workers of it, each a process of its own."""
    with open_engine(Sharing(engine="ray", workers=2)) as engine:
        yield engine


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> KillAfter:
    """Has a worker killed when so many results are there; gives the list that its process id will stand in.

    ``at_work`` says of a process whether it has done any of the work, and so is one to kill.
    """

    def arrange(results: int, at_work: Callable[[int], bool] = lambda pid: True) -> list[int]:
        killed: list[int] = []
        seen = [0]
        finish: Callable[..., None] = Turns.finish

        def finish_and_kill(self: Any, number: int, result: Any) -> None:
            finish(self, number, result)
            seen[0] += 1
            if seen[0] == results:
                killed.append(next(filter(at_work, remote_workers())))
                os.kill(killed[0], signal.SIGKILL)

        monkeypatch.setattr(Turns, "finish", finish_and_kill)
        return killed

    return arrange


def remote_workers() -> list[int]:
    """Processes of this one's cluster that have work of ours."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::RemoteWorker"):
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def listened_on() -> set[tuple[str, str]]:
    """Addresses that this process and those below it listen on, with the names of the processes."""
    found = set()
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            open_now = process.net_connections("inet")
            found |= {(c.laddr.ip, process.name()) for c in open_now if c.status == psutil.CONN_LISTEN}
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found
