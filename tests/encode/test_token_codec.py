"""Token vectors in few bytes: what comes back is near to what went in, and how near is known."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.encode.maxsim import unit
from medloom.encode.token_codec import BinaryCodec, Int8Codec, TokenCodec, make_codec, read_codec

Floats = npt.NDArray[np.float32]


def clustered(n: int, dimensions: int = 24, seed: int = 0) -> Floats:
    """Vectors around 40 directions, as tokens lie around the meanings of words."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(40, dimensions))
    return unit((centres[draw.integers(0, 40, n)] + 0.4 * draw.normal(size=(n, dimensions))).astype(np.float32))


def cosines(codec: TokenCodec, vectors: Floats) -> Floats:
    back = codec.unpack(codec.pack(vectors))
    assert back.dtype == np.float32
    assert back.shape == vectors.shape
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, rtol=1e-5)
    return np.asarray((back * vectors).sum(axis=1))


def test_int8_is_near_and_small() -> None:
    vectors = clustered(500)
    codec = Int8Codec(24)
    assert cosines(codec, vectors).min() > 0.9998
    assert len(codec.pack(vectors)) == 500 * codec.bytes_per_token == 500 * 24


def test_one_bit_after_the_nearest_centroid_beats_signs_alone() -> None:
    codec = BinaryCodec.fit(clustered(4_000))
    unseen = clustered(500, seed=1)
    signs = make_codec("binary", 24, [])
    assert cosines(signs, unseen).mean() == pytest.approx(np.abs(unseen).mean(axis=1).mean() * np.sqrt(24), abs=1e-4)
    assert cosines(codec, unseen).mean() > 0.95 > cosines(signs, unseen).mean()
    assert len(codec.pack(unseen)) == 500 * codec.bytes_per_token == 500 * (2 + 3)


@pytest.mark.parametrize("stored", ["int8", "binary"])
@pytest.mark.parametrize("dimensions", [1, 7, 8, 130])
def test_another_process_reads_what_was_packed(stored: str, dimensions: int) -> None:
    vectors = clustered(300, dimensions)
    codec = make_codec("int8" if stored == "int8" else "binary", dimensions, [vectors[:200], vectors[200:]])
    other = read_codec(codec.state())
    assert type(other) is type(codec)
    np.testing.assert_array_equal(other.unpack(codec.pack(vectors)), codec.unpack(codec.pack(vectors)))
    assert codec.unpack(b"").shape == (0, dimensions)


def test_the_same_sample_gives_the_same_codec() -> None:
    assert BinaryCodec.fit(clustered(1_000)).state() == BinaryCodec.fit(clustered(1_000)).state()


@pytest.mark.parametrize("sample", [clustered(1), clustered(3), np.repeat(clustered(1), 50, axis=0)])
def test_few_or_equal_vectors_are_centroids_themselves(sample: Floats) -> None:
    assert cosines(BinaryCodec.fit(sample), sample[:1]).min() > 0.5


@given(seed=st.integers(0, 500), size=st.integers(0, 5))
def test_a_row_does_not_depend_on_its_neighbours(seed: int, size: int) -> None:
    codec = BinaryCodec.fit(clustered(400))
    vectors = clustered(size + 1, seed=seed)
    together = codec.unpack(codec.pack(vectors))
    alone = np.concatenate([codec.unpack(codec.pack(vectors[i : i + 1])) for i in range(len(vectors))])
    np.testing.assert_array_equal(together, alone)


def test_a_vector_of_zeros_stays_one() -> None:
    assert not Int8Codec(4).unpack(Int8Codec(4).pack(np.zeros((1, 4), dtype=np.float32))).any()
