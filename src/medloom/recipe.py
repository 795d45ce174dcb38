"""The recipe: one YAML file is the whole run."""

import copy
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SerializeAsAny, ValidationError

from medloom.clean import CleanConfig
from medloom.deid.config import DeidConfig
from medloom.engine import HOW_ONLY
from medloom.errors import RecipeError
from medloom.evaluate.config import EvaluateConfig
from medloom.generate.config import GenerateConfig
from medloom.guard import GuardConfig
from medloom.merge import MergeConfig
from medloom.mine import NegativesConfig, PairsConfig
from medloom.sources import SourceConfig, known_sources
from medloom.sources.files import FieldMap
from medloom.train import TRAININGS, TrainConfig, Training

_Path = tuple[str | int, ...]
SUFFIXES = (".yaml", ".yml")
_SHARED = ("generate", "guard", "negatives")
"""Sections whose work an engine shares out."""
Settings = TypeVar("Settings", bound=BaseModel)


def _as_source(value: Any) -> Any:  # noqa: ANN401
    """A mapping as the source that its ``type`` names."""
    if not isinstance(value, Mapping):
        return value
    known = known_sources()
    type_ = value.get("type")
    if type_ is None:
        raise ValueError(f"a source needs a type: one of {', '.join(known)}")
    if type_ not in known:
        raise ValueError(f"unknown source type {type_!r}{_near(str(type_), known)}; there are: {', '.join(known)}")
    return known[type_](**value)


def _as_training(value: Any) -> Any:  # noqa: ANN401
    """A mapping as the settings of the kind of training that it names, dense if it names none."""
    if not isinstance(value, Mapping):
        return value
    kind = value.get("kind", "dense")
    if kind not in TRAININGS:
        raise ValueError(
            f"unknown kind of training {kind!r}{_near(str(kind), TRAININGS)}; there are: {', '.join(TRAININGS)}"
        )
    return TRAININGS[kind].model_validate(value)


