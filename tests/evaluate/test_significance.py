"""Permutation tests against exact enumeration, and under a null and a true difference; Holm's method by hand."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.evaluate.significance import holm, permutation_p
from medloom.evaluate.tasks import Task

Floats = npt.NDArray[np.float64]
MANY = 40_000


def queries(n: int, groups: list[str] | None = None) -> Task:
    data: dict[str, Any] = {"queries": {f"q{i}": "" for i in range(n)}} | ({"groups": groups} if groups else {})
    return Task("t", "Retrieval", "toy", "d", data)


def pairs(labels: npt.NDArray[Any], groups: list[str] | None = None, metric: str = "") -> Task:
    data: dict[str, Any] = {"labels": labels.tolist()} | ({"groups": groups} if groups else {})
    return Task("t", "PairClassification", "toy", "d", data, metric=metric)


def classified(labels: npt.NDArray[Any], metric: str = "") -> Task:
    names = ["a", "b", "c"]
    data = {"texts": [""] * len(labels), "labels": [names[i] for i in labels], "train_labels": names}
    return Task("t", "Classification", "toy", "d", data, metric=metric)


def exact_p(
    one: npt.NDArray[Any], other: npt.NDArray[Any], groups: list[Any], measure: Callable[[npt.NDArray[Any]], float]
) -> float:
    """The share of all swaps of whole groups whose difference is no smaller than what was seen."""
    names = sorted(set(groups))
    codes = np.array([names.index(g) for g in groups])
    seen = abs(measure(one) - measure(other))
    extreme = []
    for coins in product([False, True], repeat=len(names)):
        swapped = np.array(coins)[codes]
        a, b = np.where(swapped, other, one), np.where(swapped, one, other)
        extreme.append(abs(measure(a) - measure(b)) >= seen - 1e-9)
    return float(np.mean(extreme))


def as_exact(p: float) -> Any:
    """Within four standard errors of the permutations' number."""
    return pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / MANY) + 2 / MANY)


# Exact


@pytest.mark.parametrize("seed", range(4))
def test_means_are_as_by_all_swaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.random(9), rng.random(9) + 0.1 * seed
    expected = exact_p(one, other, list(range(9)), lambda items: float(items.mean()))
    assert permutation_p(queries(9), one, other, MANY, 1) == as_exact(expected)


def test_swaps_are_of_whole_groups() -> None:
    rng = np.random.default_rng(0)
    groups = ["a", "b", "a", "c", "c", "d", "e", "e", "e"]
    one, other = rng.random(9), rng.random(9) + 0.1
    expected = exact_p(one, other, groups, lambda items: float(items.mean()))
    assert permutation_p(queries(9, groups), one, other, MANY, 1) == as_exact(expected)
    assert abs(expected - exact_p(one, other, list(range(9)), lambda items: float(items.mean()))) > 0.02


@pytest.mark.parametrize("groups", [None, ["a", "b", "a", "b", "c", "d", "e", "f"]])
def test_average_precision_is_as_by_all_swaps_of_ranks(groups: list[str] | None) -> None:
    from scipy.stats import rankdata
    from sklearn.metrics import average_precision_score

    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    one = np.array([0.9, 0.8, 0.7, 0.2, 0.3, 0.1, 0.15, 0.05])
    other = np.array([70.0, 20, 60, 10, 80, 50, 60, 40])
    expected = exact_p(
        rankdata(one),
        rankdata(other),
        groups or list(range(8)),
        lambda scores: float(average_precision_score(labels, scores)),
    )
    assert 0.01 < expected < 0.9
    assert permutation_p(pairs(labels, groups), one, other, MANY, 1) == as_exact(expected)


def test_correlation_is_as_by_all_swaps_of_ranks() -> None:
    from scipy.stats import rankdata, spearmanr

    labels = np.array([1.0, 2, 2, 3, 4, 5, 5])
    one, other = np.array([1.0, 2, 3, 4, 5, 6, 7]), np.array([30.0, 10, 50, 20, 10, 60, 40])
    expected = exact_p(rankdata(one), rankdata(other), list(range(7)), lambda scores: float(spearmanr(scores, labels)[0]))
    task = Task("t", "STS", "toy", "d", {"labels": labels.tolist()})
    assert permutation_p(task, one, other, MANY, 1) == as_exact(expected)


def test_macro_f1_is_as_by_all_swaps_of_predictions() -> None:
    from sklearn.metrics import f1_score

    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    one = np.array([[0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 1, 1, 1, 1, 2, 0]])
    other = np.array([[0, 1, 2, 1, 0, 2, 2, 1], [2, 0, 1, 1, 0, 1, 1, 0]])
    expected = exact_p(
        one,
        other,
        list(range(8)),
        lambda predicted: float(np.mean([f1_score(labels, row, average="macro") for row in predicted])),
    )
    assert permutation_p(classified(labels), one, other, MANY, 1) == as_exact(expected)
    expected = exact_p(one, other, list(range(8)), lambda predicted: float((predicted == labels).mean()))
    assert permutation_p(classified(labels, "accuracy"), one, other, MANY, 1) == as_exact(expected)


