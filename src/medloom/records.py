"""What every room speaks: documents that come in, and training records that go out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CONCEPT = ("concept", "yes")
"""In the metadata of an entry of a terminology, which may have neither synonyms nor parents."""


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of a document; an empty heading means the part had none."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a concept.

    Attributes:
        text: The name.
        scope: ``exact``, ``narrow``, ``broad`` or ``related``, as OBO defines them.
        lay: Whether the terminology marks it as a layperson's term.
    """

    text: str
    scope: str = "exact"
    lay: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One document, question with answer, or concept of a terminology.

    Attributes:
        id: Unique within its source.
        source: Name of the source it came from.
        title: Title, question, or preferred name; may be empty.
        text: Body, answer, or definition; may be empty.
        group: What must stay on one side of a split (patient, trial, focus, concept); the document's own id if unset.
        sections: Headed parts, in order.
        synonyms: Other names, for concepts.
        parents: Ids (same source) of more general concepts.
        categories: Labels for clustering (organ systems, chapters).
        contains_phi: Whether it is about patients who can be told from it; None where nobody has said.
        deidentified: Policy, detector and version that its identifiers were removed with; empty if they were not.
        revision: Version at its source (a revision id, a version number, a date); empty where there is none.
        metadata: Facts about it as (name, value), a name once for each of its values: ``date`` (ISO 8601), ``licence``,
            ``language``, ``url``, ``split``, ``mesh``, ``retracted``, ...
    """

    id: str
    source: str
    title: str = ""
    text: str = ""
    group: str = ""
    sections: tuple[Section, ...] = ()
    synonyms: tuple[Synonym, ...] = ()
    parents: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    contains_phi: bool | None = None
    deidentified: str = ""
    revision: str = ""
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def split_key(self) -> str:
        """What a split may not tear apart, unique over sources."""
        return f"{self.source}:{self.group or self.id}"

    @property
    def is_concept(self) -> bool:
        """Whether it is an entry of a terminology rather than prose: it has synonyms or parents, or is marked as one."""
        return bool(self.parents or self.synonyms) or CONCEPT in self.metadata

    def names(self) -> list[str]:
        """Every name of the concept, its title first."""
        return [name for name in (self.title, *(s.text for s in self.synonyms)) if name]

    def fact(self, name: str) -> str:
        """The first value of a name in the metadata; empty if there is none."""
        return next((value for key, value in self.metadata if key == name), "")

    def to_row(self) -> dict[str, Any]:
        """The document as a row of Parquet."""
        return {
            "id": self.id,
            "source": self.source,
            "title": self.title,
            "text": self.text,
            "group": self.group,
            "sections": tuple({"heading": s.heading, "text": s.text} for s in self.sections),
            "synonyms": tuple({"text": s.text, "scope": s.scope, "lay": s.lay} for s in self.synonyms),
            "parents": self.parents,
            "categories": self.categories,
            "contains_phi": self.contains_phi,
            "deidentified": self.deidentified,
            "revision": self.revision,
            "metadata": self.metadata,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Document":
        """The inverse of :meth:`to_row`."""
        return cls(
            **{
                **row,
                "sections": tuple(Section(**s) for s in row["sections"]),
                "synonyms": tuple(Synonym(**s) for s in row["synonyms"]),
                "parents": tuple(row["parents"]),
                "categories": tuple(row["categories"]),
                "metadata": tuple((name, value) for name, value in row.get("metadata") or ()),
            }
        )


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """A query with what it should and should not find.

    Attributes:
        query: The anchor.
        positives: Texts that answer it, at least one.
        negatives: Hard negatives, hardest first; empty until mined.
        kind: How the pair came about (``lay_name``, ``title_text``, ...).
        source: Name of the source.
        doc_id: The document that the positive belongs to.
        scores: Cosine similarities to the query under the mining model: the first positive, then each negative.
        model: What wrote the query, where a program did: a language model's name, or ``extractive``.
        prompt: Key of the call that the query came from, as in the table of calls.
    """

    query: str
    positives: tuple[str, ...]
    kind: str
    source: str
    doc_id: str
    negatives: tuple[str, ...] = ()
    scores: tuple[float, ...] = field(default=())
    model: str = ""
    prompt: str = ""

    @property
    def task(self) -> str:
        """The set that the record belongs to: pairs of one kind from one source."""
        return f"{self.source}/{self.kind}"

    def to_row(self) -> dict[str, Any]:
        """The record as a row of Parquet."""
        return {
            "query": self.query,
            "positives": self.positives,
            "kind": self.kind,
            "source": self.source,
            "doc_id": self.doc_id,
            "negatives": self.negatives,
            "scores": self.scores,
            "model": self.model,
            "prompt": self.prompt,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "TrainingRecord":
        """The inverse of :meth:`to_row`."""
        return cls(
            **{
                **row,
                "positives": tuple(row["positives"]),
                "negatives": tuple(row["negatives"]),
                "scores": tuple(row["scores"]),
            }
        )


def stricter(row: bool | None, source: bool | None) -> bool | None:
    """Whether a document is patient text, from what it says itself and what is said of its source: a yes stays a yes."""
    return True if row or source else (source if row is None else row)


def marked(documents: Iterable[Document], contains_phi: bool | None) -> Iterator[Document]:
    """The documents, each marked as patient text if its source is said to be."""
    for document in documents:
        mark = stricter(document.contains_phi, contains_phi)
        yield document if mark == document.contains_phi else replace(document, contains_phi=mark)
