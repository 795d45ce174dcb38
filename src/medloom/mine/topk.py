"""Exact nearest neighbours in blocks: memory is set by the block sizes, never by queries times candidates."""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medloom.engine import Engine

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_QUERY_BLOCK = 1_024
_CANDIDATE_BLOCK = 16_384


def top_k(
    queries: Floats,
    candidates: Floats,
    k: int,
    query_block: int = _QUERY_BLOCK,
    candidate_block: int = _CANDIDATE_BLOCK,
) -> Iterator[tuple[int, Floats, Ints]]:
    """Yield the best candidates of each block of queries, best first.

    Both arrays may be memory-mapped: a block is read at a time.

    Args:
        queries: float32, shape (n, d), rows of unit length for cosine similarity.
        candidates: float32, shape (m, d).
        k: Candidates per query; m if that is smaller.
        query_block: Queries scored together.
        candidate_block: Candidates scored together.

    Yields:
        The first query's number, scores (float32, shape (b, k)) and candidate numbers (int64, shape (b, k)).
    """
    import torch

    k = min(k, len(candidates))
    for start in range(0, len(queries), query_block):
        block = torch.from_numpy(np.array(queries[start : start + query_block], dtype=np.float32))
        scores = torch.empty((len(block), 0))
        numbers = torch.empty((len(block), 0), dtype=torch.int64)
        for offset in range(0, len(candidates), candidate_block):
            part = np.array(candidates[offset : offset + candidate_block], dtype=np.float32)
            found = (block @ torch.from_numpy(part).T).topk(min(k, len(part)), dim=1)
            scores = torch.cat([scores, found.values], dim=1)
            numbers = torch.cat([numbers, found.indices + offset], dim=1)
            scores, order = scores.topk(min(k, scores.shape[1]), dim=1)
            numbers = numbers.gather(1, order)
        yield start, scores.numpy(), numbers.numpy()


def shared_top_k(
    queries: Floats, candidates: Floats, searched: int, k: int, engine: Engine
) -> Iterator[tuple[int, Floats, Ints]]:
    """What :func:`top_k` yields, a block of queries for each worker at a time.

    Workers in other processes read the arrays themselves, so these must be the whole content of ``.npy`` files, as
    ``numpy.load`` maps them; arrays in memory are searched in this process.

    Args:
        queries: float32, shape (n, d).
        candidates: float32, shape (m, d).
        searched: How many candidates, from the first on, are searched.
        k: Candidates per query.
        engine: Who shares the work.
    """
    if engine.is_here or not (isinstance(queries, np.memmap) and isinstance(candidates, np.memmap)):
        yield from top_k(queries, candidates[:searched], k)
        return
    files = Path(str(queries.filename)), Path(str(candidates.filename))
    function = partial(_block, queries=files[0], candidates=files[1], searched=searched, k=k)
    for start, (scores, numbers) in zip(
        range(0, len(queries), _QUERY_BLOCK),
        engine.in_order(function, range(0, len(queries), _QUERY_BLOCK), files),
        strict=True,
    ):
        yield start, scores, numbers


def _block(start: int, queries: Path, candidates: Path, searched: int, k: int) -> tuple[Floats, Ints]:
    """Scores and numbers for one block of queries."""
    block = _mapped(queries)[start : start + _QUERY_BLOCK]
    _, scores, numbers = next(top_k(block, _mapped(candidates)[:searched], k))
    return scores, numbers


@lru_cache(maxsize=2)
def _mapped(path: Path) -> Floats:
    return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]


def best_columns(scores: "torch.Tensor", k: int) -> "tuple[torch.Tensor, torch.Tensor]":
    """The k highest of each row, best first; of equal scores the lower column comes first.

    ``topk`` alone takes any of the scores that tie for the last place.

    Args:
        scores: Shape (n, m).
        k: How many; m if that is smaller.

    Returns:
        Columns, int64, and scores, both of shape (n, min(k, m)).
    """
    k = min(k, scores.shape[1])
    if not k:
        columns = scores.new_empty((len(scores), 0)).long()
        return columns, scores[:, :0]
    values, columns = scores.topk(k, dim=1)
    for row in ((scores >= values[:, -1:]).sum(dim=1) > k).nonzero().flatten().tolist():
        columns[row] = scores[row].sort(descending=True, stable=True).indices[:k]
    columns = columns.sort(dim=1).values
    values, order = scores.gather(1, columns).sort(dim=1, descending=True, stable=True)
    return columns.gather(1, order), values