def test_minimal_pairs_are_a_sign_test() -> None:
    """Ten pairs that one alone orders rightly, two that the other does: a binomial test's p."""
    from scipy.stats import binomtest

    one = np.array([1.0] * 10 + [0] * 2 + [1] * 20)
    other = np.array([0.0] * 10 + [1] * 2 + [1] * 20)
    task = Task("t", "MinimalPairs", "toy", "d", {"anchors": [""] * 32})
    assert permutation_p(task, one, other, MANY, 1) == as_exact(float(binomtest(2, 12).pvalue))


def test_differences_that_cancel_out_are_no_difference() -> None:
    """0.1 + 0.2 - 0.3 is not zero in a computer; rounding must not make it look rare."""
    one, other = np.array([0.1, 0.2, 0.0]), np.array([0.0, 0.0, 0.3])
    assert (one - other).sum() != 0
    assert permutation_p(queries(3), one, other, 5_000, 1) == 1


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=8))
def test_ties_of_rounded_scores_are_ties(scores: list[tuple[int, int]]) -> None:
    """Tenths add up with rounding errors; whole numbers do not."""
    whole = np.array(scores, dtype=np.float64)
    tenths = permutation_p(queries(len(whole)), whole[:, 0] / 10, whole[:, 1] / 10, 500, 1)
    assert tenths == permutation_p(queries(len(whole)), whole[:, 0], whole[:, 1], 500, 1)


def test_clusterings_are_tested_by_their_spread() -> None:
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    task = Task("t", "Clustering", "toy", "d", {"sentences": []})
    other = rng.random(30)
    difference = rng.normal(0.03, 0.02, 30)
    p = permutation_p(task, other + difference, other, 100, 1)
    assert p == pytest.approx(2 * norm.sf(abs(difference.mean()) / difference.std(ddof=1)), rel=1e-6)
    assert 0.01 < p < 0.9
    assert permutation_p(task, other + 0.25, other, 100, 1) < 1e-6


# Chance


def cases(task: str, rng: np.random.Generator) -> tuple[Task, npt.NDArray[Any], npt.NDArray[Any]]:
    """Two systems that are equally good, on scales of their own."""
    if task == "queries":
        return queries(30), rng.normal(0, 1, 30), rng.normal(0, 1, 30)
    if task == "groups":
        one, other = (np.repeat(rng.normal(0, 1, 25), 4) + rng.normal(0, 0.2, 100) for _ in range(2))
        return queries(100, [f"g{i // 4}" for i in range(100)]), one, other
    if task == "pairs":
        labels = np.repeat([1, 0], 15)
        one, other = (labels + rng.normal(0, 1, 30) for _ in range(2))
        return pairs(labels), one, np.exp(3 * other)
    if task == "f1 of pairs":
        labels = np.repeat([1, 0], 15)
        one, other = (labels + rng.normal(0, 1, 30) for _ in range(2))
        return pairs(labels, metric="similarity_f1"), one, other
    labels = rng.integers(0, 3, 30)
    one, other = (np.where(rng.random((3, 30)) < 0.6, labels, rng.integers(0, 3, (3, 30))) for _ in range(2))
    return classified(labels), one, other


@pytest.mark.parametrize("task", ["queries", "groups", "pairs", "f1 of pairs", "texts"])
def test_equal_systems_differ_by_chance_as_often_as_the_level_says(task: str) -> None:
    """Of 400, 5% have a standard error of 1.1%, and 50% one of 2.5%."""
    rng = np.random.default_rng(5)
    values = np.array([permutation_p(*cases(task, rng), 199, trial) for trial in range(400)])
    assert 0.02 <= (values <= 0.05).mean() <= 0.085
    assert 0.4 <= (values <= 0.5).mean() <= 0.6
    assert values.min() >= 1 / 200


def test_items_of_one_group_are_no_evidence_each() -> None:
    """Groups of 20 equal items: taken alone, they would make chance look significant far too often."""
    rng = np.random.default_rng(5)
    alone, grouped = [], []
    for trial in range(60):
        difference = np.repeat(rng.normal(0, 1, 15), 20)
        nothing = np.zeros(300)
        alone.append(permutation_p(queries(300), difference, nothing, 199, trial))
        grouped.append(permutation_p(queries(300, [f"g{i // 20}" for i in range(300)]), difference, nothing, 199, trial))
    assert np.mean(np.array(alone) <= 0.05) > 0.4
    assert np.mean(np.array(grouped) <= 0.05) < 0.15


