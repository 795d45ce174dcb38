"""Mining for all records that must find the same part of a document of the same source."""

from collections.abc import Iterator, Sequence

import numpy as np

from medloom.mine.negatives import NegativesConfig, Pool, VectorFile, mine_negatives
from medloom.mine.pairs import target_of
from medloom.mine.relations import Concept, Relations
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
) -> Iterator[TrainingRecord]:
    """Mine negatives for one group among its own positives, which the guard has already cleared of test text.

    Args:
        records: Records of one :func:`target_group`.
        encode: Gives the vectors of texts under a name, from disk.
        relations: What is known of the concepts.
        config: Depth, margin and number.
        counts: Increased by reason, in place.
    """
    owners: dict[str, set[Concept]] = {}
    for record in records:
        for positive in record.positives:
            owners.setdefault(positive, set()).add((record.source, record.doc_id))
    texts = list(owners)
    row = {text: number for number, text in enumerate(texts)}
    pool = Pool(texts, [tuple(sorted(owners[text])) for text in texts], encode("candidates", texts, "document"))
    queries = encode("queries", [record.query for record in records], "query")
    own = np.array([row[record.positives[0]] for record in records], dtype=np.int64)
    yield from mine_negatives(records, queries, own, pool, relations, config, counts)
