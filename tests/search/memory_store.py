"""A store in memory that computes all by definition: what the others are held against."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from medloom.errors import SearchError
from medloom.search.filters import check_condition, facts_of, meets
from medloom.search.lexical import Sparse, Words
from medloom.search.records import Chunk, Filter
from medloom.search.store import Floats, Scored, StoreSettings


class MemoryStore:
    """A :class:`medloom.search.store.VectorStore` of plain dictionaries."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._words = Words(settings.average_words)
        self._chunks: dict[str, Chunk] = {}
        self._vectors: dict[str, Floats] = {}
        self._sparse: dict[str, Sparse] = {}
        self._tokens: dict[str, Floats] = {}

    @property
    def settings(self) -> StoreSettings:
        return self._settings

    def put(self, chunks: Sequence[Chunk], vectors: Floats, tokens: Sequence[Floats] | None = None) -> None:
        for i, chunk in enumerate(chunks):
            self._chunks[chunk.id] = chunk
            self._vectors[chunk.id] = _unit(vectors[i])
            self._sparse[chunk.id] = self._words.document(chunk.embedded)
            if tokens is not None:
                self._tokens[chunk.id] = _unit(tokens[i])

    def delete(self, ids: Sequence[str]) -> None:
        for one in ids:
            for table in (self._chunks, self._vectors, self._sparse, self._tokens):
                table.pop(one, None)

    def dense(
        self,
        vector: Floats,
        k: int,
        where: Filter = (),
        *,
        exact: bool = False,
        rescore: bool = True,
        oversample: float = 2.0,
    ) -> Scored:
        query = _unit(vector)
        return _best({chunk.id: float(self._vectors[chunk.id] @ query) for chunk in self.chunks(where)}, k)

    def lexical(self, query: str, k: int, where: Filter = ()) -> Scored:
        asked = self._words.query(query)
        documents = Counter(word for sparse in self._sparse.values() for word in sparse.indices)
        n = len(self._sparse)
        idf = {w: math.log((n - documents[w] + 0.5) / (documents[w] + 0.5) + 1) for w in asked.indices}
        scores: dict[str, float] = {}
        for one, chunk in self._chunks.items():
            weights = dict(zip(self._sparse[one].indices, self._sparse[one].values, strict=True))
            if meets(chunk, where) and any(w in weights for w in idf):
                scores[one] = sum(idf[w] * weights.get(w, 0.0) for w in idf)
        return _best(scores, k)

    def late(self, tokens: Floats, ids: Sequence[str]) -> Scored:
        if self._settings.token_dimensions is None:
            raise SearchError("the index keeps no vectors of tokens")
        query = _unit(tokens)
        known = [i for i in dict.fromkeys(ids) if i in self._tokens]
        return _best({i: float((query @ self._tokens[i].T).max(axis=1).sum()) for i in known}, len(ids))

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        return [self._chunks[i] for i in ids if i in self._chunks]

    def chunks(self, where: Filter = ()) -> Iterator[Chunk]:
        for condition in where:
            check_condition(condition)
        yield from (self._chunks[i] for i in sorted(self._chunks) if meets(self._chunks[i], where))

    def vectors(self, ids: Sequence[str]) -> Floats:
        if any(i not in self._vectors for i in ids):
            raise SearchError("a chunk is not in the index")
        return np.array([self._vectors[i] for i in ids], dtype=np.float32).reshape(len(ids), self._settings.dimensions)

    def names(self) -> list[str]:
        return sorted({name for chunk in self._chunks.values() for name in facts_of(chunk)} | {"source", "id", "group"})

    def facets(self, name: str, where: Filter = (), limit: int = 50) -> dict[str, int]:
        found = Counter(v for chunk in self.chunks(where) for v in facts_of(chunk).get(name, []))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit])

    def count(self, where: Filter = ()) -> int:
        return sum(1 for _ in self.chunks(where))

    def flush(self) -> None:
        """Nothing outlives the process."""

    def optimise(self) -> None:
        """There is no graph."""

    def close(self) -> None:
        """Nothing is held."""


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Floats = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return unit


def _best(scores: dict[str, float], k: int) -> Scored:
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k]
