"""PubMed's XML (DTD ``pubmed_250101`` and its forerunners): an article or book chapter as a document."""

import re
from typing import TYPE_CHECKING

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.formats.ncbi_dates import date_of
from medloom.text.inline import inline_text, name_of

if TYPE_CHECKING:
    from lxml import etree

RECORDS = ("PubmedArticle", "PubmedBookArticle")
DELETED = "DeleteCitation"
_BRACKETED = re.compile(r"\[(.+)\](\.?)", re.DOTALL)
_NO_TITLE = "not available"
_UNNAMED = frozenset({"", "UNLABELLED", "UNASSIGNED"})
_PLAIN = "plain-language-summary"
_RETRACTED = "D016441"
_LANGUAGES = {
    **{"ara": "ar", "bul": "bg", "chi": "zh", "cze": "cs", "dan": "da", "dut": "nl", "eng": "en", "fin": "fi", "fre": "fr"},
    **{"ger": "de", "gre": "el", "heb": "he", "hrv": "hr", "hun": "hu", "ita": "it", "jpn": "ja", "kor": "ko", "nor": "no"},
    **{"per": "fa", "pol": "pl", "por": "pt", "rum": "ro", "rus": "ru", "slo": "sk", "slv": "sl", "spa": "es", "srp": "sr"},
    **{"swe": "sv", "tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi"},
}
"""Codes of MARC, which PubMed uses, and of ISO 639-1; the few others stay as they are."""


def pubmed_document(record: "etree._Element", source: str, where: str) -> Document:
    """A record as a document.

    The text is the whole abstract without its labels, a paragraph for each part; a structured abstract is in the sections
    too, under its labels. Bracketed titles (translations) lose the brackets.

    Args:
        record: A ``PubmedArticle`` or ``PubmedBookArticle``.
        source: Name of the source.
        where: Where the record stands, for errors.

    Raises:
        RowError: It has no PMID, or neither title nor abstract.
    """
    if name_of(record) == "PubmedBookArticle":
        return _book(record, source, where)
    citation, data = record.find("MedlineCitation"), record.find("PubmedData")
    article = citation.find("Article") if citation is not None else None
    if citation is None or article is None:
        raise RowError(where, "a record without citation")
    pmid, version = _pmid(citation, where)
    facts = [
        ("date", _published(article, data)),
        ("updated", date_of(citation.find("DateRevised"))),
        *_identifiers(pmid, article, data),
        ("journal", _text(article, "Journal/Title") or _text(citation, "MedlineJournalInfo/MedlineTA")),
        *_descriptors(citation, article),
    ]
    title, vernacular = _titles(article)
    return _made(pmid, version, source, title, [article, citation], [*facts, ("vernacular_title", vernacular)], where)


def deleted_pmids(element: "etree._Element") -> list[str]:
    """PMIDs of a ``DeleteCitation``."""
    return [one.text.strip() for one in element.iter("PMID") if one.text and one.text.strip()]


def has_heading(document: Document, headings: frozenset[str]) -> tuple[str, ...]:
    """Those MeSH headings of a document that are among some given in lower case."""
    return tuple(value for name, value in document.metadata if name == "mesh" and value.casefold() in headings)


def _book(record: "etree._Element", source: str, where: str) -> Document:
    book = record.find("BookDocument")
    if book is None:
        raise RowError(where, "a book record without its document")
    pmid, version = _pmid(book, where)
    title = _text(book, "ArticleTitle") or _text(book, "Book/BookTitle")
    facts = [
        ("date", date_of(book.find("ContributionDate")) or date_of(book.find("Book/PubDate"))),
        ("updated", date_of(book.find("DateRevised"))),
        *_identifiers(pmid, book, book),
        ("journal", _text(book, "Book/BookTitle")),
        ("kind", "Book"),
        *_descriptors(book, book),
    ]
    return _made(pmid, version, source, _unbracketed(title), [book], facts, where)


def _made(
    pmid: str,
    version: str,
    source: str,
    title: str,
    holders: "list[etree._Element]",
    facts: list[tuple[str, str]],
    where: str,
) -> Document:
    parts, others = _abstract(holders)
    text = "\n\n".join(text for _, text in parts)
    if not title and not text:
        raise RowError(where, "a record with neither title nor abstract")
    named = any(heading for heading, _ in parts)
    return Document(
        id=pmid,
        source=source,
        title=title,
        text=text,
        sections=tuple(Section(heading, text) for heading, text in [*(parts if named else []), *others]),
        revision=version,
        metadata=tuple(dict.fromkeys((name, value) for name, value in facts if value)),
    )


