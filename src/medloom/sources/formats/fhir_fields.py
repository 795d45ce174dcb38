"""Fields of FHIR resources: texts, codes, references, dates and attachments, in R4 and R5."""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from medloom.errors import RowError
from medloom.sources.formats.fhir_files import Resource
from medloom.sources.table import text_of
from medloom.text import clean
from medloom.text.markup import html_text

PLAIN = ("text/plain",)
HTML = ("text/html", "application/xhtml+xml")
ERROR = "entered-in-error"
Find = Callable[[str], Resource | None]


class PassedOverError(RowError):
    """A resource that is whole, and gives no document."""


def text_at(fields: Resource, *names: str, where: str) -> str:
    """The first of the named fields that holds text, cleaned; empty if none does."""
    return text_of(fields, names, where)


def objects_at(fields: Resource, name: str, where: str) -> list[Resource]:
    """The objects of a field that holds one or a list of them (what is one in R4 is often a list in R5, and the reverse)."""
    value = fields.get(name)
    found = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) for one in found):
        raise RowError(where, f"field {name!r} must be an object or a list of objects")
    return found


def names_of(concept: Resource, where: str) -> list[str]:
    """Every name of a CodeableConcept, its text first."""
    names = [text_at(concept, "text", where=where)]
    names += [text_at(coding, "display", where=where) for coding in objects_at(concept, "coding", where)]
    return list(dict.fromkeys(name for name in names if name))


def codes_of(concept: Resource, where: str) -> list[str]:
    """``system|code`` of every coding of a CodeableConcept."""
    codings = objects_at(concept, "coding", where)
    pairs = ((text_at(c, "system", where=where), text_at(c, "code", where=where)) for c in codings)
    return [f"{system}|{code}" for system, code in pairs if code]


def name_at(fields: Resource, name: str, where: str) -> str:
    """The name of a field that holds a CodeableConcept; its code where it has no name."""
    for concept in objects_at(fields, name, where):
        codes = (text_at(coding, "code", where=where) for coding in objects_at(concept, "coding", where))
        if found := next(filter(None, (*names_of(concept, where), *codes)), ""):
            return found
    return ""


def reference_at(fields: Resource, name: str, where: str) -> str:
    """The id that a field's first reference names: ``1`` of ``Patient/1``, of an address on a server, of an identifier."""
    for reference in objects_at(fields, name, where):
        target, _, _ = text_at(reference, "reference", where=where).partition("/_history")
        identifiers = (text_at(i, "value", where=where) for i in objects_at(reference, "identifier", where))
        if found := target.rpartition("/")[2] or next(identifiers, ""):
            return found
    return ""


def facts_of(resource: Resource, where: str) -> Iterator[tuple[str, str]]:
    """What the metadata of a document say: kind of resource, status, date, type, category, codes, encounter."""
    yield "resource", resource["resourceType"]
    status = text_at(resource, "docStatus", "status", where=where) or name_at(resource, "clinicalStatus", where)
    yield "status", status
    yield "date", _date(resource, where)
    yield "type", name_at(resource, "type", where) or name_at(resource, "code", where)
    for name, read in (("category", names_of), ("code", codes_of), ("type", codes_of)):
        for concept in objects_at(resource, name, where):
            yield from (("category" if name == "category" else "code", value) for value in read(concept, where))
    yield "encounter", _encounter(resource, where)


def is_error(resource: Resource, where: str) -> bool:
    """Whether the resource was entered in error."""
    codes = (c for v in objects_at(resource, "verificationStatus", where) for c in objects_at(v, "coding", where))
    return ERROR in (
        *(text_at(resource, name, where=where) for name in ("status", "docStatus")),
        *(text_at(code, "code", where=where) for code in codes),
    )


def narrative_of(fields: Resource, where: str) -> str:
    """The text of a Narrative (``text.div``)."""
    return next((html_text(div) for t in objects_at(fields, "text", where) if (div := text_at(t, "div", where=where))), "")


def attached(attachments: Iterable[Resource], find: Find, max_bytes: int, where: str) -> str:
    """The text of the first attachment that can be read, plain text before HTML.

    Args:
        attachments: As in the resource: the same document in several formats.
        find: Gives the Binary that an address means, or None.
        max_bytes: Largest attachment.
        where: For errors.

    Raises:
        RowError: It is damaged or too large.
        PassedOverError: None can be read; the message says why.
    """
    problem = "no attachment"
    readable: list[tuple[int, str, str]] = []
    for attachment in attachments:
        held: Resource | None = attachment
        if attachment.get("data") is None and (url := text_at(attachment, "url", where=where)):
            held = find(url)
            if held is None:
                problem = "its attachment is none of the Binary resources of the files (nothing is fetched)"
                continue
        kind, _, parameters = (text_at({**attachment, **held} if held else {}, "contentType", where=where)).partition(";")
        kind = kind.strip().lower()
        if kind not in (*PLAIN, *HTML):
            problem = "its attachment is of a type that is not read (plain text and HTML are)"
            continue
        data = (held or {}).get("data")
        if data is None:
            problem = "its attachment holds no data"
            continue
        readable.append((kind in HTML, parameters, _decoded(data, parameters, max_bytes, where)))
    if not readable:
        raise PassedOverError(where, problem)
    is_html, _, text = min(readable, key=lambda one: one[0])
    return html_text(text) if is_html else clean(text)


def _decoded(data: Any, parameters: str, max_bytes: int, where: str) -> str:  # noqa: ANN401
    if not isinstance(data, str):
        raise RowError(where, f"the data of an attachment hold {type(data).__name__}, expected Base64 as text")
    if len(data) * 3 // 4 > max_bytes:
        raise RowError(where, f"an attachment of over {max_bytes:,} bytes: raise max_bytes")
    try:
        raw = base64.b64decode("".join(data.split()), validate=True)
    except ValueError:
        raise RowError(where, "the data of an attachment are no Base64") from None
    charset = next((v for n, _, v in _parameters(parameters) if n == "charset"), "utf-8")
    try:
        return raw.decode("utf-8-sig" if charset.lower() in ("utf-8", "utf8") else charset)
    except LookupError:
        raise RowError(where, "an attachment names an unknown character set") from None
    except ValueError:
        raise RowError(where, "an attachment is not in the character set that it names (UTF-8 if it names none)") from None


def _parameters(text: str) -> Iterator[tuple[str, str, str]]:
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        yield name.strip().lower(), equals, value.strip().strip('"')


def _date(resource: Resource, where: str) -> str:
    names = ("effectiveDateTime", "date", "onsetDateTime", "recordedDate", "issued")
    if found := text_at(resource, *names, where=where):
        return found
    periods = (p for name in ("effectivePeriod", "onsetPeriod") for p in objects_at(resource, name, where))
    return next((start for p in periods if (start := text_at(p, "start", where=where))), "")


def _encounter(resource: Resource, where: str) -> str:
    if found := reference_at(resource, "encounter", where):
        return found
    for context in objects_at(resource, "context", where):
        if found := reference_at(context, "encounter", where):
            return found
        if "Encounter/" in text_at(context, "reference", where=where):
            return reference_at({"context": context}, "context", where)
    return ""
