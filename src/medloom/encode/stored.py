"""Vectors in fewer bytes: float16, int8 or one bit a number. Each vector by itself, so that no calibration is needed."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from medloom.encode.encoder import Floats

Kept = Literal["float32", "float16", "int8", "binary"]
Rows = npt.NDArray[np.generic]

_LARGEST_INT8 = 127


def kept_dtype(kept: Kept) -> np.dtype[np.generic]:
    """Type of a stored number; of eight of them for ``binary``."""
    return np.dtype({"float32": "<f4", "float16": "<f2", "int8": "i1", "binary": "u1"}[kept])


def kept_width(kept: Kept, dimensions: int) -> int:
    """Stored numbers of a vector."""
    return (dimensions + 7) // 8 if kept == "binary" else dimensions


def keep(vectors: Floats, kept: Kept) -> Rows:
    """Vectors as they are stored.

    ``int8`` scales each vector by its largest number: directions stay, and with them cosines; lengths go. ``binary`` is the
    sign of each number, 1 above zero, first number in the highest bit, as faiss and sentence-transformers (``ubinary``)
    have it.

    Args:
        vectors: float32, shape (n, d).
        kept: What to store.

    Returns:
        Shape (n, d), or (n, d / 8 rounded up) uint8 for ``binary``.
    """
    if kept == "binary":
        return np.packbits(vectors > 0, axis=1)
    if kept == "int8":
        largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
        return np.rint(vectors * (_LARGEST_INT8 / np.where(largest > 0, largest, 1))).astype(np.int8)
    return vectors.astype(kept_dtype(kept))


def fit(vectors: Floats, dimensions: int) -> Floats:
    """Vectors cut to their first dimensions (Matryoshka) and made of unit length; all of them are left as they are."""
    if dimensions == vectors.shape[1]:
        return vectors
    cut = vectors[:, :dimensions]
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    return np.asarray(cut / np.where(lengths > 0, lengths, 1), dtype=np.float32)
