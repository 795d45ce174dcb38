"""The guard on documents and pairs at hand, through tables in a folder."""

import tempfile
from pathlib import Path
from typing import Any

from medloom.artifacts import read_table, write_table
from medloom.guard.config import GuardConfig, GuardCounts
from medloom.guard.guard import GuardTables, guard
from medloom.records import Document, TrainingRecord

Result = tuple[list[Document], list[TrainingRecord], list[TrainingRecord], GuardCounts]


def guarded(corpus: list[Document], pairs: list[TrainingRecord], seed: int = 7, **settings: Any) -> Result:
    """Held-out documents, their pairs, the pairs to train on, and what was done."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "documents.parquet", corpus, Document)
        write_table(folder / "pairs.parquet", pairs, TrainingRecord)
        into = GuardTables(folder / "held_out.parquet", folder / "test.parquet", folder / "train.parquet")
        counts = guard(folder / "documents.parquet", folder / "pairs.parquet", into, GuardConfig(**settings), seed)
        test, train = (list(read_table(path, TrainingRecord)) for path in (into.test, into.train))
        return list(read_table(into.held_out, Document)), test, train, counts
