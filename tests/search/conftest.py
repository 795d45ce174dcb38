"""An encoder without a network: a text's vector counts its letters."""

from collections.abc import Sequence

import numpy as np
import pytest

from medloom.search.store import Floats


class LetterEncoder:
    """An :class:`medloom.encode.Encoder` of 26 dimensions that remembers how many texts it was given."""

    dimensions = 26

    def __init__(self, name: str = "letters") -> None:
        self.hash = name
        self.texts = 0

    def prompt_for(self, role: str) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        self.texts += len(texts)
        letters = [[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts]
        return np.array(letters, dtype=np.float32).reshape(len(texts), 26)


@pytest.fixture
def encoder() -> LetterEncoder:
    return LetterEncoder()
