"""The stages of a run: what each reads, what it writes, and which settings it depends on.

A stage is pure: finished artifacts and settings in, one artifact out. ``pipeline`` decides which of them to run.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from medloom.artifacts import read_table, write_json, write_table
from medloom.errors import StageError
from medloom.identity import digest, file_digest
from medloom.meter import machine
from medloom.recipe import Recipe
from medloom.records import Document, TrainingRecord

_HELD_OUT, _TEST, _TRAIN = "held_out.parquet", "test.parquet", "train.parquet"
_DOCUMENTS, _PAIRS, _MINED = "documents.parquet", "pairs.parquet", "mined.parquet"


@dataclass(frozen=True)
class Work:
    """What a stage is given.

    Attributes:
        recipe: The settings.
        folder: Where to write; may hold what a killed try left, if the stage is resumable.
        inputs: Folder of each finished stage, by name.
    """

    recipe: Recipe
    folder: Path
    inputs: dict[str, Path]


@dataclass
class Outcome:
    """What a stage did; see :class:`~medloom.artifacts.Manifest` for the fields."""

    rows_in: int = 0
    rows_out: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: As the command line and the report call it.
        version: Raised when the stage's code would give another result for the same inputs.
        needs: Stages whose artifacts it reads.
        settings: The part of the recipe that it depends on.
        outside: Content hashes of what it reads from outside the run.
        work: Does it.
        resumable: Whether a killed try's folder is of use to the next.
    """

    name: str
    version: int
    needs: tuple[str, ...]
    settings: Callable[[Recipe], dict[str, Any]]
    outside: Callable[[Recipe], dict[str, str]]
    work: Callable[[Work], Outcome]
    resumable: bool = False

    def fingerprint(self, recipe: Recipe, inputs: dict[str, str]) -> str:
        """Hash of all that the stage's artifact depends on."""
        return digest({"stage": self.name, "version": self.version, "settings": self.settings(recipe), "inputs": inputs})


def _collect(work: Work) -> Outcome:
    from medloom.sources import Rejects

    rejects_file = work.folder / "rejects.jsonl"
    rejects = Rejects(rejects_file)
    outcome = Outcome()
    kept: Counter[str] = Counter()

    def documents() -> Iterator[Document]:
        for source in work.recipe.sources:
            for document in source.documents(rejects):
                outcome.rows_in += 1
                if document.title or document.text or document.sections:
                    kept[source.name] += 1
                    yield document

    outcome.rows_out = write_table(work.folder / _DOCUMENTS, documents(), Document)
    rejected = sum(rejects.counts.values())
    outcome.rows_in += rejected
    empty = outcome.rows_in - rejected - outcome.rows_out
    outcome.counts = {name: n for name, n in (("rejected", rejected), ("empty", empty)) if n}
    if outcome.rows_out < 2:
        raise StageError(
            f"collect: the sources hold {outcome.rows_out} document(s) with text ({rejected} rejected, {empty} empty): "
            "at least two are needed; check the paths, the fields and the rejects"
        )
    outcome.notes = {
        "sources": [{**asdict(s.release()), "source": s.name, "documents": kept[s.name]} for s in work.recipe.sources]
    }
    return outcome


def _pairs(work: Work) -> Outcome:
    from medloom.mine import pairs_of

    outcome = Outcome()
    kinds: Counter[str] = Counter()

    def records() -> Iterator[TrainingRecord]:
        for document in read_table(work.inputs["collect"] / _DOCUMENTS, Document):
            outcome.rows_in += 1
            for record in pairs_of(document, work.recipe.pairs, outcome.counts):
                kinds[record.task] += 1
                yield record

    outcome.rows_out = write_table(work.folder / _PAIRS, records(), TrainingRecord)
    if not outcome.rows_out:
        raise StageError(
            "pairs: the documents give no pair of texts: they need a title with a text, headed sections, several "
            "paragraphs, or synonyms; check the source's fields and pairs.kinds"
        )
    outcome.notes = {"pairs": dict(sorted(kinds.items()))}
    return outcome


def _guard(work: Work) -> Outcome:
    from medloom.guard import GuardCounts, guard

    documents = work.inputs["collect"] / _DOCUMENTS
    pairs = work.inputs["pairs"] / _PAIRS
    counts = GuardCounts()
    held_out, test, train = guard(
        lambda: read_table(documents, Document),
        lambda: read_table(pairs, TrainingRecord),
        work.recipe.guard,
        work.recipe.seed,
        counts,
    )
    write_table(work.folder / _HELD_OUT, held_out, Document)
    write_table(work.folder / _TEST, test, TrainingRecord)
    write_table(work.folder / _TRAIN, train, TrainingRecord)
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
        },
    )


