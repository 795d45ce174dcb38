"""Pairs of texts that belong together, read off the structure of documents.

Kinds for documents: title - text (or question - answer), heading - section, paragraph - next paragraph, and section -
section where the settings name the headings (discharge diagnosis - complaint and history, title - outcomes). Kinds for
concepts: lay phrase - name, synonym - name, name - definition, inclusion term - code description (a synonym whose
terminology calls it so).
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from medloom.records import Document, TrainingRecord
from medloom.text import paragraphs, text_key
from medloom.text.normalise import one_line

Kind = Literal[
    "lay_name", "synonym_name", "name_definition", "title_text", "heading_section", "paragraph_next", "section_section"
]
Target = Literal["title", "text", "part", "passage", "question"]
_Pair = tuple[str, str]

TARGETS: dict[str, Target] = {
    "lay_name": "title",
    "synonym_name": "title",
    "name_definition": "text",
    "title_text": "text",
    "heading_section": "part",
    "paragraph_next": "part",
    "section_section": "part",
    "keyword_passage": "passage",
    "question_passage": "passage",
    "treatment_passage": "passage",
    "lay_passage": "passage",
    "passage_question": "question",
}
"""Of each kind of pair, what it must find. The last five kinds are those of generated queries."""


class SectionPair(BaseModel):
    """Two parts of one document that belong together, by heading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="Heading of the section that asks; title is the document's title.")
    finds: tuple[str, ...] = Field(
        min_length=1,
        description="Headings of the sections that answer; several are joined in this order, and a document that lacks one "
        "of them gives no pair.",
    )


class PairsConfig(BaseModel):
    """Which pairs to form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] | None = Field(
        default=None, description="Pair kinds to form; every kind that the documents allow if not set."
    )
    scopes: tuple[Literal["exact", "narrow", "broad", "related"], ...] = Field(
        default=("exact",), description="Scopes of synonyms that count as another name of the concept."
    )
    section_pairs: tuple[SectionPair, ...] = Field(
        default=(),
        description="Sections that belong together, for the kind section_section, which forms nothing without; headings are "
        "compared without regard to case.",
    )
    min_chars: int = Field(default=3, ge=1, description="Shortest text of a pair, in characters.")
    max_chars: int = Field(default=4_000, ge=50, description="Texts are cut here, at a word's end, in characters.")


def target_of(kind: str) -> Target:
    """What a pair of this kind must find: a document's title, its text, a part or a passage of it, or a question.

    A kind that is not medloom's own (of records brought along) finds a passage.
    """
    return TARGETS.get(kind, "passage")


def pairs_of(document: Document, config: PairsConfig, counts: dict[str, int]) -> Iterator[TrainingRecord]:
    """Yield the pairs of one document.

    Dropped and counted: pairs whose two texts are equal after normalisation, pairs with a text that is too short, and a
    pair that one document gives twice.

    Args:
        document: Where the pairs come from.
        config: Kinds and lengths.
        counts: Increased by reason, in place.
    """
    seen: set[tuple[str, str, str]] = set()
    for kind, forms in _FORMS.items():
        if config.kinds is not None and kind not in config.kinds:
            continue
        for query, positive in forms(document, config):
            query, positive = _cut(one_line(query), config.max_chars), _cut(one_line(positive), config.max_chars)
            keys = (kind, text_key(query), text_key(positive))
            if min(len(query), len(positive)) < config.min_chars or not keys[1] or not keys[2]:
                reason = "too_short"
            elif keys[1] == keys[2]:
                reason = "same_text"
            elif keys in seen:
                reason = "repeated_in_document"
            else:
                seen.add(keys)
                yield TrainingRecord(query, (positive,), kind, document.source, document.id)
                continue
            counts[reason] = counts.get(reason, 0) + 1


def _lay_names(document: Document, config: PairsConfig) -> Iterator[_Pair]:
    return ((s.text, document.title) for s in document.synonyms if s.lay and s.scope in config.scopes)


def _synonyms(document: Document, config: PairsConfig) -> Iterator[_Pair]:
    return ((s.text, document.title) for s in document.synonyms if not s.lay and s.scope in config.scopes)


def _definitions(document: Document, config: PairsConfig) -> Iterator[_Pair]:
    if document.is_concept and document.title and document.text:
        yield document.title, document.text


def _titles(document: Document, config: PairsConfig) -> Iterator[_Pair]:
    if not document.is_concept and document.title and document.text:
        yield document.title, document.text


def _headings(document: Document, config: PairsConfig) -> Iterator[_Pair]:
    for section in document.sections:
        if section.heading:
            yield f"{document.title}: {section.heading}" if document.title else section.heading, section.text


def _next_paragraphs(document: Document, config: PairsConfig) -> Iterator[_Pair]:
    bodies = [s.text for s in document.sections] or [document.text]
    for body in bodies:
        parts = paragraphs(body)
        yield from pairwise(parts)


def _sections(document: Document, config: PairsConfig) -> Iterator[_Pair]:
    for pair in config.section_pairs:
        query, *found = (_part(document, name.strip().casefold()) for name in (pair.query, *pair.finds))
        if query and all(found):
            yield query, "\n".join(found)


def _part(document: Document, name: str) -> str:
    """The title, or the sections of that heading."""
    if name == "title":
        return document.title
    return "\n".join(s.text for s in document.sections if s.heading.strip().casefold() == name)


_FORMS: dict[str, Callable[[Document, PairsConfig], Iterator[_Pair]]] = {
    "lay_name": _lay_names,
    "synonym_name": _synonyms,
    "name_definition": _definitions,
    "title_text": _titles,
    "heading_section": _headings,
    "paragraph_next": _next_paragraphs,
    "section_section": _sections,
}


def _cut(text: str, limit: int) -> str:
    """The text up to ``limit`` characters, ending at a word."""
    if len(text) <= limit:
        return text
    return text[: limit + 1].rsplit(" ", 1)[0][:limit]
