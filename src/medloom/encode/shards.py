"""Vectors on disk, one shard of texts at a time, so that a killed run goes on where it stopped."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from medloom.artifacts import write_json
from medloom.encode.encoder import Encoder, Floats, Role
from medloom.encode.spec import EncoderSpec
from medloom.engine import HERE, Engine
from medloom.identity import digest
from medloom.progress import bar

SHARD = 4_096
_BYTES = 4


def encode_to_file(
    encoder: Encoder,
    texts: Iterable[str],
    count: int,
    path: Path,
    what: str,
    prompt: str | None = None,
    engine: Engine = HERE,
    spec: EncoderSpec | None = None,
) -> Floats:
    """Encode texts into a ``.npy`` file and return it memory-mapped.

    Shards are encoded independently of each other, so a resumed file is byte for byte that of an unbroken run, and several
    workers give what one gives.

    Args:
        encoder: What encodes.
        texts: ``count`` texts; only a shard of them is held in memory.
        count: How many there are.
        path: The file; beside it ``NAME.progress`` says which shards are done.
        what: Hash of what the texts are: a file begun for other texts or another model is begun anew.
        prompt: Put before every text.
        engine: Who shares the work.
        spec: What its workers load, where they are in other processes; without it, this process does the work.

    Returns:
        float32, shape (count, d), read-only.
    """
    key = digest({"model": encoder.hash, "texts": what, "prompt": prompt, "count": count, "shard": SHARD})
    progress = path.with_suffix(".progress")
    done = _done(progress, path, key, encoder.dimensions * _BYTES)
    if not done:
        _write_header(path, count, encoder.dimensions)
    offset = _data_offset(path)
    source = iter(texts)
    sharing: Engine = HERE
    function = _computing(encoder, prompt)
    if spec is not None and not engine.is_here:
        sharing, function = engine, partial(_computed, spec=spec, prompt=prompt)
    with path.open("r+b") as file, bar(f"encoding {path.stem}", count, "texts") as advance:
        for _ in range(0, min(done, count), SHARD):
            advance(len(list(islice(source, SHARD))))
        shards = (list(islice(source, SHARD)) for _ in range(done, count, SHARD))
        for vectors in sharing.in_order(function, shards):
            file.seek(offset + done * encoder.dimensions * _BYTES)
            file.write(vectors.astype("<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())
            done += len(vectors)
            write_json(progress, {"key": key, "done": done})
            advance(len(vectors))
    return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]


def _computing(encoder: Encoder, prompt: str | None) -> Callable[[list[str]], Floats]:
    return lambda texts: encoder.encode(texts, prompt)


def _computed(texts: list[str], spec: EncoderSpec, prompt: str | None) -> Floats:
    """Vectors of a shard, in another process."""
    return spec.open().encode(texts, prompt)


def _write_header(path: Path, count: int, dimensions: int) -> None:
    """Begin a ``.npy`` file; plain writes follow, since a full disk kills a process that writes through a memory map."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (count, dimensions)})


def _data_offset(path: Path) -> int:
    """Where the numbers of a ``.npy`` file begin."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        return file.tell()


class VectorFolder:
    """A folder of named vector files, written by one encoder.

    Args:
        encoder: What encodes; its own query and document prompts are used.
        folder: Where the files lie.
        what: Hash of what the texts are; see :func:`encode_to_file`.
        engine: Who shares the work.
        spec: What its workers load, where they are in other processes; without it, this process does the work.
    """

    def __init__(
        self, encoder: Encoder, folder: Path, what: str, engine: Engine = HERE, spec: EncoderSpec | None = None
    ) -> None:
        self._encoder, self._folder, self._what = encoder, folder, what
        self._engine, self._spec = engine, spec
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str, texts: Sequence[str], role: Role) -> Floats:
        """Vectors of the texts, float32, shape (n, d), memory-mapped."""
        prompt = self._encoder.prompt_for(role)
        path = self._folder / f"{name}.npy"
        return encode_to_file(self._encoder, texts, len(texts), path, self._what, prompt, self._engine, self._spec)


def _done(progress: Path, path: Path, key: str, row_bytes: int) -> int:
    """How many texts an earlier try has finished; none if what it left is damaged."""
    try:
        state = json.loads(progress.read_text("utf-8"))
        done = int(state["done"]) if state["key"] == key else 0
        written = path.stat().st_size - _data_offset(path)
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return done if written >= done * row_bytes else 0
