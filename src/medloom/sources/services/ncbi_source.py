"""What sources that NCBI's E-utilities serve share: search terms, slices of time, pages of records, locks.

A search gives no more than 9,999 records. A term that finds more, and of which more are wanted, is cut into ranges of the
date of entry, halved until each finds few enough, from the latest on.
"""

import json
import logging
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from medloom.collect.client import Response
from medloom.collect.pages import Locked, Page, Reject, Shard
from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources.base import SourceConfig
from medloom.sources.fetched import FetchedSource
from medloom.sources.services.ncbi import API, LISTED, Entrez, Expired, Found, Unreadable
from medloom.text.inline import inline_text
from medloom.text.xml import iter_elements

if TYPE_CHECKING:
    from lxml import etree

    from medloom.collect.client import Client

_ALWAYS = "3000"
_AT_ONCE = 200
_DAY = timedelta(days=1)
_LOG = logging.getLogger(__name__)
Sort = Literal["added", "relevance", "pub_date"]


@dataclass
class Batch:
    """Records that were read.

    Attributes:
        documents: Those that are kept.
        rejects: Those that could not be read.
        counts: Those passed over on purpose, by reason.
        seen: Ids of all of them.
    """

    documents: list[Document] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def pass_over(self, reason: str, n: int = 1) -> None:
        """Count records that are left out."""
        self.counts[reason] = self.counts.get(reason, 0) + n

    def add(self, other: "Batch") -> None:
        """Take in what another holds."""
        self.documents += other.documents
        self.rejects += other.rejects
        self.seen |= other.seen
        for reason, n in other.counts.items():
            self.pass_over(reason, n)


@dataclass(frozen=True)
class Search:
    """A shard: what one search gives.

    Attributes:
        term: As the settings name it.
        take: Most records to take; 0 is all.
        first: First day of entry; empty for no limit.
        last: Last day of entry.
        since: First day of change; empty for no limit.
    """

    term: str
    take: int = 0
    first: str = ""
    last: str = ""
    since: str = ""

    @property
    def most(self) -> int:
        """How many records can be had."""
        return min(self.take or LISTED, LISTED)


