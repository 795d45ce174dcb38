"""Invented places and organisations: the words that name are replaced, those that say what it is stay."""

import re
from collections.abc import Set

from medloom.deid.keys import Draw
from medloom.deid.surrogates import pools
from medloom.deid.surrogates.codes import Codes
from medloom.deid.surrogates.dates import ordinal

_GENERIC = frozenset(pools.words("institution"))
_LINKS = frozenset(pools.words("links"))
_STREET = frozenset(pools.words("street"))
_STATES = frozenset(state.replace("_", " ") for state in pools.words("states"))
_ABBREVIATIONS = frozenset(pools.words("state_codes"))
_TOKEN = re.compile(r"[^\W\d_]+(?:['’.][^\W\d_]+)*|\w+")
_STATE_NAME = re.compile(r",\s*([^\W\d_]+(?:\s[^\W\d_]+){0,2})[\s,.\d-]*$")
_JOINED = re.compile(r"\.?[ \t]+|[-–]")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)", re.IGNORECASE)
_LONGEST_ACRONYM = 5
_POSSESSIVES = ("'s", "’s", "'S", "’S")


class Places:
    """Invented places of one patient's note.

    Args:
        draw: Draws for the patient.
        forbidden: Folded words that no invented name may be.
        codes: For house numbers and ZIP codes.
    """

    def __init__(self, draw: Draw, forbidden: Set[str], codes: Codes) -> None:
        self._draw = draw
        self._forbidden = forbidden
        self._codes = codes

    def city(self, text: str) -> str | None:
        """An invented town; a state beside it stays, as Safe Harbor lets it, and so does a state's code alone."""
        return text if text in _ABBREVIATIONS else self._reworded(text, _LINKS, acronyms=False)

    def address(self, text: str) -> str | None:
        """Another number and name of the street, and town; a state stays."""
        return self._reworded(text, _STREET, acronyms=False)

    def organisation(self, text: str) -> str | None:
        """Another name of the same kind of institution; one that says only the kind gets a name."""
        new = self._reworded(text, _GENERIC, acronyms=True)
        if new is None and any(c.isalpha() for c in text):
            return f"{_cased(self._place(text), text)} {text}"
        return new

    def _reworded(self, text: str, generic: Set[str], acronyms: bool) -> str | None:
        """The text with each run of naming words as one invented word; None if it names nothing."""
        tokens = list(_TOKEN.finditer(text, 0, _state_from(text)))
        capitals = text.isupper() and len(tokens) > 1
        pieces, at, i = [], 0, 0
        changed = False
        while i < len(tokens):
            word = _bare(tokens[i][0])
            last = i
            if word.casefold() in generic or (i > 0 and word in _ABBREVIATIONS and not acronyms):
                new = word
            elif _is_code(word, i == 0) or (acronyms and not capitals and _is_acronym(word)):
                new = self._number(word)
            else:
                last = _run_end(text, tokens, i, generic)
                run = text[tokens[i].start() : _end(tokens[last])]
                new = _cased(self._place(run), run)
            pieces += [text[at : tokens[i].start()], new]
            changed = changed or new != word
            at = _end(tokens[last])
            i = last + 1
        return "".join([*pieces, text[at:]]) if changed else None

    def _number(self, word: str) -> str:
        """Another number, letter or acronym; an ordinal stays one."""
        if numbered := _ORDINAL.fullmatch(word):
            number = self._codes.part(numbered[1]) or "1"
            return number + ordinal(int(number))
        return self._codes.part(word) or "X"

    def _place(self, name: str) -> str:
        return self._draw.pick(pools.places(), self._forbidden, "PLACE", " ".join(pools.fold(name).split()))


def _is_code(word: str, first: bool) -> bool:
    """Whether a word is a number, or the letter of a flat or building."""
    return any(c.isdigit() for c in word) or (len(word) == 1 and not first)


def _is_acronym(word: str) -> bool:
    return word.isupper() and 1 < len(word) <= _LONGEST_ACRONYM


def _run_end(text: str, tokens: list[re.Match[str]], first: int, generic: Set[str]) -> int:
    """The last of the naming words that follow each other from ``first`` on."""
    last = first
    for i in range(first + 1, len(tokens)):
        word = _bare(tokens[i][0])
        joined = _JOINED.fullmatch(text, tokens[last].end(), tokens[i].start())
        names = len(word) > 1 and not any(c.isdigit() for c in word)
        if not joined or not names or word.casefold() in generic or word in _ABBREVIATIONS:
            break
        last = i
    return last


def _state_from(text: str) -> int:
    """Where a state's name begins that the text ends with, else the text's length."""
    found = _STATE_NAME.search(text)
    if found and " ".join(found[1].casefold().split()) in _STATES and not any(c.isdigit() for c in found[0]):
        return found.start(1)
    return len(text)


def _bare(word: str) -> str:
    return word[:-2] if word.endswith(_POSSESSIVES) and word.casefold() not in _GENERIC else word


def _end(token: re.Match[str]) -> int:
    return token.start() + len(_bare(token[0]))


def _cased(name: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return name.upper()
    return name.lower() if like.islower() else name
