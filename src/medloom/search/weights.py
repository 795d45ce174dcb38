"""How much vectors and words should count when they are fused: learnt on some queries, judged on others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medloom.errors import SearchError
from medloom.evaluate.significance import permutation_p
from medloom.evaluate.statistics import Interval, task_interval
from medloom.evaluate.tasks import Task
from medloom.identity import text_hash
from medloom.search.fuse import fuse
from medloom.search.index import Index
from medloom.search.judged import Floats, JudgedQueries, Pool, ask, documents_of, matched, measure
from medloom.search.query import SearchSettings

_STEPS = 20
_METRIC = "ndcg_at_10"
_FEWEST = 10
_BYTES = 8
_EQUAL = 0.5


@dataclass(frozen=True)
class LearntWeights:
    """Weights, and what they are worth on queries that they were not learnt on.

    Attributes:
        weights: Of ``dense`` and ``lexical``; their sum is 1.
        dev: nDCG@10 with them on the queries that they were learnt on, which flatters them.
        dev_equal: The same with equal weights.
        held_out: nDCG@10 with them on the others.
        equal: The same with equal weights.
        difference: 95% interval of ``held_out - equal``.
        p: Two-sided p-value of that difference.
        dev_queries: Number of queries that they were learnt on.
        held_out_queries: Number of the others.
    """

    weights: dict[str, float]
    dev: float
    dev_equal: float
    held_out: float
    equal: float
    difference: Interval
    p: float
    dev_queries: int
    held_out_queries: int


def learn_weights(
    index: Index,
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    settings: SearchSettings | None = None,
    *,
    dev: float = 0.5,
    resamples: int = 10_000,
    seed: int = 0,
) -> LearntWeights:
    """Learn the weights of a fused search from judged queries.

    Args:
        index: The index.
        queries: Text by id.
        qrels: By query, relevance by document id.
        settings: How the search is made otherwise.
        dev: Share of the queries to learn on; the others judge.
        resamples: Of bootstrap and permutation test.
        seed: Draws the share, the resamples and the permutations.

    Raises:
        SearchError: There are fewer than ten queries on either side, or the index lacks all relevant documents.
    """
    judged, _ = matched(index, JudgedQueries("queries", queries, qrels))
    learning, judging = split(judged, dev, seed)
    pool = ask(index, judged.queries, settings or SearchSettings())
    weights, scores = best_weights(pool, learning)
    ours, equal = (of_weights(pool, judging, one) for one in (weights, {}))
    task = as_task(judging)
    return LearntWeights(
        weights=weights,
        dev=scores[weights["dense"]],
        dev_equal=scores[_EQUAL],
        held_out=float(ours.mean()),
        equal=float(equal.mean()),
        difference=task_interval(task, ours, equal, resamples, seed),
        p=permutation_p(task, ours, equal, resamples, seed),
        dev_queries=len(learning.queries),
        held_out_queries=len(judging.queries),
    )


def split(judged: JudgedQueries, dev: float, seed: int) -> tuple[JudgedQueries, JudgedQueries]:
    """Queries to learn on and queries to judge on, by hash of their text: equal texts fall on one side.

    Raises:
        SearchError: There are fewer than ten on a side.
    """
    unit = 1 << 8 * _BYTES
    draw = {q: int.from_bytes(text_hash(f"{seed}|{text}", _BYTES)) / unit for q, text in judged.queries.items()}
    learning, judging = [q for q in draw if draw[q] < dev], [q for q in draw if draw[q] >= dev]
    if min(len(learning), len(judging)) < _FEWEST:
        raise SearchError(
            f"weights cannot be learnt: {len(learning)} queries to learn on and {len(judging)} to judge on, where "
            f"{_FEWEST} each are the least: give more queries"
        )
    return judged.only(learning), judged.only(judging)


def best_weights(pool: Pool, learning: JudgedQueries) -> tuple[dict[str, float], dict[float, float]]:
    """The weights, in steps of 0.05, that are nearest to equal ones among those that are as good as the best.

    As good means: the mean difference in nDCG@10 from the best is within one standard error of it (the rule of Breiman,
    Friedman, Olshen and Stone 1984 for the size of a tree), so that a few queries do not decide.

    Returns:
        The weights, and nDCG@10 by the weight of ``dense``.
    """
    shares = [round(step / _STEPS, 4) for step in range(_STEPS + 1)]
    values = {share: of_weights(pool, learning, {"dense": share, "lexical": 1 - share}) for share in shares}
    best = values[max(shares, key=lambda share: (values[share].mean(), -abs(share - _EQUAL)))]
    errors = {share: (best - one).std(ddof=1) / len(best) ** 0.5 for share, one in values.items()}
    good = [share for share in shares if (best - values[share]).mean() <= errors[share]]
    nearest = min(good, key=lambda share: (abs(share - _EQUAL), -values[share].mean(), share))
    scores = {share: float(one.mean()) for share, one in values.items()}
    return {"dense": nearest, "lexical": round(1 - nearest, 4)}, scores


def of_weights(pool: Pool, judged: JudgedQueries, weights: Mapping[str, float]) -> Floats:
    """nDCG@10 of each query under weights, float64, shape (queries,)."""
    found = {q: documents_of(fuse(pool.rankings[q], weights), pool) for q in judged.queries}
    return np.asarray(measure(found, judged)[_METRIC])


def as_task(judged: JudgedQueries) -> Task:
    """What the statistics of :mod:`medloom.evaluate` want to know of the queries."""
    data = {"queries": dict(judged.queries), "corpus": {}, "qrels": {q: dict(one) for q, one in judged.qrels.items()}}
    return Task(judged.name, "Retrieval", judged.name, "", data, metric=_METRIC)
