"""Making all calls of a job: many at once, each exactly once, whatever is killed in between."""

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from medloom.errors import MedloomError
from medloom.generate.budget import Budget, cost
from medloom.generate.calls import Call, CallStore, Spent, State, now
from medloom.generate.chat import Answer, Ask, ChatModel
from medloom.generate.config import GenerateConfig
from medloom.generate.retry import Clock, Retrier, Stopped
from medloom.progress import NotedAdvance, noted_bar
from medloom.workers import Worker, this_worker

GRACE = 5.0
"""Seconds that calls in flight are given when the run is broken off."""
_TURN = 0.2
_SHARE = 10
_MOST_HELD = 1_024
_MOST_REASONS = 20
_OTHER_REASONS = "other reasons"


@dataclass
class CallCounts:
    """What became of a job's calls: total = answered + failed + not asked.

    Attributes:
        asked: Calls that this run made, to the end.
        answered: Calls that have an answer.
        cached: Of these, those that this run did not make: made before, by another worker, or equal to one made.
        failed: Calls that have none, by reason.
        not_asked: Calls left when a limit was reached.
        prompt_tokens: Of the calls that this run made; estimated where the server does not say.
        completion_tokens: Likewise.
        cost: Of these tokens by ``price``.
        seconds: Wall time of this run.
    """

    asked: int = 0
    answered: int = 0
    cached: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    not_asked: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0

    @property
    def failures(self) -> int:
        """Calls that failed."""
        return sum(self.failed.values())

    @property
    def total(self) -> int:
        """Calls in all, equal ones included."""
        return self.answered + self.failures + self.not_asked

    @property
    def tokens(self) -> int:
        """Prompts and answers of the calls that this run made."""
        return self.prompt_tokens + self.completion_tokens

    def fail(self, reason: str) -> None:
        """Count a failure; a reason that is the twenty-first of its kind goes to the others."""
        known = reason in self.failed or len(self.failed) < _MOST_REASONS
        name = reason if known else _OTHER_REASONS
        self.failed[name] = self.failed.get(name, 0) + 1


class BudgetReached(MedloomError):  # noqa: N818
    """A limit was reached and the recipe says to stop.

    Args:
        limit: Which, with its value.
        counts: What became of the calls up to there.
    """

    def __init__(self, limit: str, counts: CallCounts) -> None:
        super().__init__(
            f"generate: {limit} is reached. All answers so far are kept: raise it and give the same command again to go on, "
            "or set on_budget: go_on to make do with them"
        )
        self.counts = counts


class CallCrashed(MedloomError):  # noqa: N818
    """A call ended in an error that no model should raise."""


def run_calls(
    asks: Callable[[], Iterable[Ask]] | Iterable[Ask],
    model: ChatModel,
    store: CallStore,
    config: GenerateConfig,
    total: int | None = None,
    *,
    retry_failed: bool = False,
    clock: Clock | None = None,
) -> CallCounts:
    """Have an answer, or the reason why there is none, for every ask, in the store.

    What the store holds is not asked again, equal asks are asked once, and several workers on one store share the asks
    between them: each returns when all is there. The first call goes alone, so that a wrong model or key costs one request.

    Args:
        asks: What to ask, or what gives it; consumed lazily, about as many ahead as are in flight. With a limit in
            ``config`` it is gone through once beforehand, where it can be gone through twice, to count what the job has
            spent already.
        model: Called from up to ``config.concurrency`` threads.
        store: Holds the answers; a row for each call as soon as it ends.
        config: Concurrency, retries and limits.
        total: How many asks there are, for the progress bar.
        retry_failed: Ask again what failed in earlier runs.
        clock: How time is told and passed.

    Returns:
        What became of the asks.

    Raises:
        BudgetReached: A limit was reached and ``config.on_budget`` is ``stop``.
        ServerGone: Nothing was answered for ``config.max_wait`` seconds.
        ServerRefuses: No call will work; none is marked as failed.
        ArtifactError: The disk is full or the store damaged.
        CallCrashed: The model raised something else. The message does not quote it: it may hold the text.
    """
    worker = this_worker()
    with closing(Budget(config, store, worker)) as budget:
        if budget.limited and (callable(asks) or iter(asks) is not asks):
            total = budget.expect(ask.key(model.name) for ask in (asks() if callable(asks) else asks))
        run = _Run(model, store, config, budget, worker, now() if retry_failed else None, clock or Clock())
        return run.go(asks() if callable(asks) else asks, total)


@dataclass(frozen=True)
class _Result:
    """What a thread reports: the end of a call, or what ends the run."""

    key: str
    outcome: Answer | str | None = None
    fatal: BaseException | None = None


