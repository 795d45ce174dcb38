"""Files of documents written anew: what a source reads in, one table out, whole or not at all."""

import glob
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from medloom.artifacts import read_table, write_table
from medloom.errors import ArtifactError
from medloom.records import Document
from medloom.sources.base import Rejects
from medloom.sources.files import FieldMap, FilesSource
from medloom.sources.opened import TABLE, is_documents_table

_SUFFIXES = (".jsonl", ".parquet")
_MOST_TOLD = 20


class Skipping(Protocol):
    """What says which bad rows were left out."""

    skipped: int
    problems: list[str]


@dataclass
class Skipped:
    """Bad rows that were left out.

    Attributes:
        skipped: How many.
        problems: Where the first 20 of these stand, and what is wrong with them.
    """

    skipped: int = 0
    problems: list[str] = field(default_factory=list)


class CountedRejects(Rejects):
    """Bad rows, counted; nothing of them is written down, since they may hold a patient's text.

    Args:
        skipped: Is added to.
    """

    def __init__(self, skipped: Skipping) -> None:
        self.counts = {}
        self._skipped = skipped

    def add(self, where: str, problem: str, raw: str) -> None:
        """Count one row, and remember where it stands."""
        self._skipped.skipped += 1
        if len(self._skipped.problems) < _MOST_TOLD:
            self._skipped.problems.append(f"{where}: {problem}")


def check_targets(out: Path, others: Sequence[Path], source: FilesSource, force: bool) -> None:
    """See that every file can be written and none is lost.

    Args:
        out: The table to write.
        others: Further files to write.
        source: What is read.
        force: Whether files that are there may be replaced.

    Raises:
        ArtifactError: A file is there (and not to be replaced), is read by the source, or has an unknown ending.
    """
    if out.suffix not in _SUFFIXES:
        raise ArtifactError(f"{out}: the output is a file that ends in {' or '.join(_SUFFIXES)}")
    read = {path.resolve() for path in _read_paths(source)}
    named = [out, *others]
    if len({path.resolve() for path in named}) < len(named):
        raise ArtifactError("two of the files to write have one name: give each its own")
    for path in named:
        if path.resolve() in read:
            raise ArtifactError(f"{path} is read by this command: write somewhere else, or the notes are lost")
        if path.exists() and not force:
            raise ArtifactError(f"{path} is there already: give another name, or --force to replace it")


def read_documents(source: FilesSource, rejects: Rejects) -> Iterator[Document]:
    """The documents of a source; those of a table that medloom wrote (``documents.parquet``) with all their fields."""
    table = own_table(source)
    return read_table(table, Document) if table else source.documents(rejects)


def own_table(source: FilesSource) -> Path | None:
    """The table of documents that medloom wrote, where the source's path is one or a folder with one."""
    if not isinstance(source.path, str) or source.fields != FieldMap():
        return None
    path = Path(source.path).expanduser()
    table = path / TABLE if path.is_dir() else path
    return table if table.suffix == ".parquet" and table.is_file() and is_documents_table(table) else None


def write_documents(path: Path, documents: Iterable[Document], suffix: str) -> None:
    """Write documents, holding none of them.

    Args:
        path: The file, as :func:`whole` gives it.
        documents: Consumed once.
        suffix: ``.parquet``, or ``.jsonl`` for a row of JSON each.
    """
    if suffix == ".parquet":
        write_table(path, documents, Document)
        return
    with path.open("w", encoding="utf-8") as f:
        f.writelines(json.dumps(document.to_row(), ensure_ascii=False) + "\n" for document in documents)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to, moved there at the end, deleted if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as f:
            os.fsync(f.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_text(path: Path) -> Iterator[IO[str]]:
    """Like :func:`whole`, open for text."""
    with whole(path) as temporary, temporary.open("w", encoding="utf-8") as f:
        yield f


def _read_paths(source: FilesSource) -> list[Path]:
    """The files that a source reads, as far as they are there."""
    patterns = [source.path] if isinstance(source.path, str) else list(source.path)
    found = []
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir():
            found += [path / TABLE, *(p for p in path.rglob("*") if p.suffix.lower() in (".txt", ".md"))]
        elif path.exists():
            found.append(path)
        else:
            found += [Path(p) for p in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    return found
