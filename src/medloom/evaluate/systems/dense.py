"""One vector a text, compared by cosine; and what all systems with stored vectors share."""

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from medloom.encode.cache import DType, Encode, Fill, Store, VectorCache
from medloom.encode.encoder import Encoder
from medloom.encode.encoder import Role as Side
from medloom.encode.models import read_length
from medloom.evaluate.systems.base import Kind, SystemInfo
from medloom.evaluate.tasks import TASK_TYPES, Role, Task, TaskType
from medloom.identity import digest
from medloom.mine.topk import best_columns

if TYPE_CHECKING:
    pass

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

QUERY_BLOCK = 1_024
CORPUS_BLOCK = 16_384
_PAIR_BLOCK = 8_192
_LIBRARIES = ("torch", "transformers", "sentence-transformers")


class DenseSystem:
    """A model with one vector a text.

    Vectors are kept by prompt and text, in the cache or in memory, so each is computed once, whatever the tasks.

    Args:
        encoder: The model. Its query and document prompts are used in retrieval, and none elsewhere.
        cache: Where vectors are kept; in memory for the life of the system if not given.
        name: What results call it; the start of its hash if not given.
        kind: ``endpoint`` for a model that is reached over the network.
        size_bytes: Size of its weights.
    """

    def __init__(
        self,
        encoder: Encoder,
        cache: VectorCache | None = None,
        name: str = "",
        kind: Kind = "dense",
        size_bytes: int | None = None,
    ) -> None:
        self.encoder = encoder
        self._prompts: dict[Role, str | None] = {"": None, **{side: encoder.prompt_for(side) for side in get_args(Side)}}
        model = getattr(encoder, "model", None)
        settings = {
            "prompts": {role: prompt for role, prompt in self._prompts.items() if prompt},
            "pooling": getattr(encoder, "pooling", None),
            "max_length": read_length(model),
            "precision": getattr(encoder, "precision", None),
            "backend": getattr(encoder, "backend", "torch"),
        }
        self._info = SystemInfo(
            name=name or encoder.hash[:12],
            hash=encoder.hash,
            kind=kind,
            settings=settings,
            dimensions=encoder.dimensions,
            parameters=parameters(model),
            size_bytes=size_bytes,
        )
        what = {"hash": encoder.hash, **{k: settings[k] for k in settings if k != "prompts"}, **runtime(model)}
        self._shelf = Shelf(cache, encoder.dimensions, "float32", what)

    @property
    def info(self) -> SystemInfo:
        """What it is."""
        return self._info

    @property
    def types(self) -> frozenset[TaskType]:
        """Types of task that it can do: all."""
        return frozenset(TASK_TYPES)

    @property
    def is_local(self) -> bool:
        """Whether texts stay on this machine."""
        return bool(getattr(self.encoder, "is_local", True))

    @property
    def counters(self) -> Fill:
        """What :meth:`prepare` was asked for, found and encoded, and what was encoded later on demand."""
        return self._shelf.counters

    def close(self) -> None:
        """Let go of the cache; done at the end of the process otherwise."""
        self._shelf.close()

    def prepare(self, tasks: Sequence[Task]) -> None:
        """Encode every distinct text of the tasks once with each prompt that it is read with."""
        for prompt in dict.fromkeys(self._prompts.values()):
            self._shelf.fill(self._store(prompt), self._texts(tasks, prompt), self._encode(prompt), self._label)

    def rank(self, queries: Sequence[str], corpus: Sequence[str], k: int) -> tuple[Ints, Floats]:
        """The k nearest texts by cosine, exactly, block by block; of equal scores the lower corpus number comes first.

        Returns:
            Numbers in the corpus, int64, and cosines, float32, both of shape (queries, min(k, len(corpus))).
        """
        import torch

        asked, found = self._spans(queries, "query"), self._spans(corpus, "document")
        k = min(k, len(corpus))
        numbers, scores = np.empty((len(queries), k), dtype=np.int64), np.empty((len(queries), k), dtype=np.float32)
        for start in range(0, len(queries), QUERY_BLOCK):
            block = self._unit("query", asked[start : start + QUERY_BLOCK])
            best = torch.empty((len(block), 0))
            where = torch.empty((len(block), 0), dtype=torch.int64)
            for offset in range(0, len(corpus), CORPUS_BLOCK):
                part = self._unit("document", found[offset : offset + CORPUS_BLOCK])
                columns, values = best_columns(torch.from_numpy(block) @ torch.from_numpy(part).T, k)
                best, order = torch.cat([best, values], dim=1).sort(dim=1, descending=True, stable=True)
                where = torch.cat([where, columns + offset], dim=1).gather(1, order)[:, :k]
                best = best[:, :k]
            numbers[start : start + len(block)] = where.numpy()
            scores[start : start + len(block)] = best.numpy()
        return numbers, scores

    def similarity(self, one: Sequence[str], other: Sequence[str]) -> npt.NDArray[np.float64]:
        """Cosine of each text with its counterpart, both read without a prompt; float64, shape (n,)."""
        a, b = self._spans(one, ""), self._spans(other, "")
        cosines = np.empty(len(one), dtype=np.float64)
        for i in range(0, len(one), _PAIR_BLOCK):
            block = slice(i, i + _PAIR_BLOCK)
            left, right = self._unit("", a[block]).astype(np.float64), self._unit("", b[block]).astype(np.float64)
            cosines[block] = (left * right).sum(axis=1)
        return cosines

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Vectors of the texts as the model gives them, read without a prompt; float32, shape (n, d)."""
        rows: Floats = self._store(None).take(self._spans(texts, ""))
        return rows

    @property
    def _label(self) -> str:
        return f"encoding ({self._info.name})"

    def _texts(self, tasks: Sequence[Task], prompt: str | None) -> Iterator[str]:
        return (text for task in tasks for role, text in task.texts if self._prompts[role] == prompt)

    def _encode(self, prompt: str | None) -> Encode:
        return lambda texts: self.encoder.encode(texts, prompt)

    def _store(self, prompt: str | None) -> Store:
        return self._shelf.store(prompt=prompt)

    def _spans(self, texts: Sequence[str], role: Role) -> Ints:
        prompt = self._prompts[role]
        return self._shelf.spans(self._store(prompt), texts, self._encode(prompt), self._label)

    def _unit(self, role: Role, spans: Ints) -> Floats:
        """Rows of unit length; a row of zeros stays one, and its cosines are 0."""
        rows: Floats = self._store(self._prompts[role]).take(spans)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
        return rows


class Shelf:
    """The stores of one model, one for each way in which it reads a text.

    Args:
        cache: Where they are; in memory if not given.
        dimensions: Length of a vector.
        dtype: What vectors are kept as.
        what: Everything but the way of reading that changes a vector.
    """

    def __init__(self, cache: VectorCache | None, dimensions: int, dtype: DType, what: Mapping[str, Any]) -> None:
        self._cache, self._dimensions, self._dtype, self._what = cache, dimensions, dtype, dict(what)
        self._stores: dict[str, Store] = {}
        self._stack = ExitStack()
        self.counters = Fill()
        self.close = weakref.finalize(self, self._stack.close)

    def store(self, **reading: str | None) -> Store:
        """The store of what is read in this way."""
        key = digest({**self._what, "dtype": self._dtype, **reading})
        if key not in self._stores:
            shape = self._dimensions, self._dtype
            opened = self._stack.enter_context(self._cache.open(key, *shape)) if self._cache else Store(*shape)
            self._stores[key] = opened
        return self._stores[key]

    def fill(self, store: Store, texts: Iterable[str], encode: Encode, label: str) -> None:
        """Have the texts' vectors in the store, and count what it took."""
        self.counters += store.fill(texts, encode, label)

    def spans(self, store: Store, texts: Sequence[str], encode: Encode, label: str) -> Ints:
        """Where the texts' vectors are, encoding those that were not prepared."""
        try:
            return store.spans(texts)
        except KeyError:
            self.fill(store, texts, encode, label)
            return store.spans(texts)


def parameters(model: Any) -> int | None:  # noqa: ANN401
    """Number of weights of a torch model, or None where there is none."""
    return sum(p.numel() for p in model.parameters()) if hasattr(model, "parameters") else None


def runtime(model: Any) -> dict[str, str]:  # noqa: ANN401
    """What else a torch model's vectors depend on: the versions of its libraries and the kind of device."""
    if not hasattr(model, "device"):
        return {}
    return {**{name: version(name) for name in _LIBRARIES}, "device": model.device.type}