class _Run:
    """One run. All of it but :meth:`_call` happens in the caller's thread."""

    def __init__(
        self,
        model: ChatModel,
        store: CallStore,
        config: GenerateConfig,
        budget: Budget,
        worker: Worker,
        retry_before: str | None,
        clock: Clock,
    ) -> None:
        self._model, self._store, self._config, self._budget, self._worker = model, store, config, budget, worker
        self._retry_before, self._clock = retry_before, clock
        self._stop = threading.Event()
        self._retrier = Retrier(model, config, clock, self._stop, self._worker.run)
        self._results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._flying: set[str] = set()
        self._held: list[tuple[str, Ask]] = []
        self._reached = False
        self._next_visit = 0.0
        self._advance: NotedAdvance = lambda n=1, note="": None
        self.counts = CallCounts()

    def go(self, asks: Iterable[Ask], total: int | None) -> CallCounts:
        """Ask all; see :func:`run_calls`."""
        self._start = self._clock.now()
        with noted_bar("asking", total, "calls") as self._advance, self._store.working(self._worker):
            try:
                for ask in asks:
                    self._admit(ask)
                    if self._stops:
                        break
                while self._flying or (self._held and not self._stops):
                    self._turn()
            except BaseException:
                self._break_off()
                raise
        self.counts.seconds = self._clock.now() - self._start
        if self._stops:
            raise BudgetReached(self._budget.reached(self._budget.spent), self.counts)
        return self.counts

    @property
    def _stops(self) -> bool:
        return self._reached and self._config.on_budget == "stop"

    def _admit(self, ask: Ask) -> None:
        """Start a call, unless that is not needed or not allowed; returns when there is room for the next."""
        key = ask.key(self._model.name)
        while not self._results.empty():
            self._settle(self._results.get_nowait())
        if self._dispose(self._store.look(key, self._retry_before), key, ask):
            return
        while len(self._held) >= _MOST_HELD or not self._may_start():
            if self._reached:
                self._leave()
                return
            self._turn()
        self._take(key, ask)

    def _may_start(self) -> bool:
        """Whether one more call may be made now; sets whether a limit is reached."""
        if len(self._flying) >= (self._config.concurrency if self._retrier.answers else 1):
            return False
        verdict = self._budget.verdict()
        self._reached = self._reached or verdict == "reached"
        return verdict == "go"

    def _take(self, key: str, ask: Ask) -> None:
        """Claim a call and make it, unless somebody was faster."""
        state = self._store.claim(key, self._worker, self._retry_before)
        if not self._dispose(state, key, ask):
            self._flying.add(key)
            self._budget.start(key, ask)
            threading.Thread(target=self._call, args=(key, ask), daemon=True, name="medloom-call").start()

    def _dispose(self, state: State, key: str, ask: Ask) -> bool:
        """Count a call that is done, or keep one that is being made; False if it is open."""
        if state == "held":
            self._held.append((key, ask))
        elif state == "answered":
            self.counts.answered += 1
            self.counts.cached += 1
            self._report(key)
        elif state == "failed":
            self.counts.fail(self._store.failure(key) or "")
            self._report(key)
        return state != "open"

    def _leave(self) -> None:
        self.counts.not_asked += 1
        self._advance(1, self._note())

    def _turn(self) -> None:
        """Wait a moment for a call to end, and see what became of those that others make."""
        with suppress(queue.Empty):
            self._settle(self._results.get(timeout=_TURN))
        start = time.monotonic()
        if self._held and start >= self._next_visit:
            self._revisit()
            self._next_visit = time.monotonic() + max(_TURN, _SHARE * (time.monotonic() - start))

    def _revisit(self) -> None:
        """Look again at the calls that were being made elsewhere; take over what was given up."""
        held, self._held = self._held, []
        for key, ask in held:
            state = self._store.look(key, self._retry_before)
            if self._dispose(state, key, ask):
                continue
            if self._may_start():
                self._take(key, ask)
            elif self._reached:
                self._leave()
            else:
                self._held.append((key, ask))

    def _settle(self, result: _Result) -> None:
        """Count a call that this run made.

        Raises:
            MedloomError: What the thread reports ends the run.
        """
        self._flying.discard(result.key)
        if result.fatal is not None:
            raise result.fatal
        self.counts.asked += 1
        if isinstance(result.outcome, Answer):
            self.counts.answered += 1
        else:
            self.counts.fail(result.outcome or "")
        spent = self._store.spent(result.key)
        self.counts.prompt_tokens += spent.prompt_tokens
        self.counts.completion_tokens += spent.completion_tokens
        self.counts.cost = cost(Spent(0, self.counts.prompt_tokens, self.counts.completion_tokens), self._config.price)
        self._report(result.key)

    def _report(self, key: str) -> None:
        self._budget.count(key)
        self._advance(1, self._note())

    def _note(self) -> str:
        """Rate, failures and tokens, for the progress bar."""
        counts = self.counts
        rate = counts.asked / max(self._clock.now() - self._start, 1e-9)
        parts = [f"{rate:.1f}/s", f"{counts.failures:,} failed", f"{counts.tokens:,} tokens"]
        return " · ".join([*parts, f"{counts.cost:,.2f} spent"] if counts.cost else parts)

    def _break_off(self) -> None:
        """Start nothing more; give the calls in flight a few seconds, their answers are paid for."""
        self._stop.set()
        deadline = Clock().now() + GRACE
        while self._flying and (left := deadline - Clock().now()) > 0:
            try:
                self._flying.discard(self._results.get(timeout=left).key)
            except queue.Empty:
                break

    def _call(self, key: str, ask: Ask) -> None:
        """Make one call, write its row, report; runs in a thread of its own."""
        try:
            tried = self._retrier.call(ask)
            self._store.record(Call(key, self._model.name, ask, tried.outcome, tried.seconds, tried.attempts), self._worker)
            result = _Result(key, tried.outcome)
        except (MedloomError, Stopped) as error:
            result = _Result(key, fatal=error)
        except BaseException as error:
            result = _Result(key, fatal=CallCrashed(_crash(self._model.name, error)))
        self._results.put(result)
        if result.fatal is not None:
            self._stop.set()


def _crash(model: str, error: BaseException) -> str:
    """What is said of an error that no model should raise."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return (
        f"asking {model} ended in a {type(error).__name__} at {where}, which is a fault of the program; its message is not "
        "shown, as it may quote text. All answers so far are kept"
    )