class EntrezSource(FetchedSource):
    """A source that searches a database of NCBI, or reads its files.

    A subclass makes documents of records, and sets ``_database`` (its name), ``_records`` (names of the elements that are
    records), ``_entered`` (field of the date of entry), ``_oldest`` (its first day) and ``_changed`` (whether it can be
    asked for what has changed, rather than only for what is new).
    """

    terms: tuple[str, ...] | dict[str, Annotated[int, Field(ge=1)]] = Field(
        default=(),
        description="Search terms in the service's own syntax, each on its own: a document carries those that it was found "
        "by as categories. A mapping says of each how many documents are wanted at most.",
    )
    most: int | None = Field(
        default=None, ge=1, description="Most documents of each term for which terms does not say; all if not set."
    )
    sort: Sort = Field(
        default="added",
        description="Which come first: the latest added, the most relevant (as the service sees it), or the latest "
        "published. Over 9,999 documents of a term come range by range, so that this holds within each.",
    )
    page_size: int = Field(default=200, ge=1, le=1_000, description="Records asked for at once.")
    api: str = Field(default=API, description="Address of the E-utilities.")
    interval: float | None = Field(
        default=None, ge=0, description="Seconds between two requests; what NCBI allows (0.34, with a key 0.1) if not set."
    )
    _database: ClassVar[str]
    _entered: ClassVar[str]
    _changed: ClassVar[bool]
    _records: ClassVar[tuple[str, ...]]
    _oldest: ClassVar[date]

    @field_validator("terms")
    @classmethod
    def _has_words(cls, terms: tuple[str, ...] | dict[str, int]) -> tuple[str, ...] | dict[str, int]:
        if any(not term.strip() for term in terms):
            raise ValueError("a term is empty: leave it out")
        return terms

    @property
    def locked_at_once(self) -> int | None:
        """Some hundred by their ids; all at once where terms are not what is collected: files are read as a whole."""
        return _AT_ONCE if self.terms else None

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """One for each term, or several where more is wanted than a search gives."""
        if not self.terms:
            raise SourceError(f"source {self.name}: nothing to fetch: set terms, or where its files are")
        entrez = self._entrez(client)
        found = [search for term in self.terms for search in self._searches(entrez, term, since)]
        return [Shard(_key(search), json.dumps(asdict(search))) for search in found]

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """Pages of one search. A cursor is the number of records behind it, and the id of the last one.

        The search is made anew from a cursor on. What has been added since comes before the last record, and is left to the
        next round.
        """
        entrez, search = self._entrez(client), Search(**json.loads(shard.value))
        found = entrez.search(self._query(search))
        done, start = _place(found.ids, cursor)
        end = min(len(found.ids), start + search.most - done)
        beyond = max(0, min(search.take or found.count, found.count) - len(found.ids)) if cursor is None else 0
        counts = {"beyond_the_limit_of_a_search": beyond} if beyond else {}
        total = min(found.count, search.most)
        if start >= end:
            yield Page([], None, counts=counts, total=total)
        while start < end:
            following = min(end, start + self.page_size)
            batch = self._batch(entrez, found, start, following, search.term)
            done += following - start
            cursor = f"{done} {found.ids[following - 1]}" if following < end else None
            yield Page(batch.documents, cursor, batch.rejects, counts=counts | batch.counts, total=total)
            start, counts = following, {}

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """The documents by id, as they are now: the service has no others. Those that have vanished are not among them."""
        entrez = self._entrez(client)
        for start in range(int(cursor or 0), len(wanted), self.page_size):
            end = min(start + self.page_size, len(wanted))
            batch = self._by_ids(entrez, [self._uid(one.id) for one in wanted[start:end]], "")
            yield Page(batch.documents, str(end) if end < len(wanted) else None, batch.rejects, counts=batch.counts)

    def service_version(self, client: "Client") -> str:
        """The database's build and date."""
        return self._entrez(client).build()

    @abstractmethod
    def _read(self, record: "etree._Element", term: str, where: str, batch: Batch) -> None:
        """Put a record into a batch.

        Args:
            record: The record.
            term: What it was found by; empty if by its id or in a file.
            where: Where it stands.
            batch: Takes it.

        Raises:
            RowError: It cannot be read.
        """

    @abstractmethod
    def _uid_in(self, record: "etree._Element") -> str:
        """The number of a record in the database, as searches list it; empty if it says none."""

    @abstractmethod
    def _uid(self, identity: str) -> str:
        """The number of a document in the database."""

    def _query(self, search: Search) -> dict[str, str]:
        """The search in the service's words."""
        term = self._term(search.term)
        if search.first:
            first, last = (f'"{day.replace("-", "/")}"[{self._entered}]' for day in (search.first, search.last))
            term = f"({term}) AND ({first} : {last})"
        query = {"term": term}
        if self.sort != "added":
            query["sort"] = self.sort
        if search.since:
            query |= {"datetype": "mdat", "mindate": search.since.replace("-", "/"), "maxdate": _ALWAYS}
        return query

    def _term(self, term: str) -> str:
        """What is searched for, for a term of the settings."""
        return term

    def _entrez(self, client: "Client") -> Entrez:
        return Entrez(client, self.api, self._database, self.interval)

    def _searches(self, entrez: Entrez, term: str, since: date | None) -> list[Search]:
        most = self.terms[term] if isinstance(self.terms, dict) else self.most
        whole = Search(term, most or 0)
        if since is not None and self._changed:
            whole = replace(whole, since=since.isoformat())
        elif since is not None:
            whole = replace(whole, first=since.isoformat(), last=_tomorrow().isoformat())
        if most is not None and most <= LISTED:
            return [whole]
        found: list[Search] = []
        left = most
        for search, count in self._slices(entrez, replace(whole, take=0)):
            if left is not None:
                search, left = replace(search, take=min(left, count)), left - count
            found.append(search)
            if left is not None and left <= 0:
                break
        return found

    def _slices(self, entrez: Entrez, search: Search) -> Iterator[tuple[Search, int]]:
        """Searches that together give all that one does, the latest first, each with how many records it finds."""
        count = entrez.count(self._query(search))
        if count <= LISTED or (search.first and search.first == search.last):
            if count or not search.first:
                yield search, count
            return
        first = date.fromisoformat(search.first) if search.first else self._oldest
        last = date.fromisoformat(search.last) if search.last else _tomorrow()
        middle = first + (last - first) // 2
        yield from self._slices(entrez, replace(search, first=(middle + _DAY).isoformat(), last=last.isoformat()))
        yield from self._slices(entrez, replace(search, first=first.isoformat(), last=middle.isoformat()))

    def _batch(self, entrez: Entrez, found: Found, start: int, end: int, term: str) -> Batch:
        """A range of a search's records: by its session while that lasts, those that are missing there by their ids."""
        ids = found.ids[start:end]
        batch = Batch()
        if found.session:
            which = {**found.session, "retstart": str(start), "retmax": str(end - start)}
            try:
                batch = entrez.fetch(which, len(ids), partial(self._answer, term, set(ids)))
            except Expired:
                _LOG.info("%s: the session has expired, going on by ids", entrez.place())
                found.session.clear()
            except Unreadable:
                _LOG.info("%s: records that cannot be read, looking for them one by one", entrez.place())
        missing = [one for one in ids if one not in batch.seen]
        if missing:
            batch.add(self._by_ids(entrez, missing, term))
            order = {uid: number for number, uid in enumerate(ids)}
            batch.documents.sort(key=lambda document: order[self._uid(document.id)])
        if absent := len(set(ids) - batch.seen):
            batch.pass_over("found_but_not_given", absent)
        return batch

    def _by_ids(self, entrez: Entrez, ids: Sequence[str], term: str) -> Batch:
        """Records by id; a set that cannot be read is halved until the bad record stands alone."""
        try:
            return entrez.fetch_ids(ids, partial(self._answer, term, set(ids))) or Batch()
        except Unreadable as error:
            if len(ids) == 1:
                return Batch(rejects=[Reject(f"{entrez.place()}, id {ids[0]}", str(error), error.raw)], seen={ids[0]})
        half = len(ids) // 2
        batch = self._by_ids(entrez, ids[:half], term)
        batch.add(self._by_ids(entrez, ids[half:], term))
        return batch

    def _answer(self, term: str, wanted: set[str], response: Response) -> tuple[Batch, int]:
        """What an answer holds, and how many records that is."""
        batch, n = Batch(), 0
        for record in iter_elements(BytesIO(response.body), self._records, response.place):
            n += 1
            uid = self._uid_in(record)
            if uid in wanted:
                batch.seen.add(uid)
                self._take(record, term, f"{response.place}, id {uid}", batch)
        return batch, n

    def _take_from_file(self, record: "etree._Element", where: str, batch: Batch) -> None:
        self._take(record, "", where, batch)

    def _locked_among_all(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """The documents of a lock, from files that are read as a whole."""
        return SourceConfig.locked_pages(self, client, wanted, cursor)

    def _take(self, record: "etree._Element", term: str, where: str, batch: Batch) -> None:
        """Read a record, or keep it as one that cannot be read."""
        try:
            self._read(record, term, where, batch)
        except RowError as error:
            batch.rejects.append(Reject(error.where, error.problem, inline_text(record)[:10_000]))


def _key(search: Search) -> str:
    span = f", entered {search.first} to {search.last}" if search.first else ""
    return f"term {search.term}{span}"


def _place(ids: Sequence[str], cursor: str | None) -> tuple[int, int]:
    """How many records of a search are done, and where in its list to go on."""
    if cursor is None:
        return 0, 0
    number, _, last = cursor.partition(" ")
    done = int(number)
    return done, ids.index(last) + 1 if last in ids else min(done, len(ids))


def _tomorrow() -> date:
    return datetime.now(UTC).date() + _DAY
