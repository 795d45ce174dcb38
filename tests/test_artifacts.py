"""Tables, manifests, and what happens when a disk or a file is bad."""

import errno
import json
import os
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom import artifacts
from medloom.artifacts import (
    MANIFEST,
    SCHEMA_VERSION,
    Manifest,
    describe_outputs,
    disk_errors,
    missing_output,
    publish_folder,
    read_manifest,
    read_rows,
    read_table,
    write_json,
    write_manifest,
    write_table,
)
from medloom.errors import ArtifactError
from medloom.identity import file_digest
from medloom.records import Document, Section, Synonym, TrainingRecord

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)


def record(number: int, text: str = "p") -> TrainingRecord:
    return TrainingRecord(f"q{number}", (text,), "title_text", "s", f"{number}")


@given(
    st.lists(
        st.builds(
            Document,
            TEXT,
            TEXT,
            TEXT,
            TEXT,
            TEXT,
            st.lists(st.builds(Section, TEXT, TEXT), max_size=2).map(tuple),
            st.lists(st.builds(Synonym, TEXT, TEXT, st.booleans()), max_size=2).map(tuple),
            TEXTS,
            TEXTS,
        ),
        max_size=4,
    )
)
def test_documents_survive_on_disk(documents: list[Document]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "documents.parquet"
        assert write_table(path, documents, Document) == len(documents)
        assert list(read_table(path, Document)) == documents


@given(
    st.lists(
        st.builds(
            TrainingRecord, TEXT, TEXTS, TEXT, TEXT, TEXT, TEXTS, st.lists(st.floats(-1, 1, width=32), max_size=3).map(tuple)
        ),
        max_size=4,
    )
)
def test_records_survive_on_disk(records: list[TrainingRecord]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.parquet"
        assert write_table(path, iter(records), TrainingRecord) == len(records)
        assert list(read_table(path, TrainingRecord)) == records


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(tmp_path / name, (record(i) for i in range(10)), TrainingRecord)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_rows_stream_in_groups(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "pairs.parquet"
    assert write_table(path, (record(i) for i in range(4_500)), TrainingRecord) == 4_500
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2_000, 2_000, 500]
    read = read_table(path, TrainingRecord)
    assert next(read) == record(0)
    assert sum(1 for _ in read) == 4_499


def test_long_rows_end_a_group_early(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "documents.parquet"
    rows = (Document(str(i), "s", text="x" * 1_000_000) for i in range(40))
    tracemalloc.start()
    assert write_table(path, rows, Document) == 40
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [16, 16, 8]
    assert peak < 25_000_000


def test_the_size_of_a_row_can_be_given(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "pairs.parquet"
    write_table(path, (record(i) for i in range(4)), TrainingRecord, size=lambda _: 8_000_000)
    assert pq.ParquetFile(path).num_row_groups == 2


def test_chosen_columns(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    write_table(path, [record(1)], TrainingRecord)
    assert list(read_rows(path, ["query", "kind"])) == [{"query": "q1", "kind": "title_text"}]


@pytest.mark.parametrize("keep", [0, 20, 300])
def test_a_damaged_table(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "pairs.parquet"
    write_table(path, [record(i) for i in range(10)], TrainingRecord)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match=r"pairs\.parquet is damaged or gone: delete its folder"):
        list(read_table(path, TrainingRecord))


def test_a_table_with_a_damaged_page(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    write_table(path, (record(i, f"{i * 7919 % 10007} text") for i in range(3_000)), TrainingRecord)
    content = bytearray(path.read_bytes())
    content[500:3_000] = bytes(2_500)
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"pairs\.parquet is damaged or gone"):
        list(read_table(path, TrainingRecord))


def test_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone\.parquet is damaged or gone"):
        list(read_rows(tmp_path / "gone.parquet"))


# Manifests


def test_a_manifest_survives(tmp_path: Path) -> None:
    manifest = Manifest(
        "pairs",
        "f" * 64,
        {"kinds": None},
        {"collect": "a" * 64},
        {"pairs.parquet": {"bytes": 3, "sha256": "0", "rows": 1}},
        rows_in=5,
        rows_out=4,
        counts={"too_short": 1},
        notes={"é": [1, {"a": None}]},
        versions={"medloom": "1"},
        seed=3,
        seconds=1.5,
        peak_rss_mb=100.25,
        tries=2,
        finished="2026-01-01T00:00:00+00:00",
    )
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert json.loads((tmp_path / MANIFEST).read_text("utf-8"))["schema_version"] == SCHEMA_VERSION


def test_no_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "gone") is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"stage": "\xff"}', b"[]", b"null", b'"text"'])
def test_an_unreadable_manifest(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match=f"delete the folder {tmp_path} to build it again"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("change", [{"stage": None}, {"surprise": 1}])
def test_a_manifest_of_another_shape(tmp_path: Path, change: dict[str, Any]) -> None:
    raw = asdict(Manifest("pairs", "f", {}, {})) | change
    write_json(tmp_path / MANIFEST, {k: v for k, v in raw.items() if v is not None})
    with pytest.raises(ArtifactError, match="delete the folder"):
        read_manifest(tmp_path)


def test_a_manifest_of_another_schema(tmp_path: Path) -> None:
    write_json(tmp_path / MANIFEST, asdict(Manifest("pairs", "f", {}, {}, schema_version=99)))
    with pytest.raises(ArtifactError, match=f"schema version 99, this medloom reads {SCHEMA_VERSION}"):
        read_manifest(tmp_path)


def test_the_digest_is_of_what_was_written() -> None:
    one = Manifest("a", "f", {}, {}, {"x": {"sha256": "1", "bytes": 2}})
    assert one.digest == Manifest("b", "g", {"k": 1}, {}, {"x": {"sha256": "1", "bytes": 2}}, seconds=9).digest
    assert one.digest != Manifest("a", "f", {}, {}, {"x": {"sha256": "2", "bytes": 2}}).digest
    assert one.digest != Manifest("a", "f", {}, {}, {"y": {"sha256": "1", "bytes": 2}}).digest


def test_outputs_are_described_and_missed(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write_table(tmp_path / "pairs.parquet", [record(1), record(2)], TrainingRecord)
    (tmp_path / "deep" / "notes.txt").write_text("abc", "utf-8")
    (tmp_path / MANIFEST).write_text("{}", "utf-8")
    outputs = describe_outputs(tmp_path)
    assert list(outputs) == ["deep/notes.txt", "pairs.parquet"]
    assert outputs["deep/notes.txt"] == {"bytes": 3, "sha256": file_digest(tmp_path / "deep" / "notes.txt")}
    assert outputs["pairs.parquet"]["rows"] == 2
    manifest = Manifest("s", "f", {}, {}, outputs)
    assert missing_output(tmp_path, manifest) is None
    (tmp_path / "deep" / "notes.txt").write_text("abcd", "utf-8")
    assert missing_output(tmp_path, manifest) == "deep/notes.txt"
    (tmp_path / "deep" / "notes.txt").unlink()
    assert missing_output(tmp_path, manifest) == "deep/notes.txt"


# Files that are whole or not there


def test_json_keeps_order_and_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"z": 1, "a": "é"})
    assert path.read_text("utf-8") == '{\n  "z": 1,\n  "a": "é"\n}'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_json_that_fails_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": True})
    with pytest.raises(TypeError):
        write_json(path, {"new": True, "bad": object()})
    assert json.loads(path.read_text("utf-8")) == {"old": True}

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_json(path, {"new": True})
    assert json.loads(path.read_text("utf-8")) == {"old": True}


def test_a_folder_is_put_in_place(tmp_path: Path) -> None:
    partial, final = tmp_path / "partial", tmp_path / "final"
    for folder, name in ((partial, "new"), (final, "old")):
        folder.mkdir()
        (folder / name).touch()
    publish_folder(partial, final)
    assert [p.name for p in final.iterdir()] == ["new"]
    assert not partial.exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "a file grew over the allowed size"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "no permission to write"),
    ],
)
def test_disk_errors(tmp_path: Path, code: int, words: str) -> None:
    with pytest.raises(ArtifactError, match=f"cannot write below {tmp_path}: {words}") as raised, disk_errors(tmp_path):
        raise OSError(code, "x")
    assert "give the same command again" in str(raised.value)


def test_other_errors_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), disk_errors(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "x")
    with pytest.raises(OSError, match="odd"), disk_errors(tmp_path):
        raise OSError("odd")
    with disk_errors(tmp_path):
        pass


def test_a_failing_source_of_rows_is_not_hidden(tmp_path: Path) -> None:
    def rows() -> Iterator[TrainingRecord]:
        yield record(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_table(tmp_path / "a.parquet", rows(), TrainingRecord)


def test_groups_are_of_the_documented_size() -> None:
    assert (artifacts.ROWS_PER_GROUP, artifacts.CHARS_PER_GROUP) == (2_000, 16_000_000)
