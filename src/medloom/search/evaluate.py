"""``medloom search eval``: which mix of searching finds most in this index, and is the difference real?"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from medloom.evaluate.significance import holm, permutation_p
from medloom.evaluate.statistics import Interval, task_interval
from medloom.progress import bar
from medloom.search.candidates import with_chunks
from medloom.search.fuse import Ranked, alone, fuse
from medloom.search.index import Index
from medloom.search.judged import METRICS, Floats, JudgedQueries, Pool, ask, documents_of, matched, measure
from medloom.search.query import SearchSettings, reranked
from medloom.search.rerank import Reranker, load_reranker
from medloom.search.weights import as_task, best_weights, split

_MAIN = "ndcg_at_10"


@dataclass(frozen=True)
class Score:
    """A score with its 95% interval (bootstrap over queries)."""

    score: float
    low: float
    high: float


@dataclass(frozen=True)
class System:
    """A way of searching, and how good it is.

    Attributes:
        name: ``dense``, ``lexical``, ``fused``, ``fused-weighted`` or ``re-ranked``.
        scores: By metric.
    """

    name: str
    scores: dict[str, Score]


@dataclass(frozen=True)
class Difference:
    """``one - other`` in nDCG@10, on the same queries.

    Attributes:
        one: A system.
        other: Another.
        difference: Of their means.
        low: Of its 95% interval (paired bootstrap).
        high: Of the same.
        p: Two-sided p-value of a permutation test, corrected for the number of pairs (Holm).
    """

    one: str
    other: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Report:
    """What came of it.

    Attributes:
        task: Name of the queries.
        queries: Number of those that the systems are judged on.
        dev_queries: Number of those that the weights were learnt on, which judge nothing; 0 if none were learnt.
        missing: Relevant documents that the index lacks: they count as not found.
        weights: Of the system ``fused-weighted``; empty without.
        systems: They.
        differences: Of every pair of them.
        seconds: Wall time.
    """

    task: str
    queries: int
    dev_queries: int
    missing: int
    weights: dict[str, float]
    systems: list[System]
    differences: list[Difference]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def evaluate(
    index: Index,
    judged: JudgedQueries,
    settings: SearchSettings | None = None,
    *,
    learn: float = 0.0,
    reranker: Reranker | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Report:
    """Judge the ways of searching an index on the same queries.

    Args:
        index: The index.
        judged: Queries with judgements by document id.
        settings: How to search. ``weights`` adds a system with them; ``rerank`` adds one that re-ranks the best fused
            system's first ``depth`` chunks: the one with weights if there is one.
        learn: Share of the queries to learn weights on; all systems are then judged on the others.
        reranker: What re-ranks, where it is loaded already.
        resamples: Of bootstrap and permutation test.
        seed: Draws the share, the resamples and the permutations.

    Raises:
        SearchError: The index lacks all relevant documents or what the settings ask for, or too few queries are there to
            learn on.
        ModelError: The model that re-ranks cannot be loaded.
    """
    started = time.perf_counter()
    settings = settings or SearchSettings()
    if settings.rerank != "none" and reranker is None:
        reranker = load_reranker(index, settings.rerank, settings.rerank_model)
    known, missing = matched(index, judged)
    learning, judging = split(known, learn, seed) if learn else (None, known)
    pool = ask(index, known.queries, settings)
    weights = best_weights(pool, learning)[0] if learning else dict(settings.weights)
    found = _systems(index, pool, judging, weights, reranker, settings.depth)
    values = {name: measure(documents, judging) for name, documents in found.items()}
    return Report(
        task=judged.name,
        queries=len(judging.queries),
        dev_queries=len(learning.queries) if learning else 0,
        missing=missing,
        weights=weights,
        systems=_scores(judging, values, resamples, seed),
        differences=_differences(judging, {name: one[_MAIN] for name, one in values.items()}, resamples, seed),
        seconds=round(time.perf_counter() - started, 2),
    )


def _systems(
    index: Index,
    pool: Pool,
    judged: JudgedQueries,
    weights: Mapping[str, float],
    reranker: Reranker | None,
    depth: int,
) -> dict[str, dict[str, list[str]]]:
    """By system, the documents found for each query."""
    rankings: dict[str, dict[str, list[Ranked]]] = {name: {} for name in ("dense", "lexical", "fused")}
    for query in judged.queries:
        ways = pool.rankings[query]
        rankings["dense"][query] = alone("dense", ways["dense"])
        rankings["lexical"][query] = alone("lexical", ways["lexical"])
        rankings["fused"][query] = fuse(ways)
        if weights:
            rankings.setdefault("fused-weighted", {})[query] = fuse(ways, weights)
    if reranker is not None:
        best = rankings["fused-weighted" if weights else "fused"]
        with bar("re-ranking", len(best), "queries") as advance:
            rankings["re-ranked"] = {}
            for query, ranking in best.items():
                rankings["re-ranked"][query] = _reranked(index, pool.texts[query], ranking, depth, reranker)
                advance()
    return {name: {q: documents_of(one, pool) for q, one in by_query.items()} for name, by_query in rankings.items()}


def _reranked(index: Index, text: str, ranking: Sequence[Ranked], depth: int, reranker: Reranker) -> list[Ranked]:
    """The first chunks re-ranked, then the others as they were, so that recall stays what it was."""
    best = reranked(text, with_chunks(index.store, ranking[:depth]), depth, reranker)
    return [*(Ranked(one.chunk.id, one.score) for one in best), *ranking[depth:]]


def _scores(judged: JudgedQueries, values: Mapping[str, Mapping[str, Floats]], resamples: int, seed: int) -> list[System]:
    task = as_task(judged)
    systems = []
    for name, metrics in values.items():
        scores = {}
        for metric in METRICS:
            interval = _interval(task_interval(task, metrics[metric], None, resamples, seed))
            scores[metric] = Score(float(metrics[metric].mean()), *interval)
        systems.append(System(name, scores))
    return systems


def _differences(judged: JudgedQueries, values: Mapping[str, Floats], resamples: int, seed: int) -> list[Difference]:
    task = as_task(judged)
    pairs = list(combinations(values, 2))
    corrected = holm([permutation_p(task, values[one], values[other], resamples, seed) for one, other in pairs])
    return [
        Difference(
            one,
            other,
            float((values[one] - values[other]).mean()),
            *_interval(task_interval(task, values[one], values[other], resamples, seed)),
            p,
        )
        for (one, other), p in zip(pairs, corrected, strict=True)
    ]


def _interval(found: Interval) -> tuple[float, float]:
    return float(found.low), float(found.high)
