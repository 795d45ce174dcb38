"""A replica of the details interface of bioRxiv and medRxiv, with preprints of our own.

It does as the real one does, documented or not: a record for each version; pages of 30 whatever the help says; ``cursor`` a
number of records; counts as text, and only for ranges of days; errors and "no posts found" with status 200; no order that
one could rely on; a total that may be larger than what is given.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

from tests.replica import Answer, Replica, Request, replica

_CATEGORIES = ("infectious diseases", "epidemiology", "neuroscience", "cell biology", "public and global health")
_LICENCES = ("cc_by", "cc_by_nc_nd", "cc0", "cc_no", "cc_by_nc", "cc0_ng")
_THINGS = ("sleep", "tea", "walking", "music", "light", "salt", "cold air", "laughter")
_ENDS = ("pain", "fever", "attention", "appetite", "memory", "breathing", "healing", "balance")
_EVERY_SECOND = 5
_EVERY_THIRD = 15


def preprint(number: int, server: str = "biorxiv", version: int = 1, posted: date = date(2018, 1, 1)) -> dict[str, Any]:
    """One version of a preprint, with every field that the interface gives."""
    draw = random.Random(f"{server} {number}")
    thing, end = draw.choice(_THINGS), draw.choice(_ENDS)
    doi = f"10.1101/{2018 + number % 5}.01.{number % 28 + 1:02}.{number:06}"
    size = draw.randint(20, 900)
    return {
        "title": f"How {thing} changes {end}: observation {number}",
        "authors": "Of, T. H.; Tests, A.",
        "author_corresponding": "A. Tests",
        "author_corresponding_institution": "House of Tests",
        "doi": doi,
        "date": posted.isoformat(),
        "version": str(version),
        "type": "new results" if server == "biorxiv" else "PUBLISHAHEADOFPRINT",
        "license": draw.choice(_LICENCES),
        "category": draw.choice(_CATEGORIES),
        "jatsxml": f"https://www.{server}.org/content/early/{doi}.source.xml",
        "abstract": f"BackgroundIt is not known what {thing} does to {end} in case {number}.\n\nMethodsWe asked {size} "
        f"people in version {version}.\n\nResultsOf them {size // 2} said that {end} had changed (p<0.05).",
        "published": "NA" if number % 3 else f"10.5555/journal.{number}",
        "server": "bioRxiv" if server == "biorxiv" else "medRxiv",
    }


@dataclass
class Preprints:
    """What a server holds.

    Attributes:
        records: A record for each version; change them to change what is served.
        server: ``biorxiv`` or ``medrxiv``.
        page: Records of a page.
        inflated: How many more records each range announces than it gives.
        before: What happens just before a request, by its number from 0.
    """

    records: list[dict[str, Any]]
    server: str = "biorxiv"
    page: int = 30
    inflated: int = 0
    before: dict[int, Callable[[], None]] = field(default_factory=dict)
    asked: int = 0

    @classmethod
    def of(
        cls, n: int, server: str = "biorxiv", start: date = date(2018, 1, 1), per_day: int = 10, **settings: Any
    ) -> "Preprints":
        """A server with so many preprints; every fifth has a second version after 9 days, every 15th a third after 40."""
        records = []
        for number in range(n):
            day = start + timedelta(days=number // per_day)
            records.append(preprint(number, server, 1, day))
            if number % _EVERY_SECOND == 0:
                records.append(preprint(number, server, 2, day + timedelta(days=9)))
            if number % _EVERY_THIRD == 0:
                records.append(preprint(number, server, 3, day + timedelta(days=40)))
        return cls(records, server, **settings)

    def answer(self, request: Request) -> Answer:
        """The interface."""
        self.before.pop(self.asked, lambda: None)()
        self.asked += 1
        parts = request.path.strip("/").split("/")
        if parts[:2] != ["details", self.server]:
            return Answer(b"Error : unknown endpoint")
        if "na" in parts:
            doi = "/".join(parts[2 : parts.index("na")])
            return _json({"status": "ok", "category": "all"}, [r for r in self.records if r["doi"] == doi])
        first, last, cursor = parts[2], parts[3], int(parts[4] if len(parts) > 4 else 0)
        category = request.query.get("category", "all").replace("_", " ")
        found = [r for r in self.records if first <= r["date"] <= last and category in ("all", r["category"])]
        found.sort(key=lambda r: _place(f"{r['doi']} {r['version']}"))
        page = found[cursor : cursor + self.page]
        message = {
            "status": "ok",
            "category": category,
            "interval": f"{first}:{last}",
            "funder": "all",
            "cursor": cursor,
            "count": len(page),
            "count_new_papers": str(sum(r["version"] == "1" for r in found)),
            "total": str(len(found) + self.inflated),
        }
        return _json(message, page)


@contextmanager
def serve(n: int, server: str = "biorxiv", per_day: int = 10) -> Iterator[Replica]:
    """Run a server with so many preprints, from 2018 on (medRxiv: July 2019); its interface is at ``url``."""
    start = date(2018, 1, 1) if server == "biorxiv" else date(2019, 7, 1)
    with replica(Preprints.of(n, server, start, per_day).answer) as running:
        yield running


@cache
def _place(identity: str) -> bytes:
    """Where a record stands, in no order that means anything."""
    return hashlib.md5(identity.encode(), usedforsecurity=False).digest()


def _json(message: dict[str, Any], collection: list[dict[str, Any]]) -> Answer:
    answer = {"messages": [message if collection else {"status": "no posts found"}], "collection": collection}
    return Answer(json.dumps(answer).encode(), headers={"Content-Type": "application/json"})
