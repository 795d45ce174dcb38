"""What every store of chunks can do, whether it is a folder or a cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from medloom.search.records import Chunk, Filter

Floats = npt.NDArray[np.float32]
Scored = list[tuple[str, float]]
"""Ids of chunks with their scores, best first."""
Quantised = Literal["none", "int8", "binary"]


@dataclass(frozen=True)
class StoreSettings:
    """What a store is made for; fixed once it is made.

    Attributes:
        dimensions: Of a chunk's vector.
        quantised: Smaller copies of the vectors that are searched first; the best are scored again by the whole ones.
        token_dimensions: Of a token's vector, for late interaction; None without.
        average_words: Words of a usual chunk, stop words left out: what BM25 measures the length of others by.
    """

    dimensions: int
    quantised: Quantised = "none"
    token_dimensions: int | None = None
    average_words: float = 100.0


@runtime_checkable
class VectorStore(Protocol):
    """Chunks with their vectors and words. Any number of threads may read at once."""

    @property
    def settings(self) -> StoreSettings:
        """What it was made for."""

    def put(self, chunks: Sequence[Chunk], vectors: Floats, tokens: Sequence[Floats] | None = None) -> None:
        """Add chunks, or put them in the place of those with the same ids.

        Args:
            chunks: They; their words are those of ``embedded``.
            vectors: float32, shape (n, dimensions).
            tokens: The vectors of each chunk's tokens, float32, shape (tokens, token_dimensions); if the store keeps them.
        """

    def delete(self, ids: Sequence[str]) -> None:
        """Take chunks out; ids that are not there are passed over."""

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
        """The chunks whose vectors are nearest by cosine.

        Args:
            vector: float32, shape (dimensions,).
            k: How many.
            where: What they must meet.
            exact: Compare with every vector, not along the graph, and not with the quantised copies.
            rescore: Score what the quantised copies found again by the whole vectors.
            oversample: How many times ``k`` is taken from the quantised copies for that.
        """

    def lexical(self, query: str, k: int, where: Filter = ()) -> Scored:
        """The chunks that score best by BM25; only those that share a word with the query."""

    def late(self, tokens: Floats, ids: Sequence[str]) -> Scored:
        """The given chunks by late interaction (MaxSim): the sum, over the query's tokens, of their best similarity.

        Args:
            tokens: The query's, float32, shape (tokens, token_dimensions).
            ids: Chunks; those that are not there are left out.

        Raises:
            SearchError: The store keeps no vectors of tokens.
        """

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        """Chunks by id, in that order; those that are not there are left out."""

    def chunks(self, where: Filter = ()) -> Iterator[Chunk]:
        """All chunks that meet the conditions, streamed, in the order of their ids."""

    def vectors(self, ids: Sequence[str]) -> Floats:
        """Vectors by id, of unit length, float32, shape (n, dimensions).

        Raises:
            SearchError: One of the ids is not there.
        """

    def names(self) -> list[str]:
        """The names of all facts that chunks may have, sorted; ``source`` and ``group`` among them."""

    def facets(self, name: str, where: Filter = (), limit: int = 50) -> dict[str, int]:
        """How many chunks have each value of a fact, most frequent first, then by value."""

    def count(self, where: Filter = ()) -> int:
        """How many chunks meet the conditions."""

    def flush(self) -> None:
        """Return once all that was put or deleted outlives the end of the process."""

    def optimise(self) -> None:
        """Build the graphs that make search fast; returns when they are built."""

    def close(self) -> None:
        """Let go of files and connections; nothing may be asked after."""
