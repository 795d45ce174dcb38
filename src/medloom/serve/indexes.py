"""The indexes of a server, by name, and the threads that search them beside the event loop."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from medloom.encode import Encoder, Role
from medloom.errors import MedloomError, SearchError
from medloom.search.index import Index, open_index
from medloom.search.records import Chunk
from medloom.search.settings import IndexState
from medloom.search.store import Floats
from medloom.serve.dense import DenseModel, QueuedEncoder
from medloom.serve.errors import ApiError, ServeError
from medloom.serve.map import Maps
from medloom.serve.models import Models
from medloom.serve.rerankers import Reranker

T = TypeVar("T")
_LOG = logging.getLogger("medloom.serve")
_THREADS = 4
_LOOK_SECONDS = 1.0
_WAITING = 64
_VALUES = 50
_UNIQUE = ("id",)


class ServedIndex:
    """An open index under a name, with what is computed of it only once.

    Args:
        name: By which clients ask for it.
        index: The index.
    """

    def __init__(self, name: str, index: Index) -> None:
        self.name = name
        self.index = index
        self.maps = Maps(index.store)
        self.looked = time.monotonic()
        self._alone = replace(index, encoder=_Alone(index.encoder))

    @cached_property
    def size(self) -> int:
        """Chunks in it."""
        return self.index.store.count()

    @cached_property
    def fact_names(self) -> list[str]:
        """Names of all facts that a filter may ask for."""
        return self.index.store.names()

    @cached_property
    def facets(self) -> dict[str, list[dict[str, str | int]]]:
        """The facts of few values, with how many chunks have each."""
        found = {name: self.index.store.facets(name, limit=_VALUES + 1) for name in self.fact_names if name not in _UNIQUE}
        return {
            name: [{"value": value, "n": n} for value, n in counts.items() if value]
            for name, counts in found.items()
            if any(counts) and len(counts) <= _VALUES
        }

    def for_request(self, models: Models, timeout: float) -> Index:
        """The index with its model behind the queue of the server, if the server has it, else behind a lock.

        Args:
            models: Of the server.
            timeout: Seconds to wait for vectors.
        """
        for model in models.served:
            if isinstance(model, DenseModel) and model.encoder.hash == self.index.encoder.hash:
                return replace(self.index, encoder=QueuedEncoder(model, asyncio.get_running_loop(), timeout))
        return self._alone


class Indexes:
    """The indexes of a server. What an update of one has finished is searched from the next request on.

    Args:
        indexes: Open ones by name; the first is searched where a request names none.

    Raises:
        ServeError: There is none.
    """

    def __init__(self, indexes: Mapping[str, Index]) -> None:
        if not indexes:
            raise ServeError("no index to search: name one with --index")
        self._served = {name: ServedIndex(name, index) for name, index in indexes.items()}
        self._threads = ThreadPoolExecutor(_THREADS, "medloom-search")
        self._begun = 0
        self._in_work: set[int] = set()
        self._retired: list[tuple[int, Index]] = []

    @property
    def served(self) -> list[ServedIndex]:
        """All of them."""
        return list(self._served.values())

    async def get(self, name: str | None) -> ServedIndex:
        """One of them, as its last update left it; the first if none is named.

        Raises:
            ApiError: There is none of that name.
        """
        name = next(iter(self._served)) if name is None else name
        if name not in self._served:
            raise ApiError(404, f"there is no such index: there is {', '.join(self._served)}", "index", "index_not_found")
        served = self._served[name]
        now = time.monotonic()
        if now - served.looked >= _LOOK_SECONDS:
            served.looked = now
            await self._follow(served)
        return self._served[name]

    async def run(self, work: Callable[[], T], timeout: float) -> T:
        """Do something in a thread, never on the event loop.

        Args:
            work: What to do.
            timeout: Seconds to wait for it.

        Raises:
            ApiError: Too much waits already, the time is over, or the index refused what was asked.
        """
        if len(self._in_work) >= _WAITING:
            raise ApiError(429, "too many searches at once: try again later", code="busy", retry_after=1)
        self._begun += 1
        self._in_work.add(self._begun)
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(partial(self._ended, self._begun))
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout)
        except TimeoutError:
            raise ApiError(504, "the search took too long: ask for less, or try again later", code="timeout") from None
        except SearchError as error:
            raise ApiError(400, str(error), code="search_refused") from error

    def close(self) -> None:
        """Let go of the indexes."""
        self._threads.shutdown()
        for index in (*(one.index for one in self.served), *(index for _, index in self._retired)):
            index.close()

    async def _follow(self, served: ServedIndex) -> None:
        """Open what an update has finished, and put it in the place of what is open."""
        index = served.index
        try:
            fresh = await asyncio.to_thread(lambda: open_index(index.folder, index.encoder) if index.is_outdated else None)
        except MedloomError as error:
            _LOG.error("index %s: its update cannot be opened (%s); what was open is searched on", served.name, error)
            return
        if fresh is not None:
            _LOG.info("index %s: changed over to generation %d", served.name, fresh.generation)
            self._served[served.name] = ServedIndex(served.name, fresh)
            self._retired.append((self._begun, index))
            self._let_go()

    def _ended(self, number: int, future: "asyncio.Future[T]") -> None:
        self._in_work.discard(number)
        self._let_go()
        if not future.cancelled():
            future.exception()

    def _let_go(self) -> None:
        """Close what was replaced, once nothing that was begun before works on it."""
        oldest = min(self._in_work, default=self._begun + 1)
        for last, index in [one for one in self._retired if one[0] < oldest]:
            self._retired.remove((last, index))
            index.close()


def open_indexes(specs: Sequence[str], models: Models | None = None) -> Indexes:
    """Open indexes for serving.

    Args:
        specs: Folders; each may be written ``NAME=FOLDER``. The name is else the folder's.
        models: Of the server: an index of one of them needs no model of its own.

    Raises:
        SearchError: One is no index, or is damaged.
        ModelError: Its model cannot be loaded.
        ServeError: There is none, or two have one name.
    """
    encoders = {m.encoder.hash: m.encoder for m in models.served if isinstance(m, DenseModel)} if models else {}
    opened: dict[str, Index] = {}
    for spec in specs:
        name, folder = _split(spec)
        if name in opened:
            raise ServeError("two indexes have one name: write one of them as NAME=FOLDER")
        opened[name] = _open(folder, list(encoders.values()))
    return Indexes(opened)


def models_of(specs: Sequence[str]) -> list[str]:
    """The models that indexes were made with, each once.

    Args:
        specs: As for :func:`open_indexes`.
    """
    states = [IndexState.read(folder) for _, folder in map(_split, specs)]
    return list(dict.fromkeys(state.settings.model for state in states if state))


def _open(folder: Path, encoders: Sequence[Encoder]) -> Index:
    state = IndexState.read(folder)
    wanted = state.settings.model_hash if state else None
    return open_index(folder, next((encoder for encoder in encoders if encoder.hash == wanted), None))


def _split(spec: str) -> tuple[str, Path]:
    name, equals, folder = spec.partition("=")
    if equals and name and folder and not Path(spec).exists():
        return name, Path(folder).expanduser()
    path = Path(spec).expanduser()
    return path.resolve().name, path


class QueuedReranker:
    """A served reranker as a :class:`medloom.search.rerank.Reranker`, for threads beside the event loop.

    Args:
        model: The reranker.
        timeout: Seconds to wait for scores.
    """

    def __init__(self, model: Reranker, timeout: float) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout

    def __call__(self, query: str, chunks: Sequence[Chunk]) -> Floats:
        """How well each chunk answers the query, float32, shape (n,)."""
        work = self._model.score(query, [chunk.embedded for chunk in chunks], self._timeout)
        scored = asyncio.run_coroutine_threadsafe(work, self._loop).result()
        return np.array(scored.scores, dtype=np.float32)


class _Alone:
    """An encoder that one thread uses at a time: tokenizers may not be shared."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()

    @property
    def dimensions(self) -> int:
        return self._encoder.dimensions

    @property
    def hash(self) -> str:
        return self._encoder.hash

    def prompt_for(self, role: Role) -> str | None:
        return self._encoder.prompt_for(role)

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        with self._lock:
            return self._encoder.encode(texts, prompt=prompt)
