"""Published figures of others, as reference rows beside what is measured here."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class Reference:
    """One model's published figures.

    Attributes:
        model: As the publication names it.
        source: Where the figures stand.
        note: What to know of them.
        tasks: Score by task and metric.
        types: Mean by type, where only that was published.
    """

    model: str
    source: str
    note: str
    tasks: dict[tuple[str, str], float]
    types: dict[str, float]


def references(suites: Collection[str]) -> list[Reference]:
    """The published rows of the suites, by name (``medembed``, ``medteb``)."""
    return [row for name, entry in _published().items() if name in suites for row in _rows(entry)]


def _rows(entry: dict[str, Any]) -> list[Reference]:
    tasks: dict[str, dict[tuple[str, str], float]] = {}
    for metric, models in entry.get("metrics", {}).items():
        for model, values in models.items():
            for task, value in zip(entry["columns"], values, strict=True):
                tasks.setdefault(model, {})[task, metric] = value
    types = {model: dict(zip(entry["columns"], values, strict=True)) for model, values in entry.get("types", {}).items()}
    return [
        Reference(model, entry["source"], entry["note"], tasks.get(model, {}), types.get(model, {}))
        for model in dict.fromkeys((*tasks, *types))
    ]


@cache
def _published() -> dict[str, Any]:
    text = files("medloom.bench").joinpath("published.yaml").read_text("utf-8")
    published: dict[str, Any] = yaml.safe_load(text)
    return published
