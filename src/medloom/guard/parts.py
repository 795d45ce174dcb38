"""The parts of the guard's work that any process can do: a shard of rows in, small arrays out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloom.guard.config import GuardConfig
from medloom.guard.contamination import REASONS, EvaluationTexts, Sketch, sketch
from medloom.guard.hashes import Hashes, hash_of, hashes_of, is_in
from medloom.guard.split import Keys, keys_of, texts_of
from medloom.identity import text_hash
from medloom.records import Document, TrainingRecord
from medloom.shards import Shard
from medloom.text import text_key

CLEAN, HELD, DUPLICATE = len(REASONS), len(REASONS) + 1, len(REASONS) + 2
"""What a pair is, besides the places of :data:`~medloom.guard.contamination.REASONS`."""

HELD_IDS, DROPPED_IDS, COMMON, LABELS, INDEX = "held", "dropped", "common", "labels", "index"


@dataclass(frozen=True)
class Verdicts:
    """What is to be done with the pairs of a shard.

    Attributes:
        codes: The place of a pair's reason in ``REASONS``, or ``CLEAN``, ``HELD`` (it is no training pair), ``DUPLICATE``.
        pairs: A hash of its two texts, normalised.
        ranks: Its place in the draw of pairs of its task; empty where all are kept.
        tasks: Names of the tasks of the shard.
        task: For each pair the place of its task in ``tasks``.
        negatives: For the pairs that lose negatives, how many, and the places of those that stay.
    """

    codes: npt.NDArray[np.uint8]
    pairs: Hashes
    ranks: Hashes
    tasks: list[str]
    task: npt.NDArray[np.int64]
    negatives: dict[int, tuple[int, list[int]]] = field(default_factory=dict)


def read_keys(shard: Shard, config: GuardConfig) -> tuple[Keys, Hashes, list[str]]:
    """What the split needs of a shard of documents, a hash for each id, and each document's source."""
    documents = shard.read(Document)
    ids = np.array([id_hash(d.source, d.id) for d in documents], dtype=np.uint64)
    return keys_of(documents, config.ngram), ids, [d.source for d in documents]


def sketch_documents(part: tuple[Shard, npt.NDArray[np.bool_]], config: GuardConfig, folder: Path) -> Sketch:
    """Sketch the texts of the documents that are held out."""
    shard, held = part
    documents = (document for document, is_held in zip(shard.read(Document), held.tolist(), strict=True) if is_held)
    texts = (text for document in documents for text in texts_of(document))
    return sketch(texts, config.ngram, config.near_duplicate, known(folder / COMMON))


def sketch_pairs(shard: Shard, config: GuardConfig, folder: Path) -> tuple[Sketch, npt.NDArray[np.bool_]]:
    """Sketch the texts of the held-out pairs of a shard, and say which pairs these are.

    How often their runs came counts for nothing: it was counted in the documents that they are of.
    """
    records = shard.read(TrainingRecord)
    held = is_in(_ids(records), known(folder / HELD_IDS))
    texts = (
        text
        for record, is_held in zip(records, held.tolist(), strict=True)
        if is_held
        for text in (record.query, *record.positives)
    )
    found = sketch(texts, config.ngram, config.near_duplicate, known(folder / COMMON))
    return replace(found, run_counts=np.zeros_like(found.run_counts)), held


def check_pairs(shard: Shard, config: GuardConfig, folder: Path, seed: int) -> Verdicts:
    """Compare the training pairs of a shard with the evaluation texts.

    A pair may ask with a short section that several groups share, though it is test text: it may not answer with one.
    """
    records = shard.read(TrainingRecord)
    ids = _ids(records)
    codes = np.full(len(records), CLEAN, dtype=np.uint8)
    codes[is_in(ids, known(folder / HELD_IDS))] = HELD
    codes[is_in(ids, known(folder / DROPPED_IDS))] = DUPLICATE
    ours = [(place, records[place]) for place in np.flatnonzero(codes == CLEAN).tolist()]
    keys = {text: "" for _, r in ours for text in (r.query, *r.positives, *r.negatives)}
    for text in keys:
        keys[text] = text_key(text)
    index = _index(folder / INDEX, config.near_duplicate, config.ngram)
    verdicts = index.codes(list(keys.values()))
    hashes = hashes_of(keys.values())
    verdicts[is_in(hashes, known(folder / COMMON))] = CLEAN
    found = dict(zip(keys, verdicts.tolist(), strict=True))
    label = dict(zip(keys, is_in(hashes, known(folder / LABELS)).tolist(), strict=True))
    pairs, ranks = np.zeros(len(records), dtype=np.uint64), np.zeros(len(records), dtype=np.uint64)
    negatives: dict[int, tuple[int, list[int]]] = {}
    tasks = list(dict.fromkeys(record.task for record in records))
    for place, record in ours:
        asks = CLEAN if label[record.query] else found[record.query]
        codes[place] = min(asks, *(found[text] for text in record.positives))
        if codes[place] != CLEAN:
            continue
        texts = keys[record.query], keys[record.positives[0]]
        pairs[place] = _rank("", *texts)
        if config.max_per_kind is not None:
            ranks[place] = _rank(text_key(str(seed)), text_key(record.task), *texts)
        stay = [n for n, text in enumerate(record.negatives) if found[text] == CLEAN]
        if len(stay) < len(record.negatives):
            negatives[place] = len(record.negatives) - len(stay), stay
    numbers = {name: number for number, name in enumerate(tasks)}
    task = np.array([numbers[record.task] for record in records], dtype=np.int64)
    return Verdicts(codes, pairs, ranks if config.max_per_kind is not None else ranks[:0], tasks, task, negatives)


def id_hash(source: str, identity: str) -> int:
    """A hash of a document's id, unique over sources."""
    return hash_of(f"{source}\x1f{identity}")


@lru_cache(maxsize=4)
def known(file: Path) -> Hashes:
    """Sorted hashes of ids or texts, as a file of the guard holds them."""
    return np.fromfile(file, dtype=np.uint64)


@lru_cache(maxsize=1)
def _index(folder: Path, near_duplicate: float, ngram: int) -> EvaluationTexts:
    return EvaluationTexts.load(folder, near_duplicate, ngram)


def _ids(records: Sequence[TrainingRecord]) -> Hashes:
    return np.array([id_hash(record.source, record.doc_id) for record in records], dtype=np.uint64)


def _rank(*keys: str) -> int:
    """The first 64 of 96 bits of BLAKE2b over normalised parts."""
    return int.from_bytes(text_hash("\x1f".join(keys))[:8])
