"""Every system against every other: tests for each task, and the macro mean over types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from medloom.bench.results import Result
from medloom.evaluate.significance import holm, permutation_p
from medloom.evaluate.statistics import Interval, interval, replicates
from medloom.evaluate.tasks import Task
from medloom.progress import bar

Floats = npt.NDArray[np.float64]
Verdict = Literal["better", "worse", "same"]
LEVEL = 0.05


@dataclass(frozen=True)
class Delta:
    """The difference ``a - b`` on one task, with its interval, p-value and what they say."""

    task: str
    delta: float
    ci_low: float
    ci_high: float
    p: float
    p_holm: float
    verdict: Verdict


@dataclass(frozen=True)
class Pair:
    """One system against another, over the tasks that both did.

    Attributes:
        a: Model key.
        b: Model key.
        tasks: By task; p-values are corrected over the tasks of the pair (Holm).
        macro: Difference of the macro means with its interval; None where they have not done the same tasks.
    """

    a: str
    b: str
    tasks: tuple[Delta, ...]
    macro: tuple[float, Interval] | None


@dataclass(frozen=True)
class Macro:
    """Mean over types of the mean over tasks.

    Attributes:
        score: The mean over types; None unless the system did every task.
        interval: Hierarchical: tasks are drawn within types, and items within tasks.
        types: Mean of each type that the system did wholly.
    """

    score: float | None
    interval: Interval | None
    types: dict[str, float]


class Board:
    """Results of several systems on the same tasks, resampled together.

    Args:
        results: By model key, then by task name; all of one task on the same items.
        resamples: Bootstrap resamples.
        permutations: At most, for each test.
        seed: Of both.
    """

    def __init__(
        self, results: Mapping[str, Mapping[str, Result]], resamples: int = 2_000, permutations: int = 10_000, seed: int = 0
    ) -> None:
        self._results = results
        self._resamples, self._permutations, self._seed = resamples, permutations, seed
        self.tasks: dict[str, Task] = {name: r.task for found in results.values() for name, r in found.items()}
        self._draws = {name: self._replicates(name) for name in self.tasks}

    def score_interval(self, model: str, task: str) -> Interval:
        """Interval of one system's score on one task."""
        result = self._results[model][task]
        if result.task.type == "Clustering":
            return interval(result.items, exact=True)
        return interval(self._draws[task][model])

    def pairs(self) -> list[Pair]:
        """Every pair of systems, in the order of their keys."""
        couples = list(combinations(self._results, 2))
        with bar("comparing", len(couples) * len(self.tasks), "tests") as advance:
            return [self._pair(a, b, advance) for a, b in couples]

    def macro(self, model: str) -> Macro:
        """The macro mean of one system."""
        done = self._results[model]
        types: dict[str, float] = {}
        for type_, names in self._by_type().items():
            if all(name in done for name in names):
                types[type_] = float(np.mean([done[name].score for name in names]))
        if len(types) < len(self._by_type()):
            return Macro(None, None, types)
        return Macro(float(np.mean(list(types.values()))), interval(self._hierarchical([model])[0]), types)

    def ranks(self, pairs: Sequence[Pair], task: str) -> dict[str, int]:
        """Rank of each system on a task: one more than the number of systems that are significantly better."""
        better: dict[str, int] = {model: 0 for model, found in self._results.items() if task in found}
        for pair in pairs:
            for delta in pair.tasks:
                if delta.task == task and delta.verdict != "same":
                    better[pair.b if delta.verdict == "better" else pair.a] += 1
        return {model: n + 1 for model, n in better.items()}

    def macro_ranks(self, pairs: Sequence[Pair]) -> dict[str, int]:
        """Rank by macro mean: one more than the number of systems whose interval of the difference lies above zero."""
        better = {model: 0 for model in self._results if self.macro(model).score is not None}
        for pair in pairs:
            if pair.macro is None or pair.a not in better or pair.b not in better:
                continue
            if pair.macro[1].low > 0:
                better[pair.b] += 1
            elif pair.macro[1].high < 0:
                better[pair.a] += 1
        return {model: n + 1 for model, n in better.items()}

    def _pair(self, a: str, b: str, advance: Any) -> Pair:  # noqa: ANN401
        one, other = self._results[a], self._results[b]
        shared = [name for name in self.tasks if name in one and name in other]
        rows = []
        for name in shared:
            rows.append(self._delta(one[name], other[name]))
            advance()
        corrected = holm([p for _, _, p in rows])
        deltas = []
        for name, (delta, span, p), p_holm in zip(shared, rows, corrected, strict=True):
            verdict: Verdict = "same" if p_holm >= LEVEL else "better" if delta > 0 else "worse"
            deltas.append(Delta(name, delta, span.low, span.high, p, p_holm, verdict))
        return Pair(a, b, tuple(deltas), self._macro_delta(a, b))

    def _delta(self, one: Result, other: Result) -> tuple[float, Interval, float]:
        name, task = one.task.name, one.task
        if task.type == "Clustering":
            span = interval(one.items - other.items, exact=True)
        else:
            span = interval(self._draws[name][one.model] - self._draws[name][other.model])
        p = permutation_p(task, one.items, other.items, self._permutations, self._seed)
        return one.score - other.score, span, p

    def _macro_delta(self, a: str, b: str) -> tuple[float, Interval] | None:
        one, other = self.macro(a), self.macro(b)
        if one.score is None or other.score is None:
            return None
        first, second = self._hierarchical([a, b])
        return one.score - other.score, interval(first - second)

    def _hierarchical(self, models: Sequence[str]) -> Floats:
        """Macro means on resamples: tasks drawn within their type, and one replicate of each; shape (models, resamples).

        NaN where no task that was drawn of a type has a score.
        """
        generator = np.random.default_rng(self._seed)
        total = np.zeros((len(models), self._resamples))
        columns = np.arange(self._resamples)
        types = self._by_type()
        for names in types.values():
            scores = np.stack([[self._draws[name][model] for name in names] for model in models])
            drawn = scores[:, generator.integers(0, len(names), (len(names), self._resamples)), columns]
            known = np.isfinite(drawn)
            with np.errstate(invalid="ignore"):
                total += np.where(known, drawn, 0).sum(axis=1) / known.sum(axis=1)
        return total / len(types)

    def _by_type(self) -> dict[str, list[str]]:
        types: dict[str, list[str]] = {}
        for name, task in self.tasks.items():
            types.setdefault(task.type, []).append(name)
        return types

    def _replicates(self, name: str) -> dict[str, Floats]:
        models = [model for model, found in self._results.items() if name in found]
        items = [self._results[model][name].items for model in models]
        drawn = replicates(self.tasks[name], items, self._resamples, self._seed)
        return dict(zip(models, drawn, strict=True))
