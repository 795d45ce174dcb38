"""MedMCQA: questions of Indian medical entrance exams, each with four options and mostly an explanation.

For: question - explanation, question - option. Reads files in the field names of its makers (``question``, ``opa`` to
``opd``, ``cop``, ``exp``), or the copy on the hub (openlifescienceai/medmcqa: train, validation, test). Licence:
MIT (the makers' repository; the hub's copy says Apache 2.0). A benchmark: from the hub the training split alone is read
unless ``splits`` says otherwise.

Two copies number the correct option ``cop`` differently: the makers' own from 1, the one on the hub from 0 (and -1 where
the answer is withheld). Which it is shows in the file as soon as a 0 or a 4 occurs.
"""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from medloom.errors import RowError, SourceError
from medloom.records import Document, Section
from medloom.sources.base import Release
from medloom.sources.published import Part, PublishedSource, Split
from medloom.sources.table import Paths, rows_of, text_of

_OPTIONS = ("opa", "opb", "opc", "opd")
_WITHHELD = -1


class MedMcqaSource(PublishedSource):
    """Exam questions with their options as sections and their explanation as text."""

    type: Literal["medmcqa"] = "medmcqa"
    DATASET: ClassVar[str] = "openlifescienceai/medmcqa"
    LICENCE: ClassVar[str] = "MIT"
    BENCHMARK: ClassVar[bool] = True
    HUB_SPLITS: ClassVar[tuple[Split, ...]] = ("train",)

    path: Paths | None = Field(
        default=None,
        description="A file of questions (JSONL, CSV, Parquet), a folder of them, or a list: one for each split.",
    )
    first_option: Literal["auto", "0", "1"] = Field(
        default="auto",
        description="Number that the field cop gives to the first option; auto finds it in each file, and is 0 on the hub.",
    )

    def release(self) -> Release:
        """Licence and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="MedMCQA, a benchmark",
            version=self._stated(),
            licence="MIT",
            citation=(
                "Pal A, Umapathi LK, Sankarasubbu M. MedMCQA: a large-scale multi-subject multi-choice dataset for medical "
                "domain question answering. Proceedings of Machine Learning Research 2022;174:248-260."
            ),
            url="https://medmcqa.github.io",
        )

    @cached_property
    def _firsts(self) -> dict[Path | None, int]:
        """What ``cop`` calls the first option, by file; None stands for the hub."""
        if self.first_option != "auto":
            return dict.fromkeys([None, *([] if self.hub else self._files())], int(self.first_option))
        return {None: 0} if self.hub else {path: _first(path) for path in self._files()}

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document:
        first, correct = self._firsts[part.path], _correct(row, where)
        if correct is not None and not 0 <= correct - first < len(_OPTIONS):
            raise RowError(where, "field 'cop' names none of the four options: check first_option")
        sections = []
        for place, name in enumerate(_OPTIONS, start=first):
            if text := text_of(row, (name,), where):
                heading = "option" if correct is None else "correct option" if place == correct else "wrong option"
                sections.append(Section(heading, text))
        return Document(
            id=text_of(row, ("id",), where),
            source=self.name,
            title=text_of(row, ("question",), where, required=True),
            text=text_of(row, ("exp",), where),
            sections=tuple(sections),
        )


def _correct(row: dict[str, Any], where: str) -> int | None:
    """The number of the correct option as the file gives it, or None where it is withheld."""
    value = row.get("cop")
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise RowError(where, "field 'cop' holds no whole number") from None
    return None if number == _WITHHELD else number


def _first(path: Path) -> int:
    """0 or 1, whichever the answers of the file fit."""
    found: set[int] = set()
    for where, row, _ in rows_of(path):
        try:
            number = _correct(row, where) if isinstance(row, dict) else None
        except RowError:
            continue
        if number is not None:
            found.add(number)
    if 0 in found and len(_OPTIONS) in found:
        raise SourceError(f"{path}: the field cop holds both 0 and 4: two ways of counting were joined; split the file")
    if found and not found & {0, len(_OPTIONS)}:
        raise SourceError(
            f"{path}: cannot tell whether the field cop counts options from 0 or from 1: set first_option to '0' or '1'"
        )
    return 0 if 0 in found or not found else 1
