"""The stages on models: clean pairs in, a compared and published model out."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

from medloom.artifacts import read_table, write_json, write_table
from medloom.errors import StageError
from medloom.identity import file_digest
from medloom.meter import machine
from medloom.recipe import Recipe
from medloom.records import Document, TrainingRecord
from medloom.stages.base import HELD_OUT, MINED, TEST, TRAIN, Outcome, Work, base_hash

if TYPE_CHECKING:
    from medloom.engine import Engine


def mine(work: Work) -> Outcome:
    """Find hard negatives for every training pair."""
    from medloom.encode import VectorFolder, load_encoder, resolve_model
    from medloom.encode.cross import load_cross_encoder, resolve_cross_encoder
    from medloom.encode.spec import spec_of
    from medloom.engine import open_engine
    from medloom.mine.relations import Relations
    from medloom.mine.run import mine_task_group, target_group

    source, folder, precision = work.inputs["guard"] / TRAIN, work.recipe.folder, work.recipe.evaluate.precision
    config = work.recipe.negatives
    outcome = Outcome()
    records = list(read_table(source, TrainingRecord))
    outcome.rows_in = len(records)
    if config.per_query == 0 and not any(record.negatives for record in records):
        outcome.rows_out = write_table(work.folder / MINED, iter(records), TrainingRecord)
        return outcome
    encoder = load_encoder(resolve_model(work.recipe.base, folder), precision)
    guide = load_encoder(resolve_model(config.guide, folder), precision) if config.guide else None
    cross = load_cross_encoder(resolve_cross_encoder(config.cross_encoder, folder)) if config.cross_encoder else None
    relations = Relations(read_table(work.documents, Document))
    what = file_digest(source)
    origins: dict[str, int] = {}

    def mined(engine: "Engine") -> Iterator[TrainingRecord]:
        base_spec = spec_of(encoder, work.recipe.base, engine, folder)
        guide_spec = spec_of(guide, config.guide, engine, folder) if guide and config.guide else None
        for (name, target), group in groupby(sorted(records, key=target_group), key=target_group):
            place = work.folder.absolute() / "vectors" / f"{name}-{target}"
            vectors = VectorFolder(encoder, place, what, engine, base_spec)
            guided = VectorFolder(guide, place / "guide", what, engine, guide_spec) if guide else None
            ours = list(group)
            yield from mine_task_group(ours, vectors, relations, config, outcome.counts, guided, cross, origins, engine)

    with open_engine(config) as shared:
        outcome.rows_out = write_table(work.folder / MINED, mined(shared), TrainingRecord)
    outcome.notes = {"negatives": dict(sorted(origins.items()))}
    shutil.rmtree(work.folder / "vectors", ignore_errors=True)
    return outcome


def mining_models(recipe: Recipe) -> dict[str, str]:
    """Content hashes of the models that mining asks."""
    from medloom.encode import resolve_model
    from medloom.encode.cross import resolve_cross_encoder

    config = recipe.negatives
    guide = {"guide": resolve_model(config.guide, recipe.folder).hash} if config.guide else {}
    cross = (
        {"cross_encoder": resolve_cross_encoder(config.cross_encoder, recipe.folder).hash} if config.cross_encoder else {}
    )
    return base_hash(recipe) | guide | cross


def training_models(recipe: Recipe) -> dict[str, str]:
    """Content hashes of the models that training starts from or asks."""
    from medloom.encode import resolve_model
    from medloom.train import StaticConfig, TrainConfig
    from medloom.train.judges import models_asked

    config = recipe.train
    named = {"teacher": config.teacher} if isinstance(config, StaticConfig) else {}
    if isinstance(config, TrainConfig):
        named = models_asked(config)
    return base_hash(recipe) | {what: resolve_model(name, recipe.folder).hash for what, name in named.items() if name}


def train(work: Work) -> Outcome:
    """Tune the base model on the mined pairs."""
    from medloom.encode import resolve_model
    from medloom.train import LateConfig, StaticConfig, train_dense, train_late, train_static

    config, seed, folder = work.recipe.train, work.recipe.seed, work.recipe.folder
    base = resolve_model(work.recipe.base, folder)
    records = list(read_table(work.pairs, TrainingRecord))
    if isinstance(config, LateConfig):
        result = train_late(records, base, work.folder, config, seed)
    elif isinstance(config, StaticConfig):
        result = train_static(records, base, work.folder, config, seed, folder)
    else:
        result = train_dense(records, base, work.folder, config, seed, folder)
    return Outcome(
        rows_in=len(records),
        rows_out=len(records),
        counts={},
        notes={"base": {k: getattr(base, k) for k in ("name", "hash", "hub_id", "revision", "licence")}} | asdict(result),
    )


def evaluate(work: Work) -> Outcome:
    """Compare base and tuned model on what was held out."""
    from medloom.encode import load_encoder, resolve_model
    from medloom.evaluate import build_suite, compare
    from medloom.evaluate.systems import open_system
    from medloom.evaluate.systems.dense import DenseSystem

    config = work.recipe.evaluate
    guarded = work.inputs["guard"]
    left_out: dict[str, str] = {}
    documents = list(read_table(guarded / HELD_OUT, Document))
    suite = build_suite(documents, read_table(guarded / TEST, TrainingRecord), config, work.recipe.seed, left_out)
    if not suite:
        raise StageError(
            f"evaluate: no task could be built from the held-out text ({left_out}): give more documents, raise "
            "guard.holdout, or lower evaluate.min_items"
        )
    base = load_encoder(resolve_model(work.recipe.base, work.recipe.folder), config.precision)
    tuned = open_system(str(work.model.resolve()), config.precision, shown="tuned")
    kind = tuned.info.kind
    left_out |= {
        task.name: f"a {kind} model has no single vector for a text" for task in suite if task.type not in tuned.types
    }
    suite = [task for task in suite if task.type in tuned.types]
    comparison = compare(DenseSystem(base, name="base"), tuned, suite, config, work.recipe.seed)
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
                "kind": work.recipe.train.kind,
                "dimensions": tuned.info.dimensions,
                "max_seq_length": _longest(tuned.info.settings["max_length"]),
                "pooling": tuned.info.settings["pooling"],
            },
        },
    )


def _longest(length: int | dict[str, int | None] | None) -> int | None:
    """Tokens that a model reads of a document; None if it reads all."""
    return length.get("document") if isinstance(length, dict) else length


def publish(work: Work) -> Outcome:
    """Write the card, unless the model holds what may not be passed on."""
    from medloom.deid.gate import PUBLISH, checked
    from medloom.publish import write_card

    for _ in checked(read_table(work.documents, Document), PUBLISH, work.recipe.allow_phi_to, "publish"):
        pass
    write_card(work.folder / "README.md", work.recipe, work.inputs)
    return Outcome(notes={"machine": machine()})
