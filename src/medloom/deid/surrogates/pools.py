"""What invented names are made of: syllables of our own, and the given names of the package ``names`` (extra ``deid``).

Surnames and places are put together, so that they are hardly ever a real person's, or the name of a disease or device.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import yaml

from medloom.errors import MedloomError

Gender = Literal["female", "male"]
Role = Literal["given", "last"]

_MIDDLES = ("", "en", "er")
_SHORTEST = 4
_DEPTH: dict[Gender, int] = {"female": 1500, "male": 1000}
_FILES = {"female": "dist.female.first", "male": "dist.male.first", "last": "dist.all.last"}
_MARKS = re.compile(r"[\u0300-\u036f'’‘]")
LETTERS = "abcdefghjklmnprstw"
"""First letters of invented names: those that many given names of either gender begin with."""


def words(name: str) -> tuple[str, ...]:
    """One of the lists of words.yaml."""
    return tuple(_lists()[name].split())


def fold(word: str) -> str:
    """What a name is known by: lower case, without accents and apostrophes."""
    return _MARKS.sub("", unicodedata.normalize("NFKD", word)).casefold()


@cache
def surnames(letter: str) -> tuple[str, ...]:
    """Invented surnames, by first letter."""
    return _compound(letter, words("surname_ends"))


@cache
def places() -> tuple[str, ...]:
    """Invented towns."""
    return tuple(name for letter in LETTERS for name in _compound(letter, words("place_ends")))


@cache
def given_names(letter: str, gender: Gender) -> tuple[str, ...]:
    """Given names, by first letter, the common ones that are no words and are mostly of one gender.

    Raises:
        MedloomError: The extra is not installed.
    """
    own, other = _table(gender), _table("male" if gender == "female" else "female")
    common = list(own)[: _DEPTH[gender]]
    return tuple(
        name.capitalize()
        for name in common
        if name[0] == letter and len(name) >= _SHORTEST and name not in words("words") and own[name] > other.get(name, 0.0)
    )


@cache
def gender_of(name: str) -> Gender | None:
    """Which gender a given name (folded) mostly has; None where the lists do not know it."""
    female, male = _table("female").get(name, 0.0), _table("male").get(name, 0.0)
    if female == male:
        return None
    return "female" if female > male else "male"


@cache
def role_of(name: str) -> Role:
    """Whether a name (folded) that stands alone is rather a given name or a surname."""
    given = (_table("female").get(name, 0.0) + _table("male").get(name, 0.0)) / 2
    return "last" if _table("last").get(name, 0.0) >= given / 2 else "given"


@cache
def is_name(word: str) -> bool:
    """Whether a folded word is in one of the lists."""
    return any(word in _table(table) for table in _FILES)


def _compound(letter: str, ends: tuple[str, ...]) -> tuple[str, ...]:
    starts = [start for start in words("starts") if start[0].casefold() == letter]
    return tuple(start + middle + end for start in starts for middle in _MIDDLES for end in ends)


@cache
def _lists() -> dict[str, str]:
    lists: dict[str, str] = yaml.safe_load(files(__package__).joinpath("words.yaml").read_text("utf-8"))
    return lists


@cache
def _table(name: str) -> dict[str, float]:
    """Share (in percent) of each name in the United States' census of 1990, the most common first."""
    spec = find_spec("names")
    if spec is None or spec.origin is None:
        raise MedloomError("surrogates need the package names: install the extra with pip install medloom[deid]")
    lines = (Path(spec.origin).parent / _FILES[name]).read_text("ascii").splitlines()
    return {word.casefold(): float(share) for word, share, _, _ in map(str.split, lines)}
