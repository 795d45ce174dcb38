"""ICD-10-CM, as the package ``simple-icd-10-cm`` carries it.

For: code descriptions with the inclusion terms that coders look for. Pairs: inclusion term - code description.
Licence: the clinical modification is by the US government (CDC/NCHS and CMS), public; ICD-10, which it modifies, is
copyright of the World Health Organization; the package is MIT.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from medloom.errors import SourceError
from medloom.identity import file_digest
from medloom.records import Document, Synonym
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.text.normalise import one_line

_CODE_RANGE = re.compile(r"\s*\([A-Z][\dA-Z]{2}\s*-\s*[A-Z][\dA-Z]{2}\)\s*$")
_RELEASE = re.compile(r"icd10c-tabular-(.+)\.xml")


class Icd10CmSource(SourceConfig):
    """Diagnosis codes: description, inclusion terms, chapter.

    Seventh-character extensions ("initial encounter", ...) repeat their parent's text and are left out. Codes are grouped
    by three-character category, so that the laterality and stage variants of one disease stay on one side of a split.
    """

    type: Literal["icd10cm"] = "icd10cm"

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per category or subcategory code."""
        icd = self._package()
        for code in self._codes():
            lineage = icd.get_ancestors(code)
            category = code.partition(".")[0]
            yield Document(
                id=code,
                source=self.name,
                title=one_line(icd.get_description(code)),
                group=category,
                synonyms=tuple(Synonym(one_line(t)) for t in icd.get_inclusion_term(code) if t.strip()),
                parents=(icd.get_parent(code),) if code != category else (),
                categories=(_CODE_RANGE.sub("", icd.get_description(lineage[-1])),),
            )

    def release(self) -> Release:
        """The release in the name of the tabular list."""
        found = _RELEASE.match(self._tabular().name)
        return Release(
            name="ICD-10-CM",
            version=f"{found[1] if found else 'unknown'} (simple-icd-10-cm {version('simple-icd-10-cm')})",
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

    def _codes(self) -> Iterator[str]:
        """Each code once; the package lists a category that is a block of its own twice."""
        icd = self._package()
        for code in dict.fromkeys(icd.get_all_codes(True)):
            if icd.is_category(code) or icd.is_subcategory(code, include_extended_subcategories=False):
                yield code

    def _package(self) -> Any:  # noqa: ANN401
        try:
            import simple_icd_10_cm
        except ImportError as error:
            raise SourceError("source icd10cm needs the package simple-icd-10-cm: pip install simple-icd-10-cm") from error
        return simple_icd_10_cm

    def _tabular(self) -> Path:
        package = find_spec("simple_icd_10_cm")
        if package is None or package.origin is None:
            raise SourceError("source icd10cm needs the package simple-icd-10-cm: pip install simple-icd-10-cm")
        files = sorted((Path(package.origin).parent / "data").glob("*tabular*.xml"))
        if not files:
            raise SourceError("source icd10cm: the package simple-icd-10-cm holds no tabular list: reinstall it")
        return files[-1]
