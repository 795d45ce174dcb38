"""The stage that repairs text and keeps the documents that are wanted."""

from medloom.artifacts import read_table, write_table
from medloom.clean import CleanCounts, clean_documents
from medloom.errors import StageError
from medloom.records import Document
from medloom.stages.base import DOCUMENTS, Outcome, Work
from medloom.stages.gate import Open, count_open


def clean(work: Work) -> Outcome:
    """Clean every document that was collected, and drop what is not wanted."""
    config = work.recipe.clean
    if config is None:
        raise StageError("clean: the recipe has no clean: section")
    counts, left_open = CleanCounts(), Open()
    documents = clean_documents(read_table(work.documents, Document), config, counts)
    written = write_table(work.folder / DOCUMENTS, count_open(documents, left_open), Document)
    if written < 2:
        raise StageError(
            f"clean: {written} of {counts.documents} documents are left (dropped: {dict(counts.dropped)}): at least two are "
            "needed; loosen clean.languages, clean.licences or clean.min_chars"
        )
    notes = {"removed": dict(sorted(counts.removed.items())), "open": left_open}
    return Outcome(rows_in=counts.documents, rows_out=written, counts=counts.by_reason, notes=notes)
