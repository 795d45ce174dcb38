"""Retrieval and pair metrics over arrays.

They equal trec_eval's (through pytrec_eval) and mteb's, which the tests check, and need no dictionary of scores for every
query: a task of 16,000 queries takes a second.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

K_VALUES = (1, 3, 5, 10, 20, 100)


def retrieval_metrics(
    ranked: Ints,
    query_ids: Sequence[str],
    corpus_ids: Sequence[str],
    qrels: Mapping[str, Mapping[str, int]],
    k_values: Sequence[int] = K_VALUES,
) -> dict[str, Floats]:
    """Every metric of every query, by trec_eval's definitions.

    nDCG takes the relevance itself as gain and log2(rank + 1) as discount (Järvelin and Kekäläinen 2002, as in trec_eval's
    ``ndcg_cut``); MAP@k divides by the number of all relevant documents (``map_cut``).

    Args:
        ranked: int64, shape (queries, depth): numbers of documents in ``corpus_ids``, best first; -1 for none.
        query_ids: Ids of the rows.
        corpus_ids: Ids of the documents.
        qrels: Query id to document id to relevance; 0 and less is not relevant.
        k_values: Depths of the metrics.

    Returns:
        ``ndcg_at_k``, ``map_at_k``, ``recall_at_k``, ``precision_at_k``, ``mrr_at_k`` and ``hit_rate_at_k`` for each k,
        each float64 of shape (queries,).
    """
    number = {id_: i for i, id_ in enumerate(corpus_ids)}
    depth = max(k_values)
    gains = np.zeros((len(query_ids), depth))
    ideal = np.zeros((len(query_ids), depth))
    relevant = np.zeros(len(query_ids))
    for row, query in enumerate(query_ids):
        judged = {number[d]: float(v) for d, v in qrels[query].items() if v > 0}
        relevant[row] = len(judged)
        best = sorted(judged.values(), reverse=True)[:depth]
        ideal[row, : len(best)] = best
        for place, found in enumerate(ranked[row, :depth].tolist()):
            if found in judged:
                gains[row, place] = judged[found]
    return _from_gains(gains, ideal, relevant, k_values)


def _from_gains(gains: Floats, ideal: Floats, relevant: Floats, k_values: Sequence[int]) -> dict[str, Floats]:
    ranks = np.arange(1, gains.shape[1] + 1)
    discount = 1 / np.log2(ranks + 1)
    hits = (gains > 0).astype(np.float64)
    found = np.cumsum(hits, axis=1)
    precision = found / ranks
    dcg, best = np.cumsum(gains * discount, axis=1), np.cumsum(ideal * discount, axis=1)
    averaged = np.cumsum(precision * hits, axis=1)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, np.inf)
    metrics: dict[str, Floats] = {}
    for k in k_values:
        metrics[f"ndcg_at_{k}"] = dcg[:, k - 1] / best[:, k - 1]
        metrics[f"map_at_{k}"] = averaged[:, k - 1] / relevant
        metrics[f"recall_at_{k}"] = found[:, k - 1] / relevant
        metrics[f"precision_at_{k}"] = precision[:, k - 1]
        metrics[f"mrr_at_{k}"] = np.where(first <= k, 1 / first, 0.0)
        metrics[f"hit_rate_at_{k}"] = (first <= k).astype(np.float64)
    return metrics


def pair_metrics(scores: Floats, labels: Ints) -> dict[str, float]:
    """How well a similarity tells true pairs from false ones, at the best threshold of each metric.

    As mteb: a threshold lies between two scores, so tied scores fall on one side together, and no threshold accepts every
    pair.

    Args:
        scores: float64, shape (n,).
        labels: int64, shape (n,): 1 for a true pair, 0 for a false one.

    Returns:
        ``similarity_ap``, ``similarity_f1`` with its ``similarity_precision`` and ``similarity_recall``, and
        ``similarity_accuracy``.
    """
    positives, accepted = pair_counts(scores, labels, np.ones((1, len(labels))))
    total, n = float(labels.sum()), len(labels)
    true, taken = positives[0, :-1], accepted[0, :-1]
    f1 = 2 * true / (taken + total)
    best = int(f1.argmax()) if len(f1) and f1.max() > 0 else None
    accuracy = (true + (n - total) - (taken - true)) / n
    return {
        "similarity_ap": float(average_precision(scores, labels, np.ones((1, n)))[0]),
        "similarity_f1": 0.0 if best is None else float(f1[best]),
        "similarity_precision": 0.0 if best is None else float(true[best] / taken[best]),
        "similarity_recall": 0.0 if best is None else float(true[best] / total),
        "similarity_accuracy": float(accuracy.max(initial=0.0)),
    }


def pair_counts(scores: Floats, labels: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """True pairs and all pairs accepted at each distinct score as threshold, under each row of item weights.

    Args:
        scores: float64, shape (n,).
        labels: int64, shape (n,), 0 or 1.
        weights: float64, shape (r, n): how often each item was drawn.

    Returns:
        Two arrays of shape (r, t), one column for each of the t distinct scores, highest first.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    drawn = weights[:, order]
    return np.cumsum(drawn * labels[order], axis=1)[:, ends], np.cumsum(drawn, axis=1)[:, ends]


