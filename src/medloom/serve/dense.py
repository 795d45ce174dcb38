"""A dense model that is served: texts in, vectors out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.encode import Encoder, Role
from medloom.serve.served import Served
from medloom.serve.tokens import TokenCounter

Floats = npt.NDArray[np.float32]
Key = tuple[str | None, str]
"""A prompt and a text."""


@dataclass(frozen=True)
class Embedded:
    """Vectors of a request.

    Attributes:
        vectors: float32, shape (n, d).
        tokens: That the model read, the prompt and the marks of both ends included; equal texts count each time.
        cut: Numbers of the texts that were cut to the model's length.
    """

    vectors: Floats
    tokens: int
    cut: list[int]


class DenseModel(Served):
    """An encoder behind its queue.

    Args:
        name: By which clients ask for it.
        encoder: The model.
        counter: Counts its tokens.
    """

    def __init__(self, name: str, encoder: Encoder, counter: TokenCounter) -> None:
        super().__init__(name, counter)
        self.encoder = encoder

    def compute(self, keys: Sequence[Any]) -> Sequence[Any]:
        """Vectors of pairs of prompt and text."""
        vectors = np.empty((len(keys), self.encoder.dimensions), dtype=np.float32)
        for prompt in {prompt for prompt, _ in keys}:
            rows = [row for row, (one, _) in enumerate(keys) if one == prompt]
            vectors[rows] = self.encoder.encode([keys[row][1] for row in rows], prompt=prompt)
        return list(vectors)

    async def warm(self, timeout: float) -> None:
        """Encode a short and a long text."""
        for text in self.samples:
            await self.embed([text], None, timeout)

    async def measure(self, keys: Sequence[Key]) -> tuple[list[int], list[int]]:
        """Tokens that the model will read of each text with its prompt, and the numbers of the texts that it will cut."""
        counts = await self.counts([(prompt or "") + text for prompt, text in keys])
        longest = self.counter.longest
        return [min(count, longest) for count in counts], [i for i, count in enumerate(counts) if count > longest]

    async def embed(self, texts: Sequence[str], prompt: str | None, timeout: float) -> Embedded:
        """Vectors of texts, through the queue.

        Args:
            texts: What to encode.
            prompt: Put before every text.
            timeout: Seconds to wait.

        Raises:
            ApiError: The queue is full, the time is over, or the model failed.
        """
        return await self.embed_each([(prompt, text) for text in texts], timeout)

    async def embed_each(self, keys: Sequence[Key], timeout: float) -> Embedded:
        """Vectors of texts, each with a prompt of its own; see :meth:`embed`.

        Args:
            keys: Prompt and text.
            timeout: Seconds to wait.
        """
        tokens, cut = await self.measure(keys)
        rows = await self.submit(keys, tokens, timeout)
        vectors = np.stack(rows) if rows else np.empty((0, self.encoder.dimensions), dtype=np.float32)
        self.read(sum(tokens), len(cut))
        return Embedded(vectors, sum(tokens), cut)


class QueuedEncoder:
    """A served model as an :class:`~medloom.encode.Encoder`, for code that runs in threads beside the event loop.

    Args:
        model: The model.
        loop: The server's event loop.
        timeout: Seconds to wait for vectors.
    """

    def __init__(self, model: DenseModel, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._model = model
        self._loop = loop
        self._timeout = timeout

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._model.encoder.dimensions

    @property
    def hash(self) -> str:
        """Content hash of the model."""
        return self._model.encoder.hash

    def prompt_for(self, role: Role) -> str | None:
        """What the model wants before every query or document, or None."""
        return self._model.encoder.prompt_for(role)

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        """Vectors of the texts, float32, shape (n, d).

        Args:
            texts: What to encode.
            prompt: Put before every text.
            label: Not used: a server shows no bars.

        Raises:
            ApiError: The queue is full, the time is over, or the model failed.
        """
        work = self._model.embed(texts, prompt, self._timeout)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result().vectors
