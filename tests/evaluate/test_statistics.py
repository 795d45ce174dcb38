"""Bootstrap intervals against known answers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medloom.evaluate.metrics import average_precision, best_f1, macro_f1, spearman
from medloom.evaluate.statistics import Interval, draws, interval, replicates, statistic_of, task_interval
from medloom.evaluate.tasks import Task

Z = 1.959963984540054
Floats = npt.NDArray[np.float64]


def queries(n: int, groups: list[str] | None = None) -> Task:
    """A retrieval task of n queries: its score is the mean of its items."""
    data: dict[str, Any] = {"queries": {f"q{i}": "" for i in range(n)}} | ({"groups": groups} if groups else {})
    return Task("t", "Retrieval", "toy", "d", data)


def pairs(labels: npt.NDArray[Any], metric: str = "") -> Task:
    return Task("t", "PairClassification", "toy", "d", {"labels": labels.tolist()}, metric=metric)


def clusters() -> Task:
    return Task("t", "Clustering", "toy", "d", {"sentences": ["a", "b"]})


# Draws


def test_as_many_items_are_drawn_as_there_are() -> None:
    (weights,) = draws(30, None, 500, np.random.default_rng(1))
    assert weights.shape == (500, 30)
    assert weights.dtype == np.float64
    assert (weights.sum(axis=1) == 30).all()
    assert weights.mean() == 1
    assert np.unique(weights).tolist()[:3] == [0, 1, 2]
    assert weights.var() == pytest.approx(1 - 1 / 30, abs=0.05)
    assert len(np.unique(weights, axis=0)) == 500


def test_groups_are_drawn_whole() -> None:
    groups = ["b", "a", "b", "c", "a", "b"]
    (weights,) = draws(6, groups, 400, np.random.default_rng(1))
    for name in "abc":
        members = [i for i, g in enumerate(groups) if g == name]
        assert (weights[:, members] == weights[:, members[:1]]).all()
    of_groups = weights[:, [1, 0, 3]]
    assert (of_groups.sum(axis=1) == 3).all()
    assert {tuple(row) for row in of_groups.tolist()} == {
        (a, b, c) for a in range(4) for b in range(4) for c in range(4) if a + b + c == 3
    }


def test_groups_of_one_are_no_groups() -> None:
    (alone,) = draws(20, None, 50, np.random.default_rng(1))
    (grouped,) = draws(20, [f"g{i:02}" for i in range(20)], 50, np.random.default_rng(1))
    np.testing.assert_array_equal(alone, grouped)


def test_blocks_are_only_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    items = [rng.random(50), rng.random(50)]
    whole = replicates(queries(50), items, 500, 1)
    monkeypatch.setattr("medloom.evaluate.statistics._BLOCK", 120)
    assert len(list(draws(50, None, 500, np.random.default_rng(1)))) == 250
    np.testing.assert_allclose(replicates(queries(50), items, 500, 1), whole, atol=1e-12)


# Scores of resamples


def test_every_system_is_scored_on_the_same_resamples() -> None:
    rng = np.random.default_rng(0)
    one = rng.random(40)
    found = replicates(queries(40), [one, one + 0.25, one], 300, 1)
    assert found.shape == (3, 300)
    np.testing.assert_allclose(found[1], found[0] + 0.25)
    np.testing.assert_array_equal(found[2], found[0])
    assert found[0].std() == pytest.approx(one.std() / np.sqrt(40), rel=0.15)


def test_systems_that_were_not_asked_the_same() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        replicates(queries(3), [np.zeros(3), np.zeros(2)], 10, 1)


def test_clusterings_are_resamples_already() -> None:
    one, other = np.arange(5.0), np.arange(5.0) * 10
    found = replicates(clusters(), [one, other], 200, 1)
    assert found.shape == (2, 200)
    np.testing.assert_array_equal(found[1], found[0] * 10)
    assert set(found[0]) == set(one)
    assert statistic_of(clusters(), one) is None


def test_the_statistic_is_the_tasks_metric() -> None:
    rng = np.random.default_rng(0)
    labels = np.append(rng.integers(0, 2, 28), [0, 1])
    scores, weights = rng.random(30), rng.integers(0, 3, (4, 30)).astype(np.float64)
    predicted = rng.integers(0, 2, (3, 30))
    names = ["no", "yes"]
    classified = {"texts": [""] * 30, "labels": [names[i] for i in labels], "train_labels": names}
    grades = rng.integers(0, 5, 30).astype(np.float64)
    cases: list[tuple[Task, npt.NDArray[Any], Floats]] = [
        (pairs(labels), scores, average_precision(scores, labels, weights)),
        (pairs(labels, "similarity_f1"), scores, best_f1(scores, labels, weights)),
        (Task("t", "STS", "toy", "d", {"labels": grades.tolist()}), scores, spearman(scores, grades, weights)),
        (Task("t", "Classification", "toy", "d", classified), predicted, macro_f1(predicted, labels, weights)),
        (
            Task("t", "Classification", "toy", "d", classified, metric="accuracy"),
            predicted,
            np.array([np.average((predicted == labels).mean(axis=0), weights=row) for row in weights]),
        ),
        (Task("t", "MinimalPairs", "toy", "d", {}), scores, np.array([np.average(scores, weights=row) for row in weights])),
        (queries(30), scores, np.array([np.average(scores, weights=row) for row in weights])),
    ]
    for task, items, expected in cases:
        statistic = statistic_of(task, items)
        assert statistic is not None
        np.testing.assert_allclose(statistic(weights), expected, err_msg=f"{task.type} {task.main_score}")


# Intervals


def test_the_interval_is_the_middle_of_the_replicates() -> None:
    values = np.append(np.arange(1001.0), np.nan)
    assert interval(values) == Interval(25.0, 975.0)
    assert interval(np.random.default_rng(0).permutation(values)) == Interval(25.0, 975.0)


def test_few_exact_resamples_give_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(0.1, 0.02, 30)
    low, high = interval(values, exact=True)
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(Z * values.std(ddof=1))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan], [np.nan, np.inf]])
@pytest.mark.parametrize("exact", [True, False])
def test_an_interval_of_nothing(values: list[float], exact: bool) -> None:
    with pytest.raises(ValueError, match="at least two"):
        interval(np.array(values), exact)


def test_constant_differences_have_no_width() -> None:
    base = np.arange(8) / 8
    assert task_interval(queries(8), base + 0.25, base, 200, 1) == (0.25, 0.25)
    assert task_interval(queries(8), base, base, 200, 1) == (0.0, 0.0)
    assert task_interval(clusters(), base, base, 200, 1) == (0.0, 0.0)


def test_the_interval_is_the_normal_one_for_many_items() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(2_000)
    difference = rng.normal(0.02, 0.3, 2_000)
    for one, other in ((base + difference, base), (difference, None)):
        low, high = task_interval(queries(2_000), one, other, 4_000, 1)
        half = Z * difference.std(ddof=1) / np.sqrt(2_000)
        assert low == pytest.approx(difference.mean() - half, abs=0.08 * half)
        assert high == pytest.approx(difference.mean() + half, abs=0.08 * half)


def test_pairing_makes_hard_items_cancel_out() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(500)
    low, high = task_interval(queries(500), base + rng.normal(0, 0.01, 500), base, 1_000, 1)
    assert high - low < 0.003
    unpaired = task_interval(queries(500), rng.permutation(base), base, 1_000, 1)
    assert unpaired.high - unpaired.low > 0.05


def test_turning_the_systems_round_turns_the_interval_round() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], 60)
    one, other = labels * 0.5 + rng.normal(0, 1, 120), labels * 2 + rng.normal(0, 1, 120)
    low, high = task_interval(pairs(labels), other, one, 300, 1)
    assert 0 < low < high < 1
    assert task_interval(pairs(labels), one, other, 300, 1) == pytest.approx((-high, -low), abs=1e-12)


def test_the_seed_sets_the_interval() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random(50), rng.random(50)
    assert task_interval(queries(50), one, other, 500, 1) == task_interval(queries(50), one, other, 500, 1)
    assert task_interval(queries(50), one, other, 500, 1) != task_interval(queries(50), one, other, 500, 2)


def test_equal_items_of_a_group_count_once() -> None:
    """The interval over 40 groups of 9 equal items is that over 40 items: three times as wide as over 360."""
    rng = np.random.default_rng(0)
    single = rng.normal(0.1, 1, 40)
    items = np.repeat(single, 9)
    groups = [f"g{i:02}" for i in range(40) for _ in range(9)]
    grouped = task_interval(queries(360, groups), items, None, 4_000, 1)
    alone = task_interval(queries(360), items, None, 4_000, 1)
    assert (grouped.high - grouped.low) / (alone.high - alone.low) == pytest.approx(3, rel=0.08)
    assert grouped == pytest.approx(task_interval(queries(40), single, None, 4_000, 1), abs=1e-12)


def test_independent_items_lose_nothing_by_groups() -> None:
    rng = np.random.default_rng(0)
    items = rng.normal(0, 1, 2_000)
    groups = [f"g{i // 4}" for i in range(2_000)]
    grouped = task_interval(queries(2_000, groups), items, None, 2_000, 1)
    alone = task_interval(queries(2_000), items, None, 2_000, 1)
    assert (grouped.high - grouped.low) / (alone.high - alone.low) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("size", [1, 5])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(size: int) -> None:
    """In 400 draws of 80 independent groups; the share has a standard error of 0.011."""
    rng = np.random.default_rng(3)
    task = queries(80 * size, [f"g{i // size}" for i in range(80 * size)])
    covered = 0
    for trial in range(400):
        difference = np.repeat(rng.normal(0.1, 1, 80), size) + rng.normal(0, 0.2, 80 * size)
        low, high = task_interval(task, difference, np.zeros(80 * size), 400, trial)
        covered += low <= 0.1 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_without_groups_the_interval_covers_too_little() -> None:
    """What groups are for: 80 independent groups of five equal items, taken for 400 items."""
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(100):
        difference = np.repeat(rng.normal(0.1, 1, 80), 5)
        low, high = task_interval(queries(400), difference, None, 300, trial)
        covered += low <= 0.1 <= high
    assert covered / 100 < 0.8


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
    found = task_interval(pairs(labels), tuned, base, 4_000, 1)
    assert found == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=0.02)


def test_resamples_without_a_positive_are_left_out() -> None:
    labels = np.array([1, 0, 0, 0])
    scores = replicates(pairs(labels), [np.array([4.0, 3, 2, 1])], 400, 1)
    assert np.isnan(scores).mean() == pytest.approx(0.75**4, abs=0.07)
    low, high = task_interval(pairs(labels), np.array([4.0, 3, 2, 1]), None, 400, 1)
    assert (low, high) == (1, 1)


def test_a_system_that_tells_nothing_apart_has_an_interval() -> None:
    task = Task("t", "STS", "toy", "d", {"labels": list(range(20))})
    good, blind = np.arange(20.0), np.zeros(20)
    assert task_interval(task, blind, None, 100, 1) == (0, 0)
    assert task_interval(task, good, blind, 100, 1) == pytest.approx((1, 1))
