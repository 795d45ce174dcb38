"""ClinicalTrials.gov: records of clinical studies, with title, summary, description and primary outcomes.

For: title - description, title - summary, title - primary outcomes. Reads files of records as version 2 of the registry's
interface gives them (``protocolSection`` with its modules, or the same fields on one level), or with the fields ``title``,
``brief_summary``, ``detailed_description``, ``primary_outcomes`` and ``nct_id``. Terms: see :meth:`release`.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.base import Release
from medloom.sources.table import Paths, TableSource, text_of

_MODULES = ("identificationModule", "descriptionModule", "outcomesModule")
_TITLES = ("officialTitle", "official_title", "title", "briefTitle", "brief_title")
_SECTIONS = {
    "brief summary": ("briefSummary", "brief_summary"),
    "detailed description": ("detailedDescription", "detailed_description"),
}
_OUTCOMES = ("primaryOutcomes", "primary_outcomes")


class ClinicalTrialsSource(TableSource):
    """Study records as documents with headed sections."""

    type: Literal["clinicaltrials"] = "clinicaltrials"
    path: Paths = Field(description="A file of study records (JSONL, CSV, Parquet), a folder of them, or a list.")
    version: str = Field(default="", description="Date on which the records were fetched, for report and card.")

    def release(self) -> Release:
        """Terms and citation; the date is the user's to state."""
        return Release(
            name="ClinicalTrials.gov",
            version=self.version or "not stated",
            licence="terms of ClinicalTrials.gov: name the source and the date; text may be under rights of the sponsors",
            citation="ClinicalTrials.gov. Bethesda (MD): National Library of Medicine (US).",
            url="https://clinicaltrials.gov",
        )

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
