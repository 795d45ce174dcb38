"""FHIR resources of local files, one at a time: bundles, single resources, and bulk exports with a resource a line."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Self

from medloom.errors import RowError, SourceError
from medloom.sources.formats import readers
from medloom.sources.table import Paths

ENDINGS = (".json", ".ndjson", ".jsonl")
_BOM = b"\xef\xbb\xbf"
_PER_BYTE = 8
_CHUNK = 1 << 20
_SAYS_BINARY = b'"Binary"'

Resource = dict[str, Any]
_Found = tuple[str, Resource | RowError | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource as found.

    Attributes:
        where: File and line or entry, for errors.
        label: File name and number, for a resource without id.
        url: Its ``fullUrl`` in a bundle, or empty.
        resource: Its fields, or what is wrong.
    """

    where: str
    label: str
    url: str
    resource: Resource | RowError

    def raw(self) -> str:
        """The resource as JSON, for the rejects."""
        try:
            return "" if isinstance(self.resource, RowError) else json.dumps(self.resource, ensure_ascii=False)
        except (RecursionError, ValueError):
            return ""


def files_of(name: str, paths: Paths, folder: Path) -> list[Path]:
    """The files of a source in the order given; a folder stands for all files below it that could be FHIR, by name.

    Raises:
        SourceError: None is given, or one is not there.
    """
    given = [paths] if isinstance(paths, Path) else list(paths)
    if not given:
        raise SourceError(f"source {name}: path is empty: give a file, a folder, or a list of them")
    found: list[Path] = []
    for path in (folder / one.expanduser() for one in given):
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and _ending(p) in ENDINGS)
        if not files or _ending(files[0]) not in ENDINGS:
            raise SourceError(f"source {name}: {path} is no file {', '.join(ENDINGS)} (or .gz of it), nor a folder of such")
        found += files
    return found


def entries_of(path: Path, max_bytes: int) -> Iterator[Entry]:
    """Every resource of a file, in order; bundles in bundles are opened, and none is held.

    Args:
        path: ``.json`` (a bundle, of any size, or one resource), ``.ndjson`` or ``.jsonl``; each also with ``.gz``.
        max_bytes: Largest attachment that will be read; a line or a single resource may have eight times as many bytes.

    Raises:
        SourceError: The file is damaged beyond a resource.
    """
    number = 0
    for where, url, found in (_in_json if _ending(path) == ".json" else _in_lines)(path, max_bytes):
        pending: list[_Found] = [(url, found)]
        while pending:
            url, resource = pending.pop()
            if isinstance(resource, dict) and resource.get("resourceType") == "Bundle":
                entries = resource.get("entry")
                pending += [_opened(entry, where) for entry in reversed(entries if isinstance(entries, list) else [])]
                continue
            if resource is None:
                continue
            number += 1
            yield Entry(where, f"{path.name}#{number}", url, resource)


class Binaries:
    """Binary resources of a set of files, kept in a temporary database that goes when it is closed.

    Only files that name the type are read for it, so that others are not parsed twice.

    Args:
        files: Of the source.
        max_bytes: As for :func:`entries_of`.
        wanted: Content types to keep the data of; of others only the type is kept.
    """

    def __init__(self, files: Sequence[Path], max_bytes: int, wanted: Sequence[str]) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE held (key TEXT, file INTEGER, resource TEXT)")
        self._database.execute("BEGIN")
        for number, path in enumerate(files):
            if _says_binary(path):
                self._database.executemany("INSERT INTO held VALUES (?, ?, ?)", _held(path, number, max_bytes, wanted))
        self._database.execute("CREATE INDEX by_key ON held (key)")
        self._database.execute("COMMIT")
        self._numbers = {path: number for number, path in enumerate(files)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._database.close()

    def find(self, url: str, path: Path) -> Resource | None:
        """The Binary that an address means: one of the same file, else the only one of that address in all files."""
        for key in (url, _address(url)):
            with closing(self._database.execute("SELECT file, resource FROM held WHERE key = ?", (key,))) as rows:
                found = dict(reversed(rows.fetchall()))
            text = found.get(self._numbers[path]) or (next(iter(found.values())) if len(found) == 1 else None)
            if text is not None:
                resource: Resource = json.loads(text)
                return resource
        return None


def _held(path: Path, number: int, max_bytes: int, wanted: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    for entry in entries_of(path, max_bytes):
        resource = entry.resource
        if isinstance(resource, RowError) or resource.get("resourceType") != "Binary":
            continue
        kind = resource.get("contentType")
        kept = {"contentType": kind}
        if isinstance(kind, str) and kind.partition(";")[0].strip().lower() in wanted:
            kept["data"] = resource.get("data")
        for key in {entry.url, f"Binary/{resource.get('id')}"} - {""}:
            yield key, number, json.dumps(kept)


def _address(url: str) -> str:
    """``Binary/1`` of an address on a server, its version left out; empty if it is none."""
    _, found, rest = url.rpartition("Binary/")
    return f"Binary/{rest.partition('/')[0]}" if found else ""


def _says_binary(path: Path) -> bool:
    with readers.unpacked(path) as file:
        tail = b""
        while chunk := file.read(_CHUNK):
            if _SAYS_BINARY in tail + chunk:
                return True
            tail = chunk[-len(_SAYS_BINARY) :]
    return False


def _in_lines(path: Path, max_bytes: int) -> Iterator[tuple[str, str, Resource | RowError | None]]:
    for where, row, _ in readers.read(path, max_bytes):
        yield where, "", row


def _in_json(path: Path, max_bytes: int) -> Iterator[tuple[str, str, Resource | RowError | None]]:
    """The entries of a bundle as they are parsed; a file without entries is read whole."""
    import ijson

    number = 0
    try:
        with readers.unpacked(path) as file:
            _skip_bom(file)
            for number, entry in enumerate(ijson.items(file, "entry.item", use_float=True), start=1):
                where = f"{path}, entry {number}"
                yield where, *_opened(entry, where)
    except ijson.JSONError:
        where = f"{path}, entry {number + 1}"
        yield where, "", RowError(where, "not valid JSON from here on; a file with a resource a line must end in .ndjson")
        return
    if not number:
        yield str(path), "", _whole(path, max_bytes * _PER_BYTE)


def _whole(path: Path, limit: int) -> Resource | RowError:
    import ijson

    where = str(path)
    with readers.unpacked(path) as file:
        _skip_bom(file)
        raw = file.read(limit + 1)
    if len(raw) > limit:
        return RowError(where, f"no bundle, and over {limit:,} bytes: cut it up, or raise max_bytes")
    value = next(iter(islice(ijson.items(raw, "", use_float=True), 1)), None)
    return value if isinstance(value, dict) else RowError(where, "expected a bundle or one resource, as a JSON object")


def _skip_bom(file: BinaryIO) -> None:
    if file.read(len(_BOM)) != _BOM:
        file.seek(0)


def _opened(entry: object, where: str) -> _Found:
    """Address and resource of a bundle's entry; None for one that only reports what was done or deleted."""
    if not isinstance(entry, dict):
        return "", RowError(where, f"an entry of a bundle must be an object, found {type(entry).__name__}")
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if resource is not None and not isinstance(resource, dict):
        return "", RowError(where, f"field 'resource' of an entry holds {type(resource).__name__}, expected an object")
    return url if isinstance(url, str) else "", resource


def _ending(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes[-1] if suffixes else "")
