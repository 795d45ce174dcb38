"""Your own text: JSONL, CSV, TSV, Parquet, or a folder of .txt and .md files.

Pairs: title - text (or question - answer), heading - section, paragraph - next paragraph. Licence and citation are yours
to state in the recipe; the report repeats them.
"""

import difflib
import glob
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from medloom.errors import RowError, SourceError
from medloom.folders import check_is_file_system
from medloom.identity import file_digest
from medloom.records import Document, Section, stricter
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.formats import readers
from medloom.text import clean, split_markdown

_PEEK = 100
_LONGEST_NAME = 60
_COUNTABLE_BYTES = 100_000_000
_METADATA = "metadata"
_PAIR = 2
_SURROGATE = re.compile("[\ud800-\udfff]")
_GUESSES = {
    "title": ("title", "question", "query", "heading", "name"),
    "text": ("text", "answer", "body", "abstract", "document", "content", "passage"),
    "sections": ("sections",),
    "categories": ("categories",),
}


class FieldMap(BaseModel):
    """Which field of your rows plays which part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = Field(default=None, description="Unique id of the row; its file and number if not set.")
    title: str | None = Field(default=None, description="Title or question: the query of title - text pairs.")
    text: str | None = Field(default=None, description="Body or answer.")
    group: str | None = Field(
        default=None, description="What a split must keep together (patient, focus, trial); the row itself if not set."
    )
    sections: str | None = Field(default=None, description="A list of {heading, text}.")
    categories: str | None = Field(default=None, description="A label or a list of them, for clustering and maps.")
    metadata: dict[str, str] = Field(
        default={},
        description="Facts to filter by, each by its name and the field that holds it (date: published); a list gives a "
        "fact for each item. A field called metadata that holds a mapping, or a list of pairs, is taken without it.",
    )


class FilesSource(SourceConfig):
    """Local files with a field mapping."""

    type: Literal["files"] = "files"
    path: str | tuple[str, ...] = Field(description="A file, a folder, or a glob pattern; or a list of them.")
    fields: FieldMap = Field(default=FieldMap(), description="Names of your fields; common names are found without it.")
    contains_phi: bool | None = Field(
        default=None,
        description="Whether the text is about patients who can be told from it: true keeps it from everything that leaves "
        "this machine until it is de-identified, false says that it is not, unset that nobody has said.",
    )
    on_error: Literal["fail", "skip"] = Field(
        default="fail", description="A bad row stops the run, or is counted and kept in rejects.jsonl."
    )
    max_chars: int = Field(default=1_000_000, ge=100, description="Longest text of one row, in characters.")
    licence: str = Field(default="not stated", description="Terms of the text, for report and card.")
    citation: str = Field(default="", description="How to cite the text, for report and card.")
    version: str = Field(default="", description="Release of the text, for report and card.")

    def default_name(self) -> str:
        """The first path's stem, or its folder's where the stem is a pattern."""
        first = Path(self.path if isinstance(self.path, str) else self.path[0] if self.path else "files")
        stems = (part.split(".")[0] for part in reversed(first.parts))
        usable = next((stem for stem in stems if stem and not glob.has_magic(stem)), "files")
        return "".join(c if c.isalnum() or c in "-_" else "-" for c in usable).strip("-") or "files"

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per row or text file."""
        seen: set[bytes] = set()
        for path, label in self._labels().items():
            yield from self._file_documents(path, label, rejects, seen)

    def release(self) -> Release:
        """What the recipe states."""
        return Release(self.name, self.version or "not stated", self.licence, self.citation or "not stated")

    def inputs(self) -> dict[str, str]:
        """Hash of every file."""
        return {label: file_digest(path) for path, label in self._labels().items()}

    def count(self) -> int | None:
        """Rows in all, where reading them is a matter of seconds."""
        paths = self._paths()
        if sum(path.stat().st_size for path in paths) > _COUNTABLE_BYTES:
            return None
        return sum(1 for path in paths for _ in readers.read(path, self.max_chars))

    def _labels(self) -> dict[Path, str]:
        """Each file's name below the recipe's folder, or below what all files share: never an absolute path."""
        paths = self._paths()
        shared = os.path.commonpath([path.parent for path in paths])
        return {path: path.relative_to(self._folder if self._is_inside(path) else shared).as_posix() for path in paths}

    def _is_inside(self, path: Path) -> bool:
        return path.is_relative_to(self._folder) and not (self._folder == Path() and path.is_absolute())

    def _paths(self) -> list[Path]:
        patterns = [self.path] if isinstance(self.path, str) else list(self.path)
        if not patterns:
            raise SourceError(f"source {self.name}: path is empty: give a file, a folder or a glob pattern")
        found = sorted({path for pattern in patterns for path in self._expand(pattern)})
        unknown = [path for path in found if not readers.supported(path)]
        if unknown:
            readers.read(unknown[0], self.max_chars)
        return found

    def _expand(self, pattern: str) -> list[Path]:
        check_is_file_system(pattern)
        path = self._folder / Path(pattern).expanduser()
        if path.is_file():
            return [path]
        if path.is_dir():
            texts = [p for p in path.rglob("*") if p.is_file() and readers.is_text(p)]
            if not texts:
                raise SourceError(f"source {self.name}: the folder {path} holds no .txt or .md file: name a file or glob")
            return texts
        if glob.has_magic(pattern):
            found = glob.glob(str(Path(pattern).expanduser()), root_dir=self._folder, recursive=True)  # noqa: PTH207
            matches = [self._folder / p for p in found if (self._folder / p).is_file()]
            if matches:
                return matches
            raise SourceError(f"source {self.name}: no file matches {path}: check the pattern and the folder")
        near = difflib.get_close_matches(path.name, _names_in(path.parent), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise SourceError(f"source {self.name}: no such file: {path}{hint}")

    def _file_documents(self, path: Path, label: str, rejects: Rejects, seen: set[bytes]) -> Iterator[Document]:
        rows = readers.read(path, self.max_chars)
        head = list(islice(rows, _PEEK))
        mapping = FieldMap(text="text") if readers.is_text(path) else self._mapping(path, head)
        empty = True
        for number, (where, row, raw) in enumerate(chain(head, rows), start=1):
            try:
                if isinstance(row, RowError):
                    raise row
                document = self._document(row, mapping, path, label, number, where)
                _check_unseen(document.id, where, seen)
            except RowError as error:
                if self.on_error == "fail":
                    raise RowError(where, f"{error.problem} (or set on_error: skip to leave such rows out)") from None
                rejects.add(where, error.problem, raw)
                continue
            empty = False
            yield document
        if empty and self.on_error == "fail":
            raise SourceError(f"{path} holds no rows: take it out of the recipe, or check how it was written")

    def _mapping(self, path: Path, head: list[readers.Row]) -> FieldMap:
        """The field names to use, each known to be in the data."""
        names = list(dict.fromkeys(name for _, row, _ in head if isinstance(row, dict) for name in row))
        if not names:
            return self.fields
        wanted = self.fields.model_dump(exclude_none=True, exclude={"metadata"})
        facts = self.fields.metadata
        for part, name in (*wanted.items(), *((f"metadata.{fact}", name) for fact, name in facts.items())):
            if name not in names:
                raise SourceError(f"{path} has no field {name!r} (set as fields.{part}); its fields are: {_shown(names)}")
        taken = {*wanted.values(), *facts.values()}
        for part, guesses in _GUESSES.items():
            guess = next((g for g in guesses if g in names and g not in taken), None)
            if part not in wanted and guess:
                wanted[part] = guess
                taken.add(guess)
        if "text" not in wanted and "sections" not in wanted:
            raise SourceError(f"{path}: cannot tell which field holds the text; set fields.text to one of: {_shown(names)}")
        return FieldMap(**wanted, metadata=facts)

    def _document(self, row: dict[str, Any], mapping: FieldMap, path: Path, label: str, number: int, where: str) -> Document:
        text = self._string(row, mapping.text, where)
        title = self._string(row, mapping.title, where)
        sections = self._sections(row, mapping.sections, where)
        if readers.is_markdown(path):
            title, sections = split_markdown(text)
        identity = label if readers.is_text(path) else _key(row, mapping.id, where) or f"{label}#{number}"
        return Document(
            id=identity,
            source=self.name,
            title=title,
            text=text if not readers.is_markdown(path) else "\n\n".join(s.text for s in sections),
            group=_key(row, mapping.group, where),
            sections=tuple(sections),
            categories=tuple(_values(row.get(mapping.categories), mapping.categories, where) if mapping.categories else ()),
            metadata=_facts(row, mapping.metadata, where),
            contains_phi=stricter(_marked(row, where), self.contains_phi),
            deidentified=_deidentified(row, where),
        )

    def _string(self, row: dict[str, Any], name: str | None, where: str) -> str:
        value = row.get(name) if name else None
        if name is None or value is None:
            return ""
        if not isinstance(value, str):
            raise RowError(where, f"field {name!r} holds {type(value).__name__}, expected text")
        _check_text(value, name, where)
        if len(value) > self.max_chars:
            raise RowError(
                where,
                f"field {name!r} has {len(value):,} characters, more than max_chars ({self.max_chars:,}): "
                "cut it into documents, or raise max_chars",
            )
        return clean(value)

    def _sections(self, row: dict[str, Any], name: str | None, where: str) -> list[Section]:
        value = row.get(name) if name else None
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
            raise RowError(where, f"field {name!r} must be a list of {{heading, text}}")
        parts = [(self._string(p, "heading", where), self._string(p, "text", where)) for p in value]
        return [Section(heading, text) for heading, text in parts if text]


def _marked(row: dict[str, Any], where: str) -> bool | None:
    """What the row itself says of patient text."""
    value = row.get("contains_phi")
    if isinstance(value, str):
        value = {"true": True, "false": False, "": None}.get(value.strip().lower(), value)
    if value is not None and not isinstance(value, bool):
        raise RowError(where, f"field 'contains_phi' holds {type(value).__name__}, expected true or false")
    return value


def _deidentified(row: dict[str, Any], where: str) -> str:
    """The mark that ``medloom deid`` left on the row, or that its owner put there."""
    value = row.get("deidentified")
    if value is not None and not isinstance(value, str):
        raise RowError(where, f"field 'deidentified' holds {type(value).__name__}, expected the mark as text, or empty")
    return value or ""


def _key(row: dict[str, Any], name: str | None, where: str) -> str:
    """An id or group as text; whole numbers count as text."""
    value = row.get(name) if name else None
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowError(where, f"field {name!r} holds {type(value).__name__}, expected text or a whole number")
    return str(value).strip()


def _facts(row: dict[str, Any], wanted: Mapping[str, str], where: str) -> tuple[tuple[str, str], ...]:
    """Names and values, a name once for each of its values; those of the row's own ``metadata`` after those asked for."""
    own: Any = () if _METADATA in wanted.values() else row.get(_METADATA)
    if isinstance(own, dict):
        own = list(own.items())
    elif not isinstance(own, list) or not all(isinstance(one, list | tuple) and len(one) == _PAIR for one in own):
        own = []
    held = [(fact, row.get(name), name) for fact, name in wanted.items()]
    held += [(str(fact), value, f"{_METADATA}.{fact}") for fact, value in own]
    return tuple(dict.fromkeys((fact, text) for fact, value, name in held for text in _values(value, name, where)))


def _values(held: Any, name: str, where: str) -> list[str]:  # noqa: ANN401
    """What a field holds, as texts: one, or one for each item of a list; none for null and empty text."""
    found = []
    for value in held if isinstance(held, list | tuple) else [held]:
        if isinstance(value, dict | list):
            raise RowError(where, f"field {name!r} holds a nested {type(value).__name__}, expected text, a number or a list")
        text = "" if value is None else clean(json.dumps(value) if isinstance(value, bool) else str(value))
        _check_text(text, name, where)
        found += [text] if text else []
    return found


def _check_text(value: str, name: str, where: str) -> None:
    if not value.isascii() and _SURROGATE.search(value):
        raise RowError(where, f"field {name!r} holds half a surrogate pair, which is no text: repair the file")


def _check_unseen(identity: str, where: str, seen: set[bytes]) -> None:
    """Ids must be unique within a source, or splits and qrels would be wrong."""
    key = hashlib.blake2b(identity.encode(), digest_size=12).digest()
    if key in seen:
        raise RowError(where, "its id stands on an earlier row too: set fields.id to a unique field, or leave it unset")
    seen.add(key)


def _shown(names: list[str]) -> str:
    """Field names for an error; a very long one is rather a row of a file without header, and is not repeated."""
    return ", ".join(str(n) if len(str(n)) <= _LONGEST_NAME else f"(one of {len(str(n))} characters)" for n in names)


def _names_in(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir()] if folder.is_dir() else []
