"""A found name is found everywhere in its note: its parts are looked up in all texts of the note.

A part that is an ordinary word, an eponym or a month counts only with a capital in mid-sentence and where nothing medical
follows: "Dr. Brown noted brown drainage; Dr. Foley replaced the Foley catheter".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from medloom.deid.medical import MONTHS
from medloom.deid.page import Page
from medloom.deid.rules.hits import CUE, MODEL, Hit
from medloom.deid.rules.reading import CREDENTIALS, PARTICLES, SUFFIXES, TITLES, Names
from medloom.deid.spans import Kind

_ID = re.compile(r"[A-Za-z\d][A-Za-z\d-]{3,40}")
_IDS: frozenset[Kind] = frozenset(("MRN", "ACCOUNT", "PLAN", "LICENSE", "DEVICE", "OTHER", "SSN"))
_PLACES: frozenset[Kind] = frozenset(("CITY", "HOSPITAL", "ORG"))
_LONGEST = 8


@dataclass
class Found:
    """What a note is known to hold.

    Attributes:
        parts: Words of people's names, folded.
        pairs: Two words side by side in a name, either way round.
        places: Of cities and organisations, the words, by the first.
        ids: Values of numbers.
    """

    parts: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    places: dict[str, set[tuple[tuple[str, ...], Kind]]] = field(default_factory=dict)
    ids: dict[str, Kind] = field(default_factory=dict)


def spread(pages: Sequence[Page], hits: Sequence[Sequence[Hit]], known: Names) -> list[list[Hit]]:
    """Further finds in each text of a note.

    Args:
        pages: The texts.
        hits: What the rules found in each.
        known: Tells names from other words.

    Returns:
        For each text, what only another place in the note gives away.
    """
    found = Found()
    for page, mine in zip(pages, hits, strict=True):
        for hit in mine:
            _note(page, hit, known, found)
    return [list(_again(page, found, known)) for page in pages]


def _note(page: Page, hit: Hit, known: Names, found: Found) -> None:
    keys = [t.key for t in page.tokens[page.index(hit.start) : page.index(hit.end)] if t.shape != "I"]
    if hit.kind == "NAME":
        words = [
            k
            for k in keys
            if k not in PARTICLES and k not in SUFFIXES and k not in CREDENTIALS and k not in TITLES and len(k) > 1
        ]
        found.parts.update(words)
        found.pairs.update(pairwise(words))
        found.pairs.update(zip(words[1:], words, strict=False))
    elif (
        hit.kind in _PLACES
        and hit.sure > MODEL
        and keys
        and len(keys) <= _LONGEST
        and any(known.unexplained(k) for k in keys)
    ):
        found.places.setdefault(keys[0], set()).add((tuple(keys), hit.kind))
    elif hit.kind in _IDS and hit.sure >= CUE and hit.end - hit.start >= 5:
        value = page.text[hit.start : hit.end]
        if sum(c.isdigit() for c in value) >= 4 and _ID.fullmatch(value):
            found.ids[value] = hit.kind


def _again(page: Page, found: Found, known: Names) -> Iterator[Hit]:
    for i, word in enumerate(page.tokens):
        if word.key in found.parts and _is_name_here(page, i, found, known):
            yield Hit(page.tokens[_with_particles(page, i)].start, _end(page, i), "NAME", CUE)
        for keys, kind in found.places.get(word.key, ()):
            last = i + len(keys) - 1
            if last < len(page.tokens) and tuple(t.key for t in page.tokens[i : last + 1]) == keys and word.shape != "a":
                yield Hit(word.start, page.tokens[last].end, kind, CUE)
    if found.ids:
        for match in _ID.finditer(page.text):
            if match[0] in found.ids:
                yield Hit(match.start(), match.end(), found.ids[match[0]], CUE)


def _with_particles(page: Page, i: int) -> int:
    """The first of the particles before a last name: Van in "Van Houten recommends"."""
    while i > 0 and page.tokens[i - 1].key in PARTICLES and page.tokens[i - 1].shape != "a" and page.joined(i - 1):
        i -= 1
    return i


def _end(page: Page, i: int) -> int:
    word = page.tokens[i]
    return word.end - 2 if page.text[word.start : word.end].endswith(("'s", "’s")) else word.end


def _is_name_here(page: Page, i: int, found: Found, known: Names) -> bool:
    word = page.tokens[i]
    if _in_pair(page, i, found):
        return True
    if word.key in known.lexicon.ordinary or word.key in MONTHS:
        return word.shape == "C" and not page.opens(i) and not _phrase(page, i, known) and not _in_heading(page, i)
    if word.shape == "A" and word.end - word.start <= 3:
        return page.shouts(i)
    if known.lexicon.explains(word.key):
        return word.shape in "CA" and not _phrase(page, i, known)
    return True


def _in_pair(page: Page, i: int, found: Found) -> bool:
    """Whether the word stands beside the word that it stood beside in the name."""
    keys = [t.key for t in page.tokens[max(0, i - 1) : i + 2]]
    at = min(i, 1)
    near = page.tokens[max(0, i - 1) : i + 2]
    left = at > 0 and near[at].start - near[at - 1].end <= 2 and (keys[at - 1], keys[at]) in found.pairs
    right = at + 1 < len(keys) and near[at + 1].start - near[at].end <= 2 and (keys[at], keys[at + 1]) in found.pairs
    return left or right


def _phrase(page: Page, i: int, known: Names) -> bool:
    """Whether an eponym, or a word of a name, means something medical in this place."""
    if known.lexicon.is_eponym(page, i):
        return True
    hyphened = page.text[page.tokens[i].end : page.tokens[i].end + 1] == "-"
    return hyphened or (i > 0 and page.gap(i - 1) == "-")


def _in_heading(page: Page, i: int) -> bool:
    """Whether the words on both sides have capitals as well."""
    left = i > 0 and page.joined(i - 1) and page.tokens[i - 1].shape == "C" and page.tokens[i - 1].key not in TITLES
    right = i + 1 < len(page.tokens) and page.joined(i) and page.tokens[i + 1].shape == "C"
    return left and right
