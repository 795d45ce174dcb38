"""Documents in, clean documents out, one at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from medloom.clean.config import NOT_STATED, CleanConfig
from medloom.clean.licences import licence_key
from medloom.records import Document, Section, Synonym
from medloom.text.boilerplate import is_reference_tail, strip_boilerplate
from medloom.text.language import check_languages, is_in
from medloom.text.repair import repair
from medloom.text.sentences import first_characters

_BETWEEN = "\n\n"
_NONE = frozenset({"", "none", NOT_STATED})
"""How sources say that a document comes without a licence."""


@dataclass
class CleanCounts:
    """What cleaning did.

    Attributes:
        documents: Documents read.
        dropped: Those that were dropped, by reason: ``retracted``, ``licence``, ``licence_not_stated``, ``language``,
            ``empty`` (nothing but boilerplate), ``too_short``.
        changed: Those that were kept and changed: ``repaired``, ``without_boilerplate``, ``cut``.
        removed: How often each rule for boilerplate took something from a text.
    """

    documents: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)

    @property
    def by_reason(self) -> dict[str, int]:
        """Documents dropped, then documents changed."""
        return dict(sorted(self.dropped.items())) | dict(sorted(self.changed.items()))


def clean_documents(documents: Iterable[Document], config: CleanConfig, counts: CleanCounts) -> Iterator[Document]:
    """Yield the documents that are wanted, cleaned, lazily and in order.

    Title, text, sections and synonyms change; ids, groups, marks and metadata stay as they are.

    Args:
        documents: Consumed once.
        config: What to do, and what to keep.
        counts: Is added to.

    Raises:
        RecipeError: A language is asked for that cannot be told.
    """
    if config.languages is not None:
        check_languages(config.languages)
    for document in documents:
        counts.documents += 1
        reason = _not_wanted(document, config)
        if reason is None:
            clean, changes = _cleaned(document, config, counts.removed)
            reason = _not_usable(document, clean, config)
        if reason is not None:
            counts.dropped[reason] += 1
            continue
        if config.max_chars is not None and _body(clean) > config.max_chars:
            clean = _cut(clean, config.max_chars)
            changes.append("cut")
        counts.changed.update(changes)
        yield clean


def _not_wanted(document: Document, config: CleanConfig) -> str | None:
    """Why a document is dropped for what its metadata says."""
    if config.drop_retracted and ("retracted", "yes") in document.metadata:
        return "retracted"
    if config.licences is None:
        return None
    stated = {licence_key(value) for name, value in document.metadata if name == "licence"} - _NONE
    if not stated:
        return None if NOT_STATED in config.licences else "licence_not_stated"
    return "licence" if stated.isdisjoint(config.licences) else None


def _not_usable(before: Document, clean: Document, config: CleanConfig) -> str | None:
    """Why a document is dropped for what its clean text is."""
    body = _body(clean)
    if not body and (_body(before) or not clean.title):
        return "empty"
    if body and body < config.min_chars:
        return "too_short"
    if config.languages is not None and not is_in(clean, config.languages):
        return "language"
    return None


def _body(document: Document) -> int:
    """Characters of a document's text, or of its sections where these are more."""
    return max(len(document.text), sum(len(section.text) for section in document.sections))


def _cleaned(document: Document, config: CleanConfig, removed: Counter[str]) -> tuple[Document, list[str]]:
    """A document with its texts cleaned, and what was changed; the same one if nothing was."""
    changes = []
    clean = document
    if config.repair:
        clean = _repaired(clean)
        if clean is not document:
            changes.append("repaired")
    if config.boilerplate:
        bare = _bare(clean, removed)
        if bare is not clean:
            changes.append("without_boilerplate")
        clean = bare
    return clean, changes


def _repaired(document: Document) -> Document:
    title, names = repair(document.title), [(synonym, repair(synonym.text)) for synonym in document.synonyms]
    parts = [(section, repair(section.heading), repair(section.text)) for section in document.sections]
    sections = tuple(
        section if (heading, text) == (section.heading, section.text) else Section(heading, text)
        for section, heading, text in parts
        if text or not section.text
    )
    synonyms = tuple(
        synonym if name == synonym.text else Synonym(name, synonym.scope, synonym.lay) for synonym, name in names if name
    )
    text = _joined(sections) if _is_joined(document) else repair(document.text)
    if (title, text, sections, synonyms) == (document.title, document.text, document.sections, document.synonyms):
        return document
    return replace(document, title=title, text=text, sections=sections, synonyms=synonyms)


def _bare(document: Document, removed: Counter[str]) -> Document:
    """A document without boilerplate; sections that held nothing else go."""
    sections = []
    for section in document.sections:
        if is_reference_tail(section.heading):
            removed["reference_tail"] += 1
            continue
        text = strip_boilerplate(section.text, removed)
        if text or not section.text:
            sections.append(section if text == section.text else Section(section.heading, text))
    kept = tuple(sections)
    text = _joined(kept) if _is_joined(document) else strip_boilerplate(document.text, removed)
    if text == document.text and kept == document.sections:
        return document
    return replace(document, text=text, sections=kept)


def _is_joined(document: Document) -> bool:
    """Whether a document's text is that of its sections, so that what is done to them is done to it."""
    return bool(document.sections) and document.text == _joined(document.sections)


def _joined(sections: Iterable[Section]) -> str:
    return _BETWEEN.join(section.text for section in sections)


def _cut(document: Document, most: int) -> Document:
    """A document with at most so many characters of text, and of sections, cut where a sentence ends."""
    sections, left = [], most
    for section in document.sections:
        text = first_characters(section.text, left)
        if text or not section.text:
            sections.append(section if text == section.text else Section(section.heading, text))
        if text != section.text:
            break
        left -= len(text)
    return replace(document, text=first_characters(document.text, most), sections=tuple(sections))
