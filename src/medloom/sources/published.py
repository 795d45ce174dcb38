"""What sources of published data sets share: your files or the hub's copy, splits kept apart, licence on every document.

The name of the file that a row stands in tells its split (``train.jsonl``, ``questions-dev.csv``, ...); a field ``split`` of
the row itself goes before that, and on the hub it is the hub's.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from medloom.errors import SourceError
from medloom.records import Document
from medloom.sources.base import Rejects, SourceConfig
from medloom.sources.formats import readers
from medloom.sources.hub import HubRows, split_name
from medloom.sources.table import OnError, Paths, digests, documents_of, files_of, rows_of

Split = Literal["train", "validation", "test"]
_LOG = logging.getLogger(__name__)
_DOCUMENTS, _WITHHELD = "documents", "withheld"
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Part:
    """A file, or a split of the hub's copy.

    Attributes:
        name: What it is called in errors.
        split: ``train``, ``validation`` or ``test``; empty where its name does not say.
        path: The file; None on the hub.
    """

    name: str
    split: str
    path: Path | None = None

    def __str__(self) -> str:
        return self.name


class PublishedSource(SourceConfig):
    """A published data set, a document for each row.

    A subclass sets ``type`` and the class variables, and makes a document of a row.
    """

    DATASET: ClassVar[str]
    """Id on the hub; empty where no copy is known."""
    CONFIG: ClassVar[str] = ""
    """Configuration on the hub."""
    LICENCE: ClassVar[str]
    """Terms, in a few words, for every document."""
    BENCHMARK: ClassVar[bool] = False
    """Whether models are commonly tested on it."""
    HUB_SPLITS: ClassVar[tuple[Split, ...]] = ()
    """What is read from the hub where the settings name no splits; all if empty."""

    path: Paths | None = Field(default=None, description="A file, a folder of files, or a list of them.")
    hub: bool = Field(default=False, description="Stream the copy on the Hugging Face hub instead of reading files.")
    dataset: str = Field(default="", description="Another copy on the hub than the known one, with the same fields.")
    revision: str = Field(
        default="", description="Branch, tag or commit on the hub; its present default if not set. The commit is recorded."
    )
    splits: tuple[Split, ...] = Field(
        default=(), description="Splits to read; if not set all that the files hold, and all that the hub's copy has."
    )
    on_error: OnError = Field(
        default="fail", description="A bad row stops the run, or is counted and kept in rejects.jsonl."
    )
    version: str = Field(default="", description="Release of the text, for report and card.")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.hub == (self.path is not None):
            known = f" (hub: true streams {self.DATASET})" if self.DATASET else ""
            raise ValueError(f"give either path, your own files, or hub: true{known}")
        if self.hub and not (self.dataset or self.DATASET):
            raise ValueError("no copy on the hub is known: name one as dataset")
        return self

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per row of the wanted splits."""
        found: Counter[str] = Counter()
        for document in documents_of(self._parts(), partial(self._marked, found), self.on_error, rejects):
            found[_DOCUMENTS] += 1
            yield document
        if withheld := found.pop(_WITHHELD, 0):
            rejects.counts[_WITHHELD] = rejects.counts.get(_WITHHELD, 0) + withheld
            _LOG.info("source %s: %d rows whose text is withheld are left out", self.name, withheld)
        if self.splits and not found.pop(_DOCUMENTS, 0):
            raise SourceError(
                f"source {self.name}: nothing is of the split {' or '.join(self.splits)}; its splits: "
                f"{', '.join(sorted(found)) or 'not told by the names of its files'}"
            )

    def inputs(self) -> dict[str, str]:
        """Hash of every file, or the commit on the hub."""
        return self._hub.inputs() if self.hub else digests(self._files())

    def count(self) -> int | None:
        """Rows in all; not known where only some splits are read, or on the hub."""
        if self.hub or self.splits:
            return None
        return sum(1 for path in self._files() for _ in rows_of(path))

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document | None:
        """A row as a document; None if its text is withheld.

        Args:
            row: Its fields.
            where: File and line, for errors.
            part: Its file or split.
            number: Its number over all parts, from 1.
        """
        raise NotImplementedError

    def _splits_of(self, row: dict[str, Any], part: Part) -> tuple[str, ...]:
        """The splits that a row belongs to, mostly one."""
        own = row.get("split")
        name = (split_name(own) if isinstance(own, str) else "") or part.split
        return (name,) if name else ()

    def _is_wanted(self, splits: tuple[str, ...]) -> bool:
        """Whether a row of these splits is one of those that the settings name."""
        return bool(splits) and set(splits) <= set(self.splits)

    def _parts(self) -> Iterator[tuple[Part, Iterator[readers.Row]]]:
        if self.hub:
            for found, rows in self._hub.parts(self.splits or self.HUB_SPLITS):
                yield Part(str(found), split_name(found.split)), rows
        else:
            for path in self._files():
                yield Part(str(path), _split_in(path.name), path), rows_of(path)

    def _files(self) -> list[Path]:
        return files_of(self.name, self.path or (), self._folder)

    @cached_property
    def _hub(self) -> HubRows:
        return self._hub_rows(self.CONFIG)

    def _hub_rows(self, config: str) -> HubRows:
        return HubRows(self.name, self.dataset or self.DATASET, config, self.revision, self._folder)

    def _stated(self) -> str:
        """The version for the release."""
        if self.hub:
            return f"{self._hub.dataset} at {self._hub.commit or 'a folder'}"
        return self.version or "not stated"

    def _marked(self, found: Counter[str], row: dict[str, Any], where: str, part: Part, number: int) -> Document | None:
        """The row's document with split, licence and revision; None if it is not of the wanted splits."""
        splits = self._splits_of(row, part)
        new = set(splits) - found.keys()
        found.update(splits)
        if self.splits and not self._is_wanted(splits):
            return None
        if self.BENCHMARK and not self.splits and new - {"train"}:
            _LOG.warning("source %s: %s holds rows of a benchmark: do not train on them, or set splits", self.name, part)
        document = self._document(row, where, part, number)
        if document is None:
            found[_WITHHELD] += 1
            return None
        facts = (("licence", self.LICENCE), *(("split", split) for split in splits), *document.metadata)
        return replace(document, metadata=facts, revision=self._hub.commit if self.hub else "")


def _split_in(name: str) -> str:
    """The split that a file's name tells; empty if it tells none, or several."""
    found = {split_name(word) for word in _WORD.findall(name)} - {""}
    return found.pop() if len(found) == 1 else ""
