"""The stages that hold a dev set back from training and average the tuned model with others by it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from medloom.artifacts import read_rows, read_table, write_table
from medloom.errors import StageError
from medloom.merge.config import MergeConfig
from medloom.recipe import Recipe
from medloom.records import Document, TrainingRecord
from medloom.stages.base import DEV, DEV_DOCUMENTS, DOCUMENTS, HELD_OUT, MINED, Outcome, Work, base_hash

_OTHER_DRAW = 1
_FACTS = ("method", "weights", "top_weights", "chosen", "parents", "prompts_from", "sets", "found", "soup")


def hold_back(work: Work) -> Outcome:
    """Split a dev set off the mined pairs, by concept and free of text in common, as the guard splits off the test set."""
    from medloom.guard import GuardTables, guard

    config = _config(work.recipe)
    documents = work.folder / DOCUMENTS
    write_table(documents, _training_documents(work), Document)
    counts = guard(
        documents,
        work.inputs["mine"] / MINED,
        GuardTables(work.folder / DEV_DOCUMENTS, work.folder / DEV, work.folder / MINED),
        work.recipe.guard.model_copy(update={"holdout": config.dev, "max_per_kind": None, "duplicates": "off"}),
        work.recipe.seed + _OTHER_DRAW,
    )
    documents.unlink()
    if not counts.train or not counts.test:
        raise StageError(
            f"dev: {counts.train} pairs are left for training, {counts.test} to choose merge weights by: give more "
            "documents, change merge.dev, or give merge.weights as numbers"
        )
    reasons = dict(sorted(counts.reasons.items()))
    return Outcome(
        rows_in=counts.train + counts.test + sum(reasons.values()),
        rows_out=counts.train,
        counts={**reasons, "held_back_for_merging": counts.test},
        notes={"dev_documents": counts.held_out, "negatives_removed": counts.negatives},
    )


def _training_documents(work: Work) -> Iterator[Document]:
    """The documents that the test set did not take."""
    held = {(row["source"], row["id"]) for row in read_rows(work.inputs["guard"] / HELD_OUT, ["source", "id"])}
    return (d for d in read_table(work.documents, Document) if (d.source, d.id) not in held)


def merge(work: Work) -> Outcome:
    """Average the tuned model with its base, and with further models."""
    from medloom.encode import resolve_model
    from medloom.merge.run import Sets
    from medloom.merge.run import merge as merge_models
    from medloom.merge.tasks import read_tasks

    recipe, config = work.recipe, _config(work.recipe)
    tuned = replace(resolve_model(str(work.inputs["train"] / "model")), name=f"{recipe.name} (tuned)")
    base = resolve_model(recipe.base, recipe.folder)
    further = [resolve_model(name, recipe.folder) for name in config.models]
    sets = Sets()
    if config.scored:
        sets = Sets(_dev_tasks(work, config), tuple(read_tasks(config.general, recipe.folder)))
    merged = merge_models(
        [tuned, *further, base],
        config,
        work.folder / "model",
        sets,
        seed=recipe.seed,
        precision=recipe.evaluate.precision,
    )
    notes = {"hash": merged.hash} | {key: merged.facts[key] for key in _FACTS if key in merged.facts}
    if "sweep" in merged.facts:
        notes["sweep"] = _summary(merged.facts["sweep"])
    shutil.rmtree(work.folder / "model.work", ignore_errors=True)
    return Outcome(rows_in=len(further) + 2, rows_out=1, notes=notes)


def _dev_tasks(work: Work, config: MergeConfig) -> tuple[Any, ...]:
    """Retrieval tasks of what was held back, built as the evaluation builds its own."""
    from medloom.evaluate import build_suite
    from medloom.evaluate.config import EvaluateConfig

    place = work.inputs["dev"]
    sizes = EvaluateConfig(
        types=("Retrieval",),
        max_queries=config.max_queries,
        max_corpus=config.max_corpus,
        min_items=work.recipe.evaluate.min_items,
    )
    left_out: dict[str, str] = {}
    documents = list(read_table(place / DEV_DOCUMENTS, Document))
    tasks = build_suite(documents, read_table(place / DEV, TrainingRecord), sizes, work.recipe.seed, left_out)
    if not tasks:
        raise StageError(
            f"merge: what was held back makes no dev set ({left_out}): raise merge.dev, lower evaluate.min_items, or give "
            "merge.weights as numbers"
        )
    return tuple(tasks)


def _summary(swept: dict[str, Any]) -> dict[str, Any]:
    """Of a sweep, what card and report say; all of it stands in ``merge.json``."""
    rows = swept["candidates"]
    first = next(row for row in rows if "top_weights" not in row and row["weights"][0] == 1)
    shown = {"picked": rows[swept["picked"]], "base": rows[swept["base"]], "tuned": first}
    return {
        "rule": swept["rule"],
        "tolerance": swept["tolerance"],
        "merges": len(rows),
        **{name: {"in_domain": row["in_domain"], "outside": row["outside"]} for name, row in shown.items()},
    }


def merged_models(recipe: Recipe) -> dict[str, str]:
    """Content hashes of the models that are averaged beside the tuned one, and of the general sets that lie here."""
    from medloom.encode import resolve_model
    from medloom.merge.tasks import is_path, read_tasks

    if recipe.merge is None:
        return {}
    models = {f"model-{name}": resolve_model(name, recipe.folder).hash for name in recipe.merge.models}
    paths = [name for name in recipe.merge.general if is_path(name)]
    sets = {f"general-{task.name}": task.fingerprint for task in read_tasks(paths, recipe.folder)}
    return base_hash(recipe) | models | (sets if recipe.merge.scored else {})


def merge_settings(recipe: Recipe) -> dict[str, Any]:
    """What the average depends on."""
    if recipe.merge is None:
        return {}
    own = recipe.merge.model_dump(mode="json", exclude={"dev"})
    return own | {"seed": recipe.seed, "precision": recipe.evaluate.precision, "min_items": recipe.evaluate.min_items}


def dev_settings(recipe: Recipe) -> dict[str, Any]:
    """What the dev set depends on."""
    guard = recipe.guard.model_dump(mode="json", include={"near_duplicate", "ngram", "common"})
    return guard | {"dev": recipe.merge.dev if recipe.merge else None, "seed": recipe.seed}


def _config(recipe: Recipe) -> MergeConfig:
    if recipe.merge is None:
        raise StageError("merge: the recipe has no merge: section")
    return recipe.merge
