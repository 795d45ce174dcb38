"""MedQuAD: consumers' questions about diseases and drugs with answers from pages of the US National Institutes of Health.

For: question - answer. Reads the makers' own XML files (a clone of their repository, or one of its folders), a table in the
field names of the collection's copies (``question``, ``answer``, ``question_focus``, ``question_id``) or in short ones
(``focus``, ``id``), or the copy on the hub (lavita/MedQuAD). Licence: CC BY 4.0. The answers of some pages were withdrawn by
the makers for MedlinePlus' rights: questions without answer are left out.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from lxml import etree
from pydantic import Field

from medloom.errors import RowError, SourceError
from medloom.identity import digest, file_digest
from medloom.records import Document
from medloom.sources.base import Release
from medloom.sources.formats import readers
from medloom.sources.published import Part, PublishedSource
from medloom.sources.table import Paths, key_of, text_of
from medloom.text.xml import parse_bytes

_LARGEST_FILE = 20_000_000
_NAMES = {"doctitle-focus": "focus", "pair": "qapair"}


class MedQuadSource(PublishedSource):
    """Questions with answers, grouped by the disease or drug that they are about."""

    type: Literal["medquad"] = "medquad"
    DATASET: ClassVar[str] = "lavita/MedQuAD"
    LICENCE: ClassVar[str] = "CC BY 4.0"

    path: Paths | None = Field(
        default=None,
        description="The makers' folder of XML files, a file of questions with answers (JSONL, CSV, TSV, Parquet), a folder "
        "of them, or a list.",
    )

    def release(self) -> Release:
        """Licence and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="MedQuAD",
            version=self._stated(),
            licence="CC BY 4.0",
            citation=(
                "Ben Abacha A, Demner-Fushman D. A question-entailment approach to question answering. "
                "BMC Bioinformatics 2019;20:511."
            ),
            url="https://github.com/abachaa/MedQuAD",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of every table, one hash for the XML files of a folder, or the commit on the hub."""
        if not (folders := self._folders()):
            return super().inputs()
        return {
            f"{number}-{folder.name}": digest([(p.relative_to(folder).as_posix(), file_digest(p)) for p in files])
            for number, (folder, files) in enumerate(folders.items(), start=1)
        }

    def count(self) -> int | None:
        """Questions of tables; not known of XML files, nor on the hub."""
        return None if self.hub or self._folders() else super().count()

    def _folders(self) -> dict[Path, list[Path]]:
        """Folders of XML files; none where the paths are tables."""
        given = [self.path] if isinstance(self.path, Path) else list(self.path or ())
        folders = {path: sorted(path.rglob("*.xml")) for path in (self._folder / one.expanduser() for one in given)}
        return folders if folders and all(folders.values()) else {}

    def _parts(self) -> Iterator[tuple[Part, Iterator[readers.Row]]]:
        if not (folders := self._folders()):
            yield from super()._parts()
        for folder, files in folders.items():
            yield Part(str(folder), ""), _rows(files)

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document | None:
        title, text = text_of(row, ("question",), where, required=True), text_of(row, ("answer",), where)
        if not text:
            return None
        url = text_of(row, ("document_url",), where)
        return Document(
            id=key_of(row, ("id", "question_id"), where),
            source=self.name,
            title=title,
            text=text,
            group=text_of(row, ("focus", "question_focus"), where),
            metadata=(("url", url),) if url else (),
        )


def _rows(files: Sequence[Path]) -> Iterator[readers.Row]:
    """A row for each question of each file."""
    for path in files:
        where = str(path)
        try:
            root = parse_bytes(path.read_bytes(), where, _LARGEST_FILE)
        except SourceError as error:
            yield where, RowError(where, str(error).removeprefix(where).lstrip(", :")), ""
            continue
        focus = next((_text(e) for e in root.iter() if _name(e) == "focus"), "")
        for number, pair in enumerate((e for e in root.iter() if _name(e) == "qapair"), start=1):
            question, answer = (next((e for e in pair if _name(e) == name), None) for name in ("question", "answer"))
            row = {
                "question": _text(question),
                "answer": _text(answer),
                "question_id": question.get("qid") if question is not None else None,
                "question_focus": focus,
                "document_url": root.get("url"),
            }
            yield f"{path}, question {number}", row, ""


def _name(element: etree._Element) -> str:
    """The element's name, in one form for the three that the makers' files come in."""
    name = etree.QName(element).localname.lower()
    return _NAMES.get(name, name)


def _text(element: etree._Element | None) -> str:
    return "".join(str(part) for part in element.itertext()).strip() if element is not None else ""
