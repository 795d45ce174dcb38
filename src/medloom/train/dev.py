"""A small dev set held out of the training pairs, and the score on it that picks the best checkpoint."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from medloom.errors import StageError
from medloom.records import TrainingRecord
from medloom.train.config import DevConfig

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

NAME = "dev"
METRIC = f"eval_{NAME}_cosine_ndcg@10"


def hold_out(
    records: Sequence[TrainingRecord], config: DevConfig, seed: int
) -> tuple[list[TrainingRecord], list[TrainingRecord]]:
    """Split records so that no text and no document of the dev set is trained on.

    Records that share a query, a positive or a document stand in one group, over several steps too, and groups are never
    torn apart. Which groups are taken follows from the seed and their texts, not from their order.

    Args:
        records: All.
        config: Settings.
        seed: Of the draw.

    Returns:
        What is left to train on, and the dev set; both in the records' order.

    Raises:
        StageError: No group is small enough.
    """
    groups: dict[int, list[int]] = {}
    for number, root in enumerate(_roots(records)):
        groups.setdefault(root, []).append(number)
    budget = min(config.most, round(config.share * len(records)))
    taken: set[int] = set()
    for members in sorted(groups.values(), key=lambda members: min(_draw(records[m], seed) for m in members)):
        if len(taken) + len(members) <= budget:
            taken.update(members)
    if not taken:
        raise StageError(
            f"train.dev: no group of pairs fits into {budget} of {len(records)} pairs: raise train.dev.share or "
            "train.dev.most, or leave train.dev out"
        )
    left = [record for number, record in enumerate(records) if number not in taken]
    return left, [record for number, record in enumerate(records) if number in taken]


def _roots(records: Sequence[TrainingRecord]) -> list[int]:
    """The group of each record: union-find over texts and documents."""
    parent = list(range(len(records)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    first: dict[tuple[str, ...], int] = {}
    for number, record in enumerate(records):
        keys: list[tuple[str, ...]] = [("text", text) for text in (record.query, *record.positives)]
        if record.doc_id:
            keys.append(("document", record.source, record.doc_id))
        for key in keys:
            parent[root(number)] = root(first.setdefault(key, number))
    return [root(number) for number in range(len(records))]


def _draw(record: TrainingRecord, seed: int) -> bytes:
    return hashlib.sha256(
        f"{seed}\0{record.task}\0{record.query}\0{record.positives[0]}".encode("utf-8", "replace")
    ).digest()


def dev_evaluator(
    model: "SentenceTransformer",
    dev: Sequence[TrainingRecord],
    training: Sequence[TrainingRecord],
    config: DevConfig,
    seed: int,
) -> "InformationRetrievalEvaluator":
    """nDCG@10 of the dev queries over their documents, their hard negatives, and documents of the training set.

    Args:
        model: For its prompts.
        dev: The dev set.
        training: What distracting documents are drawn from.
        config: Settings.
        seed: Of that draw.
    """
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    relevant: dict[str, set[str]] = {}
    for record in dev:
        relevant.setdefault(record.query, set()).update(record.positives)
    corpus = dict.fromkeys(text for record in dev for text in (*record.positives, *record.negatives))
    drawn = sorted(training, key=lambda record: _draw(record, seed))[: config.distractors]
    corpus |= dict.fromkeys(text for record in drawn for text in record.positives[:1])
    numbers = {text: str(number) for number, text in enumerate(corpus)}
    settings: dict[str, Any] = {"ndcg_at_k": [10], "mrr_at_k": [10], "map_at_k": [10], "accuracy_at_k": [1]}
    return InformationRetrievalEvaluator(
        queries={f"q{number}": query for number, query in enumerate(relevant)},
        corpus={number: text for text, number in numbers.items()},
        relevant_docs={f"q{i}": {numbers[text] for text in texts} for i, texts in enumerate(relevant.values())},
        precision_recall_at_k=[10],
        name=NAME,
        write_csv=False,
        main_score_function="cosine",
        query_prompt=model.prompts.get("query") or None,
        corpus_prompt=model.prompts.get("document") or None,
        **settings,
    )


def scores_in(history: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """Step and dev score, from the trainer's history."""
    return [(int(entry["step"]), float(entry[METRIC])) for entry in history if METRIC in entry]
