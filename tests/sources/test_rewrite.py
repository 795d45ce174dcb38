"""Files of documents written anew: what is refused, and what is told of bad rows."""

from pathlib import Path

import pytest

from medloom.errors import ArtifactError, SourceError
from medloom.records import Document
from medloom.sources.files import FieldMap, FilesSource
from medloom.sources.rewrite import (
    CountedRejects,
    Skipped,
    check_targets,
    own_table,
    read_documents,
    whole,
    write_documents,
)


def _source(folder: Path) -> FilesSource:
    (folder / "in.jsonl").write_text('{"text": "one"}\n{"text": 5}\n', "utf-8")
    return FilesSource(path=str(folder / "in.jsonl"), on_error="skip")


def test_bad_rows_are_counted_and_the_first_are_placed(tmp_path: Path) -> None:
    skipped = Skipped()
    assert [d.text for d in read_documents(_source(tmp_path), CountedRejects(skipped))] == ["one"]
    assert skipped.skipped == 1 and "line 2" in skipped.problems[0]
    rejects = CountedRejects(skipped)
    for number in range(30):
        rejects.add(f"line {number}", "bad", "a secret")
    assert (skipped.skipped, len(skipped.problems)) == (31, 20)
    assert "secret" not in str(skipped)


def test_targets_that_are_refused(tmp_path: Path) -> None:
    source = _source(tmp_path)
    there = tmp_path / "there.parquet"
    there.write_text("mine")
    for out, others, force, said in (
        (tmp_path / "out.csv", (), True, "ends in .jsonl or .parquet"),
        (there, (), False, "--force"),
        (tmp_path / "in.jsonl", (), True, "is read by this command"),
        (tmp_path / "a.jsonl", (tmp_path / "x" / ".." / "a.jsonl",), True, "have one name"),
    ):
        with pytest.raises(ArtifactError, match=said):
            check_targets(out, others, source, force)
    check_targets(there, (tmp_path / "b.jsonl",), source, force=True)


def test_only_a_table_of_documents_is_one_of_ours(tmp_path: Path) -> None:
    table = tmp_path / "documents.parquet"
    with whole(table) as place:
        write_documents(place, [Document("1", "s", text="one", metadata=(("licence", "CC0"),))], ".parquet")
    assert own_table(FilesSource(path=str(tmp_path))) == own_table(FilesSource(path=str(table))) == table
    assert own_table(FilesSource(path=str(table), fields=FieldMap(text="text"))) is None
    assert own_table(FilesSource(path=(str(table),))) is None
    (document,) = read_documents(FilesSource(path=str(table)), CountedRejects(Skipped()))
    assert document.fact("licence") == "CC0"
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="not readable Parquet"):
        own_table(FilesSource(path=str(tmp_path / "broken.parquet")))