def test_a_real_difference_is_found() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(200)
    assert permutation_p(queries(200), base + rng.normal(0.05, 0.1, 200), base, 2_000, 1) < 0.002
    labels = np.repeat([1, 0], 100)
    good, poor = labels * 2 + rng.normal(0, 1, 200), labels * 0.5 + rng.normal(0, 1, 200)
    assert permutation_p(pairs(labels), good, poor, 2_000, 1) < 0.002
    truth = rng.integers(0, 3, 150)
    right = np.where(rng.random((4, 150)) < 0.9, truth, 0)
    wrong = np.where(rng.random((4, 150)) < 0.6, truth, 0)
    assert permutation_p(classified(truth), right, wrong, 2_000, 1) < 0.002


# Invariance


def test_a_scale_of_its_own_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], 20)
    one, other = labels + rng.normal(0, 1, 40), labels * 1.5 + rng.normal(0, 1, 40)
    grades = Task("t", "STS", "toy", "d", {"labels": rng.integers(0, 5, 40).tolist()})
    for task in (pairs(labels), grades):
        p = permutation_p(task, one, other, 2_000, 1)
        assert 1 / 2_001 < p < 1
        assert permutation_p(task, np.exp(one) * 100 - 5, other, 2_000, 1) == p
        assert permutation_p(task, one, np.tanh(other / 3), 2_000, 1) == p


@pytest.mark.parametrize("task", ["queries", "groups", "pairs", "f1 of pairs", "texts"])
def test_the_order_of_the_systems_is_nothing(task: str) -> None:
    asked, one, other = cases(task, np.random.default_rng(2))
    assert permutation_p(asked, one, other, 2_000, 1) == permutation_p(asked, other, one, 2_000, 1)


def test_the_seed_sets_the_value() -> None:
    asked, one, other = cases("queries", np.random.default_rng(2))
    assert permutation_p(asked, one, other, 2_000, 1) == permutation_p(asked, one, other, 2_000, 1)
    assert permutation_p(asked, one, other, 2_000, 1) != permutation_p(asked, one, other, 2_000, 2)


def test_blocks_are_only_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("queries", "pairs"):
        asked, one, other = cases(kind, np.random.default_rng(2))
        whole = permutation_p(asked, one, other, 1_000, 1)
        with monkeypatch.context() as patch:
            patch.setattr("medloom.evaluate.significance._BLOCK", 700)
            assert permutation_p(asked, one, other, 1_000, 1) == pytest.approx(whole, abs=0.06)


def test_equal_systems_are_equal() -> None:
    one = np.random.default_rng(0).random(10)
    for task in (queries(10), pairs(np.array([1, 0] * 5)), Task("t", "Clustering", "toy", "d", {})):
        assert permutation_p(task, one, one.copy(), 100, 1) == 1


def test_a_system_that_tells_nothing_apart_can_be_tested() -> None:
    task = Task("t", "STS", "toy", "d", {"labels": list(range(30))})
    good, blind = np.arange(30.0), np.zeros(30)
    assert permutation_p(task, good, blind, 2_000, 1) < 0.01
    noise = np.random.default_rng(0).random(30)
    assert permutation_p(task, noise, blind, 2_000, 1) > 0.05


def test_fewer_permutations_where_one_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing as extreme as what was seen, p says how many there were."""
    labels = np.repeat([1, 0], 50)
    task, good, bad = pairs(labels), np.arange(100.0)[::-1].copy(), np.arange(100.0)
    assert permutation_p(task, good, bad, 500, 1) == 1 / 501
    assert permutation_p(task, good, bad, 3_000, 1) == 1 / 3_001
    monkeypatch.setattr("medloom.evaluate.significance._WORK", 1)
    assert permutation_p(task, good, bad, 3_000, 1) == 1 / 2_001
    assert permutation_p(task, good, bad, 500, 1) == 1 / 501


# Holm


def test_holm_by_hand() -> None:
    """Holm's steps: 4 x 0.01, 3 x 0.013, 2 x 0.03, 1 x 0.04; no value below one before it."""
    assert holm([0.04, 0.01, 0.03, 0.013]) == pytest.approx([0.06, 0.04, 0.06, 0.04])
    assert holm([0.01, 0.02, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_lies_between_no_correction_and_bonferroni(values: list[float]) -> None:
    corrected = holm(values)
    for raw, found in zip(values, corrected, strict=True):
        assert raw <= found <= min(1.0, raw * len(values))
    assert all(corrected[i] <= corrected[j] for i in range(len(values)) for j in range(len(values)) if values[i] < values[j])
    level = 0.05
    ordered = sorted(values)
    rejected = next((i for i, p in enumerate(ordered) if p * (len(values) - i) > level), len(values))
    assert sum(p <= level for p in corrected) == rejected
