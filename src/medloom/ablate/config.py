"""What an ablation is: a recipe, the changes to it, and what judges them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from medloom.errors import RecipeError
from medloom.recipe import Recipe, find_recipe

_NAME = r"^[\w.+ -]{1,60}$"


class Judges(BaseModel):
    """Tasks that are looked at together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: tuple[str, ...] = Field(
        min_length=1, description="Paths of tasks: a folder in BEIR's layout, a table, or a built suite."
    )
    tolerance: float | None = Field(
        default=None,
        ge=0,
        description="A variant that is worse than the base by more than this on one of them is not chosen.",
    )


class Ablation(BaseModel):
    """One recipe and its variants, as a YAML file says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME, description="Its name; what it writes lies in runs/<name> if not told otherwise.")
    recipe: str | dict[str, Any] = Field(description="The recipe that is varied: a file, a shipped name, or written out.")
    judges: dict[str, Judges] = Field(
        min_length=1, description="Groups of tasks by name. The mean of the first is what variants are chosen by."
    )
    reference: str = Field(default="", description="The variant that others are compared with; the first if not set.")
    variants: dict[str, dict[str, Any]] = Field(
        min_length=1, description="Settings that each variant changes: {train.temperature: 0.02}."
    )
    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _reference_is_known(self) -> Self:
        if self.reference and self.reference not in self.variants:
            raise ValueError(f"reference {self.reference!r} is no variant: there is {', '.join(self.variants)}")
        return self

    @classmethod
    def load(cls, path: Path, texts: Path | None = None) -> Self:
        """Read an ablation.

        Args:
            path: The YAML file.
            texts: What its relative paths, the recipe's among them, are relative to; the file's folder if not given.

        Raises:
            RecipeError: It is not there, or says something that an ablation cannot.
        """
        if not path.is_file():
            raise RecipeError(f"no ablation file {path}: check the path")
        try:
            found = cls.model_validate(yaml.safe_load(path.read_text("utf-8")))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path}: not valid YAML in UTF-8") from error
        except ValidationError as error:
            first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
            where = ".".join(map(str, first["loc"])) or "the file"
            raise RecipeError(f"{path}: {where}: {str(first['msg']).removeprefix('Value error, ')}") from None
        found._folder = texts or path.parent
        for variant in found.variants:
            found.recipe_of(variant)
        return found

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self._folder

    @property
    def compared_with(self) -> str:
        """Name of the reference."""
        return self.reference or next(iter(self.variants))

    def recipe_of(self, variant: str) -> Recipe:
        """The recipe of a variant; every judge is in its ``guard.against``, so that none is trained on.

        Raises:
            RecipeError: A change is one that the recipe cannot take; the message names the variant.
        """
        judges = [task for group in self.judges.values() for task in group.tasks]
        changes = _written(self.variants[variant])
        try:
            plain = self._recipe(changes)
            against = list(dict.fromkeys([*plain.guard.against, *judges]))
            return self._recipe([*changes, f"guard.against={json.dumps(against)}"])
        except RecipeError as error:
            raise RecipeError(f"variant {variant!r}: {error}") from error

    def _recipe(self, overrides: list[str]) -> Recipe:
        if isinstance(self.recipe, str):
            near = self._folder / self.recipe
            file = near if near.is_file() else find_recipe(self.recipe)
            return Recipe.parse(file.read_text("utf-8"), str(file), self._folder, overrides)
        return Recipe.parse(yaml.safe_dump(self.recipe), f"{self.name}: recipe", self._folder, overrides)


def _written(changes: Mapping[str, Any]) -> list[str]:
    """Changes as ``--set`` takes them; JSON is YAML."""
    return [f"{key}={json.dumps(value)}" for key, value in changes.items()]
