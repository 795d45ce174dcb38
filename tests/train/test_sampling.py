"""Batches: none with a key twice, the library's own where nothing else is asked, in pieces for several processes."""

import random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers.base.sampler import NoDuplicatesBatchSampler, ProportionalBatchSampler
from torch.utils.data import ConcatDataset

from medloom.records import TrainingRecord
from medloom.train.pairs import Row, datasets_of_rows, keys_of, rows_of
from medloom.train.sampling import PairSampler, Plan, shares


def some_rows(count: int, kinds: tuple[str, ...] = ("x",), words: int = 40, seed: int = 0) -> list[Row]:
    rng = random.Random(seed)
    records = [
        TrainingRecord(f"q{rng.randrange(words)}", (f"p{rng.randrange(words)}",), kinds[i % len(kinds)], "own", f"d{i // 4}")
        for i in range(count)
    ]
    return rows_of(records, "first")


def settings(batch: int) -> dict[str, Any]:
    return {"batch_size": batch, "drop_last": False, "generator": torch.Generator(), "seed": 5}


def mixture(rows: list[Row], plan: Plan, batch: int) -> tuple[Any, list[int]]:
    """The sampler over all sets, and the row that stands at each place."""
    datasets = datasets_of_rows(rows, "set")
    samplers = [plan.of_set(data, **settings(batch)) for data in datasets.values()]
    joint: Any = ConcatDataset(list(datasets.values()))
    places = [row for data in datasets.values() for row in data["label"]]
    return plan.of_all(joint, batch_samplers=samplers, generator=torch.Generator(), seed=5), places


@pytest.mark.parametrize("epoch", [0, 3])
@pytest.mark.parametrize("words", [8, 40, 1_000])
def test_the_batches_are_the_librarys(words: int, epoch: int) -> None:
    rows = some_rows(90, words=words)
    data = datasets_of_rows(rows, "set")["own/x/0"]
    ours = PairSampler(data, keys_of(rows, [], "texts"), **settings(8))
    theirs = NoDuplicatesBatchSampler(data.remove_columns("label"), **settings(8))
    for sampler in (ours, theirs):
        sampler.set_epoch(epoch)
    expected = list(theirs)
    assert list(ours) == expected
    assert sorted(place for batch in expected for place in batch) == list(range(90))
    assert len(ours) == len(theirs) == 12


def test_so_are_those_of_several_sets() -> None:
    rows = some_rows(70, ("x", "y", "x"))
    plan = Plan(keys_of(rows, [], "texts"))
    ours, _ = mixture(rows, plan, 8)
    datasets = datasets_of_rows(rows, "set")
    shared = torch.Generator()
    theirs = ProportionalBatchSampler(
        ConcatDataset(list(datasets.values())),
        [
            NoDuplicatesBatchSampler(d.remove_columns("label"), **settings(8) | {"generator": shared})
            for d in datasets.values()
        ],
        generator=shared,
        seed=5,
    )
    assert list(ours) == list(theirs)


@given(st.integers(2, 60), st.integers(2, 20), st.integers(1, 4), st.integers(2, 9))
def test_no_batch_has_a_key_twice_and_processes_get_equal_pieces(count: int, words: int, world: int, batch: int) -> None:
    rows = some_rows(count, words=words)
    keys = keys_of(rows, [], "documents")
    sampler, places = mixture(rows, Plan(keys, world=world), batch)
    pieces = list(sampler)
    assert len(pieces) % world == 0
    for start in range(0, len(pieces), world):
        together = pieces[start : start + world]
        assert len({len(piece) for piece in together}) == 1
        assert 0 < len(together[0]) <= batch
        found = [key for piece in together for place in piece for key in keys[places[place]]]
        assert len(found) == len(set(found))


def test_an_order_keeps_neighbours_in_a_batch() -> None:
    rows = some_rows(64, words=10_000)
    data = datasets_of_rows(rows, "set")["own/x/0"]
    sampler = PairSampler(data, keys_of(rows, [], "texts"), lambda rows, shuffled, epoch: sorted(shuffled), **settings(8))
    batches = list(sampler)
    assert sorted(batches) == [list(range(start, start + 8)) for start in range(0, 64, 8)]
    assert batches != sorted(batches)
    nowhere = PairSampler(data, keys_of(rows, [], "texts"), lambda *_: None, **settings(8))
    assert list(nowhere) == list(PairSampler(data, keys_of(rows, [], "texts"), **settings(8)))


def test_alpha_shares_batches_out() -> None:
    assert shares([900, 90, 10], 20, 1.0) == [16, 3, 1]
    assert shares([900, 90, 10], 21, 0.0) == [7, 7, 7]
    assert shares([900, 90, 10], 20, 0.5) == [13, 5, 2]
    assert shares([5, 5], 3, 0.0) == [2, 1]


def test_small_sets_are_drawn_again_in_another_order() -> None:
    rows = some_rows(160, ("x", "x", "x", "x", "y"), words=10_000)
    plan = Plan(keys_of(rows, [], "texts"), alpha=0.0)
    sampler, places = mixture(rows, plan, 8)
    tasks = [[rows[places[place]].task for place in batch] for batch in sampler]
    assert len(tasks) == len(sampler) == 20
    assert sum(batch[0] == "own/y" for batch in tasks) == 10
    assert all(len(set(batch)) == 1 for batch in tasks)
    small = [tuple(batch) for batch in sampler if rows[places[batch[0]]].task == "own/y"]
    assert len(set(small)) == len(small)
    sampler.set_epoch(1)
    assert [tuple(b) for b in sampler if rows[places[b[0]]].task == "own/y"] != small
