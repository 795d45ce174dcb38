"""MedQuAD: consumers' questions about diseases and drugs with answers from pages of the US National Institutes of Health.

For: question - answer. Reads a file in the field names of the collection's copies on the hub (``question``, ``answer``,
``question_focus``, ``question_id``) or in short ones (``focus``, ``id``). Licence: CC BY 4.0.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medloom.records import Document
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.table import OnError, Paths, digests, documents_of, files_of, rows_of, text_of


class MedQuadSource(SourceConfig):
    """Questions with answers, grouped by the disease or drug that they are about."""

    type: Literal["medquad"] = "medquad"
    path: Paths = Field(
        description="A file of questions with answers (JSONL, CSV, TSV, Parquet), a folder of them, or a list."
    )
    on_error: OnError = Field(
        default="fail", description="A bad row stops the run, or is counted and kept in rejects.jsonl."
    )
    version: str = Field(default="", description="Release of the text, for report and card.")

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per row: the question as title, the answer (may be empty) as text, the focus as group."""
        yield from documents_of(self._files(), self._document, self.on_error, rejects)

    def release(self) -> Release:
        """Licence and citation; the version is the user's to state."""
        return Release(
            name="MedQuAD",
            version=self.version or "not stated",
            licence="CC BY 4.0",
            citation=(
                "Ben Abacha A, Demner-Fushman D. A question-entailment approach to question answering. "
                "BMC Bioinformatics 2019;20:511."
            ),
            url="https://github.com/abachaa/MedQuAD",
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
        return Document(
            id=text_of(row, ("id", "question_id"), where),
            source=self.name,
            title=text_of(row, ("question",), where, required=True),
            text=text_of(row, ("answer",), where),
            group=text_of(row, ("focus", "question_focus"), where),
        )
