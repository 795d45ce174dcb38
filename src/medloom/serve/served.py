"""A model that is served: its own queue, its own thread."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from medloom.encode.cores import usable_cores
from medloom.serve.batcher import Batcher, Turns
from medloom.serve.config import ServeSettings
from medloom.serve.metrics import Metrics
from medloom.serve.tokens import TokenCounter

_CHARS_AT_ONCE = 4_096
_WORDS = "no evidence of acute disease "


class Served:
    """What all served models share. Subclasses say how a batch is computed.

    Args:
        name: By which clients ask for it.
        counter: Counts its tokens.
    """

    def __init__(self, name: str, counter: TokenCounter) -> None:
        self.name = name
        self.counter = counter
        self.created = int(time.time())
        self._batcher: Batcher | None = None
        self._metrics: Metrics | None = None

    def compute(self, keys: Sequence[Any]) -> Sequence[Any]:
        """Results of a batch, in the model's thread."""
        raise NotImplementedError

    async def warm(self, timeout: float) -> None:
        """Compute something short and something long, so that the first client does not wait for it."""
        raise NotImplementedError

    def start(self, settings: ServeSettings, turns: Turns, metrics: Metrics) -> None:
        """Start the thread.

        Args:
            settings: Sizes of batches and queue.
            turns: Shared by all models of a server.
            metrics: Told of batches and tokens.
        """
        threads = settings.threads or usable_cores()
        self._metrics = metrics
        self._batcher = Batcher(
            self.name,
            self.compute,
            lambda: set_threads(threads),
            turns,
            settings.batch_tokens,
            settings.queue_tokens,
            metrics,
        )
        self._batcher.start()

    def close(self) -> None:
        """End the thread."""
        if self._batcher is not None:
            self._batcher.close()

    @property
    def alive(self) -> bool:
        """Whether its thread works."""
        return self._batcher is not None and self._batcher.alive

    async def submit(self, keys: Sequence[Any], tokens: Sequence[int], timeout: float) -> list[Any]:
        """Queue keys and wait; see :meth:`~medloom.serve.batcher.Batcher.submit`."""
        if self._batcher is None:
            raise RuntimeError(f"model {self.name} has not been started: serve it through create_app")
        return await self._batcher.submit(keys, tokens, timeout)

    async def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; many are counted beside the event loop."""
        if sum(map(len, texts)) > _CHARS_AT_ONCE:
            return await asyncio.to_thread(self.counter.count, texts)
        return self.counter.count(texts)

    def read(self, tokens: int, cut: int) -> None:
        """Note what was read for a client."""
        if self._metrics is not None:
            self._metrics.read(self.name, tokens, cut)

    @property
    def samples(self) -> list[str]:
        """A short text, and one as long as the model reads."""
        return ["fever", _WORDS * (self.counter.longest // 5 + 1)]


def set_threads(threads: int) -> None:
    """Set the threads of the arithmetic for the calling thread."""
    import torch

    torch.set_num_threads(threads)
