"""Late interaction: every token of the query looks for its nearest token in the text."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medloom.encode.cache import Encode, Fill, Store, VectorCache
from medloom.encode.encoder import Role as Side
from medloom.encode.keys import Rows
from medloom.encode.multivector import TokenEncoder
from medloom.evaluate.systems.base import SystemInfo
from medloom.evaluate.systems.dense import Floats, Ints, Shelf, parameters, runtime
from medloom.evaluate.tasks import Task, TaskType
from medloom.mine.topk import best_columns

if TYPE_CHECKING:
    import torch

_QUERY_TOKENS = 1_024
_TEXT_TOKENS = 16_384


class LateInteractionSystem:
    """A model with one vector a token, compared by MaxSim (Khattab and Zaharia 2020), exactly.

    Token vectors are kept as float16, in the cache or in memory, and compared in float32.

    Args:
        encoder: The model.
        cache: Where vectors are kept; in memory for the life of the system if not given.
        name: What results call it; the start of its hash if not given.
        size_bytes: Size of its weights.
    """

    def __init__(
        self, encoder: TokenEncoder, cache: VectorCache | None = None, name: str = "", size_bytes: int | None = None
    ) -> None:
        self.encoder = encoder
        prompts = {"query": encoder.prompt_for("query"), "document": encoder.prompt_for("document")}
        factor = getattr(encoder, "pool_factor", 1.0)
        settings = {
            "prompts": {role: prompt for role, prompt in prompts.items() if prompt},
            "pooling": f"tokens by {factor:g}" if factor > 1 else "none",
            "max_length": encoder.max_length,
            "precision": encoder.precision,
            "backend": "torch",
            "similarity": "maxsim",
            "stored": "float16",
        }
        self._info = SystemInfo(
            name=name or encoder.hash[:12],
            hash=encoder.hash,
            kind="late-interaction",
            settings=settings,
            dimensions=encoder.dimensions,
            parameters=parameters(encoder.model),
            size_bytes=size_bytes,
        )
        what = {"hash": encoder.hash, **settings, **runtime(encoder.model)}
        self._shelf = Shelf(cache, encoder.dimensions, "float16", what)

    @property
    def info(self) -> SystemInfo:
        """What it is."""
        return self._info

    @property
    def types(self) -> frozenset[TaskType]:
        """Types of task that it can do: those that need no single vector for a text."""
        return frozenset({"Retrieval", "PairClassification", "STS", "MinimalPairs"})

    @property
    def counters(self) -> Fill:
        """What :meth:`prepare` was asked for, found and encoded, and what was encoded later on demand."""
        return self._shelf.counters

    def close(self) -> None:
        """Let go of the cache; done at the end of the process otherwise."""
        self._shelf.close()

    def prepare(self, tasks: Sequence[Task]) -> None:
        """Encode every distinct query and document of the tasks once; a text without a role is read as a document."""
        able = [task for task in tasks if task.type in self.types]
        for side in ("query", "document"):
            texts = (text for task in able for role, text in task.texts if (role or "document") == side)
            self._shelf.fill(self._store(side), texts, self._encode(side), self._label)

    def rank(self, queries: Sequence[str], corpus: Sequence[str], k: int) -> tuple[Ints, Floats]:
        """The k best texts by MaxSim, exactly; of equal scores the lower corpus number comes first.

        MaxSim is the sum over the query's tokens of the highest dot product with any token of the text. Memory is set by
        blocks of tokens, and one float32 for each text of the corpus and query of a block.

        Returns:
            Numbers in the corpus, int64, -1 for a text without tokens, and scores, float32, 0 there; both of shape
            (queries, min(k, len(corpus))).
        """
        import torch

        asked, found = self._spans(queries, "query"), self._spans(corpus, "document")
        k = min(k, len(corpus))
        numbers, scores = np.empty((len(queries), k), dtype=np.int64), np.empty((len(queries), k), dtype=np.float32)
        groups = list(_groups(found[:, 1]))
        for block in _blocks(asked[:, 1]):
            tokens = torch.from_numpy(self._store("query").take(asked[block]).astype(np.float32))
            owner = torch.from_numpy(np.repeat(np.arange(len(block)), asked[block, 1]))
            sums = torch.full((len(block), len(corpus)), -torch.inf)
            for group in groups:
                best = _best_tokens(tokens, self._padded(found[group]))
                sums[:, group] = torch.zeros((len(block), len(group))).index_add_(0, owner, best)
            sums[torch.from_numpy(asked[block, 1] == 0)] = -torch.inf
            columns, values = best_columns(sums, k)
            there = torch.isfinite(values)
            numbers[block], scores[block] = columns.where(there, -1).numpy(), values.where(there, 0.0).numpy()
        return numbers, scores

    def similarity(self, one: Sequence[str], other: Sequence[str]) -> npt.NDArray[np.float64]:
        """How near each text is to its counterpart, the same both ways; float64, shape (n,).

        Both are read as documents. MaxSim grows with the number of tokens that ask, so it is divided by it, and the mean
        over both directions is taken; 0 where a text has no tokens.
        """
        a, b = self._spans(one, "document"), self._spans(other, "document")
        store = self._store("document")
        nearness = np.zeros(len(one), dtype=np.float64)
        for i in np.flatnonzero((a[:, 1] > 0) & (b[:, 1] > 0)):
            dots = store.take(a[i : i + 1]).astype(np.float32) @ store.take(b[i : i + 1]).astype(np.float32).T
            nearness[i] = (dots.max(axis=1).mean(dtype=np.float64) + dots.max(axis=0).mean(dtype=np.float64)) / 2
        return nearness

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Nothing: a text has a vector for each token.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a late-interaction model has no single vector for a text")

    @property
    def _label(self) -> str:
        return f"encoding ({self._info.name})"

    def _encode(self, side: Side) -> Encode:
        return lambda texts: self.encoder.encode(texts, side)

    def _store(self, side: Side) -> Store:
        return self._shelf.store(side=side)

    def _spans(self, texts: Sequence[str], side: Side) -> Ints:
        return self._shelf.spans(self._store(side), texts, self._encode(side), self._label)

    def _padded(self, spans: Ints) -> "torch.Tensor":
        """Token vectors, float32, shape (texts, longest, d); short texts repeat their last token: no maximum changes."""
        import torch

        starts, counts = np.cumsum(spans[:, 1]) - spans[:, 1], spans[:, 1]
        rows: Rows = self._store("document").take(spans).astype(np.float32)
        places = starts[:, None] + np.minimum(np.arange(counts.max()), counts[:, None] - 1)
        return torch.from_numpy(rows)[torch.from_numpy(places)]


def _best_tokens(tokens: "torch.Tensor", texts: "torch.Tensor") -> "torch.Tensor":
    """Highest dot product of each token (t, d) with any of each text (n, longest, d), shape (t, n)."""
    n, longest, d = texts.shape
    return (tokens @ texts.reshape(n * longest, d).T).view(len(tokens), n, longest).amax(dim=2)


def _groups(counts: Ints) -> Iterator[Ints]:
    """Numbers of the texts with tokens, those of like length together, each group within the budget once padded."""
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    start = 0
    while start < len(order):
        end = start + max(1, _TEXT_TOKENS // int(counts[order[start]]))
        yield order[start:end]
        start = end


def _blocks(counts: Ints) -> Iterator[Ints]:
    """Numbers of the queries in their order, each block within the budget of tokens."""
    block = np.cumsum(counts) // _QUERY_TOKENS
    for one in np.unique(block):
        yield np.flatnonzero(block == one)
