"""From the parts of a collection to one table, in which every document stands once.

A document that came several times (found by two searches, revised, on two pages) is there as it came last, under the
categories of all; one that was withdrawn after it came is not. Two passes over the parts, with 16 bytes in memory for each
row: it does not matter how many there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloom.artifacts import read_rows
from medloom.collect.parts import GONE, read_parts
from medloom.identity import text_hash
from medloom.records import Document


def assembled(paths: Sequence[Path], counts: dict[str, int]) -> Iterator[Document]:
    """Yield every document of the parts once.

    Args:
        paths: The parts, in order.
        counts: Filled with ``again`` (how often a document came that is there already) and ``withdrawn`` (documents).
    """
    hashes, gone = _ids(paths)
    last = _last_of_each(hashes)
    keep = last & ~gone
    lost = np.isin(hashes, hashes[last & gone]) & ~gone
    counts["withdrawn"] = len(np.unique(hashes[lost]))
    counts["again"] = int((~gone & ~lost).sum() - keep.sum())
    repeated = np.unique(hashes[~last])
    categories = _categories(paths, hashes, repeated) if len(repeated) else {}
    for kept, row in zip(keep.tolist(), read_parts(paths), strict=True):
        if kept:
            all_of_it = categories.get(row.id, row.categories)
            yield row if all_of_it == row.categories else replace(row, categories=all_of_it)


def _ids(paths: Sequence[Path]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Of every row the hash of its id, and whether it stands for a withdrawn document."""
    hashes, gone = [], []
    for path in paths:
        rows = list(read_rows(path, ["id", "source"]))
        hashes.append(np.fromiter((_hash(row["id"]) for row in rows), np.uint64, len(rows)))
        gone.append(np.fromiter((row["source"] == GONE for row in rows), np.bool_, len(rows)))
    if not hashes:
        return np.empty(0, np.uint64), np.empty(0, np.bool_)
    return np.concatenate(hashes), np.concatenate(gone)


def _last_of_each(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which rows are the last of their id."""
    last = np.zeros(len(hashes), np.bool_)
    _, places = np.unique(hashes[::-1], return_index=True)
    last[len(hashes) - 1 - places] = True
    return last


def _categories(
    paths: Sequence[Path], hashes: npt.NDArray[np.uint64], repeated: npt.NDArray[np.uint64]
) -> dict[str, tuple[str, ...]]:
    """The categories of documents that came more than once, all of each in the order in which they came."""
    found: dict[str, dict[str, None]] = {}
    wanted = np.isin(hashes, repeated).tolist()
    rows = (row for path in paths for row in read_rows(path, ["id", "source", "categories"]))
    for is_repeated, row in zip(wanted, rows, strict=True):
        if is_repeated and row["source"] != GONE:
            found.setdefault(row["id"], {}).update(dict.fromkeys(row["categories"]))
    return {identity: tuple(names) for identity, names in found.items()}


def _hash(identity: str) -> int:
    return int.from_bytes(text_hash(identity, 8))
