"""The round trip: a query must find its own passage again among all passages of its source."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from medloom.generate.config import GenerateConfig
from medloom.mine.bm25 import Bm25
from medloom.mine.candidates import VectorFile
from medloom.mine.pairs import target_of
from medloom.mine.topk import Floats, Ints, top_k
from medloom.records import TrainingRecord


def round_trip(
    records: Sequence[TrainingRecord],
    config: GenerateConfig,
    encode: VectorFile | None = None,
    counts: dict[str, int] | None = None,
) -> list[bool]:
    """Which queries find one of their positives among the first ``round_trip_k`` results (Dai et al. 2023, "Promptagator").

    The corpus is all distinct positives of the records of a source that look for passages. One that is no larger than
    ``round_trip_k`` proves nothing: all its records pass. Records that look for something else (a passage for its
    question) always pass. A passage that is no better than the first result left out is not found: its place among equals
    is chance.

    Args:
        records: Checked records.
        config: What searches, and how deep.
        encode: Gives the vectors of the base model; needed if ``round_trip`` is ``base``.
        counts: ``round_trip_void`` is increased by the records of corpora that are too small, in place.

    Returns:
        For each record whether it passes.

    Raises:
        ValueError: ``round_trip`` is ``base``, and ``encode`` is not given.
    """
    keep = [True] * len(records)
    method, k = config.checks.round_trip, config.checks.round_trip_k
    if method == "off":
        return keep
    if method == "base" and encode is None:
        raise ValueError("a round trip by the base model needs its vectors")
    searching = [number for number, record in enumerate(records) if target_of(record.kind) == "passage"]
    searching.sort(key=lambda number: records[number].source)
    for place, (_, group) in enumerate(groupby(searching, key=lambda number: records[number].source)):
        numbers = list(group)
        queries = [records[number].query for number in numbers]
        corpus = list(dict.fromkeys(text for number in numbers for text in records[number].positives))
        if len(corpus) <= k:
            if counts is not None:
                counts["round_trip_void"] = counts.get("round_trip_void", 0) + len(numbers)
            continue
        if encode is None or method == "bm25":
            found, scores = Bm25().rank(queries, corpus, k + 1)
        else:
            found, scores = _nearest(queries, corpus, k + 1, encode, f"round-trip-{place}")
        row = {text: number for number, text in enumerate(corpus)}
        for number, ranked, reached in zip(numbers, found, scores, strict=True):
            own = [row[text] for text in records[number].positives]
            keep[number] = bool((np.isin(ranked, own) & (reached > reached[k])).any())
    return keep


def _nearest(queries: Sequence[str], corpus: Sequence[str], k: int, encode: VectorFile, name: str) -> tuple[Ints, Floats]:
    """The k nearest texts of the corpus and their cosine similarities, both of shape (queries, k)."""
    texts = encode(f"{name}-passages", corpus, "document")
    blocks = list(top_k(encode(f"{name}-queries", queries, "query"), texts, k))
    return np.concatenate([numbers for _, _, numbers in blocks]), np.concatenate([scores for _, scores, _ in blocks])
