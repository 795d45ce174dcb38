"""Near-duplicates among short texts, by their sets of character 4-grams, in time that grows with the texts alone.

Sketches (MinHash: Broder 1997) bring texts together that share a band of theirs; there are as many bands as find two texts
at the threshold with a chance of at least 0.999. What was brought together is compared in full.

Where thousands of texts are nearly equal (a template filled in differently), a band would bring all of them together. So
there is a most for each band, those whose next band is nearest, and a most for each text, those that share most bands; only
beyond these a near-duplicate can be missed more easily.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from medloom.guard.hashes import Hashes, Places, gram_hashes

_MOST_SLOTS, _MOST_ROWS = 384, 16
_MISSED = 0.001
_SEED = 42
_BASE = np.uint64(0x9E3779B97F4A7C15)
_NEXT_BITS = 24
_NEXT = np.uint64((1 << _NEXT_BITS) - 1)
_WINDOW = 64
_ROUNDS = ((0, 4), (4, 64))
_BATCH = 2_048
_CHUNK = 2_000_000
_FILES = ("bands", "texts", "grams", "starts")
_Matrix = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class ShortSketch:
    """Sketches of some short texts.

    Attributes:
        bands: Hashes of the bands of each sketch, [texts, bands]: 40 bits of the band, then 24 of the next one.
        grams: 32 bits of the hash of each gram, one text after the other, sorted within a text.
        sizes: How many grams each text has.
    """

    bands: _Matrix
    grams: npt.NDArray[np.uint32]
    sizes: Places

    @classmethod
    def of(cls, keys: Sequence[str], threshold: float) -> Self:
        """Sketch texts, given as :func:`~medloom.text.text_key` gives them, none empty."""
        from rensa import RMinHash

        rows, bands = shape_of(threshold)
        if not keys:
            return cls(np.empty((0, bands), dtype=np.uint64), np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64))
        grams, starts = gram_hashes(keys)
        sketches: Any = RMinHash.digest_matrix_from_flat_token_hashes(grams, starts.astype(np.uint64), rows * bands, _SEED)
        slots = np.array(sketches.to_rows(), dtype=np.uint64).reshape(len(keys), bands, rows)
        mixed = np.zeros((len(keys), bands), dtype=np.uint64)
        for row in range(rows):
            mixed = (mixed + slots[:, :, row]) * _BASE
            mixed ^= mixed >> np.uint64(29)
        following = np.roll(mixed, -1, axis=1) >> np.uint64(64 - _NEXT_BITS)
        return cls((mixed & ~_NEXT) | following, (grams >> np.uint64(32)).astype(np.uint32), np.diff(starts))

    def only(self, places: Places) -> "ShortSketch":
        """Some of the texts, in ascending order."""
        wanted = np.zeros(len(self.sizes), dtype=bool)
        wanted[places] = True
        return ShortSketch(self.bands[wanted], self.grams[np.repeat(wanted, self.sizes)], self.sizes[wanted])


class ShortTexts:
    """An index of short texts.

    Args:
        sketches: Of the texts, each different.
        threshold: Jaccard overlap, above 0 to 1, from which two texts are near-duplicates.
    """

    def __init__(self, sketches: ShortSketch, threshold: float) -> None:
        self._threshold = threshold
        order = np.argsort(sketches.bands, axis=0, kind="stable")
        self._bands = np.ascontiguousarray(np.take_along_axis(sketches.bands, order, axis=0).T)
        self._texts = np.ascontiguousarray(order.T.astype(np.int32))
        self._grams = sketches.grams
        self._starts = np.concatenate(([0], np.cumsum(sketches.sizes)))

    def near(self, keys: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether each text (none empty) is a near-duplicate of an indexed one."""
        found = np.zeros(len(keys), dtype=bool)
        if self._texts.shape[1]:
            for begin in range(0, len(keys), _BATCH):
                part = slice(begin, begin + _BATCH)
                found[part] = self._near(ShortSketch.of(keys[part], self._threshold))
        return found

    def save(self, folder: Path) -> None:
        """Write the index as files that several processes can read at once."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            np.save(folder / f"{name}.npy", getattr(self, f"_{name}"))

    @classmethod
    def load(cls, folder: Path, threshold: float) -> Self:
        """What :meth:`save` wrote, left on the disk until it is needed."""
        index = cls(ShortSketch.of([], threshold), threshold)
        for name in _FILES:
            setattr(index, f"_{name}", np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")))
        return index

    def _near(self, asked: ShortSketch) -> npt.NDArray[np.bool_]:
        firsts, counts = self._buckets(asked.bands)
        owners = np.repeat(np.arange(len(asked.sizes), dtype=np.uint64), asked.sizes)
        known = owners << np.uint64(32) | asked.grams
        found = np.zeros(len(asked.sizes), dtype=bool)
        for begin, end in _spans(counts.sum(axis=0)):
            queries, texts, places = self._candidates(firsts[:, begin:end], counts[:, begin:end], begin, asked.sizes)
            for least, most in _ROUNDS:
                wanted = np.flatnonzero((places >= least) & (places < most) & ~found[queries])
                sizes = self._starts[texts[wanted] + 1] - self._starts[texts[wanted]]
                for one, other in _spans(sizes):
                    part = wanted[one:other]
                    found[self._verified(queries[part], texts[part], known, asked.sizes)] = True
        return found

    def _buckets(self, bands: _Matrix) -> tuple[Places, Places]:
        """For each band and query the place of the first indexed text to look at, and how many: [bands, queries]."""
        firsts = np.empty(bands.shape[::-1], dtype=np.int64)
        ends = np.empty_like(firsts)
        for band, values in enumerate(bands.T):
            place = np.searchsorted(self._bands[band], values)
            firsts[band] = np.maximum(np.searchsorted(self._bands[band], values & ~_NEXT), place - _WINDOW)
            ends[band] = np.minimum(np.searchsorted(self._bands[band], values | _NEXT, side="right"), place + _WINDOW)
        return firsts, ends - firsts

    def _candidates(self, firsts: Places, counts: Places, query: int, sizes: Places) -> tuple[Places, Places, Places]:
        """Pairs of a query and an indexed text that share a band, and each one's place in the order of bands shared."""
        bands = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
        queries = query + np.repeat(np.tile(np.arange(counts.shape[1]), len(counts)), counts.ravel())
        texts = self._texts[bands, spread(firsts.ravel(), counts.ravel())].astype(np.int64)
        pairs, shared = np.unique(queries << 32 | texts, return_counts=True)
        queries, texts = pairs >> 32, pairs & 0xFFFFFFFF
        lengths = self._starts[texts + 1] - self._starts[texts]
        fit = np.minimum(sizes[queries], lengths) >= self._threshold * np.maximum(sizes[queries], lengths)
        queries, texts, shared = queries[fit], texts[fit], shared[fit]
        order = np.lexsort((texts, -shared, queries))
        queries, texts = queries[order], texts[order]
        return queries, texts, np.arange(len(queries)) - np.searchsorted(queries, queries)

    def _verified(self, queries: Places, texts: Places, known: Hashes, sizes: Places) -> Places:
        """The queries of those pairs whose overlap, counted in full, reaches the threshold."""
        counts = self._starts[texts + 1] - self._starts[texts]
        pairs = np.repeat(np.arange(len(texts)), counts)
        wanted = queries.astype(np.uint64)[pairs] << np.uint64(32) | self._grams[spread(self._starts[texts], counts)]
        found = known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted
        shared = np.bincount(pairs[found], minlength=len(texts))
        near: Places = queries[shared >= self._threshold * (sizes[queries] + counts - shared)]
        return near


