"""MedMCQA: questions of Indian medical entrance exams, each with four options and mostly an explanation.

For: question - explanation, question - option. Reads files in the field names of its makers (``question``, ``opa`` to
``opd``, ``cop``, ``exp``). Licence: MIT.

Two copies number the correct option ``cop`` differently: the makers' own from 1, the one on the hub from 0 (and -1 where
the answer is withheld). Which it is shows in the file as soon as a 0 or a 4 occurs.
"""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medloom.errors import RowError, SourceError
from medloom.records import Document, Section
from medloom.sources.base import Release
from medloom.sources.table import Paths, TableSource, rows_of, text_of

_OPTIONS = ("opa", "opb", "opc", "opd")
_WITHHELD = -1


class MedMcqaSource(TableSource):
    """Exam questions with their options as sections and their explanation as text."""

    type: Literal["medmcqa"] = "medmcqa"
    path: Paths = Field(
        description="A file of questions (JSONL, CSV, Parquet), a folder of them, or a list: one for each split."
    )
    first_option: Literal["auto", "0", "1"] = Field(
        default="auto", description="Number that the field cop gives to the first option; auto finds it in each file."
    )

    def release(self) -> Release:
        """Licence and citation; the version is the user's to state."""
        return Release(
            name="MedMCQA",
            version=self.version or "not stated",
            licence="MIT",
            citation=(
                "Pal A, Umapathi LK, Sankarasubbu M. MedMCQA: a large-scale multi-subject multi-choice dataset for medical "
                "domain question answering. Proceedings of Machine Learning Research 2022;174:248-260."
            ),
            url="https://medmcqa.github.io",
        )

    @cached_property
    def _firsts(self) -> dict[Path, int]:
        """What ``cop`` calls the first option, by file."""
        return {path: int(self.first_option) if self.first_option != "auto" else _first(path) for path in self._files()}

    def _document(self, row: dict[str, Any], where: str, path: Path, number: int) -> Document:
        correct = _correct(row, where)
        if correct is not None and not 0 <= correct - self._firsts[path] < len(_OPTIONS):
            raise RowError(where, "field 'cop' names none of the four options: check first_option")
        sections = []
        for place, name in enumerate(_OPTIONS, start=self._firsts[path]):
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
