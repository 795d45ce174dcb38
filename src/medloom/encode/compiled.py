"""A converted model behind the :class:`~medloom.encode.encoder.Encoder` protocol: no torch, no padding to speak of."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from medloom.encode.converted import Facts
from medloom.encode.encoder import Floats, Role, distinct_texts, encoding_bar
from medloom.encode.reader import Reader
from medloom.encode.runtimes import Computed, Network, Runtime

TOKENS_PER_BATCH = 2_048
WINDOW = 2_048


class CompiledEncoder:
    """A converted model: equal texts once, a tokenizer that works ahead on its own thread, batches of like length.

    Texts are taken in windows: while the network computes one, the next is tokenised. In memory are the token ids of two
    windows and the vectors, besides the caller's texts. Vectors of a text depend on its batch by rounding only.

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
            for start, ids in self._windows(distinct, prompt or ""):
                for batch in self.model.batches(ids, TOKENS_PER_BATCH):
                    vectors[[start + row for row in batch.rows]] = self._network.run(batch.ids, batch.mask)
                    advance(len(batch.rows))
        return vectors[inverse]

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
