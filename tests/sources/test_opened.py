"""Documents by path: tables of ours, runs, files of rows."""

import os
from pathlib import Path

import pytest

from medloom.artifacts import Manifest, write_manifest, write_table
from medloom.errors import SourceError
from medloom.records import Document
from medloom.sources.files import FieldMap
from medloom.sources.opened import OpenedDocuments, documents_table

NOTES = [Document("1", "a", "T", "one", contains_phi=True), Document("2", "a", "", "two", deidentified="x")]


def _artifact(folder: Path, documents: list[Document]) -> Path:
    folder.mkdir(parents=True)
    write_table(folder / "documents.parquet", documents, Document)
    write_manifest(folder, Manifest("collect", "f", {}, {}))
    return folder / "documents.parquet"


def test_a_table_of_ours_keeps_ids_sources_and_marks(tmp_path: Path) -> None:
    table = tmp_path / "any-name.parquet"
    write_table(table, NOTES, Document)
    opened = OpenedDocuments(table)
    assert list(opened()) == NOTES == list(opened())
    assert [d.contains_phi for d in OpenedDocuments(table, contains_phi=False)()] == [True, False]
    assert [d.contains_phi for d in OpenedDocuments(table, contains_phi=True)()] == [True, True]


def test_a_run_gives_its_deidentified_table_before_the_collected_one(tmp_path: Path) -> None:
    _artifact(tmp_path / "stages" / "1-collect-aaa", NOTES)
    old = _artifact(tmp_path / "stages" / "2-deid-bbb", NOTES[:1])
    new = _artifact(tmp_path / "stages" / "2-deid-ccc", NOTES[1:])
    os.utime(old, (1, 1))
    assert documents_table(tmp_path) == new
    assert list(OpenedDocuments(tmp_path)()) == NOTES[1:]


def test_a_run_without_deidentification_gives_its_clean_table(tmp_path: Path) -> None:
    _artifact(tmp_path / "stages" / "1-collect-aaa", NOTES)
    clean = _artifact(tmp_path / "stages" / "2-clean-bbb", NOTES[:1])
    assert documents_table(tmp_path) == clean
    deid = _artifact(tmp_path / "stages" / "3-deid-ccc", NOTES[1:])
    assert documents_table(tmp_path) == deid


def test_an_unfinished_stage_is_not_read(tmp_path: Path) -> None:
    table = _artifact(tmp_path / "stages" / "1-collect-aaa", NOTES)
    (table.parent / "manifest.json").unlink()
    assert documents_table(tmp_path) is None


def test_rows_of_a_file_by_their_fields(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("who,note,contains_phi\np1,one,true\np2,two,\n", "utf-8")
    opened = OpenedDocuments(tmp_path / "n.csv", FieldMap(id="who", text="note"))
    assert [(d.id, d.text, d.contains_phi) for d in opened()] == [("p1", "one", True), ("p2", "two", None)]
    before = opened.hash()
    (tmp_path / "n.csv").write_text("who,note\np1,other\n", "utf-8")
    assert OpenedDocuments(tmp_path / "n.csv").hash() != before


def test_parquet_of_rows_is_no_table_of_ours(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["one"]}), tmp_path / "rows.parquet")
    assert documents_table(tmp_path / "rows.parquet") is None
    assert [d.text for d in OpenedDocuments(tmp_path / "rows.parquet")()] == ["one"]


def test_bad_rows_are_skipped_where_asked(tmp_path: Path) -> None:
    (tmp_path / "n.jsonl").write_text('{"text": "one"}\n{broken\n', "utf-8")
    assert [d.text for d in OpenedDocuments(tmp_path / "n.jsonl", on_error="skip")()] == ["one"]


@pytest.mark.parametrize("name", ["missing.jsonl", "missing-folder"])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="no such file"):
        OpenedDocuments(tmp_path / name)


def test_a_damaged_table(tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match="not readable Parquet"):
        OpenedDocuments(tmp_path / "d.parquet")
