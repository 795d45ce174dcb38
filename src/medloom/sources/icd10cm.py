"""ICD-10-CM: the tabular list of diagnosis codes.

For: code descriptions with the inclusion terms that coders look for. Pairs: inclusion term - code description. Reads the
list that the package ``simple-icd-10-cm`` carries, or one of the CDC's own (``icd10cm_tabular_2026.xml``,
https://www.cdc.gov/nchs/icd/icd-10-cm/files.html). Licence: the clinical modification is by the US government (CDC/NCHS and
CMS), public; ICD-10, which it modifies, is copyright of the World Health Organization; the package is MIT.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lxml import etree
from pydantic import Field

from medloom.errors import SourceError
from medloom.identity import file_digest
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.text.normalise import one_line
from medloom.text.xml import iter_elements

_CODE_RANGE = re.compile(r"\s*\([A-Z][\dA-Z]{2}\s*-\s*[A-Z][\dA-Z]{2}\)\s*$")
_RELEASE = re.compile(r"icd10cm?[-_]tabular[-_](.+)\.xml")


class Icd10CmSource(SourceConfig):
    """Diagnosis codes: description, inclusion terms, chapter.

    Seventh-character extensions ("initial encounter", ...) repeat their parent's text and are left out. Codes are grouped
    by three-character category, so that the laterality and stage variants of one disease stay on one side of a split.
    """

    type: Literal["icd10cm"] = "icd10cm"
    path: Path | None = Field(
        default=None, description="A tabular list of your own, XML as the CDC gives it; the package's if not set."
    )

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per category or subcategory code."""
        for code, parent, chapter in self._codes():
            terms = [one_line(note.text or "") for note in code.iterfind("inclusionTerm/note")]
            yield Document(
                id=_text(code, "name"),
                source=self.name,
                title=_text(code, "desc"),
                group=_text(code, "name").partition(".")[0],
                synonyms=tuple(Synonym(term) for term in terms if term),
                parents=(parent,) if parent else (),
                categories=(chapter,),
                metadata=(CONCEPT,),
            )

    def release(self) -> Release:
        """The release in the name of the tabular list."""
        file = self._tabular()
        found = _RELEASE.match(file.name)
        package = f" (simple-icd-10-cm {version('simple-icd-10-cm')})" if self.path is None else ""
        return Release(
            name="ICD-10-CM",
            version=f"{found[1] if found else 'unknown'}{package}",
            licence="US modification by CDC/NCHS and CMS, public; ICD-10 itself is the WHO's; package under MIT",
            citation=(
                "National Center for Health Statistics. International Classification of Diseases, Tenth Revision, "
                "Clinical Modification (ICD-10-CM)."
            ),
            url="https://www.cdc.gov/nchs/icd/icd-10-cm/",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of the tabular list."""
        return {self._tabular().name: file_digest(self._tabular())}

    def count(self) -> int | None:
        """Categories and subcategories."""
        return sum(1 for _ in self._codes())

    def _codes(self) -> Iterator[tuple[etree._Element, str, str]]:
        """Each code once, in the list's order, with the code above it (if any) and its chapter."""
        path = self._tabular()
        seen: set[str] = set()
        for chapter in iter_elements(path, {"chapter"}, str(path)):
            title = _CODE_RANGE.sub("", _text(chapter, "desc"))
            for code in chapter.iter("diag"):
                if (name := _text(code, "name")) not in seen:
                    seen.add(name)
                    above = code.getparent()
                    yield code, _text(above, "name") if above is not None and above.tag == "diag" else "", title
        if not seen:
            raise SourceError(f"source icd10cm: {path} holds no codes: it must be the tabular list as XML")

    def _tabular(self) -> Path:
        if self.path is not None:
            path = self._folder / self.path.expanduser()
            if not path.is_file():
                raise SourceError(f"source icd10cm: no file {path}: give path: a tabular list, or leave it out")
            return path
        package = find_spec("simple_icd_10_cm")
        if package is None or package.origin is None:
            raise SourceError(
                "source icd10cm: the package simple-icd-10-cm is not installed: pip install simple-icd-10-cm, or set path"
            )
        files = sorted((Path(package.origin).parent / "data").glob("*tabular*.xml"))
        if not files:
            raise SourceError("source icd10cm: the package simple-icd-10-cm holds no tabular list: reinstall it")
        return files[-1]


def _text(element: etree._Element, name: str) -> str:
    return one_line(element.findtext(name) or "")
