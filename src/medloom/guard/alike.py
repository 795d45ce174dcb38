"""What documents look like: their runs of three words, and sketches of these (MinHash: Broder 1997)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.guard.hashes import Hashes, Places, hash_of, run_hashes, unique_within
from medloom.records import Document
from medloom.shards import Shard
from medloom.text import text_key

SLOTS = 128
_RUN = 3
_SEED = 42
_CHANCE = 0.999
_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Looks:
    """Sketches of some documents.

    Attributes:
        texts: A hash of each document's whole text, normalised; 0 where it has no words.
        bands: Hashes of the bands of its sketch, [documents, bands].
        slots: The last byte of each number of its sketch, [documents, 128].
        long: Whether it has a run of words at all; without, it has no near-duplicates.
    """

    texts: Hashes
    bands: npt.NDArray[np.uint64]
    slots: npt.NDArray[np.uint8]
    long: npt.NDArray[np.bool_]


def whole_text(document: Document) -> str:
    """All that a document says, normalised: title, text and sections, or its names where it has no more."""
    joined = document.text == "\n\n".join(section.text for section in document.sections)
    parts = (document.title, document.text, *(() if joined else (section.text for section in document.sections)))
    return text_key("\n".join(parts if any(parts[1:]) else document.names()))


@cache
def bands_for(threshold: float) -> int:
    """The fewest bands of a sketch that find two documents at the threshold with a chance of at least 0.999."""
    for rows in range(SLOTS, 1, -1):
        bands = SLOTS // rows
        if 1 - (1 - threshold**rows) ** bands >= _CHANCE:
            return bands
    return SLOTS


def look_at(shard: Shard, threshold: float) -> Looks:
    """Sketch the documents of a shard."""
    from rensa import RMinHash

    keys = [whole_text(document) for document in shard.read(Document)]
    hashes, starts = _runs(keys)
    sketches: Any = RMinHash.digest_matrix_from_flat_token_hashes(hashes, starts.astype(np.uint64), SLOTS, _SEED)
    matrix = np.array(sketches.to_rows(), dtype=np.uint64).reshape(len(keys), SLOTS)
    return Looks(
        np.array([hash_of(key) if key else 0 for key in keys], dtype=np.uint64),
        _bands(matrix, bands_for(threshold)),
        (matrix & np.uint64(0xFF)).astype(np.uint8),
        np.diff(starts) > 0,
    )


def runs_of(part: tuple[Shard, Sequence[int]]) -> tuple[Hashes, Places]:
    """The sets of runs of some documents of a shard, given by their places in it.

    Returns:
        The hashes of one document after the other, sorted, and how many each has.
    """
    shard, places = part
    documents = shard.read(Document)
    hashes, starts = _runs([whole_text(documents[place]) for place in places])
    return hashes, np.diff(starts)


def _runs(keys: Sequence[str]) -> tuple[Hashes, Places]:
    return unique_within(*run_hashes(keys, _RUN), len(keys))


def _bands(matrix: npt.NDArray[np.uint64], bands: int) -> npt.NDArray[np.uint64]:
    rows = SLOTS // bands
    parts = matrix[:, : bands * rows].reshape(len(matrix), bands, rows)
    mixed = parts[:, :, 0].copy()
    for row in range(1, rows):
        mixed = mixed * _BASE + parts[:, :, row]
    return mixed * _BASE
