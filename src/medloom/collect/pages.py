"""How a source hands over its documents: in shards that can be worked on apart, page by page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from medloom.records import Document

if TYPE_CHECKING:
    from medloom.collect.client import Client


@dataclass(frozen=True)
class Shard:
    """A part of a source that can be collected by itself: a search term, a range of dates, a file.

    Attributes:
        key: Unique in the source and the same in every run with the same settings.
        value: What the source needs to find it again: a term, a path below the recipe's folder, a range.
    """

    key: str
    value: str = ""


@dataclass(frozen=True)
class Reject:
    """A record that could not be read.

    Attributes:
        where: File and place, or address and number.
        problem: What is wrong, without the text itself.
        raw: The record, or its beginning.
    """

    where: str
    problem: str
    raw: str = ""


@dataclass(frozen=True)
class Page:
    """What one request, or one stretch of a file, gives.

    Attributes:
        documents: In the order of the source. A document that comes twice, in whatever shard, is one: the last one
            counts, under the categories of all.
        cursor: Where to go on after this page; None after the last one.
        rejects: Records that could not be read.
        gone: Ids that the source has withdrawn: a document of that id which came before is dropped.
        counts: Records passed over on purpose, by reason.
        total: Records of the shard in all, where the source says so.
    """

    documents: Sequence[Document]
    cursor: str | None
    rejects: Sequence[Reject] = ()
    gone: Sequence[str] = ()
    counts: dict[str, int] = field(default_factory=dict)
    total: int | None = None


@dataclass(frozen=True)
class Locked:
    """A document that a lock names.

    Attributes:
        id: In its source.
        revision: Version at the source; empty where it has none.
        digest: SHA-256 of its content, see :func:`medloom.collect.lock.content_digest`.
        categories: What it was found under, which its id does not tell.
    """

    id: str
    revision: str
    digest: str
    categories: tuple[str, ...] = ()


class Paged(Protocol):
    """A source that can be collected page by page."""

    @property
    def name(self) -> str:
        """What the source is called in tasks and reports."""

    @property
    def contains_phi(self) -> bool | None:
        """Whether its text is about patients who can be told from it; None where nobody has said."""

    @property
    def locked_at_once(self) -> int | None:
        """How many documents of a lock make one shard; None for all of them."""

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """The parts of the source, in a fixed order.

        Args:
            client: Asks a service what there is, where that is not known.
            since: Only what is new or changed since that day; all if None.
        """

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """Yield the pages of a shard from a cursor on; from its beginning if None."""

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """Yield the documents that a lock names, at the revision it names where the source still has it."""

    def service_version(self, client: "Client") -> str:
        """What the service says of its own version or date; empty where it says nothing."""
