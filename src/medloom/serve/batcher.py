"""Continuous batching: all requests' texts wait in one queue, and one thread takes as many as the model reads well at once.

Nothing waits for a batch to fill: while the model works, the next batch gathers. Requests share the model fairly by tokens
(start-time fair queueing, Goyal, Vin and Cheng 1996), so a question does not wait behind a thousand documents.
"""

import asyncio
import heapq
import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from medloom.serve.errors import ApiError
from medloom.serve.metrics import Metrics

_LOG = logging.getLogger("medloom.serve")
_MEMORY = 0.8
_FIRST_RATE = 2_000.0
_LONGEST_WAIT = 120
_STALL_SECONDS = 300.0
_JOIN_SECONDS = 5.0

Work = Callable[[Sequence[Any]], Sequence[Any]]


class Turns:
    """A lock that is handed on in the order in which it was asked for: models share the cores batch by batch."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._next = 0
        self._now = 0

    def __enter__(self) -> None:
        with self._change:
            mine = self._next
            self._next += 1
            self._change.wait_for(lambda: self._now == mine)

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._now += 1
            self._change.notify_all()


@dataclass(eq=False, slots=True)
class _Job:
    """A request's share of the queue."""

    done: "asyncio.Future[list[Any]]"
    loop: asyncio.AbstractEventLoop
    results: list[Any]
    left: int
    items: list["_Item"] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Item:
    """Something to compute, and who waits for it."""

    key: Any
    tokens: int
    waiters: list[tuple[_Job, int]]
    running: bool = False


