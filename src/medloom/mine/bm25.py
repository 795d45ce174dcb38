"""BM25: what a model must beat, and a second place to look for hard negatives."""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medloom.mine.topk import Floats, Ints, best_columns

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_SCORES_PER_BLOCK = 16_000_000


class Bm25:
    """BM25 in Lucene's form (Robertson and Zaragoza 2009; Kamphuis et al. 2020), computed by bm25s.

    Words are those of bm25s (two characters or more, lower case), without English stop words ("no" and "not" among them)
    and stemmed by Snowball. The statistics are those of the texts at hand: nothing is learnt beforehand.

    Args:
        k1: How fast a repeated word stops to count.
        b: How much a long text is held down.
    """

    def __init__(self, k1: float = 1.5, b: float = 0.75) -> None:
        self._k1, self._b = k1, b
        self.settings = {
            "method": "lucene",
            "k1": k1,
            "b": b,
            "stop_words": "english",
            "stemmer": "english",
            "backend": f"bm25s {version('bm25s')}, PyStemmer {version('PyStemmer')}",
        }
        self._indexed: tuple[list[str], dict[str, int], csr_matrix | None] | None = None

    def rank(self, queries: Sequence[str], corpus: Sequence[str], k: int) -> tuple[Ints, Floats]:
        """The k best texts of the corpus; of equal scores the lower corpus number comes first.

        A text that shares no word with the query is not found, whatever k is. The index of the last corpus is kept.

        Returns:
            Numbers in the corpus, int64, -1 where fewer were found, and scores, float32, 0 there; both of shape
            (queries, min(k, len(corpus))).
        """
        import torch

        k = min(k, len(corpus))
        numbers, scores = np.full((len(queries), k), -1, dtype=np.int64), np.zeros((len(queries), k), dtype=np.float32)
        if self._indexed is None or self._indexed[0] != list(corpus):
            words = _tokens(corpus)
            vocabulary = _vocabulary(words)
            weights = self._weights(words, vocabulary).T.tocsr() if vocabulary else None
            self._indexed = list(corpus), vocabulary, weights
        _, vocabulary, weights = self._indexed
        if weights is None:
            return numbers, scores
        asked = _counts(_tokens(queries), vocabulary)
        size = max(1, _SCORES_PER_BLOCK // len(corpus))
        for start in range(0, len(queries), size):
            block = slice(start, start + size)
            columns, best = best_columns(torch.from_numpy((asked[block] @ weights).toarray()), k)
            scores[block] = best.numpy()
            numbers[block] = np.where(scores[block] > 0, columns.numpy(), -1)
        return numbers, scores

    def similarity(self, one: Sequence[str], other: Sequence[str]) -> npt.NDArray[np.float64]:
        """Mean of two BM25 scores, each text as the query for its counterpart; float64, shape (n,).

        The collection that words are weighed by is all distinct texts of both columns. So scores of two calls compare only
        if the calls had the same texts: hand over the right and the wrong texts of minimal pairs in one call.
        """
        distinct = {text: i for i, text in enumerate(dict.fromkeys([*one, *other]))}
        words = _tokens(list(distinct))
        vocabulary = _vocabulary(words)
        if not vocabulary:
            return np.zeros(len(one))
        weights, counts = self._weights(words, vocabulary).astype(np.float64), _counts(words, vocabulary)
        a, b = ([distinct[text] for text in column] for column in (one, other))
        forth, back = counts[a].multiply(weights[b]).sum(axis=1), counts[b].multiply(weights[a]).sum(axis=1)
        return np.asarray((forth + back) / 2, dtype=np.float64).ravel()

    def _weights(self, words: list[list[str]], vocabulary: dict[str, int]) -> "csr_matrix":
        """What each word adds to the score of each text, float32, shape (texts, vocabulary)."""
        from scipy.sparse import csc_matrix

        bm25s = _bm25s()
        index = bm25s.BM25(k1=self._k1, b=self._b, method="lucene")
        ids = [[vocabulary[word] for word in text] for text in words]
        index.index((ids, vocabulary), create_empty_token=False, show_progress=False)
        parts = (index.scores["data"], index.scores["indices"], index.scores["indptr"])
        return csc_matrix(parts, shape=(len(words), len(vocabulary))).tocsr()


def _tokens(texts: Sequence[str]) -> list[list[str]]:
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    tokens: list[list[str]] = _bm25s().tokenize(
        list(texts), stopwords="english", stemmer=stemmer, return_ids=False, show_progress=False
    )
    return tokens


def _vocabulary(words: list[list[str]]) -> dict[str, int]:
    """A number for each word: the same in every run, so that sums are."""
    return {word: i for i, word in enumerate(sorted({word for text in words for word in text}))}


def _counts(words: list[list[str]], vocabulary: dict[str, int]) -> "csr_matrix":
    """How often each known word is in each text, float32, shape (texts, vocabulary)."""
    from scipy.sparse import csr_matrix

    columns = [[vocabulary[word] for word in text if word in vocabulary] for text in words]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.array([column for text in columns for column in text], dtype=np.int64)
    counts = csr_matrix((np.ones(len(flat), dtype=np.float32), flat, ends), shape=(len(words), len(vocabulary)))
    counts.sum_duplicates()
    return counts


def _bm25s() -> Any:  # noqa: ANN401
    """The library, without the debugging log that it turns on for itself."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s
