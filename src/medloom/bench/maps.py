"""A task's embeddings in two dimensions: what models put together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.errors import MedloomError
from medloom.evaluate.systems.base import System
from medloom.evaluate.tasks import Task
from medloom.identity import text_hash

_POINTS = 500
_LABELS = 10
_PERPLEXITY = 30
_HASH = 64


def keep_sample(path: Path, system: System, task: Task) -> None:
    """Keep the vectors of up to 500 of a clustering task's documents beside its result, for a map.

    The same documents are drawn for every model, from the ten most frequent labels.

    Args:
        path: The result's place, without its ending.
        system: Gives the vectors.
        task: A clustering task.
    """
    labels = task.data["labels"]
    values, counts = np.unique(np.array(labels), return_counts=True)
    frequent = set(values[np.argsort(-counts, kind="stable")][:_LABELS].tolist())
    drawn = sorted(
        (i for i, label in enumerate(labels) if label in frequent),
        key=lambda i: text_hash(task.data["sentences"][i], _HASH),
    )[:_POINTS]
    vectors = system.vectors([task.data["sentences"][i] for i in drawn])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.map.tmp")
    with partial.open("wb") as file:
        np.savez(file, vectors=vectors.astype(np.float16), labels=np.array([labels[i] for i in drawn]))
    partial.replace(path.with_name(f"{path.name}.map.npz"))


def embedding_map(results: Path, board: Mapping[str, Any], wanted: str) -> dict[str, Any] | None:
    """One task's embeddings under each model of a board, by t-SNE (van der Maaten and Hinton 2008) from a PCA start.

    Args:
        results: Where the results lie.
        board: Says which models and tasks are shown.
        wanted: Name of a clustering task; the first that any model has if empty.

    Returns:
        The ``map`` of the board; None where no model has vectors of such a task.

    Raises:
        MedloomError: The task that was asked for has no vectors.
    """
    names = [wanted] if wanted else [task["name"] for task in board["tasks"] if task["type"] == "Clustering"]
    for name in names:
        found = _samples(results, board, name)
        if found:
            return _drawn(name, found)
    if wanted:
        raise MedloomError(f"--map {wanted}: no model has vectors of it: give a clustering task that was run")
    return None


def _samples(results: Path, board: Mapping[str, Any], name: str) -> dict[str, tuple[npt.NDArray[np.float32], list[str]]]:
    found = {}
    for model in board["models"]:
        for path in sorted(results.glob(f"{model['id']}/*/{name}.map.npz")):
            with np.load(path, allow_pickle=False) as kept:
                found[model["id"]] = (kept["vectors"].astype(np.float32), [str(label) for label in kept["labels"]])
    return found


def _drawn(name: str, found: Mapping[str, tuple[npt.NDArray[np.float32], list[str]]]) -> dict[str, Any]:
    labels = sorted({label for _, own in found.values() for label in own})
    return {
        "task": name,
        "method": "t-SNE from a PCA start, cosine distance",
        "models": [
            {
                "model": model,
                "points": [
                    [round(float(x), 2), round(float(y), 2), labels.index(label)]
                    for (x, y), label in zip(_plane(vectors), own, strict=True)
                ],
            }
            for model, (vectors, own) in found.items()
        ],
        "labels": labels,
    }


def _plane(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from sklearn.manifold import TSNE

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    perplexity = min(_PERPLEXITY, max(1, (len(unit) - 1) // 3))
    plane: npt.NDArray[np.float32] = TSNE(
        n_components=2, perplexity=perplexity, metric="cosine", init="random" if len(unit) < 4 else "pca", random_state=0
    ).fit_transform(unit)
    return plane
