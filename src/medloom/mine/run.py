"""Mining for all records that must find the same part of a document of the same source."""

from collections.abc import Iterator, Sequence

import numpy as np

from medloom.engine import HERE, Engine
from medloom.mine.candidates import Pool, VectorFile
from medloom.mine.config import NegativesConfig
from medloom.mine.negatives import mine_negatives
from medloom.mine.pairs import target_of
from medloom.mine.relations import Concept, Relations
from medloom.mine.rerank import Guide, PairScorer
from medloom.records import TrainingRecord


def target_group(record: TrainingRecord) -> tuple[str, str]:
    """Records that share it search the same texts: source and target."""
    return record.source, target_of(record.kind)


def mine_task_group(
    records: Sequence[TrainingRecord],
    encode: VectorFile,
    relations: Relations,
    config: NegativesConfig,
    counts: dict[str, int],
    guide: VectorFile | None = None,
    cross: PairScorer | None = None,
    origins: dict[str, int] | None = None,
    engine: Engine = HERE,
) -> Iterator[TrainingRecord]:
    """Mine negatives for one group among its own positives, which the guard has already cleared of test text.

    Args:
        records: Records of one :func:`target_group`.
        encode: Gives the vectors of texts under a name, from disk.
        relations: What is known of the concepts.
        config: Methods, depth, margins and number.
        counts: Increased by reason, in place.
        guide: Gives the vectors of the guide model; needed where ``config.guide`` names one.
        cross: The cross-encoder; needed where ``config.cross_encoder`` names one.
        origins: Increased by where each negative came from (``written``, ``dense``, ``bm25``), in place.
        engine: Who shares the search by vectors.

    Raises:
        ValueError: The settings name a guide or a cross-encoder, and none was given.
    """
    if (config.guide and guide is None) or (config.cross_encoder and cross is None):
        raise ValueError("the settings name a guide or a cross-encoder that was not handed over")
    owners: dict[str, set[Concept]] = {}
    for record in records:
        for positive in record.positives:
            owners.setdefault(positive, set()).add((record.source, record.doc_id))
    found = len(owners)
    for record in records:
        for negative in record.negatives:
            owners.setdefault(negative, set())
    texts = list(owners)
    row = {text: number for number, text in enumerate(texts)}
    concepts = [tuple(sorted(owners[text])) for text in texts]
    pool = Pool(texts, concepts, encode("candidates", texts, "document"), len(texts) - found)
    asked = [record.query for record in records]
    queries = encode("queries", asked, "query")
    own = np.array([row[record.positives[0]] for record in records], dtype=np.int64)
    second = None
    if guide is not None:
        second = Guide(guide("queries", asked, "query"), guide("candidates", texts, "document"))
    yield from mine_negatives(records, queries, own, pool, relations, config, counts, second, cross, origins, engine)
