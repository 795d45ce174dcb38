"""Names of people that the gazetteer knows, with corroboration: a first name beside a last name or an initial."""

from collections.abc import Iterator
from itertools import pairwise

from medloom.deid.medical import MONTHS
from medloom.deid.page import Page
from medloom.deid.rules.hits import GAZETTEER, Hit
from medloom.deid.rules.reading import PARTICLES, SUFFIXES, Names, can_be_name, end_of, followed_as_name, read_forward
from medloom.text.wordlist import word_set

_COMMON = 0.004
_NOBLE = word_set("van von der den del della la ten ter dos")
_AFTER_INITIAL = frozenset(",;:.?!)(]")


def people(page: Page, known: Names) -> Iterator[Hit]:
    """First and last names side by side in either order, and common first names alone."""
    if not known.known.first:
        return
    for i, word in enumerate(page.tokens):
        if word.shape not in "CAI" or not can_be_name(word):
            continue
        if word.shape == "I":
            j = _initial_and_last(page, i, known)
        elif word.key in known.known.first or known.is_first(word.key):
            j = _first_and_more(page, i, known)
        else:
            j = max(_last_and_first(page, i, known), _with_particle(page, i, known))
        if j > i:
            yield Hit(word.start, end_of(page, j), "NAME", GAZETTEER)


def _first_and_more(page: Page, i: int, known: Names) -> int:
    word = page.tokens[i]
    sure = known.is_first(word.key) and len(word.key) > 2
    j = read_forward(page, i, known, free=sure)
    rest = [t for t in page.tokens[i + 1 : j] if t.key not in PARTICLES and t.key not in SUFFIXES]
    if not rest:
        return j if sure and _alone(page, i, known) else i
    if _is_phrase(page, i, j, known):
        return i
    last = rest[-1]
    if all(t.shape == "I" for t in rest):
        dotted = page.text[page.tokens[i + 1].end : page.tokens[i + 1].end + 1] == "."
        return j if sure and _is_initial(page, j - 1) and (dotted or not known.lexicon.explains(word.key)) else i
    if page.shouts(i) and (last.key in known.lexicon.ordinary or not sure):
        return i
    if sure:
        return j if known.known.is_name(last.key) or known.unexplained(last.key) else i
    return j if _rare(page, i, last.key, known) else i


def _rare(page: Page, i: int, last: str, known: Names) -> bool:
    """Beside a first name that is an ordinary word, the last name must be nothing but a name."""
    if page.tokens[i].key in MONTHS or page.opens(i):
        return False
    return known.unexplained(last) and known.known.is_name(last)


def _is_phrase(page: Page, i: int, j: int, known: Names) -> bool:
    """Whether the words are an eponym of two words, or the name of a disease."""
    keys = [t.key for t in page.tokens[i:j]]
    if any(pair in known.lexicon.pairs for pair in pairwise(keys)):
        return True
    following = page.tokens[j] if j < len(page.tokens) else None
    return following is not None and following.key in known.lexicon.strong_heads and page.joined(j - 1)


def _is_initial(page: Page, k: int) -> bool:
    """Whether a capital letter after a first name is an initial: dotted, or before punctuation or a small word."""
    word = page.tokens[k]
    following = page.text[word.end : word.end + 2]
    if not following or following[0] in _AFTER_INITIAL:
        return True
    return len(following) == 2 and following[0] in " \n" and (following[1].islower() or following[1] in "(\n")


def _alone(page: Page, i: int, known: Names) -> bool:
    """Whether a first name alone is one: common, nothing else, and not where every word has a capital."""
    word = page.tokens[i]
    if word.shape != "C" or known.lexicon.explains(word.key) or known.known.first.get(word.key, 0.0) < _COMMON:
        return False
    owns = page.text[word.start : word.end].endswith(("'s", "’s"))
    if not (owns or followed_as_name(page, i + 1, known)) or (i and page.tokens[i - 1].key in ("st", "saint")):
        return False
    if known.lexicon.is_eponym(page, i) or (word.key in known.known.cities and known.known.cities[word.key] > 1_000_000):
        return False
    return not (_capital_beside(page, i) and page.opens(i))


def _capital_beside(page: Page, i: int) -> bool:
    """Whether the next word has a capital too: of a heading, or of the name of something else."""
    return i + 1 < len(page.tokens) and page.joined(i) and page.tokens[i + 1].shape in "CA"


def _initial_and_last(page: Page, i: int, known: Names) -> int:
    """``K. Boateng``: a dotted initial before a last name that is nothing else."""
    text, j = page.text, i
    while (
        j < min(len(page.tokens), i + 4)
        and page.tokens[j].shape == "I"
        and text[page.tokens[j].end : page.tokens[j].end + 1] == "."
    ):
        j += 1
        if j < len(page.tokens) and page.gap(j - 1) not in (". ", "."):
            return i
    if (
        j == i
        or j >= len(page.tokens)
        or j - i > 3
        or (i and page.tokens[i - 1].key in ("vitamin", "hepatitis", "type", "grade", "class"))
    ):
        return i
    last = page.tokens[j]
    if (
        last.shape not in "CA"
        or not can_be_name(last)
        or not known.known.is_name(last.key)
        or not known.unexplained(last.key)
    ):
        return i
    return j + 1


def _with_particle(page: Page, i: int, known: Names) -> int:
    """``Ludwig van der Berg``: two words that are no words of the language around van, von, de la, ..."""
    j = i + 1
    while (
        j < min(len(page.tokens), i + 4)
        and page.tokens[j].shape == "a"
        and page.tokens[j].key in _NOBLE
        and page.gap(j - 1) == " "
    ):
        j += 1
    if j == i + 1 or j >= len(page.tokens) or page.gap(j - 1) != " " or page.tokens[j].shape != "C":
        return i
    ordinary = known.lexicon.ordinary
    if (
        page.tokens[i].key in ordinary
        or page.tokens[j].key in ordinary
        or known.lexicon.is_eponym(page, j)
        or page.tokens[i].shape != "C"
    ):
        return i
    return j + 1


def _last_and_first(page: Page, i: int, known: Names) -> int:
    """``Martinez, Ana``: a last name that is nothing else before a first name that is nothing else."""
    word = page.tokens[i]
    if i + 1 >= len(page.tokens) or page.gap(i) not in (", ", ",") or not known.known.is_name(word.key):
        return i
    first = page.tokens[i + 1]
    if (
        first.shape != word.shape
        or min(len(first.key), len(word.key)) < 3
        or not known.is_first(first.key)
        or known.lexicon.explains(first.key)
    ):
        return i
    return read_forward(page, i + 1, known, free=False) if known.unexplained(word.key) else i
