"""Where vectors go, a shard at a time: Parquet files, or one ``.npy`` file that can be memory-mapped.

A shard is written anew, whole, if it is not noted as done: a kill loses at most the one that was in hand.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from medloom.encode.shards import SHARD
from medloom.encode.stored import Kept, Rows, kept_dtype, kept_width

if TYPE_CHECKING:
    import pyarrow as pa

Form = Literal["parquet", "npy"]
Ints = npt.NDArray[np.int64]

VECTORS, IDS = "vectors.npy", "ids"
_HEADER = 128


@dataclass(frozen=True)
class Names:
    """What vectors are of.

    Attributes:
        ids: Of each document.
        sources: Of each document.
    """

    ids: list[str]
    sources: list[str]


class Sink(Protocol):
    """Takes vectors and gives back those it was given. All shards but the last have :data:`SHARD` rows."""

    def write(self, shard: int, names: Names, rows: Rows) -> None:
        """Write a shard, and be sure that it is on the disk.

        Args:
            shard: Its number; those before it are written.
            names: Of its rows.
            rows: Its vectors as they are stored.
        """

    def read(self, rows: Ints) -> Rows:
        """Stored vectors by their number in the whole, int64, shape (n,)."""

    def finish(self, count: int) -> None:
        """Make the output whole.

        Args:
            count: Rows in all.
        """


class ParquetSink:
    """A file ``part-00000.parquet`` for each shard, with the columns ``source``, ``id`` and ``vector``.

    Args:
        folder: Where they go.
        dimensions: Of a vector.
        kept: What a number is stored as; ``binary`` packs eight into a uint8.
    """

    def __init__(self, folder: Path, dimensions: int, kept: Kept) -> None:
        self._folder = folder
        self._width, self._dtype = kept_width(kept, dimensions), kept_dtype(kept)

    def write(self, shard: int, names: Names, rows: Rows) -> None:
        """See :class:`Sink`."""
        import pyarrow as pa

        flat = pa.array(np.ascontiguousarray(rows).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(flat, self._width)
        table = pa.table({"source": names.sources, "id": names.ids, "vector": vectors}, _schema(vectors.type))
        _write_table(table, self._folder / _part(shard))

    def read(self, rows: Ints) -> Rows:
        """See :class:`Sink`."""
        import pyarrow.parquet as pq

        found = np.empty((len(rows), self._width), dtype=self._dtype)
        shards = rows // SHARD
        for shard in np.unique(shards):
            column = pq.read_table(self._folder / _part(int(shard)), columns=["vector"]).column("vector").combine_chunks()
            vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, self._width)
            found[shards == shard] = vectors[rows[shards == shard] % SHARD]
        return found

    def finish(self, count: int) -> None:
        """See :class:`Sink`."""
        _remove_after(self._folder, count)


class NpySink:
    """One ``vectors.npy`` for ``numpy.load(..., mmap_mode="r")``; its rows are named by the tables in ``ids/``, in order.

    Args:
        folder: Where they go.
        dimensions: Of a vector.
        kept: What a number is stored as; ``binary`` packs eight into a uint8.
    """

    def __init__(self, folder: Path, dimensions: int, kept: Kept) -> None:
        self._path, self._ids = folder / VECTORS, folder / IDS
        self._width, self._dtype = kept_width(kept, dimensions), kept_dtype(kept)
        self._ids.mkdir(exist_ok=True)
        if not self._path.is_file():
            self._write_header(0)

    def write(self, shard: int, names: Names, rows: Rows) -> None:
        """See :class:`Sink`. Plain writes: a full disk kills a process that writes through a memory map."""
        import pyarrow as pa

        _write_table(pa.table({"source": names.sources, "id": names.ids}, _schema()), self._ids / _part(shard))
        with self._path.open("r+b") as file:
            file.seek(self._offset(shard * SHARD))
            file.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
            file.flush()
            os.fsync(file.fileno())

    def read(self, rows: Ints) -> Rows:
        """See :class:`Sink`."""
        there = (self._path.stat().st_size - _HEADER) // self._offset(1, 0)
        stored = np.memmap(self._path, dtype=self._dtype, mode="r", offset=_HEADER, shape=(there, self._width))
        return np.asarray(stored[rows])

    def finish(self, count: int) -> None:
        """See :class:`Sink`."""
        _remove_after(self._ids, count)
        self._write_header(count)
        os.truncate(self._path, self._offset(count))

    def _offset(self, row: int, header: int = _HEADER) -> int:
        return header + row * self._width * self._dtype.itemsize

    def _write_header(self, count: int) -> None:
        """A header of one length: numpy pads it for any number of rows."""
        settings = {"descr": self._dtype.str, "fortran_order": False, "shape": (count, self._width)}
        with self._path.open("r+b" if self._path.is_file() else "wb") as file:
            np.lib.format.write_array_header_1_0(file, settings)


def open_sink(form: Form, folder: Path, dimensions: int, kept: Kept) -> Sink:
    """What writes a form of output."""
    return (ParquetSink if form == "parquet" else NpySink)(folder, dimensions, kept)


def _part(shard: int) -> str:
    return f"part-{shard:05d}.parquet"


def _remove_after(folder: Path, count: int) -> None:
    """Remove shards beyond a number of rows: what an earlier command had more."""
    for path in folder.glob("part-*.parquet"):
        if int(path.stem.removeprefix("part-")) * SHARD >= count:
            path.unlink()


def _schema(vector: "pa.DataType | None" = None) -> "pa.Schema":
    import pyarrow as pa

    names = [("source", pa.string()), ("id", pa.string())]
    return pa.schema(names if vector is None else [*names, ("vector", vector)])


def _write_table(table: "pa.Table", path: Path) -> None:
    import pyarrow.parquet as pq

    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(table, temporary)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
