"""MaxSim: each token of a query looks for its nearest token in a text (ColBERT, Khattab and Zaharia 2020)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def max_sim(query: Floats, texts: Sequence[Floats]) -> Floats:
    """MaxSim of a query with each text, by cosine.

    Args:
        query: Token vectors, float32, shape (tokens, d).
        texts: Token vectors of each text, float32, shape (tokens, d).

    Returns:
        float32, shape (n,); minus infinity for a text without tokens.
    """
    scores = np.full(len(texts), -np.inf, dtype=np.float32)
    there = [number for number, text in enumerate(texts) if len(text)]
    if not there or not len(query):
        return scores
    dots = unit(query) @ unit(np.concatenate([texts[number] for number in there])).T
    starts = np.cumsum([0, *(len(texts[number]) for number in there[:-1])])
    scores[there] = np.maximum.reduceat(dots, starts, axis=1).sum(axis=0)
    return scores


def unit(vectors: Floats) -> Floats:
    """Rows of unit length, float32, shape (n, d); a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, np.where(lengths > 0, lengths, 1), dtype=np.float32)
