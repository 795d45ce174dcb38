"""Documents of FHIR resources: one function for each kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from medloom.errors import RowError
from medloom.records import Document, Section, Synonym
from medloom.sources.formats.fhir_fields import (
    Find,
    PassedOverError,
    attached,
    facts_of,
    is_error,
    name_at,
    names_of,
    narrative_of,
    objects_at,
    reference_at,
    text_at,
)
from medloom.sources.formats.fhir_files import Entry, Resource
from medloom.text import text_key
from medloom.text.notes import section_spans

ResourceType = Literal["DocumentReference", "DiagnosticReport", "Composition", "Condition"]
_DEEPEST = 1_000


@dataclass(frozen=True)
class Reading:
    """How resources are read.

    Attributes:
        source: Name of the source.
        find: Gives the Binary that an address means, or None.
        max_bytes: Largest attachment.
        contains_phi: Mark of the documents.
    """

    source: str
    find: Find
    max_bytes: int
    contains_phi: bool | None


def document_of(entry: Entry, resource: Resource, reading: Reading) -> Document:
    """The document of a resource of one of the kinds that are read.

    Its group is the patient: what the resource's subject refers to.

    Raises:
        RowError: A field holds what it must not.
        PassedOverError: It was entered in error, or holds no text that can be read.
    """
    where = entry.where
    if is_error(resource, where):
        raise PassedOverError(where, "entered in error")
    kind = resource["resourceType"]
    meta = next(iter(objects_at(resource, "meta", where)), {})
    found = _KINDS[kind](resource, where, reading)
    facts = dict.fromkeys((name, value) for name, value in facts_of(resource, where) if value)
    return replace(
        found,
        id=f"{kind}/{text_at(resource, 'id', where=where) or entry.label}",
        source=reading.source,
        group=reference_at(resource, "subject", where),
        contains_phi=reading.contains_phi,
        revision=text_at(meta, "versionId", "lastUpdated", where=where),
        metadata=(*facts, *found.metadata),
    )


def _note(resource: Resource, where: str, reading: Reading) -> Document:
    """A DocumentReference: a text with a title."""
    contents = objects_at(resource, "content", where)
    attachments = [a for content in contents for a in objects_at(content, "attachment", where)]
    text = attached(attachments, _within(resource, reading.find, where), reading.max_bytes, where)
    if not text:
        raise PassedOverError(where, "its attachment holds no words")
    titles = (text_at(a, "title", where=where) for a in attachments)
    title = text_at(resource, "description", where=where) or next(filter(None, titles), "")
    return Document("", "", title, text, sections=_headed(text))


def _report(resource: Resource, where: str, reading: Reading) -> Document:
    """A DiagnosticReport: conclusion and presented form, or the narrative where there is neither."""
    conclusion = text_at(resource, "conclusion", where=where)
    form, problem = "", "its attachment holds no words"
    try:
        find = _within(resource, reading.find, where)
        form = attached(objects_at(resource, "presentedForm", where), find, reading.max_bytes, where)
    except PassedOverError as error:
        problem = error.problem
    text = form or conclusion or narrative_of(resource, where)
    if not text:
        raise PassedOverError(where, problem)
    sections = _headed(form)
    if conclusion and form:
        sections = (*(sections or (Section("", form),)), Section("conclusion", conclusion))
    concluded = [n for c in objects_at(resource, "conclusionCode", where) for n in names_of(c, where)[:1]]
    return Document(
        "",
        "",
        name_at(resource, "code", where),
        text,
        sections=sections,
        metadata=tuple(("conclusion", name) for name in concluded),
    )


def _composition(resource: Resource, where: str, reading: Reading) -> Document:
    """A Composition: a title with headed sections."""
    sections = tuple(Section(heading, text) for heading, text in _sections(resource, where) if text)
    text = "" if sections else narrative_of(resource, where)
    if not sections and not text:
        raise PassedOverError(where, "no section with a text")
    return Document("", "", text_at(resource, "title", where=where), text, sections=sections)


def _condition(resource: Resource, where: str, reading: Reading) -> Document:
    """A Condition: a name, the displays of its codes as other names, and what was noted."""
    names: dict[str, str] = {}
    for name in (n for code in objects_at(resource, "code", where) for n in names_of(code, where) if text_key(n)):
        names.setdefault(text_key(name), name)
    if not names:
        raise PassedOverError(where, "a condition without a name")
    title, *others = names.values()
    notes = "\n\n".join(filter(None, (text_at(n, "text", where=where) for n in objects_at(resource, "note", where))))
    return Document(
        "",
        "",
        title,
        synonyms=tuple(Synonym(name) for name in others),
        sections=(Section("note", notes),) if notes else (),
    )


_KINDS: dict[str, Callable[[Resource, str, Reading], Document]] = {
    "DocumentReference": _note,
    "DiagnosticReport": _report,
    "Composition": _composition,
    "Condition": _condition,
}


def _headed(text: str) -> tuple[Section, ...]:
    """The sections of a text, or none if nothing in it is headed."""
    parts = section_spans(text)
    return tuple(Section(p.heading, text[p.start : p.end]) for p in parts) if any(p.heading for p in parts) else ()


def _sections(resource: Resource, where: str) -> Iterator[tuple[str, str]]:
    """Heading and text of every section, those within a section after it."""
    pending = list(reversed(objects_at(resource, "section", where)))
    for _ in range(_DEEPEST):
        if not pending:
            return
        section = pending.pop()
        yield text_at(section, "title", where=where) or name_at(section, "code", where), narrative_of(section, where)
        pending += reversed(objects_at(section, "section", where))
    if pending:
        raise RowError(where, f"over {_DEEPEST:,} sections")


def _within(resource: Resource, find: Find, where: str) -> Find:
    """As ``find``, and for ``#name`` among the resources that this one contains."""

    def found(url: str) -> Resource | None:
        if not url.startswith("#"):
            return find(url)
        contained = objects_at(resource, "contained", where)
        return next((c for c in contained if text_at(c, "id", where=where) in (url, url[1:])), None)

    return found
