"""``report.json``: what a run did and what came of it; and the model folder's place."""

import json
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medloom import __version__
from medloom.artifacts import Manifest
from medloom.identity import model_digest
from medloom.recipe import Recipe


def build_report(
    recipe: Recipe, manifests: Mapping[str, Manifest], places: Mapping[str, Path], model: Path
) -> dict[str, Any]:
    """The content of ``report.json``.

    Args:
        recipe: What was run.
        manifests: Of all stages.
        places: Their folders.
        model: Where the final model lies.
    """
    comparison = json.loads((places["evaluate"] / "comparison.json").read_text("utf-8"))
    train = manifests["train"].notes
    merged = manifests["merge"].notes if "merge" in manifests else None
    return {
        "name": recipe.name,
        "created": manifests["publish"].finished,
        "seed": recipe.seed,
        "medloom_version": __version__,
        "base": {"name": train["base"]["name"], "hash": train["base"]["hash"]},
        "model": {"path": str(model), "hash": (merged or train)["hash"], **manifests["evaluate"].notes["model"]},
        "verdict": comparison["verdict"],
        "tasks": comparison["tasks"],
        "left_out": comparison["left_out"],
        "stages": [
            {
                "name": name,
                "seconds": manifest.seconds,
                "peak_rss_mb": manifest.peak_rss_mb,
                "rows_in": manifest.rows_in,
                "rows_out": manifest.rows_out,
                "counts": manifest.counts,
                "tries": manifest.tries,
            }
            for name, manifest in manifests.items()
        ],
        "examples": comparison["examples"],
        "sources": [
            {
                "name": source["name"],
                "release": source["version"],
                "licence": source["licence"],
                "citation": source["citation"],
                "documents": source["documents"],
                "url": source["url"],
            }
            for source in manifests["collect"].notes["sources"]
        ],
        "contamination": {
            reason: manifests["guard"].counts.get(reason, 0) for reason in ("exact", "near_duplicate", "ngram")
        },
        "deid": manifests["deid"].notes if "deid" in manifests else None,
        "generated": manifests["generate"].notes if "generate" in manifests else None,
        **({"merge": merged} if merged else {}),
        **({"smoke": list(recipe.smoke)} if recipe.smoke else {}),
        "settings": recipe.settings(),
        "environment": {
            "machine": manifests["publish"].notes["machine"],
            "python": platform.python_version(),
            "precision": {"train": train["precision"], "evaluate": manifests["evaluate"].notes["precision"]},
            "packages": manifests["train"].versions,
        },
    }


def place_model(model: Path, card: Path, target: Path) -> None:
    """Copy the model and its card to ``target``, unless the same model lies there already.

    The copy is made beside the target and renamed, so that a kill never leaves half a model.
    """
    if not _same_model(model, target):
        beside = target.with_name(target.name + ".partial")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(model, beside)
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
    shutil.copyfile(card, target / "README.md")


def _same_model(model: Path, target: Path) -> bool:
    try:
        return model_digest(model) == model_digest(target)
    except (FileNotFoundError, json.JSONDecodeError):
        return False
