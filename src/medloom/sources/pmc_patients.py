"""PMC-Patients: patient summaries taken from case reports of PubMed Central.

For: title - summary, note-like text about diseases of every kind. Reads ``PMC-Patients.csv`` of the data set (or Parquet
and JSONL with its fields), or the hub's own (zhengyun21/PMC-Patients), by the fields ``patient_uid``, ``PMID``, ``title``
and ``patient`` of its card; age, sex and the relations to other patients and articles are left. Licence: CC BY-NC-SA 4.0,
and each article's own. The patients are real, their reports public: the text counts as free of identifiers unless
``contains_phi`` says otherwise. The benchmark PMC-Patients-ReCDS asks for similar patients among them: its test patients
are not marked here.
"""

from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from medloom.records import Document
from medloom.sources.base import Release
from medloom.sources.published import Part, PublishedSource
from medloom.sources.table import key_of, text_of


class PmcPatientsSource(PublishedSource):
    """Summaries under the title of their article, grouped by article."""

    type: Literal["pmc-patients"] = "pmc-patients"
    DATASET: ClassVar[str] = "zhengyun21/PMC-Patients"
    LICENCE: ClassVar[str] = "CC BY-NC-SA 4.0"

    def release(self) -> Release:
        """Licence and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="PMC-Patients",
            version=self._stated(),
            licence="CC BY-NC-SA 4.0; each article's own",
            citation=(
                "Zhao Z, Jin Q, Chen F, Peng T, Yu S. A large-scale dataset of patient summaries for retrieval-based "
                "clinical decision support systems. Scientific Data 2023;10:909."
            ),
            url="https://github.com/pmc-patients/pmc-patients",
        )

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document:
        article = key_of(row, ("PMID",), where)
        file = PurePosixPath(text_of(row, ("file_path",), where)).stem
        kept = (("pmid", article), ("pmcid", file if file.startswith("PMC") else ""))
        return Document(
            id=key_of(row, ("patient_uid", "patient_id"), where),
            source=self.name,
            title=text_of(row, ("title",), where),
            text=text_of(row, ("patient",), where, required=True),
            group=article,
            metadata=(("language", "en"), ("kind", "case report"), *((name, value) for name, value in kept if value)),
        )
