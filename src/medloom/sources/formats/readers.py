"""Rows of local files, one at a time: JSONL (gzip too), CSV, TSV, Parquet, and text files.

Every reader yields ``(where, row)``: the file with its line or row number, and a dictionary; or a :class:`RowError` in the
row's place, so that the caller decides whether to stop or to skip. Memory never holds more than one row (Parquet: one
batch of 1,000).
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from medloom.errors import RowError, SourceError

Row = tuple[str, dict[str, Any] | RowError, str]
_PARQUET_BATCH = 1_000
_JSON_OVERHEAD = 8
_UTF8_BYTES = 4


def read(path: Path, max_chars: int) -> Iterator[Row]:
    """Yield ``(where, row or error, raw text)`` of one file, by its ending.

    Args:
        path: ``.jsonl``, ``.ndjson``, ``.csv``, ``.tsv`` (each also with ``.gz``), ``.parquet``, ``.txt`` or ``.md``.
        max_chars: Longest row to read into memory, in characters of one field.

    Raises:
        SourceError: The ending is unknown, or the file is damaged beyond a row.
    """
    return _reader(path)(path, max_chars)


def supported(path: Path) -> bool:
    """Whether :func:`read` knows the file's ending."""
    return _suffix(path) in _READERS


def is_text(path: Path) -> bool:
    """Whether the file is one document rather than a table of them."""
    return _suffix(path) in (".txt", ".md")


def is_markdown(path: Path) -> bool:
    """Whether the file is a text with Markdown headings."""
    return _suffix(path) == ".md"


def _suffix(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes[-1] if suffixes else "")


def _reader(path: Path) -> Callable[[Path, int], Iterator[Row]]:
    try:
        return _READERS[_suffix(path)]
    except KeyError:
        raise SourceError(f"{path}: cannot read this kind of file: give one of {', '.join(sorted(_READERS))}") from None


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked; damage of the packing becomes a clear error."""
    opener: Callable[..., Any] = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as f:
            yield f
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{path} is a damaged or cut-off gzip file: fetch it again") from error
    except PermissionError as error:
        raise SourceError(f"{path} cannot be opened: no permission to read it") from error


def _lines(f: BinaryIO, limit: int) -> Iterator[tuple[int, bytes, bool]]:
    """Number, bytes and whether it was over the limit, of each line; the rest of a long line is passed over."""
    number = 0
    while line := f.readline(limit + 1):
        number += 1
        long = len(line) > limit and not line.endswith(b"\n")
        if long:
            while (rest := f.readline(1 << 20)) and not rest.endswith(b"\n"):
                pass
        yield number, line, long


def _jsonl(path: Path, max_chars: int) -> Iterator[Row]:
    limit = max_chars * _JSON_OVERHEAD
    with unpacked(path) as f:
        for number, raw, long in _lines(f, limit):
            where = f"{path}, line {number}"
            shown = raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
            if long:
                yield where, RowError(where, f"the line is over {limit:,} bytes: cut it up, or raise max_chars"), shown
            elif raw.strip():
                yield where, _parse_json(raw, number, where), shown


def _parse_json(raw: bytes, number: int, where: str) -> dict[str, Any] | RowError:
    try:
        value = json.loads(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        return _not_utf8(where, error.start)
    except json.JSONDecodeError as error:
        return RowError(where, f"not valid JSON ({error.msg} at column {error.colno})")
    except RecursionError:
        return RowError(where, "not usable JSON (nested too deeply)")
    except ValueError:
        return RowError(where, "not usable JSON (a number is too long)")
    if not isinstance(value, dict):
        return RowError(where, f"expected a JSON object of fields, found {type(value).__name__}")
    return value


def _not_utf8(where: str, offset: int) -> RowError:
    return RowError(where, f"not UTF-8 (byte {offset + 1} of the row): save the file as UTF-8")


def _csv(path: Path, max_chars: int) -> Iterator[Row]:
    return _delimited(path, max_chars, ",")


def _tsv(path: Path, max_chars: int) -> Iterator[Row]:
    return _delimited(path, max_chars, "\t")


def _delimited(path: Path, max_chars: int, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), max_chars * _JSON_OVERHEAD))
    with unpacked(path) as f, io.TextIOWrapper(f, "utf-8-sig", "surrogateescape", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        header = _header(path, rows)
        if header is None:
            return
        if len(set(header)) < len(header):
            raise SourceError(f"{path}, line 1: two columns have the same name: rename one")
        while True:
            start = rows.line_num + 1
            where = f"{path}, line {start}"
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield where, RowError(where, f"not valid CSV ({error})"), ""
                continue
            if cells is None:
                return
            if cells:
                yield where, _check_cells(header, cells, where), delimiter.join(cells)


def _header(path: Path, rows: Iterator[list[str]]) -> list[str] | None:
    """The first row, or None in an empty file."""
    try:
        header = next(rows, None)
        for cell in header or ():
            cell.encode()
    except csv.Error as error:
        raise SourceError(f"{path}, line 1: the header is not valid CSV ({error})") from error
    except UnicodeEncodeError as error:
        raise SourceError(f"{path}, line 1: the header is not UTF-8: save the file as UTF-8") from error
    return header


def _check_cells(header: list[str], cells: list[str], where: str) -> dict[str, Any] | RowError:
    if len(cells) != len(header):
        return RowError(where, f"{len(cells)} cells where the header has {len(header)}: quote cells that hold separators")
    for cell in cells:
        try:
            cell.encode()
        except UnicodeEncodeError as error:
            return _not_utf8(where, error.start)
    return dict(zip(header, cells, strict=True))


def _parquet(path: Path, max_chars: int) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row, ""
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} is not readable Parquet: write it again") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: a text in it is not UTF-8: write it again as UTF-8") from error


def _text(path: Path, max_chars: int) -> Iterator[Row]:
    limit = max_chars * _UTF8_BYTES
    with unpacked(path) as f:
        raw = f.read(limit + 1)
    where = str(path)
    if len(raw) > limit:
        problem = f"the text is over {limit:,} bytes: cut it into documents, or raise max_chars"
        yield where, RowError(where, problem), raw[:10_000].decode("utf-8", "backslashreplace")
        return
    try:
        yield where, {"text": raw.decode("utf-8-sig")}, raw[:10_000].decode("utf-8", "backslashreplace")
    except UnicodeDecodeError as error:
        bad = _not_utf8(where, error.start)
        yield where, bad, raw[:10_000].decode("utf-8", "backslashreplace")


_READERS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
    ".txt": _text,
    ".md": _text,
}
