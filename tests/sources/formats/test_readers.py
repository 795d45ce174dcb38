"""Rows of files: every format, and every way a file can be bad."""

import csv
import gzip
import json
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import RowError, SourceError
from medloom.sources.formats import readers

ROWS = [{"title": "Fever", "text": "Take\nrest."}, {"title": "Cough", "text": 'Say "ah", then breathe.'}]
SECRET = "Jane Roe was born on 3 May"
LIMIT = 1_000_000


def rows_of(path: Path, limit: int = LIMIT) -> list[Any]:
    return [row for _, row, _ in readers.read(path, limit)]


def only_error(path: Path, limit: int = LIMIT) -> RowError:
    errors = [row for row in rows_of(path, limit) if isinstance(row, RowError)]
    assert len(errors) == 1
    return errors[0]


def problem_of(path: Path) -> str:
    """What is said of a file that is bad, whether by raising or in a row's place."""
    try:
        return str(only_error(path))
    except SourceError as error:
        return str(error)


def write_delimited(path: Path, delimiter: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as f:
        writer = csv.DictWriter(f, ["title", "text"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)
    return path


def write_parquet(path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def write_lines(path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return path


def write_gzip(path: Path) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))
    return path


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.jsonl", write_lines),
        ("a.ndjson", write_lines),
        ("A.JSONL", write_lines),
        ("a.b.jsonl", write_lines),
        ("a.jsonl.gz", write_gzip),
        ("a.ndjson.gz", write_gzip),
        ("a.csv", lambda p: write_delimited(p, ",")),
        ("a.tsv", lambda p: write_delimited(p, "\t")),
        ("a.parquet", write_parquet),
    ],
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path / name)
    assert readers.supported(path)
    assert not readers.is_text(path)
    assert rows_of(path) == ROWS


def test_gzipped_csv(tmp_path: Path) -> None:
    plain = write_delimited(tmp_path / "a.csv", ",")
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert rows_of(packed) == ROWS


@pytest.mark.parametrize("name", ["a.txt", "a.md", "A.TXT"])
def test_a_text_file_is_one_row(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("First.\n\nSecond.", "utf-8")
    assert readers.is_text(path)
    assert rows_of(path) == [{"text": "First.\n\nSecond."}]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", '{"text": "é"}\n', {"text": "é"}),
        ("a.csv", "text\né\n", {"text": "é"}),
        ("a.tsv", "text\tx\né\t1\n", {"text": "é", "x": "1"}),
        ("a.txt", "é", {"text": "é"}),
        ("a.md", "# é", {"text": "# é"}),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, name: str, content: str, expected: dict[str, str]) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8-sig")
    assert rows_of(path) == [expected]


def test_blank_lines_are_passed_over_and_still_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"text": "a"}\n   \n\n{"text": "b"}\n\n', "utf-8")
    assert [(where, row) for where, row, _ in readers.read(path, LIMIT)] == [
        (f"{path}, line 2", {"text": "a"}),
        (f"{path}, line 5", {"text": "b"}),
    ]


def test_windows_line_ends(tmp_path: Path) -> None:
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    lines.write_bytes(b'{"text": "a"}\r\n\r\n{"text": "b"}\r\n')
    table.write_bytes(b"text,n\r\na,1\r\n\r\nb,2\r\n")
    assert rows_of(lines) == [{"text": "a"}, {"text": "b"}]
    assert rows_of(table) == [{"text": "a", "n": "1"}, {"text": "b", "n": "2"}]


def test_line_numbers_of_csv_count_quoted_newlines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('title,text\na,"one\ntwo\nthree"\nb,four\nonly\n', "utf-8")
    found = list(readers.read(path, LIMIT))
    assert [where for where, _, _ in found] == [f"{path}, line {n}" for n in (2, 5, 6)]
    assert found[0][1] == {"title": "a", "text": "one\ntwo\nthree"}


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b'{"text": "' + SECRET.encode(), "not valid JSON"),
        (b'{"text": "' + SECRET.encode() + b'",}', "not valid JSON"),
        (b'["' + SECRET.encode() + b'"]', "expected a JSON object of fields, found list"),
        (b'"' + SECRET.encode() + b'"', "expected a JSON object of fields, found str"),
        (b"17", "expected a JSON object of fields, found int"),
        (b"null", "expected a JSON object of fields, found NoneType"),
        (b'{"text": "' + SECRET.encode() + b' \xff"}', "not UTF-8"),
        (b'{"text": "' + SECRET.encode() + b'", "x": ' + b"[" * 200_000 + b"}", "JSON"),
    ],
)
def test_a_bad_line_is_named_and_not_quoted(tmp_path: Path, bad: bytes, problem: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n' + bad + b'\n{"text": "b"}\n')
    error = only_error(path)
    assert error.where == f"{path}, line 2"
    assert problem in error.problem
    assert str(error) == f"{error.where}: {error.problem}"
    assert "Jane" not in str(error)
    assert "May" not in str(error)
    assert rows_of(path)[0::2] == [{"text": "a"}, {"text": "b"}]


def test_a_number_too_long_for_python_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "id": ' + "1" * 5_000 + "}\n", "utf-8")
    assert only_error(path).where == f"{path}, line 1"


def test_the_byte_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"t": "\xe9"}\n')
    assert "byte 8 of the row" in str(only_error(path))


