"""Drugs with their other names, as the package ``drug-named-entity-recognition`` carries them.

For: brand names and synonyms of drugs. Pairs: other name - drug. Only drugs of DrugBank's open vocabulary or MedlinePlus are
given; systematic chemical names and registry codes are left out. Licence: DrugBank's vocabulary is CC0, MedlinePlus and
MeSH are by the US National Library of Medicine; the package adds names from the NHS, PubChem and Wikipedia (CC BY-SA) and
does not say which; the package is MIT.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from medloom.identity import file_digest
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.formats.names import distinct_names
from medloom.sources.formats.ner_dictionary import NameDictionary, dictionary_path, read_dictionary
from medloom.text.normalise import one_line

_PACKAGE = "drug-named-entity-recognition"
_FILE = "drug_ner_dictionary.pkl.bz2"
_NAME = re.compile(r"[a-z][a-z'’-]{2,}(?: [a-z'’-]+){0,3}")
_CLASSES = {
    "D01": "Inorganic Chemicals",
    "D02": "Organic Chemicals",
    "D03": "Heterocyclic Compounds",
    "D04": "Polycyclic Compounds",
    "D06": "Hormones, Hormone Substitutes, and Hormone Antagonists",
    "D08": "Enzymes and Coenzymes",
    "D09": "Carbohydrates",
    "D10": "Lipids",
    "D12": "Amino Acids, Peptides, and Proteins",
    "D13": "Nucleic Acids, Nucleotides, and Nucleosides",
    "D20": "Complex Mixtures",
    "D23": "Biological Factors",
}


class DrugNamesSource(SourceConfig):
    """Drugs: other names, chemical classes of MeSH."""

    type: Literal["drug_names"] = "drug_names"

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per drug; its categories are the chemical classes that MeSH files it under."""
        names = self._names()
        for key, data in names.concepts.items():
            if not _is_drug(data):
                continue
            title = one_line(data["name"])
            readable = [name for name in names.variants[key] if _NAME.fullmatch(name)]
            classes = {_CLASSES[n[:3]] for n in data.get("mesh_tree", ()) if isinstance(n, str) and n[:3] in _CLASSES}
            yield Document(
                id=key,
                source=self.name,
                title=title,
                synonyms=tuple(Synonym(name) for name in distinct_names(title, readable)),
                categories=tuple(sorted(classes)),
                metadata=(CONCEPT,),
            )

    def release(self) -> Release:
        """The package's version; it does not date what it was gathered from."""
        return Release(
            name="Drug names from DrugBank's open vocabulary, MedlinePlus, MeSH and others",
            version=f"not stated ({_PACKAGE} {version(_PACKAGE)})",
            licence="DrugBank vocabulary CC0; MedlinePlus and MeSH free with attribution; Wikipedia CC BY-SA; package MIT",
            citation=(
                "Knox C, Wilson M, Klinger CM, et al. DrugBank 6.0: the DrugBank Knowledgebase for 2024. Nucleic Acids "
                "Research 2024;52(D1):D1265-D1275. U.S. National Library of Medicine: MedlinePlus, MeSH."
            ),
            url="https://go.drugbank.com/releases/latest#open-data",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of the dictionary."""
        return {_FILE: file_digest(self._path())}

    def count(self) -> int | None:
        """Drugs."""
        return sum(1 for data in self._names().concepts.values() if _is_drug(data))

    def _names(self) -> NameDictionary:
        return read_dictionary(self._path(), "drug")

    def _path(self) -> Path:
        return dictionary_path("drug_names", _PACKAGE, _FILE)


def _is_drug(data: dict[str, Any]) -> bool:
    return isinstance(data.get("name"), str) and bool(data.get("drugbank_id") or data.get("medline_plus_id"))
