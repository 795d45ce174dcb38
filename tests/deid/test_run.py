"""De-identifying files: what is written, when, and what never is."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.deid.scripted import Scripted

from medloom.artifacts import read_table, write_table
from medloom.deid.audit import AuditSample
from medloom.deid.config import DeidConfig
from medloom.deid.replace import Deidentifier
from medloom.deid.run import Summary, Targets, deidentify
from medloom.deid.spans import Kind
from medloom.errors import ArtifactError, RowError, SourceError
from medloom.records import Document, Section, Synonym
from medloom.sources.files import FieldMap, FilesSource
from medloom.sources.rewrite import CountedRejects, own_table, read_documents

KEY = bytes(range(32))
TOLD: dict[str, Kind] = {"Gilbert": "NAME", "10/12/2023": "DATE", "Springfield": "CITY"}
ROWS: list[dict[str, Any]] = [
    {"mrn": 7, "patient": "P1", "title": "Visit of Gilbert", "text": "  Gilbert came on 10/12/2023.\r\nWell.  "},
    {
        "mrn": 8,
        "patient": "P1",
        "title": "",
        "text": "From Springfield.",
        "sections": [{"heading": "Seen", "text": "by Gilbert"}],
    },
    {"mrn": 9, "patient": "P2", "title": "", "text": "A dry cough."},
]
FIELDS = FieldMap(id="mrn", group="patient")


def _deidentifier() -> Deidentifier:
    return Deidentifier(DeidConfig(ids="keep"), Scripted(TOLD, ahead=2), KEY)


def _source(folder: Path, rows: list[dict[str, Any]] | None = None) -> FilesSource:
    path = folder / "notes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (ROWS if rows is None else rows)), "utf-8")
    return FilesSource(path=str(path), fields=FIELDS)


def _run(source: FilesSource, targets: Targets) -> Summary:
    summary = Summary()
    documents = read_documents(source, CountedRejects(summary))
    return deidentify(documents, _deidentifier(), targets, AuditSample(10), summary)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_what_is_written_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "new" / f"clean{suffix}"
    summary = _run(_source(tmp_path), Targets(out))
    assert summary == Summary(3, 2, {"CITY": 1, "DATE": 1, "NAME": 3}, 0, [])
    again = list(FilesSource(path=str(out), fields=FieldMap(id="id", group="group")).documents(CountedRejects(Summary())))
    assert [(d.id, d.group) for d in again] == [("7", "P1"), ("8", "P1"), ("9", "P2")]
    assert {d.deidentified for d in again} == {"safe-harbor/1 surrogate scripted/1"}
    assert {d.contains_phi for d in again} == {None}
    assert again[1].sections[0].heading == "Seen"
    assert not any(told in out.read_bytes().decode("utf-8", "replace") for told in TOLD)
    assert not any(told in d.title + d.text + d.sections[0].text for d in again[:2] for told in TOLD if d.sections)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    source = _source(tmp_path)
    for suffix in (".jsonl", ".parquet"):
        one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
        _run(source, Targets(one))
        _run(source, Targets(two))
        assert one.read_bytes() == two.read_bytes()


def test_spans_name_the_original_by_place_alone(tmp_path: Path) -> None:
    source, spans = _source(tmp_path), tmp_path / "spans.jsonl"
    _run(source, Targets(tmp_path / "clean.jsonl", spans))
    originals = {d.id: d for d in source.documents(CountedRejects(Summary()))}
    rows = [json.loads(line) for line in spans.read_text("utf-8").splitlines()]
    assert all(row.keys() == {"id", "part", "start", "end", "kind"} for row in rows)
    parts = {"title": lambda d: d.title, "text": lambda d: d.text, "sections[0].text": lambda d: d.sections[0].text}
    found = [(r["id"], r["kind"], parts[r["part"]](originals[r["id"]])[r["start"] : r["end"]]) for r in rows]
    assert found == [
        ("7", "NAME", "Gilbert"),
        ("7", "NAME", "Gilbert"),
        ("7", "DATE", "10/12/2023"),
        ("8", "CITY", "Springfield"),
        ("8", "NAME", "Gilbert"),
    ]
    assert not any(told in spans.read_text("utf-8") for told in TOLD)


def test_the_audit_holds_the_original_and_its_replacement(tmp_path: Path) -> None:
    audit = tmp_path / "audit.html"
    _run(_source(tmp_path), Targets(tmp_path / "clean.jsonl", audit=audit))
    page = audit.read_text("utf-8")
    assert page.count('class="note"') == 3
    assert page.count('<span class="old">Gilbert</span>') == 3


def test_a_table_of_ours_keeps_every_field(tmp_path: Path) -> None:
    folder = tmp_path / "collect"
    folder.mkdir()
    document = Document(
        "HP:1",
        "hpo",
        title="Gilbert syndrome",
        text="of Springfield",
        sections=(Section("a", "b"),),
        synonyms=(Synonym("Gilbert", "related", lay=True),),
        parents=("HP:0",),
        categories=("liver",),
        contains_phi=True,
    )
    write_table(folder / "documents.parquet", [document], Document)
    for path in (folder, folder / "documents.parquet"):
        source = FilesSource(path=str(path))
        assert own_table(source) == folder / "documents.parquet"
        out = tmp_path / "clean.parquet"
        _run(source, Targets(out))
        clean = next(iter(read_table(out, Document)))
        assert (clean.source, clean.parents, clean.categories, clean.contains_phi) == ("hpo", ("HP:0",), ("liver",), True)
        assert clean.synonyms[0].scope == "related"
        assert clean.synonyms[0].text != "Gilbert"
        assert pq.read_schema(out).names == pq.read_schema(folder / "documents.parquet").names


def test_a_table_of_somebody_else_is_read_by_its_fields(tmp_path: Path) -> None:
    import pyarrow as pa

    path = tmp_path / "notes.parquet"
    pq.write_table(pa.table({"mrn": ["1"], "text": ["Gilbert"]}), path)
    assert own_table(FilesSource(path=str(path))) is None
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="not readable Parquet"):
        own_table(FilesSource(path=str(tmp_path / "broken.parquet")))


def test_bad_rows_are_counted_and_nothing_of_them_is_written(tmp_path: Path) -> None:
    rows = [*ROWS, {"mrn": 7, "text": "Quux again"}, {"mrn": 10, "text": ["Quux"]}, {"mrn": 11, "text": "fine"}]
    source = _source(tmp_path, rows).model_copy(update={"on_error": "skip"})
    before = {path.name for path in tmp_path.iterdir()}
    summary = _run(source, Targets(tmp_path / "clean.jsonl"))
    assert (summary.documents, summary.skipped) == (4, 2)
    assert "line 4" in summary.problems[0]
    assert "line 5" in summary.problems[1]
    assert "Quux" not in str(summary)
    assert {path.name for path in tmp_path.iterdir()} == before | {"clean.jsonl"}


def test_a_bad_row_stops_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    source = _source(tmp_path, [*ROWS, {"mrn": 10, "text": ["Quux"]}])
    targets = Targets(tmp_path / "clean.jsonl", tmp_path / "spans.jsonl", tmp_path / "audit.html")
    with pytest.raises(RowError) as error:
        _run(source, targets)
    assert "Quux" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.jsonl"]


def test_a_failed_run_keeps_the_file_of_the_last_one(tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"
    _run(_source(tmp_path), Targets(out))
    before = out.read_bytes()
    with pytest.raises(RowError):
        _run(_source(tmp_path, [*ROWS, {"mrn": 10, "text": 5}]), Targets(out))
    assert out.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_killed_run_leaves_no_file_that_looks_whole(tmp_path: Path) -> None:
    _source(tmp_path)
    script = f"""
