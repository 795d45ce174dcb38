"""Hard negatives: what the base model would wrongly find, less what is not wrong at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from medloom.mine.relations import Concept, Relations
from medloom.mine.topk import Floats, Ints, top_k
from medloom.records import TrainingRecord
from medloom.text import text_key


class NegativesConfig(BaseModel):
    """How hard negatives are mined and false ones kept out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_query: int = Field(default=1, ge=0, le=16, description="Hard negatives to keep for each query; 0 mines none.")
    depth: int = Field(default=64, ge=1, description="Nearest candidates to look at for each query.")
    margin: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A candidate must be at least this much less similar (cosine) to the query than the positive is.",
    )
    like_positive: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="A candidate at least this similar to the positive counts as a paraphrase.",
    )


class VectorFile(Protocol):
    """Gives the vectors of texts, encoded once and kept on disk under a name."""

    def __call__(self, name: str, texts: Sequence[str], role: Literal["query", "document"]) -> Floats:
        """float32, shape (n, d), rows of unit length."""


@dataclass(frozen=True)
class Pool:
    """Candidate negatives of one source and target.

    Attributes:
        texts: Distinct texts, m of them.
        concepts: For each text the documents it belongs to.
        vectors: float32, shape (m, d), rows of unit length.
    """

    texts: Sequence[str]
    concepts: Sequence[tuple[Concept, ...]]
    vectors: Floats


def mine_negatives(
    records: Sequence[TrainingRecord],
    queries: Floats,
    own: Ints,
    pool: Pool,
    relations: Relations,
    config: NegativesConfig,
    counts: dict[str, int],
) -> Iterator[TrainingRecord]:
    """Yield the records with their hard negatives, in order.

    A candidate is dropped, and counted, when it belongs to the same concept or carries one of its names, when its concept
    is an ancestor or descendant, when its text equals the query or the positive, when it paraphrases the positive, and
    when it is nearer to the query than the positive less ``margin`` (positive-aware mining: Moreira et al. 2024,
    "NV-Retriever"). A record none of whose nearest candidates survive keeps its in-batch negatives only.

    Args:
        records: Records of one source and target, n of them.
        queries: float32, shape (n, d): the queries' vectors, rows of unit length; may be memory-mapped.
        own: int64, shape (n,): where in the pool each record's first positive stands.
        pool: Where negatives are taken from.
        relations: What is known of the concepts.
        config: Depth, margin and number.
        counts: Increased by reason, in place.
    """
    for start, scores, numbers in top_k(queries, pool.vectors, config.depth):
        block = slice(start, start + len(scores))
        positives = pool.vectors[own[block]]
        reached = np.einsum("nd,nd->n", queries[block], positives)
        for row, record in enumerate(records[block]):
            chosen = _choose(
                record, float(reached[row]), positives[row], scores[row], numbers[row], pool, relations, config, counts
            )
            if not chosen:
                counts["without_negatives"] = counts.get("without_negatives", 0) + 1
            yield replace(
                record,
                negatives=tuple(pool.texts[i] for i, _ in chosen),
                scores=(float(reached[row]), *(score for _, score in chosen)),
            )


def _choose(
    record: TrainingRecord,
    reached: float,
    positive: Floats,
    scores: Floats,
    numbers: Ints,
    pool: Pool,
    relations: Relations,
    config: NegativesConfig,
    counts: dict[str, int],
) -> list[tuple[int, float]]:
    """Numbers and scores of the hardest candidates that are not false negatives."""
    concept = (record.source, record.doc_id)
    equal = {text_key(record.query), *(text_key(p) for p in record.positives)}
    chosen: list[tuple[int, float]] = []
    for score, number in zip(scores.tolist(), numbers.tolist(), strict=True):
        if len(chosen) == config.per_query:
            break
        text = pool.texts[number]
        reason = (
            _known(text, pool.concepts[number], concept, equal, relations)
            or ("over_margin" if score > reached - config.margin else None)
            or ("like_positive" if float(pool.vectors[number] @ positive) >= config.like_positive else None)
        )
        if reason:
            counts[reason] = counts.get(reason, 0) + 1
        else:
            chosen.append((number, score))
    return chosen


def _known(text: str, owners: tuple[Concept, ...], concept: Concept, equal: set[str], relations: Relations) -> str | None:
    """Why the candidate is a false negative by what the sources say, or None."""
    if text_key(text) in equal:
        return "equal_text"
    if relations.is_name(text, concept):
        return "same_concept"
    return next((found for owner in owners if (found := relations.related(concept, owner))), None)
