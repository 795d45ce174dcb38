"""The one rule by which a recipe is made small: what is fetched is replaced, what is long is cut, all stages stay.

A smoke run shows that a recipe is whole on this machine: settings that fit, stages that hand over to each other, a model
that trains, merges, loads and is judged. Its scores say nothing.
"""

from pathlib import Path
from typing import Any

from medloom.encode.models import BUILTIN
from medloom.recipe import Recipe
from medloom.smoke.texts import write_everyday, write_texts

SUFFIX = "-smoke"
BASE = "builtin:all-MiniLM-L6-v2"
PAIRS = 100
DOCUMENTS = 60
_DIMENSIONS = 384
_PACKAGED = {"hpo": "obo", "icd10cm": "path", "hpo_diseases": "annotations", "mesh_diseases": "", "drug_names": ""}

_MOST: dict[str, dict[str, float]] = {
    "guard": {"max_per_kind": PAIRS, "workers": 1},
    "negatives": {"per_query": 2, "depth": 16},
    "generate": {"limit": DOCUMENTS, "max_words": 200},
    "train": {"epochs": 1.0, "batch_size": 16, "max_seq_length": 64, "mini_batch": 8, "rows_at_once": 8, "words": 500},
    "merge": {"max_queries": 50, "max_corpus": 500, "examples": 16},
    "evaluate": {
        **{"max_queries": 100, "max_corpus": 1_000, "max_documents": 300},
        **{"min_items": 5, "resamples": 200, "clusterings": 5, "examples": 2},
    },
}
_LEAST: dict[str, dict[str, float]] = {"guard": {"holdout": 0.2}, "merge": {"dev": 0.3, "step": 0.25}}
_UNSET: dict[str, dict[str, Any]] = {
    "negatives": {"cross_encoder": None},
    "generate": {"mode": "extractive", "model": None, "written_negatives": False},
    "clean": {"licences": None},
    "deid": {"key_file": None},
}
_MODELS = (("negatives", "guide"), ("train", "guide"), ("train", "teacher"), ("train", "distill", "teacher"))


def shrunk(recipe: Recipe, folder: Path) -> Recipe:
    """The same recipe, small enough for a few minutes on two cores without network.

    Args:
        recipe: What is to be tried; settings that are smaller already stay.
        folder: Where invented texts are written.

    Returns:
        A recipe of another name, whose ``smoke`` says what was replaced.
    """
    values = recipe.settings()
    replaced: list[str] = []
    values["name"] = recipe.name + SUFFIX
    if not _is_here(recipe.base, recipe.folder):
        values["base"] = BASE
        replaced.append(f"base {recipe.base} by {BASE}")
    values["sources"] = [_source(source, folder, replaced) for source in values["sources"]]
    for section, limits in _MOST.items():
        _limit(values.get(section), limits, least=False)
    for section, limits in _LEAST.items():
        _limit(values.get(section), limits, least=True)
    for section, settings in _UNSET.items():
        if values.get(section):
            if section == "generate" and values[section]["mode"] != "extractive":
                replaced.append(f"the language model by queries from the text itself ({values[section]['mode']})")
            values[section] |= settings
    _replace_models(values, recipe.folder, replaced)
    _replace_sets(values, recipe.folder, folder, replaced)
    if values["base"] != recipe.base and values["train"].get("matryoshka"):
        values["train"]["matryoshka"] = [size for size in values["train"]["matryoshka"] if size <= _DIMENSIONS]
    defaults = type(recipe.train)(kind=recipe.train.kind).model_dump(mode="json")
    values["train"] = {k: v for k, v in values["train"].items() if k == "kind" or v != defaults[k]}
    small = Recipe.model_validate(values)
    return small.as_smoke(recipe.folder, (*replaced, f"sizes: at most {PAIRS} pairs of a kind, one epoch, batches of 16"))


def _is_here(model: str, folder: Path) -> bool:
    return model.startswith(BUILTIN) or (folder / Path(model).expanduser()).is_dir()


def _source(source: dict[str, Any], folder: Path, replaced: list[str]) -> dict[str, Any]:
    """A terminology of a package as it is; anything else as invented text under its name."""
    own = _PACKAGED.get(source["type"])
    if own is not None and not source.get(own):
        return source
    path = folder / f"{source['name']}.jsonl"
    write_texts(path, source["name"])
    replaced.append(f"source {source['name']} ({source['type']}) by invented text")
    return {
        "type": "files",
        "name": source["name"],
        "path": str(path.resolve()),
        "fields": {"id": "id", "title": "title", "text": "text", "group": "group"},
        "contains_phi": source["contains_phi"],
        "licence": "invented for a smoke run",
    }


def _limit(section: dict[str, Any] | None, limits: dict[str, float], least: bool) -> None:
    for key, limit in limits.items():
        if section is None or key not in section:
            continue
        given = section[key]
        if given is None:
            section[key] = limit if key in ("max_per_kind", "limit") else None
        else:
            section[key] = type(given)(max(given, limit) if least else min(given, limit))


def _replace_models(values: dict[str, Any], folder: Path, replaced: list[str]) -> None:
    """Models that are asked beside the base, where they are not on this machine: the base itself."""
    for *parents, last in _MODELS:
        section: Any = values
        for part in parents:
            section = (section or {}).get(part)
        named = (section or {}).get(last)
        if named and named not in ("self", "base") and not _is_here(named, folder):
            section[last] = values["base"]
            replaced.append(f"{'.'.join((*parents, last))} {named} by the base")
    if values.get("merge"):
        models = values["merge"]["models"]
        values["merge"]["models"] = [name if _is_here(name, folder) else values["base"] for name in models]
        replaced.extend(f"merge.models {name} by the base" for name in models if not _is_here(name, folder))


def _replace_sets(values: dict[str, Any], home: Path, folder: Path, replaced: list[str]) -> None:
    """Sets of judged queries that do not lie here: dropped; a merge gets an invented one for its general ones."""
    against = values["guard"]["against"]
    values["guard"]["against"] = [path for path in against if (home / Path(path).expanduser()).exists()]
    replaced.extend(f"guard.against {path} by nothing" for path in against if path not in values["guard"]["against"])
    if not values.get("merge"):
        return
    general = values["merge"]["general"]
    kept = [name for name in general if (home / Path(name).expanduser()).exists()]
    if len(kept) < len(general):
        write_everyday(folder / "everyday")
        values["merge"]["general"] = [*kept, str((folder / "everyday").resolve())]
        replaced.extend(f"{name} by a few invented questions" for name in general if name not in kept)
