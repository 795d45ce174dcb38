"""Vectors that outlive a run: a text is encoded once per model, over all tasks, suites and runs.

A cache is a folder with one folder for each model key. In it ``rows.bin`` holds the vectors and ``index.bin`` a record of
32 bytes for each text: a 128-bit hash of the text (never the text) and where its rows are. Both files only ever grow, by
plain writes: a full disk kills a process that writes through a memory map. The rows are on the disk before the records
that name them, so a kill loses at most the chunk that was being written, and the next to open the folder cuts it off.
Writers take turns by a lock, and each user of a folder holds a lock of its own, so that none is removed under anyone.
"""

import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from io import FileIO
from itertools import compress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from medloom.artifacts import disk_errors, write_json
from medloom.encode.keys import RECORD, Ints, KeyIndex, Keys, Rows, as_records, text_keys
from medloom.errors import ModelError
from medloom.progress import bar

DType = Literal["float32", "float16"]
Encode = Callable[[Sequence[str]], Rows | Sequence[Rows]]

CHUNK = 1_024
_META, _INDEX, _ROWS = "meta.json", "index.bin", "rows.bin"
_VERSION = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fill:
    """What it took to have the vectors of some texts.

    Attributes:
        texts: Texts asked for.
        distinct: Distinct texts among them.
        encoded: Texts that the model had to read.
        seconds: Time spent in the model.
    """

    texts: int = 0
    distinct: int = 0
    encoded: int = 0
    seconds: float = 0.0

    @property
    def cached(self) -> int:
        """Distinct texts whose vectors were there already."""
        return self.distinct - self.encoded

    def __add__(self, other: "Fill") -> "Fill":
        return Fill(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Store:
    """Vectors of one model by text, in memory; see :meth:`VectorCache.open` for the one on disk.

    Args:
        dimensions: Length of a vector.
        dtype: What vectors are kept as.
    """

    def __init__(self, dimensions: int, dtype: DType = "float32") -> None:
        self.dimensions, self.dtype = dimensions, np.dtype(dtype).newbyteorder("<")
        self._index = KeyIndex()
        self._end = 0
        self._held = np.empty((0, dimensions), dtype=self.dtype)

    def fill(self, texts: Iterable[str], encode: Encode, label: str = "encoding") -> Fill:
        """Have the vectors of all texts: those missing are encoded once each, longest first, and kept chunk by chunk.

        Args:
            texts: What is wanted; consumed once.
            encode: Gives an array of shape (n, d), one row for each text, or a list of n arrays of shape (rows, d).
            label: Name of the progress bar.

        Raises:
            ModelError: ``encode`` gave another number of texts or dimensions, or numbers that are not finite.
            ArtifactError: The disk is full or cannot be written.
        """
        asked = 0
        distinct: dict[str, None] = {}
        for text in texts:
            asked += 1
            distinct[text] = None
        missing = sorted(self._missing(list(distinct)), key=lambda t: (-len(t), t))
        encoded, seconds = 0, 0.0
        with bar(label, len(missing), "texts") as advance:
            for first in range(0, len(missing), CHUNK):
                chunk = missing[first : first + CHUNK]
                if left := self._missing(chunk):
                    start = time.perf_counter()
                    result = encode(left)
                    seconds += time.perf_counter() - start
                    self._append(text_keys(left), *self._checked(result, len(left)))
                    encoded += len(left)
                advance(len(chunk))
        return Fill(asked, len(distinct), encoded, seconds)

    def spans(self, texts: Sequence[str]) -> Ints:
        """First row and number of rows of each text, int64, shape (n, 2), for :meth:`take`.

        Raises:
            KeyError: A text was never filled in.
        """
        spans = self._index.find(text_keys(texts))
        if (spans[:, 0] < 0).any():
            raise KeyError(f"{int((spans[:, 0] < 0).sum())} of {len(texts)} texts have no vectors here: fill them in first")
        return spans

    def take(self, spans: Ints) -> Rows:
        """Rows of the spans, one after the other, of the store's dtype, shape (sum of counts, d)."""
        starts, counts = spans[:, 0], spans[:, 1]
        if (counts == 1).all():
            return np.asarray(self._rows()[starts])
        before = np.cumsum(counts) - counts
        return np.asarray(self._rows()[np.repeat(starts - before, counts) + np.arange(counts.sum())])

    def get(self, texts: Sequence[str], encode: Encode) -> Rows:
        """Rows of the texts in their order, encoding those that are missing; see :meth:`fill` and :meth:`take`."""
        self.fill(texts, encode)
        return self.take(self.spans(texts))

    def _missing(self, texts: Sequence[str]) -> list[str]:
        absent = self._index.find(text_keys(texts))[:, 0] < 0
        return list(compress(texts, absent.tolist()))

    def _checked(self, result: Rows | Sequence[Rows], n: int) -> tuple[Rows, Ints]:
        """Rows of the store's dtype, and how many each text has."""
        many = not isinstance(result, np.ndarray)
        counts = np.array([len(one) for one in result] if many else np.ones(len(result)), dtype=np.int64)
        parts = [one for one in result if len(one)] if many else [result]
        with np.errstate(over="ignore"):
            rows = np.concatenate(parts or [self._held[:0]]).astype(self.dtype, copy=False)
        if len(counts) != n or rows.shape != (counts.sum(), self.dimensions):
            raise ModelError(
                f"the model gave vectors of shape {rows.shape} for {len(counts)} texts where {n} texts of "
                f"{self.dimensions} dimensions were due: it is not the model that the cache was opened for"
            )
        if not np.isfinite(rows).all():
            raise ModelError(f"the model gave numbers that are no finite {self.dtype.name}: its weights may be damaged")
        return rows, counts

    def _append(self, keys: Keys, rows: Rows, counts: Ints) -> None:
        if self._end + len(rows) > len(self._held):
            grown = np.empty((max(2 * len(self._held), self._end + len(rows)), self.dimensions), dtype=self.dtype)
            grown[: self._end] = self._held[: self._end]
            self._held = grown
        self._held[self._end : self._end + len(rows)] = rows
        self._know(_records(keys, counts, self._end))

    def _know(self, records: Rows) -> None:
        self._index.add(records)
        self._end += int(records["count"].sum())

    def _rows(self) -> Rows:
        return self._held


class _FileStore(Store):
    """A store whose rows are in a folder of the cache; other processes may add to it."""

    def __init__(self, folder: Path, dimensions: int, dtype: DType, grown: Callable[[], None]) -> None:
        super().__init__(dimensions, dtype)
        self._folder, self._grown = folder, grown
        self._known = 0
        self._row_bytes = dimensions * self.dtype.itemsize
        self._lock = FileLock(folder / "write.lock")
        for name in (_INDEX, _ROWS):
            (folder / name).touch()
        self._files = [(folder / name).open("r+b", buffering=0) for name in (_INDEX, _ROWS)]
        self._map: Rows = self._held
        with self._lock:
            self._refresh()
            self._cut()

    def close(self) -> None:
        self._map = self._held
        for file in self._files:
            file.close()

    def _missing(self, texts: Sequence[str]) -> list[str]:
        self._refresh()
        return super()._missing(texts)

    def _refresh(self) -> None:
        """Learn of records that were added since; half a record, or one without its rows, is none."""
        index, rows = self._files
        new = os.fstat(index.fileno()).st_size // RECORD.itemsize - self._known
        if new <= 0:
            return
        index.seek(self._known * RECORD.itemsize)
        records = np.fromfile(index, dtype=RECORD, count=new)
        ends = self._end + np.cumsum(records["count"])
        there = os.fstat(rows.fileno()).st_size // self._row_bytes
        whole = (records["start"] == ends - records["count"]) & (records["count"] >= 0) & (ends <= there)
        records = records[: len(whole) if whole.all() else int(whole.argmin())]
        self._known += len(records)
        self._know(records)

    def _cut(self) -> None:
        """Cut off what a killed writer left half done; only under the lock."""
        for file, size in zip(self._files, (self._known * RECORD.itemsize, self._end * self._row_bytes), strict=True):
            if os.fstat(file.fileno()).st_size > size:
                file.truncate(size)

    def _append(self, keys: Keys, rows: Rows, counts: Ints) -> None:
        with disk_errors(self._folder), self._lock:
            self._refresh()
            self._cut()
            new = self._index.find(keys)[:, 0] < 0
            records = _records(keys[new], counts[new], self._end)
            for file, data in zip(self._files[::-1], (rows[np.repeat(new, counts)], records), strict=True):
                _write(file, data.tobytes())
            self._refresh()
        self._grown()

    def _rows(self) -> Rows:
        if len(self._map) < self._end:
            shape = (self._end, self.dimensions)
            self._map = np.memmap(self._files[1], dtype=self.dtype, mode="r", shape=shape)
        return self._map


class VectorCache:
    """Vectors of many models in one folder, shared by processes.

    Args:
        folder: Where the models' folders lie.
        limit_bytes: Above this the least recently used models are removed, but none in use; a model that outgrows it alone
            is dropped when its last user closes it.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes

    @contextmanager
    def open(self, key: str, dimensions: int, dtype: DType = "float32") -> Iterator[Store]:
        """The store of one model; what was damaged in it is cut off or begun anew.

        Args:
            key: Digest of everything that changes a vector: model, prompt, length, precision, versions, ...
            dimensions: Length of a vector.
            dtype: What vectors are kept as.

        Raises:
            ArtifactError: The disk is full or cannot be written.
        """
        folder = self.folder / key[:32]
        with disk_errors(self.folder), self._locked():
            folder.mkdir(parents=True, exist_ok=True)
            _in_use(folder)
            user = FileLock(folder / f"{uuid.uuid4().hex}.user")
            user.acquire()
            _claim(folder, {"version": _VERSION, "key": key, "dimensions": dimensions, "dtype": dtype})
            store = _FileStore(folder, dimensions, dtype, self._make_room)
        try:
            yield store
        finally:
            store.close()
            self._leave(folder, user)

    def _leave(self, folder: Path, user: FileLock) -> None:
        with self._locked():
            user.release()
            Path(user.lock_file).unlink(missing_ok=True)
            if (folder / _META).is_file():
                os.utime(folder / _META)
        self._make_room()

    def _make_room(self) -> None:
        """Remove models that are larger than the limit, then the least recently used until the rest is within it."""
        if self.limit_bytes is None:
            return
        with self._locked():
            sizes = {path.parent: _size(path.parent) for path in self.folder.glob(f"*/{_META}")}
            total = sum(size for size in sizes.values() if size <= self.limit_bytes)
            for folder in sorted(sizes, key=lambda f: (f / _META).stat().st_mtime_ns):
                size, alone = sizes[folder], sizes[folder] > self.limit_bytes
                if not (alone or total > self.limit_bytes) or _in_use(folder):
                    continue
                total -= 0 if alone else size
                why = "this model alone is over the limit" if alone else "least recently used"
                logger.log(logging.WARNING if alone else logging.INFO, "vector cache: dropped %d bytes: %s", size, why)
                shutil.rmtree(folder, ignore_errors=True)

    def _locked(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "cache.lock")


def _claim(folder: Path, meta: dict[str, Any]) -> None:
    """Mark the folder as used now, and empty it if it is not plainly this model's."""
    path = folder / _META
    try:
        same = json.loads(path.read_text("utf-8")) == meta
    except (OSError, ValueError):
        same = False
    if not same:
        for name in (_INDEX, _ROWS):
            (folder / name).unlink(missing_ok=True)
        write_json(path, meta)
    os.utime(path)


def _in_use(folder: Path) -> bool:
    """Whether anyone has the folder open; what the dead left is cleared away."""
    for path in folder.glob("*.user"):
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return True
        lock.release()
        path.unlink(missing_ok=True)
    return False


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*"))


def _records(keys: Keys, counts: Ints, start: int) -> Rows:
    return as_records(keys, start + np.cumsum(counts) - counts, counts)


def _write(file: FileIO, data: bytes) -> None:
    """Add to the end of the file, on the disk when this returns."""
    file.seek(0, os.SEEK_END)
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0 :]
    os.fsync(file.fileno())
