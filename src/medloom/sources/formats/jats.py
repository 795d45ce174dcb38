"""JATS (NISO Z39.96), as PMC gives it: an article as a document with headed sections."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.formats.jats_licence import licence_of
from medloom.sources.formats.ncbi_dates import date_in, date_of
from medloom.text.inline import inline_text, name_of
from medloom.text.wordlist import word_set

if TYPE_CHECKING:
    from lxml import etree

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_FLOATS = word_set(
    "table-wrap table-wrap-group table fig fig-group disp-formula disp-formula-group supplementary-material media graphic "
    "fn fn-group ref-list floats-group chem-struct-wrap array preformat code sec-meta object-id notes ack "
    "bio glossary related-article related-object permissions"
)
"""What is no running text."""
_CITED = frozenset({"bibr", "ref"})
_KEPT_LINKS = frozenset({"fig", "table", "sec", "supplementary-material", "boxed-text", "disp-formula", "app", "scheme"})
_GONE = "gone"
_LISTS = frozenset({"list", "def-list"})
_ITEMS = frozenset({"list-item", "def-item"})
_BLOCKS = frozenset({"p", "disp-quote", "boxed-text", "statement", "verse-group", "speech", *_LISTS})
_ABSTRACTS = frozenset({"", "abstract", "summary", "executive-summary", "section", "precis"})
_PLAIN = frozenset({"plain-language-summary", "lay-summary", "key-points"})
_PUBLISHED = ("epub", "pub", "ppub", "collection")
_RETRACTING = frozenset({"retraction-forward", "retracted-by", "retraction"})
_RETRACTED = re.compile(r"(?i)\W*(?:retracted|withdrawn)(?:\s+article)?\s*[:\]]")
_EMPTY_BRACKETS = re.compile(r"\s*[\[(]\s*(?:(?:see(?: also)?|e\.g\.|refs?\.?|reviewed in|and|[,;.–—‐−-])\s*)*[\])]")
_BEFORE_STOP = re.compile(r"\s+([.,;:])(?=\s|$)")
_NUMBER = re.compile(r"(?:PMC)?(\d+)(?:\.\d+)?")


def jats_document(article: "etree._Element", source: str, where: str) -> Document:
    """An article as a document.

    Text is the abstract, or the body where there is none. Sections are those of the body: one for each section of the
    highest level, under its heading, with what is nested in it; headings within it are lines of their own. Tables,
    figures, displayed formulae and numbers of references are left out.

    Args:
        article: An ``article``.
        source: Name of the source.
        where: Where it stands, for errors.

    Raises:
        RowError: It has no number in PMC, or neither title nor text.
    """
    front = _child(article, "front")
    meta = _child(front, "article-meta")
    number = pmc_number(article)
    if meta is None or not number:
        raise RowError(where, "an article without number in PMC")
    title = _title(meta)
    sections = _sections(_child(article, "body"))
    abstract, plain = _abstracts(meta)
    text = abstract or "\n\n".join(section.text for section in sections)
    if not title and not text:
        raise RowError(where, "an article with neither title nor text")
    return Document(
        id=f"PMC{number}",
        source=source,
        title=title,
        text=text,
        sections=tuple(sections) + tuple(Section("Plain language summary", one) for one in plain),
        revision=_version(meta),
        metadata=_facts(article, front, meta, number, bool(sections)),
    )


def pmc_number(article: "etree._Element") -> str:
    """The article's number in PMC, without its letters; empty if it says none."""
    ids = _ids(_child(_child(article, "front"), "article-meta"))
    for kind in ("pmc", "pmcid", "pmcaid", "pmc-uid"):
        if match := _NUMBER.fullmatch(ids.get(kind, "")):
            return match[1]
    return ""


def _facts(
    article: "etree._Element", front: "etree._Element | None", meta: "etree._Element", number: str, has_body: bool
) -> tuple[tuple[str, str], ...]:
    ids = _ids(meta)
    journal = _child(front, "journal-meta")
    changed = [e for e in meta.iter() if name_of(e) == "event" and e.get("event-type") == "pmc-last-change"]
    facts = [
        ("date", _published(meta)),
        ("updated", next((_date(d) for event in changed for d in event if name_of(d) == "date"), "")),
        ("url", f"https://pmc.ncbi.nlm.nih.gov/articles/PMC{number}/"),
        ("pmcid", f"PMC{number}"),
        ("pmid", ids.get("pmid", "")),
        ("doi", ids.get("doi", "")),
        ("journal", next((inline_text(e) for e in _named(journal, "journal-title")), "")),
        ("language", article.get(_LANG, "").partition("-")[0].lower()),
        ("licence", licence_of(meta)),
        ("kind", article.get("article-type", "")),
        *(("keyword", inline_text(e)) for group in _children(meta, "kwd-group") for e in _named(group, "kwd")),
        ("retracted", "yes" if _is_retracted(article, meta) else ""),
        ("full_text", "" if has_body else "no"),
    ]
    return tuple(dict.fromkeys((name, value) for name, value in facts if value))


def _title(meta: "etree._Element") -> str:
    title = _child(_child(meta, "title-group"), "article-title")
    return _running(title) if title is not None else ""


def _abstracts(meta: "etree._Element") -> tuple[str, list[str]]:
    """The abstract, and summaries for laypeople."""
    own, plain = "", []
    for abstract in _children(meta, "abstract"):
        kind = abstract.get("abstract-type", "").lower()
        text = "\n\n".join(_paragraphs(abstract, headings=False))
        if kind in _PLAIN and text:
            plain.append(text)
        elif kind in _ABSTRACTS and not own:
            own = text
    return own, plain


