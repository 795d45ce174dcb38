"""Wikipedia: its articles under the categories asked for, with their sections.

For: title - text, heading - section, paragraph - next paragraph; categories are labels of the benchmark. Fetched through
MediaWiki's interface as plain text (TextExtracts), or read from a dump file. Any wiki under MediaWiki will do. The text is
under CC BY-SA 4.0: name the article and link it (``url`` in the metadata), and pass the licence on. Wikimedia asks for a
User-Agent with a contact, one request after the other, and a dump for whoever wants very many pages.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from medloom.collect.client import ServiceError, place
from medloom.collect.pages import Locked, Page, Reject, Shard
from medloom.errors import SourceError
from medloom.records import Document
from medloom.sources.base import Release, SourceConfig
from medloom.sources.fetched import FetchedSource
from medloom.sources.formats.wikipedia_text import extract_of, sections_of
from medloom.sources.services.mediawiki import AT_ONCE, MediaWiki, batches
from medloom.sources.services.wikipedia_dump import Dump, is_dump
from medloom.sources.services.wikipedia_walk import MOST, Category, Walk, plain_name, starts_of
from medloom.sources.table import OnError, Paths, digests, files_of

if TYPE_CHECKING:
    from medloom.collect.client import Client

Depth = Annotated[int, Field(ge=0, le=10)]
Most = Annotated[int, Field(ge=1, le=MOST)]
_LOCKED = 200
_DELETED = "deleted pages"
_KNOWN = {"prop": "info|pageprops|revisions", "inprop": "url", "ppprop": "disambiguation", "rvprop": "ids|timestamp"}
_TEXT = {**_KNOWN, "prop": f"{_KNOWN['prop']}|extracts", "explaintext": "1", "exsectionformat": "wiki", "exlimit": "1"}


class WikipediaSource(FetchedSource):
    """Articles as documents with headed sections.

    Each category is a shard. It is walked through first, level by level; then its pages are looked up, fifty at a time, and
    fetched, one request each: TextExtracts gives no more than one whole page at a time. The cursor holds the pages left.
    """

    type: Literal["wikipedia"] = "wikipedia"
    path: Paths | None = Field(
        default=None,
        description="A dump (pages-articles.xml, .bz2, .gz), a folder of its parts, or a list; the wiki is asked if "
        "it is not set. Of a dump all articles are taken if there are no categories.",
    )
    api: str = Field(default="https://en.wikipedia.org/w/api.php", description="Address of the wiki's api.php.")
    categories: tuple[str, ...] = Field(default=(), description="Categories, with or without the word Category before them.")
    depth: Depth | dict[str, Depth] = Field(
        default=1,
        description="Levels of subcategories to take with a category: 0 for none; or by category, 1 for those not named.",
    )
    most: Most | dict[str, Most] = Field(
        default=MOST,
        description="Pages to take from a category of the wiki, the nearest levels first, before any is left out; or by "
        "category, 100,000 for those not named. Not for dumps.",
    )
    redirects: bool = Field(
        default=False,
        description="Whether a redirect in a category stands for the page that it leads to; else it is left out.",
    )
    without_titles: tuple[str, ...] = Field(
        default=("List of", "Lists of", "Index of", "Outline of", "Timeline of"),
        description="Pages whose titles begin so are left out: they hold links, not text.",
    )
    licence: str = Field(default="cc-by-sa-4.0", description="Licence of the text.")
    interval: float = Field(default=0.5, ge=0, description="Seconds between two requests.")
    on_error: OnError = Field(
        default="fail",
        description="A category that the wiki does not have stops the run, or is put down in rejects.jsonl; a page that "
        "cannot be read is always put down there.",
    )
    version: str = Field(default="", description="Date of a dump, for report and card.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        names = [plain_name(name) for name in self.categories]
        if not names and self.path is None:
            raise ValueError("categories are missing: name those whose pages are wanted, or give path")
        if not all(names):
            raise ValueError("a category is empty: leave it out")
        for setting in (self.depth, self.most):
            if isinstance(setting, dict) and (unknown := {plain_name(n) for n in setting} - set(names)):
                raise ValueError(f"{', '.join(sorted(unknown))}: name only what stands in categories")
        return self

    @property
    def locked_at_once(self) -> int | None:
        """See :class:`medloom.collect.pages.Paged`; files are read once for all of a lock."""
        return _LOCKED if self.path is None else None

    def release(self) -> Release:
        """Terms and citation."""
        return Release(
            name="Wikipedia",
            version=self.version or ("not stated" if self.path is not None else "as fetched"),
            licence="CC BY-SA 4.0: name and link the article, pass the licence on",
            citation="Wikipedia contributors. Wikipedia, The Free Encyclopedia. Wikimedia Foundation.",
            url="https://www.wikipedia.org",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of every file, or what is asked for."""
        asked = super().inputs()
        return asked if self.path is None else asked | digests(self._files())

    def shards(self, client: "Client", since: date | None) -> Sequence[Shard]:
        """See :class:`medloom.collect.pages.Paged`: each category; of dumps each file.

        Raises:
            SourceError: The wiki does not have a category, or a dump is to be brought up to date.
        """
        if self.path is not None:
            SourceConfig.shards(self, client, since)
            return self._dump().shards()
        wiki, day = self._wiki(client), since.isoformat() if since else ""
        names = [plain_name(name) for name in self.categories]
        starts = starts_of(wiki, names)
        if self.on_error == "fail" and (lacking := [name for name in names if not starts[name]]):
            raise SourceError(
                f"source {self.name}: {place(self.api)} has no such category, or nothing in it: {', '.join(lacking)}: check "
                "the names, or set on_error: skip to go on without"
            )
        asked = [
            Category(name, starts[name], _by_name(self.depth, name, 1), _by_name(self.most, name, MOST), day)
            for name in names
        ]
        shards = [Shard(f"category {category.name}", json.dumps(asdict(category))) for category in asked]
        return [Shard(_DELETED, json.dumps(asdict(Category("", since=day)))), *shards] if since else shards

    def pages(self, client: "Client", shard: Shard, cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`."""
        if self.path is not None:
            yield from self._dump().pages(shard, cursor)
            return
        said = json.loads(shard.value)
        category, wiki = Category(**said | {"starts": tuple(said["starts"])}), self._wiki(client)
        if shard.key == _DELETED:
            yield from self._deleted(wiki, category.since, cursor)
        elif not category.starts:
            yield Page([], None, [Reject(f"{place(self.api)}, category {category.name}", "the wiki has no such category")])
        else:
            yield from self._category(wiki, category, Walk.begun(category, cursor))

    def locked_pages(self, client: "Client", wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        """See :class:`medloom.collect.pages.Paged`: old revisions are rendered by the templates of today."""
        if self.path is not None:
            yield from super().locked_pages(client, wanted, cursor)
            return
        wiki, done = self._wiki(client), int(cursor or 0)
        numbered = [one for one in wanted if one.id.isdigit() and one.revision.isdigit()]
        for some in batches(numbered[done:], AT_ONCE):
            done += len(some)
            yield replace(self._locked(wiki, some), cursor=str(done))
        yield Page([], None)

    def service_version(self, client: "Client") -> str:
        """See :class:`medloom.collect.pages.Paged`: name of the wiki, version of its software."""
        return self.version if self.path is not None else self._wiki(client).version()

    def _wiki(self, client: "Client") -> MediaWiki:
        return MediaWiki(client, self.api, self.interval)

    def _files(self) -> list[Path]:
        return files_of(self.name, self.path or (), self._folder, is_dump, " or dumps (XML)")

    def _dump(self) -> Dump:
        depths = {name: _by_name(self.depth, name, 1) for name in map(plain_name, self.categories)}
        return Dump(tuple(self._files()), self.name, depths, self._unwanted, self.licence)

    @property
    def _unwanted(self) -> tuple[str, ...]:
        return tuple(f"{start.strip().lower()} " for start in self.without_titles if start.strip())

    def _category(self, wiki: MediaWiki, category: Category, walk: Walk) -> Iterator[Page]:
        while not walk.walked:
            passed = walk.step(wiki, category, self._unwanted)
            yield Page([], walk.cursor(), counts={"title not wanted": passed} if passed else {})
        done = 0
        for some in batches(list(walk.found), AT_ONCE):
            done += len(some)
            yield replace(self._fetched(wiki, some, category, walk.new), cursor=walk.cursor(done), total=walk.total)
        yield Page([], None, total=walk.total)

    def _fetched(self, wiki: MediaWiki, numbers: Sequence[int], category: Category, new: Mapping[int, None]) -> Page:
        """The documents of some pages, as far as they are wanted."""
        page = Page([], None)
        documents, rejects, gone, counts = [], [], [], page.counts
        asked = _KNOWN | ({"redirects": "1"} if self.redirects else {})
        for known in wiki.by_id(numbers, asked):
            if reason := _passed_over(known):
                counts[reason] = counts.get(reason, 0) + 1
                gone += [str(known["pageid"])] if "pageid" in known else []
            elif category.since and int(known["pageid"]) not in new and _moment(known)[:10] < category.since:
                counts["unchanged"] = counts.get("unchanged", 0) + 1
            elif isinstance(made := self._made(wiki, known), Document):
                documents.append(replace(made, categories=(category.name,)))
            else:
                rejects.append(made)
        return Page(documents, None, rejects, gone, counts)

    def _made(self, wiki: MediaWiki, known: dict[str, Any]) -> Document | Reject:
        """A page as it is now, as a document; a reject if the wiki cannot give its text."""
        where = f"{place(self.api)}, page {known['pageid']}"
        try:
            page = next(iter(wiki.by_id([int(known["pageid"])], _TEXT)), {})
            extract = page.get("extract")
            if extract is None and page.get("revisions"):
                extract = extract_of(wiki.html(int(page["lastrevid"])) or "")
        except ServiceError:
            wiki.by_id([int(known["pageid"])], {"prop": "info"})
            return Reject(where, "the wiki answers, but gives nothing usable for this page")
        if not page.get("revisions"):
            return Reject(where, "the page was deleted while it was asked for")
        document = self._document(page, str(extract))
        return document if document.sections else Reject(where, "the wiki gives no text of this page")

    def _document(self, page: dict[str, Any], extract: str) -> Document:
        facts = {
            "url": page.get("canonicalurl", ""),
            "updated": _moment(page)[:10],
            "licence": self.licence,
            "language": page.get("pagelanguage", ""),
        }
        identity = str(page["pageid"])
        sections = sections_of(extract)
        return Document(
            id=identity,
            source=self.name,
            title=str(page["title"]),
            text=next((s.text for s in sections if not s.heading), ""),
            group=identity,
            sections=sections,
            revision=str(page["revisions"][0]["revid"]),
            metadata=tuple((name, value) for name, value in facts.items() if value),
        )

    def _locked(self, wiki: MediaWiki, some: Sequence[Locked]) -> Page:
        made: list[Document | Reject] = []
        known = {str(page.get("pageid")): page for page in wiki.by_id([int(one.id) for one in some], _KNOWN)}
        there = [one for one in some if known.get(one.id, {}).get("revisions")]
        older = [one.revision for one in there if str(known[one.id]["lastrevid"]) != one.revision]
        moments = wiki.moments(older) if older else {}
        for one in there:
            text = wiki.html(int(one.revision)) if one.revision in moments else None
            if text is None:
                made.append(self._made(wiki, known[one.id]))
            else:
                revision = {"revid": one.revision, "timestamp": moments[one.revision]}
                made.append(self._document(known[one.id] | {"revisions": [revision]}, extract_of(text)))
        documents = [one for one in made if isinstance(one, Document)]
        return Page(documents, None, [one for one in made if isinstance(one, Reject)])

    def _deleted(self, wiki: MediaWiki, since: str, cursor: str | None) -> Iterator[Page]:
        """Ids of pages that were deleted since a day and have not come back."""
        asked = {
            "action": "query",
            "list": "logevents",
            "leaction": "delete/delete",
            "leprop": "ids|title|timestamp|type",
            "leend": f"{since}T00:00:00Z",
            "lenamespace": "0",
            "lelimit": "500",
        }
        at = cursor or ""
        while True:
            answer = wiki.ask(asked | ({"lecontinue": at} if at else {}))
            numbers = {int(event.get("logpage") or 0) for event in answer.get("query", {}).get("logevents", ())} - {0}
            pages = [page for some in batches(sorted(numbers), AT_ONCE) for page in wiki.by_id(some, {"prop": "info"})]
            at = str(answer.get("continue", {}).get("lecontinue", ""))
            yield Page([], at or None, gone=[str(page["pageid"]) for page in pages if page.get("missing")])
            if not at:
                return


def _by_name(setting: int | Mapping[str, int], name: str, default: int) -> int:
    if isinstance(setting, int):
        return setting
    return {plain_name(given): value for given, value in setting.items()}.get(name, default)


def _passed_over(page: Mapping[str, Any]) -> str:
    """Why a page is not wanted, in a word; empty if it is."""
    if page.get("missing") or "pageid" not in page:
        return "deleted"
    if page.get("redirect"):
        return "redirect"
    if "disambiguation" in page.get("pageprops", {}):
        return "disambiguation"
    return "" if page.get("ns") == 0 and page.get("revisions") else "no article"


def _moment(page: Mapping[str, Any]) -> str:
    return str(page["revisions"][0].get("timestamp", ""))
