"""What can be said of a difference between systems on the same items.

Paired bootstrap (Efron and Tibshirani 1993; for retrieval, Sakai 2006, "Evaluating evaluation metrics based on the
bootstrap"): the same resampled items score every system, so what makes an item hard cancels out. Items that are not
independent are resampled by group (cluster bootstrap; Davison and Hinkley 1997, section 3.8).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medloom.evaluate import metrics
from medloom.evaluate.tasks import Task, class_numbers

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]

_BLOCK = 4_000_000
_Z95 = 1.959963984540054


class Interval(NamedTuple):
    """A 95% interval."""

    low: float
    high: float


def statistic_of(task: Task, items: npt.NDArray[Any]) -> Statistic | None:
    """A task's main score as a function of how often each item was drawn.

    Args:
        task: The task.
        items: A system's items on it; see :class:`medloom.evaluate.scored.Scored`.

    Returns:
        From weights, float64 of shape (r, n), to scores, float64 of shape (r,); None for clustering, whose items are
        resamples themselves.
    """
    if task.type == "Clustering":
        return None
    if task.type == "PairClassification":
        measure = metrics.best_f1 if task.main_score == "similarity_f1" else metrics.average_precision
        return partial(measure, items, np.asarray(task.data["labels"], dtype=np.int64))
    if task.type == "STS":
        return partial(metrics.spearman, items, np.asarray(task.data["labels"], dtype=np.float64))
    if task.type == "Classification":
        of = metrics.accuracy if task.main_score == "accuracy" else metrics.macro_f1
        numbers = class_numbers(task.data)
        return partial(of, items, np.array([numbers[label] for label in task.data["labels"]], dtype=np.int64))
    return lambda weights: np.asarray(weights @ items / weights.sum(axis=1))


def replicates(task: Task, items: Sequence[npt.NDArray[Any]], resamples: int, seed: int) -> Floats:
    """Scores of several systems on the same resamples of a task's items (or of its groups of items).

    Args:
        task: The task.
        items: Of each system, all of the same shape.
        resamples: How many.
        seed: Of the resampling.

    Returns:
        float64, shape (systems, resamples). NaN where a resample gives no score (no positive was drawn).

    Raises:
        ValueError: The systems' items differ in shape.
    """
    if len({one.shape for one in items}) != 1:
        raise ValueError("the systems' items differ in shape: they were not scored on the same items")
    generator = np.random.default_rng(seed)
    measures = [statistic_of(task, one) for one in items]
    if any(measure is None for measure in measures):
        drawn = generator.integers(0, items[0].shape[-1], resamples)
        return np.stack([one[drawn] for one in items])
    blocks = [
        np.stack([measure(weights) for measure in measures if measure is not None])
        for weights in draws(task.n, task.groups, resamples, generator)
    ]
    return np.concatenate(blocks, axis=1)


def draws(n: int, groups: Sequence[str] | None, resamples: int, generator: np.random.Generator) -> Iterator[Floats]:
    """How often each item is drawn, in blocks of resamples that keep memory flat.

    Args:
        n: Number of items.
        groups: Group of each item, if items are not independent: whole groups are drawn.
        resamples: How many in all.
        generator: What draws.

    Yields:
        float64, shape (r, n).
    """
    codes = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    size = n if codes is None else int(codes.max()) + 1
    block = max(1, _BLOCK // n)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, size, (rows, size)) + np.arange(rows)[:, None] * size
        counts = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
        yield (counts if codes is None else counts[:, codes]).astype(np.float64)


def interval(values: Floats, exact: bool = False) -> Interval:
    """A 95% interval from a score's (or a difference's) bootstrap replicates.

    Args:
        values: float64, shape (r,); NaN is left out.
        exact: Whether the values are every resample there is, too few for percentiles, as in clustering: then the normal
            interval around their mean, whose standard error is their spread.

    Raises:
        ValueError: Fewer than two values.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        raise ValueError("an interval needs at least two resamples")
    if exact:
        middle, half = float(finite.mean()), _Z95 * float(finite.std(ddof=1))
        return Interval(middle - half, middle + half)
    low, high = np.quantile(finite, [0.025, 0.975])
    return Interval(float(low), float(high))


def task_interval(task: Task, one: npt.NDArray[Any], other: npt.NDArray[Any] | None, resamples: int, seed: int) -> Interval:
    """Interval of a system's score, or of the difference ``one - other`` between two systems.

    Args:
        task: The task.
        one: A system's items.
        other: Another system's items on the same task, or None.
        resamples: How many, where the items are not resamples themselves.
        seed: Of the resampling.
    """
    if task.type == "Clustering":
        return interval(one if other is None else one - other, exact=True)
    scores = replicates(task, [one] if other is None else [one, other], resamples, seed)
    return interval(scores[0] if other is None else scores[0] - scores[1])
