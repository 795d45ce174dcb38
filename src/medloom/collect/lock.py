"""Locks: which documents a collection holds, at which revision, so that another can be made the same and compared.

A lock is a gzipped JSONL file. Its first line says what was collected (source, settings, service, when, how many); every
other line is a document: id, revision, content digest, categories. It holds none of their text.
"""

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from medloom.artifacts import disk_errors
from medloom.collect.pages import Locked
from medloom.errors import SourceError
from medloom.identity import digest
from medloom.records import Document

LOCK = "lock.jsonl.gz"
FORMAT = 1
_PREFIX = 16


def content_digest(document: Document) -> str:
    """SHA-256 (hex, its first 16 digits) of a document's texts: title, text, sections, synonyms."""
    sections = [[s.heading, s.text] for s in document.sections]
    synonyms = [[s.text, s.scope, s.lay] for s in document.synonyms]
    return digest([document.title, document.text, sections, synonyms])[:_PREFIX]


@dataclass(frozen=True)
class Header:
    """The first line of a lock.

    Attributes:
        source: Type of the source.
        settings: Its settings.
        service: What the service said of its version.
        collected: When, ISO 8601 UTC.
    """

    source: str
    settings: dict[str, Any]
    service: str
    collected: str


class LockWriter:
    """Writes a lock beside a stream of documents.

    Args:
        path: The file.
        header: Its first line.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path, self._header = path, header

    def over(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents, each written down; the file is whole once they are all through."""
        temporary = self._path.with_name(self._path.name + ".tmp")
        with disk_errors(self._path.parent), _written(temporary) as f:
            f.write(_line({"medloom_lock": FORMAT, **vars(self._header)}))
            for document in documents:
                row = {"id": document.id, "revision": document.revision, "digest": content_digest(document)}
                f.write(_line(row | ({"categories": document.categories} if document.categories else {})))
                yield document
        temporary.replace(self._path)


def read_lock(path: Path) -> tuple[Header, Iterator[Locked]]:
    """Header and documents of a lock.

    Raises:
        SourceError: The file is not there or is no lock; for a damaged line, while the documents are read.
    """
    lines = _lines(path)
    first = next(lines, None)
    if first is None or first[1].get("medloom_lock") != FORMAT:
        raise SourceError(f"{path} is no lock of this medloom: give a {LOCK} that `medloom collect` wrote")
    try:
        header = Header(*(first[1][name] for name in ("source", "settings", "service", "collected")))
    except KeyError as error:
        raise SourceError(f"{path}, line 1: {error} is missing: fetch the lock again") from None
    return header, (_locked(path, number, row) for number, row in lines)


@dataclass
class Differences:
    """How a collection differs from a lock.

    Attributes:
        same: Documents that are as the lock says.
        changed: Ids of those whose revision or text is another.
        vanished: Ids of those that the source no longer has.
    """

    same: int = 0
    changed: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)

    @property
    def are_none(self) -> bool:
        """Whether the collection is what the lock says."""
        return not self.changed and not self.vanished

    def as_row(self) -> dict[str, int]:
        """How many of each."""
        return {"same": self.same, "changed": len(self.changed), "vanished": len(self.vanished)}


class LockCheck:
    """Holds documents against a lock.

    Args:
        path: The lock.
    """

    def __init__(self, path: Path) -> None:
        self._wanted = {locked.id: locked for locked in read_lock(path)[1]}
        self.differences = Differences()

    def over(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents that the lock names, under its categories; the differences are known at the end."""
        left = dict(self._wanted)
        for document in documents:
            locked = left.pop(document.id, None)
            if locked is None:
                continue
            if content_digest(document) == locked.digest and document.revision == locked.revision:
                self.differences.same += 1
            else:
                self.differences.changed.append(document.id)
            yield replace(document, categories=locked.categories)
        self.differences.vanished = list(left)


@contextmanager
def _written(path: Path) -> Iterator[IO[str]]:
    """A gzipped text file whose bytes depend on its text alone."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="ascii", newline="\n") as f,
    ):
        yield f


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=True) + "\n"


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as f:
            for number, line in enumerate(f, start=1):
                yield number, _row(path, number, line)
    except FileNotFoundError:
        raise SourceError(f"no lock {path}: check the path") from None
    except (OSError, EOFError, UnicodeDecodeError):
        raise SourceError(f"{path}, line {number + 1}: damaged: fetch the lock again") from None


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise SourceError(f"{path}, line {number}: damaged: fetch the lock again")
    return row


def _locked(path: Path, number: int, row: Mapping[str, Any]) -> Locked:
    try:
        return Locked(str(row["id"]), str(row["revision"]), str(row["digest"]), tuple(row.get("categories", ())))
    except (KeyError, TypeError):
        raise SourceError(f"{path}, line {number}: not a document of a lock: fetch the lock again") from None
