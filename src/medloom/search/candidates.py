"""Candidates from a store: by vector, by part of a vector, and as many as it takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medloom.search.fuse import Ranked
from medloom.search.index import fitted
from medloom.search.records import Chunk, Filter
from medloom.search.store import Floats, Scored, VectorStore

_MOST = 10_000
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class Found:
    """A candidate.

    Attributes:
        chunk: It.
        score: What candidates are ordered by.
        parts: Rank (from 1) and score in each way of searching.
    """

    chunk: Chunk
    score: float
    parts: Mapping[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def document(self) -> tuple[str, str]:
        """Source and id of its document."""
        return self.chunk.source, self.chunk.doc_id


@dataclass(frozen=True, slots=True)
class Depth:
    """How many candidates are wanted.

    Attributes:
        chunks: From each way of searching, to begin with.
        documents: More are looked for until they are of so many documents; None takes what there is.
    """

    chunks: int
    documents: int | None = None


def nearest(
    store: VectorStore,
    vector: Floats,
    n: int,
    where: Filter,
    *,
    exact: bool = False,
    dimensions: int | None = None,
    oversample: float = 3.0,
) -> Scored:
    """The chunks whose vectors are nearest by cosine, or by cosine of the vectors' beginnings.

    By beginnings, the store is asked for ``oversample`` times as many, with zeros for the rest of the query; they are scored
    again by the cut vectors, which are of unit length like those of an index that keeps only them.

    Args:
        store: The store.
        vector: float32, shape (d,).
        n: How many.
        where: What they must meet.
        exact: Compare with every whole vector.
        dimensions: Length of the beginnings; the whole vectors if None.
        oversample: How many times more are taken from quantised or cut vectors and scored again.
    """
    if dimensions is None or dimensions == len(vector):
        return store.dense(vector, n, where, exact=exact, oversample=oversample)
    query = fitted(vector[None], dimensions)[0]
    padded = np.concatenate([query, np.zeros(len(vector) - dimensions, dtype=np.float32)])
    ids = [id_ for id_, _ in store.dense(padded, int(n * oversample), where, exact=exact, oversample=oversample)]
    scores = (fitted(store.vectors(ids), dimensions) @ query).tolist() if ids else []
    return sorted(zip(ids, scores, strict=True), key=lambda one: (-one[1], one[0]))[:n]


def gather(
    store: VectorStore,
    ways: Mapping[str, Callable[[int], Scored]],
    join: Callable[[Mapping[str, Scored]], Sequence[Ranked]],
    depth: Depth,
    done: Callable[[str], None] = lambda step: None,
) -> list[Found]:
    """Candidates of all ways as one ranking.

    Args:
        store: Where the chunks are.
        ways: Of searching: from how many are wanted to chunks with scores.
        join: Makes one ranking of theirs.
        depth: How many are wanted.
        done: Told of each step that has ended.
    """
    n = depth.chunks
    while True:
        rankings: dict[str, Scored] = {}
        for name, way in ways.items():
            rankings[name] = way(n)
            done(name)
        found = with_chunks(store, join(rankings))
        done("join")
        enough = depth.documents is None or len({one.document for one in found}) >= depth.documents
        if enough or n >= _MOST or all(len(ranking) < n for ranking in rankings.values()):
            return found
        n = min(_MOST, n * _GROWTH)


def with_chunks(store: VectorStore, ranked: Sequence[Ranked]) -> list[Found]:
    """A ranking with its chunks; one that was deleted in the meantime is left out."""
    chunks = {chunk.id: chunk for chunk in store.get([one.id for one in ranked])}
    return [Found(chunks[one.id], one.score, one.parts) for one in ranked if one.id in chunks]