def average_precision(scores: Floats, labels: Ints, weights: Floats) -> Floats:
    """Average precision under each row of item weights, ties in score counted together.

    With weights of one it equals scikit-learn's ``average_precision_score``.

    Args:
        scores: float64, shape (n,).
        labels: int64, shape (n,), 0 or 1.
        weights: float64, shape (r, n): how often each item was drawn.

    Returns:
        float64, shape (r,); NaN where a row drew no positive.
    """
    positives, everything = pair_counts(scores, labels, weights)
    gained = np.diff(positives, axis=1, prepend=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(everything > 0, positives / everything, 0)
        return np.asarray((precision * gained).sum(axis=1) / positives[:, -1])


def best_f1(scores: Floats, labels: Ints, weights: Floats) -> Floats:
    """F1 at the best threshold, under each row of item weights.

    Args:
        scores: float64, shape (n,).
        labels: int64, shape (n,), 0 or 1.
        weights: float64, shape (r, n): how often each item was drawn.

    Returns:
        float64, shape (r,).
    """
    positives, everything = pair_counts(scores, labels, weights)
    below_all = everything[:, :-1] < everything[:, -1:]
    f1 = 2 * positives[:, :-1] / np.maximum(everything[:, :-1] + positives[:, -1:], 1)
    return np.asarray(np.where(below_all, f1, 0.0).max(axis=1, initial=0.0))


def macro_f1(predicted: Ints, labels: Ints, weights: Floats) -> Floats:
    """Macro-averaged F1, averaged over experiments, under each row of item weights.

    With weights of one it equals scikit-learn's ``f1_score(average="macro")``, averaged. A class that a row of weights
    drew neither as label nor as prediction does not count in that row.

    Args:
        predicted: int64, shape (experiments, n): class of each item in each experiment.
        labels: int64, shape (n,).
        weights: float64, shape (r, n): how often each item was drawn.

    Returns:
        float64, shape (r,).
    """
    classes = np.unique(np.concatenate([labels, predicted.ravel()]))
    truth = (labels[:, None] == classes).astype(np.float64)
    support = weights @ truth
    total = np.zeros(len(weights))
    for row in predicted:
        guessed = (row[:, None] == classes).astype(np.float64)
        both = weights @ (truth * guessed)
        either = support + weights @ guessed
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = np.where(either > 0, 2 * both / either, np.nan)
        total += np.nanmean(f1, axis=1)
    return total / len(predicted)


def accuracy(predicted: Ints, labels: Ints, weights: Floats) -> Floats:
    """Share of items classified rightly, averaged over experiments, under each row of item weights.

    Args:
        predicted: int64, shape (experiments, n).
        labels: int64, shape (n,).
        weights: float64, shape (r, n).

    Returns:
        float64, shape (r,).
    """
    right = (predicted == labels).mean(axis=0)
    return np.asarray(weights @ right / weights.sum(axis=1))


def spearman(scores: Floats, labels: Floats, weights: Floats) -> Floats:
    """Spearman's rank correlation under each row of item weights, ties at their mean rank.

    With weights of one it equals SciPy's ``spearmanr``, where that is a number.

    Args:
        scores: float64, shape (n,).
        labels: float64, shape (n,).
        weights: float64, shape (r, n): how often each item was drawn.

    Returns:
        float64, shape (r,); NaN where a row drew no two different labels, 0 where it drew no two different scores: a
        system that tells no two items apart ranks nothing.
    """
    one, other = _weighted_ranks(scores, weights), _weighted_ranks(labels, weights)
    total = weights.sum(axis=1, keepdims=True)
    one = one - (weights * one).sum(axis=1, keepdims=True) / total
    other = other - (weights * other).sum(axis=1, keepdims=True) / total
    of_scores, of_labels = (weights * one**2).sum(axis=1), (weights * other**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = (weights * one * other).sum(axis=1) / np.sqrt(of_scores * of_labels)
    return np.asarray(np.where((of_scores == 0) & (of_labels > 0), 0.0, correlation))


def _weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """Mean rank of each item among all drawn copies, shape (r, n)."""
    _, inverse = np.unique(values, return_inverse=True)
    size = int(inverse.max()) + 1
    weight = weights @ (inverse[:, None] == np.arange(size)).astype(np.float64)
    ranks = np.cumsum(weight, axis=1) - (weight - 1) / 2
    return np.asarray(ranks[:, inverse])
