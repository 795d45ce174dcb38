"""A converted model behind the :class:`~medloom.encode.encoder.Encoder` protocol: no torch, no padding to speak of."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice

import numpy as np

from medloom.encode.converted import Facts
from medloom.encode.encoder import Floats, Role, distinct_texts, encoding_bar
from medloom.encode.reader import Batch, Reader
from medloom.encode.runtimes import Computed, Network, Runtime

TOKENS_PER_BATCH = 1_024
WINDOW = 2_048
_LEAST_TOKENS = 128


class CompiledEncoder:
    """A converted model: equal texts once, a tokenizer that works ahead on its own thread, batches of like length.

    Texts are taken in windows: while the network computes one, the next is tokenised. Several batches are computed at once,
    each with its share of the threads, which costs less waiting than all threads on one. In memory are the token ids of two
    windows and the vectors, besides the caller's texts. Vectors of a text depend on its batch by rounding only. Several
    threads may encode at once.

    Attributes:
        model: The tokenizer and the longest text, under the names that a SentenceTransformer has for them.
        backend: What computes.
        precision: Of the arithmetic.
        choice: Why this backend was taken, where it was chosen by measuring; else empty.

    Args:
        facts: Of the converted model.
        reader: Its tokenizer.
        network: The rest of it.
        precision: Of the network's arithmetic.
    """

    choice = ""

    def __init__(self, facts: Facts, reader: Reader, network: Network, precision: Computed) -> None:
        self.model, self.precision = reader, precision
        self._facts, self._network = facts, network

    @property
    def backend(self) -> Runtime:
        """What computes."""
        return self._facts.runtime

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._facts.dimensions

    @property
    def pooling(self) -> str:
        """How token vectors become one: ``mean``, ``cls``, ...; ``unknown`` where the model does not say."""
        return self._facts.pooling

    @property
    def hash(self) -> str:
        """Content hash of the model that was converted; with int8 weights, of those."""
        return self._facts.vectors_hash

    def prompt_for(self, role: Role) -> str | None:
        """What the model's own settings put before every query or document, or None."""
        return self._facts.prompts.get(role) or None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        """Encode texts.

        Args:
            texts: What to encode; an empty text is encoded as the model does it.
            prompt: Put before every text, as the model was trained to expect.
            label: Name of a progress bar; none if not given.

        Returns:
            float32, shape (n, d), row i for text i; (0, d) for no texts.

        Raises:
            TypeError: ``texts`` is one string, or holds something else than strings.
        """
        distinct, inverse = distinct_texts(texts)
        vectors = np.empty((len(distinct), self.dimensions), dtype=np.float32)
        with encoding_bar(label, len(distinct)) as advance:
            for rows, found in self._computed(self._batches(distinct, prompt or "")):
                vectors[rows] = found
                advance(len(rows))
        return vectors[inverse]

    def _batches(self, texts: Sequence[str], prompt: str) -> Iterator[tuple[list[int], Batch]]:
        """Batches and which texts they are of; few texts are shared out among the network's streams."""
        streams = self._network.streams
        for start, ids in self._windows(texts, prompt):
            share = max(_LEAST_TOKENS, -(-sum(map(len, ids)) // streams))
            for batch in self.model.batches(ids, min(TOKENS_PER_BATCH, share)):
                yield [start + row for row in batch.rows], batch

    def _computed(self, batches: Iterator[tuple[list[int], Batch]]) -> Iterator[tuple[list[int], Floats]]:
        """Vectors of batches, in order; as many at once as the network has streams, and the next one waiting."""
        streams = self._network.streams
        first = list(islice(batches, 2))
        if streams == 1 or len(first) < 2:
            yield from ((rows, self._network.run(batch.ids, batch.mask)) for rows, batch in chain(first, batches))
            return
        pending: deque[tuple[list[int], Future[Floats]]] = deque()
        with ThreadPoolExecutor(streams, thread_name_prefix="network") as pool:
            for rows, batch in chain(first, batches):
                pending.append((rows, pool.submit(self._network.run, batch.ids, batch.mask)))
                if len(pending) > streams:
                    done, vectors = pending.popleft()
                    yield done, vectors.result()
            for done, vectors in pending:
                yield done, vectors.result()

    def _windows(self, texts: Sequence[str], prompt: str) -> Iterator[tuple[int, list[list[int]]]]:
        """First text and token ids of each window; the next one is read while the caller works on one."""

        def read(start: int) -> list[list[int]]:
            window = texts[start : start + WINDOW]
            return self.model.read([prompt + text for text in window] if prompt else window)

        if len(texts) <= WINDOW:
            yield from ((start, read(start)) for start in range(0, len(texts), WINDOW))
            return
        with ThreadPoolExecutor(1, thread_name_prefix="tokenizer") as ahead:
            waiting = ahead.submit(read, 0)
            for start in range(0, len(texts), WINDOW):
                ids = waiting.result()
                if start + WINDOW < len(texts):
                    waiting = ahead.submit(read, start + WINDOW)
                yield start, ids
