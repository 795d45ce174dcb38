"""PubMed: titles and abstracts of the biomedical literature, with MeSH headings, dates and marks of retraction.

For: title - abstract, heading - part of a structured abstract, neighbouring parts of one. Found by search terms through
NCBI's E-utilities, or taken from the yearly baseline and the daily update files (``pubmed26n0001.xml.gz`` and so on) in a
folder or over HTTPS. A later version of a record takes the place of an earlier one, and deleted records go.

Terms: NLM claims no rights in PubMed's records, but abstracts may be under rights of their publishers or authors; say that
the data is from PubMed and on which day it was fetched. At most three requests a second, ten with a key (``NCBI_API_KEY``
in the environment), a contact with each (``MEDLOOM_CONTACT``); large jobs at weekends or between 9 p.m. and 5 a.m. Eastern
time. For more than some hundred thousand records take the files.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from medloom.collect.client import Again, Response
from medloom.collect.download import download
from medloom.collect.pages import Locked, Page, Shard
from medloom.errors import SourceError
from medloom.folders import cache_folder
from medloom.sources.base import Release
from medloom.sources.formats.medline_xml import DELETED, RECORDS, deleted_pmids, has_heading, pubmed_document
from medloom.sources.services.ncbi_files import Unit, unit_pages
from medloom.sources.services.ncbi_source import Batch, EntrezSource
from medloom.sources.table import Paths, digests
from medloom.text.inline import name_of
from medloom.text.xml import iter_elements

if TYPE_CHECKING:
    from lxml import etree

    from medloom.collect.client import Client

_LISTED = re.compile(rb'href="([\w-]+\.xml\.gz)"[^\n]*?</a>\s*(\d{4}-\d\d-\d\d)?')
_MD5 = re.compile(rb"\b([0-9a-fA-F]{32})\b")
_FILE = "file "
_FILE_INTERVAL = 0.34
_PER_PAGE = 1_000


class PubmedSource(EntrezSource):
    """Articles of PubMed, found by terms or read from its files."""

    type: Literal["pubmed"] = "pubmed"
    path: Paths | None = Field(
        default=None,
        description="Baseline and update files (.xml or .xml.gz) instead of a search: a file, a folder, or a list. They are "
        "read by name, whatever folder they lie in.",
    )
    files: tuple[str, ...] = Field(
        default=(),
        description="Addresses of folders with such files, fetched one by one: "
        "https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/ and https://ftp.ncbi.nlm.nih.gov/pubmed/updatefiles/.",
    )
    mesh: tuple[str, ...] = Field(
        default=(),
        description="Keep only articles under one of these MeSH headings, as they are spelled there; those that they were "
        "kept for become categories of articles that no term found.",
    )
    titles_only: bool = Field(default=True, description="Keep articles without an abstract.")
    _database: ClassVar[str] = "pubmed"
    _entered: ClassVar[str] = "edat"
    _changed: ClassVar[bool] = True
    _oldest: ClassVar[date] = date(1780, 1, 1)
    _records: ClassVar[tuple[str, ...]] = RECORDS

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum((bool(self.terms), self.path is not None, bool(self.files))) > 1:
            raise ValueError("terms, path and files exclude each other: make a source of each")
        return self

    def release(self) -> Release:
        """Terms and citation; the version is what the service said when it was asked."""
        return Release(
            name="PubMed",
            version="as fetched",
            licence="courtesy of the US National Library of Medicine; publishers and authors may have rights in abstracts",
            citation="PubMed. Bethesda (MD): National Library of Medicine (US).",
            url="https://pubmed.ncbi.nlm.nih.gov",
        )

    def inputs(self) -> dict[str, str]:
        """What is asked for, and the hash of every local file."""
        return super().inputs() | (digests(self._local()) if self.path is not None else {})

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """A shard for each file, by name; without files one for each term, or several."""
        if self.path is not None:
            if since is not None:
                raise SourceError(
                    f"source {self.name}: local files are read as they are: collect new ones into another folder"
                )
            return [Shard(f"{_FILE}{path.name}", str(n)) for n, path in enumerate(self._local())]
        if self.files:
            return [Shard(f"{_FILE}{name}", url) for name, url, day in self._listed(client) if _is_new(day, since)]
        return super().shards(client, since)

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """Pages of a file, or of a search. A fetched file goes once it has been read."""
        if self.path is not None:
            yield from self._file_pages(self._local()[int(shard.value)], cursor)
        elif self.files:
            folder = cache_folder() / "pubmed"
            md5 = _md5(client, f"{shard.value}.md5", self._file_interval)
            path = download(client, shard.value, folder, self._file_interval, md5)
            for page in self._file_pages(path, cursor):
                if page.cursor is None:
                    path.unlink(missing_ok=True)
                    path.with_name(f"{path.name}.origin.json").unlink(missing_ok=True)
                yield page
        else:
            yield from super().pages(client, shard, cursor)

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """The documents by id, as they are now; where local files are named, out of those."""
        if self.path is not None:
            yield from self._locked_among_all(client, wanted, cursor)
        else:
            yield from super().locked_pages(client, wanted, cursor)

    def service_version(self, client: "Client") -> str:
        """The database's build and date, or the name and date of the last file on the service."""
        if self.path is not None:
            return ""
        if self.files:
            name, _, day = self._listed(client)[-1]
            return f"{name}, {day}" if day else name
        return super().service_version(client)

    def _read(self, record: "etree._Element", term: str, where: str, batch: Batch) -> None:
        document = pubmed_document(record, self.name, where)
        matched = has_heading(document, frozenset(name.casefold() for name in self.mesh))
        if self.mesh and not matched:
            batch.pass_over("without_the_headings")
        elif not self.titles_only and not document.text:
            batch.pass_over("without_abstract")
        else:
            batch.documents.append(replace(document, categories=(term,) if term else matched))

    def _uid_in(self, record: "etree._Element") -> str:
        pmid = record.find("MedlineCitation/PMID")
        pmid = record.find("BookDocument/PMID") if pmid is None else pmid
        return (pmid.text or "").strip() if pmid is not None else ""

    def _uid(self, identity: str) -> str:
        return identity

    @property
    def _file_interval(self) -> float:
        return _FILE_INTERVAL if self.interval is None else self.interval

    def _local(self) -> list[Path]:
        """The local files by name, so that updates come after the baseline.

        Raises:
            SourceError: One is not there, or two have the same name.
        """
        given = [self.path] if isinstance(self.path, Path) else list(self.path or ())
        found: list[Path] = []
        for path in (self._folder / one.expanduser() for one in given):
            files = [path] if path.is_file() else sorted(p for p in path.glob("*") if p.name.endswith((".xml", ".xml.gz")))
            if not files:
                raise SourceError(f"source {self.name}: no file {path}, nor a folder with .xml or .xml.gz: check the path")
            found += files
        if not found:
            raise SourceError(f"source {self.name}: path is empty: give a file, a folder, or a list of them")
        return sorted(found, key=lambda path: path.name)

    def _listed(self, client: "Client") -> list[tuple[str, str, str]]:
        """Name, address and day of the files on the service, by name.

        Raises:
            SourceError: A folder has none.
        """
        found: list[tuple[str, str, str]] = []
        for address in self.files:
            base = f"{address.rstrip('/')}/"
            rows = [
                (m[1].decode(), (m[2] or b"").decode())
                for m in _LISTED.finditer(client.get(base, interval=self._file_interval).body)
            ]
            if not rows:
                raise SourceError(f"source {self.name}: no .xml.gz files at {base}: check the address")
            found += [(name, base + name, day) for name, day in rows]
        return sorted(found)

    def _file_pages(self, path: Path, cursor: str | None) -> Iterator[Page]:
        tags = (*RECORDS, DELETED)
        unit = Unit(path.name, lambda: iter_elements(path, tags, path.name))
        return unit_pages(iter([unit]), cursor, self._take_from_file, _PER_PAGE, _withdrawn)


def _withdrawn(record: "etree._Element") -> list[str]:
    return deleted_pmids(record) if name_of(record) == DELETED else []


def _is_new(day: str, since: date | None) -> bool:
    """Whether a file is of that day or later; one whose day is not told counts as new."""
    return since is None or not day or day >= since.isoformat()


def _md5(client: "Client", url: str, interval: float) -> str:
    """The digest that the service states."""
    found: list[str] = []

    def check(response: Response) -> None:
        match = _MD5.search(response.body)
        if match is None:
            raise Again("no MD5 in the file that should state it")
        found[:] = [match[1].decode().lower()]

    client.get(url, interval=interval, check=check)
    return found[0]
