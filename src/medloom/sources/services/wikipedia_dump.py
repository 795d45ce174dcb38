"""Dumps of a wiki's pages (``pages-articles.xml.bz2``): articles under categories, in two passes and flat memory.

The first pass reads which category stands under which, by hash: 16 bytes for each link. The second gives the articles. A
dump holds wikitext, so a page is known to be in a category where it links to it itself, not where a template puts it there.
"""

import base64
import bz2
import json
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from medloom.collect.pages import Page, Reject, Shard
from medloom.errors import SourceError
from medloom.identity import text_hash
from medloom.records import Document
from medloom.sources.formats.wikipedia_wikitext import is_disambiguation, links_to, wikitext_sections
from medloom.text.inline import name_of
from medloom.text.xml import iter_elements

if TYPE_CHECKING:
    from lxml import etree

    from medloom.text.xml import Readable

_ENDINGS = (".xml", ".xml.bz2", ".xml.gz")
_PAGES, _DOCUMENTS = 10_000, 500
"""A page of a collection is so many pages of the dump, or so many documents."""
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_CATEGORY, _FILE = "14", "6"


@dataclass
class _Site:
    """What a dump says of its wiki.

    Attributes:
        address: What titles are put behind, to link a page.
        categories: Names of the namespace of categories.
        hidden: Names of the namespaces whose links are no text.
    """

    address: str = ""
    categories: tuple[str, ...] = ("Category",)
    hidden: tuple[str, ...] = ()

    @classmethod
    def of(cls, element: "etree._Element") -> "_Site":
        """From ``siteinfo``."""
        names = {e.get("key"): e.text or "" for e in element.iter() if name_of(e) == "namespace"}
        own = tuple(name for key in (_CATEGORY, _FILE) if (name := names.get(key, "")))
        base = next((e.text or "" for e in element if name_of(e) == "base"), "")
        address = f"{base.rpartition('/')[0]}/" if base else ""
        return cls(address, tuple(dict.fromkeys(("Category", names.get(_CATEGORY) or "Category"))), own)


@dataclass
class _Entry:
    """A page of a dump."""

    element: "etree._Element"
    values: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for child in self.element:
            name = name_of(child)
            if name == "revision":
                self.values |= {f"revision {name_of(one)}": one.text or "" for one in child}
            else:
                self.values[name] = child.text or ""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "").strip()


@dataclass
class _Batch:
    """What a stretch of a dump gives."""

    documents: list[Document] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, made: Document | Reject | str) -> None:
        """Take a document, a reject, or the reason for which a page was passed over; an empty one is none."""
        if isinstance(made, Document):
            self.documents.append(made)
        elif isinstance(made, Reject):
            self.rejects.append(made)
        elif made:
            self.counts[made] = self.counts.get(made, 0) + 1

    def page(self, cursor: str | None) -> Page:
        """All of it as a page."""
        return Page(self.documents, cursor, self.rejects, (), self.counts)


