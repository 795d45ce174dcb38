"""Documents in, a folder of vectors out: each distinct text once, in order, and a killed command goes on where it stopped.

``encoding.json`` says what the vectors are of and how they were made; ``shards.jsonl`` notes each finished shard with a
digest of its texts. Given again, the same command computes only shards whose texts are others, so a folder also follows
documents that changed.
"""

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from medloom import __version__
from medloom.artifacts import disk_errors, write_json
from medloom.encode.encoder import Encoder
from medloom.encode.keys import KeyIndex, Keys, as_records, text_keys
from medloom.encode.parts import Computed, CountCut, Opener, Part, compute
from medloom.encode.shards import SHARD
from medloom.encode.sinks import Form, Names, Sink, open_sink
from medloom.encode.stored import Kept
from medloom.engine import HERE, Engine
from medloom.errors import ArtifactError, RunLockedError
from medloom.progress import noted_bar
from medloom.records import Document

ENCODING, SHARDS = "encoding.json", "shards.jsonl"
_LOCK = ".lock"

Ints = npt.NDArray[np.int64]
Compute = Callable[[Part], Computed]


@dataclass(frozen=True, slots=True)
class Item:
    """A document as the encoder gets it.

    Attributes:
        source: Its source.
        id: Unique within it.
        pieces: Its text; or, of a long one, stretches whose vectors are averaged.
    """

    source: str
    id: str
    pieces: tuple[str, ...]


