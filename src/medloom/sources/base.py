"""The shape that all sources share, and how they are found."""

import json
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from medloom.records import Document


@dataclass(frozen=True)
class Release:
    """What a report must say of a corpus.

    Attributes:
        name: Full name.
        version: Release or date of the text itself, not of the package that carries it.
        licence: Its terms, in a few words.
        citation: How its makers ask to be cited.
        url: Its home, if any.
    """

    name: str
    version: str
    licence: str
    citation: str
    url: str | None = None


class Rejects:
    """Bad rows that a source was told to skip: counted, and kept in a file beside the artifact.

    Args:
        path: The JSONL file to append to, created on the first reject; None counts only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.counts: dict[str, int] = {}

    def add(self, where: str, problem: str, raw: str) -> None:
        """Keep one bad row: where it stood, what is wrong, and up to 10,000 characters of it."""
        self.counts["rejected"] = self.counts.get("rejected", 0) + 1
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8", errors="backslashreplace") as f:
            f.write(json.dumps({"where": where, "problem": problem, "row": raw[:10_000]}, ensure_ascii=True) + "\n")


@runtime_checkable
class Source(Protocol):
    """Something that yields documents."""

    name: str

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """Yield every document once, in a fixed order, holding none of them."""

    def release(self) -> Release:
        """What to record and cite."""

    def inputs(self) -> dict[str, str]:
        """Content hashes of what is read, by name: a change makes a new artifact."""

    def count(self) -> int | None:
        """Number of documents, where it can be known in a moment."""


class SourceConfig(BaseModel):
    """Settings common to all sources.

    A subclass sets ``type`` to a one-value Literal and implements :class:`Source`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    name: str = Field(
        default="", description="What the source is called in tasks and reports; its type (or the file's stem) if not set."
    )
    contains_phi: bool | None = Field(
        default=False,
        description="Whether the text is about patients who can be told from it; such text is kept from everything that "
        "leaves this machine until it is de-identified.",
    )
    _folder: Path = PrivateAttr(default_factory=Path)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401
        """Fill in the name."""
        super().model_post_init(context)
        if not self.name:
            object.__setattr__(self, "name", self.default_name())

    def default_name(self) -> str:
        """The name where the recipe gives none."""
        return self.type

    def relative_to(self, folder: Path) -> Self:
        """Read relative paths from ``folder`` (that of the recipe)."""
        self._folder = folder
        return self

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """See :class:`Source`."""
        raise NotImplementedError

    def release(self) -> Release:
        """See :class:`Source`."""
        raise NotImplementedError

    def inputs(self) -> dict[str, str]:
        """See :class:`Source`."""
        raise NotImplementedError

    def count(self) -> int | None:
        """See :class:`Source`."""
        return None


def stricter(row: bool | None, source: bool | None) -> bool | None:
    """Whether a document is patient text, from what it says itself and what is said of its source: a yes stays a yes."""
    return True if row or source else (source if row is None else row)


@cache
def known_sources() -> dict[str, type[SourceConfig]]:
    """Every source of this package by the ``type`` that recipes use."""
    import medloom.sources as package

    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    found: dict[str, type[SourceConfig]] = {}
    todo = SourceConfig.__subclasses__()
    while todo:
        source = todo.pop()
        todo += source.__subclasses__()
        if not source.model_fields["type"].is_required():
            found[str(source.model_fields["type"].default)] = source
    return dict(sorted(found.items()))
