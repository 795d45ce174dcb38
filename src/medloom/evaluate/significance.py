"""Whether a difference between two systems could be chance.

Paired permutation (randomisation) tests: if the systems were alike, it would not matter which of the two gave an item's
score, so the scores are swapped at random, whole groups of dependent items at a time (Smucker, Allan and Carterette 2007,
"A comparison of statistical significance tests for information retrieval evaluation"). Over many tasks, p-values are
corrected by Holm's method (1979), which holds the chance of any false claim at the level.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.evaluate.statistics import statistic_of
from medloom.evaluate.tasks import Task

Floats = npt.NDArray[np.float64]

_WORK = 40_000_000
_FEWEST = 2_000
_BLOCK = 4_000_000
_ROUNDING = 1e-12


def permutation_p(task: Task, one: npt.NDArray[Any], other: npt.NDArray[Any], permutations: int, seed: int) -> float:
    """Two-sided p-value of the difference in a task's main score.

    Pairs (with STS): similarities of two systems are on different scales, so each system's are replaced by their ranks
    before they are swapped, which leaves the scores as they are. Clustering: the items are resamples, not texts, so the
    p-value is that of a normal test with their spread as standard error.

    Args:
        task: The task.
        one: A system's items; see :class:`medloom.evaluate.scored.Scored`.
        other: Another system's items on the same task.
        permutations: How many at most; fewer, but at least 2,000, where one takes long.
        seed: Of the swaps.

    Returns:
        (k + 1) / (m + 1), where k of m permutations differ at least as much as what was seen.
    """
    if np.array_equal(one, other):
        return 1.0
    if task.type == "Clustering":
        return _normal_p(one - other)
    generator = np.random.default_rng(seed)
    codes = _group_codes(task)
    if task.type in ("Retrieval", "MinimalPairs"):
        return _sign_flips(np.bincount(codes, weights=one - other).astype(np.float64), permutations, generator)
    count = min(permutations, max(_FEWEST, _WORK // one.size))
    if task.type in ("PairClassification", "STS"):
        one, other = _ranks(one), _ranks(other)
    return _swaps(task, one, other, codes, count, generator)


def holm(values: Sequence[float]) -> list[float]:
    """P-values corrected for how many there are (Holm 1979).

    Args:
        values: P-values of one family of tests.

    Returns:
        The corrected values, in the same order, each at most 1.
    """
    corrected = [1.0] * len(values)
    highest = 0.0
    for place, i in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        highest = max(highest, min(1.0, values[i] * (len(values) - place)))
        corrected[i] = highest
    return corrected


def _normal_p(difference: Floats) -> float:
    spread = float(difference.std(ddof=1))
    if spread == 0:
        return 0.0 if difference.any() else 1.0
    return 2 * (1 - NormalDist().cdf(abs(float(difference.mean())) / spread))


def _sign_flips(differences: Floats, permutations: int, generator: np.random.Generator) -> float:
    """The sum of differences (of groups) against that under random signs."""
    seen = abs(float(differences.sum())) - _ROUNDING * float(np.abs(differences).sum())
    extreme, block = 0, max(1, _BLOCK // len(differences))
    for start in range(0, permutations, block):
        rows = min(block, permutations - start)
        signs = generator.integers(0, 2, (rows, len(differences)), dtype=np.int8) * 2.0 - 1
        extreme += int((np.abs(signs @ differences) >= seen).sum())
    return (extreme + 1) / (permutations + 1)


def _swaps(
    task: Task,
    one: npt.NDArray[Any],
    other: npt.NDArray[Any],
    codes: npt.NDArray[np.int64],
    count: int,
    generator: np.random.Generator,
) -> float:
    """The difference in score against that after swapping the systems' answers on random groups.

    Both systems' answers stand side by side as 2n items; weights of 0 and 1 say whose answer counts.
    """
    doubled = task.data | {"labels": [*task.data["labels"], *task.data["labels"]]}
    measure = statistic_of(replace(task, data=doubled), np.concatenate([one, other], axis=-1))
    assert measure is not None

    def differences(swapped: Floats) -> Floats:
        return np.abs(measure(np.hstack([1 - swapped, swapped])) - measure(np.hstack([swapped, 1 - swapped])))

    seen = float(differences(np.zeros((1, task.n)))[0]) - _ROUNDING
    extreme, block = 0, max(1, _BLOCK // (2 * task.n))
    for start in range(0, count, block):
        coins = generator.integers(0, 2, (min(block, count - start), int(codes.max()) + 1), dtype=np.int8)
        extreme += int((differences(coins[:, codes].astype(np.float64)) >= seen).sum())
    return (extreme + 1) / (count + 1)


def _ranks(scores: npt.NDArray[Any]) -> Floats:
    """Ranks between 0 and 1, the mean rank for tied scores."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(((ends - (counts - 1) / 2) / len(scores))[inverse], dtype=np.float64)


def _group_codes(task: Task) -> npt.NDArray[np.int64]:
    if task.groups is None:
        return np.arange(task.n)
    return np.asarray(np.unique(np.asarray(task.groups), return_inverse=True)[1], dtype=np.int64)