class EncodeSettings(BaseModel):
    """What the vectors of a folder are, so that nothing else is added to them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="The model, as the user named it.")
    model_hash: str = Field(description="Its content hash.")
    backend: str = Field(description="What computed it.")
    precision: str = Field(description="Of the arithmetic.")
    prompt: str | None = Field(description="Put before every text.")
    dimensions: int = Field(description="Length of a vector.")
    stored: Kept = Field(description="What a number is stored as; binary packs eight into a byte.")
    form: Form = Field(description="Parquet files with a row for each document, or one .npy file and tables of ids.")
    long: str = Field(description="Whether long text is cut, or encoded in stretches whose vectors are averaged (pool).")


@dataclass
class Encoded:
    """What came of it.

    Attributes:
        folder: Where the vectors are.
        documents: Rows.
        computed: Texts that the model read in this command, duplicates once.
        repeated: Rows whose text an earlier row has.
        kept: Rows that an earlier command had finished.
        empty: Documents without text.
        cut: Documents that were cut to the model's length.
        pooled: Documents whose vector is the mean of several stretches'.
        seconds: Wall time.
        texts_per_second: Texts computed, by the time that a worker spent computing.
    """

    folder: str
    documents: int = 0
    computed: int = 0
    repeated: int = 0
    kept: int = 0
    empty: int = 0
    cut: int = 0
    pooled: int = 0
    seconds: float = 0.0
    texts_per_second: float = 0.0

    @property
    def share_cut(self) -> float:
        """Share of the documents that were cut."""
        return self.cut / self.documents if self.documents else 0.0


def encode_documents(
    items: Iterable[Item],
    encoder: Encoder,
    out: Path,
    settings: EncodeSettings,
    count_cut: CountCut | None = None,
    total: int | None = None,
    facts: Mapping[str, Any] | None = None,
    engine: Engine = HERE,
    opener: Opener | None = None,
) -> Encoded:
    """Encode documents into a folder.

    Vectors of a shard are computed apart from other shards, so a resumed folder is that of an unbroken run, and several
    workers give what one gives.

    Args:
        items: The documents, streamed once; a few shards of them for each worker are held in memory, and 40 bytes of each
            distinct one.
        encoder: What encodes in this process.
        out: The folder.
        settings: What the vectors are to be.
        count_cut: Counts texts that the model cuts; not called for documents in several pieces.
        total: Number of documents, for the progress bar.
        facts: Further facts for ``encoding.json``.
        engine: Who shares the work.
        opener: Gives encoder and counter to workers in other processes; needed where the engine has such.

    Raises:
        ArtifactError: The folder holds something else, or vectors made in another way; or the disk is full.
        RunLockedError: Another command writes to it.
        ValueError: The engine has workers in other processes, and nothing was given that they could open.
    """
    if not engine.is_here and opener is None:
        raise ValueError("workers in other processes need an opener")
    here: Opener = lambda: (encoder, count_cut)  # noqa: E731
    function = partial(
        compute,
        opener=opener if opener is not None and not engine.is_here else here,
        prompt=settings.prompt,
        dimensions=settings.dimensions,
        stored=settings.stored,
    )
    started = time.perf_counter()
    with disk_errors(out), _held(out):
        _check_free(out, settings)
        said = {"settings": settings.model_dump(mode="json"), "medloom": __version__, **(facts or {})}
        write_json(out / ENCODING, {"state": "encoding", **said})
        sink = open_sink(settings.form, out, settings.dimensions, settings.stored)
        work = _Work(function, engine, out, sink, Encoded(str(out)), _done(out / SHARDS))
        with noted_bar("encoding", total, "documents") as advance:
            for rows in work.shards(items):
                advance(rows, f"{work.rate:,.0f} texts/s" if work.seconds else "")
        sink.finish(work.result.documents)
        work.result.seconds = round(time.perf_counter() - started, 2)
        work.result.texts_per_second = round(work.rate, 1)
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(out / ENCODING, {"state": "ready", **said, "finished": finished, **asdict(work.result)})
    return work.result


def read_settings(folder: Path) -> EncodeSettings | None:
    """How the vectors of a folder are made; None if it holds none.

    Raises:
        ArtifactError: ``encoding.json`` is damaged.
    """
    path = folder / ENCODING
    try:
        return EncodeSettings.model_validate(json.loads(path.read_text("utf-8"))["settings"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged: delete the folder {folder} to encode anew") from error


def document_text(document: Document) -> str:
    """What a document says, as a whole: title and text or sections; all names and the definition of a concept."""
    names = document.names() if document.synonyms else [document.title]
    body = [document.text] if document.text.strip() else [part for s in document.sections for part in (s.heading, s.text)]
    return "\n".join(part for part in (*dict.fromkeys(names), *body) if part.strip())


@dataclass(frozen=True)
class _Waiting:
    """A shard whose vectors are being computed.

    Attributes:
        number: Of the shard.
        names: Of its rows.
        texts: Digest of what they depend on.
        new: Rows whose text is computed.
        first: For each row the first one of the shard with its text.
        earlier: For each row the row of an earlier shard with its text, -1 if there is none.
        texts_read: Texts that the model reads.
        pooled: Documents in several pieces.
    """

    number: int
    names: Names
    texts: str
    new: Ints
    first: Ints
    earlier: Ints
    texts_read: int
    pooled: int


@dataclass
class _Work:
    """One command on a folder."""

    function: Compute
    engine: Engine
    folder: Path
    sink: Sink
    result: Encoded
    done: Mapping[int, Mapping[str, Any]]
    index: KeyIndex = field(default_factory=KeyIndex)
    waiting: deque[_Waiting] = field(default_factory=deque)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Texts per second of computing."""
        return self.result.computed / self.seconds if self.seconds else 0.0

    def shards(self, items: Iterable[Item]) -> Iterator[int]:
        """Have the vectors of all shards on the disk; yields the rows that are done since the last time."""
        kept = 0
        for computed in self.engine.in_order(self.function, self._parts(items)):
            shard = self.waiting.popleft()
            self._write(shard, computed)
            yield len(shard.names.ids) + self.result.kept - kept
            kept = self.result.kept
        yield self.result.kept - kept

    def _parts(self, items: Iterable[Item]) -> Iterator[Part]:
        """What is to be computed, shard by shard; those that are done are only counted."""
        stream = iter(items)
        for number in count():
            shard = list(islice(stream, SHARD))
            if shard and (part := self._prepared(number, shard)) is not None:
                yield part
            if len(shard) < SHARD:
                return

    def _prepared(self, number: int, items: Sequence[Item]) -> Part | None:
        """What of a shard is to be computed; None if an earlier command has done it."""
        keys = text_keys(["".join(f"{len(piece)}:{piece}" for piece in item.pieces) for item in items])
        earlier = self.index.find(keys)[:, 0]
        _, firsts, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        first = firsts[which.reshape(-1)]
        is_new = (earlier < 0) & (first == np.arange(len(items)))
        new = np.flatnonzero(is_new)
        self.index.add(as_records(keys[new], number * SHARD + new, np.ones(len(new), dtype=np.int64)))
        self.result.documents += len(items)
        self.result.repeated += len(items) - len(new)
        texts = _digest(items, keys)
        noted = self.done.get(number, {})
        if noted.get("texts") == texts:
            self.result.kept += len(items)
            self._count(noted)
            return None
        pieces = [item.pieces for item, fresh in zip(items, is_new.tolist(), strict=True) if fresh]
        repeated = [i.pieces[0] for i, fresh in zip(items, is_new.tolist(), strict=True) if not fresh and len(i.pieces) == 1]
        names = Names([item.id for item in items], [item.source for item in items])
        pooled = sum(len(item.pieces) > 1 for item in items)
        self.waiting.append(_Waiting(number, names, texts, new, first, earlier, sum(map(len, pieces)), pooled))
        return Part(pieces, repeated)

    def _write(self, shard: _Waiting, computed: Computed) -> None:
        """Have a shard on the disk; those before it are there, so that what repeats their texts can be read from them."""
        self.seconds += computed.seconds / self.engine.workers
        self.result.computed += shard.texts_read
        whole = np.empty((len(shard.first), computed.rows.shape[1]), dtype=computed.rows.dtype)
        fresh = shard.earlier < 0
        whole[fresh] = computed.rows[np.searchsorted(shard.new, shard.first[fresh])]
        if not fresh.all():
            whole[~fresh] = self.sink.read(shard.earlier[~fresh])
        self.sink.write(shard.number, shard.names, whole)
        counts = {"empty": computed.empty, "cut": computed.cut, "pooled": shard.pooled}
        _note(self.folder / SHARDS, {"shard": shard.number, "texts": shard.texts, **counts})
        self._count(counts)

    def _count(self, noted: Mapping[str, Any]) -> None:
        self.result.empty += noted["empty"]
        self.result.cut += noted["cut"]
        self.result.pooled += noted["pooled"]


