"""Texts as arrays of 64-bit hashes: the same in every process, 8 bytes each."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from medloom.identity import text_hash

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_BASE = np.uint64(0x9E3779B97F4A7C15)
_GRAM = 4
_FACTORS = tuple(np.uint64(f) for f in (0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3))
_MOST_WORDS = 1_000_000


class _WordHashes(dict[str, int]):
    """Hashes of the words of this process, each computed once."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _MOST_WORDS:
            self.clear()
        self[word] = value = hash_of(word)
        return value


_words = _WordHashes()


def hash_of(text: str) -> int:
    """64 bits of BLAKE2b."""
    return int.from_bytes(text_hash(text, 8))


def hashes_of(texts: Iterable[str]) -> Hashes:
    """:func:`hash_of` each text."""
    return np.array([hash_of(text) for text in texts], dtype=np.uint64)


def run_hashes(keys: Sequence[str], n: int) -> tuple[Hashes, Places]:
    """A hash for every run of ``n`` words of the texts.

    Args:
        keys: Texts, as :func:`~medloom.text.text_key` gives them.
        n: Words in a run, at least 1.

    Returns:
        The hashes in order, and the number of the text that each is of.
    """
    parts = [key.split(" ") for key in keys]
    lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    total = int(lengths.sum())
    runs = total - n + 1
    if runs <= 0:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    words = np.fromiter(map(_words.__getitem__, chain.from_iterable(parts)), dtype=np.uint64, count=total)
    mixed = words[:runs].copy()
    for place in range(1, n):
        mixed *= _BASE
        mixed += words[place : place + runs]
    owners = np.repeat(np.arange(len(parts)), lengths)
    within = owners[:runs] == owners[n - 1 :]
    return mixed[within], owners[:runs][within]


def gram_hashes(keys: Sequence[str]) -> tuple[Hashes, Places]:
    """The set of character 4-grams of each text, as :func:`~medloom.text.characters_key` gives it.

    Args:
        keys: Texts, as :func:`~medloom.text.text_key` gives them, none empty.

    Returns:
        The hashes of one text after the other, each text's sorted and unique, and the place of each text's first (and
        the end of the last text's).
    """
    padding = "\0" * (_GRAM - 1)
    raw = padding.join([*keys, ""]).encode("utf-32-le", "surrogatepass")
    letters = np.frombuffer(raw, dtype=np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
    counts = np.maximum(1, lengths - _GRAM + 1)
    starts = np.cumsum(lengths + len(padding)) - lengths - len(padding)
    owners = np.repeat(np.arange(len(keys)), counts)
    places = np.arange(len(owners)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    hashes = sum((letters[places + i] * factor for i, factor in enumerate(_FACTORS)), np.uint64(0))
    return unique_within(np.asarray(hashes, dtype=np.uint64), owners, len(keys))


def unique_within(hashes: Hashes, owners: Places, count: int) -> tuple[Hashes, Places]:
    """The sorted set of each owner's hashes.

    Args:
        hashes: Any number for each owner.
        owners: Whose each is, from 0.
        count: How many owners there are.

    Returns:
        The hashes of one owner after the other, and the place of each owner's first (and the end of the last owner's).
    """
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    first = np.ones(len(hashes), dtype=bool)
    first[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    sizes = np.bincount(owners[first], minlength=count)
    return hashes[first], np.concatenate(([0], np.cumsum(sizes)))


def is_in(values: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    """Whether each value is among the known ones, which are sorted.

    The values are looked up in their order: the search then goes through the known ones from one end to the other, not to
    and fro in memory, which is many times as fast where they are millions.
    """
    found = np.zeros(len(values), dtype=bool)
    if len(known):
        order = np.argsort(values)
        ascending = values[order]
        places = np.minimum(np.searchsorted(known, ascending), len(known) - 1)
        found[order] = known[places] == ascending
    return found
