"""A second, slower look at the best candidates: a cross-encoder, or late interaction."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from medloom.encode.cross import CrossScorer, load_cross_encoder
from medloom.encode.maxsim import max_sim
from medloom.encode.models import resolve_model
from medloom.encode.multivector import TokenEncoder, is_multivector, load_multivector
from medloom.errors import ModelError, SearchError
from medloom.search.index import Index
from medloom.search.records import Chunk
from medloom.search.store import Floats, VectorStore
from medloom.search.tokens import TokenTable

Kind = Literal["cross", "late"]


@runtime_checkable
class Reranker(Protocol):
    """Scores candidates for a query."""

    def __call__(self, query: str, chunks: Sequence[Chunk]) -> Floats:
        """How well each chunk answers the query, float32, shape (n,); only their order counts."""


class CrossReranker:
    """A cross-encoder (Nogueira and Cho 2019) that reads the query together with each chunk, title and heading included.

    Args:
        scorer: The model.
    """

    def __init__(self, scorer: CrossScorer) -> None:
        self._scorer = scorer

    def __call__(self, query: str, chunks: Sequence[Chunk]) -> Floats:
        """See :class:`Reranker`; from 0 to 1."""
        return self._scorer([(query, chunk.embedded) for chunk in chunks])


class LateReranker:
    """Late interaction by exact MaxSim (Khattab and Zaharia 2020).

    Args:
        encoder: The multi-vector model.
        store: Where the token vectors of this very model are kept, whole or packed; None to encode the candidates when they
            are asked for.
    """

    def __init__(self, encoder: TokenEncoder, store: VectorStore | TokenTable | None = None) -> None:
        self._encoder, self._store = encoder, store

    def __call__(self, query: str, chunks: Sequence[Chunk]) -> Floats:
        """See :class:`Reranker`: the sum over the query's tokens of the highest cosine with any token of the chunk."""
        asked = self._encoder.encode([query], "query")[0].astype(np.float32)
        if self._store is not None:
            kept = dict(self._store.late(asked, [chunk.id for chunk in chunks]))
            return np.array([kept.get(chunk.id, -np.inf) for chunk in chunks], dtype=np.float32)
        found = self._encoder.encode([chunk.embedded for chunk in chunks], "document")
        return max_sim(asked, [one.astype(np.float32) for one in found])


def kind_of(model: str) -> Kind:
    """Whether a model re-ranks by late interaction; all others are taken for cross-encoders."""
    if Path(model).expanduser().is_dir():
        return "late" if is_multivector(Path(model).expanduser()) else "cross"
    try:
        return "late" if is_multivector(Path(resolve_model(model).location)) else "cross"
    except ModelError:
        return "cross"


def load_reranker(index: Index, kind: Kind, model: str | None) -> Reranker:
    """What re-ranks the candidates of an index; the last two models stay in memory.

    Args:
        index: The index.
        kind: How.
        model: A folder or hub id; for late interaction the index's own if not given.

    Raises:
        SearchError: No model is named, and the index has none.
        ModelError: The model cannot be loaded.
    """
    if kind == "cross":
        if not model:
            raise SearchError("re-ranking by a cross-encoder needs its name: a folder or a hub id")
        return CrossReranker(_cross(model))
    settings = index.settings
    if not model and not settings.late:
        raise SearchError(
            "the index keeps no vectors of tokens: name a multi-vector model to re-rank by, or make the index with "
            "--late MODEL"
        )
    encoder = _late(model or settings.late)
    return LateReranker(encoder, (index.tokens or index.store) if encoder.hash == settings.late_hash else None)


@lru_cache(maxsize=2)
def _cross(model: str) -> CrossScorer:
    return load_cross_encoder(model)


@lru_cache(maxsize=2)
def _late(model: str) -> TokenEncoder:
    return load_multivector(model)
