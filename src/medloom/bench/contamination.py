"""Whether a model has seen the text it is judged on: by declaration, and by measurement.

A declaration says that the model was trained on the same source, not that it saw just these texts. A measurement needs the
training texts: of a model that medloom trained they lie beside it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from medloom.artifacts import read_table
from medloom.errors import ArtifactError
from medloom.evaluate.tasks import Task
from medloom.guard.contamination import EvaluationTexts
from medloom.progress import bar
from medloom.records import TrainingRecord


def declared(model: str, source: str) -> list[str]:
    """What is known of a model's training on a source, a sentence each.

    Args:
        model: Hub id or name of the model.
        source: Source of a task's text.
    """
    names = {model.lower(), model.lower().rstrip("/").rpartition("/")[2]}
    return [
        f"{entry['what']} ({entry['evidence']})"
        for entry in _registry()
        if source.lower() in {s.lower() for s in entry["sources"]} and names & _names(entry["models"])
    ]


def training_texts(folder: Path) -> Iterator[str]:
    """Every text that a medloom run trained on: queries, positives and negatives.

    Args:
        folder: A run, its ``model`` folder, or a Parquet file of training records.

    Raises:
        ArtifactError: No training records are there.
    """
    for record in read_table(_table(folder), TrainingRecord):
        yield record.query
        yield from record.positives
        yield from record.negatives


def find_training(model: str) -> Path | None:
    """The training records beside a model that medloom trained, or None."""
    folder = Path(model).expanduser()
    try:
        return _table(folder) if folder.is_dir() else None
    except ArtifactError:
        return None


class Overlap:
    """An index of training texts, to be asked about the texts of tasks.

    The tests are those that guard training: equal after normalisation, near-duplicate (Jaccard overlap of character
    4-grams of at least 0.8), or a run of 13 equal words.

    Args:
        texts: Every training text.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._index = EvaluationTexts()
        self._index.add(texts)
        self._known: dict[str, str | None] = {}

    def of(self, task: Task) -> dict[str, Any]:
        """Share of the task's distinct test texts that were trained on, and counts by kind of match."""
        texts = list(dict.fromkeys(_judged(task)))
        counts = {"exact": 0, "near_duplicate": 0, "ngram": 0}
        with bar(f"overlap ({task.name})", len(texts), "texts") as advance:
            for text in texts:
                if text not in self._known:
                    self._known[text] = self._index.reason(text)
                if reason := self._known[text]:
                    counts[reason] += 1
                advance()
        return {"share": sum(counts.values()) / max(1, len(texts)), "checked": len(texts), **counts}


def _judged(task: Task) -> Iterator[str]:
    """The texts that a score is about; a classification task's own training texts are not judged."""
    fitted = set(task.data.get("train_texts", ())) - set(task.data.get("texts", ()))
    return (text for _, text in task.texts if text not in fitted)


def _table(folder: Path) -> Path:
    if folder.suffix == ".parquet" and folder.is_file():
        return folder
    patterns = ("stages/*-mine-*/mined.parquet", "stages/*-guard-*/train.parquet")
    found = [path for base in (folder, folder.parent) for pattern in patterns for path in sorted(base.glob(pattern))]
    if not found:
        raise ArtifactError(f"no training records in {folder}: give the folder of a medloom run, or a Parquet file of them")
    return found[0]


def _names(models: Sequence[str]) -> set[str]:
    lower = [m.lower() for m in models]
    return {*lower, *(m.rpartition("/")[2] for m in lower)}


@cache
def _registry() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load(files("medloom.bench").joinpath("training_sets.yaml").read_text("utf-8"))
    return entries
