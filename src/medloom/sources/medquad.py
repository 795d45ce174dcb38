"""MedQuAD: consumers' questions about diseases and drugs with answers from pages of the US National Institutes of Health.

For: question - answer. Reads a file in the field names of the collection's copies on the hub (``question``, ``answer``,
``question_focus``, ``question_id``) or in short ones (``focus``, ``id``). Licence: CC BY 4.0.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medloom.records import Document
from medloom.sources.base import Release
from medloom.sources.table import Paths, TableSource, text_of


class MedQuadSource(TableSource):
    """Questions with answers, grouped by the disease or drug that they are about."""

    type: Literal["medquad"] = "medquad"
    path: Paths = Field(
        description="A file of questions with answers (JSONL, CSV, TSV, Parquet), a folder of them, or a list."
    )

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

    def _document(self, row: dict[str, Any], where: str, path: Path, number: int) -> Document:
        return Document(
            id=text_of(row, ("id", "question_id"), where),
            source=self.name,
            title=text_of(row, ("question",), where, required=True),
            text=text_of(row, ("answer",), where),
            group=text_of(row, ("focus", "question_focus"), where),
        )
