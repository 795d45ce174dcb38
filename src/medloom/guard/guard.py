"""Split, clean and cap the pairs, so that nothing that is trained on is also tested on.

The tables are read shard by shard, several times: for what the split needs of the documents, for the texts of the held-out
side, for the verdicts on the training pairs. What is kept in between are arrays of a few bytes a row, and files beside the
results; so memory hardly grows with the text. Each reading is shared out to the workers of an engine; only the results,
small arrays in the order of the rows, come back, and so they are the same whatever the engine and the number of workers.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from medloom.engine import Engine, open_engine
from medloom.guard.caps import drawn, repeated
from medloom.guard.config import GuardConfig, GuardCounts
from medloom.guard.contamination import REASONS, EvaluationTexts
from medloom.guard.duplicates import Duplicates, find_duplicates
from medloom.guard.hashes import Hashes, Places
from medloom.guard.parts import (
    CLEAN,
    COMMON,
    DROPPED_IDS,
    DUPLICATE,
    HELD_IDS,
    INDEX,
    LABELS,
    Verdicts,
    check_pairs,
    read_keys,
    sketch_documents,
    sketch_pairs,
)
from medloom.guard.split import common_texts, shared_labels, split_documents
from medloom.records import Document, TrainingRecord
from medloom.shards import Shard, shards_of, write_shards

if TYPE_CHECKING:
    import pyarrow as pa

_Flags = npt.NDArray[np.bool_]
_BATCH = 2_000
Part = TypeVar("Part")
Result = TypeVar("Result")


@dataclass(frozen=True)
class GuardTables:
    """Where the results go.

    Attributes:
        held_out: Documents that are held out.
        test: Their pairs.
        train: Pairs to train on.
    """

    held_out: Path
    test: Path
    train: Path


def guard(
    documents: Path, pairs: Path, into: GuardTables, config: GuardConfig, seed: int, against: Iterable[str] = ()
) -> GuardCounts:
    """Split documents and pairs by concept and clean the training side.

    Args:
        documents: Table of all documents.
        pairs: Table of all pairs.
        into: The tables to write.
        config: Shares and thresholds.
        seed: The recipe's seed.
        against: Texts of benchmarks, which may not be trained on either.

    Returns:
        What was done.

    Raises:
        ArtifactError: A table is damaged.
        WorkerError: The workers keep dying.
        ClusterError: The engine has no fit workers.
    """
    scratch = Path(tempfile.mkdtemp(prefix="guard-", dir=into.train.parent.absolute()))
    try:
        with open_engine(config) as engine:
            work = _Guard(shards_of(documents.absolute()), shards_of(pairs.absolute()), config, seed, scratch, engine)
            work.split(into.held_out)
            work.add(against)
            work.write_test(into.test)
            work.write_train(into.train)
            return work.counts
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Guard:
    """One call of :func:`guard`."""

    def __init__(
        self,
        documents: Sequence[Shard],
        pairs: Sequence[Shard],
        config: GuardConfig,
        seed: int,
        scratch: Path,
        engine: Engine,
    ) -> None:
        self.counts = GuardCounts()
        self._documents = documents
        self._pairs = pairs
        self._config = config
        self._seed = seed
        self._scratch = scratch
        self._engine = engine
        self._index = EvaluationTexts(config.near_duplicate, config.ngram, scratch / "building", config.common)

    def split(self, into: Path) -> None:
        """Choose the held-out documents, and write and index them."""
        held, dropped, ids = self._sides()
        held &= ~dropped
        self.counts.held_out = int(held.sum())
        for name, some in ((HELD_IDS, ids[held]), (DROPPED_IDS, ids[dropped])):
            np.sort(some).tofile(self._scratch / name)
        wanted = [(shard, shard.part(held)) for shard in self._documents if shard.part(held).any()]
        write_shards(into, (shard.table().filter(flags) for shard, flags in wanted), Document)
        for part in self._shared(partial(sketch_documents, config=self._config, folder=self._scratch), wanted):
            self._index.add_sketch(part)

    def add(self, texts: Iterable[str]) -> None:
        """Index texts from elsewhere, a batch at a time."""
        rest = iter(texts)
        while batch := list(islice(rest, _BATCH)):
            self._index.add(batch)

    def write_test(self, into: Path) -> None:
        """Write and index the pairs of the held-out documents."""
        write_shards(into, self._test(), TrainingRecord)
        self.counts.evaluation_texts = len(self._index)
        self._index.save(self._scratch / INDEX)
        del self._index

    def write_train(self, into: Path) -> None:
        """Write the training pairs that share nothing with what was indexed."""
        check = partial(check_pairs, config=self._config, folder=self._scratch, seed=self._seed)
        found = list(self._shared(check, self._pairs))
        codes = np.concatenate([np.empty(0, dtype=np.uint8), *(part.codes for part in found)])
        for code, reason in enumerate(REASONS):
            self.counts.drop(reason, int((codes == code).sum()))
        self.counts.drop("duplicate_document", int((codes == DUPLICATE).sum()))
        again = repeated(codes == CLEAN, [part.pairs for part in found])
        self.counts.drop("repeated_pair", int(again.sum()))
        keep = (codes == CLEAN) & ~again
        for shard, part in zip(self._pairs, found, strict=True):
            self.counts.negatives += sum(lost for place, (lost, _) in part.negatives.items() if keep[shard.start + place])
        if self._config.max_per_kind is None:
            self.counts.train = write_shards(into, self._in_order(keep, found), TrainingRecord)
            return
        chosen = drawn(keep, found, self._config.max_per_kind)
        self.counts.drop("over_max_per_kind", int(keep.sum()) - sum(map(len, chosen)))
        tables = (table for rows in chosen for table in self._drawn(rows, found))
        self.counts.train = write_shards(into, tables, TrainingRecord)

    def _shared(self, function: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """The results of the engine's workers, who must see the tables and the files beside them."""
        tables = {shard.path: None for shard in (*self._documents, *self._pairs)}
        return self._engine.in_order(function, parts, (self._scratch, *tables))

    def _sides(self) -> tuple[_Flags, _Flags, Hashes]:
        """Which documents are held out, which are dropped, and a hash of each one's id."""
        found = list(self._shared(partial(read_keys, config=self._config), self._documents))
        ids = np.concatenate([np.empty(0, dtype=np.uint64), *(ids for _, ids, _ in found)])
        dropped = np.zeros(len(ids), dtype=bool)
        ties: tuple[Places, Places] | None = None
        if self._config.duplicates != "off":
            alike = find_duplicates(self._documents, self._config.duplicate_overlap, self._scratch / "alike", self._engine)
            self._count(alike, [source for _, _, sources in found for source in sources])
            if self._config.duplicates == "drop":
                dropped = alike.first != np.arange(len(ids))
            else:
                ties = alike.first, np.arange(len(ids))
        keys = [keys for keys, _, _ in found]
        common = common_texts(keys, self._config.common)
        common.tofile(self._scratch / COMMON)
        shared_labels(keys).tofile(self._scratch / LABELS)
        self.counts.common = len(common)
        held, self.counts.largest_tie = split_documents(keys, self._config.holdout, self._seed, ties, common)
        return held, dropped, ids

    def _count(self, alike: Duplicates, sources: Sequence[str]) -> None:
        self.counts.clusters, self.counts.crowded = alike.clusters, alike.crowded
        for place in np.flatnonzero(alike.first != np.arange(len(alike.first))).tolist():
            name = f"{sources[place]} of {sources[alike.first[place]]}"
            self.counts.duplicates[name] = self.counts.duplicates.get(name, 0) + 1

    def _test(self) -> "Iterator[pa.Table]":
        sketched = self._shared(partial(sketch_pairs, config=self._config, folder=self._scratch), self._pairs)
        for shard, (part, held) in zip(self._pairs, sketched, strict=True):
            self._index.add_sketch(part)
            self.counts.test += int(held.sum())
            if held.any():
                yield shard.table().filter(held)

    def _in_order(self, keep: _Flags, found: Sequence[Verdicts]) -> "Iterator[pa.Table]":
        for shard, part in zip(self._pairs, found, strict=True):
            flags = shard.part(keep)
            if flags.any():
                yield _without_negatives(shard.table(), part.negatives).filter(flags)

    def _drawn(self, rows: Places, found: Sequence[Verdicts]) -> "Iterator[pa.Table]":
        """The rows of one task, in the order of the draw."""
        import pyarrow as pa

        order = np.argsort(rows)
        ascending = rows[order]
        tables = []
        for shard, part in zip(self._pairs, found, strict=True):
            begin, end = np.searchsorted(ascending, (shard.start, shard.start + shard.rows))
            if begin < end:
                table = _without_negatives(shard.table(), part.negatives)
                tables.append(table.take(ascending[begin:end] - shard.start))
        back = np.empty(len(rows), dtype=np.int64)
        back[order] = np.arange(len(rows))
        if tables:
            yield pa.concat_tables(tables).take(back)


def _without_negatives(table: "pa.Table", changed: dict[int, tuple[int, list[int]]]) -> "pa.Table":
    """The table with only those negatives left to the rows named; their scores go, since they no longer fit."""
    import pyarrow as pa

    if not changed:
        return table
    records = [TrainingRecord.from_row(row) for row in table.to_pylist()]
    for place, (_, numbers) in changed.items():
        kept = tuple(records[place].negatives[number] for number in numbers)
        records[place] = replace(records[place], negatives=kept, scores=())
    return pa.Table.from_pylist([record.to_row() for record in records], table.schema)