def _mine(work: Work) -> Outcome:
    from medloom.encode import VectorFolder, load_encoder, resolve_model
    from medloom.mine.relations import Relations
    from medloom.mine.run import mine_task_group, target_group

    source = work.inputs["guard"] / _TRAIN
    config = work.recipe.negatives
    outcome = Outcome()
    records = list(read_table(source, TrainingRecord))
    outcome.rows_in = len(records)
    if config.per_query == 0:
        outcome.rows_out = write_table(work.folder / _MINED, iter(records), TrainingRecord)
        return outcome
    encoder = load_encoder(resolve_model(work.recipe.base, work.recipe.folder), work.recipe.evaluate.precision)
    relations = Relations(read_table(work.inputs["collect"] / _DOCUMENTS, Document))
    what = file_digest(source)

    def mined() -> Iterator[TrainingRecord]:
        for (name, target), group in groupby(sorted(records, key=target_group), key=target_group):
            vectors = VectorFolder(encoder, work.folder / "vectors" / f"{name}-{target}", what)
            yield from mine_task_group(list(group), vectors, relations, config, outcome.counts)

    outcome.rows_out = write_table(work.folder / _MINED, mined(), TrainingRecord)
    _remove(work.folder / "vectors")
    return outcome


def _train(work: Work) -> Outcome:
    from medloom.encode import resolve_model
    from medloom.train import train_dense

    base = resolve_model(work.recipe.base, work.recipe.folder)
    records = list(read_table(work.inputs["mine"] / _MINED, TrainingRecord))
    result = train_dense(records, base, work.folder, work.recipe.train, work.recipe.seed)
    return Outcome(
        rows_in=len(records),
        rows_out=len(records),
        counts={},
        notes={"base": {k: getattr(base, k) for k in ("name", "hash", "hub_id", "revision", "licence")}} | asdict(result),
    )


def _evaluate(work: Work) -> Outcome:
    from medloom.encode import load_encoder, resolve_model
    from medloom.evaluate import build_suite, compare
    from medloom.evaluate.systems.dense import DenseSystem

    config = work.recipe.evaluate
    guarded = work.inputs["guard"]
    left_out: dict[str, str] = {}
    documents = list(read_table(guarded / _HELD_OUT, Document))
    suite = build_suite(documents, read_table(guarded / _TEST, TrainingRecord), config, work.recipe.seed, left_out)
    if not suite:
        raise StageError(
            f"evaluate: no task could be built from the held-out text ({left_out}): give more documents, raise "
            "guard.holdout, or lower evaluate.min_items"
        )
    base = load_encoder(resolve_model(work.recipe.base, work.recipe.folder), config.precision)
    tuned = load_encoder(str((work.inputs["train"] / "model").resolve()), config.precision)
    comparison = compare(DenseSystem(base, name="base"), DenseSystem(tuned, name="tuned"), suite, config, work.recipe.seed)
    write_json(work.folder / "comparison.json", comparison.to_dict() | {"left_out": left_out})
    write_json(work.folder / "items.json", comparison.items)
    for name, results in comparison.results.items():
        for result in results:
            folder = work.folder / "mteb" / name
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / f"{result['task_name']}.json", result)
    return Outcome(
        rows_in=sum(1 for task in suite for _ in task.texts),
        rows_out=len(suite),
        notes={
            "precision": base.precision,
            "left_out": left_out,
            "model": {
                "dimensions": tuned.dimensions,
                "max_seq_length": int(tuned.model.max_seq_length or 0),
                "pooling": tuned.pooling,
            },
        },
    )


def _publish(work: Work) -> Outcome:
    from medloom.publish import write_card

    write_card(work.folder / "README.md", work.recipe, work.inputs)
    return Outcome(notes={"machine": machine()})


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _base_hash(recipe: Recipe) -> dict[str, str]:
    from medloom.encode import resolve_model

    return {"base": resolve_model(recipe.base, recipe.folder).hash}


def _source_hashes(recipe: Recipe) -> dict[str, str]:
    return {f"{source.name}/{name}": value for source in recipe.sources for name, value in source.inputs().items()}


def _nothing(recipe: Recipe) -> dict[str, str]:
    return {}


STAGES: tuple[Stage, ...] = (
    Stage(
        "collect",
        1,
        (),
        lambda r: {"sources": [s.model_dump(mode="json") for s in r.sources]},
        _source_hashes,
        _collect,
    ),
    Stage("pairs", 1, ("collect",), lambda r: r.pairs.model_dump(mode="json"), _nothing, _pairs),
    Stage(
        "guard",
        1,
        ("collect", "pairs"),
        lambda r: r.guard.model_dump(mode="json") | {"seed": r.seed},
        _nothing,
        _guard,
    ),
    Stage(
        "mine",
        1,
        ("collect", "guard"),
        lambda r: r.negatives.model_dump(mode="json") | {"precision": r.evaluate.precision},
        _base_hash,
        _mine,
        resumable=True,
    ),
    Stage(
        "train",
        1,
        ("mine",),
        lambda r: r.train.model_dump(mode="json") | {"seed": r.seed},
        _base_hash,
        _train,
        resumable=True,
    ),
    Stage(
        "evaluate",
        2,
        ("guard", "train"),
        lambda r: r.evaluate.model_dump(mode="json") | {"seed": r.seed},
        _base_hash,
        _evaluate,
    ),
    Stage(
        "publish",
        1,
        ("collect", "guard", "train", "evaluate"),
        lambda r: r.settings(),
        _nothing,
        _publish,
    ),
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)
