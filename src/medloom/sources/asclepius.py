"""Asclepius: discharge summaries that a language model wrote from published case reports, each with an instruction.

For: question - answer, question - note, notes of a hospital's shape that are about nobody. Reads ``synthetic.csv`` of the
data set, or the hub's own (starmpcc/Asclepius-Synthetic-Clinical-Notes), by the fields of its card: ``patient_id``,
``note``, ``question``, ``answer``, ``task``. Licence: CC BY-NC-SA 4.0. Notes and answers are by GPT-3.5: OpenAI's terms
may bind you too. They were made from the reports of ``pmc-patients``: keep both on one side of a test.
"""

from typing import Any, ClassVar, Literal

from medloom.records import Document, Section
from medloom.sources.base import Release
from medloom.sources.published import Part, PublishedSource
from medloom.sources.table import key_of, text_of


class AsclepiusSource(PublishedSource):
    """Instructions with their answers, the note as a section, grouped by note, labelled with the task."""

    type: Literal["asclepius"] = "asclepius"
    DATASET: ClassVar[str] = "starmpcc/Asclepius-Synthetic-Clinical-Notes"
    LICENCE: ClassVar[str] = "CC BY-NC-SA 4.0"

    def release(self) -> Release:
        """Licence and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="Asclepius synthetic clinical notes",
            version=self._stated(),
            licence="CC BY-NC-SA 4.0; written by GPT-3.5",
            citation=(
                "Kweon S, Kim J, Kim J, et al. Publicly shareable clinical large language model built on synthetic clinical "
                "notes. Findings of the Association for Computational Linguistics: ACL 2024:5148-5168."
            ),
            url="https://huggingface.co/datasets/starmpcc/Asclepius-Synthetic-Clinical-Notes",
        )

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document:
        patient, task = key_of(row, ("patient_id",), where), text_of(row, ("task",), where)
        return Document(
            id=patient,
            source=self.name,
            title=text_of(row, ("question",), where, required=True),
            text=text_of(row, ("answer",), where, required=True),
            group=patient,
            sections=(Section("note", text_of(row, ("note",), where, required=True)),),
            categories=(task,) if task else (),
            metadata=(("language", "en"), ("kind", "synthetic note")),
        )
