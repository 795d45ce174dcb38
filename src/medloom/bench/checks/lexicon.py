"""The words and the frames of the checks: two YAML files of our own, and what they may hold."""

import re
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Side = Literal[0, 1]
_CHOICE = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) != len(values):
        raise ValueError("an entry stands twice")
    return values


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_distinct)]
Numbers = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_distinct)]
TwoNames = Annotated[tuple[Name, Name], AfterValidator(_distinct)]
TwoNumbers = Annotated[tuple[int, int], AfterValidator(_distinct)]


class YoungAge(BaseModel):
    """A number that is an age in two units.

    Attributes:
        number: How many.
        units: The smaller and the larger unit.
        stages: The stage of life at that many of each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1)
    units: TwoNames
    stages: TwoNames


class Lexicon(BaseModel):
    """Everything that frames are filled with; ``lexicon.yaml`` says what each entry is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    findings: Names
    symptoms: Names
    sided: dict[Name, Names]
    heritable: Names
    relatives: Names
    passing: Names
    graded: Names
    acute_or_chronic: Names
    changing: Names
    allergens: Names
    strengths: dict[Name, TwoNumbers]
    amounts: Numbers
    frequencies: dict[Name, TwoNumbers]
    drugs: dict[Name, dict[Name, Name]]
    abbreviations: dict[Name, dict[Name, Name]]
    lay: dict[Name, Name]
    sites: dict[Name, dict[Name, Name]]
    lesions: Names
    measures: dict[Name, TwoNames]
    ages: tuple[TwoNumbers, ...]
    young_ages: tuple[YoungAge, ...]
    complaints: Names
    eponyms: tuple[tuple[Name, Name, Name], ...]


class Kind(BaseModel):
    """One kind of check.

    Attributes:
        asks: What a model must tell from what.
        frames: Wordings that are all unlike one another.
        forms: Wordings by form, where anchor and right text must be of two forms.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    asks: Name
    frames: Names = Field(default=(), validate_default=False)
    forms: dict[Name, Names] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _three_wordings_of_two_forms(self) -> "Kind":
        if bool(self.frames) == bool(self.forms):
            raise ValueError("a kind has either frames or forms")
        if len(self.wordings) < 3 or len({form for form, _ in self.wordings}) < 2:
            raise ValueError("a kind needs three wordings, of two forms")
        return self

    @property
    def wordings(self) -> tuple[tuple[str, str], ...]:
        """Form and frame of each wording; a frame without a form is its own form."""
        if self.frames:
            return tuple((frame, frame) for frame in self.frames)
        return tuple((form, frame) for form, frames in self.forms.items() for frame in frames)


def fill(frame: str, side: Side, slots: dict[str, str]) -> str:
    """The text of one meaning: ``[a|b]`` is decided by the side, ``{slot}`` is filled, and it starts with a capital.

    Raises:
        KeyError: The frame has a slot that is not filled.
    """
    text = _CHOICE.sub(lambda match: match.group(side + 1), frame).format_map(slots)
    return text[:1].upper() + text[1:]


@cache
def lexicon() -> Lexicon:
    """The words."""
    return Lexicon.model_validate(_read("lexicon.yaml"))


@cache
def kinds() -> dict[str, Kind]:
    """The kinds of check by name, in the order in which results are shown."""
    return {name: Kind.model_validate(kind) for name, kind in _read("kinds.yaml").items()}


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(resources.files(__package__).joinpath(name).read_text("utf-8"))
    return content
