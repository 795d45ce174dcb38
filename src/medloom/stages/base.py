"""What a stage is: finished artifacts and settings in, one artifact out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medloom.identity import digest
from medloom.recipe import Recipe

HELD_OUT, TEST, TRAIN = "held_out.parquet", "test.parquet", "train.parquet"
DOCUMENTS, GENERATED, PAIRS, MINED = "documents.parquet", "generated.parquet", "pairs.parquet", "mined.parquet"
DEV, DEV_DOCUMENTS = "dev.parquet", "dev_documents.parquet"

_WRITERS = ("collect", "clean", "deid")
"""Stages that write documents, in order."""


@dataclass(frozen=True)
class Work:
    """What a stage is given.

    Attributes:
        recipe: The settings.
        folder: Where to write; may hold what a killed try left, if the stage is resumable.
        inputs: Folder of each finished stage, by name.
        home: Folder of the run, for what outlives a stage's settings: the secret key, the table of calls.
    """

    recipe: Recipe
    folder: Path
    inputs: dict[str, Path]
    home: Path

    @property
    def documents(self) -> Path:
        """The table of documents to read: of the last finished stage that writes one."""
        return self.inputs[next(name for name in reversed(_WRITERS) if name in self.inputs)] / DOCUMENTS

    @property
    def pairs(self) -> Path:
        """The table of pairs to train on."""
        return self.inputs[training_stage(self.recipe)] / MINED

    @property
    def model(self) -> Path:
        """The model to evaluate and publish."""
        return self.inputs[model_stage(self.recipe)] / "model"


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
        needs: Stages whose artifacts it reads, where the recipe has them; ``documents`` stands for the last stage before
            it that writes documents, ``training`` for the one whose pairs are trained on, ``model`` for the one whose model
            is final.
        settings: The part of the recipe that it depends on.
        outside: Content hashes of what it reads from outside the run.
        work: Does it.
        resumable: Whether a killed try's folder is of use to the next.
        wanted: Whether the recipe has the stage at all.
    """

    name: str
    version: int
    needs: tuple[str, ...]
    settings: Callable[[Recipe], dict[str, Any]]
    outside: Callable[[Recipe], dict[str, str]]
    work: Callable[[Work], Outcome]
    resumable: bool = False
    wanted: Callable[[Recipe], bool] = lambda recipe: True

    def needs_of(self, recipe: Recipe) -> tuple[str, ...]:
        """Names of the stages whose artifacts it reads under this recipe."""
        there = {
            "deid": recipe.deid is not None,
            "generate": recipe.generate is not None,
            "dev": training_stage(recipe) == "dev",
        }
        stands_for: dict[str, Callable[[], str]] = {
            "documents": lambda: documents_stage(recipe, self.name),
            "training": lambda: training_stage(recipe),
            "model": lambda: model_stage(recipe),
        }
        names = (stands_for[need]() if need in stands_for else need for need in self.needs)
        return tuple(dict.fromkeys(name for name in names if there.get(name, True)))

    def fingerprint(self, recipe: Recipe, inputs: dict[str, str]) -> str:
        """Hash of all that the stage's artifact depends on."""
        return digest({"stage": self.name, "version": self.version, "settings": self.settings(recipe), "inputs": inputs})


def documents_stage(recipe: Recipe, before: str | None = None) -> str:
    """Name of the last stage that writes documents, in all or before the stage named."""
    there = {"clean": recipe.clean is not None, "deid": recipe.deid is not None}
    earlier = _WRITERS[: _WRITERS.index(before)] if before in _WRITERS else _WRITERS
    return next(name for name in reversed(earlier) if there.get(name, True))


def training_stage(recipe: Recipe) -> str:
    """Name of the stage whose pairs are trained on: ``dev`` where it holds some back to choose merge weights by."""
    return "dev" if recipe.merge is not None and recipe.merge.scored else "mine"


def model_stage(recipe: Recipe) -> str:
    """Name of the stage whose model is evaluated and published."""
    return "train" if recipe.merge is None else "merge"


def nothing(recipe: Recipe) -> dict[str, str]:
    """For stages that read nothing from outside."""
    return {}


def base_hash(recipe: Recipe) -> dict[str, str]:
    """Content hash of the base model."""
    from medloom.encode import resolve_model

    return {"base": resolve_model(recipe.base, recipe.folder).hash}
