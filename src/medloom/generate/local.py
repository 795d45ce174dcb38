"""A chat model in this process: a GGUF file, run by llama.cpp. Text stays here."""

import atexit
import logging
import os
import re
import secrets
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from medloom.errors import ModelError
from medloom.generate.chat import LOCAL, Answer, Ask, CallFailed, RetryLater, ServerRefuses
from medloom.generate.completion import answer_of, messages_of, schema_format
from medloom.identity import digest, file_digest

_LOG = logging.getLogger(__name__)
THREADS = "MEDLOOM_LLM_THREADS"
_MAGIC = b"GGUF"
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_SEEDS = 2**32 - 1
_HASH_LENGTH = 12
_SILENT = -1
_CLOSING_SECONDS = 60.0
_NO_GRAMMAR = "Failed to initialize samplers"

_OPEN: "weakref.WeakSet[LocalChat]" = weakref.WeakSet()


class LocalChat:
    """A GGUF model as a :class:`~medloom.generate.chat.ChatModel`, safe to call from several threads.

    The file is checked and hashed at once and loaded with the first call. A call cannot be timed out: ``max_tokens`` bounds
    it. The engine opens a port on 127.0.0.1 that it cannot do without; it is locked with a key drawn for this process and
    shows no prompts. The same seed gives the same answer as long as calls are made one at a time, with as many threads, and
    after the same calls: the engine adds up in another order when it computes several calls together or takes a prompt's
    beginning from the call before.

    Args:
        where: ``gguf:PATH``, or the path alone; of a file in parts, the first.
        n_ctx: Longest prompt and answer together, in tokens.
        threads: Cores to compute on. If not set, ``MEDLOOM_LLM_THREADS``; else one less than there are: threads wait for
            each other at every layer, so that one that has to share its core slows all of them down.
        n_parallel: Calls computed together; each takes memory for ``n_ctx`` tokens. More calls wait.

    Raises:
        ModelError: There is no such file, it is not GGUF, the number of threads is none, or ``xllamacpp`` is not installed.
    """

    host: str | None = None

    def __init__(self, where: str, n_ctx: int = 8192, threads: int | None = None, n_parallel: int = 1) -> None:
        self._path = Path(where.removeprefix(LOCAL)).expanduser()
        parts = _parts(self._path)
        try:
            import xllamacpp  # noqa: F401
        except ImportError as error:
            raise ModelError("a model that runs here needs the package xllamacpp: pip install 'medloom[llm]'") from error
        self.name = f"{self._path.name}@{digest([_hash(p, *_state(p)) for p in parts])[:_HASH_LENGTH]}"
        self.threads = _default_threads() if threads is None else threads
        self._n_ctx, self._n_parallel = n_ctx, n_parallel
        self._engine: Any = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._idle = threading.Condition()
        self._calls = 0
        _OPEN.add(self)

    def ask(self, ask: Ask) -> Answer:
        """Make one call, without retrying; see :meth:`medloom.generate.chat.ChatModel.ask`."""
        request: dict[str, Any] = {
            "messages": messages_of(ask),
            "max_tokens": ask.max_tokens,
            "temperature": ask.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if ask.seed is not None:
            request["seed"] = ask.seed % _SEEDS
        if ask.schema is not None:
            request["response_format"] = schema_format(ask.schema)
        chunks = self._computed(request)
        if self._closing.is_set():
            raise RetryLater(f"{self.name}: the engine is being closed")
        for chunk in chunks:
            if isinstance(chunk.get("error"), Mapping):
                self._fail(chunk["error"])
        return answer_of(_joined(chunks), self.name)

    def close(self) -> None:
        """Break off the calls that are being computed, and let go of the weights. Done by itself at the process's end."""
        self._closing.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._calls, timeout=_CLOSING_SECONDS)
        with self._lock:
            self._engine = None

    def _computed(self, request: dict[str, Any]) -> list[Mapping[str, Any]]:
        """The answer's chunks, computed in a thread of its own: the engine swallows a Ctrl-C that comes to it."""
        chunks: list[Mapping[str, Any]] = []
        done: Future[None] = Future()
        stop = threading.Event()

        def take(chunk: Mapping[str, Any]) -> bool:
            chunks.append(chunk)
            return stop.is_set() or self._closing.is_set()

        def compute() -> None:
            try:
                with self._running():
                    self._loaded().handle_chat_completions(request, take)
                done.set_result(None)
            except Exception as error:  # whatever it is, the caller gets it
                done.set_exception(error)

        try:
            threading.Thread(target=compute, daemon=True, name="medloom-engine").start()
            done.result()
        except (TypeError, ValueError, RuntimeError):
            raise CallFailed(f"{self.name}: the engine does not take this call: look at the JSON schema") from None
        finally:
            stop.set()
        return chunks

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Count a call in, and out."""
        with self._idle:
            self._calls += 1
        try:
            yield
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def _fail(self, error: Mapping[str, Any]) -> None:
        """Say what is wrong, by kind and numbers alone: the engine's own words may quote the text."""
        if error.get("type") == "exceed_context_size_error":
            tokens, room = error.get("n_prompt_tokens"), error.get("n_ctx")
            raise CallFailed(f"{self.name}: the prompt has {tokens} tokens, and there is room for {room}")
        if str(error.get("message")).startswith(_NO_GRAMMAR):
            raise ServerRefuses(f"{self.name}: the engine cannot hold this model to a JSON schema: use another model")
        code = error.get("code")
        if isinstance(code, int) and code >= 500:
            raise RetryLater(f"{self.name}: the engine failed with code {code}")
        raise CallFailed(f"{self.name}: the engine does not take this call (code {code})")

    def _loaded(self) -> Any:  # noqa: ANN401
        with self._lock:
            if self._engine is None:
                self._engine = self._load()
            return self._engine

    def _load(self) -> Any:  # noqa: ANN401
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.n_ctx, params.n_parallel = self._n_ctx * self._n_parallel, self._n_parallel
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self.threads
        params.verbosity = _SILENT
        params.enable_reasoning = 0
        params.cache_ram_mib = 0
        params.offline = True
        params.hostnames, params.api_keys = ["127.0.0.1"], [secrets.token_hex(32)]
        params.endpoint_slots = params.ui = False
        _LOG.info("loading %s: %d threads, %d calls at once", self.name, self.threads, self._n_parallel)
        try:
            return xllamacpp.Server(params)
        except RuntimeError:
            raise ServerRefuses(
                f"{self.name} cannot be loaded: the file is damaged, too new for the engine, or too large for the memory"
            ) from None


