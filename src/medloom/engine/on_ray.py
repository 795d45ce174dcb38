"""Workers of a ray cluster: one that is there (RAYADDRESS), or one on this machine that is gone afterwards.

What ray is told of the work are the names of a class and its methods. Functions, items and results are bytes to it, and an
error of a function comes back as such bytes: ray never sees it raised, so none stands in its logs. Errors that are not our
own come back as the kind and the place alone, since their message may quote a text. Ray's reports of use are off, and a
cluster that is started here has no dashboard and listens on the loopback address.
"""

import logging
import os
import pickle
import platform
import secrets
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from medloom import __version__
from medloom.engine.base import ADDRESS
from medloom.errors import ClusterError, MedloomError
from medloom.parallel import AHEAD, Task, Turns, answered

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What makes ray take the loopback address for a cluster of one machine, as it does on other systems than Linux."""
_MODE, _TOKEN, _TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_TOKEN_FILE = Path("~/.ray/auth_token").expanduser()
_AT_ONCE = 2
_ROOM = 120.0
_TURN = 1.0
_SEEN = 30.0
_LOST = "the loss of its process or machine"
_STARTS = 3
_CONNECTS = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def ray_engine(workers: int, cores: int = 1, gpus: float = 0.0) -> Iterator["RayEngine"]:
    """Workers of the cluster that this process is connected to, else of the one that RAYADDRESS names, else of a new one.

    Args:
        workers: How many.
        cores: Processor cores of each.
        gpus: GPUs of each.

    Raises:
        ClusterError: ray is not installed, the cluster cannot be reached, or one cannot be started here.
    """
    library = ray_library()
    ours = not library.is_initialized()
    if ours:
        _connect(library, os.environ.get(ADDRESS), workers * cores, -int(-workers * gpus // 1) if gpus else 0)
    engine = RayEngine(library, workers, cores, gpus)
    try:
        yield engine
    finally:
        engine.close()
        if ours:
            library.shutdown()


def ray_library() -> Any:  # noqa: ANN401
    """Ray, with its reports of use turned off.

    A cluster of this machine takes orders only from who has a token, drawn for the process; to a cluster that is joined the
    user's own is shown, if there is one.

    Raises:
        ClusterError: It is not installed.
    """
    os.environ.update(_QUIET)
    if _joins():
        if _MODE not in os.environ and (_TOKEN in os.environ or _TOKEN_PATH in os.environ or _TOKEN_FILE.is_file()):
            os.environ[_MODE] = "token"
    else:
        os.environ.update(_LOOPBACK)
        if os.environ.setdefault(_MODE, "token") == "token" and _TOKEN_PATH not in os.environ:
            os.environ.setdefault(_TOKEN, secrets.token_hex(32))
    try:
        import ray
    except ImportError as error:
        raise ClusterError("the engine ray needs the package ray: pip install 'medloom[ray]'") from error
    return ray


class RayEngine:
    """Workers of a cluster, each a process of its own. They stay for the next piece of work, with the models they hold.

    Args:
        library: Ray, connected.
        workers: How many.
        cores: Processor cores of each.
        gpus: GPUs of each.
    """

    def __init__(self, library: Any, workers: int, cores: int = 1, gpus: float = 0.0) -> None:  # noqa: ANN401
        self._library, self._workers, self._cores = library, workers, cores
        options = {"num_cpus": cores, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        self._kind = library.remote(RemoteWorker).options(**options)
        self._idle: list[Any] = []

    @property
    def workers(self) -> int:
        """How many work at once."""
        return self._workers

    @property
    def is_here(self) -> bool:
        """Never: another process does the work, if only one."""
        return False

    def in_order(
        self, function: Callable[[Item], Result], items: Iterable[Item], shared: Sequence[Path] = ()
    ) -> Iterator[Result]:
        """See :class:`~medloom.engine.Engine`."""
        needs = _Needs(_facts(), tuple(map(str, shared)))
        given = self._library.put(pickle.dumps(function)), needs
        crew: _Crew[Item, Result] = _Crew(self._library, self._worker, given, iter(items), self._workers)
        try:
            yield from crew.results()
        finally:
            self._idle += crew.dismiss()

    def close(self) -> None:
        """End the workers."""
        while self._idle:
            self._library.kill(self._idle.pop())

    def _worker(self) -> Any:  # noqa: ANN401
        return self._idle.pop() if self._idle else self._kind.remote(self._cores)


@dataclass(frozen=True)
class _Needs:
    """What a worker must be like.

    Attributes:
        facts: Versions that must be the driver's.
        shared: Paths that it must see.
    """

    facts: dict[str, str]
    shared: tuple[str, ...]


class RemoteWorker:
    """One process of the cluster.

    Args:
        cores: That it may use.
    """

    def __init__(self, cores: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(cores)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._function: Callable[[Any], Any] | None = None

    def greet(self, function: bytes, needs: _Needs) -> str:
        """Get ready for a piece of work; returns what the worker lacks, or nothing.

        Args:
            function: What is to be done, pickled.
            needs: What the worker must be like.
        """
        facts = _facts()
        other = [f"{name} {facts[name]}, not {was}" for name, was in needs.facts.items() if facts[name] != was]
        if other:
            return f"has {' and '.join(other)}: install the same on every machine"
        unseen = [path for path in needs.shared if not _is_seen(Path(path))]
        if unseen:
            return (
                f"does not see {unseen[0]}: the files of a run must lie in a folder that every machine of the cluster has "
                "under the same path"
            )
        try:
            self._function = pickle.loads(function)
        except Exception as error:
            return f"cannot load the work ({type(error).__name__}): install the same medloom on every machine"
        return ""

    def work(self, payload: bytes) -> bytes:
        """Work on a task; see :func:`medloom.parallel.answered`."""
        if self._function is None:
            raise RuntimeError("not ready")
        return answered(payload, self._function, portable)


def portable(error: Exception) -> Exception:
    """The error if it is one of ours, whose messages quote no text; else one that names its kind and place."""
    if isinstance(error, MedloomError):
        with suppress(Exception):
            copy = pickle.loads(pickle.dumps(error))
            if type(copy) is type(error) and str(copy) == str(error):
                return error
        return MedloomError(str(error))
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return ClusterError(
        f"a worker's part of the work ended in a {type(error).__name__}{where}; its message is not shown, as it may quote "
        "text: the engine local shows it on this machine"
    )


@dataclass
class _Hand:
    """One worker, as the driver knows it."""

    actor: Any
    greeting: Any
    hired: float
    tasks: deque[Task[Any]] = field(default_factory=deque)
    refs: deque[Any] = field(default_factory=deque)

    @property
    def is_ready(self) -> bool:
        """Whether it has greeted."""
        return self.greeting is None


class _Crew(Generic[Item, Result]):
    """The workers of one call."""

    def __init__(
        self,
        library: Any,  # noqa: ANN401
        worker: Callable[[], Any],
        given: tuple[Any, _Needs],
        items: Iterator[Item],
        workers: int,
    ) -> None:
        self._library, self._worker, self._given = library, worker, given
        self._turns: Turns[Item, Result] = Turns(items, AHEAD * workers)
        self._workers = workers
        self._failed_starts = 0
        self._hands: list[_Hand] = []

    def results(self) -> Iterator[Result]:
        task = self._turns.take()
        if task is not None:
            self._hands += [self._hire() for _ in range(self._workers)]
        while task is not None or any(hand.tasks for hand in self._hands):
            task = self._hand_out(task)
            self._listen()
            yield from self._turns.in_turn()
            task = task or self._turns.take()

    def dismiss(self) -> list[Any]:
        """Stop those that are at work; returns the others."""
        free = []
        for hand in self._hands:
            if self._awaits(hand):
                self._kill(hand)
            else:
                free.append(hand.actor)
        return free

    def _kill(self, hand: _Hand) -> None:
        with suppress(Exception):
            self._library.kill(hand.actor)

    def _hire(self) -> _Hand:
        actor = self._worker()
        return _Hand(actor, actor.greet.remote(*self._given), time.monotonic())

    def _hand_out(self, task: Task[Item] | None) -> Task[Item] | None:
        """Give work to those that have least of it; returns a task that nobody could take.

        A task that a worker died at is done alone: of two in one hand, nobody can tell at which it died.
        """
        for busy in range(_AT_ONCE):
            for hand in self._hands:
                if not hand.is_ready or len(hand.tasks) != busy or any(held.deaths for held in hand.tasks):
                    continue
                task = task or self._turns.take()
                if task is None:
                    return None
                if busy and task.deaths:
                    return task
                hand.tasks.append(task)
                hand.refs.append(hand.actor.work.remote(bytes(task.payload)))
                task = None
        return task

    def _listen(self) -> None:
        """Take what is there, waiting a moment for the first."""
        first = {hand.refs[0] if hand.is_ready else hand.greeting: hand for hand in self._hands if self._awaits(hand)}
        done, _ = self._library.wait(list(first), num_returns=1, timeout=_TURN)
        for ref in done:
            hand = first[ref]
            if hand.is_ready:
                self._take(hand, ref)
            else:
                self._welcome(hand, ref)
        self._check_room()

    @staticmethod
    def _awaits(hand: _Hand) -> bool:
        return bool(hand.tasks) or not hand.is_ready

    def _take(self, hand: _Hand, ref: Any) -> None:  # noqa: ANN401
        try:
            number, good, value = pickle.loads(self._library.get(ref))
        except self._library.exceptions.RayError:
            self._replace(hand)
            return
        if not good:
            raise value
        hand.tasks.popleft()
        hand.refs.popleft()
        self._turns.finish(number, value)

    def _welcome(self, hand: _Hand, ref: Any) -> None:  # noqa: ANN401
        try:
            lacks = self._library.get(ref)
        except self._library.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS + self._workers:
                raise ClusterError(
                    f"workers of the cluster do not start ({type(error).__name__}): is the same medloom installed on every "
                    "machine, and is there memory left?"
                ) from None
            self._replace(hand)
            return
        if lacks:
            raise ClusterError(f"a worker of the cluster {lacks}")
        hand.greeting = None
        self._failed_starts = 0

    def _replace(self, hand: _Hand) -> None:
        """Put a new worker in the place of a dead one; what it held is done again."""
        self._kill(hand)
        self._turns.give_back(hand.tasks, _LOST)
        self._hands[self._hands.index(hand)] = self._hire()

    def _check_room(self) -> None:
        """A cluster with fewer free cores than were asked for does with fewer workers, but not with none."""
        if any(hand.is_ready for hand in self._hands) or time.monotonic() < min(h.hired for h in self._hands) + _ROOM:
            return
        free = self._library.available_resources()
        raise ClusterError(
            f"the cluster had no room for a worker in {_ROOM:.0f} s (free now: {free.get('CPU', 0):g} cores, "
            f"{free.get('GPU', 0):g} GPUs): set worker_cores and worker_gpus to what a machine of it has, or add machines"
        )


def _connect(library: Any, address: str | None, cores: int, gpus: int) -> None:  # noqa: ANN401
    """Join a cluster, or start one for this process; on a machine that is busy that may need a second try."""
    joins = _joins()
    where: dict[str, Any] = {"address": "local", "num_cpus": cores, "num_gpus": gpus, "include_dashboard": False}
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "medloom"}
    for tries in range(_CONNECTS):
        try:
            library.init(**({"address": address} if joins else where), **quiet)
            return
        except Exception as error:
            with suppress(Exception):
                library.shutdown()
            if not joins and tries + 1 < _CONNECTS:
                continue
            what = f"the cluster at {address} cannot be joined" if joins else "no cluster can be started on this machine"
            reason = str(error).strip().split("\n")[0][:200]
            raise ClusterError(f"{what} ({type(error).__name__}: {reason})") from error


def _joins() -> bool:
    """Whether there is a cluster to join."""
    return os.environ.get(ADDRESS, "local") not in ("", "local")


def _facts() -> dict[str, str]:
    """What must be the same on all machines."""
    return {"medloom": __version__, "Python": ".".join(platform.python_version_tuple()[:2])}


def _is_seen(path: Path) -> bool:
    """Whether a path is there; a network disk may show a new one a little later."""
    deadline = time.monotonic() + _SEEN
    while not path.exists():
        if time.monotonic() > deadline or not path.parent.exists():
            return False
        with suppress(OSError):
            next(path.parent.iterdir(), None)
        time.sleep(_TURN)
    return True
