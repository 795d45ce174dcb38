"""Intervals for the difference between two models on the same items.

Paired bootstrap (Efron and Tibshirani 1993; for retrieval, Sakai 2006, "Evaluating evaluation metrics based on the
bootstrap"): the same resampled items score both models, so what makes an item hard cancels out.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_BLOCK = 4_000_000
_Z95 = 1.959963984540054


class Interval(NamedTuple):
    """A 95% interval of a difference."""

    low: float
    high: float


def paired_mean_interval(base: Floats, tuned: Floats, resamples: int, seed: int) -> Interval:
    """Percentile interval of mean(tuned) - mean(base) over resampled items.

    Args:
        base: float64, shape (n,): score of each item under the base model.
        tuned: float64, shape (n,): the same items under the tuned model.
        resamples: How many.
        seed: Of the resampling.

    Raises:
        ValueError: The arrays differ in length or are empty.
    """
    if base.shape != tuned.shape or base.ndim != 1 or not len(base):
        raise ValueError("two arrays of the same, non-zero length are needed")
    difference = tuned - base
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [difference[generator.integers(0, len(base), (rows, len(base)))].mean(axis=1) for rows in _blocks(resamples, base)]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high))


def paired_ap_interval(base: Floats, tuned: Floats, labels: npt.NDArray[np.int64], resamples: int, seed: int) -> Interval:
    """Percentile interval of AP(tuned) - AP(base) over resampled pairs.

    Args:
        base: float64, shape (n,): similarity of each pair under the base model.
        tuned: float64, shape (n,).
        labels: int64, shape (n,): 1 for a true pair, 0 for a false one; both must occur.
        resamples: How many.
        seed: Of the resampling.

    Raises:
        ValueError: The arrays differ in length, or one label is missing.
    """
    if not base.shape == tuned.shape == labels.shape or labels.min(initial=1) != 0 or labels.max(initial=0) != 1:
        raise ValueError("arrays of the same length with both labels are needed")
    generator = np.random.default_rng(seed)
    share = np.full(len(labels), 1 / len(labels))
    differences = []
    for rows in _blocks(resamples, base):
        weights = generator.multinomial(len(labels), share, size=rows).astype(np.float64)
        differences.append(average_precision(tuned, labels, weights) - average_precision(base, labels, weights))
    low, high = np.nanquantile(np.concatenate(differences), [0.025, 0.975])
    return Interval(float(low), float(high))


def average_precision(scores: Floats, labels: npt.NDArray[np.int64], weights: Floats) -> Floats:
    """Average precision under each row of item weights, ties in score counted together.

    With weights of one it equals scikit-learn's ``average_precision_score``.

    Args:
        scores: float64, shape (n,).
        labels: int64, shape (n,), 0 or 1.
        weights: float64, shape (r, n): how often each item was drawn.

    Returns:
        float64, shape (r,); NaN where a row drew no positive.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    drawn = weights[:, order]
    positives = np.cumsum(drawn * labels[order], axis=1)[:, ends]
    everything = np.cumsum(drawn, axis=1)[:, ends]
    gained = np.diff(positives, axis=1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(everything > 0, positives / everything, 0)
        return np.asarray((precision * gained).sum(axis=1) / positives[:, -1])


def resample_interval(base: Floats, tuned: Floats) -> Interval:
    """Normal interval of the mean difference, from scores that are themselves of bootstrap resamples.

    Each pair of scores comes from one resample of the items, so their spread *is* the standard error.

    Args:
        base: float64, shape (r,): score on each resample under the base model.
        tuned: float64, shape (r,): on the same resamples under the tuned model.

    Raises:
        ValueError: The arrays differ in length or have fewer than two resamples.
    """
    if base.shape != tuned.shape or len(base) < 2:
        raise ValueError("two arrays of the same length, at least two, are needed")
    difference = tuned - base
    middle, half = float(difference.mean()), _Z95 * float(difference.std(ddof=1))
    return Interval(middle - half, middle + half)


def _blocks(resamples: int, items: Floats) -> list[int]:
    """Sizes of blocks of resamples that keep memory flat."""
    size = max(1, _BLOCK // len(items))
    return [min(size, resamples - start) for start in range(0, resamples, size)]
