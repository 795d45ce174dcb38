"""One function over many items, in several processes: results in order, and a process that is killed is no loss.

What is given must be small and the function pure: an item that a dead process held is done again by another one.
"""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from medloom.errors import MedloomError, WorkerError

AHEAD = 4
"""Items in hand for each worker: at work, waiting, or done and waiting for their turn."""
_TRIES = 3
_SMALL = 16_384
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
class Task(Generic[Item]):
    """An item in hand.

    Attributes:
        number: Of the item.
        payload: Number and item, pickled.
        deaths: How many workers died at it.
    """

    number: int
    payload: Any
    deaths: int = 0


class Turns(Generic[Item, Result]):
    """Which item is to be given out next, and which result is to come next.

    Args:
        items: Consumed as the work goes on.
        most: Items in hand at once.
    """

    def __init__(self, items: Iterator[Item], most: int) -> None:
        self._items, self._most = items, most
        self._numbers = count()
        self._again: deque[Task[Item]] = deque()
        self._finished: dict[int, Result] = {}
        self._next = 0
        self._given = 0

    def take(self, largest: int | None = None) -> Task[Item] | None:
        """The next item; None if there is none, or none may be given out now.

        Args:
            largest: A task with more bytes stays for the next that may take it.
        """
        if not self._again and self._given < self._most:
            for item in self._items:
                number = next(self._numbers)
                self._again.append(Task(number, ForkingPickler.dumps((number, item))))
                self._given += 1
                break
        if not self._again or (largest is not None and len(self._again[0].payload) > largest):
            return None
        return self._again.popleft()

    def finish(self, number: int, result: Result) -> None:
        """Keep a result until its turn."""
        self._finished[number] = result

    def in_turn(self) -> Iterator[Result]:
        """The results whose turn has come."""
        while self._next in self._finished:
            self._next += 1
            self._given -= 1
            yield self._finished.pop(self._next - 1)

    def give_back(self, tasks: Sequence[Task[Item]], code: int | str | None) -> None:
        """Have what a dead worker held done again, in the order of the items.

        Args:
            tasks: That it had, the one that it was at first.
            code: How it ended.

        Raises:
            WorkerError: Three workers died at the same task.
        """
        if tasks:
            tasks[0].deaths += 1
            if tasks[0].deaths >= _TRIES:
                raise WorkerError(code, tasks[0].number)
        self._again = deque(sorted([*self._again, *tasks], key=lambda task: task.number))


@dataclass
class _Hand:
    """One process: what it is doing first, then what it does next."""

    process: BaseProcess
    wire: "connection.Connection[Any, Any]"
    tasks: deque[Task[Any]] = field(default_factory=deque)

    def is_free(self) -> bool:
        """Whether it can be given an item; a second one only if both fit into the wire, where none may block."""
        return not self.tasks or (len(self.tasks) == 1 and len(self.tasks[0].payload) <= _SMALL)


class _Crew(Generic[Item, Result]):
    """The processes of one call."""

    def __init__(self, function: Callable[[Item], Result], items: Iterator[Item], workers: int) -> None:
        self._function = function
        self._turns: Turns[Item, Result] = Turns(items, AHEAD * workers)
        self._context = get_context("spawn")
        self._hands = [self._hire() for _ in range(workers)]

    def results(self) -> Iterator[Result]:
        while True:
            self._hand_out()
            if not any(hand.tasks for hand in self._hands):
                return
            self._listen()
            yield from self._turns.in_turn()

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
                task = self._turns.take(largest=_SMALL if busy else None)
                if task is None:
                    continue
                hand.tasks.append(task)
                try:
                    hand.wire.send_bytes(task.payload)
                except OSError:
                    self._replace(place)

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
            self._turns.finish(number, value)

    def _replace(self, place: int) -> None:
        """Put a new process in the place of a dead one; what it held is done again, in the order of the items."""
        hand = self._hands[place]
        hand.wire.close()
        hand.process.join(_PATIENCE)
        self._turns.give_back(hand.tasks, hand.process.exitcode)
        self._hands[place] = self._hire()


def _serve(wire: "connection.Connection[Any, Any]", function: Callable[[Any], Any]) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            wire.send_bytes(answered(wire.recv_bytes(), function, _portable))


def answered(payload: bytes, function: Callable[[Any], Any], portable: Callable[[Exception], Exception]) -> bytes:
    """Work on a task: number and item come in, the number, whether it went well, and result or error go out, pickled.

    Args:
        payload: The number and the item.
        function: What is to be done with the item.
        portable: Makes an error one that may travel.
    """
    number, item = ForkingPickler.loads(payload)
    try:
        return bytes(ForkingPickler.dumps((number, True, function(item))))
    except Exception as error:
        return bytes(ForkingPickler.dumps((number, False, portable(error))))


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same where it cannot travel between processes."""
    with suppress(Exception):
        copy = ForkingPickler.loads(ForkingPickler.dumps(error))
        if type(copy) is type(error) and str(copy) == str(error):
            return error
    return MedloomError(str(error)) if isinstance(error, MedloomError) else RuntimeError(type(error).__name__)