class Recipe(BaseModel):
    """The whole pipeline: where text comes from, what is made of it, and how the result is judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Names the run and its folder.")
    seed: int = Field(default=7, ge=0, description="Everything drawn at random is drawn from this.")
    base: str = Field(
        default="builtin:all-MiniLM-L6-v2", description="The model to start from: builtin:NAME, a folder, or a hub id."
    )
    sources: tuple[Annotated[SerializeAsAny[SourceConfig], BeforeValidator(_as_source)], ...] = Field(
        min_length=1, description="Where the text comes from."
    )
    clean: CleanConfig | None = Field(
        default=None,
        description="How text is repaired and which documents are kept; all stay as their source gives them if not set.",
    )
    deid: DeidConfig | None = Field(
        default=None,
        description="How patient text is de-identified; without it such text goes no further than this machine.",
    )
    allow_phi_to: tuple[str, ...] = Field(
        default=(),
        description="Hosts that patient text may be sent to though it was not de-identified, and publish for the model; "
        "recorded in the manifest and the card.",
    )
    generate: GenerateConfig | None = Field(
        default=None, description="Queries from documents, by a language model or from the text itself; none if not set."
    )
    pairs: PairsConfig = Field(default=PairsConfig(), description="Which pairs to form.")
    guard: GuardConfig = Field(default=GuardConfig(), description="How test text is kept out of training.")
    negatives: NegativesConfig = Field(default=NegativesConfig(), description="How hard negatives are mined.")
    train: Annotated[Training, BeforeValidator(_as_training)] = Field(
        default=TrainConfig(), description="The training; its `kind` says what of."
    )
    merge: MergeConfig | None = Field(
        default=None,
        description="How the tuned model is averaged with its base and further models; it stays as it is if not set.",
    )
    evaluate: EvaluateConfig = Field(default=EvaluateConfig(), description="What base and tuned model are compared on.")
    _folder: Path = PrivateAttr(default_factory=Path)
    _smoke: tuple[str, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401
        """Check what no field can check alone."""
        super().model_post_init(context)
        names = [source.name for source in self.sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two sources are called {twice!r}: give one of them another name:")
        if self.merge is not None and self.train.kind != "dense":
            raise ValueError(f"merge averages dense models: a {self.train.kind} model and its base are not of one form:")

    @property
    def folder(self) -> Path:
        """What relative paths in the recipe are relative to."""
        return self._folder

    @property
    def smoke(self) -> tuple[str, ...]:
        """What a smoke run replaced; empty for a real recipe."""
        return self._smoke

    def as_smoke(self, folder: Path, replaced: tuple[str, ...]) -> Self:
        """Mark the recipe as one that only shows that another is whole.

        Args:
            folder: What relative paths are relative to.
            replaced: What stands in for what.
        """
        self._folder, self._smoke = folder, replaced
        for source in self.sources:
            source.relative_to(folder)
        return self

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Self:
        """Read a recipe from a YAML file, or a shipped one by name.

        Args:
            path: A file, or the name of a shipped recipe.
            overrides: ``key.sub=value`` settings that replace the file's; values are YAML.

        Raises:
            RecipeError: The file is missing or says something that a recipe cannot.
        """
        file = find_recipe(str(path))
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise RecipeError(f"{file} is not UTF-8 (byte {error.start + 1}): save it as UTF-8") from error
        shipped = file in shipped_recipes().values()
        return cls.parse(text, str(file), Path() if shipped else file.parent, overrides)

    @classmethod
    def parse(cls, text: str, where: str = "recipe", folder: Path | None = None, overrides: Sequence[str] = ()) -> Self:
        """Read a recipe from YAML text.

        Args:
            text: The YAML.
            where: What to call it in errors.
            folder: What relative paths are relative to; the working directory if not given.
            overrides: ``key.sub=value`` settings.

        Raises:
            RecipeError: The text says something that a recipe cannot, with the line and the nearest field name.
        """
        data, lines = _load_yaml(text, where)
        for override in overrides:
            _override(data, override)
        try:
            recipe = cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError("\n".join(_explain(cls, e, where, lines, data) for e in _causes(error))) from None
        recipe._folder = folder or Path()
        for source in recipe.sources:
            source.relative_to(recipe._folder)
        return recipe

    def settings(self, sharing: bool = True) -> dict[str, Any]:
        """The recipe as plain values, defaults included, but for sections ``clean`` and ``merge`` that it does not have.

        Args:
            sharing: Whether to say who shares the work, on which no result depends.
        """
        absent = {name: True for name in ("clean", "merge") if getattr(self, name) is None}
        who = {name: set(HOW_ONLY) for name in _SHARED if not sharing and getattr(self, name) is not None}
        return self.model_dump(mode="json", exclude={**absent, **who} or None)

    def shared_by(self, sharing: Mapping[str, Any]) -> Self:
        """The recipe with its work shared out otherwise.

        Args:
            sharing: Settings of :class:`~medloom.engine.Sharing` that replace those of every section that has them.
        """
        there = {name: section for name in _SHARED if (section := getattr(self, name)) is not None}
        return self.model_copy(update={name: section.model_copy(update=sharing) for name, section in there.items()})


def settings_of(model: type[Settings], data: Mapping[str, Any], overrides: Sequence[str], where: str) -> Settings:
    """One section of a recipe from plain values.

    Args:
        model: The section's class.
        data: Its values.
        overrides: ``key.sub=value`` settings on top; values are YAML.
        where: What to call it in errors.

    Raises:
        RecipeError: A setting is unknown or has a value that it cannot have.
    """
    values = copy.deepcopy(dict(data))
    for override in overrides:
        _override(values, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RecipeError("\n".join(_explain(model, e, where, {}, values) for e in _causes(error))) from None


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with medloom, by name; what else lies beside them (ablations) has no ``sources:``."""
    package = Path(__file__).parent
    folders = (package / "recipes", package.parents[1] / "recipes")
    files = (path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.yaml")))
    return {path.stem: path for path in files if "\nsources:" in path.read_text("utf-8")}


def find_recipe(name: str) -> Path:
    """A recipe's file, from its path or its shipped name.

    Raises:
        RecipeError: There is neither.
    """
    shipped = shipped_recipes()
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if name in shipped:
        return shipped[name]
    if path.suffix in SUFFIXES or path.parent != Path():
        raise RecipeError(f"no recipe file {path}: check the path{_near(path.name, _files_in(path.parent))}")
    raise RecipeError(f"no recipe {name!r}{_near(name, shipped)}; shipped: {', '.join(shipped)}; or give a .yaml file")


def _files_in(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir()] if folder.is_dir() else []


def _near(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """A hint with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _load_yaml(text: str, where: str) -> tuple[dict[str, Any], dict[_Path, int]]:
    """The values and the line that each key stands on."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{where}{line}: not valid YAML ({getattr(error, 'problem', None) or error})") from error
    if not isinstance(data, dict) or node is None:
        raise RecipeError(f"{where}: a recipe is a mapping with name, sources, ...: the file holds something else")
    lines: dict[_Path, int] = {}
    try:
        _note_lines(node, (), lines, where)
    except RecursionError as error:
        raise RecipeError(f"{where}: an alias refers to itself: write the value out") from error
    return data, lines


def _note_lines(node: yaml.Node, path: _Path, lines: dict[_Path, int], where: str) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise RecipeError(f"{where}, line {key.start_mark.line + 1}: {key.value!r} is given twice: keep one")
            seen.add(key.value)
            _note_lines(value, (*path, key.value), lines, where)
            lines[(*path, key.value)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _note_lines(value, (*path, number), lines, where)


def _override(data: dict[str, Any], override: str) -> None:
    """Apply one ``key.sub=value``."""
    key, equals, raw = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {override}: write it as key=value, such as train.epochs=2")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override}: the value is not valid YAML") from error
    *parents, last = key.strip().split(".")
    place: Any = data
    for part in parents:
        place = _step(place, part, override)
    if isinstance(place, list):
        place[_index(place, last, override)] = value
    else:
        place[last] = value


def _step(place: Any, part: str, override: str) -> Any:  # noqa: ANN401
    if isinstance(place, list):
        return place[_index(place, part, override)]
    inner = place.setdefault(part, {})
    if inner is None:
        inner = place[part] = {}
    if not isinstance(inner, dict | list):
        raise RecipeError(f"--set {override}: {part!r} holds a single value, not a group of settings")
    return inner


def _index(place: list[Any], part: str, override: str) -> int:
    if not part.isdigit() or int(part) >= len(place):
        raise RecipeError(f"--set {override}: {part!r} is not a number from 0 to {len(place) - 1}")
    return int(part)


def _causes(error: ValidationError) -> list[Any]:
    """The errors without those that only follow from an error further in."""
    errors = error.errors()
    return [
        e
        for e in errors
        if not (e["type"] == "too_short" and any(o is not e and o["loc"][: len(e["loc"])] == e["loc"] for o in errors))
    ]


def _explain(
    model: type[BaseModel],
    error: Any,  # noqa: ANN401
    where: str,
    lines: Mapping[_Path, int],
    data: Mapping[str, Any],
) -> str:
    """One validation error as a person would say it."""
    location: _Path = tuple(error["loc"])
    known = next((location[:n] for n in range(len(location), -1, -1) if location[:n] in lines), ())
    line = f", line {lines[known]}" if known in lines else ""
    dotted = ".".join(map(str, location)) or "recipe"
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        fields = _fields_at(model, location[:-1], data)
        hint = _near(str(location[-1]), fields)
        return f"{where}{line}: unknown setting {dotted!r}{hint}; there are: {', '.join(fields)}"
    if error["type"] == "missing":
        return f"{where}{line}: {dotted!r} is missing"
    given = error.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{where}{line}: {dotted}: {message}{shown}"


def _fields_at(model: type[BaseModel], location: _Path, data: Mapping[str, Any]) -> list[str]:
    """Names of the settings at a place of the recipe."""
    if location[:1] == ("sources",):
        source = known_sources()[data["sources"][location[1]]["type"]]
        return list(FieldMap.model_fields if location[2:3] == ("fields",) else source.model_fields)
    fields: Mapping[str, Any] = model.model_fields
    if location[:1] == ("train",) and "train" in fields:
        fields, location = TRAININGS[data["train"].get("kind", "dense")].model_fields, location[1:]
    for part in location:
        fields = _inner_fields(fields[str(part)].annotation) if str(part) in fields else {}
    return list(fields)


def _inner_fields(annotation: object) -> Mapping[str, Any]:
    """Fields of the settings that an annotation names, behind an ``| None`` too."""
    for inner in (annotation, *get_args(annotation)):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner.model_fields
    return {}
