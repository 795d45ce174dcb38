"""Orphanet's rare diseases, as its ontology ORDO or as Orphadata's file of names carries them.

For: names of rare diseases with synonyms and definitions. Pairs: synonym - name, name - definition. Reads the ontology
(``ORDO_en_4.7.owl``, or another version's) or ``en_product1.xml``, both from https://www.orphadata.com, each also with
``.gz``. The ontology has the classification (parents, and the specialties at its head as categories); the other file has
none, and names the type of each entity instead. Genes and other helpers of the ontology are left out. Licence: CC BY 4.0.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from lxml import etree
from pydantic import Field

from medloom.records import Synonym
from medloom.sources.base import Release
from medloom.sources.formats.terms import Outline, Term, with_ancestors
from medloom.sources.terminology import TerminologySource
from medloom.text.xml import iter_elements

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_CODE = re.compile(r".*[/#]Orphanet_(\w+)")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_PART_OF = ("BFO_0000050", "part_of")
_CLINICAL = ("clinical entity", "phenome")
_LEVELS = frozenset({"ORPHA:557492", "ORPHA:557493", "ORPHA:557494"})
"""Group of disorders, disorder, subtype of a disorder: what every entity is a kind of, no parents."""
_SYNONYMS = {
    "alternative_term": "exact",
    "hasExactSynonym": "exact",
    "hasNarrowSynonym": "narrow",
    "hasBroadSynonym": "broad",
    "hasRelatedSynonym": "related",
}
_DEFINITIONS = ("definition", "IAO_0000115")
_WITHDRAWN = re.compile(r"(?i)\b(?:inactive|obsolete|deprecated)\b")
_REMARK = re.compile(r"^(?:OBSOLETE|NON RARE IN EUROPE)\s*:\s*")


class OrdoSource(TerminologySource):
    """Rare diseases, their groups and subtypes."""

    type: Literal["ordo"] = "ordo"
    PREFIX: ClassVar[str] = "ORPHA:"
    HEADS: ClassVar[bool] = True

    path: Path = Field(description="ORDO's OWL file, or Orphadata's en_product1.xml; each also with .gz.")

    def release(self) -> Release:
        """The version in the file."""
        return Release(
            name="Orphanet nomenclature of rare diseases",
            version=self._stated(),
            licence="CC BY 4.0",
            citation="Orphanet: an online database of rare diseases and orphan drugs. INSERM 1999. https://www.orpha.net",
            url="https://www.orphadata.com",
        )

    def _file_version(self, path: Path) -> str:
        for element in iter_elements(path, {"Ontology", "Disorder"}, str(path), abbreviations=True):
            if etree.QName(element).localname == "Ontology":
                return next(_texts(element, ("versionInfo",)), "")
            root = element.getroottree().getroot()
            return " of ".join(filter(None, (root.get("version"), root.get("date"))))
        return ""

    def _outline(self, path: Path) -> Outline:
        terms = {term.id: term for term in _read(path)}
        kinds = {term.id: term.kinds for term in terms.values()}
        heads = {term.id for term in terms.values() if term.name.lower() in _CLINICAL}
        return {
            term.id: (term.name, tuple(term.parents))
            for term in terms.values()
            if term.id not in _LEVELS and term.id[6:].isdigit() and (not heads or with_ancestors(term.id, kinds) & heads)
        }

    def _terms(self, path: Path, outline: Outline) -> Iterator[Term]:
        for term in _read(path):
            if term.id in outline:
                term.kinds = tuple(kind for kind in term.kinds if not kind.startswith(self.PREFIX))
                yield term


def _read(path: Path) -> Iterator[Term]:
    """The terms of either file that are not obsolete; the kinds of an ontology's class are the classes it is a kind of."""
    for element in iter_elements(path, {"Class", "Disorder"}, str(path), abbreviations=True):
        term = _class(element) if etree.QName(element).localname == "Class" else _disorder(element)
        if term.name and not term.obsolete:
            yield term


def _class(element: etree._Element) -> Term:
    kinds, wholes, obsolete = [], [], next(_texts(element, ("deprecated",)), "") == "true"
    for above in element.iterfind("{*}subClassOf"):
        target = above.get(f"{_RDF}resource", "")
        obsolete = obsolete or target.endswith("ObsoleteClass")
        kinds.append(_code(target))
        for restriction in above.iterfind("{*}Restriction"):
            if _resource(restriction, "onProperty").endswith(_PART_OF):
                wholes.append(_code(_resource(restriction, "someValuesFrom")))
    kinds = [kind for kind in kinds if kind]
    name = next(_texts(element, ("label",)), "")
    return Term(
        id=_code(element.get(f"{_RDF}about", "")),
        name=_REMARK.sub("", name),
        definition=next(_texts(element, _DEFINITIONS), ""),
        synonyms=[(Synonym(text, scope), "") for word, scope in _SYNONYMS.items() for text in _texts(element, (word,))],
        parents=[whole for whole in wholes if whole] or [kind for kind in kinds if kind not in _LEVELS],
        obsolete=obsolete or name.startswith("OBSOLETE"),
        kinds=tuple(kinds),
    )


def _disorder(element: etree._Element) -> Term:
    flags = " ".join(flag.text or "" for flag in element.iterfind("DisorderFlagList/DisorderFlag/Label"))
    name = (element.findtext("Name") or "").strip()
    kind = (element.findtext("DisorderType/Name") or "").strip()
    texts = element.iterfind("SummaryInformationList/SummaryInformation/TextSectionList/TextSection/Contents")
    others = [(synonym.text or "").strip() for synonym in element.iterfind("SynonymList/Synonym")]
    return Term(
        id=f"ORPHA:{(element.findtext('OrphaCode') or '').strip()}",
        name=_REMARK.sub("", name),
        definition=next(((text.text or "").strip() for text in texts), ""),
        synonyms=[(Synonym(other), "") for other in others if other],
        obsolete=bool(_WITHDRAWN.search(flags)) or name.startswith("OBSOLETE"),
        kinds=(kind,) if kind else (),
    )


def _code(address: str) -> str:
    found = _CODE.fullmatch(address)
    return f"ORPHA:{found[1]}" if found else ""


def _resource(element: etree._Element, name: str) -> str:
    found = element.find(f"{{*}}{name}")
    return found.get(f"{_RDF}resource", "") if found is not None else ""


def _texts(element: etree._Element, names: tuple[str, ...]) -> Iterator[str]:
    """The English (or unmarked) texts of the children of these names."""
    for child in element.iterchildren():
        text = (child.text or "").strip()
        if text and etree.QName(child).localname in names and child.get(_LANGUAGE, "en").startswith("en"):
            yield text
