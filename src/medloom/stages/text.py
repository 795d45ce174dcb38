"""The stages from documents to pairs that may be trained on."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.artifacts import read_table, write_table
from medloom.errors import StageError
from medloom.recipe import Recipe
from medloom.records import Document, TrainingRecord
from medloom.stages.base import GENERATED, HELD_OUT, PAIRS, TEST, TRAIN, Outcome, Work

if TYPE_CHECKING:
    from medloom.evaluate.tasks import Task
    from medloom.guard import GuardCounts


def pairs(work: Work) -> Outcome:
    """Form the pairs that the documents' structure gives, and add those that were generated."""
    from medloom.mine import pairs_of

    outcome = Outcome()
    kinds: Counter[str] = Counter()

    def records() -> Iterator[TrainingRecord]:
        for document in read_table(work.documents, Document):
            outcome.rows_in += 1
            for record in pairs_of(document, work.recipe.pairs, outcome.counts):
                kinds[record.task] += 1
                yield record
        if "generate" in work.inputs:
            for record in read_table(work.inputs["generate"] / GENERATED, TrainingRecord):
                kinds[record.task] += 1
                yield record

    outcome.rows_out = write_table(work.folder / PAIRS, records(), TrainingRecord)
    if not outcome.rows_out:
        raise StageError(
            "pairs: the documents give no pair of texts: they need a title with a text, headed sections, several "
            "paragraphs, or synonyms; check the source's fields and pairs.kinds, or add generate: to the recipe"
        )
    outcome.notes = {"pairs": dict(sorted(kinds.items()))}
    return outcome


def guard(work: Work) -> Outcome:
    """Split by concept, clean and cap the training side."""
    from medloom.guard import GuardTables, guard

    judges = judging_tasks(work.recipe)
    counts = guard(
        work.documents,
        work.inputs["pairs"] / PAIRS,
        GuardTables(work.folder / HELD_OUT, work.folder / TEST, work.folder / TRAIN),
        work.recipe.guard,
        work.recipe.seed,
        chain.from_iterable((text for _, text in task.texts) for task in judges.values()),
    )
    for side, n in (("training", counts.train), ("held-out", counts.test)):
        if not n:
            raise StageError(
                f"guard: no {side} pair is left ({counts.train} for training, {counts.test} held out, dropped: "
                f"{counts.reasons or 'none'}): give more documents, or change guard.holdout"
            )
    reasons = dict(sorted(counts.reasons.items()))
    return Outcome(
        rows_in=counts.train + counts.test + sum(reasons.values()),
        rows_out=counts.train,
        counts={**reasons, "held_out_for_evaluation": counts.test},
        notes={
            "held_out_documents": counts.held_out,
            "evaluation_texts": counts.evaluation_texts,
            "largest_tie": counts.largest_tie,
            "common_texts": counts.common,
            "negatives_removed": counts.negatives,
            **({"against": {name: task.fingerprint for name, task in judges.items()}} if judges else {}),
            **({"duplicates": _duplicates(counts)} if work.recipe.guard.duplicates != "off" else {}),
        },
    )


def judging_tasks(recipe: Recipe) -> "dict[str, Task]":
    """The tasks that ``guard.against`` names, by the path as the recipe writes it and, in suites, the task's name.

    Raises:
        SourceError: There is no task at a path.
        ArtifactError: A built suite is damaged.
    """
    from medloom.bench.own import own_task
    from medloom.bench.store import SUITE, read_suite

    found: dict[str, Task] = {}
    for written in recipe.guard.against:
        path = recipe.folder / Path(written).expanduser()
        if (path / SUITE).is_file():
            found |= {f"{written}/{task.name}": task for task in read_suite(path).tasks}
        else:
            found[written] = own_task(path)
    return found


def judge_hashes(recipe: Recipe) -> dict[str, str]:
    """Fingerprints of the tasks that ``guard.against`` names."""
    return {f"against-{name}": task.fingerprint for name, task in judging_tasks(recipe).items()}


def _duplicates(counts: "GuardCounts") -> dict[str, Any]:
    """What was found of near-duplicate documents."""
    return {
        "sets": counts.clusters,
        "documents": dict(sorted(counts.duplicates.items())),
        "crowded_buckets": counts.crowded,
    }