def test_raw_text_comes_with_the_row_for_the_rejects(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": \n')
    assert [raw.strip() for _, _, raw in readers.read(path, LIMIT)] == ['{"text":']


def test_a_line_of_five_megabytes_is_not_read_into_memory_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "' + SECRET.encode() + b"x" * 5_000_000 + b'"}\n{"text": "b"}\n')
    tracemalloc.start()
    found = [row for _, row, _ in readers.read(path, 1_000)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(found[0], RowError)
    assert found[0].where == f"{path}, line 1"
    assert "8,000 bytes" in str(found[0])
    assert "Jane" not in str(found[0])
    assert found[1] == {"text": "b"}
    assert peak < 4_500_000


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (f"title,text\na,b\n{SECRET}\n", 3, "1 cells where the header has 2"),
        (f"title,text\na,b\n{SECRET},b,c\n", 3, "3 cells where the header has 2"),
        (f'title,text\na,b\n"{SECRET}"x,b\n', 3, "not valid CSV"),
        (f'title,text\na,b\na,"{SECRET}\n', 3, "not valid CSV"),
    ],
)
def test_a_bad_csv_row_is_named_and_not_quoted(tmp_path: Path, content: str, line: int, problem: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, "utf-8")
    error = only_error(path)
    assert error.where == f"{path}, line {line}"
    assert problem in error.problem
    assert "Jane" not in str(error)
    assert rows_of(path)[0] == {"title": "a", "text": "b"}


def test_a_csv_row_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"title,text\na,b\nJane,caf\xe9\nc,d\n")
    error = only_error(path)
    assert error.where == f"{path}, line 3"
    assert "not UTF-8" in error.problem
    assert "Jane" not in str(error)
    assert rows_of(path)[2] == {"title": "c", "text": "d"}


def test_a_csv_header_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"title,caf\xe9\na,b\n")
    message = problem_of(path)
    assert f"{path}, line 1" in message
    assert "UTF-8" in message


def test_a_csv_header_that_is_not_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'"title"x,"{SECRET}\na,b\n', "utf-8")
    message = problem_of(path)
    assert f"{path}, line 1" in message
    assert "not valid CSV" in message
    assert "Jane" not in message


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,text\na,b\n", "utf-8")
    with pytest.raises(SourceError, match="line 1: two columns have the same name"):
        rows_of(path)


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_a_text_file_that_is_not_utf8(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(SECRET.encode() + b" \xff\xfe")
    error = only_error(path)
    assert error.where == str(path)
    assert f"not UTF-8 (byte {len(SECRET) + 2} of" in error.problem
    assert "Jane" not in str(error)


@pytest.mark.parametrize("character", ["a", "é", "漢", "😀"])
def test_a_text_file_over_the_limit_is_cut_between_characters(tmp_path: Path, character: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x" + character * 5_000, "utf-8")
    row = rows_of(path, 100)[0]
    if isinstance(row, RowError):
        assert "UTF-8" not in row.problem
        assert "max_chars" in row.problem
    else:
        assert 100 < len(row["text"]) < 5_001


@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_a_gzip_file_that_was_cut_off(tmp_path: Path, keep: float) -> None:
    numbers = random.Random(0)
    rows = "".join(json.dumps({"text": f"{numbers.random()}"}) + "\n" for _ in range(2_000))
    whole = gzip.compress(rows.encode())
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(SourceError, match=r"a\.jsonl\.gz is a damaged or cut-off gzip file"):
        rows_of(path)


def test_a_file_that_only_claims_to_be_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_text("title,text\n", "utf-8")
    with pytest.raises(SourceError, match=r"a\.csv\.gz is a damaged or cut-off gzip file"):
        rows_of(path)


@pytest.mark.parametrize("cut", [0, 10, 100])
def test_a_damaged_parquet_file(tmp_path: Path, cut: int) -> None:
    path = write_parquet(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SourceError, match=r"a\.parquet is not readable Parquet"):
        rows_of(path)


def test_a_parquet_file_with_a_damaged_page(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    numbers = random.Random(0)
    pq.write_table(
        pa.table({"text": [str(numbers.random()) for _ in range(5_000)]}), path, compression="zstd", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    content[1_000:3_000] = bytes(2_000)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.parquet is not readable Parquet"):
        rows_of(path)


def test_a_parquet_string_that_is_not_utf8(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([b"fine", b"Jane \xff"], pa.binary()).view(pa.string())}), path)
    message = problem_of(path)
    assert str(path) in message
    assert "UTF-8" in message
    assert "Jane" not in message


def test_an_unknown_ending_lists_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "notes.docx"
    path.write_bytes(b"PK")
    assert not readers.supported(path)
    with pytest.raises(SourceError, match=r"notes\.docx: cannot read this kind of file") as raised:
        readers.read(path, LIMIT)
    for ending in (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".txt", ".md"):
        assert ending in str(raised.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    assert rows_of(path) == []


def test_a_big_file_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    line = json.dumps({"title": "t", "text": "word " * 4_000}).encode() + b"\n"
    with path.open("wb") as f:
        for _ in range(3_000):
            f.write(line)
    assert path.stat().st_size > 59_000_000
    tracemalloc.start()
    count = sum(1 for _ in readers.read(path, LIMIT))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3_000
    assert peak < 5_000_000


def test_parquet_is_streamed(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "big.parquet"
    schema = pa.schema([("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for part in range(20):
            writer.write_table(pa.table({"text": [f"{part} {i} " + "word " * 200 for i in range(1_000)]}, schema))
    tracemalloc.start()
    count = sum(1 for _ in readers.read(path, LIMIT))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 10_000_000
