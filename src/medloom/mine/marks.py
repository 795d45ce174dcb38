"""Whether records may be published, by the marks of the documents that they were made from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from medloom.deid.gate import PUBLISH, GateError
from medloom.identity import text_hash
from medloom.records import Document, TrainingRecord


@dataclass
class Marks:
    """What is known of the documents behind records.

    Attributes:
        seen: Hashes of their sources and ids.
        open: Of each source how many documents hold patient text that was not de-identified.
        unsaid: Of each source how many documents nobody has marked.
        deidentified: How many documents were de-identified under each mark.
        total: Documents of each source.
    """

    seen: set[bytes] = field(default_factory=set)
    open: Counter[str] = field(default_factory=Counter)
    unsaid: Counter[str] = field(default_factory=Counter)
    deidentified: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)


def marks_of(documents: Iterable[Document]) -> Marks:
    """The marks of documents; none of the documents is kept."""
    marks = Marks()
    for document in documents:
        marks.seen.add(_key(document.source, document.id))
        marks.total[document.source] += 1
        if document.deidentified:
            marks.deidentified[document.deidentified] += 1
        elif document.contains_phi:
            marks.open[document.source] += 1
        elif document.contains_phi is None:
            marks.unsaid[document.source] += 1
    return marks


def publishable(
    records: Iterable[TrainingRecord], marks: Marks | None, no_phi: bool, allowed: Sequence[str], what: str
) -> Iterator[TrainingRecord]:
    """The records, each let through the gate for text that is made to be passed on.

    Stricter than the gate for a model: text of which nobody has said whether it is about patients does not pass. A record
    passes if every document of its source does, since its negatives may be of any of them.

    Args:
        records: What is to be published.
        marks: Those of the documents; None if no documents were given.
        no_phi: Whether the user states that text nobody has marked is not about patients.
        allowed: ``allow_phi_to``: :data:`~medloom.deid.gate.PUBLISH` in it lets all text pass.
        what: Who asks, for the error.

    Raises:
        GateError: A record may not pass. The message names its source, never an id or a text.
    """
    opened = PUBLISH in allowed
    known = marks or Marks()
    for record in records:
        if not opened:
            _check(record, known, marks is not None, no_phi, what)
        yield record


def _check(record: TrainingRecord, marks: Marks, given: bool, no_phi: bool, what: str) -> None:
    source = record.source
    if marks.open[source]:
        raise GateError(
            f"{what}: {marks.open[source]:,} of {marks.total[source]:,} documents of source {source!r} hold patient text "
            "(contains_phi: true) that was not de-identified, and a data set is made to be passed on. Run medloom deid and "
            "make the records from what it writes; if your agreements allow it as it is, give --allow-phi-to publish, which "
            "is recorded in the card"
        )
    if given and _key(source, record.doc_id) not in marks.seen:
        raise GateError(
            f"{what}: a record of source {source!r} belongs to a document that is not in the documents given: give the "
            "documents that the records were made from, not those before or after de-identification"
        )
    if not no_phi and (marks.unsaid[source] or not given):
        who = (
            f"nobody has said whether source {source!r} is"
            if given
            else "without --documents it is not known whether this is"
        )
        raise GateError(
            f"{what}: {who} text about patients, and a data set is made to be passed on. Give --no-phi if it is not; else "
            "run medloom deid, make the records from what it writes, and give those documents as --documents"
        )


def _key(source: str, identity: str) -> bytes:
    return text_hash(f"{source}\0{identity}")
