"""Split, clean and cap the pairs, so that nothing that is trained on is also tested on."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict, Field

from medloom.guard.contamination import EvaluationTexts
from medloom.guard.split import split_sides, texts_of
from medloom.identity import text_hash
from medloom.records import Document, TrainingRecord
from medloom.text import text_key


class GuardConfig(BaseModel):
    """How test text is kept out of training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    holdout: float = Field(default=0.2, gt=0, lt=1, description="Share of concepts (groups) held out for evaluation.")
    near_duplicate: float = Field(
        default=0.8, ge=0.6, le=1, description="Overlap of character 4-grams from which short texts count as duplicates."
    )
    ngram: int = Field(default=13, ge=3, description="Training text sharing a run of so many words with test text goes.")
    max_per_kind: int | None = Field(
        default=None,
        ge=1,
        description="Training pairs to keep of each kind of each source, drawn by seed; all if not set.",
    )


@dataclass
class GuardCounts:
    """What the guard did.

    Attributes:
        reasons: Training pairs dropped, by reason.
        train: Training pairs kept.
        test: Held-out pairs.
        held_out: Held-out documents.
        evaluation_texts: Distinct texts that training was checked against.
        largest_tie: Documents in the largest set that equal texts keep on one side.
        negatives: Negatives taken from training pairs that came with some, since they are evaluation texts.
    """

    reasons: dict[str, int] = field(default_factory=dict)
    train: int = 0
    test: int = 0
    held_out: int = 0
    evaluation_texts: int = 0
    largest_tie: int = 0
    negatives: int = 0

    def drop(self, reason: str) -> None:
        """Count one dropped pair."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def guard(
    documents: Callable[[], Iterable[Document]],
    pairs: Callable[[], Iterable[TrainingRecord]],
    config: GuardConfig,
    seed: int,
    counts: GuardCounts,
) -> tuple[Iterator[Document], Iterator[TrainingRecord], Iterator[TrainingRecord]]:
    """Split documents and pairs by concept and clean the training side.

    The inputs are factories since they are streamed more than once. The three results must be consumed in order: the
    training pairs are checked against the held-out documents seen before them.

    Args:
        documents: Yields all documents.
        pairs: Yields all pairs.
        config: Shares and thresholds.
        seed: The recipe's seed.
        counts: Filled in while the results are consumed.

    Returns:
        Held-out documents, held-out pairs, clean training pairs.
    """
    sides, counts.largest_tie = split_sides(documents(), config.holdout, seed)
    index = EvaluationTexts(config.near_duplicate, config.ngram)
    held_ids: set[tuple[str, str]] = set()

    def held_out() -> Iterator[Document]:
        for document in documents():
            if sides[document.split_key]:
                counts.held_out += 1
                held_ids.add((document.source, document.id))
                index.add(texts_of(document))
                yield document

    def test() -> Iterator[TrainingRecord]:
        for record in pairs():
            if (record.source, record.doc_id) in held_ids:
                counts.test += 1
                index.add((record.query, *record.positives))
                yield record
        counts.evaluation_texts = len(index)

    def train() -> Iterator[TrainingRecord]:
        ours = (r for r in pairs() if (r.source, r.doc_id) not in held_ids)
        for record in _capped(_clean(ours, index, counts), config.max_per_kind, seed, counts):
            counts.train += 1
            yield record

    return held_out(), test(), train()


def _clean(records: Iterable[TrainingRecord], index: EvaluationTexts, counts: GuardCounts) -> Iterator[TrainingRecord]:
    """The records that share nothing with the evaluation texts, each pair of texts once."""
    verdicts: dict[str, str | None] = {}
    seen: set[bytes] = set()
    for record in records:
        reasons = [_verdict(text, index, verdicts) for text in (record.query, *record.positives)]
        found = next((r for r in ("exact", "near_duplicate", "ngram") if r in reasons), None)
        pair = _rank("", record.query, record.positives[0])
        if found:
            counts.drop(found)
        elif pair in seen:
            counts.drop("repeated_pair")
        else:
            seen.add(pair)
            clean = tuple(text for text in record.negatives if _verdict(text, index, verdicts) is None)
            counts.negatives += len(record.negatives) - len(clean)
            yield record if len(clean) == len(record.negatives) else replace(record, negatives=clean, scores=())


def _verdict(text: str, index: EvaluationTexts, memory: dict[str, str | None]) -> str | None:
    """:meth:`EvaluationTexts.reason`, remembered for short texts, which recur (names of concepts)."""
    if len(text) > 200:
        return index.reason(text)
    if text not in memory:
        if len(memory) > 200_000:
            memory.clear()
        memory[text] = index.reason(text)
    return memory[text]


def _capped(
    records: Iterable[TrainingRecord], limit: int | None, seed: int, counts: GuardCounts
) -> Iterator[TrainingRecord]:
    """At most ``limit`` records of each task, drawn by seeded hash, whatever order they come in."""
    if limit is None:
        yield from records
        return
    kept: dict[str, list[tuple[int, int, TrainingRecord]]] = {}
    for number, record in enumerate(records):
        heap = kept.setdefault(record.task, [])
        rank = int.from_bytes(_rank(str(seed), record.task, record.query, record.positives[0]))
        entry = (-rank, -number, record)
        if len(heap) < limit:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
            counts.drop("over_max_per_kind")
    for task in sorted(kept):
        yield from (record for _, _, record in sorted(kept[task], key=lambda e: (-e[0], -e[1])))


def _rank(*parts: str) -> bytes:
    """12 bytes of BLAKE2b over normalised parts."""
    joined = "\x1f".join(text_key(p) for p in parts)
    return text_hash(joined)
