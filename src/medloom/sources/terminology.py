"""Any terminology in OBO or OBO graphs JSON, and what sources of terminologies share.

For: names of concepts with their synonyms and definitions. Pairs: lay phrase - name, synonym - name, name - definition.
Licence and citation are those of the terminology: state them in the recipe; the report repeats them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from medloom.errors import SourceError
from medloom.identity import file_digest
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.formats.obo import read_terms, read_version
from medloom.sources.formats.obographs import read_graph_outline, read_graph_terms, read_graph_version
from medloom.sources.formats.terms import Outline, Term, branches, heads, with_ancestors
from medloom.text.normalise import one_line

_LAY = ("layperson", "omo:0003003")
_NO_NAMES = frozenset(
    {
        "abbreviation", "acronym", "deprecated", "dubious", "exclude", "misspelling", "obsolete_synonym", "hp:0034334",
        "omo:0003000", "omo:0003012",
    }
)  # fmt: skip
"""Kinds of synonyms that are not names in a text: short forms, and those that the terminology disowns."""


class TerminologySource(SourceConfig):
    """A terminology in one file, a document for each term that is not obsolete.

    A subclass sets ``type`` and implements ``release``; it overrides the readers where the file is in another format. The
    file is read twice: first ids, names and parents, then the terms one by one.
    """

    PREFIX: ClassVar[str] = ""
    """What the ids of its own terms begin with; terms of others that it carries along are left out."""
    ROOTS: ClassVar[tuple[str, ...]] = ()
    """Where the settings name no roots: the first of these that the file holds."""
    HEADS: ClassVar[bool] = False
    """Whether, without roots, the terms at the top are the categories even where there is only one."""

    path: Path = Field(description="The terminology's file, OBO (.obo) or OBO graphs JSON (.json), each also with .gz.")
    roots: tuple[str, ...] = Field(
        default=(), description="Ids of the terms whose children are the categories; found in the file if not set."
    )
    below: tuple[str, ...] = Field(
        default=(), description="Ids of terms: only they and what lies below them is read; everything if not set."
    )
    version: str = Field(default="", description="Release of the text, for report and card; found in the file if not set.")

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per term; its categories are the top-level branches that it falls under."""
        path = self._file()
        outline = {one: known for one, known in self._outline(path).items() if known[0] and self._is_own(one)}
        parents = {one: known[1] for one, known in outline.items()}
        self._check_known(parents)
        licence = self.release().licence
        roots = self.roots or [root for root in self.ROOTS if root in parents][:1]
        tops = heads(parents) if self.HEADS and not roots else branches(parents, roots)
        seen: set[str] = set()
        for term in self._terms(path, outline):
            if term.id not in outline or term.id in seen:
                continue
            seen.add(term.id)
            above = with_ancestors(term.id, parents)
            if not self.below or above & set(self.below):
                yield Document(
                    id=term.id,
                    source=self.name,
                    title=one_line(term.name),
                    text=one_line(term.definition),
                    synonyms=tuple(_names(term)),
                    parents=tuple(p for p in term.parents if p in parents),
                    categories=tuple(sorted({one_line(outline[one][0]) for one in above & tops})),
                    revision=term.revision,
                    metadata=(CONCEPT, ("licence", licence), *(("kind", kind) for kind in term.kinds)),
                )

    def inputs(self) -> dict[str, str]:
        """Hash of the file."""
        return {self._file().name: file_digest(self._file())}

    def _is_own(self, identity: str) -> bool:
        """Whether the term is the terminology's own, rather than one that it carries along."""
        return identity.startswith(self.PREFIX)

    def _outline(self, path: Path) -> Outline:
        """Name and parents of each term that is not obsolete."""
        if _is_json(path):
            return read_graph_outline(path)
        return {term.id: (term.name, tuple(term.parents)) for term in self._terms(path, {})}

    def _terms(self, path: Path, outline: Outline) -> Iterator[Term]:
        """The terms that are not obsolete, one by one.

        Args:
            path: The file.
            outline: What is known of it; empty while that is read.
        """
        return read_graph_terms(path, outline) if _is_json(path) else read_terms(path)

    def _stated(self) -> str:
        """The version that the settings or the file state."""
        return self.version or self._file_version(self._file()) or "not stated"

    def _file_version(self, path: Path) -> str:
        return read_graph_version(path) if _is_json(path) else read_version(path)

    def _file(self) -> Path:
        path = self._folder / self.path.expanduser()
        if not path.is_file():
            raise SourceError(f"source {self.name}: no file {path}: give path: the file of the terminology")
        return path

    def _check_known(self, parents: dict[str, tuple[str, ...]]) -> None:
        if not parents:
            raise SourceError(f"source {self.name}: {self._file()} holds no terms{f' {self.PREFIX}' if self.PREFIX else ''}")
        for setting, ids in (("roots", self.roots), ("below", self.below)):
            for one in ids:
                if one not in parents:
                    raise SourceError(f"source {self.name}: {setting} names {one}, which is not in {self._file()}")


class OboSource(TerminologySource):
    """A terminology of your own, or one that medloom has no source for."""

    type: Literal["obo"] = "obo"
    prefix: str = Field(default="", description="What the ids of its own terms begin with; others are left out.")
    licence: str = Field(default="not stated", description="Terms of the text, for report and card.")
    citation: str = Field(default="", description="How to cite the text, for report and card.")

    def default_name(self) -> str:
        """The file's name without its endings."""
        return self.path.name.partition(".")[0] or "obo"

    def release(self) -> Release:
        """The version in the file, and what the recipe states."""
        return Release(self.name, self._stated(), self.licence, self.citation or "not stated")

    def _is_own(self, identity: str) -> bool:
        return identity.startswith(self.prefix)


def _names(term: Term) -> Iterator[Synonym]:
    """The synonyms that are names, each once."""
    seen: set[str] = set()
    for synonym, kind in term.synonyms:
        text = one_line(synonym.text)
        if text and text not in seen and kind.lower() not in _NO_NAMES:
            seen.add(text)
            yield Synonym(text, synonym.scope, synonym.lay or kind.lower() in _LAY)


def _is_json(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(".json")
