"""What workers of the tests' cluster are given to do. They import it by name, so it stands in a module of its own."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medloom.encode.encoder import Encoder, Floats
from medloom.encode.spec import EncoderSpec
from medloom.errors import RowError

DIMENSIONS = 16
SECRET = "Ssecretson"


def squared(number: int) -> int:
    """The first takes longest, so that results must wait for it."""
    time.sleep(0.2 if number == 0 else 0.0)
    return number * number


def process(number: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def surroundings(number: int) -> tuple[str | None, str | None, str | None]:
    return tuple(map(os.environ.get, ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "RAY_USAGE_STATS_ENABLED")))  # type: ignore[return-value]


def dies_once(number: int, folder: Path) -> int:
    mark = folder / str(number)
    if number in (2, 5) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_dies(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fails(text: str, how: str) -> str:
    if how == "ours":
        raise RowError("file, line 3", "is bad")
    raise ValueError(f"cannot read {text}")


class Hashing:
    """An encoder without a model: a vector depends on prompt and text alone. It notes who computed."""

    hash = "hashing"
    dimensions = DIMENSIONS

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    def prompt_for(self, role: Any) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        with self._notes.open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.01)
        rows = [_vector(text.split()[-1:]) + 0.3 * _vector([prompt or "", text]) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), DIMENSIONS)


def _vector(words: list[str]) -> Any:
    """Of unit length, drawn by the words: texts that end in one word are near to each other."""
    vector = np.random.default_rng(list(" ".join(words).encode())).normal(size=DIMENSIONS)
    return vector / np.linalg.norm(vector)


@dataclass(frozen=True)
class Opening:
    """Opens :class:`Hashing`, and counts as cut what has three words or more."""

    notes: Path

    def __call__(self) -> Any:
        return Hashing(self.notes), count_cut


def count_cut(texts: Sequence[str]) -> int:
    return sum(text.count(" ") >= 2 for text in texts)


@dataclass(frozen=True)
class HashingSpec(EncoderSpec):
    """Stands for a model on disk."""

    notes: Path = Path()

    def open(self) -> Encoder:
        return Hashing(self.notes)
