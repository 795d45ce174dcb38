"""MedQA: questions of the US medical licensing examination, each with four options of which one is correct.

For: question - option. Reads files in the field names of its makers (``question``, ``options``, ``answer_idx``), or the
copy on the hub (GBaker/MedQA-USMLE-4-options: train and test). Licence: MIT (the makers' repository; the hub's copy says CC
BY 4.0). A benchmark: from the hub the training split alone is read unless ``splits`` says otherwise.
"""

import json
from typing import Any, ClassVar, Literal

from pydantic import Field

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.base import Release
from medloom.sources.published import Part, PublishedSource, Split
from medloom.sources.table import Paths, key_of, text_of
from medloom.text import clean


class MedQaSource(PublishedSource):
    """Exam questions with their options as sections."""

    type: Literal["medqa"] = "medqa"
    DATASET: ClassVar[str] = "GBaker/MedQA-USMLE-4-options"
    LICENCE: ClassVar[str] = "MIT"
    BENCHMARK: ClassVar[bool] = True
    HUB_SPLITS: ClassVar[tuple[Split, ...]] = ("train",)

    path: Paths | None = Field(
        default=None, description="A file of questions (JSONL, Parquet), a folder of them, or a list: one for each split."
    )

    def release(self) -> Release:
        """Licence and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="MedQA (USMLE, four options), a benchmark",
            version=self._stated(),
            licence="MIT",
            citation=(
                "Jin D, Pan E, Oufattole N, Weng WH, Fang H, Szolovits P. What disease does this patient have? A "
                "large-scale open domain question answering dataset from medical exams. Applied Sciences 2021;11(14):6421."
            ),
            url="https://github.com/jind11/MedQA",
        )

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document:
        options = _options(row, where)
        answer = row.get("answer_idx")
        if answer is not None and answer not in options:
            raise RowError(where, "field 'answer_idx' names none of the options")
        heading = {key: "correct option" if key == answer else "wrong option" for key in options}
        return Document(
            id=key_of(row, ("id",), where),
            source=self.name,
            title=text_of(row, ("question",), where, required=True),
            sections=tuple(
                Section("option" if answer is None else heading[key], text) for key, text in options.items() if text
            ),
        )


def _options(row: dict[str, Any], where: str) -> dict[str, str]:
    """The options by letter; a table without nested fields holds them as JSON."""
    value = row.get("options")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise RowError(where, "field 'options' is not valid JSON") from None
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        raise RowError(where, "field 'options' must map letters to texts")
    return {str(key): clean(text) for key, text in value.items()}