@cache
def shape_of(threshold: float) -> tuple[int, int]:
    """Rows of a band, and bands of a sketch: the longest bands of which not too many are needed."""
    for rows in range(_MOST_ROWS, 1, -1):
        chance = threshold**rows
        bands = 1 if chance >= 1 else math.ceil(math.log(_MISSED) / math.log1p(-chance))
        if rows * bands <= _MOST_SLOTS:
            return rows, bands
    return 1, _MOST_SLOTS


def spread(firsts: Places, counts: Places) -> Places:
    """The numbers of several ranges, one range after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(firsts - ends + counts, counts)


def joined_sketches(parts: Sequence[ShortSketch], threshold: float) -> ShortSketch:
    """Several sketches as one."""
    parts = parts or [ShortSketch.of([], threshold)]
    return ShortSketch(
        np.concatenate([part.bands for part in parts]),
        np.concatenate([part.grams for part in parts]),
        np.concatenate([part.sizes for part in parts]),
    )


def _spans(sizes: Places) -> Iterator[tuple[int, int]]:
    """Ranges whose sizes sum up to no more than a chunk, but of one at least."""
    ends = np.cumsum(sizes)
    begin, done = 0, 0
    while begin < len(ends):
        end = max(begin + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
        yield begin, end
        begin, done = end, int(ends[end - 1])
