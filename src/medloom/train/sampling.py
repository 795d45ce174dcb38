"""Which pairs make a batch, and in which order the batches come."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler, MultiDatasetDefaultBatchSampler, ProportionalBatchSampler

from medloom.train.pairs import ROW

if TYPE_CHECKING:
    from datasets import Dataset
    from torch.utils.data import ConcatDataset

Keys = Sequence[frozenset[int]]


class Order(Protocol):
    """Puts rows that should meet in a batch next to each other."""

    def __call__(self, rows: Sequence[int], shuffled: Sequence[int], epoch: int) -> list[int] | None:
        """Places in ``rows`` in the order wanted, from the places at random; None to leave them at random."""


class PairSampler(DefaultBatchSampler):
    """Batches in which no key is found twice.

    With keys of texts and no order of its own it draws the very batches of sentence-transformers'
    NoDuplicatesBatchSampler: rows at random, those that clash with the batch put off to the next.

    Args:
        dataset: The rows, with their numbers in the column ``label``.
        keys: Of all rows, by number.
        order: Puts the rows of an epoch in an order.
        world: Processes that share a batch: it holds ``batch_size`` rows for each, and is cut to a multiple of them.
        settings: Of DefaultBatchSampler.
    """

    def __init__(
        self,
        dataset: "Dataset",
        keys: Keys,
        order: Order | None = None,
        world: int = 1,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(dataset, **settings)
        self.rows: list[int] = list(dataset[ROW])
        self._keys = keys
        self._order = order
        self._world = world
        self._size = self.batch_size * world

    def __iter__(self) -> Iterator[list[int]]:
        """Batches of one epoch, as places in the data set."""
        yield from self.drawn(0)

    def drawn(self, again: int) -> Iterator[list[int]]:
        """Batches of one pass; ``again`` numbers the passes of an epoch that has several."""
        generator = self.generator or torch.Generator()
        generator.manual_seed(self.seed + self.epoch + 10_000 * again)
        shuffled = torch.randperm(len(self.rows), generator=generator, dtype=torch.int32).tolist()
        ordered = self._order(self.rows, shuffled, self.epoch) if self._order else None
        if ordered is None:
            yield from self._batches(shuffled)
            return
        batches = list(self._batches(ordered))
        for number in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[number]

    def _batches(self, order: Sequence[int]) -> Iterator[list[int]]:
        stream: Iterator[int] = iter(order)
        waiting: deque[int] = deque()
        left = len(order)
        while left:
            batch: list[int] = []
            seen: set[int] = set()
            clashing: deque[int] = deque()
            while len(batch) < self._size:
                place = waiting.popleft() if waiting else next(stream, None)
                if place is None:
                    break
                keys = self._keys[self.rows[place]]
                if seen.isdisjoint(keys):
                    batch.append(place)
                    seen |= keys
                else:
                    clashing.append(place)
            waiting = clashing + waiting
            left -= len(batch)
            whole = len(batch) // self._world * self._world
            if whole:
                yield batch[:whole]

    def __len__(self) -> int:
        """Batches of an epoch, if few rows clash."""
        return -(-len(self.rows) // self._size)


class Proportional(ProportionalBatchSampler):
    """Batches of all sets in random order, each set as often as its size says, in pieces for several processes."""

    def __init__(self, dataset: "ConcatDataset[Any]", world: int = 1, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(dataset, **settings)
        self._world = world
        if world > 1:
            self.batch_size = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[list[int]]:
        """Pieces of batches: one for each process in turn."""
        for batch in super().__iter__():
            size = len(batch) // self._world
            for rank in range(self._world):
                yield batch[rank * size : (rank + 1) * size]

    def __len__(self) -> int:
        return super().__len__() * self._world


class Tempered(MultiDatasetDefaultBatchSampler):
    """Batches of all sets in random order; a set's share of them is its size to the power ``alpha``.

    Small sets are drawn several times in an epoch, shuffled anew; of large ones an epoch sees a part, another in each.
    """

    def __init__(self, dataset: "ConcatDataset[Any]", alpha: float, world: int = 1, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(dataset, **settings)
        self._world = world
        self._samplers: list[PairSampler] = settings["batch_samplers"]
        self.counts = shares([len(s.rows) for s in self._samplers], sum(map(len, self._samplers)), alpha)
        if world > 1:
            self.batch_size = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[list[int]]:
        """Pieces of batches: one for each process in turn."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        offsets = [0, *accumulate(len(sampler.rows) for sampler in self._samplers)]
        turns = [number for number, count in enumerate(self.counts) for _ in range(count)]
        streams = [_endless(sampler) for sampler in self._samplers]
        for turn in torch.randperm(len(turns), generator=generator).tolist():
            number = turns[turn]
            batch = [place + offsets[number] for place in next(streams[number], [])]
            size = len(batch) // self._world
            for rank in range(self._world if size else 0):
                yield batch[rank * size : (rank + 1) * size]

    def __len__(self) -> int:
        return sum(self.counts) * self._world


@dataclass(frozen=True)
class Plan:
    """How the rows of a training set become batches.

    Attributes:
        keys: What of each row may not stand in a batch twice, by the row's number.
        alpha: See :class:`Tempered`; 1 shares batches out by size.
        order: Puts the rows of an epoch in an order.
        world: Processes that share a batch.
    """

    keys: Keys
    alpha: float = 1.0
    order: Order | None = None
    world: int = 1

    def of_set(self, dataset: "Dataset", **settings: Any) -> PairSampler:  # noqa: ANN401
        """The sampler of one data set; settings as for DefaultBatchSampler."""
        return PairSampler(dataset, self.keys, self.order, self.world, **settings)

    def of_all(self, dataset: "ConcatDataset[Any]", **settings: Any) -> MultiDatasetDefaultBatchSampler:  # noqa: ANN401
        """The sampler of several; settings as for MultiDatasetDefaultBatchSampler."""
        if self.alpha == 1:
            return Proportional(dataset, self.world, **settings)
        return Tempered(dataset, self.alpha, self.world, **settings)


def _endless(sampler: PairSampler) -> Iterator[list[int]]:
    """Batches of one pass after another."""
    again = 0
    while True:
        batches = list(sampler.drawn(again))
        if not batches:
            return
        yield from batches
        again += 1


def shares(sizes: Sequence[int], batches: int, alpha: float) -> list[int]:
    """How many of the batches each set gets: at least one, the rest by size to the power ``alpha`` (largest remainders)."""
    weights = [size**alpha for size in sizes]
    free = batches - len(sizes)
    wanted = [free * weight / sum(weights) for weight in weights]
    counts = [1 + int(w) for w in wanted]
    by_rest = sorted(range(len(sizes)), key=lambda i: (int(wanted[i]) - wanted[i], i))
    for i in by_rest[: batches - sum(counts)]:
        counts[i] += 1
    return counts
