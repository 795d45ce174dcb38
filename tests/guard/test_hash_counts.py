"""Counts of hashes, in memory and spilled."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.guard import hash_counts
from medloom.guard.hash_counts import HashCounts

PARTS = st.lists(st.dictionaries(st.integers(0, 2**64 - 1) | st.integers(0, 9), st.integers(1, 3), max_size=6), max_size=6)


def _add(counts: HashCounts, part: dict[int, int]) -> None:
    counts.add(np.array(list(part), dtype=np.uint64), np.array(list(part.values()), dtype=np.uint32))


def _expected(parts: list[dict[int, int]], most: int | None) -> list[int]:
    sums: Counter[int] = Counter()
    for part in parts:
        sums.update(part)
    return sorted(h for h, n in sums.items() if most is None or n <= most)


@given(PARTS, st.sampled_from([None, 1, 2, 4]))
def test_counts_are_added_up(parts: list[dict[int, int]], most: int | None) -> None:
    counts = HashCounts()
    for part in parts:
        _add(counts, part)
        counts.up_to(most)
    assert counts.up_to(most).tolist() == _expected(parts, most)


def test_files_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_counts, "_IN_MEMORY", 50)
    draw = np.random.default_rng(3)
    parts = [dict.fromkeys((draw.integers(0, 60, 20, dtype=np.uint64) << np.uint64(58)).tolist(), 1) for _ in range(9)]
    counts = HashCounts(tmp_path / "c")
    for number, part in enumerate(parts, start=1):
        _add(counts, part)
        for most in (None, 2):
            assert counts.up_to(most).tolist() == _expected(parts[:number], most)
    assert len(list((tmp_path / "c").iterdir())) == 65


def test_nothing(tmp_path: Path) -> None:
    assert HashCounts(tmp_path).up_to(3).tolist() == []
