"""Which of the clean pairs stay: each pair of texts once, and so many of each task, drawn by seeded hash."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medloom.guard.hashes import Hashes, Places
from medloom.guard.parts import Verdicts


def repeated(clean: npt.NDArray[np.bool_], pairs: Sequence[Hashes]) -> npt.NDArray[np.bool_]:
    """Which clean pairs have the texts of an earlier clean pair.

    Args:
        clean: For each pair whether it is clean.
        pairs: A hash of the texts of each pair, shard by shard.
    """
    again = np.zeros(len(clean), dtype=bool)
    places = np.flatnonzero(clean)
    if len(places):
        firsts = np.unique(np.concatenate(pairs)[places], return_index=True)[1]
        again[places] = True
        again[places[firsts]] = False
    return again


def drawn(keep: npt.NDArray[np.bool_], found: Sequence[Verdicts], limit: int) -> list[Places]:
    """At most ``limit`` pairs of each task, the smallest ranks, whatever order the pairs come in.

    Args:
        keep: For each pair whether it is to be drawn from.
        found: Tasks and ranks of the pairs, shard by shard.
        limit: How many of a task.

    Returns:
        For each task, in the order of their names, the numbers of its pairs in the order of the draw.
    """
    names = sorted({name for part in found for name in part.tasks})
    numbers = {name: number for number, name in enumerate(names)}
    tasks = np.concatenate(
        [
            np.empty(0, dtype=np.int64),
            *(np.array([numbers[name] for name in part.tasks], dtype=np.int64)[part.task] for part in found),
        ]
    )
    places = np.flatnonzero(keep)
    if not len(places):
        return []
    ranks = np.concatenate([part.ranks for part in found])[places]
    order = np.lexsort((places, ranks, tasks[places]))
    bounds = np.searchsorted(tasks[places][order], np.arange(len(names) + 1))
    chosen = [places[order[begin : min(end, begin + limit)]] for begin, end in pairwise(bounds)]
    return [rows for rows in chosen if len(rows)]
