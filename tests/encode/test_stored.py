"""Vectors in fewer bytes."""

import numpy as np
import pytest

from medloom.encode.stored import Kept, fit, keep, kept_dtype, kept_width


@pytest.mark.parametrize("kept", ["float32", "float16", "int8", "binary"])
@pytest.mark.parametrize("dimensions", [12, 32])
def test_shape_and_type(kept: Kept, dimensions: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(5, dimensions)).astype(np.float32)
    rows = keep(vectors, kept)
    assert rows.shape == (5, kept_width(kept, dimensions))
    assert rows.dtype == kept_dtype(kept)
    assert keep(vectors[:0], kept).shape == (0, kept_width(kept, dimensions))


def test_int8_keeps_directions_whatever_the_length() -> None:
    vectors = np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32) * np.logspace(-6, 6, 50)[:, None]
    rows = keep(vectors.astype(np.float32), "int8").astype(np.float64)
    cosines = (rows * vectors).sum(axis=1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(vectors, axis=1)
    assert cosines.min() > 0.9999
    assert np.abs(rows).max() == 127
    assert (keep(np.zeros((1, 4), np.float32), "int8") == 0).all()


def test_binary_is_the_sign_as_sentence_transformers_packs_it() -> None:
    from sentence_transformers.util.quantization import quantize_embeddings

    vectors = np.random.default_rng(2).normal(size=(7, 40)).astype(np.float32)
    np.testing.assert_array_equal(keep(vectors, "binary"), quantize_embeddings(vectors, "ubinary"))


def test_matryoshka_vectors_are_cut_and_of_unit_length() -> None:
    vectors = np.array([[3, 4, 12], [0, 0, 1]], dtype=np.float32)
    np.testing.assert_allclose(fit(vectors, 2), np.array([[0.6, 0.8], [0, 0]], dtype=np.float32), atol=1e-6)
    assert fit(vectors, 3) is vectors
