"""Documents that say nearly the same, over all sources.

Exact duplicates are equal in all their words. Near-duplicates have sets of runs of three words with a Jaccard overlap of at
least the threshold; those that sketches bring together (locality-sensitive hashing: Indyk and Motwani 1998) are compared in
full. Sets of duplicates are closed: if a is a duplicate of b and b of c, all three are one set.

Sketches lie on the disk, and bands are gone through one after the other. A bucket of a band is compared all with all up to
16 documents. In a larger one (a boilerplate that many documents are made of) they are put in the order of the next band, and
each is compared with the three after it: the work stays linear, and a pair that no band brings close is missed. How many
buckets were so large is reported.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloom.engine import HERE, Engine
from medloom.guard.alike import SLOTS, bands_for, look_at, runs_of
from medloom.guard.hashes import Hashes, Places
from medloom.guard.split import joined
from medloom.shards import Shard

_SMALL_BUCKET = 16
_WINDOW = 3
_CHUNK = 100_000
_DEVIATIONS = 4.0
_BYTES = 8


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        first: For each document the number of the first one of its set; its own if it has no duplicate.
        crowded: Buckets that were too large to compare all with all.
    """

    first: Places
    crowded: int = 0

    @property
    def clusters(self) -> int:
        """Sets of at least two documents."""
        own = self.first == np.arange(len(self.first))
        return len(np.unique(self.first[~own]))


def find_duplicates(documents: Sequence[Shard], threshold: float, scratch: Path, engine: Engine = HERE) -> Duplicates:
    """Find the sets of documents that say nearly the same.

    Memory: some 50 bytes a document, and 16 for each pair that sketches bring together.

    Args:
        documents: All documents of all sources.
        threshold: Jaccard overlap, 0.5 to 1, of two near-duplicates.
        scratch: A folder for some 400 bytes a document, and for the runs of those that are compared.
        engine: Who shares the work.
    """
    scratch.mkdir(parents=True)
    texts, long = _sketched(documents, threshold, scratch, engine)
    numbers = np.arange(len(texts))
    first = _first_equal(texts)
    usable = np.flatnonzero(long & (first == numbers))
    candidates, crowded = _candidates(usable, len(texts), threshold, scratch)
    ones, others = _verified(candidates, documents, threshold, scratch / "runs", engine)
    sets = joined(np.concatenate((numbers, ones)), np.concatenate((first, others)), len(texts))
    return Duplicates(np.unique(sets, return_index=True)[1][sets] if len(sets) else sets, crowded)


