"""Exact nearest neighbours against brute force."""

from typing import Any, cast

import numpy as np
import pytest

from medloom.mine.topk import Floats, Ints, top_k


def unit(rows: int, seed: int, d: int = 8) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(rows, d)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def all_of(queries: Floats, candidates: Floats, k: int, **blocks: int) -> tuple[Floats, Ints]:
    found = list(top_k(queries, candidates, k, **blocks))
    assert [start for start, _, _ in found] == list(np.cumsum([0, *(len(s) for _, s, _ in found)])[:-1])
    return np.concatenate([s for _, s, _ in found]), np.concatenate([n for _, _, n in found])


@pytest.mark.parametrize(("query_block", "candidate_block"), [(1, 1), (7, 5), (3, 100), (100, 4), (1_024, 16_384)])
@pytest.mark.parametrize("k", [1, 4, 49, 50, 200])
def test_parity_with_brute_force(k: int, query_block: int, candidate_block: int) -> None:
    queries, candidates = unit(20, 0), unit(50, 1)
    scores, numbers = all_of(queries, candidates, k, query_block=query_block, candidate_block=candidate_block)
    whole = queries @ candidates.T
    expected = np.argsort(-whole, axis=1, kind="stable")[:, :k]
    assert scores.shape == numbers.shape == (20, min(k, 50))
    assert scores.dtype == np.float32
    assert numbers.dtype == np.int64
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_allclose(scores, np.take_along_axis(whole, expected, axis=1), atol=1e-6)


def test_equal_candidates_are_each_found_once() -> None:
    candidates = np.repeat(unit(5, 1), 4, axis=0)
    scores, numbers = all_of(unit(6, 0), candidates, 20, candidate_block=3)
    assert all(sorted(row) == list(range(20)) for row in numbers.tolist())
    assert (np.diff(scores, axis=1) <= 0).all()


def test_no_queries_or_no_candidates() -> None:
    assert list(top_k(unit(0, 0), unit(5, 1), 3)) == []
    scores, numbers = all_of(unit(4, 0), unit(0, 1), 3)
    assert scores.shape == numbers.shape == (4, 0)


def test_a_block_is_read_at_a_time() -> None:
    class Disk:
        """Stands for a memory-mapped array, and keeps what was asked of it."""

        def __init__(self, rows: Floats) -> None:
            self.rows = rows
            self.read: list[int] = []

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, part: slice) -> Floats:
            self.read.append(len(self.rows[part]))
            return self.rows[part]

    queries, candidates = Disk(unit(10, 0)), Disk(unit(30, 1))
    scores, _ = all_of(cast(Any, queries), cast(Any, candidates), 3, query_block=4, candidate_block=16)
    assert len(scores) == 10
    assert queries.read == [4, 4, 2]
    assert candidates.read == [16, 14] * 3


def test_memory_mapped_arrays_are_left_as_they_are(tmp_path: Any) -> None:
    np.save(tmp_path / "v.npy", unit(30, 1))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    scores, numbers = all_of(unit(4, 0), mapped, 5)
    np.testing.assert_array_equal(numbers, all_of(unit(4, 0), unit(30, 1), 5)[1])
    assert scores.shape == (4, 5)
