"""Sets of 64-bit hashes, larger than memory if need be."""

from pathlib import Path
from typing import Self

import numpy as np

from medloom.guard.hashes import Hashes

_IN_MEMORY = 4_000_000
_PARTS = 64
_SHIFT = np.uint64(58)


class HashSet:
    """Hashes that are added in any order, each kept once, and read back sorted.

    Above four million (32 MB) they are dealt out to 64 files by their first bits and sorted file by file, so that memory
    stays the same whatever their number.

    Args:
        folder: Where the files may lie; without one everything stays in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._fresh: list[Hashes] = []
        self._waiting = 0
        self._sorted: Hashes = np.empty(0, dtype=np.uint64)
        self._spilled = False
        self._whole: Hashes | None = None

    @classmethod
    def of(cls, file: Path) -> Self:
        """The set whose hashes a file holds, sorted; they stay on the disk until they are needed."""
        made = cls()
        if file.stat().st_size:
            made._sorted = np.asarray(np.memmap(file, dtype=np.uint64, mode="r"))
        return made

    def add(self, hashes: Hashes) -> None:
        """Add hashes, some of which may be there already."""
        self._whole = None
        self._fresh.append(hashes)
        self._waiting += len(hashes)
        if self._folder is not None and self._waiting >= _IN_MEMORY:
            self._spill(self._folder)

    def sorted(self) -> Hashes:
        """All of them, sorted; more can be added afterwards."""
        if self._spilled and self._folder is not None:
            if self._whole is None:
                self._spill(self._folder)
                self._whole = self._gathered(self._folder)
            return self._whole
        if self._fresh:
            self._sorted = np.unique(np.concatenate((self._sorted, *self._fresh)))
            self._fresh, self._waiting = [], 0
        return self._sorted

    def _spill(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        hashes = np.unique(np.concatenate((self._sorted, *self._fresh)))
        ends = np.searchsorted(hashes >> _SHIFT, np.arange(1, _PARTS + 1, dtype=np.uint64))
        for part, values in enumerate(np.split(hashes, ends[:-1])):
            with (folder / f"part-{part:02d}").open("ab") as f:
                values.tofile(f)
        self._fresh, self._waiting, self._sorted, self._spilled = [], 0, np.empty(0, dtype=np.uint64), True

    def _gathered(self, folder: Path) -> Hashes:
        whole = folder / "sorted"
        with whole.open("wb") as f:
            for part in range(_PARTS):
                np.unique(np.fromfile(folder / f"part-{part:02d}", dtype=np.uint64)).tofile(f)
        return np.asarray(np.memmap(whole, dtype=np.uint64, mode="r"))