def _joined(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One completion of what came in pieces."""
    text, finish, usage = [], None, None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices") or ():
            text.append(choice["delta"].get("content") or "")
            finish = choice.get("finish_reason") or finish
    return {"choices": [{"message": {"content": "".join(text)}, "finish_reason": finish}], "usage": usage}


@atexit.register
def _close_all() -> None:
    """The engine's threads must not outlive the interpreter: it crashes."""
    for chat in list(_OPEN):
        chat.close()


def _parts(path: Path) -> list[Path]:
    """The model's files, each seen to be GGUF."""
    part = _PART.fullmatch(path.name)
    if part is None:
        parts = [path]
    elif int(part["number"]) != 1:
        raise ModelError(f"{path} is a later part of a model: give the first part")
    else:
        count = int(part["count"])
        parts = [path.with_name(f"{part['stem']}-{i:05d}-of-{count:05d}.gguf") for i in range(1, count + 1)]
    for one in parts:
        if not one.is_file():
            raise ModelError(f"no file {one}: give the path of a model in GGUF form, as gguf:PATH")
        with one.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ModelError(f"{one} is not a model in GGUF form: was its download cut short, or is it safetensors?")
    return parts


def _state(path: Path) -> tuple[int, int]:
    """Size and time of change, to see whether a file is still the one that was hashed."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _hash(path: Path, _size: int, _changed: int) -> str:
    return file_digest(path)


def _default_threads() -> int:
    given = os.environ.get(THREADS)
    if given is None:
        return max(1, _cores() - 1)
    if not given.isdecimal() or int(given) < 1:
        raise ModelError(f"{THREADS} is not a number of threads: set it to 1 or more")
    return int(given)


def _cores() -> int:
    """Physical cores that this process may use."""
    import psutil

    physical: int = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return min(physical, usable)
