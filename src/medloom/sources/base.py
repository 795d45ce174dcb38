"""The shape that all sources share, and how they are found."""

import json
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from medloom.collect.pages import Locked, Page, Reject, Shard
from medloom.errors import SourceError
from medloom.records import Document

if TYPE_CHECKING:
    from medloom.collect.client import Client

_PER_PAGE = 1_000


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

    def add_all(self, path: Path) -> None:
        """Keep the bad rows of another file of rejects."""
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                self.add(row["where"], row["problem"], row["row"])


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


class _KeptRejects(Rejects):
    """Bad rows, kept in memory until a page takes them."""

    def __init__(self) -> None:
        super().__init__(None)
        self.rows: list[Reject] = []

    def add(self, where: str, problem: str, raw: str) -> None:
        self.rows.append(Reject(where, problem, raw))

    def taken(self) -> list[Reject]:
        """What has come since the last call."""
        rows, self.rows = self.rows, []
        return rows


class SourceConfig(BaseModel):
    """Settings common to all sources.

    A subclass sets ``type`` to a one-value Literal and implements :class:`Source`. With that it can be collected page by
    page too (:class:`medloom.collect.pages.Paged`): as one shard, in which a cursor is a number of documents.
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

    @property
    def locked_at_once(self) -> int | None:
        """See :class:`medloom.collect.pages.Paged`."""
        return None

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """See :class:`medloom.collect.pages.Paged`.

        Raises:
            SourceError: ``since`` is given: what is read here has no dates of change.
        """
        if since is not None:
            raise SourceError(f"source {self.name} cannot be asked for what is new: collect it into another folder")
        return [Shard("all")]

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`."""
        yield from paged(self.documents, cursor, self.count())

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`: everything is read, and what the lock does not name passed over."""
        ids = {locked.id for locked in wanted}
        first, _, within = (cursor or "0 ").partition(" ")
        for number, shard in list(enumerate(self.shards(client, None)))[int(first) :]:
            for page in self.pages(client, shard, within or None):
                following = f"{number + 1} " if page.cursor is None else f"{number} {page.cursor}"
                yield replace(page, documents=[d for d in page.documents if d.id in ids], cursor=following)
            within = ""
        yield Page([], None)

    def service_version(self, client: "Client") -> str:
        """See :class:`medloom.collect.pages.Paged`."""
        return self.release().version


def paged(
    documents: Callable[[Rejects], Iterator[Document]], cursor: str | None, total: int | None = None
) -> Iterator[Page]:
    """Pages of documents that can only be read from the beginning: what lies before the cursor is read and left out.

    Args:
        documents: Yields all documents, and puts what it cannot read into the rejects.
        cursor: How many documents came before.
        total: Documents in all, where known.
    """
    rejects = _KeptRejects()
    stream = documents(rejects)
    done = int(cursor or 0)
    for _ in islice(stream, done):
        rejects.taken()
    while rows := list(islice(stream, _PER_PAGE)):
        done += len(rows)
        yield Page(rows, str(done), rejects.taken(), total=total)
    yield Page([], None, rejects.taken(), total=total)


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
        if source.__module__.startswith(f"{package.__name__}.") and not source.model_fields["type"].is_required():
            found[str(source.model_fields["type"].default)] = source
    return dict(sorted(found.items()))
