"""Mondo Disease Ontology: diseases of every kind, put together from OMIM, Orphanet, NCIt, DOID and others.

For: disease names with synonyms and definitions. Pairs: synonym - name, name - definition, lay phrase - name where marked.
Reads ``mondo.obo`` or ``mondo.json`` of a release (https://mondo.monarchinitiative.org). Licence: CC BY 4.0. Abbreviations
and synonyms that Mondo marks as deprecated, dubious or misspelt are left out.
"""

from typing import ClassVar, Literal

from medloom.sources.base import Release
from medloom.sources.terminology import TerminologySource


class MondoSource(TerminologySource):
    """Diseases; the categories are the branches below human disease."""

    type: Literal["mondo"] = "mondo"
    PREFIX: ClassVar[str] = "MONDO:"
    ROOTS: ClassVar[tuple[str, ...]] = ("MONDO:0700096", "MONDO:0000001")

    def release(self) -> Release:
        """The version in the file."""
        return Release(
            name="Mondo Disease Ontology",
            version=self._stated(),
            licence="CC BY 4.0",
            citation=(
                "Vasilevsky NA, Matentzoglu NA, Toro S, et al. Mondo: unifying diseases for the world, by the world. "
                "medRxiv 2022:2022.04.13.22273750."
            ),
            url="https://mondo.monarchinitiative.org",
        )
