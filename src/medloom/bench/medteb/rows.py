"""From documents to rows: pairs of texts, texts with a label, questions with options.

What a document of each source must hold is set down in ``docs/medteb.md``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from medloom.bench.medteb.definition import Definition
from medloom.bench.medteb.draw import draw
from medloom.records import Document, Section
from medloom.text import text_key
from medloom.text.normalise import one_line

_MIN_SECTION = 50
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(])")
_NOT_BEFORE_COLON = re.compile(r"[^a-zA-Z0-9\s]:")
_NOT_WORDS = re.compile(r"[^a-zA-Z0-9\s:]")
_OPTION_LABELS = {"correct option": 1, "wrong option": 0, "option": 0}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts of one document; ``id`` is unique in its source, ``group`` is what they share with dependent pairs."""

    id: str
    query: str
    text: str
    group: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with its class."""

    id: str
    text: str
    label: str
    group: str


@dataclass(frozen=True, slots=True)
class Option:
    """An option of an exam question; ``label`` is 1 if it is correct."""

    id: str
    question: str
    text: str
    label: int
    group: str


def group_of(document: Document) -> str:
    """Page, patient, focus, or the document itself."""
    return document.group or document.id


def column(document: Document, name: str) -> str:
    """A text of a document by name: ``title``, ``text``, or the sections of that heading."""
    if name == "title":
        return document.title
    if name == "text":
        return document.text
    return "\n".join(s.text for s in document.sections if s.heading.strip().lower() == name)


def carriers(definition: Definition, documents: Sequence[Document]) -> list[Document]:
    """The documents of the category that the task wants."""
    wanted = text_key(definition.category)
    return [d for d in documents if not wanted or wanted in {text_key(c) for c in d.categories}]


def pairs(definition: Definition, documents: Sequence[Document]) -> list[Pair]:
    """Every pair that the columns of the task give; a pair that lacks a text is left out."""
    read = _COLUMNS.get((definition.query, definition.document))
    rows = []
    for document in documents:
        found = read(document) if read else [(column(document, definition.query), column(document, definition.document))]
        for number, (query, text) in enumerate(found):
            if query.strip() and text.strip():
                identity = f"{document.id}|{number}" if read else document.id
                rows.append(Pair(identity, query, text, group_of(document)))
    return rows


def options(documents: Sequence[Document]) -> list[Option]:
    """Every option of every question, in order."""
    return [
        Option(f"{d.id}|{number}", d.title, section.text, _OPTION_LABELS[section.heading], group_of(d))
        for d in documents
        for number, section in enumerate(d.sections)
        if section.heading in _OPTION_LABELS and d.title
    ]


def labelled(definition: Definition, documents: Sequence[Document], compat: bool, salt: str) -> list[Labelled]:
    """Every text of every class.

    A document that carries two classes gives rows of both.

    Args:
        definition: A classification or clustering task.
        documents: All documents of its source.
        compat: Texts as the authors' code writes them, and the first documents of each class; else texts as they are,
            and documents drawn by ``salt``.
        salt: Orders the draw.
    """
    rows = []
    for label, members in _members(definition, documents, compat).items():
        limit = definition.per_class or len(members)
        taken = members[:limit] if compat else draw(members, lambda d: d.id, limit, salt)
        for document in taken:
            for number, text in enumerate(_texts(definition, document, compat)):
                rows.append(Labelled(f"{document.id}|{number}", text, label, group_of(document)))
    return rows


def _members(definition: Definition, documents: Sequence[Document], compat: bool) -> dict[str, list[Document]]:
    """Documents by class, classes and documents in order."""
    by_diagnosis = definition.source == "mimic" and all(values for _, values in definition.classes)
    same: Callable[[str], str] = str.lower if compat and by_diagnosis else text_key
    wanted = {label: {same(value) for value in values} for label, values in definition.classes}
    rest = next((label for label, values in wanted.items() if not values), None)
    members: dict[str, list[Document]] = {label: [] for label in wanted}
    for document in documents:
        values = (column(document, "discharge diagnosis"),) if by_diagnosis else document.categories
        has = {same(value) for value in values}
        fitting = [label for label, values in wanted.items() if values & has]
        for label in fitting or ([rest] if rest is not None else []):
            members[label].append(document)
    return members


def _texts(definition: Definition, document: Document, compat: bool) -> list[str]:
    if definition.source == "wikipedia":
        found = [s.text for s in _headed(document)]
        if compat:
            found = [_flat(text, _NOT_BEFORE_COLON) for text in {s.heading: s.text for s in _headed(document)}.values()]
        return [text for text in map(one_line, found) if len(text) > _MIN_SECTION]
    if definition.source == "mimic":
        needed = ["chief complaint", "history of present illness"]
        if not all(values for _, values in definition.classes):
            needed.append("discharge instructions")
        complaint, history, *others = (column(document, name) for name in needed)
        whole = bool(complaint and history and all(others))
        return [f"Chief Complaint: {complaint} History of Present Illness: {history}"] if whole else []
    if compat:
        pattern = _NOT_WORDS if definition.source == "pmc" else _NOT_BEFORE_COLON
        return [_flat(f"title: {document.title} abstract: {document.text}", pattern)]
    return [f"{document.title}\n{document.text}"] if document.title and document.text else []


def _flat(text: str, pattern: re.Pattern[str]) -> str:
    """Without the pattern, on one line, in lower case."""
    return one_line(pattern.sub("", text)).lower()


def _headed(document: Document) -> list[Section]:
    return [s for s in document.sections if s.heading]


def _headings(document: Document) -> list[tuple[str, str]]:
    long = (s for s in _headed(document) if len(s.text) > _MIN_SECTION)
    return [(f"{document.title}: {s.heading}" if document.title else s.heading, s.text) for s in long]


def _consecutive(document: Document) -> list[tuple[str, str]]:
    return list(pairwise(s.text for s in _headed(document) if len(s.text) > _MIN_SECTION))


def _first_sentence(document: Document) -> list[tuple[str, str]]:
    first, *rest = _SENTENCE_END.split(one_line(document.text), maxsplit=1)
    return [(first, rest[0])] if rest else []


_COLUMNS: dict[tuple[str, str], Callable[[Document], list[tuple[str, str]]]] = {
    ("heading", "section"): _headings,
    ("section", "next section"): _consecutive,
    ("first sentence", "other sentences"): _first_sentence,
}


def keyed(rows: Sequence[Pair], counts: dict[str, int]) -> Iterator[tuple[str, str, Pair]]:
    """The pairs with the normal forms of their texts; those whose texts are empty or equal are dropped and counted."""
    for row in rows:
        query, text = text_key(row.query), text_key(row.text)
        if not query or not text or query == text:
            reason = "same_text" if query and text else "without_words"
            counts[reason] = counts.get(reason, 0) + 1
        else:
            yield query, text, row
