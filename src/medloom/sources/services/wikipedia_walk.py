"""Which pages stand under a category: a walk through it and its subcategories, level by level.

The walk comes first and finds page ids alone (one request for each category, and for each 500 members). All that is known
goes into the cursor: while walking, what is still to be listed and what was found; after that the ids of the pages still to
be fetched, about six characters each.
"""

import base64
import json
import re
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from medloom.errors import SourceError
from medloom.sources.services.mediawiki import MediaWiki, RefusedError, batches

MOST = 100_000
"""Pages of one category: with more, cursors would be too long to write one after every few pages."""
_MEMBERS = "500"
_ROOTS = 20
_PREFIX = re.compile(r"(?i)^\s*category\s*:")
_REDIRECTS = (
    re.compile(r"^\s*#\s*\w+\s*:?\s*\[\[\s*:?\s*([^|\]#]+)"),
    re.compile(r"(?i)\{\{\s*(?:category|cat)[ _-]?redir(?:ect)?\s*\|\s*(?:1\s*=\s*)?:?\s*([^|{}]+)"),
)
"""A category that has moved says so as pages do, or by a template (and MediaWiki does not follow either)."""


@dataclass(frozen=True)
class Category:
    """What one shard asks for.

    Attributes:
        name: As the settings give it, without the namespace.
        starts: Titles to begin at: the category, and the one that it has moved to; none if the wiki does not have it.
        depth: Levels of subcategories.
        most: Pages to take.
        since: Only what is new or changed since that day (ISO 8601); empty for all.
    """

    name: str
    starts: tuple[str, ...] = ()
    depth: int = 1
    most: int = MOST
    since: str = ""


@dataclass
class Walk:
    """How far a category has been walked through.

    Attributes:
        pending: Categories still to be listed: title, levels below it, and whether all in it is new.
        at: Where to go on in the first of them.
        seen: Categories that were met, so that circles end.
        found: Ids of pages, in the order in which they were met.
        new: Ids of pages that came into the category since the day asked for.
        walked: Whether all are found.
        total: How many they are, once they are.
    """

    pending: list[tuple[str, int, bool]]
    at: str = ""
    seen: dict[str, None] = field(default_factory=dict)
    found: dict[int, None] = field(default_factory=dict)
    new: dict[int, None] = field(default_factory=dict)
    walked: bool = False
    total: int = 0

    @classmethod
    def begun(cls, category: Category, cursor: str | None) -> "Walk":
        """The walk at a cursor, or at its beginning."""
        if cursor is None:
            start = [(title, category.depth, False) for title in category.starts]
            return cls(start, seen=dict.fromkeys(category.starts), walked=not start)
        said = json.loads(cursor)
        pending = [(str(title), int(levels), bool(new)) for title, levels, new in said["pending"]]
        found, new = (dict.fromkeys(unpacked(said[name])) for name in ("found", "new"))
        return cls(pending, said["at"], dict.fromkeys(said["seen"]), found, new, said["walked"], said["total"])

    def cursor(self, done: int = 0) -> str:
        """What :meth:`begun` takes: all, or without the first pages that are done."""
        left = list(self.found)[done:]
        return json.dumps(
            {
                "pending": self.pending,
                "at": self.at,
                "seen": [] if self.walked else list(self.seen),
                "found": packed(left),
                "new": packed(self.new),
                "walked": self.walked,
                "total": self.total,
            }
        )

    def step(self, wiki: MediaWiki, category: Category, unwanted: tuple[str, ...]) -> int:
        """List one stretch of one category.

        Args:
            wiki: Where.
            category: What is walked through.
            unwanted: What titles of pages begin with that are not wanted, in lower case.

        Returns:
            How many pages were passed over for their title.
        """
        title, levels, new = self.pending[0]
        answer = self._listed(wiki, title, levels)
        passed = 0
        for member in answer.get("query", {}).get("categorymembers", ()):
            is_new = new or bool(category.since and str(member.get("timestamp", ""))[:10] >= category.since)
            if member.get("type") == "subcat":
                self._meet(str(member["title"]), levels - 1, is_new)
            elif member.get("ns") == 0 and str(member["title"]).lower().startswith(unwanted):
                passed += 1
            elif member.get("ns") == 0:
                self._take(int(member["pageid"]), is_new, category.most)
        self.at = str(answer.get("continue", {}).get("cmcontinue", ""))
        if not self.at:
            del self.pending[0]
        if not self.pending or len(self.found) >= category.most:
            self.pending, self.at, self.walked, self.total = [], "", True, len(self.found)
        return passed

    def _listed(self, wiki: MediaWiki, title: str, levels: int) -> dict[str, Any]:
        asked = {
            "action": "query",
            "list": "categorymembers",
            "cmtitle": title,
            "cmprop": "ids|title|type|timestamp",
            "cmtype": "page|subcat" if levels else "page",
            "cmlimit": _MEMBERS,
        }
        try:
            return wiki.ask(asked | ({"cmcontinue": self.at} if self.at else {}))
        except RefusedError as error:
            if not self.at or error.code != "badcontinue":
                raise
            return wiki.ask(asked)

    def _meet(self, title: str, levels: int, new: bool) -> None:
        if title not in self.seen:
            self.seen[title] = None
            self.pending.append((title, levels, new))

    def _take(self, number: int, new: bool, most: int) -> None:
        if len(self.found) < most:
            self.found[number] = None
            if new:
                self.new[number] = None


