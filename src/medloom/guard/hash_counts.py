"""How often each of very many 64-bit hashes came, larger than memory if need be."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloom.guard.hashes import Hashes

Counts = npt.NDArray[np.uint32]
_IN_MEMORY = 4_000_000
_PARTS = 64
_SHIFT = np.uint64(58)
_ROW = np.dtype([("hash", np.uint64), ("count", np.uint32)])


class HashCounts:
    """Hashes with counts that are added in any order, and read back sorted.

    Above four million rows (48 MB) they are dealt out to 64 files by their first bits and added up file by file, so that
    memory stays the same whatever their number.

    Args:
        folder: Where the files may lie; without one everything stays in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._fresh: list[tuple[Hashes, Counts]] = []
        self._waiting = 0
        self._spilled = False

    def add(self, hashes: Hashes, counts: Counts) -> None:
        """Add to the counts of some hashes."""
        self._fresh.append((hashes, counts))
        self._waiting += len(hashes)
        if self._folder is not None and self._waiting >= _IN_MEMORY:
            self._spill(self._folder)

    def up_to(self, most: int | None) -> Hashes:
        """The hashes that came at most so often, sorted; all of them if None. More can be added afterwards."""
        if not self._spilled or self._folder is None:
            return _few(*self._added(), most)
        self._spill(self._folder)
        whole = self._folder / "sorted"
        with whole.open("wb") as f:
            for part in range(_PARTS):
                rows = np.fromfile(self._folder / f"part-{part:02d}", dtype=_ROW)
                _few(*_sums(rows["hash"], rows["count"]), most).tofile(f)
        return np.memmap(whole, dtype=np.uint64, mode="r") if whole.stat().st_size else np.empty(0, dtype=np.uint64)

    def _added(self) -> tuple[Hashes, Counts]:
        """What has come since the last time that it was dealt out, added up."""
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *(hashes for hashes, _ in self._fresh)])
        counts = np.concatenate([np.empty(0, dtype=np.uint32), *(counts for _, counts in self._fresh)])
        whole = _sums(hashes, counts)
        self._fresh, self._waiting = [whole], len(whole[0])
        return whole

    def _spill(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        hashes, counts = self._added()
        rows = np.empty(len(hashes), dtype=_ROW)
        rows["hash"], rows["count"] = hashes, counts
        ends = np.searchsorted(hashes >> _SHIFT, np.arange(1, _PARTS + 1, dtype=np.uint64))
        for part, values in enumerate(np.split(rows, ends[:-1])):
            with (folder / f"part-{part:02d}").open("ab") as f:
                values.tofile(f)
        self._fresh, self._waiting, self._spilled = [], 0, True


def _sums(hashes: Hashes, counts: Counts) -> tuple[Hashes, Counts]:
    """Each hash once, sorted, with the sum of its counts."""
    order = np.argsort(hashes, kind="stable")
    hashes, counts = hashes[order], counts[order]
    first = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1]))) if len(hashes) else np.empty(0, np.int64)
    sums = np.add.reduceat(counts, first) if len(first) else counts
    return hashes[first], np.asarray(sums, dtype=np.uint32)


def _few(hashes: Hashes, counts: Counts, most: int | None) -> Hashes:
    return hashes if most is None else np.asarray(hashes[counts <= most])
