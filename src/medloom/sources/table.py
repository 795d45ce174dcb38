"""What sources that read tables of known fields share: paths, rows in order, fields by any of their names, unique ids."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from medloom.errors import RowError, SourceError
from medloom.identity import file_digest
from medloom.records import Document
from medloom.sources.base import Rejects, SourceConfig
from medloom.sources.formats import readers
from medloom.text import clean

Paths = Path | tuple[Path, ...]
OnError = Literal["fail", "skip"]
_MAX_CHARS = 1_000_000
P = TypeVar("P")


class TableSource(SourceConfig):
    """A source of files with known fields, a document for each row.

    A subclass sets ``type``, says in ``path`` what the files are, and makes a document of a row.
    """

    path: Paths = Field(description="A file, a folder of files, or a list of them.")
    on_error: OnError = Field(
        default="fail", description="A bad row stops the run, or is counted and kept in rejects.jsonl."
    )
    version: str = Field(default="", description="Release of the text, for report and card.")

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per row."""
        yield from documents_of(((path, rows_of(path)) for path in self._files()), self._document, self.on_error, rejects)

    def inputs(self) -> dict[str, str]:
        """Hash of every file."""
        return digests(self._files())

    def count(self) -> int | None:
        """Rows in all."""
        return sum(1 for path in self._files() for _ in rows_of(path))

    def _files(self) -> list[Path]:
        return files_of(self.name, self.path, self._folder)

    def _document(self, row: dict[str, Any], where: str, path: Path, number: int) -> Document:
        """A row as a document.

        Args:
            row: Its fields.
            where: File and line, for errors.
            path: Its file.
            number: Its number over all files, from 1.
        """
        raise NotImplementedError


def files_of(
    name: str, paths: Paths, folder: Path, more: Callable[[Path], bool] = lambda _: False, kinds: str = ""
) -> list[Path]:
    """The files of a source, in the order given; a folder stands for the tables in it, by name.

    Args:
        name: Of the source.
        paths: As the recipe gives them.
        folder: That relative paths start from.
        more: Which other files of a folder are the source's.
        kinds: What those are, for errors.

    Raises:
        SourceError: None is given, or one is not there.
    """
    given = [paths] if isinstance(paths, Path) else list(paths)
    if not given:
        raise SourceError(f"source {name}: path is empty: give a file, a folder, or a list of them")
    found: list[Path] = []
    for path in (folder / one.expanduser() for one in given):
        inside = (p for p in path.glob("*") if p.is_file() and (_is_table(p) or more(p)))
        tables = [path] if path.is_file() else sorted(inside)
        if not tables:
            raise SourceError(
                f"source {name}: no file {path}, nor a folder with JSONL, CSV, TSV or Parquet{kinds}: check the path"
            )
        found += tables
    return found


def digests(files: Sequence[Path]) -> dict[str, str]:
    """Hash of every file, by number and name: never an absolute path."""
    return {f"{number}-{path.name}": file_digest(path) for number, path in enumerate(files, start=1)}


def rows_of(path: Path) -> Iterator[readers.Row]:
    """Rows of one file; see :func:`medloom.sources.formats.readers.read`."""
    return readers.read(path, _MAX_CHARS)


def documents_of(
    parts: Iterable[tuple[P, Iterator[readers.Row]]],
    make: Callable[[dict[str, Any], str, P, int], Document | None],
    on_error: OnError,
    rejects: Rejects,
) -> Iterator[Document]:
    """Yield a document for each row, with the number of the row added to an id that stood on an earlier row.

    Args:
        parts: Each file (or whatever else rows come in) with its rows, read one after the other.
        make: Row, where it stands, its part and its number over all parts to a document; None leaves the row out.
        on_error: What to do with a bad row.
        rejects: Keeps bad rows that are skipped.

    Raises:
        RowError: A bad row, where ``on_error`` is ``fail``.
        SourceError: A part holds no rows.
    """
    seen: set[str] = set()
    number = 0
    for part, rows in parts:
        first = number
        for where, row, raw in rows:
            number += 1
            try:
                if isinstance(row, RowError):
                    raise row
                document = make(row, where, part, number)
            except RowError as error:
                if on_error == "fail":
                    raise RowError(where, f"{error.problem} (or set on_error: skip to leave such rows out)") from None
                rejects.add(where, error.problem, raw)
                continue
            if document is not None:
                yield _unique(document, number, seen)
        if number == first:
            raise SourceError(f"{part} holds no rows: check how it was written")


def text_of(row: dict[str, Any], names: Sequence[str], where: str, required: bool = False) -> str:
    """The first of the named fields that the row has, as clean text; empty if it has none.

    Raises:
        RowError: The field holds no text, or ``required`` is set and all are absent or empty.
    """
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise RowError(where, f"field {name!r} holds {type(value).__name__}, expected text")
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise RowError(where, f"field {name!r} holds half a surrogate pair, which is no text: repair the file")
        if text := clean(value):
            return text
    if required:
        raise RowError(where, f"no text in the field {' or '.join(repr(n) for n in names)}")
    return ""


def key_of(row: dict[str, Any], names: Sequence[str], where: str) -> str:
    """The first of the named fields that the row has, as an id: text, or a whole number; empty if it has none.

    Raises:
        RowError: The field holds something else.
    """
    value = next((row[name] for name in names if row.get(name) is not None), None)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(row, names, where)


def _is_table(path: Path) -> bool:
    return readers.supported(path) and not readers.is_text(path)


def _unique(document: Document, number: int, seen: set[str]) -> Document:
    identity = document.id or str(number)
    if identity in seen:
        identity = f"{identity}#{number}"
    seen.add(identity)
    return document if identity == document.id else replace(document, id=identity)
