"""Which texts have been seen, by 128-bit hashes of them, and where their rows are."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[Any]

RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("start", "<i8"), ("count", "<i8")])
_STEP = 2


def text_keys(texts: Sequence[str]) -> Keys:
    """128-bit BLAKE2b of each text, uint64, shape (n, 2)."""
    joined = b"".join(hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=16).digest() for t in texts)
    return np.frombuffer(joined, dtype="<u8").reshape(-1, 2)


def as_records(keys: Keys, starts: Ints, counts: Ints) -> Rows:
    """What says that the rows of each key begin at ``starts`` and are ``counts``, each int64, shape (n,)."""
    records = np.empty(len(keys), dtype=RECORD)
    records["high"], records["low"] = keys[:, 0], keys[:, 1]
    records["start"], records["count"] = starts, counts
    return records


class KeyIndex:
    """Where the rows of a key are: 40 bytes a key.

    Records lie in sorted arrays, each more than twice as long as the next (a log-structured merge: O'Neil et al. 1996), so
    that adding a few to very many does not sort all of them anew.
    """

    def __init__(self) -> None:
        self._sorted: list[tuple[Rows, Keys]] = []
        self._new: list[Rows] = []

    def add(self, records: Rows) -> None:
        """Take in records; see :func:`as_records`."""
        self._new.append(records)

    def find(self, keys: Keys) -> Ints:
        """Start and count of each key's rows, shape (n, 2); (-1, 0) for those that are not there."""
        self._merge()
        spans = np.tile(np.array([-1, 0], dtype=np.int64), (len(keys), 1))
        for records, high in self._sorted:
            left = np.flatnonzero(spans[:, 0] < 0)
            at = np.searchsorted(high, keys[:, 0])
            while len(left):
                left = left[at[left] < len(high)]
                left = left[high[at[left]] == keys[left, 0]]
                right = records["low"][at[left]] == keys[left, 1]
                found = records[at[left[right]]]
                spans[left[right]] = np.stack([found["start"], found["count"]], axis=1)
                left = left[~right]
                at[left] += 1
        return spans

    def _merge(self) -> None:
        if not self._new:
            return
        fresh = np.concatenate(self._new)
        self._new = []
        while self._sorted and len(self._sorted[-1][0]) <= _STEP * len(fresh):
            fresh = np.concatenate([self._sorted.pop()[0], fresh])
        if len(fresh):
            records = fresh[np.argsort(fresh["high"], kind="stable")]
            self._sorted.append((records, np.ascontiguousarray(records["high"])))
