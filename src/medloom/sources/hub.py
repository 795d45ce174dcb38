"""Any data set of the Hugging Face hub, with your names for its fields.

For: whatever the data set is for. Pairs: title - text (or question - answer), heading - section, paragraph - next paragraph.
Licence and citation are those of the data set: read its card, and state them in the recipe; the report repeats them.

Rows are streamed and none is kept. The commit that a revision stands for is looked up first and recorded, so that the same
recipe means the same rows. Code that a data set brings along is never run. A folder of Parquet, JSONL or CSV files can stand
in the data set's place; its splits are told by the names of its files, as ``datasets`` does.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medloom.errors import RowError, SourceError
from medloom.identity import digest, file_digest
from medloom.records import Document, Section
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.files import FieldMap
from medloom.sources.formats import readers
from medloom.sources.table import OnError, documents_of, key_of, text_of

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SPLITS = {"train": "train", "training": "train", "dev": "validation", "val": "validation", "valid": "validation"}
_SPLITS |= {"validation": "validation", "test": "test", "testing": "test"}


def split_name(name: str) -> str:
    """``train``, ``validation`` or ``test`` for any of the usual names of a split; empty for another name."""
    return _SPLITS.get(name.strip().lower(), "")


@dataclass(frozen=True)
class HubPart:
    """One split of a data set."""

    dataset: str
    split: str

    def __str__(self) -> str:
        return f"{self.dataset}, split {self.split}"


@dataclass(frozen=True)
class HubRows:
    """The rows of a data set of the hub.

    Attributes:
        source: Name of the source, for errors.
        dataset: Its id on the hub, or a folder.
        config: Its configuration; the only or default one if empty.
        revision: Branch, tag or commit; the default branch if empty.
        folder: What a relative folder is relative to.
    """

    source: str
    dataset: str
    config: str = ""
    revision: str = ""
    folder: Path = Path()

    @cached_property
    def commit(self) -> str:
        """The commit that the revision stands for now; empty for a folder.

        Raises:
            SourceError: The hub may not be asked, cannot be reached, or has no such data set.
        """
        if self.local is not None or _COMMIT.fullmatch(self.revision):
            return self.revision
        from huggingface_hub import HfApi

        self._require_network()
        try:
            commit = HfApi().dataset_info(self.dataset, revision=self.revision or None).sha
        except Exception as error:
            raise self._failed(error) from error
        if not commit:
            raise SourceError(f"source {self.source}: the hub names no commit of {self.dataset}: give one as revision")
        return commit

    @property
    def local(self) -> Path | None:
        """The folder that is read in the hub's place, if there is one."""
        path = self.folder / Path(self.dataset).expanduser()
        return path if path.is_dir() else None

    def inputs(self) -> dict[str, str]:
        """The commit, or a hash of the folder's files."""
        if self.local is None:
            return {self.dataset: self.commit}
        files = sorted(p for p in self.local.rglob("*") if p.is_file())
        return {self.local.name: digest([(p.relative_to(self.local).as_posix(), file_digest(p)) for p in files])}

    def parts(self, splits: Sequence[str] = ()) -> Iterator[tuple[HubPart, Iterator[readers.Row]]]:
        """Each split with its rows.

        Args:
            splits: Names as the data set has them, or as :func:`split_name` gives them; all if empty.

        Raises:
            SourceError: There is no such split or configuration, or the data set cannot be read.
        """
        found = self._open()
        unknown = [split for split in splits if split not in found and split not in map(split_name, found)]
        if unknown:
            raise SourceError(
                f"source {self.source}: {self.dataset} has no split {unknown[0]!r}; its splits are: {', '.join(found)}"
            )
        for split, rows in found.items():
            if not splits or split in splits or split_name(split) in splits:
                part = HubPart(self.dataset, split)
                yield part, self._rows(part, rows)

    def _open(self) -> dict[str, Any]:
        import datasets

        if self.local is None:
            self._require_network()
        path, revision = (str(self.local), None) if self.local is not None else (self.dataset, self.commit)
        try:
            return dict(datasets.load_dataset(path, self.config or None, revision=revision, streaming=True))
        except Exception as error:
            raise self._failed(error) from error

    def _rows(self, part: HubPart, rows: Any) -> Iterator[readers.Row]:  # noqa: ANN401
        stream = enumerate(rows, start=1)
        while True:
            try:
                number, row = next(stream)
            except StopIteration:
                return
            except Exception as error:
                raise self._failed(error) from error
            yield f"{part}, row {number}", row, ""

    def _require_network(self) -> None:
        from huggingface_hub import is_offline_mode

        if is_offline_mode():
            raise SourceError(
                f"source {self.source}: {self.dataset} is on the hub, and HF_HUB_OFFLINE forbids to ask it: unset it, or "
                "give a folder with the data set's files"
            )

    def _failed(self, error: Exception) -> SourceError:
        """Without the library's own message, which may quote a row."""
        which = f" (configuration {self.config})" if self.config else ""
        return SourceError(
            f"source {self.source}: {self.dataset}{which} cannot be read ({type(error).__name__}): check its name, "
            "configuration and revision, whether its card asks you to accept terms and log in, and the network; data sets "
            "that need code of their own are not read"
        )


