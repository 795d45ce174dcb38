"""A table by its row groups: the parts that workers share out among them.

A shard is a path and a number, so it travels to another process, or to another machine with the same disk, at no cost.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from medloom.artifacts import CHARS_PER_GROUP, ROWS_PER_GROUP, damaged, schema_of
from medloom.records import Document

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """A row group of a table.

    Attributes:
        path: The table.
        group: Number of the row group.
        start: Number of its first row in the table.
        rows: How many rows it has.
    """

    path: Path
    group: int
    start: int
    rows: int

    def table(self, columns: Sequence[str] | None = None) -> "pa.Table":
        """The rows as Arrow.

        Raises:
            ArtifactError: The file is not readable Parquet.
        """
        import pyarrow.parquet as pq

        with damaged(self.path), pq.ParquetFile(self.path) as file:
            return file.read_row_group(self.group, columns=columns)

    def read(self, of: type[T]) -> list[T]:
        """The rows as documents or records."""
        return [of.from_row(row) for row in self.table().to_pylist()]  # type: ignore[attr-defined]

    def part(self, values: "Sequence[Any] | Any") -> Any:  # noqa: ANN401
        """Of an array with a value for each row of the table, those of this shard."""
        return values[self.start : self.start + self.rows]


def shards_of(path: Path) -> list[Shard]:
    """The row groups of a table, in order.

    Raises:
        ArtifactError: The file is not readable Parquet.
    """
    import pyarrow.parquet as pq

    with damaged(path), pq.ParquetFile(path) as file:
        rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = accumulate(rows, initial=0)
    return [Shard(path, group, start, count) for group, (start, count) in enumerate(zip(starts, rows, strict=False))]


def write_shards(path: Path, tables: Iterable["pa.Table"], of: type[Any]) -> int:
    """Write the rows of Arrow tables as :func:`~medloom.artifacts.write_table` writes the same rows, but much faster.

    Args:
        path: The file to write.
        tables: Consumed once; they may have any number of rows.
        of: What the rows are: :class:`~medloom.records.Document` or :class:`~medloom.records.TrainingRecord`.

    Returns:
        The number of rows written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schema_of(of)
    total = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _regrouped(tables, of):
            writer.write_table(pa.concat_tables(group).combine_chunks().cast(schema))
            total += sum(part.num_rows for part in group)
    return total


def _regrouped(tables: Iterable["pa.Table"], of: type[Any]) -> Iterator[list["pa.Table"]]:
    """The tables cut and put together to groups of the size that all tables have."""
    group: list[pa.Table] = []
    rows = characters = 0
    for table in tables:
        begin = 0
        for end, size in enumerate(_characters(table, of), start=1):
            rows, characters = rows + 1, characters + size
            if rows >= ROWS_PER_GROUP or characters >= CHARS_PER_GROUP:
                yield [*group, table.slice(begin, end - begin)]
                group, begin, rows, characters = [], end, 0, 0
        if begin < table.num_rows:
            group.append(table.slice(begin))
    if group:
        yield group


def _characters(table: "pa.Table", of: type[Any]) -> list[int]:
    """Of each row, the size that :func:`~medloom.artifacts.write_table` goes by."""
    import numpy as np
    import pyarrow.compute as pc

    single, nested = (("title", "text"), "sections") if of is Document else (("query",), "positives")
    sizes = sum(np.asarray(pc.utf8_length(table[name]), dtype=np.int64) for name in single)
    lists = table[nested].combine_chunks()
    lengths = np.asarray(pc.list_value_length(lists), dtype=np.int64)
    inner = lists.flatten()
    inner = inner.field("text") if of is Document else inner
    sums = np.concatenate(([0], np.cumsum(np.asarray(pc.utf8_length(inner), dtype=np.int64))))
    ends = np.cumsum(lengths)
    found: list[int] = (sizes + sums[ends] - sums[ends - lengths]).tolist()
    return found
