"""Many queries from a file: read, searched, gone on with, and refused where the answers would not match."""

import json
from pathlib import Path

import pytest
from filelock import FileLock
from tests.search.asked import chunk, index_of

from medloom.errors import RowError, RunLockedError, SearchError
from medloom.search.batch import read_queries, search_file
from medloom.search.index import Index
from medloom.search.query import SearchSettings

COUNT = 70


@pytest.fixture
def index() -> Index:
    return index_of([chunk("f", "fever in a child"), chunk("h", "pain of the heart")])


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.jsonl"
    lines = [json.dumps({"_id": f"q{n}", "text": "fever" if n % 2 else "heart"}) for n in range(COUNT)]
    path.write_text("\n".join(lines), "utf-8")
    return path


def answers(out: Path) -> list[tuple[str, list[str]]]:
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    return [(row["id"], [r["document"] for r in row["results"]]) for row in rows]


def test_every_query_has_its_line(index: Index, queries: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "answers.jsonl"
    summary = search_file(index, queries, out, SearchSettings(k=1))
    assert (summary.queries, summary.searched, summary.kept) == (COUNT, COUNT, 0)
    assert answers(out) == [(f"q{n}", ["f" if n % 2 else "h"]) for n in range(COUNT)]


@pytest.mark.parametrize("torn", [0, 7])
def test_a_killed_run_goes_on_after_its_last_whole_line(index: Index, queries: Path, tmp_path: Path, torn: int) -> None:
    out = tmp_path / "answers.jsonl"
    search_file(index, queries, out)
    whole = answers(out)
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:40]) + lines[40][:torn])
    summary = search_file(index, queries, out)
    assert (summary.searched, summary.kept) == (COUNT - 40, 40)
    assert answers(out) == whole
    assert search_file(index, queries, out).searched == 0


def test_answers_of_other_settings_or_queries_are_not_mixed(index: Index, queries: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    search_file(index, queries, out)
    with pytest.raises(SearchError, match="give another file"):
        search_file(index, queries, out, SearchSettings(k=1))
    queries.write_text(json.dumps({"text": "fever"}), "utf-8")
    with pytest.raises(SearchError, match="give another file"):
        search_file(index, queries, out)
    strange = tmp_path / "strange.jsonl"
    strange.write_text("mine\n", "utf-8")
    with pytest.raises(SearchError, match="give another file"):
        search_file(index, queries, strange)
    assert strange.read_text("utf-8") == "mine\n"


def test_more_answers_than_queries_are_refused(index: Index, queries: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    search_file(index, queries, out)
    with out.open("a", encoding="utf-8") as file:
        file.write("{}\n")
    with pytest.raises(SearchError, match="more answers than there are queries"):
        search_file(index, queries, out)


def test_two_runs_cannot_write_one_file(index: Index, queries: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    with FileLock(tmp_path / ".answers.jsonl.lock"), pytest.raises(RunLockedError):
        search_file(index, queries, out)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("q.txt", "\ufefffever\n\n  heart pain \n", [("1", "fever"), ("3", "heart pain")]),
        ("q.csv", "id,query\na,fever\n7,heart\n", [("a", "fever"), ("7", "heart")]),
        ("q.tsv", "question\nfever\nheart\n", [("1", "fever"), ("2", "heart")]),
        ("q.jsonl", '{"query_id": 5, "text": "fever"}\n{"text": "heart"}\n', [("5", "fever"), ("2", "heart")]),
    ],
)
def test_queries_are_read_from(tmp_path: Path, name: str, text: str, expected: list[tuple[str, str]]) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    assert read_queries(path) == expected


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("q.jsonl", b'{"_id": "a", "text": "x"}\n{"_id": "a", "text": "y"}', "earlier row"),
        ("q.jsonl", b'{"_id": "a"}', "text"),
        ("q.jsonl", b"{", "not valid JSON"),
        ("q.txt", b"fever\n\xff\n", "not UTF-8"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, name: str, raw: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(RowError, match=message):
        read_queries(path)


def test_a_file_without_queries_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text(" \n", "utf-8")
    with pytest.raises(SearchError, match="no queries"):
        read_queries(path)