class Batcher:
    """One model's queue and thread.

    Args:
        name: Of the model.
        work: Keys in, as many results out; called in the thread alone.
        prepare: Called once in the thread before all else.
        turns: Shared by models that share the cores.
        batch_tokens: Tokens that go to ``work`` at once; a longer item goes alone.
        queue_tokens: Tokens that may wait.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        prepare: Callable[[], None],
        turns: Turns,
        batch_tokens: int,
        queue_tokens: int,
        metrics: Metrics,
    ) -> None:
        self._name = name
        self._work = work
        self._prepare = prepare
        self._turns = turns
        self._batch_tokens = batch_tokens
        self._queue_tokens = queue_tokens
        self._metrics = metrics
        self._change = threading.Condition()
        self._heap: list[tuple[int, int, _Item]] = []
        self._items: dict[Hashable, _Item] = {}
        self._counter = 0
        self._clock = 0
        self._texts = 0
        self._tokens = 0
        self._lately = (_FIRST_RATE, 1.0)
        self._began: float | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"medloom-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after the batch at hand; what waits is given up."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join(_JOIN_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether the thread lives and is not stuck in a batch."""
        began = self._began
        return self._thread.is_alive() and (began is None or time.monotonic() - began < _STALL_SECONDS)

    @property
    def rate(self) -> float:
        """Tokens a second of late."""
        tokens, seconds = self._lately
        return tokens / max(seconds, 1e-9)

    @property
    def waiting(self) -> tuple[int, int]:
        """Texts and tokens that wait."""
        return self._texts, self._tokens

    async def submit(self, keys: Sequence[Hashable], tokens: Sequence[int], timeout: float) -> list[Any]:
        """The results for some keys. Equal keys are computed once, those of other requests in the queue included.

        Args:
            keys: What ``work`` understands.
            tokens: How many tokens each has.
            timeout: Seconds to wait.

        Raises:
            ApiError: The queue is full (429), the time is over (504), or the model failed (500).
        """
        loop = asyncio.get_running_loop()
        job = _Job(loop.create_future(), loop, [None] * len(keys), len(keys))
        if not keys:
            return []
        with self._change:
            self._admit(job, keys, tokens, timeout)
            self._change.notify()
        try:
            async with asyncio.timeout(timeout):
                return await job.done
        except TimeoutError:
            raise ApiError(
                504,
                "no answer in time: send fewer texts at once, or try again later",
                code="timeout",
                retry_after=self._wait(0),
            ) from None
        finally:
            if job.left:
                with self._change:
                    self._withdraw(job)

    def _admit(self, job: _Job, keys: Sequence[Hashable], tokens: Sequence[int], timeout: float) -> None:
        """Queue what is not in the queue yet, each behind the request's own items before it."""
        fresh = {key: size for key, size in zip(keys, tokens, strict=True) if key not in self._items}
        size = sum(fresh.values())
        if self._closing:
            raise ApiError(503, "the server is shutting down", code="draining", retry_after=1)
        full = self._tokens + size > self._queue_tokens or self._tokens > timeout * self.rate
        if fresh and self._tokens and full:
            wait = self._wait(max(0, self._queue_tokens - size))
            raise ApiError(429, f"too many texts wait: try again in {wait} s", code="queue_full", retry_after=wait)
        start = self._clock
        for position, key in enumerate(keys):
            item = self._items.get(key)
            if item is None:
                item = self._items[key] = _Item(key, fresh[key], [])
                heapq.heappush(self._heap, (start, self._counter, item))
                self._counter += 1
                start += fresh[key]
            item.waiters.append((job, position))
            job.items.append(item)
        self._texts += len(fresh)
        self._tokens += size
        self._metrics.waiting(self._name, self._texts, self._tokens)

    def _wait(self, until: int) -> int:
        """Whole seconds until no more than so many tokens wait, at the speed of late."""
        seconds = (self._tokens - until) / self.rate
        return max(1, min(_LONGEST_WAIT, math.ceil(seconds)))

    def _withdraw(self, job: _Job) -> None:
        """Drop what only this request waits for and is not being computed."""
        for item in job.items:
            item.waiters = [waiter for waiter in item.waiters if waiter[0] is not job]
            if not item.waiters and not item.running and self._items.get(item.key) is item:
                del self._items[item.key]
                self._texts -= 1
                self._tokens -= item.tokens
        if len(self._heap) > 2 * self._texts:
            self._heap = [entry for entry in self._heap if entry[2].waiters]
            heapq.heapify(self._heap)
        self._metrics.waiting(self._name, self._texts, self._tokens)

    def _take(self) -> list[_Item]:
        """The next batch; empty at the end."""
        batch: list[_Item] = []
        tokens = 0
        with self._change:
            self._change.wait_for(lambda: self._texts or self._closing)
            while self._heap and not self._closing:
                start, _, item = self._heap[0]
                if item.waiters and batch and tokens + item.tokens > self._batch_tokens:
                    break
                heapq.heappop(self._heap)
                if not item.waiters:
                    continue
                self._clock = start
                item.running = True
                batch.append(item)
                tokens += item.tokens
            self._texts -= len(batch)
            self._tokens -= tokens
            self._metrics.waiting(self._name, self._texts, self._tokens)
        return batch

    def _run(self) -> None:
        self._prepare()
        while batch := self._take():
            with self._turns:
                self._began = time.monotonic()
                results = self._compute([item.key for item in batch])
                seconds = time.monotonic() - self._began
                self._began = None
            tokens = sum(item.tokens for item in batch)
            self._lately = (_MEMORY * self._lately[0] + tokens, _MEMORY * self._lately[1] + seconds)
            self._metrics.batch(self._name, len(batch), tokens, seconds)
            self._hand_out(batch, results)

    def _compute(self, keys: list[Any]) -> list[Any]:
        """Results, with an :class:`ApiError` in place of each that fails: a text that fails takes no other with it."""
        try:
            return list(self._work(keys))
        except Exception as error:  # whatever a model raises must not end the thread
            if len(keys) > 1:
                half = len(keys) // 2
                return self._compute(keys[:half]) + self._compute(keys[half:])
            _LOG.error("model %s failed at a text: %s", self._name, type(error).__name__)
            return [ApiError(500, "the model failed at a text of this request", code="model_failed")]

    def _hand_out(self, batch: list[_Item], results: list[Any]) -> None:
        ended: list[_Job] = []
        with self._change:
            for item, result in zip(batch, results, strict=True):
                del self._items[item.key]
                for job, position in item.waiters:
                    job.results[position] = result
                    job.left -= 1
                    if not job.left:
                        ended.append(job)
        for loop in {job.loop for job in ended}:
            mine = [job for job in ended if job.loop is loop]
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if not job.done.done():
            failure = next((result for result in job.results if isinstance(result, ApiError)), None)
            if failure is None:
                job.done.set_result(job.results)
            else:
                job.done.set_exception(failure)
