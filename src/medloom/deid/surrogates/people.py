"""Invented people: every part of a name has one counterpart, so that all ways to write the name stay one person.

The first letter of a counterpart depends on the first letter of the original alone. So "J.D." fits "Janice Dow" without
either having to be seen with the other.
"""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Literal

from medloom.deid.keys import Draw
from medloom.deid.surrogates import pools

Part = Literal["kept", "dropped", "initial", "initials", "given", "last"]

_WORD = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+(?:['’](?:[^\W\d_][\u0300-\u036f]*)+)*")
_AND = re.compile(r"\s*(?:&|/|;|\n|\b(?:and|or)\b)\s*", re.IGNORECASE)
_TITLES = frozenset(pools.words("titles"))
_TITLE_BEFORE = re.compile(rf"\b(?:{'|'.join(pools.words('titles'))})\.?\s+$", re.IGNORECASE)
_SUFFIXES = frozenset(pools.words("suffixes"))
_CAPITAL_SUFFIXES = frozenset(pools.words("capital_suffixes"))
_DEGREE = re.compile(r",?\s*\b(?:M\.\s?D|D\.\s?O|Ph\.\s?D|R\.\s?N|N\.\s?P|P\.\s?A|B\.\s?S|J\.\s?r|S\.\s?r)\b\.?(?:-C\b)?")
_PARTICLES = frozenset(pools.words("particles"))
_HYPHENS = frozenset({"-", "‐", "‑", "–"})
_GAP = re.compile(r"[ \t-]*")
_MOST_INITIALS = 3


@dataclass(frozen=True)
class _Word:
    """A word of a name: where it stands (without an 's), and what part of the name it is."""

    start: int
    end: int
    text: str
    part: Part


class People:
    """The invented people of one note.

    Args:
        draw: Draws for the note's patient.
        names: Every name in the note, with the text just before it.
        forbidden: Folded words that no invented name may be: all originals of the note.
    """

    def __init__(self, draw: Draw, names: Iterable[tuple[str, str]], forbidden: Set[str]) -> None:
        self._draw = draw
        self._forbidden = forbidden
        self._letters = sorted(pools.LETTERS, key=lambda letter: draw.number("letter", letter))
        self._known: dict[str, set[pools.Role]] = {}
        for name, before in names:
            for word in self._read(name, before, told_only=True):
                if word.part == "given" or word.part == "last":
                    self._known.setdefault(pools.fold(word.text), set()).add(word.part)

    def replacement(self, name: str, before: str) -> str | None:
        """The invented name in the shape of the original; None if that holds no name.

        Args:
            name: As written, with or without title, degree and 's.
            before: The text just before it, where a title may stand.
        """
        words = self._read(name, before)
        if not any(word.part in ("initial", "initials", "given", "last") for word in words):
            return None
        pieces, at = [], 0
        for word in words:
            pieces.append(name[at : word.start])
            at = word.end
            if word.part == "dropped":
                at = _GAP.match(name, at).end()  # type: ignore[union-attr]
            else:
                pieces.append(self._counterpart(word))
        return "".join([*pieces, name[at:]])

    def initials(self, first: str, last: str) -> tuple[str, str]:
        """The first letters of the counterparts of two names."""
        return self._letter(first), self._letter(last)

    def _counterpart(self, word: _Word) -> str:
        if word.part == "kept" or word.part == "dropped":
            return word.text
        if word.part == "initial" or word.part == "initials":
            return "".join(_cased(self._letter(c), c) for c in word.text if c.isalpha())
        key = pools.fold(word.text)
        letter = self._letter(key)
        if word.part == "last":
            pool = pools.surnames(letter)
        else:
            pool = pools.given_names(letter, pools.gender_of(key) or self._gender(key))
        return _cased(self._draw.pick(pool, self._forbidden, "NAME", word.part, key), word.text)

    def _gender(self, key: str) -> pools.Gender:
        return "female" if self._draw.number("gender", key) % 2 else "male"

    def _letter(self, name: str) -> str:
        """The counterpart of a first letter: never the letter itself, and of no other letter of the pools."""
        letter = pools.fold(name)[:1]
        if letter in self._letters:
            return self._letters[(self._letters.index(letter) + 1) % len(self._letters)]
        return self._letters[self._draw.number("letter", letter) % len(self._letters)]

    def _read(self, name: str, before: str, told_only: bool = False) -> list[_Word]:
        """The words of a name, or of several; with ``told_only`` without those whose part is only likely."""
        words: list[_Word] = []
        at = 0
        for gap in [*_AND.finditer(name), None]:
            end = gap.start() if gap else len(name)
            words += self._read_one(name, at, end, before if at == 0 else "", told_only)
            at = gap.end() if gap else end
        return words

    def _read_one(self, name: str, start: int, end: int, before: str, told_only: bool) -> list[_Word]:
        found = _split(name, start, end)
        units = _units(name, [i for i, word in enumerate(found) if word.part == "last"], found)
        if not units:
            return found
        titled = bool(_TITLE_BEFORE.search(before)) or any(w.part == "kept" and _is_title(w.text) for w in found)
        initials = [i for i, word in enumerate(found) if word.part == "initial"]
        comma = name.find(",", found[units[0][-1]].end, found[units[-1][-1]].end)
        for unit in units:
            if comma >= 0:
                part: pools.Role | None = "last" if found[unit[0]].start < comma else "given"
            elif len(units) > 1:
                part = "last" if unit is units[-1] else "given"
            else:
                part = "last" if titled or any(i < unit[0] for i in initials) else None
            for i in unit:
                chosen = part or self._likely(found[i].text)
                found[i] = _Word(found[i].start, found[i].end, found[i].text, chosen)
            if told_only and part is None:
                return []
        return found

    def _likely(self, word: str) -> pools.Role:
        """What a name that stands alone is: as elsewhere in the note, else as most people who bear it."""
        known = self._known.get(pools.fold(word))
        if known:
            return "last" if "last" in known else "given"
        return pools.role_of(pools.fold(word))


def _split(name: str, start: int, end: int) -> list[_Word]:
    """The words of one name; what is neither kept, dropped nor an initial is called ``last`` until its place is known."""
    degrees = {at for m in _DEGREE.finditer(name, start, end) if m.start() > start for at in range(*m.span())}
    capitals = name[start:end].isupper()
    words: list[_Word] = []
    last_name = -1
    for match in _WORD.finditer(name, start, end):
        if match.start() in degrees:
            continue
        text = _without_genitive(match[0])
        part = _part_of(text, last_name >= 0, capitals)
        last_name = len(words) if part == "last" else last_name
        words.append(_Word(match.start(), match.start() + len(text), text, part))
    return [_settled(word, i < last_name) for i, word in enumerate(words)]


def _part_of(text: str, full: bool, capitals: bool) -> Part:
    """What a word is by itself.

    Args:
        text: The word.
        full: Whether a whole word of the name stands before it.
        capitals: Whether the whole name is in capitals.
    """
    lower = text.casefold()
    if lower in _TITLES or (lower in _SUFFIXES and full) or (text in _CAPITAL_SUFFIXES and full and not capitals):
        return "kept"
    if len(pools.fold(text)) == 1:
        return "initial"
    if lower in _PARTICLES:
        return "dropped"
    if len(text) <= _MOST_INITIALS and text.isupper() and text.isalpha() and not pools.is_name(pools.fold(text)):
        return "initials"
    return "last"


def _settled(word: _Word, name_follows: bool) -> _Word:
    """A particle belongs to the surname after it; where none comes, it is a name itself ("Van", "Di")."""
    if word.part != "dropped" or name_follows:
        return word
    return _Word(word.start, word.end, word.text, "last")


def _units(name: str, whole: list[int], found: list[_Word]) -> list[list[int]]:
    """Words by number, those with a hyphen between them together."""
    units: list[list[int]] = []
    for i in whole:
        if units and i == units[-1][-1] + 1 and name[found[i - 1].end : found[i].start] in _HYPHENS:
            units[-1].append(i)
        else:
            units.append([i])
    return units


def _is_title(text: str) -> bool:
    return text.casefold() in _TITLES


def _without_genitive(text: str) -> str:
    return text[:-2] if text[-2:] in ("'s", "’s", "'S", "’S") else text


def _cased(text: str, like: str) -> str:
    """A name in the case of another."""
    if like.isupper() and (len(like) > 1 or len(text) == 1):
        return text.upper()
    return text.lower() if like.islower() else text.capitalize()
