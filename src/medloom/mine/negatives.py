"""Hard negatives: what the base model would wrongly find, less what is not wrong at all."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from medloom.engine import HERE, Engine
from medloom.mine.candidates import Pool, VectorFile, blocks, ranked
from medloom.mine.config import NegativesConfig
from medloom.mine.filters import Filters
from medloom.mine.relations import Relations
from medloom.mine.rerank import Guide, PairScorer, Row, fill
from medloom.mine.topk import Floats, Ints
from medloom.records import TrainingRecord

__all__ = ["NegativesConfig", "Pool", "VectorFile", "mine_negatives"]


def mine_negatives(
    records: Sequence[TrainingRecord],
    queries: Floats,
    own: Ints,
    pool: Pool,
    relations: Relations,
    config: NegativesConfig,
    counts: dict[str, int],
    guide: Guide | None = None,
    cross: PairScorer | None = None,
    origins: dict[str, int] | None = None,
    engine: Engine = HERE,
) -> Iterator[TrainingRecord]:
    """Yield the records with their hard negatives, in order.

    Negatives that a record came with stand first, as far as they pass; what is then wanting to ``per_query`` is mined. A
    candidate is dropped, and counted, when it belongs to the same concept or carries one of its names, when its concept is
    an ancestor or descendant, when its document is of the same group, when its text equals the query or the positive,
    contains it or is contained in it, when another record has it as the positive of the same query, when it paraphrases the
    positive, and when it is nearer to the query than the positive less ``margin`` (positive-aware mining: Moreira et al.
    2024, "NV-Retriever"), under the base, the guide (Solatorio 2024, "GISTEmbed") or the cross-encoder (Qu et al. 2021,
    "RocketQA"). A record none of whose candidates survive keeps its in-batch negatives only.

    Args:
        records: Records of one source and target, n of them.
        queries: float32, shape (n, d): the queries' vectors, rows of unit length; may be memory-mapped.
        own: int64, shape (n,): where in the pool each record's first positive stands.
        pool: Where negatives are taken from; it must hold those that the records came with.
        relations: What is known of the concepts.
        config: Methods, depth, margins and number.
        counts: Increased by reason, in place.
        guide: Vectors of the guide model.
        cross: The cross-encoder.
        origins: Increased by where each negative came from (``written``, ``dense``, ``bm25``), in place.
        engine: Who shares the search by vectors.
    """
    came_from = {} if origins is None else origins
    filters = Filters(records, queries, own, pool, relations, config, guide)
    texts = [record.query for record in records]
    for block in blocks(texts, queries, pool, config.methods, config.depth, engine):
        part = slice(block.start, block.start + block.size)
        reached = np.einsum("nd,nd->n", queries[part], pool.vectors[own[part]])
        rows = []
        for i, (record, near) in enumerate(zip(records[part], reached.tolist(), strict=True)):
            number = block.start + i
            known = filters.known(number, near)
            found = ranked(block, i, config.methods, queries[number], pool)
            written = filters.passing(filters.written(number), known, counts)
            rows.append(Row(record, near, written, filters.passing(found, known, counts)))
        fill(rows, pool.texts, config.per_query, cross, config.cross_margin, counts)
        for row in rows:
            if not row.kept:
                counts["without_negatives"] = counts.get("without_negatives", 0) + 1
            for candidate in row.kept:
                came_from[candidate.origin] = came_from.get(candidate.origin, 0) + 1
            yield replace(
                row.record,
                negatives=tuple(pool.texts[c.number] for c in row.kept),
                scores=(row.reached, *(c.score for c in row.kept)),
            )
