"""Records of local files, page by page: what PubMed and PMC give as files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medloom.collect.pages import Page, Reject
from medloom.errors import SourceError
from medloom.sources.services.ncbi_source import Batch

if TYPE_CHECKING:
    from lxml import etree


@dataclass(frozen=True)
class Unit:
    """A file, or a member of an archive.

    Attributes:
        where: What it is called in errors.
        records: Gives its records, one after the other.
    """

    where: str
    records: Callable[[], "Iterator[etree._Element]"]


Take = Callable[["etree._Element", str, Batch], None]
Withdrawn = Callable[["etree._Element"], list[str]]


def unit_pages(
    units: Iterator[Unit],
    cursor: str | None,
    take: Take,
    per_page: int,
    withdrawn: Withdrawn = lambda _: [],
    strict: bool = True,
) -> Iterator[Page]:
    """Pages of the records of several units.

    Args:
        units: The units, always in the same order.
        cursor: How many units are done, and how many records of the next one.
        take: Puts a record, which stands where the text says, into a batch.
        per_page: Records of a page.
        withdrawn: Ids that a record withdraws.
        strict: Whether a damaged unit is an error, or is kept as one that could not be read.

    Raises:
        SourceError: A unit is damaged, and ``strict`` is set.
    """
    first, within = map(int, (cursor or "0 0").split())
    for number, unit in enumerate(units):
        if number < first:
            continue
        skipped = within if number == first else 0
        try:
            yield from _pages(unit, number, skipped, take, per_page, withdrawn)
        except SourceError as error:
            if strict:
                raise
            yield Page([], f"{number + 1} 0", [Reject(unit.where, str(error))])
    yield Page([], None)


def _pages(unit: Unit, number: int, skipped: int, take: Take, per_page: int, withdrawn: Withdrawn) -> Iterator[Page]:
    batch, n, pending = Batch(), 0, 0
    for n, record in enumerate(unit.records(), start=1):
        if n <= skipped:
            continue
        gone = withdrawn(record)
        if gone:
            if pending:
                yield _page(batch, f"{number} {n - 1}")
            yield Page([], f"{number} {n}", gone=gone)
            batch, pending = Batch(), 0
            continue
        take(record, f"{unit.where}, record {n}", batch)
        pending += 1
        if pending == per_page:
            yield _page(batch, f"{number} {n}")
            batch, pending = Batch(), 0
    yield _page(batch, f"{number + 1} 0")


def _page(batch: Batch, cursor: str) -> Page:
    return Page(batch.documents, cursor, batch.rejects, counts=batch.counts)
