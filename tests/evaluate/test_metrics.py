"""Metrics against trec_eval, mteb, scikit-learn and SciPy."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.evaluate.metrics import (
    K_VALUES,
    accuracy,
    average_precision,
    best_f1,
    macro_f1,
    pair_counts,
    pair_metrics,
    retrieval_metrics,
    spearman,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Qrels = dict[str, dict[str, int]]

TREC = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P", "hit_rate": "success"}


# Retrieval


def by_trec_eval(
    ranked: Ints, queries: list[str], corpus: list[str], qrels: Qrels, ks: tuple[int, ...]
) -> dict[str, Floats]:
    """The same from pytrec_eval, and reciprocal ranks from mteb, which has them cut at k."""
    import pytrec_eval
    from mteb._evaluators.retrieval_metrics import mrr

    run = {
        query: {corpus[i]: float(len(row) - place) for place, i in enumerate(row.tolist()) if i >= 0}
        for query, row in zip(queries, ranked, strict=True)
    }
    measures = {f"{theirs}.{','.join(map(str, ks))}" for theirs in TREC.values()}
    found = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    expected = {
        f"{ours}_at_{k}": np.array([found[q][f"{theirs}_{k}"] for q in queries]) for ours, theirs in TREC.items() for k in ks
    }
    ranks = mrr(qrels, run, ks)
    return expected | {f"mrr_at_{k}": np.array(ranks[f"MRR@{k}"]) for k in ks}


def assert_as_trec_eval(
    ranked: Ints, queries: list[str], corpus: list[str], qrels: Qrels, ks: tuple[int, ...] = K_VALUES
) -> dict[str, Floats]:
    found = retrieval_metrics(ranked, queries, corpus, qrels, ks)
    expected = by_trec_eval(ranked, queries, corpus, qrels, ks)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].shape == (len(queries),)
        assert found[name].dtype == np.float64
        np.testing.assert_allclose(found[name], values, atol=1e-9, err_msg=name)
    return found


@st.composite
def rankings(draw: st.DrawFn) -> tuple[Ints, list[str], list[str], Qrels]:
    """Rankings without ties; relevance from -1 to 3, at least one relevant; the last places may be empty."""
    n, m = draw(st.integers(1, 4)), draw(st.integers(1, 25))
    depth = draw(st.integers(1, m))
    queries, corpus = [f"q{i}" for i in range(n)], [f"d{i}" for i in range(m)]
    ranked, qrels = [], {}
    for query in queries:
        row = np.array(draw(st.permutations(range(m)))[:depth])
        row[draw(st.integers(0, depth)) :] = -1
        ranked.append(row)
        judged = draw(st.dictionaries(st.sampled_from(corpus), st.integers(-1, 3), max_size=m))
        qrels[query] = judged | {draw(st.sampled_from(corpus)): draw(st.integers(1, 3))}
    return np.array(ranked, dtype=np.int64), queries, corpus, qrels


@given(rankings())
def test_retrieval_is_as_trec_eval_has_it(case: tuple[Ints, list[str], list[str], Qrels]) -> None:
    assert_as_trec_eval(*case)
    assert_as_trec_eval(*case, ks=(1, 2, 4, 7))


def test_many_documents_of_graded_relevance() -> None:
    rng = np.random.default_rng(0)
    corpus = [f"d{i}" for i in range(300)]
    queries = [f"q{i}" for i in range(40)]
    ranked = np.array([rng.permutation(300)[:120] for _ in queries])
    qrels = {
        q: {corpus[i]: int(v) for i, v in zip(rng.choice(300, 150, replace=False), rng.integers(0, 4, 150), strict=True)}
        for q in queries
    }
    found = assert_as_trec_eval(ranked, queries, corpus, qrels, (*K_VALUES, 110))
    assert len(np.unique(found["ndcg_at_10"])) > 30


def test_a_known_ranking() -> None:
    """Relevance 3, 0, 2 found at the places 1, 2, 3, and 1 not found: worked by hand."""
    corpus = ["a", "b", "c", "d"]
    found = retrieval_metrics(np.array([[0, 1, 2]]), ["q"], corpus, {"q": {"a": 3, "c": 2, "d": 1, "b": 0}}, (1, 3))
    ideal = 3 + 2 / np.log2(3) + 1 / 2
    assert found["ndcg_at_3"][0] == pytest.approx((3 + 2 / 2) / ideal)
    assert found["map_at_3"][0] == pytest.approx((1 + 2 / 3) / 3)
    assert found["recall_at_3"][0] == pytest.approx(2 / 3)
    assert found["precision_at_3"][0] == pytest.approx(2 / 3)
    assert found["recall_at_1"][0] == pytest.approx(1 / 3)
    assert (found["mrr_at_3"][0], found["hit_rate_at_1"][0], found["ndcg_at_1"][0]) == (1, 1, 1)


def test_nothing_found_and_nothing_relevant_found() -> None:
    corpus = ["a", "b", "c"]
    queries = ["none", "wrong", "late"]
    ranked = np.array([[-1, -1], [0, 1], [2, 0]])
    qrels = {"none": {"a": 1}, "wrong": {"c": 1, "a": 0}, "late": {"a": 1}}
    found = assert_as_trec_eval(ranked, queries, corpus, qrels)
    for name, values in found.items():
        assert values[:2].tolist() == [0, 0], name
    assert found["mrr_at_10"][2] == 0.5
    assert found["mrr_at_1"][2] == 0


def test_more_relevant_documents_than_places() -> None:
    corpus = [f"d{i}" for i in range(30)]
    found = assert_as_trec_eval(np.arange(30)[None], ["q"], corpus, {"q": dict.fromkeys(corpus, 1)})
    assert found["ndcg_at_10"][0] == pytest.approx(1)
    assert found["recall_at_10"][0] == pytest.approx(1 / 3)


# Pairs

PAIRS = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 6), min_size=n, max_size=n),
        st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda labels: len(set(labels)) == 2),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)
UNTIED = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.permutations(range(n)),
        st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda labels: len(set(labels)) == 2),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)
Case = tuple[list[int], list[int], list[int]]


def arrays(scores: list[int], labels: list[int]) -> tuple[Floats, Ints]:
    return np.array(scores, dtype=np.float64) / 7, np.array(labels, dtype=np.int64)


def by_mteb(scores: Floats, labels: Ints) -> dict[str, float]:
    from mteb.abstasks.pair_classification import AbsTaskPairClassification

    task: Any = AbsTaskPairClassification.__new__(AbsTaskPairClassification)
    found = task._compute_metrics_values(scores.tolist(), labels, True)
    return {f"similarity_{name}": value for name, value in found.items()}


@given(st.one_of(PAIRS, UNTIED))
def test_pairs_are_as_mteb_has_them(case: Case) -> None:
    scores, labels = arrays(case[0], case[1])
    found, expected = pair_metrics(scores, labels), by_mteb(scores, labels)
    assert found.keys() == expected.keys()
    for name in ("similarity_ap", "similarity_f1", "similarity_accuracy"):
        assert found[name] == pytest.approx(expected[name], abs=1e-12), name
    precision, recall = found["similarity_precision"], found["similarity_recall"]
    if found["similarity_f1"] > 0:
        assert 2 * precision * recall / (precision + recall) == pytest.approx(found["similarity_f1"], abs=1e-12)


def test_precision_and_recall_are_mtebs_too() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        labels = np.append(rng.integers(0, 2, 60), [0, 1])
        scores = labels * 0.5 + rng.normal(0, 1, 62)
        assert pair_metrics(scores, labels) == pytest.approx(by_mteb(scores, labels), abs=1e-12)


def test_pairs_that_all_tie() -> None:
    found = pair_metrics(np.zeros(4), np.array([1, 0, 0, 0]))
    assert found == {
        "similarity_ap": 0.25,
        "similarity_f1": 0.0,
        "similarity_precision": 0.0,
        "similarity_recall": 0.0,
        "similarity_accuracy": 0.0,
    }


@given(PAIRS)
def test_average_precision_is_scikit_learns(case: Case) -> None:
    from sklearn.metrics import average_precision_score

    scores, labels = arrays(case[0], case[1])
    found = average_precision(scores, labels, np.ones((1, len(scores))))
    assert found.shape == (1,)
    assert found[0] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@given(PAIRS)
def test_whole_weights_are_repeated_pairs(case: Case) -> None:
    from sklearn.metrics import average_precision_score

    scores, labels = arrays(case[0], case[1])
    weights = np.array(case[2])
    drawn = np.repeat(np.arange(len(scores)), weights)
    rows = np.stack([np.ones(len(scores)), weights])
    ap, f1 = average_precision(scores, labels, rows)[1], best_f1(scores, labels, rows)[1]
    if labels[drawn].any():
        assert ap == pytest.approx(average_precision_score(labels[drawn], scores[drawn]), abs=1e-12)
        assert f1 == pytest.approx(by_mteb(scores[drawn], labels[drawn])["similarity_f1"], abs=1e-12)
    else:
        assert np.isnan(ap)
        assert f1 == 0


def test_each_row_of_weights_stands_alone() -> None:
    scores, labels = arrays([5, 4, 3, 2], [1, 0, 1, 0])
    found = average_precision(scores, labels, np.array([[1.0, 1, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1]]))
    assert found[0] == pytest.approx((1 + 2 / 3) / 2)
    assert found[1] == pytest.approx(0.5)
    assert np.isnan(found[2])


def test_counts_at_each_distinct_score() -> None:
    scores, labels = arrays([5, 3, 5, 1], [1, 1, 0, 0])
    true, taken = pair_counts(scores, labels, np.array([[1.0, 1, 1, 1], [2, 0, 1, 3]]))
    assert true.tolist() == [[1, 2, 2], [2, 2, 2]]
    assert taken.tolist() == [[2, 3, 4], [3, 3, 6]]


# Classification

CLASSES = st.tuples(st.integers(1, 4), st.integers(2, 25)).flatmap(
    lambda size: st.tuples(
        st.lists(st.lists(st.integers(0, 3), min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]),
        st.lists(st.integers(0, 4), min_size=size[1], max_size=size[1]),
        st.lists(st.integers(0, 3), min_size=size[1], max_size=size[1]).filter(any),
    )
)


@given(CLASSES)
def test_classification_is_scikit_learns(case: tuple[list[list[int]], list[int], list[int]]) -> None:
    """With weights of one, and with whole weights as repeated texts."""
    from sklearn.metrics import accuracy_score, f1_score

    predicted, labels, weights = (np.array(part, dtype=np.int64) for part in case)
    rows = np.stack([np.ones(len(labels)), weights])
    f1, share = macro_f1(predicted, labels, rows), accuracy(predicted, labels, rows)
    for row, drawn in enumerate((np.arange(len(labels)), np.repeat(np.arange(len(labels)), weights))):
        truth = labels[drawn]
        experiments = [one[drawn] for one in predicted]
        assert f1[row] == pytest.approx(np.mean([f1_score(truth, one, average="macro") for one in experiments]), abs=1e-12)
        assert share[row] == pytest.approx(np.mean([accuracy_score(truth, one) for one in experiments]), abs=1e-12)


def test_a_class_that_is_never_predicted_counts_as_nothing_found() -> None:
    predicted, labels = np.array([[0, 0, 0, 0]]), np.array([0, 0, 1, 1])
    assert macro_f1(predicted, labels, np.ones((1, 4)))[0] == pytest.approx((2 / 3 + 0) / 2)
    assert macro_f1(predicted, labels, np.array([[1.0, 1, 0, 0]]))[0] == pytest.approx(1)


# Correlation

NUMBERS = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 9), min_size=n, max_size=n),
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any),
    )
)


@given(NUMBERS)
def test_spearman_is_scipys(case: Case) -> None:
    """With ties; with weights of one, and with whole weights as repeated pairs."""
    from scipy.stats import spearmanr

    scores, labels = (np.array(part, dtype=np.float64) for part in case[:2])
    rows = np.stack([np.ones(len(scores)), np.array(case[2])])
    found = spearman(scores, labels, rows)
    for row, drawn in enumerate((np.arange(len(scores)), np.repeat(np.arange(len(scores)), case[2]))):
        if len(set(labels[drawn])) < 2:
            assert np.isnan(found[row])
        elif len(set(scores[drawn])) < 2:
            assert found[row] == 0
        else:
            assert found[row] == pytest.approx(spearmanr(scores[drawn], labels[drawn])[0], abs=1e-9)
