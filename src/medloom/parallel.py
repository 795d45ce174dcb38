"""One function over many items, in several processes: results in order, and a process that is killed is no loss.

What is given must be small and the function pure: an item that a dead process held is done again by another one.
"""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from medloom.errors import MedloomError, WorkerError

_TRIES = 3
_SMALL = 16_384
_AHEAD = 4
_PATIENCE = 10.0
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1) -> Iterator[Result]:
    """Yield the function's result for each item, in the order of the items.

    A process that dies is replaced and its item done again. Nothing is kept but a few results that wait for their turn.

    Args:
        function: Of a module's top level (or a :func:`functools.partial` of one), since it is sent to new processes. The
            result may depend on the item alone.
        items: Consumed as the work goes on.
        workers: Processes; 1 does the work in this one.

    Raises:
        WorkerError: The processes that had an item have died three times, one after the other.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    crew = _Crew(function, iter(items), workers)
    try:
        yield from crew.results()
    finally:
        crew.dismiss()


@dataclass
class _Task(Generic[Item]):
    """An item in hand."""

    number: int
    payload: Any
    deaths: int = 0


@dataclass
class _Hand:
    """One process: what it is doing first, then what it does next."""

    process: BaseProcess
    wire: "connection.Connection[Any, Any]"
    tasks: deque[_Task[Any]] = field(default_factory=deque)

    def is_free(self) -> bool:
        """Whether it can be given an item; a second one only if both fit into the wire, where none may block."""
        return not self.tasks or (len(self.tasks) == 1 and len(self.tasks[0].payload) <= _SMALL)


class _Crew(Generic[Item, Result]):
    """The processes of one call."""

    def __init__(self, function: Callable[[Item], Result], items: Iterator[Item], workers: int) -> None:
        self._function = function
        self._items = items
        self._numbers = count()
        self._again: deque[_Task[Item]] = deque()
        self._finished: dict[int, Result] = {}
        self._next = 0
        self._given = 0
        self._most = _AHEAD * workers
        self._context = get_context("spawn")
        self._hands = [self._hire() for _ in range(workers)]

    def results(self) -> Iterator[Result]:
        while True:
            self._hand_out()
            if not any(hand.tasks for hand in self._hands):
                return
            self._listen()
            while self._next in self._finished:
                self._next += 1
                self._given -= 1
                yield self._finished.pop(self._next - 1)

    def dismiss(self) -> None:
        """End every process; one that is at work is stopped."""
        for hand in self._hands:
            hand.wire.close()
            if hand.tasks:
                hand.process.terminate()
        for hand in self._hands:
            hand.process.join(_PATIENCE)
            if hand.process.is_alive():
                hand.process.kill()
                hand.process.join()

    def _hire(self) -> _Hand:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._function), daemon=True)
        process.start()
        theirs.close()
        return _Hand(process, ours)

    def _hand_out(self) -> None:
        for busy in (0, 1):
            for place, hand in enumerate(self._hands):
                if len(hand.tasks) != busy or not hand.is_free():
                    continue
                task = self._take(small=bool(busy))
                if task is None:
                    continue
                hand.tasks.append(task)
                try:
                    hand.wire.send_bytes(task.payload)
                except OSError:
                    self._replace(place)

    def _take(self, small: bool) -> "_Task[Item] | None":
        """The next item, if one may be given out now."""
        if self._again:
            fits = not small or len(self._again[0].payload) <= _SMALL
            return self._again.popleft() if fits else None
        if self._given >= self._most:
            return None
        for item in self._items:
            number = next(self._numbers)
            task: _Task[Item] = _Task(number, ForkingPickler.dumps((number, item)))
            self._given += 1
            if small and len(task.payload) > _SMALL:
                self._again.append(task)
                return None
            return task
        return None

    def _listen(self) -> None:
        """Take what is ready, waiting for the first."""
        ready = connection.wait([hand.wire for hand in self._hands if hand.tasks])
        for place, hand in enumerate(self._hands):
            if hand.wire not in ready:
                continue
            try:
                number, good, value = hand.wire.recv()
            except (EOFError, OSError):
                self._replace(place)
                continue
            if not good:
                raise value
            hand.tasks.popleft()
            self._finished[number] = value

    def _replace(self, place: int) -> None:
        """Put a new process in the place of a dead one; what it held is done again, in the order of the items."""
        hand = self._hands[place]
        hand.wire.close()
        hand.process.join(_PATIENCE)
        first = hand.tasks[0]
        first.deaths += 1
        if first.deaths >= _TRIES:
            raise WorkerError(hand.process.exitcode, first.number)
        self._again = deque(sorted([*self._again, *hand.tasks], key=lambda task: task.number))
        self._hands[place] = self._hire()


def _serve(wire: "connection.Connection[Any, Any]", function: Callable[[Any], Any]) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            number, item = wire.recv()
            try:
                answer = ForkingPickler.dumps((number, True, function(item)))
            except Exception as error:
                answer = ForkingPickler.dumps((number, False, _portable(error)))
            wire.send_bytes(answer)


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same where it cannot travel between processes."""
    with suppress(Exception):
        copy = ForkingPickler.loads(ForkingPickler.dumps(error))
        if type(copy) is type(error) and str(copy) == str(error):
            return error
    return MedloomError(str(error)) if isinstance(error, MedloomError) else RuntimeError(type(error).__name__)
