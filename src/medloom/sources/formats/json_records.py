"""Records in JSON files as services give them: an array, one object, saved pages, a ZIP of such files.

Read piece by piece: memory holds one record, or one page, however large the file is.
"""

import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from medloom.errors import RowError, SourceError
from medloom.sources.formats.readers import Row

_CHUNK = 1 << 20
_LONGEST = 1 << 28
"""Characters of one value."""
_BETWEEN = re.compile(r"[\s,]*")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
_ENDINGS = (".json", ".json.gz", ".zip")


def holds_json(path: Path) -> bool:
    """Whether :func:`json_records` knows the file's ending: ``.json``, ``.json.gz``, ``.zip``."""
    return path.name.lower().endswith(_ENDINGS)


def json_records(path: Path, inside: str) -> Iterator[Row]:
    """Yield ``(where, record or error, raw text)`` of one file.

    Args:
        path: ``.json`` (``.json.gz``), or ``.zip`` of ``.json`` files, which is not unpacked.
        inside: Field of a page that holds its records; an object without it is a record itself.

    Raises:
        SourceError: The file is damaged beyond a record.
    """
    if path.suffix.lower() == ".zip":
        yield from _zipped(path, inside)
        return
    opener: Callable[..., Any] = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape") as f:
            yield from _records(f, str(path), inside)
    except PermissionError:
        raise SourceError(f"{path} cannot be opened: no permission to read it") from None
    except (OSError, EOFError, zlib.error):
        raise SourceError(f"{path} is damaged or cut off: fetch it again") from None


def _zipped(path: Path, inside: str) -> Iterator[Row]:
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED:
        raise SourceError(f"{path} is a damaged or cut-off ZIP file: fetch it again") from None
    with archive:
        for entry in archive.infolist():
            if entry.filename.lower().endswith(".json"):
                yield from _entry(archive, entry, f"{path}, {entry.filename}", inside)


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str, inside: str) -> Iterator[Row]:
    """The records of one file in a ZIP; one that cannot be read is an error in their place."""
    try:
        with archive.open(entry) as raw, io.TextIOWrapper(raw, "utf-8-sig", "surrogateescape") as f:
            yield from _records(f, where, inside)
    except SourceError:
        yield where, RowError(where, "the file in the ZIP is not whole JSON"), ""
    except _DAMAGED:
        yield where, RowError(where, "the file in the ZIP is damaged, encrypted or packed in an unknown way"), ""


def records_inside(rows: Iterator[Row], inside: str) -> Iterator[Row]:
    """The rows, each page among them as the records that it holds.

    Args:
        rows: Of a table.
        inside: Field of a page that holds its records.
    """
    for where, row, raw in rows:
        held = row.get(inside) if isinstance(row, dict) else None
        if isinstance(held, list):
            yield from _placed(held, where)
        else:
            yield where, row, raw


def _records(f: TextIO, where: str, inside: str) -> Iterator[Row]:
    for number, (value, raw) in enumerate(_values(f, where), start=1):
        place = f"{where}, value {number}"
        held = value.get(inside) if isinstance(value, dict) else None
        if isinstance(held, list):
            yield from _placed(held, place)
        else:
            yield place, _checked(value, place), raw


def _placed(records: list[Any], where: str) -> Iterator[Row]:
    for number, record in enumerate(records, start=1):
        place = f"{where}, record {number}"
        yield place, _checked(record, place), json.dumps(record)


def _checked(record: Any, where: str) -> dict[str, Any] | RowError:  # noqa: ANN401
    if isinstance(record, dict):
        return record
    return RowError(where, f"expected a JSON object of fields, found {type(record).__name__}")


def _values(f: TextIO, where: str) -> Iterator[tuple[Any, str]]:
    """The values of a file, those of an array one by one, each with its text.

    Raises:
        SourceError: What follows is no JSON, or the file ends within a value or an array.
    """
    decoder = json.JSONDecoder()
    text, at, arrays, number = "", 0, 0, 0
    while True:
        at = _between(text, at)
        if at == len(text):
            text, at = f.read(_CHUNK), 0
            if text:
                continue
            if arrays:
                raise SourceError(f"{where} ends within its array, after {number:,} values: fetch it again")
            return
        if text[at] in "[]":
            arrays += 1 if text[at] == "[" else -1
            at += 1
            continue
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            more = f.read(max(_CHUNK, len(text) - at)) if len(text) - at < _LONGEST else ""
            if not more:
                raise SourceError(f"{where} is not whole JSON after {number:,} values: fetch it again") from None
            text, at = text[at:] + more, 0
            continue
        number += 1
        yield value, text[at:end]
        at = end


def _between(text: str, at: int) -> int:
    """Where the next value or bracket begins."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