@dataclass(frozen=True)
class Dump:
    """Dump files of one wiki.

    Args:
        files: In order.
        source: Name of the source.
        depths: Levels of subcategories to take, by category; all articles are taken if it is empty.
        unwanted: What titles begin with that are not wanted, in lower case.
        licence: Of the text.
    """

    files: tuple[Path, ...]
    source: str
    depths: Mapping[str, int]
    unwanted: tuple[str, ...]
    licence: str

    def shards(self) -> list[Shard]:
        """One for each file, with the hashes of the categories that count for each category asked for.

        Raises:
            SourceError: A dump is damaged, or holds nothing under any of the categories.
        """
        under = {name: base64.b64encode(numbers.tobytes()).decode() for name, numbers in self._under().items()}
        values = ({"file": number, "under": under} for number in range(len(self.files)))
        return [Shard(f"file {path.name}", json.dumps(value)) for path, value in zip(self.files, values, strict=True)]

    def pages(self, shard: Shard, cursor: str | None) -> Iterator[Page]:
        """Yield the documents of a file; a cursor is how many of its pages were read."""
        said = json.loads(shard.value)
        path, under = self.files[said["file"]], _by_hash(said["under"])
        done, batch = int(cursor or 0), _Batch()
        for read, (site, entry) in enumerate(_entries(path), start=1):
            if read > done and entry["ns"] == "0":
                batch.add(self._made(site, entry, under, f"{path.name}, page {entry['id']}"))
            if read - done >= _PAGES or len(batch.documents) >= _DOCUMENTS:
                yield batch.page(str(read))
                done, batch = read, _Batch()
        yield batch.page(None)

    def _made(self, site: _Site, entry: _Entry, under: Mapping[int, tuple[str, ...]], where: str) -> Document | Reject | str:
        """A page as a document; a reject if it is damaged, a reason if it is not wanted, empty if it is not asked for."""
        text = entry["revision text"]
        hashes = [_hash(name) for name in links_to(text, site.categories)] if self.depths else []
        categories = tuple(dict.fromkeys(name for one in hashes for name in under.get(one, ())))
        if self.depths and not categories:
            return ""
        if reason := self._passed_over(entry, text):
            return reason
        if not entry["id"].isdigit() or not entry["title"]:
            return Reject(where, "a page without id or title", text)
        sections = wikitext_sections(text, site.hidden)
        if not sections:
            return Reject(where, "a page without text", text)
        facts = {
            "url": site.address + quote(entry["title"].replace(" ", "_")) if site.address else "",
            "updated": entry["revision timestamp"][:10],
            "licence": self.licence,
            "language": entry.element.getroottree().getroot().get(_LANGUAGE, ""),
        }
        return Document(
            id=entry["id"],
            source=self.source,
            title=entry["title"],
            text=next((s.text for s in sections if not s.heading), ""),
            group=entry["id"],
            sections=sections,
            categories=categories,
            revision=entry["revision id"],
            metadata=tuple((name, value) for name, value in facts.items() if value),
        )

    def _passed_over(self, entry: _Entry, text: str) -> str:
        if "redirect" in entry.values:
            return "redirect"
        if is_disambiguation(text):
            return "disambiguation"
        return "title not wanted" if entry["title"].lower().startswith(self.unwanted) else ""

    def _under(self) -> dict[str, "np.ndarray[Any, np.dtype[np.uint64]]"]:
        """For each category asked for, the hashes of it and of those up to its depth below it."""
        children, parents = self._links if any(self.depths.values()) else (np.empty(0, np.uint64),) * 2
        found = {}
        for name, depth in self.depths.items():
            known = level = np.array([_hash(name)], np.uint64)
            for _ in range(depth):
                level = np.setdiff1d(children[np.isin(parents, level)], known)
                known = np.union1d(known, level)
            found[name] = known
        return found

    @cached_property
    def _links(self) -> tuple["np.ndarray[Any, np.dtype[np.uint64]]", "np.ndarray[Any, np.dtype[np.uint64]]"]:
        """Which category stands in which: hashes of the one and of the other."""
        children, parents = array("Q"), array("Q")
        for path in self.files:
            for site, entry in _entries(path):
                if entry["ns"] != _CATEGORY:
                    continue
                own = _hash(entry["title"].partition(":")[2])
                for name in links_to(entry["revision text"], site.categories):
                    children.append(own)
                    parents.append(_hash(name))
        return np.array(children, np.uint64), np.array(parents, np.uint64)


def is_dump(path: Path) -> bool:
    """Whether a file is a dump, by its name."""
    return path.name.endswith(_ENDINGS)


def _entries(path: Path) -> Iterator[tuple[_Site, _Entry]]:
    site = _Site()
    with _opened(path) as file:
        for element in iter_elements(file, ("siteinfo", "page"), path.name):
            if name_of(element) == "siteinfo":
                site = _Site.of(element)
            else:
                yield site, _Entry(element)


@contextmanager
def _opened(path: Path) -> Iterator["Readable"]:
    try:
        with bz2.open(path, "rb") if path.suffix == ".bz2" else path.open("rb") as file:
            yield file
    except (OSError, EOFError):
        raise SourceError(f"{path.name} cannot be read, or is damaged or cut off: fetch it again") from None


def _by_hash(under: Mapping[str, str]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for name, packed in under.items():
        for one in np.frombuffer(base64.b64decode(packed), np.uint64).tolist():
            found[one] = (*found.get(one, ()), name)
    return found


def _hash(category: str) -> int:
    """Of a category's name, which begins with a capital whatever the link to it says."""
    name = " ".join(category.replace("_", " ").split())
    return int.from_bytes(text_hash(name[:1].upper() + name[1:], 8), "little")