def plain_name(name: str) -> str:
    """A category's name without its namespace, and with blanks for the underscores of addresses."""
    return " ".join(_PREFIX.sub("", name).replace("_", " ").split())


def starts_of(wiki: MediaWiki, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Where to begin for each category: its title, and that of the category that it has moved to.

    Returns:
        By name; nothing for a category that the wiki does not have, or that is empty and has not moved.
    """
    starts: dict[str, tuple[str, ...]] = {}
    for some in batches(names, _ROOTS):
        asked = {
            "titles": "|".join(f"Category:{name}" for name in some),
            "prop": "categoryinfo|revisions",
            "rvprop": "content",
            "rvslots": "main",
        }
        titles: dict[str, str] = {}
        found: dict[str, dict[str, Any]] = {}
        for answer in wiki.answers(asked):
            titles |= {one["from"]: one["to"] for one in answer.get("normalized", ())}
            for page in answer.get("pages", ()):
                found[page["title"]] = found.get(page["title"], {}) | page
        for name in some:
            title = titles.get(f"Category:{name}", f"Category:{name}")
            starts[name] = _starts(title, found.get(title, {}))
    return starts


def _starts(title: str, page: dict[str, Any]) -> tuple[str, ...]:
    size = page.get("categoryinfo", {})
    own = (title,) if size.get("pages", 0) or size.get("subcats", 0) else ()
    text = next((r.get("slots", {}).get("main", {}).get("content", "") for r in page.get("revisions", ())), "")
    target = next((match[1].strip() for pattern in _REDIRECTS if (match := pattern.search(text))), "")
    if not target:
        return own
    return (*own, target if ":" in target else f"Category:{target}")


def packed(numbers: Iterable[int]) -> str:
    """Page ids as short text."""
    return base64.b85encode(zlib.compress(array("Q", numbers).tobytes(), 1)).decode("ascii")


def unpacked(text: str) -> list[int]:
    """The inverse of :func:`packed`.

    Raises:
        SourceError: The text is none of its.
    """
    numbers = array("Q")
    try:
        numbers.frombytes(zlib.decompress(base64.b85decode(text)))
    except (ValueError, zlib.error):
        raise SourceError(
            "the journal of this collection holds a damaged list of pages: collect into another folder"
        ) from None
    return numbers.tolist()
