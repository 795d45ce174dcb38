"""What generating passes from hand to hand: the text that is shown, and the queries before any check."""

from dataclasses import dataclass

from medloom.generate.config import QueryKind
from medloom.records import Document


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document's text that a query is, or may be, about.

    Attributes:
        text: The words as they stand in the document.
        start: First character in :func:`shown_text`, counted from 0.
        end: One past the last character.
        heading: Of the section it stands in; empty if there is none.
    """

    text: str
    start: int
    end: int
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A query as it was written, before any check.

    Attributes:
        kind: What was asked for.
        query: The query.
        evidence: The passage that answers it, as claimed; for ``absent`` the near passage that does not.
        relevance: The writer's own score of query and passage, 0 to 1.
        negative: A near passage that does not answer, written for the purpose; may be empty.
        prompt: Key of the call; empty for ``extractive``.
    """

    kind: QueryKind
    query: str
    evidence: str
    relevance: float = 1.0
    negative: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """A draft, or a whole answer, that a check dropped.

    Attributes:
        doc_id: The document.
        source: Its source.
        reason: The check.
        kind: Kind of the query, where there is one.
        query: The query, where there is one.
        evidence: What it claimed as its passage.
        prompt: Key of the call.
        detail: Why the call failed, where it did.
    """

    doc_id: str
    source: str
    reason: str
    kind: str = ""
    query: str = ""
    evidence: str = ""
    prompt: str = ""
    detail: str = ""


def shown_text(document: Document) -> str:
    """The text that queries are made from: the document's own, or its sections under their headings."""
    if document.text:
        return document.text
    return "\n\n".join(f"{s.heading}:\n{s.text}" if s.heading else s.text for s in document.sections)
