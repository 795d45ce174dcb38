"""Words of chunks and queries as sparse vectors, which with the store's IDF score as BM25 does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medloom.errors import SearchError

if TYPE_CHECKING:
    from qdrant_edge import Bm25, SparseVector


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector.

    Attributes:
        indices: Hashes of words, each once.
        values: What each weighs.
    """

    indices: list[int]
    values: list[float]


class Words:
    """BM25 (Robertson and Zaragoza 2009) over stemmed English words, stop words left out, as Qdrant computes it.

    Words are hashed, the same in every process and on every store. The IDF is the store's own and follows what is in it; the
    usual length is fixed when a store is made.

    Args:
        average: Words of a usual chunk, stop words left out.
        k1: How fast a repeated word stops to count.
        b: How much a long text is held down.

    Raises:
        SearchError: The extra ``search`` is not installed.
    """

    def __init__(self, average: float, k1: float = 1.2, b: float = 0.75) -> None:
        self._bm25 = _bm25(average, k1, b)

    def document(self, text: str) -> Sparse:
        """What each word of a text adds, before the IDF."""
        return _sparse(self._bm25.embed_document(text))

    def query(self, text: str) -> Sparse:
        """The words that are asked for; empty if all are stop words."""
        return _sparse(self._bm25.embed_query(text))


def _sparse(vector: "SparseVector") -> Sparse:
    return Sparse(list(vector.indices), list(vector.values))


def _bm25(average: float, k1: float, b: float) -> "Bm25":
    try:
        from qdrant_edge import Bm25, Bm25Config
    except ImportError as error:
        raise missing_extra() from error
    return Bm25(Bm25Config(k=k1, b=b, avg_len=average))


def missing_extra() -> SearchError:
    """What to raise where a library of the extra is not installed."""
    return SearchError("indexing and searching need the extra search: pip install 'medloom[search]'")