import os, signal
from pathlib import Path
from tests.deid.test_run import _deidentifier
from medloom.deid.audit import AuditSample
from medloom.deid.run import Summary, Targets, deidentify
from medloom.records import Document
def documents():
    for n in range(2000):
        yield Document(str(n), "s", text="Gilbert was seen. " * 3)
    os.kill(os.getpid(), signal.SIGKILL)
folder = Path({str(tmp_path)!r})
targets = Targets(folder / "clean.jsonl", folder / "spans.jsonl", folder / "audit.html")
deidentify(documents(), _deidentifier(), targets, AuditSample(3), Summary())
"""
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": "."}, capture_output=True)
    assert done.returncode == -9
    left = [path.name for path in tmp_path.iterdir() if path.name != "notes.jsonl"]
    assert left
    assert all(name.startswith(".") and name.endswith(".partial") for name in left)
    _run(FilesSource(path=str(tmp_path / "notes.jsonl"), fields=FIELDS), Targets(tmp_path / "clean.jsonl"))
    assert len((tmp_path / "clean.jsonl").read_text("utf-8").splitlines()) == 3


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    import errno

    def documents() -> Iterator[Document]:
        yield Document("1", "s", text="x")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ArtifactError, match="disk is full"):
        deidentify(documents(), _deidentifier(), Targets(tmp_path / "a.parquet"), AuditSample(1), Summary())
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_notes(tmp_path: Path) -> None:
    import tracemalloc

    def documents(n: int) -> Iterator[Document]:
        return (Document(str(i), "s", text=f"Gilbert {i} " + "word " * 400) for i in range(n))

    peaks = []
    for n in (200, 1600):
        tracemalloc.start()
        targets = Targets(tmp_path / f"{n}.jsonl", tmp_path / f"{n}.spans.jsonl", tmp_path / f"{n}.html")
        deidentify(documents(n), _deidentifier(), targets, AuditSample(5), Summary())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5 + 500_000


@pytest.mark.parametrize("which", ["out", "spans", "audit"])
def test_what_is_there_is_not_written_over(tmp_path: Path, which: str) -> None:
    source = _source(tmp_path)
    there = tmp_path / "there.jsonl"
    there.write_text("mine")
    paths = {"out": tmp_path / "a.jsonl", "spans": tmp_path / "b.jsonl", "audit": tmp_path / "c.html"} | {which: there}
    targets = Targets(**paths)
    with pytest.raises(ArtifactError, match="--force"):
        targets.check(source, force=False)
    targets.check(source, force=True)
    assert there.read_text() == "mine"


def test_the_notes_are_never_written_over(tmp_path: Path) -> None:
    source = _source(tmp_path)
    notes = tmp_path / "notes.jsonl"
    glob = FilesSource(path=str(tmp_path / "*.jsonl"), fields=FIELDS)
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("Gilbert")
    for one, targets in (
        (source, Targets(notes)),
        (glob, Targets(tmp_path / "x" / ".." / "notes.jsonl")),
        (source, Targets(tmp_path / "clean.jsonl", spans=notes)),
        (FilesSource(path=str(folder)), Targets(tmp_path / "clean.jsonl", audit=folder / "a.txt")),
    ):
        with pytest.raises(ArtifactError, match="read by this command"):
            targets.check(one, force=True)


def test_wrong_targets_are_refused(tmp_path: Path) -> None:
    source = _source(tmp_path)
    with pytest.raises(ArtifactError, match=r"ends in \.jsonl or \.parquet"):
        Targets(tmp_path / "clean.csv").check(source, force=False)
    with pytest.raises(ArtifactError, match="one name"):
        Targets(tmp_path / "a.jsonl", tmp_path / "a.jsonl").check(source, force=False)
