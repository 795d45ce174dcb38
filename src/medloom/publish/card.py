"""The model card: what the hub and mteb read, and what a person must know."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from medloom.artifacts import read_manifest
from medloom.errors import ArtifactError
from medloom.recipe import Recipe

_TEMPLATE = "card.md.j2"
_TAGS: dict[str, list[str]] = {
    "dense": [],
    "late-interaction": ["multi-vector", "colbert", "late-interaction"],
    "static": ["static-embeddings"],
}
"""What the hub calls a kind of model, beside what it calls all."""


def write_card(path: Path, recipe: Recipe, inputs: Mapping[str, Path]) -> None:
    """Write ``README.md`` of a model: front matter with results as the hub's ``model-index``, and prose.

    Args:
        path: The file.
        recipe: What made the model.
        inputs: Folders of the finished stages ``collect``, ``guard``, ``train`` and ``evaluate``, and of ``deid``,
            ``generate`` and ``merge`` where the recipe has them.

    Raises:
        ArtifactError: One of them is not finished.
    """
    from huggingface_hub import ModelCardData
    from jinja2 import Environment, PackageLoader, StrictUndefined

    notes = {name: _notes(folder) for name, folder in inputs.items()}
    comparison = json.loads((inputs["evaluate"] / "comparison.json").read_text("utf-8"))
    train = notes["train"]
    base = train["base"]
    kind = recipe.train.kind
    data = ModelCardData(
        language="en",
        license=base["licence"] or "other",
        library_name="sentence-transformers",
        pipeline_tag="feature-extraction" if kind == "late-interaction" else "sentence-similarity",
        tags=["sentence-transformers", "feature-extraction", "medical", "medloom", "mteb", *_TAGS[kind]],
        base_model=base["hub_id"],
        model_name=recipe.name,
        eval_results=_eval_results(comparison["tasks"]),
    )
    environment = Environment(
        loader=PackageLoader("medloom.publish", "."),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    counts = _counts(inputs["guard"])
    text = environment.get_template(_TEMPLATE).render(
        front_matter=data.to_yaml(),
        recipe=recipe,
        base=base,
        hash=notes.get("merge", train)["hash"],
        merge=notes.get("merge"),
        sets=train["sets"],
        model=notes["evaluate"]["model"],
        sources=notes["collect"]["sources"],
        removed={k: v for k, v in counts.items() if k in ("exact", "near_duplicate", "ngram")},
        deid=notes.get("deid"),
        generated=notes.get("generate"),
        tasks=comparison["tasks"],
        verdict=comparison["verdict"],
        settings=yaml.safe_dump(recipe.settings(sharing=False), sort_keys=False, allow_unicode=True).strip(),
    )
    path.write_text(text, "utf-8")


def _eval_results(tasks: list[dict[str, Any]]) -> list[Any]:
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=task["type"],
            dataset_type=f"medloom/{task['name']}",
            dataset_name=f"medloom {task['name']} (held out)",
            dataset_config="default",
            dataset_split="test",
            metric_type=task["metric"],
            metric_name=task["metric"],
            metric_value=round(task["tuned"], 5),
        )
        for task in tasks
    ]


def _notes(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    if manifest is None:
        raise ArtifactError(f"{folder} is not a finished stage")
    return manifest.notes


def _counts(folder: Path) -> dict[str, int]:
    manifest = read_manifest(folder)
    return manifest.counts if manifest else {}
