"""PubMed Central: full articles with headed sections, abstract, and the licence of each.

For: title - abstract, heading - section, neighbouring sections, abstract - section. Found by search terms through NCBI's
E-utilities, or read from JATS files: single ones (``.xml``, ``.nxml``), packages of an article (``.tar.gz``) and bulk
packages (``oa_comm_xml.PMC000xxxxxx.baseline.2026-01-01.tar.gz``), which are read without unpacking them to the disk.

Terms: an article is free to read, not free of rights. Each document says its licence, and ``licences`` keeps only some;
articles outside the open access subset are not for bulk use (``open_access`` leaves them out). At most three requests a
second, ten with a key (``NCBI_API_KEY`` in the environment), a contact with each (``MEDLOOM_CONTACT``); large jobs at
weekends or between 9 p.m. and 5 a.m. Eastern time. Of an article whose publisher does not let its text be downloaded, PMC
gives title and abstract.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from medloom.collect.pages import Locked, Page, Shard
from medloom.errors import SourceError
from medloom.sources.base import Release
from medloom.sources.formats.jats import jats_document, pmc_number
from medloom.sources.formats.jats_licence import Licence
from medloom.sources.services.ncbi_files import Unit, unit_pages
from medloom.sources.services.ncbi_source import Batch, EntrezSource
from medloom.sources.table import Paths, digests
from medloom.text.xml import iter_elements

if TYPE_CHECKING:
    from lxml import etree

    from medloom.collect.client import Client

_ARTICLES = (".xml", ".nxml")
_PACKAGES = (".tar.gz", ".tgz", ".tar")
_LARGEST = 64_000_000
_FILES_PER_SHARD = 1_000
_FILE_PAGE = 100


class PmcSource(EntrezSource):
    """Articles of PubMed Central, found by terms or read from JATS files."""

    type: Literal["pmc"] = "pmc"
    path: Paths | None = Field(
        default=None,
        description="JATS files (.xml, .nxml) and packages of them (.tar.gz) instead of a search: a file, a folder with all "
        "that is below it, or a list.",
    )
    open_access: bool = Field(default=True, description="Search only the open access subset.")
    licences: tuple[Licence, ...] = Field(
        default=(),
        description="Keep only articles under these licences; all if not set. Terms that are none of Creative Commons are "
        "'other', unstated ones 'none'.",
    )
    page_size: int = Field(default=50, ge=1, le=500, description="Records asked for at once.")
    full_text: bool = Field(default=False, description="Keep only articles whose text is given beyond the abstract.")
    _database: ClassVar[str] = "pmc"
    _entered: ClassVar[str] = "pmcrdat"
    _changed: ClassVar[bool] = False
    _oldest: ClassVar[date] = date(1999, 1, 1)
    _records: ClassVar[tuple[str, ...]] = ("article",)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.terms and self.path is not None:
            raise ValueError("terms and path exclude each other: make a source of each")
        return self

    def release(self) -> Release:
        """Terms and citation; the version is what the service said when it was asked."""
        return Release(
            name="PubMed Central",
            version="as fetched",
            licence=f"of each article, see its metadata; kept: {', '.join(self.licences) or 'all'}",
            citation="PubMed Central (PMC). Bethesda (MD): National Library of Medicine (US).",
            url="https://pmc.ncbi.nlm.nih.gov",
        )

    def inputs(self) -> dict[str, str]:
        """What is asked for, and the hash of every local file."""
        return super().inputs() | (digests(self._local()) if self.path is not None else {})

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """A shard for each package, and for each thousand single files; without files one for each term, or several.

        ``since`` gives what has come to PMC from that day on: it cannot be asked for what has changed.
        """
        if self.path is None:
            return super().shards(client, since)
        if since is not None:
            raise SourceError(f"source {self.name}: local files are read as they are: collect new ones into another folder")
        return list(_groups(self._local()))

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """Pages of some files, or of a search. A damaged file or member is kept among the rejects."""
        if self.path is None:
            yield from super().pages(client, shard, cursor)
            return
        start, end = map(int, shard.value.split("-"))
        units = (unit for path in self._local()[start:end] for unit in _units(path))
        yield from unit_pages(units, cursor, self._take_from_file, _FILE_PAGE, strict=False)

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """The documents by id; where files are named, out of those."""
        if self.path is not None:
            yield from self._locked_among_all(client, wanted, cursor)
        else:
            yield from super().locked_pages(client, wanted, cursor)

    def service_version(self, client: "Client") -> str:
        """The database's build and date."""
        return "" if self.path is not None else super().service_version(client)

    def _term(self, term: str) -> str:
        return f"({term}) AND open access[filter]" if self.open_access else term

    def _read(self, record: "etree._Element", term: str, where: str, batch: Batch) -> None:
        document = jats_document(record, self.name, where)
        licence = document.fact("licence")
        if self.licences and licence not in self.licences:
            batch.pass_over(f"licence_{licence}")
        elif self.full_text and document.fact("full_text") == "no":
            batch.pass_over("without_full_text")
        else:
            batch.documents.append(replace(document, categories=(term,) if term else ()))

    def _uid_in(self, record: "etree._Element") -> str:
        return pmc_number(record)

    def _uid(self, identity: str) -> str:
        return identity.removeprefix("PMC")

    def _local(self) -> list[Path]:
        """The local files, folders by name.

        Raises:
            SourceError: One is not there.
        """
        given = [self.path] if isinstance(self.path, Path) else list(self.path or ())
        found: list[Path] = []
        for path in (self._folder / one.expanduser() for one in given):
            files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if _is_read(p.name) and p.is_file())
            if not files:
                raise SourceError(
                    f"source {self.name}: no file {path}, nor a folder with .xml, .nxml or .tar.gz: check the path"
                )
            found += files
        if not found:
            raise SourceError(f"source {self.name}: path is empty: give a file, a folder, or a list of them")
        return found


def _is_read(name: str) -> bool:
    return name.lower().endswith((*_ARTICLES, *_PACKAGES))


def _is_package(path: Path) -> bool:
    return path.name.lower().endswith(_PACKAGES)


def _groups(files: Sequence[Path]) -> Iterator[Shard]:
    """Shards of some files: a package by itself, single files by the thousand."""
    start = 0
    while start < len(files):
        end = start + 1
        if not _is_package(files[start]):
            while end < len(files) and end - start < _FILES_PER_SHARD and not _is_package(files[end]):
                end += 1
        yield Shard(f"file {start + 1} {files[start].name}", f"{start}-{end}")
        start = end


def _units(path: Path) -> Iterator[Unit]:
    if _is_package(path):
        yield from _members(path)
    else:
        yield Unit(path.name, partial(iter_elements, path, PmcSource._records, path.name))


def _members(path: Path) -> Iterator[Unit]:
    """The articles of a package, each read into memory and none written to the disk.

    Raises:
        SourceError: The package is damaged.
    """
    with _packing_errors(path), tarfile.open(path, "r|*") as package:
        for member in package:
            if not member.isfile() or not member.name.lower().endswith(_ARTICLES):
                continue
            where = f"{path.name}, {member.name}"
            file = package.extractfile(member) if member.size <= _LARGEST else None
            data = file.read() if file is not None else None
            yield Unit(where, partial(_articles, data, where))


def _articles(data: bytes | None, where: str) -> "Iterator[etree._Element]":
    if data is None:
        raise SourceError(f"{where}: over {_LARGEST:,} bytes: such an article is not read")
    return iter_elements(BytesIO(data), PmcSource._records, where)


@contextmanager
def _packing_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{path} is a damaged or cut-off package: fetch it again") from error
