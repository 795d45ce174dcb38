"""ClinicalTrials.gov: records of clinical studies, with title, summary, description and primary outcomes.

For: title - description, title - summary, title - primary outcomes. Reads files of records as version 2 of the registry's
interface gives them (``protocolSection`` with its modules, or the same fields on one level), or with the fields ``title``,
``brief_summary``, ``detailed_description``, ``primary_outcomes`` and ``nct_id``. Terms: see :meth:`release`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.table import OnError, Paths, digests, documents_of, files_of, rows_of, text_of

_MODULES = ("identificationModule", "descriptionModule", "outcomesModule")
_TITLES = ("officialTitle", "official_title", "title", "briefTitle", "brief_title")
_SECTIONS = {
    "brief summary": ("briefSummary", "brief_summary"),
    "detailed description": ("detailedDescription", "detailed_description"),
}
_OUTCOMES = ("primaryOutcomes", "primary_outcomes")


class ClinicalTrialsSource(SourceConfig):
    """Study records as documents with headed sections."""

    type: Literal["clinicaltrials"] = "clinicaltrials"
    path: Paths = Field(description="A file of study records (JSONL, CSV, Parquet), a folder of them, or a list.")
    on_error: OnError = Field(
        default="fail", description="A bad row stops the run, or is counted and kept in rejects.jsonl."
    )
    version: str = Field(default="", description="Date on which the records were fetched, for report and card.")

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per study: the official title (the brief one if there is none) and up to three sections."""
        yield from documents_of(self._files(), self._document, self.on_error, rejects)

    def release(self) -> Release:
        """Terms and citation; the date is the user's to state."""
        return Release(
            name="ClinicalTrials.gov",
            version=self.version or "not stated",
            licence="terms of ClinicalTrials.gov: name the source and the date; text may be under rights of the sponsors",
            citation="ClinicalTrials.gov. Bethesda (MD): National Library of Medicine (US).",
            url="https://clinicaltrials.gov",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of every file."""
        return digests(self._files())

    def count(self) -> int | None:
        """Rows in all."""
        return sum(1 for path in self._files() for _ in rows_of(path))

    def _files(self) -> list[Path]:
        return files_of(self.name, self.path, self._folder)

    def _document(self, row: dict[str, Any], where: str, path: Path, number: int) -> Document:
        fields = _flat(row, where)
        parts = {heading: text_of(fields, names, where) for heading, names in _SECTIONS.items()}
        parts["primary outcomes"] = _outcomes(fields, where)
        return Document(
            id=text_of(fields, ("nctId", "nct_id"), where),
            source=self.name,
            title=text_of(fields, _TITLES, where, required=True),
            sections=tuple(Section(heading, text) for heading, text in parts.items() if text),
        )


def _flat(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields of the modules on one level."""
    protocol = row.get("protocolSection")
    if protocol is None:
        return row
    if not isinstance(protocol, dict):
        raise RowError(where, "field 'protocolSection' must be an object of modules")
    modules = [protocol.get(name) for name in _MODULES]
    return {name: value for module in modules if isinstance(module, dict) for name, value in module.items()}


def _outcomes(row: dict[str, Any], where: str) -> str:
    """Measure and description of each primary outcome, a line each; time frames are left out."""
    value = next((row[name] for name in _OUTCOMES if row.get(name) is not None), None)
    if value is None or isinstance(value, str):
        return text_of(row, _OUTCOMES, where)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise RowError(where, "the field of primary outcomes must be text or a list of {measure, description}")
    lines = []
    for one in value:
        parts = ((name, text_of(one, (name,), where)) for name in ("measure", "description"))
        lines.append(" ".join(f"{name}: {text}" for name, text in parts if text))
    return "\n".join(line for line in lines if line)
