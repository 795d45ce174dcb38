"""Token vectors in few bytes: whole int8 numbers, or one bit a number of what is left after the nearest centroid."""

from collections.abc import Sequence
from typing import Literal, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from medloom.encode.maxsim import Floats, unit

Stored = Literal["float16", "int8", "binary"]
"""What a token's vector is kept as; ``float16`` needs no codec."""

_LARGEST_INT8 = 127
_MOST_CENTROIDS = 4_096
_TOKENS_PER_CENTROID = 8
_BLOCK = 16_384


@runtime_checkable
class TokenCodec(Protocol):
    """Token vectors in, bytes out, and back."""

    @property
    def bytes_per_token(self) -> int:
        """What a token takes."""

    def pack(self, tokens: Floats) -> bytes:
        """Bytes of a text's token vectors, float32, shape (tokens, d), of unit length."""

    def unpack(self, data: bytes) -> Floats:
        """The vectors back, about what they were: float32, shape (tokens, d), of unit length."""

    def state(self) -> bytes:
        """What another process needs to read what this one packed."""


class Int8Codec:
    """Each vector's numbers as int8, scaled by its largest: a quarter of float32, and half of float16.

    Args:
        dimensions: Of a token's vector.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    @property
    def bytes_per_token(self) -> int:
        """See :class:`TokenCodec`. The scale needs no byte: only the direction of a token counts."""
        return self.dimensions

    def pack(self, tokens: Floats) -> bytes:
        """See :class:`TokenCodec`."""
        largest = np.abs(tokens).max(axis=1, keepdims=True, initial=0)
        scaled = tokens * (_LARGEST_INT8 / np.where(largest > 0, largest, 1))
        return np.rint(scaled).astype(np.int8).tobytes()

    def unpack(self, data: bytes) -> Floats:
        """See :class:`TokenCodec`."""
        return unit(np.frombuffer(data, dtype=np.int8).reshape(-1, self.dimensions).astype(np.float32))

    def state(self) -> bytes:
        """See :class:`TokenCodec`."""
        return _saved({"dimensions": np.array([self.dimensions])})


class BinaryCodec:
    """The nearest of some centroids, and one bit a number for which side of it the vector lies.

    ColBERTv2's residual compression (Santhanam et al. 2022) with one bit: a number is read back as the centroid's, plus the
    mean of what was left on that side of it. 128 dimensions take 18 bytes, a fourteenth of float16.

    Args:
        centroids: float32, shape (c, d), c at most 65,536.
        below: Mean residual of each dimension where it is negative, float32, shape (d,).
        above: The same where it is not.
    """

    def __init__(self, centroids: Floats, below: Floats, above: Floats) -> None:
        self._centroids, self._below, self._above = centroids, below, above
        self._half_lengths = np.square(centroids).sum(axis=1) / 2

    @classmethod
    def fit(cls, sample: Floats, seed: int = 0) -> Self:
        """Find centroids by k-means and the mean residuals around them.

        Args:
            sample: Token vectors like those that will come, float32, shape (n, d); some thousands, so that what they say of
                others is worth something. None at all give one centroid at zero: signs alone.
            seed: Of the first centroids.
        """
        from sklearn.cluster import MiniBatchKMeans

        zeros = np.zeros(sample.shape[1], dtype=np.float32)
        if not len(sample):
            return cls(zeros[None, :], zeros - 1, zeros + 1)
        wanted = 1 << max(0, int(np.log2(max(1, len(sample) / _TOKENS_PER_CENTROID))))
        distinct = len(np.unique(sample, axis=0))
        number = max(1, min(_MOST_CENTROIDS, wanted, distinct))
        found = MiniBatchKMeans(number, random_state=seed, n_init=1, batch_size=max(1_024, 4 * number)).fit(sample)
        centroids = np.ascontiguousarray(found.cluster_centers_, dtype=np.float32)
        residuals = sample - centroids[cls(centroids, zeros, zeros)._nearest(sample)]
        sides = residuals < 0
        below = np.where(sides, residuals, 0).sum(axis=0) / np.maximum(1, sides.sum(axis=0))
        above = np.where(sides, 0, residuals).sum(axis=0) / np.maximum(1, (~sides).sum(axis=0))
        return cls(centroids, below.astype(np.float32), above.astype(np.float32))

    @property
    def bytes_per_token(self) -> int:
        """See :class:`TokenCodec`."""
        return 2 + (int(self._centroids.shape[1]) + 7) // 8

    def pack(self, tokens: Floats) -> bytes:
        """See :class:`TokenCodec`."""
        nearest = self._nearest(tokens)
        bits = np.packbits(tokens >= self._centroids[nearest], axis=1)
        return nearest.astype("<u2").tobytes() + bits.tobytes()

    def unpack(self, data: bytes) -> Floats:
        """See :class:`TokenCodec`."""
        count, dimensions = len(data) // self.bytes_per_token, self._centroids.shape[1]
        nearest = np.frombuffer(data, dtype="<u2", count=count)
        packed = np.frombuffer(data, dtype=np.uint8, offset=2 * count).reshape(count, (dimensions + 7) // 8)
        sides = np.unpackbits(packed, axis=1, count=dimensions).astype(bool)
        return unit(self._centroids[nearest] + np.where(sides, self._above, self._below))

    def state(self) -> bytes:
        """See :class:`TokenCodec`."""
        return _saved({"centroids": self._centroids, "below": self._below, "above": self._above})

    def _nearest(self, tokens: Floats) -> npt.NDArray[np.int64]:
        """Number of the nearest centroid of each vector."""
        nearest = np.empty(len(tokens), dtype=np.int64)
        for start in range(0, len(tokens), _BLOCK):
            block = tokens[start : start + _BLOCK]
            nearest[start : start + len(block)] = (block @ self._centroids.T - self._half_lengths).argmax(axis=1)
        return nearest


def make_codec(stored: Literal["int8", "binary"], dimensions: int, sample: Sequence[Floats]) -> TokenCodec:
    """A codec for token vectors like those of a sample.

    Args:
        stored: How they are kept.
        dimensions: Of a token's vector.
        sample: Token vectors of some texts, each float32, shape (tokens, dimensions); int8 needs none.
    """
    if stored == "int8":
        return Int8Codec(dimensions)
    return BinaryCodec.fit(np.concatenate([np.empty((0, dimensions), dtype=np.float32), *sample]))


def read_codec(state: bytes) -> TokenCodec:
    """The codec whose :meth:`TokenCodec.state` this is."""
    from safetensors.numpy import load

    arrays = load(state)
    if "dimensions" in arrays:
        return Int8Codec(int(arrays["dimensions"][0]))
    return BinaryCodec(arrays["centroids"], arrays["below"], arrays["above"])


def _saved(arrays: dict[str, npt.NDArray[np.generic]]) -> bytes:
    from safetensors.numpy import save

    return bytes(save(arrays))
