"""De-identifying files: documents in, one table without identifiers out, whole or not at all."""

import glob
import json
import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from medloom.artifacts import disk_errors, read_table, write_table
from medloom.deid.audit import AuditSample, render_audit
from medloom.deid.replace import Deidentifier, PartSpans
from medloom.errors import ArtifactError
from medloom.records import Document
from medloom.sources.base import Rejects
from medloom.sources.files import FilesSource
from medloom.sources.opened import TABLE, is_documents_table

_SUFFIXES = (".jsonl", ".parquet")
_MOST_TOLD = 20


@dataclass
class Summary:
    """What a run did.

    Attributes:
        documents: Documents written.
        with_identifiers: Those of them in which something was found.
        counts: Identifiers found, by kind.
        skipped: Bad rows left out.
        problems: Where the first 20 of these stand, and what is wrong with them.
    """

    documents: int = 0
    with_identifiers: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


class CountedRejects(Rejects):
    """Bad rows, counted; nothing of them is written down, since they may hold a patient's text."""

    def __init__(self, summary: Summary) -> None:
        self.counts = {}
        self._summary = summary

    def add(self, where: str, problem: str, raw: str) -> None:
        """Count one row, and remember where it stands."""
        self._summary.skipped += 1
        if len(self._summary.problems) < _MOST_TOLD:
            self._summary.problems.append(f"{where}: {problem}")


@dataclass(frozen=True)
class Targets:
    """What is written.

    Attributes:
        out: The documents without identifiers: .jsonl or .parquet.
        spans: What was found, as JSONL; not written if None.
        audit: The page to look at; not written if None.
    """

    out: Path
    spans: Path | None = None
    audit: Path | None = None

    def check(self, source: FilesSource, force: bool) -> None:
        """See that every file can be written and none is lost.

        Raises:
            ArtifactError: A file is there (and not to be replaced), is read by the source, or has an unknown ending.
        """
        if self.out.suffix not in _SUFFIXES:
            raise ArtifactError(f"{self.out}: the output is a file that ends in {' or '.join(_SUFFIXES)}")
        read = {path.resolve() for path in _read_paths(source)}
        named = [path for path in (self.out, self.spans, self.audit) if path]
        if len({path.resolve() for path in named}) < len(named):
            raise ArtifactError("two of the files to write have one name: give each its own")
        for path in named:
            if path.resolve() in read:
                raise ArtifactError(f"{path} is read by this command: write somewhere else, or the notes are lost")
            if path.exists() and not force:
                raise ArtifactError(f"{path} is there already: give another name, or --force to replace it")


def deidentify(
    documents: Iterable[Document], deidentifier: Deidentifier, targets: Targets, sample: AuditSample, summary: Summary
) -> Summary:
    """Write documents without their identifiers, holding none of them.

    Every file is written beside its place and moved there when it is whole.

    Args:
        documents: Consumed once.
        deidentifier: What replaces.
        targets: The files.
        sample: Keeps the notes of the audit.
        summary: Is filled in.

    Raises:
        ArtifactError: The disk is full or may not be written to.
    """
    with disk_errors(targets.out.parent), ExitStack() as files:
        spans = files.enter_context(_whole_text(targets.spans)) if targets.spans else None
        out = files.enter_context(_whole(targets.out))
        stream = _observed(documents, deidentifier, spans, sample if targets.audit else None, summary)
        if targets.out.suffix == ".parquet":
            write_table(out, stream, Document)
        else:
            with out.open("w", encoding="utf-8") as f:
                f.writelines(json.dumps(document.to_row(), ensure_ascii=False) + "\n" for document in stream)
        summary.counts = {str(kind): n for kind, n in sorted(deidentifier.counts.items())}
        if targets.audit:
            page = files.enter_context(_whole_text(targets.audit))
            page.write(render_audit(sample.notes(), summary.counts, summary.documents, deidentifier.mark))
    return summary


def read_documents(source: FilesSource, rejects: Rejects) -> Iterator[Document]:
    """The documents of a source; those of a table that medloom wrote (``documents.parquet``) with all their fields."""
    table = own_table(source)
    return read_table(table, Document) if table else source.documents(rejects)


def own_table(source: FilesSource) -> Path | None:
    """The table of documents that medloom wrote, where the source's path is one or a folder with one."""
    if not isinstance(source.path, str) or source.fields.model_dump(exclude_none=True):
        return None
    path = Path(source.path).expanduser()
    table = path / TABLE if path.is_dir() else path
    return table if table.suffix == ".parquet" and table.is_file() and is_documents_table(table) else None


def _observed(
    documents: Iterable[Document],
    deidentifier: Deidentifier,
    spans: IO[str] | None,
    sample: AuditSample | None,
    summary: Summary,
) -> Iterator[Document]:
    """The changed documents, each noted down on the way."""
    originals: deque[Document] = deque()

    def remembered() -> Iterator[Document]:
        for document in documents:
            originals.append(document)
            yield document

    for document, found in deidentifier.many(remembered()):
        original = originals.popleft()
        summary.documents += 1
        summary.with_identifiers += bool(found)
        if spans:
            spans.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in span_rows(original.id, found))
        if sample:
            sample.add(original, found)
        yield document


def span_rows(identity: str, found: Iterable[PartSpans]) -> Iterator[dict[str, str | int]]:
    """What was found in a document, as rows without its text: id, part, start, end, kind."""
    for part in found:
        for span in part.spans:
            yield {"id": identity, "part": part.part, **asdict(span)}


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
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
def _whole_text(path: Path) -> Iterator[IO[str]]:
    with _whole(path) as temporary, temporary.open("w", encoding="utf-8") as f:
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
