"""Where hard negatives are looked for: by the base model, by BM25, or both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from medloom.engine import HERE, Engine
from medloom.mine.bm25 import Bm25
from medloom.mine.relations import Concept
from medloom.mine.topk import Floats, Ints, shared_top_k

Method = Literal["dense", "bm25"]
Origin = Literal["written", "dense", "bm25"]

_BLOCK = 1_024


class VectorFile(Protocol):
    """Gives the vectors of texts, encoded once and kept on disk under a name."""

    def __call__(self, name: str, texts: Sequence[str], role: Literal["query", "document"]) -> Floats:
        """float32, shape (n, d), rows of unit length."""


@dataclass(frozen=True)
class Pool:
    """Candidate negatives of one source and target.

    Attributes:
        texts: Distinct texts, m of them.
        concepts: For each text the documents it belongs to.
        vectors: float32, shape (m, d), rows of unit length.
        written: How many texts at the end are not searched: negatives that came with a record and belong to it alone.
    """

    texts: Sequence[str]
    concepts: Sequence[tuple[Concept, ...]]
    vectors: Floats
    written: int = 0

    @property
    def searched(self) -> int:
        """How many texts, from the first on, are searched."""
        return len(self.texts) - self.written


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may become a negative of a query.

    Attributes:
        number: Where in the pool it stands.
        score: Its cosine similarity to the query under the base.
        origin: Where it came from.
    """

    number: int
    score: float
    origin: Origin


@dataclass(frozen=True)
class Block:
    """What was found for some queries, row by row.

    Attributes:
        start: Number of the first query.
        size: How many queries.
        numbers: For each method the numbers in the pool, best first, -1 where fewer were found; int64, shape (size, k).
        scores: For each method the cosine similarities, or None where they are yet to be computed.
    """

    start: int
    size: int
    numbers: dict[Method, Ints]
    scores: dict[Method, Floats | None]


def blocks(
    texts: Sequence[str], queries: Floats, pool: Pool, methods: Sequence[Method], depth: int, engine: Engine = HERE
) -> Iterator[Block]:
    """Search the pool for all queries, a block at a time.

    Args:
        texts: The queries, n of them.
        queries: float32, shape (n, d): their vectors.
        pool: What is searched.
        methods: How.
        depth: Candidates of each method for each query.
        engine: Who shares the search by vectors; BM25 is computed in this process.
    """
    bm25 = Bm25() if "bm25" in methods else None
    corpus = pool.texts[: pool.searched]
    for start, size, numbers, scores in _dense(queries, pool, depth if "dense" in methods else 0, engine):
        block = Block(start, size, {}, {})
        if "dense" in methods:
            block.numbers["dense"], block.scores["dense"] = numbers, scores
        if bm25 is not None:
            block.numbers["bm25"], _ = bm25.rank(texts[start : start + size], corpus, depth)
            block.scores["bm25"] = None
        yield block


def _dense(queries: Floats, pool: Pool, depth: int, engine: Engine) -> Iterator[tuple[int, int, Ints, Floats]]:
    """Start, size, numbers and scores of each block; blocks alone where the depth is 0."""
    if depth:
        for start, scores, numbers in shared_top_k(queries, pool.vectors, pool.searched, depth, engine):
            yield start, len(scores), numbers, scores
        return
    for start in range(0, len(queries), _BLOCK):
        size = min(_BLOCK, len(queries) - start)
        yield start, size, np.empty((size, 0), dtype=np.int64), np.empty((size, 0), dtype=np.float32)


def ranked(block: Block, row: int, methods: Sequence[Method], query: Floats, pool: Pool) -> Iterator[Candidate]:
    """The candidates of one query by the best rank that any method gives them; of equal ranks the earlier method's first.

    Args:
        block: What was found.
        row: Which query of the block.
        methods: In the order that breaks ties.
        query: float32, shape (d,): its vector, for the scores of candidates that no vector search found.
        pool: What was searched.
    """
    found = [(method, block.numbers[method][row].tolist(), block.scores[method]) for method in methods]
    seen: set[int] = {-1}
    for rank in range(max((len(numbers) for _, numbers, _ in found), default=0)):
        for method, numbers, scores in found:
            if rank >= len(numbers) or numbers[rank] in seen:
                continue
            number = numbers[rank]
            seen.add(number)
            score = scores[row, rank] if scores is not None else np.dot(pool.vectors[number], query)
            yield Candidate(number, float(score), method)
