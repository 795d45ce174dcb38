"""De-identifying files: documents in, one table without identifiers out, whole or not at all."""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from medloom.artifacts import disk_errors
from medloom.deid.audit import AuditSample, render_audit
from medloom.deid.replace import Deidentifier, PartSpans
from medloom.records import Document
from medloom.sources.files import FilesSource
from medloom.sources.rewrite import check_targets, whole, whole_text, write_documents


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
        check_targets(self.out, [path for path in (self.spans, self.audit) if path], source, force)


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
        spans = files.enter_context(whole_text(targets.spans)) if targets.spans else None
        out = files.enter_context(whole(targets.out))
        stream = _observed(documents, deidentifier, spans, sample if targets.audit else None, summary)
        write_documents(out, stream, targets.out.suffix)
        summary.counts = {str(kind): n for kind, n in sorted(deidentifier.counts.items())}
        if targets.audit:
            page = files.enter_context(whole_text(targets.audit))
            page.write(render_audit(sample.notes(), summary.counts, summary.documents, deidentifier.mark))
    return summary


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
