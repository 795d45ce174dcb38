"""Exact nearest neighbours in blocks: memory is set by the block sizes, never by queries times candidates."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

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