def _pmid(holder: "etree._Element", where: str) -> tuple[str, str]:
    element = holder.find("PMID")
    pmid = (element.text or "").strip() if element is not None else ""
    if element is None or not pmid.isdecimal():
        raise RowError(where, "a record without PMID")
    return pmid, element.get("Version", "1")


def _titles(article: "etree._Element") -> tuple[str, str]:
    """Title, and the title in the article's own language where it is another; the second stands in for a missing first."""
    title, vernacular = _unbracketed(_text(article, "ArticleTitle")), _text(article, "VernacularTitle")
    if title.rstrip(".").casefold() in ("", _NO_TITLE):
        return vernacular, ""
    return title, vernacular


def _unbracketed(title: str) -> str:
    whole = _BRACKETED.fullmatch(title)
    return f"{whole[1].strip()}{'' if whole[1].rstrip().endswith('.') else whole[2]}" if whole else title


def _abstract(holders: "list[etree._Element]") -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Parts of the abstract with their headings, and plain-language summaries.

    An abstract in English that stands elsewhere in the record takes the place of one that is not there.
    """
    own = [part for holder in holders for part in _parts(holder.find("Abstract"))]
    others = [other for holder in holders for other in holder.findall("OtherAbstract")]
    summaries = [o for o in others if o.get("Type") == _PLAIN]
    if not own:
        english = (o for o in others if o.get("Type") != _PLAIN and o.get("Language", "eng") == "eng")
        own = next((parts for other in english if (parts := _parts(other))), [])
    plain = [(heading or "Plain language summary", text) for s in summaries for heading, text in _parts(s)]
    return own, plain


def _parts(abstract: "etree._Element | None") -> list[tuple[str, str]]:
    if abstract is None:
        return []
    found = ((_heading(part), inline_text(part)) for part in abstract.findall("AbstractText"))
    return [(heading, text) for heading, text in found if text]


def _heading(part: "etree._Element") -> str:
    label = " ".join(part.get("Label", "").split())
    if label.upper() in _UNNAMED:
        label = part.get("NlmCategory", "")
    if label.upper() in _UNNAMED:
        return ""
    return label.capitalize() if label.isupper() else label


def _published(article: "etree._Element", data: "etree._Element | None") -> str:
    """Date of the issue, else that of the electronic article, else that of its entry into PubMed."""
    issue = date_of(article.find("Journal/JournalIssue/PubDate"))
    history = data.findall("History/PubMedPubDate") if data is not None else []
    entered = next((date_of(one) for one in history if one.get("PubStatus") == "pubmed"), "")
    return issue or date_of(article.find("ArticleDate")) or entered


def _identifiers(pmid: str, article: "etree._Element", data: "etree._Element | None") -> list[tuple[str, str]]:
    listed = data.findall("ArticleIdList/ArticleId") if data is not None else []
    ids = {one.get("IdType", ""): (one.text or "").strip() for one in reversed(listed)}
    located = (e.text or "" for e in article.findall("ELocationID") if e.get("EIdType") == "doi" and e.get("ValidYN") != "N")
    return [
        ("url", f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/"),
        ("pmid", pmid),
        ("doi", ids.get("doi") or next(located, "").strip()),
        ("pmcid", ids.get("pmc", "")),
    ]


def _descriptors(citation: "etree._Element", article: "etree._Element") -> list[tuple[str, str]]:
    facts = [("language", _LANGUAGES.get(code, code)) for code in _all(article, "Language")]
    facts += [("kind", kind) for kind in _all(article, "PublicationTypeList/PublicationType")]
    facts += [("kind", kind) for kind in _all(article, "PublicationType")]
    for heading in citation.iterfind("MeshHeadingList/MeshHeading"):
        name = _text(heading, "DescriptorName")
        facts.append(("mesh", name))
        if any(part.get("MajorTopicYN") == "Y" for part in heading):
            facts.append(("mesh_major", name))
    facts += [("keyword", word) for word in _all(citation, "KeywordList/Keyword")]
    if _is_retracted(citation, article):
        facts.append(("retracted", "yes"))
    return facts


def _is_retracted(citation: "etree._Element", article: "etree._Element") -> bool:
    kinds = article.iterfind("PublicationTypeList/PublicationType")
    notes = citation.iterfind("CommentsCorrectionsList/CommentsCorrections")
    return any(kind.get("UI") == _RETRACTED or kind.text == "Retracted Publication" for kind in kinds) or any(
        note.get("RefType") == "RetractionIn" for note in notes
    )


def _text(holder: "etree._Element", path: str) -> str:
    element = holder.find(path)
    return inline_text(element) if element is not None else ""


def _all(holder: "etree._Element", path: str) -> list[str]:
    return [inline_text(element) for element in holder.iterfind(path)]