def _digest(items: Sequence[Item], keys: Keys) -> str:
    """What a shard's vectors and names depend on."""
    whole = hashlib.sha256(keys.tobytes())
    for item in items:
        whole.update(f"{len(item.source)}:{item.source}{len(item.id)}:{item.id}".encode("utf-8", "surrogatepass"))
    return whole.hexdigest()


def _done(path: Path) -> dict[int, dict[str, Any]]:
    """What is noted of each shard, the last note of each; half a line, left by a kill, is none."""
    found: dict[int, dict[str, Any]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            note = json.loads(line)
            found[int(note["shard"])] = note
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _note(path: Path, note: Mapping[str, Any]) -> None:
    """Add a line that begins a new one, whatever a kill has left before it."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(note)}\n")
        file.flush()
        os.fsync(file.fileno())


def _check_free(out: Path, settings: EncodeSettings) -> None:
    found = read_settings(out)
    if found is None:
        if any(path.name != _LOCK for path in out.iterdir()):
            raise ArtifactError(f"{out} holds other things than vectors: give a folder of its own")
        return
    was, now = found.model_dump(), settings.model_dump()
    other = [f"{name} {was[name]}, not {now[name]}" for name in now if name != "model" and was[name] != now[name]]
    if other:
        raise ArtifactError(f"{out} holds vectors made with {'; '.join(other)}: give another folder")


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Nobody else writes to the folder."""
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / _LOCK, timeout=0):
            yield
    except Timeout:
        raise RunLockedError(out) from None
