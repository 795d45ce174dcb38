"""What sources that ask a web service share."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from medloom.artifacts import read_table
from medloom.collect.job import REJECTS, Result
from medloom.collect.journal import Progress
from medloom.collect.pages import Page, Shard
from medloom.collect.pool import Plan, collect
from medloom.errors import SourceError
from medloom.identity import digest, file_digest
from medloom.records import Document
from medloom.sources.base import Rejects, SourceConfig

if TYPE_CHECKING:
    from medloom.collect.client import Client


class FetchedSource(SourceConfig):
    """A source that is fetched, or read from files of the service's own format.

    A subclass sets ``type`` and implements ``shards`` and ``pages`` (:class:`medloom.collect.pages.Paged`), and if the
    service can be asked by id ``locked_pages``, with ``locked_at_once``. In a recipe it is fetched once: the same settings
    mean the documents that were fetched first, until the collect stage is forced or the settings change. A lock makes them
    the same elsewhere.
    """

    lock: Path | None = Field(
        default=None,
        description="A lock.jsonl.gz of another collection: exactly its documents are fetched, where they exist.",
    )

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """Fetch into a folder that goes afterwards, and yield the documents from there."""
        with tempfile.TemporaryDirectory(prefix="medloom-") as folder:
            result = self.fetch(Path(folder))
            rejects.add_all(Path(folder) / REJECTS)
            yield from read_table(result.table, Document)

    def fetch(self, folder: Path, tell: Callable[[Progress], None] = lambda _: None) -> Result:
        """Fetch into a folder, or go on with what a killed try left there.

        Args:
            folder: Where the collection lies.
            tell: Told how far it has come.
        """
        return collect(self.plan(folder), tell=tell)

    def plan(self, folder: Path) -> Plan:
        """The collection of this source in a folder."""
        lock = self._folder / self.lock if self.lock is not None else None
        return Plan(self, self.type, self.model_dump(mode="json", exclude={"lock"}), folder, self.inputs(), lock)

    def inputs(self) -> dict[str, str]:
        """What is asked for, and the lock's hash; what a service answers cannot be known before it is asked."""
        asked = {"request": digest(self.model_dump(mode="json", exclude={"lock"}))}
        if self.lock is None:
            return asked
        lock = self._folder / self.lock
        if not lock.is_file():
            raise SourceError(f"source {self.name}: no lock {lock}: check the path")
        return asked | {"lock": file_digest(lock)}

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """See :class:`medloom.collect.pages.Paged`."""
        raise NotImplementedError

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`."""
        raise NotImplementedError