class HubFields(FieldMap):
    """Which field of the rows plays which part."""

    categories: str | None = Field(default=None, description="A label, or a list of labels, for clustering.")
    metadata: dict[str, str] = Field(
        default={}, description="Facts to keep with a document, as name: field (date, language, licence, url, ...)."
    )

    def named(self) -> dict[str, str]:
        """Every field that is named, by the setting that names it."""
        parts = self.model_dump(exclude_none=True, exclude={"metadata"})
        return parts | {f"metadata.{name}": field for name, field in self.metadata.items()}


class HubSource(SourceConfig):
    """Any data set of the hub with a field mapping."""

    type: Literal["hub"] = "hub"
    dataset: str = Field(description="Id on the hub (owner/name), or a folder of Parquet, JSONL or CSV files.")
    config: str = Field(default="", description="Configuration of the data set; its only or default one if not set.")
    splits: tuple[str, ...] = Field(default=(), description="Splits to read, by name; all of them if not set.")
    revision: str = Field(
        default="", description="Branch, tag or commit; its present default if not set. The commit is recorded."
    )
    fields: HubFields = Field(description="Names of the data set's fields; at least one of title, text and sections.")
    contains_phi: bool | None = Field(
        default=None,
        description="Whether the text is about patients who can be told from it: true keeps it from everything that leaves "
        "this machine until it is de-identified, false says that it is not, unset that nobody has said.",
    )
    on_error: OnError = Field(
        default="fail", description="A bad row stops the run, or is counted and kept in rejects.jsonl."
    )
    licence: str = Field(default="not stated", description="Terms of the text, for report and card.")
    citation: str = Field(default="", description="How to cite the text, for report and card.")

    def default_name(self) -> str:
        """The data set's name without its owner."""
        return "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(self.dataset).name).strip("-") or "hub"

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per row."""
        parts = ((part, self._checked(part, rows)) for part, rows in self._hub.parts(self.splits))
        yield from documents_of(parts, self._document, self.on_error, rejects)

    def release(self) -> Release:
        """The commit, and what the recipe states."""
        return Release(
            name=self.dataset,
            version=self._hub.commit or "not stated",
            licence=self.licence,
            citation=self.citation or "not stated",
            url=None if self._hub.local is not None else f"https://huggingface.co/datasets/{self.dataset}",
        )

    def inputs(self) -> dict[str, str]:
        """The commit, or a hash of the folder's files."""
        return self._hub.inputs()

    @cached_property
    def _hub(self) -> HubRows:
        return HubRows(self.name, self.dataset, self.config, self.revision, self._folder)

    def _checked(self, part: HubPart, rows: Iterator[readers.Row]) -> Iterator[readers.Row]:
        """The rows, once the first one has shown that the named fields are there."""
        head = next(rows, None)
        if head is None:
            return
        if isinstance(head[1], dict):
            known = list(head[1])
            absent = {setting: field for setting, field in self.fields.named().items() if field not in known}
            for setting, field in absent.items():
                raise SourceError(f"{part} has no field {field!r} (set as fields.{setting}); its fields: {', '.join(known)}")
            if not (self.fields.title or self.fields.text or self.fields.sections):
                raise SourceError(f"{part}: set fields.text, title or sections to one of its fields: {', '.join(known)}")
        yield from chain([head], rows)

    def _document(self, row: dict[str, Any], where: str, part: HubPart, number: int) -> Document:
        fields = self.fields
        kept = {
            "licence": self.licence if self.licence != "not stated" else "",
            "split": split_name(part.split) or part.split,
        }
        kept |= {name: key_of(row, (field,), where) for name, field in fields.metadata.items()}
        return Document(
            id=(key_of(row, (fields.id,), where) if fields.id else "") or f"{part.split}-{number}",
            source=self.name,
            title=text_of(row, (fields.title,), where) if fields.title else "",
            text=text_of(row, (fields.text,), where) if fields.text else "",
            group=key_of(row, (fields.group,), where) if fields.group else "",
            sections=_sections(row, fields.sections, where),
            categories=_labels(row, fields.categories, where),
            contains_phi=self.contains_phi,
            revision=self._hub.commit,
            metadata=tuple((name, value) for name, value in kept.items() if value),
        )


def _sections(row: dict[str, Any], name: str | None, where: str) -> tuple[Section, ...]:
    value = row.get(name) if name else None
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise RowError(where, f"field {name!r} must be a list of {{heading, text}}")
    parts = ((text_of(part, ("heading",), where), text_of(part, ("text",), where)) for part in value)
    return tuple(Section(heading, text) for heading, text in parts if text)


def _labels(row: dict[str, Any], name: str | None, where: str) -> tuple[str, ...]:
    if name is None:
        return ()
    value = row.get(name)
    if not isinstance(value, list):
        label = key_of(row, (name,), where)
        return (label,) if label else ()
    if not all(isinstance(one, str) for one in value):
        raise RowError(where, f"field {name!r} must be text or a list of texts")
    return tuple(one.strip() for one in value if one.strip())
