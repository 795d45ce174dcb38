"""NCI Thesaurus: concepts of cancer and medicine at large (diseases, drugs, genes, anatomy, procedures).

For: names with synonyms and definitions. Pairs: synonym - name, name - definition. Reads the flat file of a release
(``Thesaurus.txt``, or the ``Thesaurus.FLAT.zip`` that it comes in, https://evs.nci.nih.gov), or ``ncit.obo`` or
``ncit.json`` of the OBO Foundry. Licence: CC BY 4.0. Synonyms count as exact: the flat file does not tell short forms from
names. ``below: [NCIT:C2991]`` reads diseases and disorders alone.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from medloom.errors import SourceError
from medloom.records import Synonym
from medloom.sources.base import Release
from medloom.sources.formats.terms import Outline, Term, open_text
from medloom.sources.terminology import TerminologySource

_MEMBER = "Thesaurus.txt"
_COLUMNS = 8
_WITHDRAWN = ("obsolete_concept", "retired_concept")
_FLAT = (".txt", ".txt.gz", ".tsv", ".tsv.gz", ".zip")


class NcitSource(TerminologySource):
    """Concepts; the categories are the kinds of things at the top of the hierarchy, the metadata holds semantic types."""

    type: Literal["ncit"] = "ncit"
    PREFIX: ClassVar[str] = "NCIT:"
    HEADS: ClassVar[bool] = True

    path: Path = Field(description="Thesaurus.txt or Thesaurus.FLAT.zip of a release, or ncit.obo or ncit.json.")

    def release(self) -> Release:
        """The version in the file; the flat file states none."""
        return Release(
            name="NCI Thesaurus",
            version=self._stated(),
            licence="CC BY 4.0",
            citation="National Cancer Institute. NCI Thesaurus (NCIt). https://ncithesaurus.nci.nih.gov",
            url="https://evs.nci.nih.gov",
        )

    def _terms(self, path: Path, outline: Outline) -> Iterator[Term]:
        return _flat_terms(path) if _is_flat(path) else super()._terms(path, outline)

    def _file_version(self, path: Path) -> str:
        return "" if _is_flat(path) else super()._file_version(path)


def _is_flat(path: Path) -> bool:
    return path.name.lower().endswith(_FLAT)


def _flat_terms(path: Path) -> Iterator[Term]:
    """The concepts of a flat file that were not withdrawn.

    Columns: code, concept IRI, parents, synonyms (the preferred one first), definition, display name, concept status,
    semantic type; several values of one are separated by ``|``.
    """
    if path.suffix.lower() != ".zip":
        with open_text(path) as lines:
            yield from _rows(lines, path)
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_MEMBER) as raw, io.TextIOWrapper(raw, "utf-8-sig") as lines:
            yield from _rows(lines, path)
    except KeyError:
        raise SourceError(f"{path} holds no {_MEMBER}: give the flat file of the NCI Thesaurus") from None
    except (zipfile.BadZipFile, EOFError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is damaged or cut off: fetch it again") from error


def _rows(lines: Iterable[str], path: Path) -> Iterator[Term]:
    for number, line in enumerate(lines, start=1):
        cells = line.rstrip("\r\n").split("\t")
        if number == 1 and cells[0].lower() == "code":
            continue
        if len(cells) < _COLUMNS:
            raise SourceError(f"{path}, line {number}: {len(cells)} columns, too few for the flat file of the NCI Thesaurus")
        code, _, parents, synonyms, definition, shown, status, kinds = cells[:_COLUMNS]
        if any(word in status.lower() for word in _WITHDRAWN):
            continue
        name, *others = synonyms.split("|")
        name = name or shown
        yield Term(
            id=f"NCIT:{code}",
            name=name,
            definition=definition,
            synonyms=[(Synonym(other), "") for other in others if other and other != name],
            parents=[f"NCIT:{parent}" for parent in parents.split("|") if parent],
            kinds=tuple(kind for kind in kinds.split("|") if kind),
        )
