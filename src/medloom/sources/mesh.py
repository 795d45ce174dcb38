"""Medical Subject Headings (MeSH), from the descriptor file of a year.

For: headings of all branches with entry terms and scope notes. Pairs: entry term - heading, heading - scope note. Reads
``desc2026.xml`` (or another year's, also with ``.gz``) of the National Library of Medicine
(https://nlmpubs.nlm.nih.gov/projects/mesh). Terms: free to use with attribution, the year shown, changes said. Entry terms
that only permute or inflect another one are left out. ``mesh_diseases`` gives diseases alone, without a download and without
scope notes.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from lxml import etree
from pydantic import Field

from medloom.records import Synonym
from medloom.sources.base import Release
from medloom.sources.formats.names import distinct_names
from medloom.sources.formats.terms import Outline, Term
from medloom.sources.terminology import TerminologySource
from medloom.text.xml import iter_elements

_YEAR = re.compile(r"(?:19|20)\d\d")
_SCOPES = {"NRW": "narrow", "BRD": "broad"}


class MeshSource(TerminologySource):
    """Descriptors; parents and categories are read off the tree numbers, the categories are its two-digit branches."""

    type: Literal["mesh"] = "mesh"
    HEADS: ClassVar[bool] = True

    path: Path = Field(description="The descriptor file of a year, desc2026.xml or desc2026.xml.gz.")
    branches: tuple[str, ...] = Field(
        default=(), description="Branches of the tree to read, by letter or number (C, F03, ...); all if not set."
    )

    def release(self) -> Release:
        """The year in the file's name."""
        return Release(
            name="Medical Subject Headings (MeSH)",
            version=self._stated(),
            licence="US National Library of Medicine, free to use with attribution and year",
            citation="U.S. National Library of Medicine. Medical Subject Headings (MeSH).",
            url="https://www.nlm.nih.gov/mesh/",
        )

    def _file_version(self, path: Path) -> str:
        found = _YEAR.search(path.name)
        return found[0] if found else ""

    def _outline(self, path: Path) -> Outline:
        names: dict[str, str] = {}
        numbers: dict[str, list[str]] = {}
        for record in iter_elements(path, {"DescriptorRecord"}, str(path)):
            identity = _text(record, "DescriptorUI")
            names[identity] = _text(record, "DescriptorName/String")
            numbers[identity] = [(number.text or "").strip() for number in record.iterfind("TreeNumberList/TreeNumber")]
        owner = {number: identity for identity, own in numbers.items() for number in own}
        return {
            identity: (
                name,
                tuple(dict.fromkeys(owner[up] for n in numbers[identity] if (up := n.rpartition(".")[0]) in owner)),
            )
            for identity, name in names.items()
            if not self.branches or any(number.startswith(self.branches) for number in numbers[identity])
        }

    def _terms(self, path: Path, outline: Outline) -> Iterator[Term]:
        for record in iter_elements(path, {"DescriptorRecord"}, str(path)):
            identity = _text(record, "DescriptorUI")
            if identity in outline:
                name, parents = outline[identity]
                yield Term(
                    id=identity,
                    name=name,
                    definition=_text(record, "ConceptList/Concept[@PreferredConceptYN='Y']/ScopeNote"),
                    synonyms=[(synonym, "") for synonym in _synonyms(record, name)],
                    parents=list(parents),
                    revision="-".join(
                        filter(None, (_text(record, f"DateRevised/{part}") for part in ("Year", "Month", "Day")))
                    ),
                )


def _synonyms(record: etree._Element, name: str) -> Iterator[Synonym]:
    """Entry terms; those of the concepts that are not the preferred one are narrower, broader or related."""
    scopes: dict[str, str] = {}
    for concept in record.iterfind("ConceptList/Concept"):
        scope = "exact"
        if concept.get("PreferredConceptYN") != "Y":
            relation = concept.find("ConceptRelationList/ConceptRelation")
            scope = _SCOPES.get(relation.get("RelationName", "") if relation is not None else "", "related")
        for term in concept.iterfind("TermList/Term"):
            text = _text(term, "String")
            if term.get("IsPermutedTermYN") != "Y" and text:
                scopes.setdefault(text, scope)
    return (Synonym(text, scopes[text]) for text in distinct_names(name, list(scopes)))


def _text(element: etree._Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
