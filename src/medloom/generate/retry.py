"""Trying a call until it is answered: pauses that grow, and telling a bad call from a server that is gone."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from medloom.errors import MedloomError
from medloom.generate.chat import Answer, Ask, CallFailed, ChatModel, RetryLater
from medloom.generate.config import GenerateConfig
from medloom.identity import text_hash

PROBE = Ask(system="", user="Answer with the word: yes", temperature=0.0, max_tokens=16)
"""Asked when nothing else is answered, to see whether the server is there."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_TRIES_BEFORE_PROBE = 3
_PATIENCE = 0.5


class ServerGone(MedloomError):  # noqa: N818
    """Nothing was answered for ``max_wait`` seconds."""


class Stopped(Exception):  # noqa: N818
    """The run is ending: the call is left for the next one."""


def _wait(event: threading.Event, seconds: float) -> None:
    event.wait(seconds)


@dataclass(frozen=True)
class Clock:
    """How time is told and passed; tests put their own in.

    Attributes:
        now: Seconds from any start, never going back.
        wait: Waits so many seconds, or until the event is set.
    """

    now: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], None] = _wait


@dataclass(frozen=True)
class Tried:
    """How a call ended.

    Attributes:
        outcome: The answer, or why there is none.
        attempts: Tries.
        seconds: Time that the last try took.
    """

    outcome: Answer | str
    attempts: int
    seconds: float


@dataclass
class _Tries:
    """What a call has been through.

    Attributes:
        made: Tries.
        failed: Tries and probes that failed.
        counted: Tries that failed though the server was there, the first left out.
        since: When the first failed.
        last: When the last failed.
        busy: Whether the server said at the last when to come again, and may still be taken at its word.
    """

    made: int = 0
    failed: int = 0
    counted: int = 0
    since: float = 0.0
    last: float = 0.0
    busy: bool = False


class Retrier:
    """Makes the calls of one run, from many threads; what one of them learns of the server holds for all.

    Pauses grow exponentially with full jitter (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015). Where
    the server says how long to wait (Retry-After), all calls wait, and for half of ``max_wait`` no try counts: it is the
    server that is busy.

    A failed try counts against its call only if the server answered another that was sent after the call's try before: then
    it is the call that is at fault, not a server that is gone. Where nothing else is answered, because nothing is left or
    the server is gone, a short question that is about no document finds out which. The first failure never counts, so that
    a call has one more try than ``retries``, and two at least.

    Args:
        model: What is asked.
        config: Takes ``retries`` and ``max_wait``.
        clock: How time is told.
        stop: Set when the run ends.
        seed: What the jitter is drawn by.
    """

    def __init__(self, model: ChatModel, config: GenerateConfig, clock: Clock, stop: threading.Event, seed: str) -> None:
        self._model, self._config, self._clock, self._stop, self._seed = model, config, clock, stop, seed
        self._lock = threading.Lock()
        self._answers = 0
        self._there = -math.inf
        self._silent_since: float | None = None
        self._paused_until = 0.0
        self._draws = 0

    @property
    def answers(self) -> int:
        """How often the server answered so far, with a refusal of a single call too."""
        return self._answers

    def call(self, ask: Ask) -> Tried:
        """Make one call.

        Raises:
            ServerGone: The server answered nothing at all for ``max_wait`` seconds.
            ServerRefuses: No call will work.
            Stopped: The run ended first.
        """
        tries = _Tries()
        while True:
            self._hold()
            probing = tries.failed >= _TRIES_BEFORE_PROBE and self._there <= tries.last and not tries.busy
            tries.made += not probing
            start = self._clock.now()
            outcome: Answer | str
            try:
                outcome = self._model.ask(PROBE if probing else ask)
            except CallFailed as error:
                outcome = str(error)
            except RetryLater as error:
                left = self._failed(error, tries, probing)
                if tries.counted >= max(1, self._config.retries):
                    problem = f"no answer in {tries.made} tries; the last: {error}"
                    return Tried(problem, tries.made, self._clock.now() - start)
                if not error.after:
                    self._sleep(min(self._jitter(tries.failed), left))
                continue
            self._answered(start)
            if not probing:
                return Tried(outcome, tries.made, self._clock.now() - start)

    def _answered(self, sent: float) -> None:
        with self._lock:
            self._answers += 1
            self._there = max(self._there, sent)
            self._silent_since = None

    def _failed(self, error: RetryLater, tries: _Tries, probing: bool) -> float:
        """Take note of a failed try; returns the seconds that are left until a silent server is given up."""
        now = self._clock.now()
        with self._lock:
            if self._silent_since is None:
                self._silent_since = now
            silent = now - self._silent_since
            if error.after is not None:
                self._paused_until = max(self._paused_until, now + min(error.after, self._config.max_wait))
        if not tries.failed:
            tries.since = now
        tries.failed += 1
        tries.busy = error.after is not None and now - tries.since < self._config.max_wait * _PATIENCE
        if not probing:
            tries.counted += tries.made > 1 and self._there > tries.last and not tries.busy
            tries.last = now
        if silent >= self._config.max_wait:
            raise ServerGone(
                f"{self._model.name} has answered nothing for {silent:,.0f} s (max_wait), the last time: {error}. All "
                "answers so far are kept: when the server is back, give the same command again to go on"
            )
        return self._config.max_wait - silent

    def _jitter(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        with self._lock:
            self._draws += 1
            draw = int.from_bytes(text_hash(f"{self._seed}|{self._draws}", 8)) / 2**64
        return draw * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 30))

    def _hold(self) -> None:
        """Wait while the server has asked all to wait, and a moment more: not all at once."""
        waited = False
        while (left := self._paused_until - self._clock.now()) > 0:
            waited = True
            self._sleep(left)
        if waited:
            self._sleep(self._jitter(1))
        if self._stop.is_set():
            raise Stopped

    def _sleep(self, seconds: float) -> None:
        self._clock.wait(self._stop, seconds)
        if self._stop.is_set():
            raise Stopped