def _sketched(
    documents: Sequence[Shard], threshold: float, scratch: Path, engine: Engine
) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Put the sketches on the disk, a file for each band and one for the slots; the rest is returned."""
    texts, long = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=bool)]
    with ExitStack() as files:
        bands = [files.enter_context(_band(scratch, band).open("wb")) for band in range(bands_for(threshold))]
        slots = files.enter_context((scratch / "slots").open("wb"))
        for looks in engine.in_order(partial(look_at, threshold=threshold), documents, _tables(documents)):
            texts.append(looks.texts)
            long.append(looks.long)
            looks.slots.tofile(slots)
            for band, values in zip(bands, looks.bands.T, strict=True):
                np.ascontiguousarray(values).tofile(band)
    return np.concatenate(texts), np.concatenate(long)


def _first_equal(texts: Hashes) -> Places:
    """For each document the first one with the same words."""
    _, firsts, places = np.unique(texts, return_index=True, return_inverse=True)
    first = firsts[places]
    empty = texts == 0
    first[empty] = np.flatnonzero(empty)
    return first


def _candidates(usable: Places, count: int, threshold: float, scratch: Path) -> tuple[Places, int]:
    """Pairs of documents that share a band and whose sketches are alike enough, as one number each."""
    found = np.empty(0, dtype=np.int64)
    crowded = 0
    if not len(usable):
        return found, crowded
    slots = np.memmap(scratch / "slots", dtype=np.uint8, mode="r", shape=(count, SLOTS))
    least = threshold - _DEVIATIONS * (threshold * (1 - threshold) / SLOTS) ** 0.5
    bands = bands_for(threshold)
    for band in range(bands):
        values = np.fromfile(_band(scratch, band), dtype=np.uint64)[usable]
        following = np.fromfile(_band(scratch, (band + 1) % bands), dtype=np.uint64)[usable]
        order = np.lexsort((usable, following, values))
        fresh, large = _bucket_pairs(values[order], usable[order])
        fresh = np.setdiff1d(fresh, found, assume_unique=True)
        found = np.concatenate((found, _alike(fresh, slots, least)))
        crowded += large
    return np.sort(found), crowded


def _bucket_pairs(values: Hashes, numbers: Places) -> tuple[Places, int]:
    """The pairs of documents within the buckets of a band, and how many buckets were too large for all their pairs."""
    bounds = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    sizes = np.diff(np.append(bounds, len(values)))
    small = np.repeat(sizes <= _SMALL_BUCKET, sizes)
    found = [np.empty(0, dtype=np.int64)]
    for step in range(1, _SMALL_BUCKET):
        same = values[step:] == values[:-step]
        if step > _WINDOW:
            same &= small[:-step]
        one, other = numbers[:-step][same], numbers[step:][same]
        found.append(np.minimum(one, other) << 32 | np.maximum(one, other))
    return np.unique(np.concatenate(found)), int((sizes > _SMALL_BUCKET).sum())


def _alike(pairs: Places, slots: npt.NDArray[np.uint8], least: float) -> Places:
    """The pairs with a share of equal slots that two documents at the threshold nearly always have."""
    kept = [pairs[:0]]
    for begin in range(0, len(pairs), _CHUNK):
        part = pairs[begin : begin + _CHUNK]
        equal = (slots[part >> 32] == slots[part & 0xFFFFFFFF]).mean(axis=1)
        kept.append(part[equal >= least])
    return np.concatenate(kept)


def _verified(
    pairs: Places, documents: Sequence[Shard], threshold: float, file: Path, engine: Engine
) -> tuple[Places, Places]:
    """The pairs whose overlap, counted in full, reaches the threshold."""
    ones, others = pairs >> 32, pairs & 0xFFFFFFFF
    wanted = np.union1d(ones, others)
    parts = []
    for shard in documents:
        begin, end = np.searchsorted(wanted, (shard.start, shard.start + shard.rows))
        if begin < end:
            parts.append((shard, (wanted[begin:end] - shard.start).tolist()))
    counts = [np.empty(0, dtype=np.int64)]
    with file.open("wb") as f:
        for hashes, sizes in engine.in_order(runs_of, parts, _tables(documents)):
            hashes.tofile(f)
            counts.append(sizes)
    sizes = np.concatenate(counts)
    starts = np.cumsum(sizes) - sizes
    places = np.searchsorted(wanted, ones), np.searchsorted(wanted, others)
    with file.open("rb") as f:
        overlaps = [
            _overlap(_read(f.fileno(), starts[a], sizes[a]), _read(f.fileno(), starts[b], sizes[b]))
            for a, b in zip(*places, strict=True)
        ]
    good = np.array(overlaps) >= threshold
    return ones[good], others[good]


def _read(file: int, start: int, size: int) -> Hashes:
    return np.frombuffer(os.pread(file, int(size) * _BYTES, int(start) * _BYTES), dtype=np.uint64)


def _overlap(one: Hashes, other: Hashes) -> float:
    """Jaccard overlap of two sorted sets, neither empty."""
    places = np.minimum(np.searchsorted(one, other), len(one) - 1)
    shared = int((one[places] == other).sum())
    return shared / (len(one) + len(other) - shared)


def _tables(documents: Sequence[Shard]) -> list[Path]:
    return list(dict.fromkeys(shard.path for shard in documents))


def _band(scratch: Path, band: int) -> Path:
    return scratch / f"band-{band:03d}"
