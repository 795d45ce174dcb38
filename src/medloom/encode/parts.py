"""The part of encoding that any process can do: texts of a shard in, vectors as they are stored out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.encode.encoder import Encoder, Floats
from medloom.encode.stored import Kept, Rows, fit, keep

_UNIT = 1e-3

Ints = npt.NDArray[np.integer[Any]]
CountCut = Callable[[Sequence[str]], int]
"""How many of some texts the model will cut."""
Opener = Callable[[], tuple[Encoder, CountCut | None]]
"""Gives what encodes, and what counts the texts that it cuts. For other processes it must be fit to travel."""


@dataclass(frozen=True)
class Part:
    """Of a shard, what has to be read by a model.

    Attributes:
        pieces: Of each document that is to be computed, its text; or, of a long one, stretches that are averaged.
        repeated: Texts of the shard's further documents in one piece, whose vectors are known: they are counted alone.
    """

    pieces: list[tuple[str, ...]]
    repeated: list[str]


@dataclass(frozen=True)
class Computed:
    """What came of a part.

    Attributes:
        rows: Stored vectors of the documents to be computed, in their order.
        empty: Documents without text.
        cut: Documents that were cut to the model's length.
        seconds: Spent computing.
    """

    rows: Rows
    empty: int
    cut: int
    seconds: float


def compute(part: Part, opener: Opener, prompt: str | None, dimensions: int, stored: Kept) -> Computed:
    """Stored vectors of documents: of one piece that piece's, of several their mean, weighted by their lengths.

    Args:
        part: The documents.
        opener: Gives the encoder.
        prompt: Put before every text.
        dimensions: Numbers of a vector to keep.
        stored: What a number is stored as.
    """
    encoder, count_cut = opener()
    single = [pieces[0] for pieces in part.pieces if len(pieces) == 1] + part.repeated
    start = time.perf_counter()
    texts = [piece for pieces in part.pieces for piece in pieces]
    vectors = encoder.encode(texts, prompt, label="computing")
    seconds = time.perf_counter() - start
    if len(texts) > len(part.pieces):
        sizes = np.array([len(pieces) for pieces in part.pieces])
        vectors = _pooled(vectors, np.array([max(1, len(text)) for text in texts]), sizes)
    return Computed(
        keep(fit(vectors, dimensions), stored),
        sum(not text.strip() for text in single),
        count_cut(single) if count_cut else 0,
        seconds,
    )


def _pooled(vectors: Floats, lengths: Ints, sizes: Ints) -> Floats:
    """Mean of each document's vectors, weighted by length; as long as a single vector, if those are of unit length."""
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(vectors * lengths[:, None], starts, axis=0) / np.add.reduceat(lengths, starts)[:, None]
    norms = np.linalg.norm(vectors, axis=1)
    if np.allclose(norms, 1, atol=_UNIT):
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    means[sizes == 1] = vectors[starts[sizes == 1]]
    return means.astype(np.float32)
