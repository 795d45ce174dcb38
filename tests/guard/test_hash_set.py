"""Sets of hashes, in memory and beyond."""

from pathlib import Path

import numpy as np
import pytest

from medloom.guard import hash_set
from medloom.guard.hash_set import HashSet


@pytest.mark.parametrize("limit", [10, 1_000_000])
def test_each_hash_once_sorted_whatever_fits_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(hash_set, "_IN_MEMORY", limit)
    rng = np.random.default_rng(1)
    kept, values = HashSet(tmp_path / "set"), np.empty(0, dtype=np.uint64)
    for size in (5, 0, 30, 7, 100):
        fresh = rng.integers(0, 2**64, size, dtype=np.uint64)
        values = np.concatenate((values, fresh))
        kept.add(fresh)
        kept.add(fresh[: size // 2])
        assert np.array_equal(kept.sorted(), np.unique(values))
        assert np.array_equal(kept.sorted(), np.unique(values))
    assert (tmp_path / "set").exists() == (limit == 10)


def test_without_a_folder_all_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_set, "_IN_MEMORY", 2)
    kept = HashSet()
    kept.add(np.array([3, 1, 2, 3], dtype=np.uint64))
    assert kept.sorted().tolist() == [1, 2, 3]


def test_a_set_from_a_file(tmp_path: Path) -> None:
    np.array([1, 5, 9], dtype=np.uint64).tofile(tmp_path / "some")
    (tmp_path / "none").touch()
    assert HashSet.of(tmp_path / "some").sorted().tolist() == [1, 5, 9]
    assert HashSet.of(tmp_path / "none").sorted().tolist() == []
