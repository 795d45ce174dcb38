"""Cleaning files: one table, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medloom.artifacts import read_table, write_table
from medloom.clean import CleanConfig
from medloom.clean.run import clean_to
from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.files import FieldMap, FilesSource
from medloom.sources.rewrite import CountedRejects, Skipped, read_documents

DOCUMENT = Document("1", "s", "a&amp;b", "Well.", sections=(Section("x", "y  z"),), metadata=(("licence", "CC0"),))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_what_is_written_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "new" / f"clean{suffix}"
    counts = clean_to(out, iter([DOCUMENT]), CleanConfig())
    assert (counts.documents, counts.by_reason) == (1, {"repaired": 1})
    skipped = Skipped()
    source = FilesSource(path=str(out), fields=FieldMap(id="id"))
    (again,) = source.documents(CountedRejects(skipped))
    assert (again.id, again.title, again.sections) == ("1", "a&b", (Section("x", "y z"),))
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_table_of_ours_keeps_every_field(tmp_path: Path) -> None:
    write_table(tmp_path / "documents.parquet", [DOCUMENT], Document)
    documents = read_documents(FilesSource(path=str(tmp_path)), CountedRejects(Skipped()))
    clean_to(tmp_path / "clean.parquet", documents, CleanConfig(licences=("cc0",)))
    (clean,) = read_table(tmp_path / "clean.parquet", Document)
    assert (clean.source, clean.metadata, clean.title) == ("s", DOCUMENT.metadata, "a&b")


def test_a_failed_run_leaves_what_was_there(tmp_path: Path) -> None:
    def documents() -> Iterator[Document]:
        yield DOCUMENT
        raise RowError("line 2", "bad")

    (tmp_path / "clean.jsonl").write_text("mine")
    with pytest.raises(RowError):
        clean_to(tmp_path / "clean.jsonl", documents(), CleanConfig())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("clean.jsonl", "mine")]


def test_memory_does_not_grow_with_the_number_of_documents(tmp_path: Path) -> None:
    import tracemalloc

    def documents(n: int) -> Iterator[Document]:
        return (Document(str(i), "s", "T", f"case {i}  " + "word " * 400) for i in range(n))

    peaks = []
    for n in (200, 1600):
        tracemalloc.start()
        clean_to(tmp_path / f"{n}.jsonl", documents(n), CleanConfig())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5 + 500_000
