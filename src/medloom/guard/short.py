"""Near-duplicates among short texts: every pair above a threshold, found exactly and without comparing all with all.

Two sets whose Jaccard overlap is at least t share one of their rarest elements: of a set of n, one of the first
n - ceil(t n) + 1, in an order that is the same for all sets (prefix filter: Chaudhuri et al. 2006; Bayardo et al. 2007,
"Scaling up all pairs similarity search"). With the rarest first, what thousands of texts have in common (a template, a
common phrase) does not bring them together, which sketches cannot avoid.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from medloom.guard.hashes import Hashes, Places, gram_hashes

_BATCH = 4_096
_CHUNK = 2_000_000
_SLACK = 1e-9
_FILES = ("codes", "ranks", "grams", "starts", "texts", "firsts")
_Ints = npt.NDArray[np.int32]


class ShortTexts:
    """An index of short texts by their sets of character 4-grams.

    Args:
        threshold: Jaccard overlap, above 0 to 1, from which two texts are near-duplicates.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._codes: Hashes = np.empty(0, dtype=np.uint64)
        self._ranks: _Ints = np.empty(0, dtype=np.int32)
        self._grams: _Ints = np.empty(0, dtype=np.int32)
        self._starts: Places = np.zeros(1, dtype=np.int64)
        self._texts: _Ints = np.empty(0, dtype=np.int32)
        self._firsts: Places = np.zeros(1, dtype=np.int64)

    @classmethod
    def build(cls, keys: list[str], threshold: float) -> Self:
        """Index texts, given as :func:`~medloom.text.text_key` gives them, none empty."""
        index = cls(threshold)
        if not keys:
            return index
        index._codes, frequencies = _vocabulary(keys)
        order = np.argsort(frequencies, kind="stable")
        index._ranks = np.empty(len(order), dtype=np.int32)
        index._ranks[order] = np.arange(len(order), dtype=np.int32)
        grams, sizes, rare, owners = [], [], [], []
        number = 0
        for batch in _batches(keys):
            ranks, starts = index._ranked(batch)
            prefix = index._prefix(starts)
            grams.append(ranks)
            sizes.append(np.diff(starts))
            rare.append(ranks[prefix])
            owners.append((number + _owners(starts)[prefix]).astype(np.int32))
            number += len(batch)
        index._grams = np.concatenate(grams)
        index._starts = np.concatenate(([0], np.cumsum(np.concatenate(sizes))))
        joined = np.concatenate(rare)
        index._texts = np.concatenate(owners)[np.argsort(joined, kind="stable")]
        index._firsts = np.concatenate(([0], np.cumsum(np.bincount(joined, minlength=len(order)))))
        return index

    def near(self, keys: list[str]) -> npt.NDArray[np.bool_]:
        """Whether each text (none empty) is a near-duplicate of an indexed one."""
        found = np.zeros(len(keys), dtype=bool)
        if not len(self._codes):
            return found
        for begin in range(0, len(keys), _BATCH):
            part = slice(begin, begin + _BATCH)
            found[part] = self._near(keys[part])
        return found

    def save(self, folder: Path) -> None:
        """Write the index as files that several processes can read at once."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            np.save(folder / f"{name}.npy", getattr(self, f"_{name}"))

    @classmethod
    def load(cls, folder: Path, threshold: float) -> Self:
        """What :meth:`save` wrote, left on the disk until it is needed."""
        index = cls(threshold)
        for name in _FILES:
            setattr(index, f"_{name}", np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")))
        return index

    @property
    def _stride(self) -> int:
        """Ranks of one query, and 0 for what no indexed text has."""
        return len(self._codes) + 1

    def _near(self, keys: list[str]) -> npt.NDArray[np.bool_]:
        ranks, starts = self._ranked(keys)
        owners = _owners(starts)
        asked = np.flatnonzero(self._prefix(starts) & (ranks >= 0))
        found = np.zeros(len(keys), dtype=bool)
        known = owners * self._stride + ranks + 1
        for chunk in self._chunks(ranks[asked]):
            places = asked[chunk]
            places = places[~found[owners[places]]]
            queries, texts = self._candidates(owners[places], ranks[places], np.diff(starts))
            for begin, end in _spans(self._starts[texts + 1] - self._starts[texts]):
                hits = self._verified(queries[begin:end], texts[begin:end], known, np.diff(starts))
                found[hits] = True
        return found

    def _ranked(self, keys: list[str]) -> tuple[_Ints, Places]:
        """The ranks of each text's grams, rarest first, an unknown one as -1; and the place of each text's first."""
        codes, starts = gram_hashes(keys)
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        ranks = np.where(self._codes[places] == codes, self._ranks[places], np.int32(-1)).astype(np.int32)
        return ranks[np.lexsort((ranks, _owners(starts)))], starts

    def _prefix(self, starts: Places) -> npt.NDArray[np.bool_]:
        """Of the grams of texts, rarest first: which stand among those that a near-duplicate must share one of."""
        sizes = np.diff(starts)
        shared = np.ceil(self._threshold * sizes - _SLACK).astype(np.int64)
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes)
        return np.asarray(within < np.repeat(sizes - shared + 1, sizes))

    def _chunks(self, ranks: _Ints) -> Iterator[slice]:
        """Slices of prefix grams that bring up a bounded number of candidates each."""
        for begin, end in _spans(self._firsts[ranks + 1] - self._firsts[ranks]):
            yield slice(begin, end)

    def _candidates(self, queries: Places, ranks: _Ints, sizes: Places) -> tuple[Places, Places]:
        """Pairs of a query and an indexed text that share a prefix gram and could be near-duplicates by their sizes."""
        firsts = self._firsts[ranks]
        counts = self._firsts[ranks + 1] - firsts
        places = np.arange(int(counts.sum())) + np.repeat(firsts - (np.cumsum(counts) - counts), counts)
        texts = self._texts[places].astype(np.int64)
        queries = np.repeat(queries, counts)
        small = np.minimum(sizes[queries], self._starts[texts + 1] - self._starts[texts])
        large = np.maximum(sizes[queries], self._starts[texts + 1] - self._starts[texts])
        pairs = np.unique((queries << 32 | texts)[small >= self._threshold * large - _SLACK])
        return pairs >> 32, pairs & 0xFFFFFFFF

    def _verified(self, queries: Places, texts: Places, known: Places, sizes: Places) -> Places:
        """The queries of those pairs whose overlap, counted in full, reaches the threshold."""
        firsts = self._starts[texts]
        counts = self._starts[texts + 1] - firsts
        pairs = np.repeat(np.arange(len(texts)), counts)
        places = np.arange(len(pairs)) + np.repeat(firsts - (np.cumsum(counts) - counts), counts)
        wanted = queries[pairs] * self._stride + self._grams[places] + 1
        found = known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted
        shared = np.bincount(pairs[found], minlength=len(texts))
        return queries[shared >= self._threshold * (sizes[queries] + counts - shared)]


def _vocabulary(keys: list[str]) -> tuple[Hashes, Places]:
    """Every gram of the texts, sorted, and how many texts have it."""
    codes: Hashes = np.empty(0, dtype=np.uint64)
    counts: Places = np.empty(0, dtype=np.int64)
    for batch in _batches(keys):
        more, of_more = np.unique(gram_hashes(batch)[0], return_counts=True)
        joined, places = np.unique(np.concatenate((codes, more)), return_inverse=True)
        counts = np.bincount(places, np.concatenate((counts, of_more)), len(joined)).astype(np.int64)
        codes = joined
    return codes, counts


def _batches(keys: list[str]) -> Iterator[list[str]]:
    return (keys[begin : begin + _BATCH] for begin in range(0, len(keys), _BATCH))


def _owners(starts: Places) -> Places:
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def _spans(sizes: Places) -> Iterator[tuple[int, int]]:
    """Ranges whose sizes sum up to no more than a chunk, but of one at least."""
    ends = np.cumsum(sizes)
    begin, done = 0, 0
    while begin < len(ends):
        end = max(begin + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
        yield begin, end
        begin, done = end, int(ends[end - 1])