def _sections(body: "etree._Element | None") -> list[Section]:
    """One for each section of the highest level; what stands before or between them has no heading."""
    found: list[Section] = []
    loose: list[str] = []

    def close() -> None:
        if loose:
            found.append(Section("", "\n\n".join(loose)))
            loose.clear()

    for element in body if body is not None else ():
        if name_of(element) != "sec":
            loose += _blocks(element)
            continue
        close()
        title = _child(element, "title")
        if text := "\n\n".join(_paragraphs(element, headings=True)):
            found.append(Section(_running(title).rstrip(".:") if title is not None else "", text))
    close()
    return found


def _paragraphs(holder: "etree._Element", headings: bool) -> list[str]:
    """Paragraphs of an element and of the sections nested in it."""
    found: list[str] = []
    for element in holder:
        if name_of(element) != "sec":
            found += _blocks(element)
            continue
        inner = _paragraphs(element, headings)
        title = _child(element, "title")
        heading = _running(title) if headings and title is not None else ""
        if inner and heading:
            inner[0] = f"{heading}\n{inner[0]}"
        found += inner
    return found


def _blocks(element: "etree._Element") -> list[str]:
    """Paragraphs of a block; those of what is no running text are none."""
    name = name_of(element)
    if name in _LISTS:
        items = (" ".join(_blocks_within(item)) for item in element if name_of(item) in _ITEMS)
        return ["\n".join(f"- {item}" for item in items if item)] if len(element) else []
    if name == "p":
        return _paragraph(element)
    return _blocks_within(element) if name in _BLOCKS else []


def _blocks_within(element: "etree._Element") -> list[str]:
    found = [text for child in element for text in _blocks(child) or _short(child)]
    return [text for text in found if text]


def _short(element: "etree._Element") -> list[str]:
    """Text of parts that are no paragraphs: terms, lines of verse, definitions."""
    if name_of(element) == "def":
        return _blocks_within(element)
    return [_running(element)] if name_of(element) in ("term", "verse-line", "attrib") else []


def _paragraph(element: "etree._Element") -> list[str]:
    """A paragraph; lists that stand in it come after it."""
    lists = [text for child in element if name_of(child) in _LISTS for text in _blocks(child)]
    return [text for text in [_running(element), *lists] if text]


def _running(element: "etree._Element") -> str:
    """Text without numbers of references and footnotes, and without what they leave behind."""
    gone = _mark_links(element)
    text = inline_text(element, _FLOATS | _LISTS | {_GONE})
    return _BEFORE_STOP.sub(r"\1", _EMPTY_BRACKETS.sub("", text)).strip() if gone else text


def _mark_links(element: "etree._Element") -> bool:
    """Rename the links that are to go, so that they can be left out by name, and say whether there are any."""
    links = [one for one in element.iter() if name_of(one) == "xref" and not _is_kept(one)]
    for link in links:
        above = link.getparent()
        target = above if above is not None and name_of(above) == "sup" and _only_links(above) else link
        target.tag = _GONE
    return bool(links)


def _is_kept(link: "etree._Element") -> bool:
    kind = link.get("ref-type", "")
    if kind in _CITED:
        return any(character.isalpha() for character in inline_text(link))
    return kind in _KEPT_LINKS


def _only_links(raised: "etree._Element") -> bool:
    """Whether an element holds links and what stands between them."""
    between = [raised.text, *(child.tail for child in raised)]
    return not any(character.isalnum() for text in between if text for character in text)


def _published(meta: "etree._Element") -> str:
    """Date of the article: electronic, else printed, else of the collection, else any that is not PMC's own."""
    dates = {d.get("pub-type") or d.get("date-type") or "": _date(d) for d in reversed(_children(meta, "pub-date"))}
    ranked = [dates.get(kind, "") for kind in _PUBLISHED]
    rest = [value for kind, value in dates.items() if not kind.startswith(("pmc", "nihms"))]
    return next((value for value in [*ranked, *rest] if value), "")


def _date(element: "etree._Element") -> str:
    return date_of(element) or date_in(element.get("iso-8601-date", ""))


def _version(meta: "etree._Element") -> str:
    """Version of the article in PMC, where it says one."""
    stated = (e for e in meta.iter() if name_of(e) == "article-version" and e.get("article-version-type") == "pmc-version")
    found = next((inline_text(e) for e in stated), "")
    return found or _ids(meta).get("pmcid-ver", "").partition(".")[2]


def _is_retracted(article: "etree._Element", meta: "etree._Element") -> bool:
    """Whether the article was retracted; a notice of retraction is not."""
    if article.get("article-type") == "retraction":
        return False
    marked = any(e.get("related-article-type", "") in _RETRACTING for e in _children(meta, "related-article"))
    return marked or article.get("article-type") == "retracted-article" or bool(_RETRACTED.match(_title(meta)))


def _ids(meta: "etree._Element | None") -> dict[str, str]:
    return {e.get("pub-id-type", ""): (e.text or "").strip() for e in reversed(_children(meta, "article-id"))}


def _child(parent: "etree._Element | None", name: str) -> "etree._Element | None":
    return next(iter(_children(parent, name)), None)


def _children(parent: "etree._Element | None", name: str) -> "list[etree._Element]":
    return [child for child in parent if name_of(child) == name] if parent is not None else []


def _named(parent: "etree._Element | None", name: str) -> "Iterator[etree._Element]":
    return (e for e in parent.iter() if name_of(e) == name) if parent is not None else iter(())
