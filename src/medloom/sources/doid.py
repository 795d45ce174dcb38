"""Human Disease Ontology: diseases by cause and place.

For: disease names with synonyms and definitions. Pairs: synonym - name, name - definition. Reads ``doid.obo`` or
``doid.json`` of a release (https://disease-ontology.org). Licence: CC0 1.0.
"""

from typing import ClassVar, Literal

from medloom.sources.base import Release
from medloom.sources.terminology import TerminologySource


class DoidSource(TerminologySource):
    """Diseases; the categories are the branches below disease."""

    type: Literal["doid"] = "doid"
    PREFIX: ClassVar[str] = "DOID:"
    ROOTS: ClassVar[tuple[str, ...]] = ("DOID:4",)

    def release(self) -> Release:
        """The version in the file."""
        return Release(
            name="Human Disease Ontology",
            version=self._stated(),
            licence="CC0 1.0",
            citation=(
                "Schriml LM, Munro JB, Schor M, et al. The Human Disease Ontology 2022 update. Nucleic Acids Research "
                "2022;50(D1):D1255-D1261."
            ),
            url="https://disease-ontology.org",
        )
