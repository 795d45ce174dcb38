"""A text as words with their places: what the rules for names read."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_MARKS = "\u0300-\u036f"
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{_MARKS}])*(?:['’\-](?:[^\W\d_]|[{_MARKS}])+)*")
_POSSESSIVE = re.compile(r"(?:['’]s|s['’])$")
_INNER = re.compile(r"^(?!Mc|Mac|De|Di|Du|La|Le|Li|Fitz|Van|Al|Ab|O)[A-Z][a-z]{1,2}[A-Z]|^[A-Z]{2,}[a-z]|[a-z]-[A-Z]{2}")
_COMPOUND = re.compile(r"-[a-z]{4}")
_SPECIAL = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "’": "'", "ı": "i"})
_SENTENCE_END = frozenset(".!?:;")


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        start: First character.
        end: One past the last.
        key: Folded: lower case, accents and a possessive ending gone.
        shape: ``a`` lower case, ``C`` capitalised, ``A`` capitals, ``I`` one capital letter.
    """

    start: int
    end: int
    key: str
    shape: str


def fold(word: str) -> str:
    """Lower case, without accents and possessive ending."""
    low = word.casefold()
    if not low.isascii():
        decomposed = unicodedata.normalize("NFKD", low.translate(_SPECIAL))
        low = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _POSSESSIVE.sub(lambda end: "s" if end[0][0] == "s" else "", low) if "'" in low else low


def _shape(word: str, following: str) -> str:
    if not word[0].isupper() or following.isdigit() or following == "_":
        return "a"
    if len(word) == 1 or (len(word) == 3 and word[1] in "'’"):
        return "I"
    if _COMPOUND.search(word):
        return "a"
    if _INNER.search(word):
        return "A"
    body = word[:-2] if word.endswith(("'s", "’s")) else word
    return "A" if body.isupper() and sum(c.isalpha() for c in body) > 1 else "C"


@dataclass(frozen=True)
class Page:
    """One text.

    Attributes:
        text: As it came.
        tokens: Its words, in order.
    """

    text: str
    tokens: list[Word]

    def gap(self, i: int) -> str:
        """What stands between word ``i`` and the next."""
        return self.text[self.tokens[i].end : self.tokens[i + 1].start]

    def joined(self, i: int) -> bool:
        """Whether only a blank or a hyphen parts word ``i`` from the next, which must exist."""
        start, end = self.tokens[i].end, self.tokens[i + 1].start
        return end - start <= 2 and self.text[start:end] in (" ", "-", "  ", "", "/")

    def before(self, i: int, most: int = 3) -> str:
        """Up to ``most`` characters before word ``i``, outer blanks gone."""
        start = self.tokens[i].start
        return self.text[max(0, start - most) : start].strip(" \t")

    def opens(self, i: int) -> bool:
        """Whether word ``i`` begins a sentence or a line, where any word has a capital."""
        previous = self.before(i)
        return i == 0 or not previous or previous[-1] in _SENTENCE_END or "\n" in previous or previous[-1] in "*-•|"

    def shouts(self, i: int) -> bool:
        """Whether word ``i`` stands among words in capitals, where a capital says nothing."""
        if self.tokens[i].shape != "A":
            return False
        near = [t for t in self.tokens[max(0, i - 2) : i + 3] if t.end - t.start > 1]
        return sum(t.shape == "A" for t in near) >= 2 and sum(t.shape == "A" for t in near) >= len(near) - 1

    def after(self, cue: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        """Where a cue starts, and the number of the word that follows it at once, for each place where one does."""
        for match in cue.finditer(self.text):
            i = self.index(match.end())
            if i < len(self.tokens) and self.tokens[i].start == match.end():
                yield match.start(), i

    def index(self, position: int) -> int:
        """The first word that starts at or after a place in the text."""
        return bisect_left(self.tokens, (position,))


def read_page(text: str) -> Page:
    """The words of a text."""
    found = _WORD.finditer(text)
    return Page(text, [Word(m.start(), m.end(), fold(m[0]), _shape(m[0], text[m.end() : m.end() + 1])) for m in found])
