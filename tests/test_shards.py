"""Tables by their row groups, and tables written from them."""

from pathlib import Path

import pytest

from medloom.artifacts import read_table, write_table
from medloom.errors import ArtifactError
from medloom.records import Document, Section, Synonym, TrainingRecord
from medloom.shards import shards_of, write_shards


def _documents(count: int) -> list[Document]:
    return [
        Document(
            str(n),
            "s",
            f"title {n}",
            "é" * (n % 7),
            f"g{n % 5}",
            (Section("h", "t" * (n % 3)),) * (n % 4),
            (Synonym(f"name {n}", "broad", n % 2 == 0),) * (n % 2),
            ("p",) * (n % 3),
            ("c",),
            (None, True, False)[n % 3],
            revision="2",
            metadata=(("date", "2020"), ("mesh", "a"), ("mesh", "b"))[: n % 4],
        )
        for n in range(count)
    ]


def _records(count: int) -> list[TrainingRecord]:
    return [
        TrainingRecord(f"q{n}", (f"p{n}",) * (1 + n % 2), "k", "s", str(n), ("n",) * (n % 3), (0.5,)) for n in range(count)
    ]


def test_the_shards_of_a_table(tmp_path: Path) -> None:
    documents = _documents(4_100)
    write_table(tmp_path / "a.parquet", documents, Document)
    shards = shards_of(tmp_path / "a.parquet")
    assert [(s.group, s.start, s.rows) for s in shards] == [(0, 0, 2_000), (1, 2_000, 2_000), (2, 4_000, 100)]
    assert [d for shard in shards for d in shard.read(Document)] == documents
    assert [d for shard in shards for d in shard.part(documents)] == documents
    assert shards[2].table(["id"]).column_names == ["id"]


def test_what_is_written_from_shards_is_what_is_written_from_rows(tmp_path: Path) -> None:
    for rows, of in ((_documents(4_500), Document), (_records(4_500), TrainingRecord)):
        write_table(tmp_path / "all.parquet", rows, of)
        write_table(tmp_path / "rows.parquet", rows[::3], of)
        kept = (
            shard.table().filter([number % 3 == 0 for number in range(shard.start, shard.start + shard.rows)])
            for shard in shards_of(tmp_path / "all.parquet")
        )
        assert write_shards(tmp_path / "shards.parquet", kept, of) == 1_500
        assert (tmp_path / "shards.parquet").read_bytes() == (tmp_path / "rows.parquet").read_bytes()


def test_groups_of_long_rows_end_where_those_of_other_tables_do(tmp_path: Path) -> None:
    long = [Document(str(n), "s", "t", "x" * 3_000_000, sections=(Section("", "é" * 1_000_000),)) for n in range(9)]
    write_table(tmp_path / "rows.parquet", long, Document)
    assert [shard.rows for shard in shards_of(tmp_path / "rows.parquet")] == [4, 4, 1]
    one = [shard.table() for shard in shards_of(tmp_path / "rows.parquet")]
    write_shards(
        tmp_path / "shards.parquet", (part for table in one for part in (table.slice(0, 1), table.slice(1))), Document
    )
    assert (tmp_path / "shards.parquet").read_bytes() == (tmp_path / "rows.parquet").read_bytes()


def test_nothing_to_write(tmp_path: Path) -> None:
    assert write_shards(tmp_path / "none.parquet", [], Document) == 0
    assert list(read_table(tmp_path / "none.parquet", Document)) == []
    assert shards_of(tmp_path / "none.parquet") == []


def test_a_damaged_table_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ArtifactError, match=r"bad\.parquet is damaged or gone"):
        shards_of(tmp_path / "bad.parquet")
    write_table(tmp_path / "good.parquet", _documents(3), Document)
    (shard,) = shards_of(tmp_path / "good.parquet")
    (tmp_path / "good.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"good\.parquet is damaged or gone"):
        shard.read(Document)
