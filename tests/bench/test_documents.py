"""Documents for a build: from an artifact, a run, or a file of a source that medloom reads."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from medloom.artifacts import Manifest, write_manifest, write_table
from medloom.bench.documents import DocumentsInput
from medloom.errors import ArtifactError, SourceError
from medloom.records import Document, Section


def artifact(folder: Path, documents: Sequence[Document]) -> Path:
    folder.mkdir(parents=True)
    write_table(folder / "documents.parquet", documents, Document)
    write_manifest(folder, Manifest("collect", "f", {}, {}))
    return folder


NOTES = [Document(f"n{i}", "notes", f"title {i}", f"text {i}", "g", (Section("H", "t"),)) for i in range(3)]
TRIALS = [Document("t0", "trials", "a trial", "its text")]


def test_from_an_artifact_a_run_and_the_table_itself(tmp_path: Path) -> None:
    folder = artifact(tmp_path / "run" / "stages" / "1-collect-abc", NOTES)
    (tmp_path / "run" / "stages" / "2-pairs-def").mkdir()
    for path in (folder, tmp_path / "run", folder / "documents.parquet"):
        one = DocumentsInput("notes", path)
        assert one.load() == NOTES
        assert one.hash() == DocumentsInput("notes", folder).hash()


def test_only_the_sources_own_documents(tmp_path: Path) -> None:
    folder = artifact(tmp_path / "both", [*NOTES, *TRIALS])
    assert DocumentsInput("trials", folder).load() == TRIALS
    assert DocumentsInput("notes", folder).load() == NOTES
    with pytest.raises(SourceError, match=r"holds documents of notes, trials, none of letters: name the source as"):
        DocumentsInput("letters", folder).load()


def test_an_artifact_of_one_source_may_be_called_otherwise(tmp_path: Path) -> None:
    assert DocumentsInput("letters", artifact(tmp_path / "a", NOTES)).load() == NOTES


def test_the_hash_is_of_what_is_read(tmp_path: Path) -> None:
    one, other = artifact(tmp_path / "a", NOTES), artifact(tmp_path / "b", NOTES[:2])
    assert DocumentsInput("notes", one).hash() != DocumentsInput("notes", other).hash()
    same = artifact(tmp_path / "c", NOTES)
    assert DocumentsInput("notes", one).hash() == DocumentsInput("notes", same).hash()


def test_an_unfinished_or_damaged_artifact(tmp_path: Path) -> None:
    folder = artifact(tmp_path / "a", NOTES)
    (folder / "manifest.json").unlink()
    with pytest.raises(SourceError, match="medloom reads no files of a source of that name"):
        DocumentsInput("notes", folder).load()
    damaged = artifact(tmp_path / "b", NOTES)
    (damaged / "documents.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match="damaged"):
        DocumentsInput("notes", damaged).load()


def test_from_a_file_that_the_source_of_that_name_reads(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("title,text\nfever,it is hot\ncough,it is loud\n", "utf-8")
    one = DocumentsInput("files", path)
    assert [(d.title, d.text) for d in one.load()] == [("fever", "it is hot"), ("cough", "it is loud")]
    before = one.hash()
    path.write_text("title,text\nfever,it is hot\n", "utf-8")
    assert one.hash() != before


def test_bad_rows_of_a_file_stop_the_build(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("title,text\nfever,it is hot,and more\n", "utf-8")
    with pytest.raises(SourceError, match=r"rows.csv, line 2"):
        DocumentsInput("files", path).load()


@pytest.mark.parametrize("source", ["notes", "hpo"])
def test_a_source_that_reads_no_files(tmp_path: Path, source: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(SourceError, match=f"--data {source}: medloom reads no files of a source of that name: give a doc"):
        DocumentsInput(source, path).load()


def test_nothing_there(tmp_path: Path) -> None:
    for source in ("notes", "files"):
        with pytest.raises(SourceError, match=f"--data {source}: no file or folder .*nowhere"):
            DocumentsInput(source, tmp_path / "nowhere").load()
