"""How negatives are found: the authors' draw, and vectors that are made once."""

import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medloom.bench.medteb.negatives import Vectors, authors_negatives


class OnACircle:
    """A text is a number of degrees."""

    dimensions = 2
    hash = "circle"

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def prompt_for(self, role: str) -> str | None:
        return None

    def encode(self, texts: Any, prompt: Any = None, label: Any = None) -> npt.NDArray[np.float32]:
        self.calls.append(list(texts))
        angles = np.radians([float(text) for text in texts])
        return 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture
def vectors() -> Vectors:
    return Vectors(OnACircle)


def test_authors_draw_among_the_nearest_in_order_of_nearness(vectors: Vectors) -> None:
    degrees = np.random.default_rng(0).permutation(80) ** 1.05
    texts = [str(d) for d in degrees]
    found = authors_negatives(texts, vectors, 3, other_text=False)
    chooser = random.Random(42)
    for i, d in enumerate(degrees):
        near = sorted((j for j in range(80) if j != i), key=lambda j: abs(degrees[j] - d))[:3]
        assert found[i] == chooser.choice(near)


def test_authors_draw_copies_unless_told_otherwise(vectors: Vectors) -> None:
    texts = ["10"] * 20 + ["90", "100"]
    copies = authors_negatives(texts, vectors, 4, other_text=False)
    assert all(texts[j] == "10" and j != i for i, j in enumerate(copies[:20]))
    others = authors_negatives(texts, vectors, 4, other_text=True)
    assert {texts[j] for j in others[:20]} == {"90", "100"}
    assert authors_negatives(["10"] * 20, vectors, 4, other_text=True)[0] != 0


def test_vectors_have_unit_length_and_are_made_once() -> None:
    circle = OnACircle()
    vectors = Vectors(lambda: circle)
    assert vectors(["0", "90", "0"]) == pytest.approx(np.array([[1, 0], [0, 1], [1, 0]]), abs=1e-6)
    vectors(["90", "180"])
    assert circle.calls == [["0", "90"], ["180"]]
    vectors.forget()
    vectors(["180"])
    assert circle.calls[2:] == [["180"]]
