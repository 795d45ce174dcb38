"""ClinicalTrials.gov: records of clinical studies, with titles, summaries, outcomes, arms and eligibility.

For: title - description, title - summary, title - primary outcomes. Fetched by version 2 of the registry's interface, or
read from files: the registry's downloads (a JSON array, a ZIP with one JSON for each study, the JSON of one study), tables
of such records (``protocolSection`` with its modules, or the same fields on one level), or tables with the fields
``title``, ``brief_summary``, ``detailed_description``, ``primary_outcomes`` and ``nct_id``. The registry's interface gives
the present version of a record only: a lock says which have changed since. Terms: see :meth:`release`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from medloom.collect.client import Again, Response, ServiceError, place
from medloom.collect.pages import Locked, Page, Reject, Shard
from medloom.errors import RowError
from medloom.records import Document
from medloom.sources.base import Rejects, Release, SourceConfig, paged
from medloom.sources.fetched import FetchedSource
from medloom.sources.formats.clinicaltrials_record import SectionName, document_of, fields_wanted, first_posted
from medloom.sources.formats.json_records import holds_json, json_records
from medloom.sources.formats.readers import Row
from medloom.sources.table import OnError, Paths, digests, documents_of, files_of, rows_of

if TYPE_CHECKING:
    from medloom.collect.client import Client

_FIRST_YEAR = 1999
_INTERVAL = 1.2
_LARGEST_PAGE = 1_000
_LOCKED = 200
_REFUSED = 400
_TRIES = 3
_NUMBER = re.compile(r"NCT\d{8}")
_POSTED = "AREA[StudyFirstPostDate]"


@dataclass(frozen=True)
class _Search:
    """What one shard asks for: days in ISO 8601, empty where there is no bound."""

    term: str = ""
    condition: str = ""
    first: str = ""
    last: str = ""
    since: str = ""

    @property
    def found_under(self) -> tuple[str, ...]:
        """The categories of what it finds."""
        return tuple(text for text in (self.term, self.condition) if text)


class ClinicalTrialsSource(FetchedSource):
    """Study records as documents with headed sections.

    Without terms and conditions the whole registry is fetched, a year of first posting at a time. Studies are asked for in
    the order in which they were first posted, which no update changes: where the service refuses to turn a page (its page
    tokens do not live long), the search begins again at the day that was reached, and nothing is lost.
    """

    type: Literal["clinicaltrials"] = "clinicaltrials"
    path: Paths | None = Field(
        default=None,
        description="A file of study records (JSONL, CSV, Parquet, JSON, ZIP of JSON), a folder of them, or a list; the "
        "service is asked if not set.",
    )
    api: str = Field(default="https://clinicaltrials.gov/api/v2", description="Address of the interface.")
    terms: tuple[str, ...] = Field(
        default=(),
        description="Searches in all fields, in the registry's expression syntax; a study's categories say which.",
    )
    conditions: tuple[str, ...] = Field(default=(), description="Searches for conditions, beside those of terms.")
    filter: str = Field(default="", description="Expression that all studies must satisfy, in the registry's own syntax.")
    posted_from: date | None = Field(default=None, description="Only studies first posted on that day or later.")
    posted_to: date | None = Field(default=None, description="Only studies first posted on that day or before.")
    sections: tuple[SectionName, ...] = Field(
        default=("brief summary", "detailed description", "primary outcomes"),
        description="Sections to give. Each one more adds pairs of heading and section.",
    )
    page_size: int = Field(default=_LARGEST_PAGE, ge=1, le=_LARGEST_PAGE, description="Studies to ask for at once.")
    interval: float = Field(default=_INTERVAL, ge=0, description="Seconds between two requests.")
    on_error: OnError = Field(
        default="fail",
        description="A bad row of a file stops the run, or is counted and kept in rejects.jsonl; a bad record of the "
        "service is always kept there.",
    )
    version: str = Field(default="", description="Date on which the records of a file were fetched, for report and card.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        asked = ("terms", "conditions", "filter", "posted_from", "posted_to")
        if self.path is not None and (given := [name for name in asked if getattr(self, name)]):
            raise ValueError(f"{', '.join(given)} is for the service, which is not asked where path is set: leave one out")
        if self.posted_from and self.posted_to and self.posted_from > self.posted_to:
            raise ValueError("posted_from lies after posted_to: exchange them")
        if any(not text.strip() for text in (*self.terms, *self.conditions)):
            raise ValueError("a term or condition is empty: leave it out")
        return self

    @property
    def locked_at_once(self) -> int | None:
        """See :class:`medloom.collect.pages.Paged`; files are read once for all of a lock."""
        return _LOCKED if self.path is None else None

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """Of files, one document per record; else see :class:`medloom.sources.fetched.FetchedSource`."""
        yield from self._from_files(rejects) if self.path is not None and self.lock is None else super().documents(rejects)

    def release(self) -> Release:
        """Terms and citation; of files the date is the user's to state."""
        return Release(
            name="ClinicalTrials.gov",
            version=self.version or ("not stated" if self.path is not None else "as fetched"),
            licence="terms of ClinicalTrials.gov: name the source and the date; text may be under rights of the sponsors",
            citation="ClinicalTrials.gov. Bethesda (MD): National Library of Medicine (US).",
            url="https://clinicaltrials.gov",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of every file, or what is asked for."""
        asked = super().inputs()
        if self.path is None:
            return asked
        return digests(self._files()) | {name: value for name, value in asked.items() if name == "lock"}

    def count(self) -> int | None:
        """Rows of the files in all."""
        return sum(1 for path in self._files() for _ in _rows(path)) if self.path is not None else None

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """See :class:`medloom.collect.pages.Paged`: each term and condition, or each year, or what was updated."""
        if self.path is not None:
            return SourceConfig.shards(self, client, since)
        whole = _Search(first=_iso(self.posted_from), last=_iso(self.posted_to), since=_iso(since))
        terms = [(f"term {text}", replace(whole, term=text)) for text in self.terms]
        conditions = [(f"condition {text}", replace(whole, condition=text)) for text in self.conditions]
        searches = [*terms, *conditions] or ([("updated", whole)] if since else self._years(whole))
        return [Shard(key, json.dumps(asdict(search))) for key, search in searches]

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`; a cursor is the day of first posting that was reached."""
        if self.path is not None:
            yield from paged(self._from_files, cursor)
            return
        search = _Search(**json.loads(shard.value))
        reached, begun, token, refusals = cursor or "", cursor or "", "", 0
        while True:
            first = not token and cursor is None and not reached
            try:
                answer = self._ask(client, self._query(search, begun) | _paging(token, first))
            except ServiceError as error:
                refusals += 1
                if not token or error.status != _REFUSED or refusals > _TRIES:
                    raise
                token, begun = "", reached
                continue
            days = [day for study in answer["studies"] if (day := first_posted(study))]
            if days == sorted(days) and days and days[0] >= reached and days[-1] > reached:
                reached, refusals = days[-1], 0
            token = answer.get("nextPageToken") or ""
            where = f"{place(self.api)}, {shard.key}, page from {begun or 'the beginning'}"
            documents, rejects = self._documents(answer["studies"], where, search.found_under)
            yield Page(documents, reached if token else None, rejects, total=answer.get("totalCount") if first else None)
            if not token:
                return

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`: as they are now, the service gives no other version."""
        if self.path is not None:
            yield from super().locked_pages(client, wanted, cursor)
            return
        numbers = [locked.id for locked in wanted if _NUMBER.fullmatch(locked.id)]
        documents: list[Document] = []
        rejects: list[Reject] = []
        if numbers:
            asked = {"filter.ids": ",".join(numbers), "fields": fields_wanted(self.sections)}
            answer = self._ask(client, asked | {"pageSize": str(_LARGEST_PAGE)})
            found, rejects = self._documents(answer["studies"], f"{place(self.api)}, locked studies", ())
            documents = [d for d in found if d.id in set(numbers)]
        yield Page(documents, None, rejects)

    def service_version(self, client: "Client") -> str:
        """See :class:`medloom.collect.pages.Paged`: date of the data, and version of the interface."""
        if self.path is not None:
            return self.version
        said = client.json(f"{self.api}/version", None, self.interval, _check_object)
        return f"{said.get('dataTimestamp', '')} (API {said.get('apiVersion', 'of unknown version')})"

    def _files(self) -> list[Path]:
        return files_of(self.name, self.path or (), self._folder, holds_json, " or JSON")

    def _from_files(self, rejects: Rejects) -> Iterator[Document]:
        files = ((path, _rows(path)) for path in self._files())
        return documents_of(files, self._row, self.on_error, rejects)

    def _row(self, row: dict[str, Any], where: str, path: Path, number: int) -> Document:
        return document_of(row, self.name, self.sections, where, markdown=holds_json(path))

    def _years(self, whole: _Search) -> list[tuple[str, _Search]]:
        """A search for each year of first posting."""
        start = max(_FIRST_YEAR, self.posted_from.year if self.posted_from else _FIRST_YEAR)
        end = max(start, self.posted_to.year if self.posted_to else date.today().year)
        searches = []
        for year in range(start, end + 1):
            first = whole.first if year == start else f"{year}-01-01"
            last = whole.last if year == end else f"{year}-12-31"
            searches.append((f"posted in {year}", replace(whole, first=first, last=last)))
        return searches

    def _query(self, search: _Search, begun: str) -> dict[str, str]:
        """Parameters of a search from a day on; they are the same for all of its pages, as the service demands."""
        first, parts = begun or search.first, [self.filter]
        if first or search.last:
            posted = f"{_POSTED}RANGE[{first or 'MIN'},{search.last or 'MAX'}]"
            parts.append(posted if search.last else f"({posted} OR {_POSTED}MISSING)")
        if search.since:
            parts.append(f"AREA[LastUpdatePostDate]RANGE[{search.since},MAX]")
        given = {
            "query.term": search.term,
            "query.cond": search.condition,
            "filter.advanced": " AND ".join(f"({part})" if part == self.filter else part for part in parts if part),
            "fields": fields_wanted(self.sections),
            "sort": "StudyFirstPostDate:asc",
            "pageSize": str(self.page_size),
        }
        return {name: value for name, value in given.items() if value}

    def _ask(self, client: "Client", parameters: dict[str, str]) -> dict[str, Any]:
        answer: dict[str, Any] = client.json(f"{self.api}/studies", parameters, self.interval, _check_studies)
        return answer

    def _documents(
        self, studies: Sequence[Any], where: str, categories: tuple[str, ...]
    ) -> tuple[list[Document], list[Reject]]:
        documents, rejects = [], []
        for number, study in enumerate(studies, start=1):
            try:
                documents.append(replace(self._study(study, f"{where}, study {number}"), categories=categories))
            except RowError as error:
                rejects.append(Reject(error.where, error.problem, json.dumps(study)))
        return documents, rejects

    def _study(self, study: Any, where: str) -> Document:  # noqa: ANN401
        if not isinstance(study, dict):
            raise RowError(where, f"expected a JSON object of fields, found {type(study).__name__}")
        document = document_of(study, self.name, self.sections, where, markdown=True)
        if not document.id:
            raise RowError(where, "it has no NCT number")
        return document


def _rows(path: Path) -> Iterator[Row]:
    return json_records(path, "studies") if holds_json(path) else rows_of(path)


def _paging(token: str, first: bool) -> dict[str, str]:
    """Parameters that differ from page to page."""
    return ({"pageToken": token} if token else {}) | ({"countTotal": "true"} if first else {})


def _check_object(response: Response) -> None:
    if not isinstance(response.json(), dict):
        raise Again("an answer that is no JSON object")


def _check_studies(response: Response) -> None:
    answer = response.json()
    if not isinstance(answer, dict) or not isinstance(answer.get("studies"), list):
        raise Again("an answer without studies")


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
