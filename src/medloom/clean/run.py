"""Cleaning files: documents in, one table out, whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

from medloom.artifacts import disk_errors
from medloom.clean.config import CleanConfig
from medloom.clean.documents import CleanCounts, clean_documents
from medloom.records import Document
from medloom.sources.rewrite import whole, write_documents


def clean_to(out: Path, documents: Iterable[Document], config: CleanConfig) -> CleanCounts:
    """Write the documents that are wanted, cleaned, holding none of them.

    Args:
        out: The file: .jsonl or .parquet.
        documents: Consumed once.
        config: What to do, and what to keep.

    Returns:
        What was done.

    Raises:
        ArtifactError: The disk is full or may not be written to.
        RecipeError: A language is asked for that cannot be told.
    """
    counts = CleanCounts()
    with disk_errors(out.parent), whole(out) as place:
        write_documents(place, clean_documents(documents, config, counts), out.suffix)
    return counts
