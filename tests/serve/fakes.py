"""A model that does as it is told, and a real server in a thread."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI

from medloom.encode import Role
from medloom.serve.config import ServeSettings
from medloom.serve.dense import DenseModel
from medloom.serve.models import Models
from medloom.serve.run import make_server
from medloom.serve.tokens import TokenCounter

LONGEST = 16


class WordCounter(TokenCounter):
    """A token for each word."""

    def __init__(self) -> None:
        self.longest = LONGEST

    @property
    def vocabulary(self) -> int:
        return 100

    def count(self, texts: Sequence[str]) -> list[int]:
        return [max(1, len(text.split())) for text in texts]

    def text(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))


class SlowEncoder:
    """Gives each text its length as a vector; is slow at some texts, fails at others, and remembers its batches."""

    dimensions = 2
    hash = "slow"

    def __init__(self, seconds: float = 0.0, slow_at: str = "", poison: str = "poison") -> None:
        self.seconds = seconds
        self.slow_at = slow_at
        self.poison = poison
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()
        self.entered = 0
        self.gate = threading.Event()
        self.gate.set()

    def prompt_for(self, role: Role) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> npt.NDArray[np.float32]:
        self.entered += 1
        self.gate.wait(20)
        self.batches.append(list(texts))
        self.threads.add(threading.current_thread().name)
        if any(text.startswith(self.slow_at) for text in texts):
            time.sleep(self.seconds)
        if self.poison in texts:
            raise ValueError(f"cannot read {self.poison}")
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    @property
    def seen(self) -> list[str]:
        return [text for batch in self.batches for text in batch]


def slow_models(encoder: SlowEncoder) -> Models:
    return Models([DenseModel("slow", encoder, WordCounter())])


@contextmanager
def real_server(app: FastAPI, settings: ServeSettings) -> Iterator[int]:
    """Serve on loopback; gives the port."""
    server = make_server(app, settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        assert server.started
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
