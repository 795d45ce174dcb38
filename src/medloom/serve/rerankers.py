"""Models that order documents by how well they answer a query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from medloom.encode.cross import CrossScorer
from medloom.encode.multivector import TokenEncoder
from medloom.serve.dense import DenseModel
from medloom.serve.served import Served
from medloom.serve.tokens import TokenCounter

Method = Literal["cross-encoder", "late-interaction", "cosine"]


@dataclass(frozen=True)
class Scored:
    """Scores of a request.

    Attributes:
        scores: One for each document.
        tokens: That the model read.
        cut: Numbers of the documents that were cut to the model's length, or stand beside a query that was.
    """

    scores: list[float]
    tokens: int
    cut: list[int]


class Reranker(Protocol):
    """Scores documents for a query."""

    name: str

    @property
    def method(self) -> Method:
        """How it reads the two."""

    async def score(self, query: str, documents: Sequence[str], timeout: float) -> Scored:
        """Score documents.

        Args:
            query: What is asked.
            documents: What may answer.
            timeout: Seconds to wait.

        Raises:
            ApiError: The queue is full, the time is over, or the model failed.
        """


class _Pairs(Served):
    """Scores pairs of query and document in a thread of its own."""

    async def warm(self, timeout: float) -> None:
        """Score a short and a long document."""
        await self.score("fever", self.samples, timeout)

    async def measure(self, query: str, documents: Sequence[str]) -> tuple[list[int], list[int]]:
        """Tokens that are read of each pair, and the numbers of the documents that lose some."""
        raise NotImplementedError

    async def score(self, query: str, documents: Sequence[str], timeout: float) -> Scored:
        """Score documents; see :class:`Reranker`."""
        tokens, cut = await self.measure(query, documents)
        scores = await self.submit([(query, document) for document in documents], tokens, timeout)
        self.read(sum(tokens), len(cut))
        return Scored([float(score) for score in scores], sum(tokens), cut)


class CrossReranker(_Pairs):
    """A cross-encoder: scores from 0 to 1.

    Args:
        name: By which clients ask for it.
        scorer: The model.
        counter: Counts its tokens.
    """

    method: Method = "cross-encoder"

    def __init__(self, name: str, scorer: CrossScorer, counter: TokenCounter) -> None:
        super().__init__(name, counter)
        self._scorer = scorer

    def compute(self, keys: Sequence[Any]) -> Sequence[Any]:
        """Scores of pairs."""
        return list(self._scorer(keys))

    async def measure(self, query: str, documents: Sequence[str]) -> tuple[list[int], list[int]]:
        """Both texts share the model's length and the marks between them."""
        asked, *counts = await self.counts([query, *documents])
        whole, longest = [asked + count - 1 for count in counts], self.counter.longest
        return [min(one, longest) for one in whole], [i for i, one in enumerate(whole) if one > longest]


class LateReranker(_Pairs):
    """A late-interaction model: the best match of each query token, averaged over them (MaxSim).

    Args:
        name: By which clients ask for it.
        encoder: The model.
        counter: Counts its tokens.
    """

    method: Method = "late-interaction"

    def __init__(self, name: str, encoder: TokenEncoder, counter: TokenCounter) -> None:
        super().__init__(name, counter)
        self._encoder = encoder

    def compute(self, keys: Sequence[Any]) -> Sequence[Any]:
        """Scores of pairs; each distinct text is encoded once."""
        queries, documents = (list(dict.fromkeys(texts)) for texts in zip(*keys, strict=True))
        asked = dict(zip(queries, self._encoder.encode(queries, "query"), strict=True))
        found = dict(zip(documents, self._encoder.encode(documents, "document"), strict=True))
        return [_max_sim(asked[query], found[document]) for query, document in keys]

    async def measure(self, query: str, documents: Sequence[str]) -> tuple[list[int], list[int]]:
        """Each text has a length of its own."""
        texts = [(self._encoder.prompt_for("query") or "") + query]
        texts += [(self._encoder.prompt_for("document") or "") + document for document in documents]
        asked, *counts = await self.counts(texts)
        most = {role: length or self.counter.longest for role, length in self._encoder.max_length.items()}
        cut = [i for i, count in enumerate(counts) if count > most["document"] or asked > most["query"]]
        return [min(asked, most["query"]) + min(count, most["document"]) for count in counts], cut


class CosineReranker:
    """A dense model's cosine, from -1 to 1: what there is where no reranker is served.

    Args:
        model: The dense model, with the queue that it has anyway.
    """

    method: Method = "cosine"

    def __init__(self, model: DenseModel) -> None:
        self.name = model.name
        self._model = model

    async def score(self, query: str, documents: Sequence[str], timeout: float) -> Scored:
        """Score documents; see :class:`Reranker`."""
        encoder = self._model.encoder
        prompts = encoder.prompt_for("query"), encoder.prompt_for("document")
        found = await self._model.embed_each([(prompts[0], query), *((prompts[1], one) for one in documents)], timeout)
        asked, vectors = found.vectors[0], found.vectors[1:]
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(asked)
        scores = vectors @ asked / np.maximum(lengths, np.finfo(np.float32).tiny)
        cut = range(len(documents)) if 0 in found.cut else (i - 1 for i in found.cut)
        return Scored([float(score) for score in scores], found.tokens, list(cut))


def _max_sim(query: Any, document: Any) -> float:  # noqa: ANN401
    """Mean over the query's tokens of the best product with a token of the document; 0 where either has none."""
    if not len(query) or not len(document):
        return 0.0
    products = np.asarray(query, dtype=np.float32) @ np.asarray(document, dtype=np.float32).T
    return float(products.max(axis=1).mean())
