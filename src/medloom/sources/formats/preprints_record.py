"""A record of the details interface of bioRxiv and medRxiv as a document."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from medloom.errors import RowError
from medloom.records import Document
from medloom.sources.formats.preprints_abstract import abstract_of, line_of
from medloom.sources.table import key_of, text_of
from medloom.text.normalise import one_line

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST = 100_000
_SITES = {"biorxiv": "https://www.biorxiv.org", "medrxiv": "https://www.medrxiv.org"}
_LICENCES = {"cc0-ng": "cc0", "cc-no": "no-reuse"}
_NOT_PUBLISHED = frozenset({"", "na", "n/a"})
_BEGINNING = 500
_WITHDRAWN_TITLE = re.compile(r"\W*withdrawn\b", re.IGNORECASE)
_WORK = r"(?:article|manuscript|preprint|paper)"
_WITHDRAWN_TEXT = re.compile(
    rf"\A\W*withdraw(?:n|al statement)\b|\b(?:this|the|our|their) {_WORK} (?:has been|was|is) (?:\w+ )?withdrawn\b|"
    rf"\b(?:has|have) (?:\w+ )?withdrawn (?:this|the|our|their) {_WORK}\b",
    re.IGNORECASE,
)


def document_of(record: Mapping[str, Any], source: str, server: str, where: str) -> Document:
    """A record as a document: its id is the DOI, its revision the number of the version.

    Args:
        record: As the interface gives it.
        source: Name of the source.
        server: ``biorxiv`` or ``medrxiv``.
        where: Where it stands, for errors.

    Raises:
        RowError: It has no DOI, version, date or title, or a field holds something else than it should.
    """
    fields = dict(record)
    doi, version = identity_of(record, where)
    posted = day_of(record, where)
    raw = text_of(fields, ("abstract",), where)
    if len(raw) > _LONGEST:
        raise RowError(where, f"the abstract has {len(raw):,} characters, which no abstract has")
    title = line_of(text_of(fields, ("title",), where, required=True))
    text, sections = abstract_of(raw)
    category = one_line(text_of(fields, ("category",), where).replace("_", " ").casefold())
    facts = {
        "date": posted,
        "licence": licence_of(text_of(fields, ("license",), where)),
        "kind": one_line(text_of(fields, ("type",), where)).casefold(),
        "doi": doi,
        "published": _published(text_of(fields, ("published",), where)),
        "url": f"{_SITES[server]}/content/{doi}v{version}",
        "retracted": "yes" if _is_withdrawn(title, text, text_of(fields, ("type",), where)) else "",
    }
    return Document(
        id=doi,
        source=source,
        title=title,
        text=text,
        sections=tuple(sections),
        categories=(category,) if category else (),
        revision=str(version),
        metadata=tuple((name, value) for name, value in facts.items() if value),
    )


def identity_of(record: Mapping[str, Any], where: str) -> tuple[str, int]:
    """DOI and number of the version.

    Raises:
        RowError: It lacks one of them.
    """
    doi = text_of(dict(record), ("doi",), where)
    if not _DOI.fullmatch(doi):
        raise RowError(where, "field 'doi' holds no DOI")
    version = key_of(dict(record), ("version",), where)
    if not (version.isascii() and version.isdigit() and len(version) < 6):
        raise RowError(where, "field 'version' holds no whole number")
    return doi, int(version)


def day_of(record: Mapping[str, Any], where: str) -> str:
    """Day on which the version was posted, ISO 8601.

    Raises:
        RowError: It lacks it.
    """
    posted = text_of(dict(record), ("date",), where)
    if not _DAY.fullmatch(posted):
        raise RowError(where, "field 'date' holds no day (YYYY-MM-DD)")
    return posted


def licence_of(word: str) -> str:
    """The name of a licence: ``cc-by-nc-nd`` of ``cc_by_nc_nd``; ``no-reuse`` where all rights are reserved."""
    name = re.sub(r"[\s_]+", "-", word.strip().casefold())
    return _LICENCES.get(name, name)


def latest(records: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each preprint the record of its latest version, by day and DOI; those without identity as they come.

    Args:
        records: Where each stands, and the record.
    """
    found: dict[str, tuple[int, str, tuple[str, dict[str, Any]]]] = {}
    for where, record in records:
        try:
            doi, version = identity_of(record, where)
            posted = day_of(record, where)
        except RowError:
            yield where, record
            continue
        if doi not in found or version >= found[doi][0]:
            found[doi] = (version, posted, (where, record))
    for _, (_, _, kept) in sorted(found.items(), key=lambda item: (item[1][1], item[0])):
        yield kept


def _published(word: str) -> str:
    """DOI of the article in a journal; empty if there is none."""
    return "" if word.casefold() in _NOT_PUBLISHED else word


def _is_withdrawn(title: str, text: str, kind: str) -> bool:
    return bool(_WITHDRAWN_TITLE.match(title) or _WITHDRAWN_TEXT.search(text[:_BEGINNING]) or "withdraw" in kind.casefold())
