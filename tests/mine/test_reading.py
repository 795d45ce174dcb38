"""Records from files of ours and of others."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from medloom.artifacts import write_table
from medloom.errors import RowError, SourceError
from medloom.mine.reading import read_records
from medloom.records import TrainingRecord

FULL = TrainingRecord(
    "q", ("p", "p2"), "keyword_passage", "notes", "n1", ("a", "b"), (0.75, 0.5, 0.25), "some-model", "ab12"
)
SECRET = "John Ssecret"


def rows(tmp_path: Path, *lines: Any, name: str = "mine.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def test_our_tables_come_back_whole(tmp_path: Path) -> None:
    bare = TrainingRecord("q2", ("p",), "lay_name", "hpo", "HP:1")
    write_table(tmp_path / "mined.parquet", [FULL, bare], TrainingRecord)
    assert list(read_records(tmp_path / "mined.parquet")) == [FULL, bare]


@pytest.mark.parametrize(
    ("row", "positives", "negatives"),
    [
        ({"query": "q", "positives": ["p", "p2"], "negatives": ["n"]}, ("p", "p2"), ("n",)),
        ({"query": "q", "pos": ["p"], "neg": ["n", "m"]}, ("p",), ("n", "m")),
        ({"anchor": "q", "positive": "p", "negative": "n"}, ("p",), ("n",)),
        ({"anchor": "q", "positive": "p", "negative_1": "n", "negative_2": "m"}, ("p",), ("n", "m")),
        ({"query": "q", "positives": "p", "negative_of": "x"}, ("p",), ()),
        ({"query": "q", "positives": ["p", "p"], "negatives": None}, ("p",), ()),
    ],
)
def test_rows_of_others(tmp_path: Path, row: dict[str, Any], positives: tuple[str, ...], negatives: tuple[str, ...]) -> None:
    (record,) = read_records(rows(tmp_path, row))
    assert (record.query, record.positives, record.negatives) == ("q", positives, negatives)
    assert (record.kind, record.source, record.doc_id) == ("query_passage", "mine", "row 1")


def test_each_row_is_a_document_where_none_is_named(tmp_path: Path) -> None:
    path = rows(tmp_path, {"query": "q", "pos": "p"}, {"query": "r", "pos": "s", "doc_id": 7, "source": "x", "kind": "k"})
    first, second = read_records(path)
    assert first.doc_id == "row 1"
    assert (second.doc_id, second.source, second.kind) == ("7", "x", "k")


def test_scores_of_both_makings(tmp_path: Path) -> None:
    path = rows(
        tmp_path,
        {"query": "q", "pos": ["p", "o"], "neg": ["n"], "pos_scores": [0.9, 0.8], "neg_scores": [0.1]},
        {"query": "q", "positives": ["p"], "negatives": ["n"], "scores": [0.9, 1]},
        {"query": "q", "positives": ["p"], "negatives": ["n"], "scores": [0.9]},
        {"query": "q", "pos": ["p"], "neg": ["n"], "pos_scores": [0.9]},
    )
    assert [r.scores for r in read_records(path)] == [(0.9, 0.1), (0.9, 1.0), (), ()]


def test_an_instruction_called_prompt_is_no_key_of_a_call(tmp_path: Path) -> None:
    (record,) = read_records(rows(tmp_path, {"query": "q", "pos": ["p"], "neg": [], "prompt": "Represent this sentence"}))
    assert record.prompt == ""


def test_csv_and_gzip(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("query,positive,negative\nq,p,n\n", "utf-8")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt", encoding="utf-8") as f:
        f.write(json.dumps({"query": "q", "pos": ["p"]}) + "\n")
    assert next(iter(read_records(tmp_path / "a.csv"))).negatives == ("n",)
    assert next(iter(read_records(tmp_path / "b.jsonl.gz"))).source == "b"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"positives": [SECRET]}, "no 'query'"),
        ({"query": SECRET}, "no 'positives'"),
        ({"query": SECRET, "positives": []}, "no 'positives'"),
        ({"query": "  ", "positives": [SECRET]}, "empty text"),
        ({"query": SECRET, "positives": [""]}, "empty text"),
        ({"query": SECRET, "positives": [3]}, "holds int, expected text"),
        ({"query": [SECRET], "positives": ["p"]}, "holds list, expected text"),
        ({"query": SECRET, "positives": {"a": SECRET}}, "holds dict, expected a text or a list"),
        ({"query": SECRET, "positives": ["p"], "negatives": [None]}, "holds NoneType"),
        ({"query": SECRET, "positives": ["p"], "doc_id": True}, "holds bool"),
        ({"query": SECRET, "positives": ["p"], "scores": "0.3"}, "lists of numbers"),
        ({"query": SECRET, "positives": ["p"], "scores": [SECRET]}, "lists of numbers"),
        ({"query": SECRET, "pos": ["p"], "pos_scores": 3}, "lists of numbers"),
        ({"query": SECRET, "positives": ["x" * 1_000_001]}, "1,000,001 characters"),
        ('{"query": "\\ud800 John Ssecret", "positives": ["p"]}', "surrogate"),
        ('{"query": "John Ssecret"', "not valid JSON"),
        ("[1, 2]", "expected a JSON object"),
    ],
)
def test_bad_rows_name_line_and_problem_and_never_the_text(tmp_path: Path, line: Any, problem: str) -> None:
    path = rows(tmp_path, {"query": "good", "positives": ["p"]}, line)
    with pytest.raises(RowError) as raised:
        list(read_records(path))
    assert problem in str(raised.value)
    assert "line 2" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_header_that_is_a_text_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{SECRET} {'x' * 80},b\n1,2\n", "utf-8")
    with pytest.raises(RowError) as raised:
        list(read_records(path))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.jsonl", None, "no such file"),
        ("empty.jsonl", b"", "holds no rows"),
        ("note.txt", b"A note.", "is a text, not records"),
        ("bad.parquet", b"PAR1 or not", "not readable Parquet"),
        ("odd.xlsx", b"", "cannot read this kind of file"),
        ("cut.jsonl.gz", b"\x1f\x8b\x08\x00", "damaged or cut-off gzip"),
    ],
)
def test_files_that_are_no_records(tmp_path: Path, name: str, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=problem):
        list(read_records(tmp_path / name))
