"""A second opinion on candidates, by a guide model or a cross-encoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from medloom.mine.candidates import Candidate
from medloom.mine.topk import Floats
from medloom.records import TrainingRecord


class PairScorer(Protocol):
    """Reads two texts together and says how well the second answers the first: a cross-encoder."""

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Scores from 0 to 1, float32, shape (n,)."""


@dataclass(frozen=True)
class Guide:
    """The vectors of another embedding model for the same texts.

    Attributes:
        queries: float32, shape (n, d), rows of unit length.
        vectors: float32, shape (m, d), rows of unit length: those of the pool.
    """

    queries: Floats
    vectors: Floats


@dataclass
class Row:
    """A record whose negatives are being chosen.

    Attributes:
        record: The record.
        reached: Cosine similarity of its query to its first positive.
        written: What came with the record and is no false negative; consumed once.
        mined: What was found and is no false negative, in order; consumed as far as needed.
        kept: The negatives so far.
    """

    record: TrainingRecord
    reached: float
    written: Iterator[Candidate]
    mined: Iterator[Candidate]
    kept: list[Candidate] = field(default_factory=list)

    def draw(self, per_query: int) -> list[Candidate]:
        """Candidates that are next to be kept: all that were written, and as many mined as are wanting."""
        drawn = list(self.written)
        return drawn + list(islice(self.mined, max(0, per_query - len(self.kept) - len(drawn))))


def fill(
    rows: Sequence[Row],
    texts: Sequence[str],
    per_query: int,
    cross: PairScorer | None,
    margin: float,
    counts: dict[str, int],
) -> None:
    """Choose the negatives of some records.

    The cross-encoder sees no more candidates than it must: in each round as many as are still wanting, those of all records
    together, so that it works on large batches.

    Args:
        rows: The records; their ``kept`` is filled.
        texts: Those of the pool.
        per_query: How many are wanted.
        cross: The cross-encoder, if there is one.
        margin: How much less than the positive a candidate must score under it.
        counts: Increased by reason, in place.
    """
    if cross is None:
        for row in rows:
            row.kept = row.draw(per_query)
        return
    drawn = [(row, candidates) for row in rows if (candidates := row.draw(per_query))]
    positives = cross([(row.record.query, row.record.positives[0]) for row, _ in drawn]) if drawn else ()
    limits = {id(row): float(score) - margin for (row, _), score in zip(drawn, positives, strict=True)}
    while drawn:
        pairs = [(row, candidate) for row, candidates in drawn for candidate in candidates]
        scores = cross([(row.record.query, texts[candidate.number]) for row, candidate in pairs])
        for (row, candidate), score in zip(pairs, scores, strict=True):
            if float(score) > limits[id(row)]:
                counts["cross_encoder"] = counts.get("cross_encoder", 0) + 1
            else:
                row.kept.append(candidate)
        drawn = [(row, candidates) for row, _ in drawn if (candidates := row.draw(per_query))]
