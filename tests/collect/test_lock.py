"""Locks: the same bytes for the same documents, and what differs told by id."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from medloom.collect.lock import Header, LockCheck, LockWriter, content_digest, read_lock
from medloom.collect.pages import Locked
from medloom.errors import SourceError
from medloom.records import Document, Section, Synonym

HEADER = Header("shop", {"terms": ["a"]}, "shop 1", "2026-01-01T00:00:00+00:00")
DOCUMENTS = [
    Document("1", "s", "T", "text", revision="7", categories=("a", "b")),
    Document("ü\ud800", "s", sections=(Section("h", "x"),)),
    Document("3", "s", "Term", synonyms=(Synonym("name", "broad", True),)),
]


def _write(path: Path, documents: list[Document] = DOCUMENTS) -> Path:
    assert list(LockWriter(path, HEADER).over(documents)) == documents
    return path


def test_a_lock_reads_back(tmp_path: Path) -> None:
    header, rows = read_lock(_write(tmp_path / "lock.jsonl.gz"))
    assert header == HEADER
    assert list(rows) == [
        Locked("1", "7", content_digest(DOCUMENTS[0]), ("a", "b")),
        Locked("ü\ud800", "", content_digest(DOCUMENTS[1])),
        Locked("3", "", content_digest(DOCUMENTS[2])),
    ]


def test_its_bytes_depend_on_the_documents_alone(tmp_path: Path) -> None:
    assert _write(tmp_path / "a").read_bytes() == _write(tmp_path / "another name").read_bytes()


def test_it_holds_none_of_their_text(tmp_path: Path) -> None:
    document = Document("1", "s", "SECRET", "SECRET", sections=(Section("SECRET", "SECRET"),))
    assert b"SECRET" not in gzip.decompress(_write(tmp_path / "lock", [document]).read_bytes())


def test_the_digest_is_of_the_texts_alone() -> None:
    document = DOCUMENTS[0]
    same = replace(document, id="2", source="x", group="g", categories=(), metadata=(("date", "2020"),), revision="8")
    assert content_digest(same) == content_digest(document)
    others = [
        replace(document, title="t"),
        replace(document, text="Text"),
        replace(document, sections=(Section("", "x"),)),
        replace(document, synonyms=(Synonym("x"),)),
        replace(document, synonyms=(Synonym("x", lay=True),)),
        replace(document, sections=(Section("x", ""),)),
    ]
    assert len({content_digest(d) for d in (document, *others)}) == 7


def test_what_differs_is_told(tmp_path: Path) -> None:
    documents = [Document(str(n), "s", text=f"t{n}", revision="1", categories=("a",)) for n in range(5)]
    check = LockCheck(_write(tmp_path / "lock", documents))
    now = [
        replace(documents[4], categories=("b",)),
        documents[1],
        replace(documents[2], text="other"),
        replace(documents[3], revision="2"),
        Document("new", "s", text="x"),
    ]
    kept = list(check.over(now))
    assert [d.id for d in kept] == ["4", "1", "2", "3"]
    assert kept[0].categories == ("a",)
    assert vars(check.differences) == {"same": 2, "changed": ["2", "3"], "vanished": ["0"]}
    assert check.differences.as_row() == {"same": 2, "changed": 2, "vanished": 1}
    assert not check.differences.are_none


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is no lock"),
        (b"[1]\n", "line 1: damaged"),
        (b'{"medloom_lock": 2}\n', "is no lock"),
        (b'{"medloom_lock": 1, "source": "s"}\n', "line 1: 'settings' is missing"),
    ],
)
def test_files_that_are_no_locks(tmp_path: Path, text: bytes, problem: str) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(text))
    with pytest.raises(SourceError, match=problem):
        read_lock(tmp_path / "x")


def test_a_file_that_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not gzip")
    with pytest.raises(SourceError, match="line 1: damaged"):
        read_lock(tmp_path / "x")


def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no lock"):
        read_lock(tmp_path / "x")


@pytest.mark.parametrize(("line", "problem"), [(b'{"id": "2"}\n', "line 5: not a document"), (b"{", "line 5: damaged")])
def test_damaged_lines_are_named(tmp_path: Path, line: bytes, problem: str) -> None:
    path = _write(tmp_path / "lock")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + line))
    with pytest.raises(SourceError, match=problem):
        list(read_lock(path)[1])


def test_a_lock_that_breaks_off_is_damaged(tmp_path: Path) -> None:
    path = _write(tmp_path / "lock")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match="damaged"):
        list(read_lock(path)[1])
