"""Several rankings into one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medloom.errors import SearchError
from medloom.search.store import Scored

K = 60
"""The constant of reciprocal rank fusion, as its authors set it."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk in a ranking.

    Attributes:
        id: Of the chunk.
        score: What the ranking is ordered by.
        parts: Rank (from 1) and score in each way of searching that found it.
    """

    id: str
    score: float
    parts: Mapping[str, tuple[int, float]] = field(default_factory=dict)


def alone(way: str, scored: Scored) -> list[Ranked]:
    """The ranking of one way of searching, with its own scores."""
    return [Ranked(id_, score, {way: (rank, score)}) for rank, (id_, score) in enumerate(scored, start=1)]


def fuse(rankings: Mapping[str, Scored], weights: Mapping[str, float] | None = None, k: int = K) -> list[Ranked]:
    """Reciprocal rank fusion: a chunk scores the sum of ``weight / (k + rank)`` over the rankings that hold it.

    From Cormack, Clarke and Büttcher (2009), "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods". It needs no scores, which of cosine and BM25 are on different scales.

    Args:
        rankings: By way of searching, chunks best first, each once.
        weights: Of the ways; 1 for those that are not named. A way of weight 0 is left out.
        k: How much less the first ranks count than their reciprocals say.

    Returns:
        Best first; of equal scores the lower id.
    """
    known = weights or {}
    parts: dict[str, dict[str, tuple[int, float]]] = {}
    scores: dict[str, float] = {}
    for way in sorted(rankings):
        if not (weight := known.get(way, 1.0)):
            continue
        for rank, (id_, score) in enumerate(rankings[way], start=1):
            parts.setdefault(id_, {})[way] = (rank, score)
            scores[id_] = scores.get(id_, 0.0) + weight / (k + rank)
    return [Ranked(id_, scores[id_], parts[id_]) for id_ in sorted(scores, key=lambda i: (-scores[i], i))]


def check_weights(weights: Mapping[str, float], ways: tuple[str, ...]) -> None:
    """Refuse weights that mean nothing.

    Raises:
        SearchError: A way is unknown, a weight is negative or no number, or all are 0.
    """
    if strange := sorted(set(weights) - set(ways)):
        raise SearchError(f"weights: no way of searching is called {strange[0]!r}: name {' and '.join(ways)}")
    if not all(0 <= weight < float("inf") for weight in weights.values()):
        raise SearchError("weights: each is a number from 0 up")
    if not any(weights.get(way, 1.0) for way in ways):
        raise SearchError("weights: at least one has to be above 0")
