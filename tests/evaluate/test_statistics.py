"""Intervals and average precision against known answers."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.evaluate.statistics import (
    average_precision,
    paired_ap_interval,
    paired_mean_interval,
    resample_interval,
)

Z = 1.959963984540054


def test_constant_differences_have_no_width() -> None:
    base = np.arange(8) / 8
    assert paired_mean_interval(base, base + 0.25, 200, 1) == (0.25, 0.25)
    assert paired_mean_interval(base, base, 200, 1) == (0.0, 0.0)


def test_the_paired_interval_is_the_normal_one_for_many_items() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(20_000)
    difference = rng.normal(0.02, 0.3, 20_000)
    low, high = paired_mean_interval(base, base + difference, 4_000, 1)
    half = Z * difference.std(ddof=1) / np.sqrt(20_000)
    assert low == pytest.approx(difference.mean() - half, abs=0.06 * half)
    assert high == pytest.approx(difference.mean() + half, abs=0.06 * half)


def test_pairing_makes_hard_items_cancel_out() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(500)
    low, high = paired_mean_interval(base, base + rng.normal(0, 0.01, 500), 1_000, 1)
    assert high - low < 0.003
    unpaired = paired_mean_interval(base, rng.permutation(base), 1_000, 1)
    assert unpaired.high - unpaired.low > 0.05


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(300):
        difference = rng.normal(0.1, 1, 80)
        low, high = paired_mean_interval(np.zeros(80), difference, 400, trial)
        covered += low <= 0.1 <= high
    assert 0.90 <= covered / 300 <= 0.98


def test_the_seed_sets_the_interval() -> None:
    rng = np.random.default_rng(0)
    base, tuned = rng.random(50), rng.random(50)
    assert paired_mean_interval(base, tuned, 500, 1) == paired_mean_interval(base, tuned, 500, 1)
    assert paired_mean_interval(base, tuned, 500, 1) != paired_mean_interval(base, tuned, 500, 2)


def test_blocks_of_resamples_are_only_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    base, tuned = rng.random(50), rng.random(50)
    whole = paired_mean_interval(base, tuned, 500, 1)
    monkeypatch.setattr("medloom.evaluate.statistics._BLOCK", 120)
    in_blocks = paired_mean_interval(base, tuned, 500, 1)
    assert in_blocks == pytest.approx(whole, abs=0.02)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (3, 2)])
def test_items_that_do_not_pair(n: int, m: int) -> None:
    with pytest.raises(ValueError, match="two arrays of the same, non-zero length"):
        paired_mean_interval(np.zeros(n), np.zeros(m), 100, 1)


# Average precision

SCORES = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 6), min_size=n, max_size=n),
        st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(any),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


def arrays(scores: list[int], labels: list[int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    return np.array(scores, dtype=np.float64) / 7, np.array(labels, dtype=np.int64)


@given(SCORES)
def test_weights_of_one_are_scikit_learns_average_precision(case: tuple[list[int], list[int], list[int]]) -> None:
    from sklearn.metrics import average_precision_score

    scores, labels = arrays(case[0], case[1])
    found = average_precision(scores, labels, np.ones((1, len(scores))))
    assert found.shape == (1,)
    assert found[0] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@given(SCORES)
def test_whole_weights_are_repeated_items(case: tuple[list[int], list[int], list[int]]) -> None:
    from sklearn.metrics import average_precision_score

    scores, labels = arrays(case[0], case[1])
    weights = np.array(case[2])
    found = average_precision(scores, labels, weights[None].astype(np.float64))[0]
    drawn = np.repeat(np.arange(len(scores)), weights)
    if labels[drawn].any():
        assert found == pytest.approx(average_precision_score(labels[drawn], scores[drawn]), abs=1e-12)
    else:
        assert np.isnan(found)


def test_each_row_of_weights_stands_alone() -> None:
    scores, labels = arrays([5, 4, 3, 2], [1, 0, 1, 0])
    weights = np.array([[1.0, 1, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    found = average_precision(scores, labels, weights)
    assert found[0] == pytest.approx((1 + 2 / 3) / 2)
    assert found[1] == pytest.approx(0.5)
    assert np.isnan(found[2])


def test_the_interval_of_average_precision() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], 150)
    base = labels * 0.5 + rng.normal(0, 1, 300)
    better = labels * 3.0 + rng.normal(0, 1, 300)
    assert paired_ap_interval(base, base, labels, 300, 1) == (0.0, 0.0)
    low, high = paired_ap_interval(base, better, labels, 300, 1)
    assert 0 < low < high < 1
    assert paired_ap_interval(better, base, labels, 300, 1) == pytest.approx((-high, -low), abs=1e-12)
    from sklearn.metrics import average_precision_score

    difference = average_precision_score(labels, better) - average_precision_score(labels, base)
    assert low < difference < high


def test_the_interval_of_average_precision_is_a_bootstrap() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], 40)
    base, tuned = labels * 0.5 + rng.normal(0, 1, 80), labels * 1.0 + rng.normal(0, 1, 80)
    differences = []
    for _ in range(1_500):
        drawn = rng.integers(0, 80, 80)
        differences.append(
            average_precision_score(labels[drawn], tuned[drawn]) - average_precision_score(labels[drawn], base[drawn])
        )
    found = paired_ap_interval(base, tuned, labels, 4_000, 1)
    assert found == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=0.02)


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 0, 0], [1, 0], [1, 0, 2], []])
def test_labels_that_cannot_be_scored(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="both labels"):
        paired_ap_interval(np.zeros(3), np.zeros(3), np.array(labels, dtype=np.int64), 100, 1)


# Scores that are of resamples themselves


def test_the_spread_of_resamples_is_the_standard_error() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(30)
    difference = rng.normal(0.1, 0.02, 30)
    low, high = resample_interval(base, base + difference)
    assert (low + high) / 2 == pytest.approx(difference.mean())
    assert (high - low) / 2 == pytest.approx(Z * difference.std(ddof=1))
    assert resample_interval(base, base) == (0.0, 0.0)


def test_resamples_that_do_not_pair() -> None:
    for n, m in ((1, 1), (0, 0), (3, 2)):
        with pytest.raises(ValueError, match="at least two"):
            resample_interval(np.zeros(n), np.zeros(m))
