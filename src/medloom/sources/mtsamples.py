"""MTSamples: transcribed sample reports of many specialties, from mtsamples.com.

For: sample name - report, description - report, note-like text with headings, specialties for clustering. Reads
``mtsamples.csv`` as it is on Kaggle (``description``, ``medical_specialty``, ``sample_name``, ``transcription``), or a
copy on the hub that you name as ``dataset``; none there is by the makers. Terms: who collected the table marked it CC0.
Whether the names and dates in the reports are invented nobody has said: set ``contains_phi: true`` if in doubt. A report
stands in the table once for each of its specialties: those rows are one group.
"""

from typing import Any, ClassVar, Literal

from medloom.identity import text_hash
from medloom.records import Document, Section
from medloom.sources.base import Release
from medloom.sources.published import Part, PublishedSource
from medloom.sources.table import text_of
from medloom.text.normalise import text_key


class MtSamplesSource(PublishedSource):
    """Reports under their sample name, with description and report as sections, and the specialty as category."""

    type: Literal["mtsamples"] = "mtsamples"
    DATASET: ClassVar[str] = ""
    LICENCE: ClassVar[str] = "CC0 as marked by the collector"

    def release(self) -> Release:
        """Terms and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="MTSamples",
            version=self._stated(),
            licence="CC0 as marked by who collected the table; the reports are those of mtsamples.com",
            citation="MTSamples: transcribed medical transcription sample reports. https://mtsamples.com",
            url="https://mtsamples.com",
        )

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document | None:
        report = text_of(row, ("transcription",), where)
        if not report:
            return None
        description, specialty = text_of(row, ("description",), where), text_of(row, ("medical_specialty",), where)
        parts = (("description", description), ("transcription", report))
        return Document(
            id=str(number),
            source=self.name,
            title=text_of(row, ("sample_name",), where),
            text=report,
            group=text_hash(text_key(report)).hex(),
            sections=tuple(Section(heading, text) for heading, text in parts if text),
            categories=(specialty,) if specialty else (),
            metadata=(("language", "en"), ("kind", "sample report")),
        )
