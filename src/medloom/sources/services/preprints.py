"""What bioRxiv and medRxiv share: their details interface, a month at a time, and the latest version of each preprint."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from medloom.collect.client import Again, Response, place
from medloom.collect.pages import Locked, Page, Reject, Shard
from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources.base import Rejects, Release, SourceConfig, paged
from medloom.sources.fetched import FetchedSource
from medloom.sources.formats.json_records import holds_json, json_records, records_inside
from medloom.sources.formats.preprints_record import day_of, document_of, identity_of, latest, licence_of
from medloom.sources.formats.readers import Row
from medloom.sources.table import OnError, Paths, digests, documents_of, files_of, rows_of

if TYPE_CHECKING:
    from medloom.collect.client import Client

_AT_ONCE = 300
"""Records of one window: with 30 to a page, ten requests."""
_PASSES = 5
_LOCKED = 200
_NOTHING = "no posts found"
_MISSING = "announced but not given"


@dataclass(frozen=True)
class _Month:
    """What one shard asks for: days in ISO 8601, and a category or none."""

    first: str
    last: str
    category: str = ""


@dataclass(frozen=True)
class _Answer:
    """Records of one page, and how many the window has in all."""

    records: list[Any]
    total: int


class PreprintSource(FetchedSource):
    """Preprints with title and abstract, of each the latest version in the range of days.

    The interface has no search but by day and category, and gives a record for each version. It is asked month by month; a
    month with many records is read in shorter windows, each of which is read whole and, if pages have shifted meanwhile,
    again. The cursor is a day.
    """

    path: Paths | None = Field(
        default=None,
        description="A file of saved pages or records of the interface (JSON, JSONL, ZIP of JSON), a folder of them, or a "
        "list; the service is asked if not set.",
    )
    api: str = Field(default="https://api.biorxiv.org", description="Address of the interface.")
    posted_from: date | None = Field(default=None, description="First day; the server's first if not set.")
    posted_to: date | None = Field(default=None, description="Last day; today if not set. Later versions are not seen.")
    categories: tuple[str, ...] = Field(
        default=(), description="Only preprints of these subject categories, such as infectious diseases."
    )
    licences: tuple[str, ...] = Field(
        default=(), description="Only preprints under these: cc0, cc-by, cc-by-nc, cc-by-nd, cc-by-nc-nd, no-reuse."
    )
    interval: float = Field(default=1.0, ge=0, description="Seconds between two requests.")
    on_error: OnError = Field(
        default="fail",
        description="A bad row of a file stops the run, or is counted and kept in rejects.jsonl; a bad record of the "
        "service is always kept there.",
    )
    version: str = Field(default="", description="Date on which the pages of a file were fetched, for report and card.")
    server: ClassVar[Literal["biorxiv", "medrxiv"]]
    title: ClassVar[str]
    opened: ClassVar[date]

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.posted_to and self.posted_to < max(self.opened, self.posted_from or date.min):
            raise ValueError("posted_to lies before the first day: give a later one")
        return self

    @property
    def locked_at_once(self) -> int | None:
        """See :class:`medloom.collect.pages.Paged`; files are read once for all of a lock."""
        return _LOCKED if self.path is None else None

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """Of files, one document per preprint; else see :class:`medloom.sources.fetched.FetchedSource`."""
        yield from self._from_files(rejects) if self.path is not None and self.lock is None else super().documents(rejects)

    def release(self) -> Release:
        """Terms and citation; the licence of each preprint is in its metadata."""
        return Release(
            name=self.title,
            version=self.version or ("not stated" if self.path is not None else "as fetched"),
            licence="of each preprint, named in its metadata: CC0 to all rights reserved (no-reuse); text mining is allowed",
            citation=f"{self.title}, the preprint server ({self.server}.org); openRxiv.",
            url=f"https://www.{self.server}.org",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of every file, or what is asked for."""
        asked = super().inputs()
        return asked if self.path is None else asked | digests(self._files())

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """See :class:`medloom.collect.pages.Paged`: the months, of each category by itself.

        Raises:
            SourceError: ``since`` lies after the last day.
        """
        if self.path is not None:
            return SourceConfig.shards(self, client, since)
        first = max(self.opened, self.posted_from or date.min, since or date.min)
        last = self.posted_to or date.today()
        if first > last:
            raise SourceError(f"source {self.name} ends on {last}: nothing is newer; set a later posted_to")
        shards = []
        while first <= last:
            end = min(last, (first.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1))
            for category in self.categories or ("",):
                month = _Month(first.isoformat(), end.isoformat(), _words(category))
                shards.append(Shard(f"{first:%Y-%m} {month.category}".rstrip(), json.dumps(asdict(month))))
            first = end + timedelta(days=1)
        return shards

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`: a window of days at a time; a cursor is the next day."""
        if self.path is not None:
            yield from paged(self._from_files, cursor)
            return
        month = _Month(**json.loads(shard.value))
        at, last = date.fromisoformat(cursor or month.first), date.fromisoformat(month.last)
        until, total = last, None
        while True:
            answer = self._ask(client, at, until, month.category, 0)
            if cursor is None and total is None:
                total = answer.total
            days = (until - at).days + 1
            if answer.total > _AT_ONCE and days > 1:
                until = at + timedelta(days=max(1, days * _AT_ONCE // answer.total) - 1)
                continue
            records, missing = self._window(client, at, until, month.category, answer)
            following = until + timedelta(days=1)
            where = f"{place(self.api)}, {month.category or 'all categories'}, {at} to {until}"
            after = following.isoformat() if following <= last else None
            yield self._page(records, where, after, Counter({_MISSING: missing}), total)
            if following > last:
                return
            at, until = following, min(last, following + timedelta(days=days - 1))

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`: the service keeps all versions."""
        if self.path is not None:
            yield from super().locked_pages(client, wanted, cursor)
            return
        for number in range(int(cursor or 0), len(wanted)):
            locked = wanted[number]
            url = f"{self.api}/details/{self.server}/{quote(locked.id)}/na/json"
            records = client.json(url, None, self.interval, _check)["collection"]
            exact = [r for r in records if isinstance(r, dict) and str(r.get("version")) == locked.revision]
            documents, rejects = self._made(latest((place(url), r) for r in exact or records if isinstance(r, dict)))
            yield Page([d for d in documents if d.id == locked.id], str(number + 1), rejects)
        yield Page([], None)

    def service_version(self, client: "Client") -> str:
        """See :class:`medloom.collect.pages.Paged`: the interface says nothing of it."""
        return self.version if self.path is not None else ""

    def _ask(self, client: "Client", first: date, last: date, category: str, offset: int) -> _Answer:
        url = f"{self.api}/details/{self.server}/{first}/{last}/{offset}/json"
        asked = {"category": category.replace(" ", "_")} if category else None
        answer = client.json(url, asked, self.interval, _check)
        records = answer["collection"]
        said = answer["messages"][0].get("total", len(records))
        return _Answer(records, int(said) if str(said).isdigit() else len(records))

    def _window(
        self, client: "Client", first: date, last: date, category: str, answer: _Answer
    ) -> tuple[list[dict[str, Any]], int]:
        """All records of a window, and how many the service announced beyond them.

        Pages are steps in a list that may change while it is read, and the announced total may be too large. So a window is
        read again until its total stood still and it gave as many records as announced, or nothing more.
        """
        found: dict[str, Any] = {}
        total = answer.total
        for _ in range(_PASSES):
            before, offset, total, is_steady = len(found), 0, answer.total, True
            while answer.records:
                found |= {_key(record): record for record in answer.records}
                offset += len(answer.records)
                if offset >= answer.total:
                    break
                answer = self._ask(client, first, last, category, offset)
                is_steady &= not answer.records or answer.total == total
            if is_steady and (len(found) >= total or len(found) == before):
                break
            answer = self._ask(client, first, last, category, 0)
        return list(found.values()), max(0, total - len(found))

    def _page(self, records: Sequence[Any], where: str, cursor: str | None, counts: Counter[str], total: int | None) -> Page:
        placed = [(f"{where}, record {number}", record) for number, record in enumerate(records, start=1)]
        bad = [Reject(at, "expected a JSON object of fields", json.dumps(r)) for at, r in placed if not isinstance(r, dict)]
        documents, rejects = self._made(latest((at, r) for at, r in placed if isinstance(r, dict)))
        kept, gone = [], []
        for document in documents:
            if reason := self._passed_over(document):
                gone.append(document.id)
                counts[reason] += 1
            else:
                kept.append(document)
        return Page(kept, cursor, [*bad, *rejects], gone, dict(counts), total)

    def _made(self, records: Iterator[tuple[str, dict[str, Any]]]) -> tuple[list[Document], list[Reject]]:
        documents, rejects = [], []
        for where, record in records:
            try:
                documents.append(document_of(record, self.name, self.server, where))
            except RowError as error:
                rejects.append(Reject(error.where, error.problem, json.dumps(record)))
        return documents, rejects

    def _passed_over(self, document: Document) -> str:
        """Why a document is not wanted; empty if it is."""
        if self.categories and not {_words(c) for c in self.categories} & set(document.categories):
            return "another category"
        if self.licences and document.fact("licence") not in {licence_of(name) for name in self.licences}:
            return "another licence"
        return ""

    def _files(self) -> list[Path]:
        return files_of(self.name, self.path or (), self._folder, holds_json, " or JSON")

    def _from_files(self, rejects: Rejects) -> Iterator[Document]:
        """Two passes: which version of each preprint is the latest is known after the first."""
        newest: dict[str, int] = {}
        for path in self._files():
            for where, row, _ in _rows(path):
                if isinstance(row, dict) and (known := self._in_range(row, where)):
                    newest[known[0]] = max(known[1], newest.get(known[0], 0))

        def made(row: dict[str, Any], where: str, path: Path, number: int) -> Document | None:
            document = document_of(row, self.name, self.server, where)
            if newest.get(document.id) != int(document.revision) or self._in_range(row, where) is None:
                return None
            del newest[document.id]
            return None if self._passed_over(document) else document

        yield from documents_of(((path, _rows(path)) for path in self._files()), made, self.on_error, rejects)

    def _in_range(self, record: dict[str, Any], where: str) -> tuple[str, int] | None:
        """DOI and version of a record of the days that are wanted; None if it is of others or bad."""
        try:
            posted, known = day_of(record, where), identity_of(record, where)
        except RowError:
            return None
        first, last = self.posted_from or date.min, self.posted_to or date.max
        return known if first.isoformat() <= posted <= last.isoformat() else None


def _rows(path: Path) -> Iterator[Row]:
    return json_records(path, "collection") if holds_json(path) else records_inside(rows_of(path), "collection")


def _key(record: Any) -> str:  # noqa: ANN401
    """What makes a record another than the next: DOI and version; all of it if it lacks them."""
    try:
        doi, version = identity_of(record, "")
    except (RowError, TypeError, ValueError):
        return json.dumps(record, sort_keys=True)
    return f"{doi} {version}"


def _words(category: str) -> str:
    return re.sub(r"[\s_]+", " ", category.strip().casefold())


def _check(response: Response) -> None:
    """See that an answer is one: errors come with status 200 too."""
    answer = response.json()
    messages = answer.get("messages") if isinstance(answer, dict) else None
    status = messages[0].get("status") if isinstance(messages, list) and messages and isinstance(messages[0], dict) else None
    if not isinstance(status, str) or not isinstance(answer.get("collection"), list):
        raise Again("an answer without messages and collection")
    if status.casefold() not in ("ok", _NOTHING):
        raise Again("an answer that reports an error")
