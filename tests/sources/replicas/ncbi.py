"""A replica of NCBI's E-utilities for PubMed and PMC, and of the folder with PubMed's files, with articles of our own.

It keeps the rules that the E-utilities' documentation states, and what they are known to do: at most 9,999 ids of a search,
whether by its list or by its session; sessions that expire (``Unable to obtain query #1`` with status 200); errors of a
search with a line break within their JSON; status 400 for a wrong key or when no id is known; ids that are not there are
left out of PubMed's answer and named in PMC's. Files are listed in a page of HTML and come with MD5, ETag and ranges.

Any term finds articles: as many as told, other ones for each term, the same in every run.
"""

import gzip
import hashlib
import json
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.replica import Answer, Fault, Replica, Request, replica
from tests.sources.replicas.ncbi_texts import PMC_SET, PUBMED_SET, pmc_record, pubmed_record

API = "/entrez/eutils"
BASELINE = "/pubmed/baseline/"
UPDATES = "/pubmed/updatefiles/"
_LIMIT = 9_999
_PER_TERM = 100_000
_TERMS = 40_000
_NEWEST = date(2026, 11, 1)
_RANGE = re.compile(r'^\((.+)\) AND \("(\d+)/(\d+)/(\d+)"\[(edat|pmcrdat)\] : "(\d+)/(\d+)/(\d+)"\[\5\]\)$', re.DOTALL)
_OPEN = re.compile(r"^\((.+)\) AND open access\[filter\]$", re.DOTALL)
HISTORY_GONE = Answer(b"<eFetchResult><ERROR>Cannot retrieve history data. query_key: 1</ERROR></eFetchResult>", 400)
EXPIRED = Answer(
    b'<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE eEfetchResult PUBLIC "-//NLM//DTD efetch 20131226//EN" '
    b'"https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20131226/efetch.dtd">\n<eFetchResult>\n\t<ERROR>Unable to obtain query '
    b"#1</ERROR>\n</eFetchResult>"
)
RATE_LIMIT = b'{"error":"API rate limit exceeded","api-key":"127.0.0.1","count":"4","limit":"3"}'
BACKEND = b'{"header":{"type":"esearch","version":"0.3"},"esearchresult":{"ERROR":"Search Backend failed: \nno answer"}}'


_DATABASES: dict[str, tuple[str, Callable[[int, str, str], str]]] = {
    "pubmed": (PUBMED_SET, pubmed_record),
    "pmc": (PMC_SET, pmc_record),
}


@dataclass
class Ncbi:
    """What the services have.

    Attributes:
        found: Articles that a term finds; ``default`` for terms that are not named.
        default: See ``found``.
        per_day: Articles of a term that entered on one day, the newest first.
        own: By database, records of a test by id, in place of made ones; the term ``own`` finds them.
        gone: Ids that a fetch no longer gives.
        changed: Ids of records that have been changed, with the sentence that is new; a search by day of change finds them.
        left_out: Ids that a fetch by session leaves out, and one by id gives.
        session_fetches: How many fetches a session lasts.
        expired: Answer to a fetch by a session that has gone: in words with status 200, or status 400.
        keys: Keys that are known.
        files: By path, what the file service has.
        days: By path, the day of a file.
    """

    found: dict[str, int] = field(default_factory=dict)
    default: int = 30
    per_day: int = 10
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    changed: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    session_fetches: int = 1_000_000
    expired: Answer = EXPIRED
    keys: set[str] = field(default_factory=lambda: {"known"})
    files: dict[str, bytes] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)
    _topics: dict[int, str] = field(default_factory=dict)
    _sessions: dict[str, tuple[list[str], int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ids(self, term: str, database: str = "pubmed") -> list[str]:
        """What a term finds, the newest first."""
        if term == "own":
            return list(self.own.get(database, {}))
        number = zlib.crc32(term.encode()) % _TERMS
        self._topics[number] = term
        start = (number + 1) * _PER_TERM
        return [str(start + n) for n in range(self.found.get(term, self.default))]

    def answer(self, request: Request) -> Answer:
        """The answer to a request."""
        if not request.path.startswith(API):
            return self._file(request)
        query = request.query
        if query.get("api_key") and query["api_key"] not in self.keys:
            return Answer(b'{"error":"API key invalid","api-key":"?"}', 400)
        if query.get("db") not in _DATABASES:
            return Answer(b'{"esearchresult":{"ERROR":"Invalid db name specified: ?"}}')
        with self._lock:
            return {"esearch": self._search, "efetch": self._fetch, "einfo": self._info}[_utility(request)](query)

    def _info(self, query: Mapping[str, str]) -> Answer:
        info = {"dbname": query["db"], "dbbuild": f"Build-{query['db']}-7", "count": "9", "lastupdate": "2026/11/01 03:00"}
        return _json({"header": {"type": "einfo", "version": "0.3"}, "einforesult": {"dbinfo": [info]}})

    def _search(self, query: Mapping[str, str]) -> Answer:
        start, most = int(query.get("retstart", "0")), int(query.get("retmax", "20"))
        if start > _LIMIT - 1:
            return Answer(b'{"esearchresult":{"ERROR":"\'retstart\' cannot be larger than 9998\nsee the help"}}')
        if not query.get("term"):
            return Answer(b'{"esearchresult":{"ERROR":"Empty term and query_key - nothing todo"}}')
        ids = self._matching(query)
        result: dict[str, object] = {"count": str(len(ids)), "retmax": str(most), "retstart": str(start)}
        if query.get("usehistory") == "y":
            session = f"MCID_{len(self._sessions):08x}"
            self._sessions[session] = (ids, 0)
            result |= {"querykey": "1", "webenv": session}
        return _json({"esearchresult": {**result, "idlist": ids[:_LIMIT][start : start + most], "translationset": []}})

    def _matching(self, query: Mapping[str, str]) -> list[str]:
        term, first, last = query["term"], date.min, date.max
        if bounded := _RANGE.match(term):
            term, (y, m, d), (y2, m2, d2) = bounded[1], bounded.groups()[1:4], bounded.groups()[5:8]
            first, last = date(int(y), int(m), int(d)), date(int(y2), int(m2), int(d2))
        if opened := _OPEN.match(term):
            term = opened[1]
        ids = self.ids(term, query["db"])
        if query.get("datetype") == "mdat":
            ids = [one for one in ids if one in self.changed]
        if first == date.min:
            return ids
        days = (_NEWEST - timedelta(days=n // self.per_day) for n in range(len(ids)))
        return [one for one, day in zip(ids, days, strict=True) if first <= day <= last]

    def _fetch(self, query: Mapping[str, str]) -> Answer:
        if "id" in query:
            ids = [one for one in query["id"].split(",") if one]
            known = [one for one in ids if one not in self.gone]
            if not known and query["db"] == "pubmed":
                return Answer(b"ID list is empty! Possibly it has no correct IDs.", 400)
            return self._records(query["db"], known, ids)
        session, fetches = self._sessions.get(query.get("WebEnv", ""), ([], self.session_fetches))
        if fetches >= self.session_fetches:
            return self.expired
        self._sessions[query["WebEnv"]] = (session, fetches + 1)
        start, most = int(query.get("retstart", "0")), int(query.get("retmax", "20"))
        ids = session[:_LIMIT][start : start + most]
        return self._records(query["db"], [one for one in ids if one not in self.gone | self.left_out], [])

    def _records(self, database: str, ids: list[str], asked: list[str]) -> Answer:
        form, make = _DATABASES[database]
        records = [self._record(database, one, make) for one in ids]
        if database == "pmc":
            records += [
                f'<error id="{one}">The following PMCID is not available: {one}</error>' for one in asked if one in self.gone
            ]
        return Answer((form % "".join(records)).encode(), headers={"Content-Type": "text/xml; charset=UTF-8"})

    def _record(self, database: str, uid: str, make: Callable[[int, str, str], str]) -> str:
        made = self.own.get(database, {}).get(uid)
        topic = self._topics.get(int(uid) // _PER_TERM - 1, "linden tea")
        return made if made is not None else make(int(uid), topic, self.changed.get(uid, ""))

    def publish(self, path: str, records: list[str], day: str) -> None:
        """Put a file of PubMed records into the folder of files, with its MD5."""
        data = gzip.compress((PUBMED_SET % "\n".join(records)).encode(), mtime=0)
        name = path.rpartition("/")[2]
        self.files[path] = data
        self.files[f"{path}.md5"] = f"MD5({name})= {hashlib.md5(data).hexdigest()}\n".encode()
        self.days[path] = self.days[f"{path}.md5"] = day

    def _file(self, request: Request) -> Answer:
        path = request.path
        if path.endswith("/"):
            return Answer(self._listing(path).encode(), headers={"Content-Type": "text/html"})
        data = self.files.get(path)
        if data is None:
            return Answer(b"no such file", 404)
        tag = f'"{hashlib.md5(data).hexdigest()[:12]}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes"}
        if request.headers.get("if-none-match") == tag:
            return Answer(b"", 304, headers)
        start = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if start is None or request.headers.get("if-range", tag) != tag:
            return Answer(data, 200, headers)
        if int(start[1]) >= len(data):
            return Answer(b"", 416, headers)
        return Answer(data[int(start[1]) :], 206, headers)

    def _listing(self, folder: str) -> str:
        rows = [
            '<a href="/pubmed/">Parent Directory</a>                             -',
            '<a href="README.txt">README.txt</a>',
        ]
        for path, data in sorted(self.files.items()):
            if path.startswith(folder):
                name = path.removeprefix(folder)
                rows.append(f'<a href="{name}">{name}</a>   {self.days[path]} 14:48  {len(data)}')
        return (
            f"<html><body><h1>Index of {folder}</h1><pre>Name  Last modified  Size <hr>" + "\n".join(rows) + "</pre></html>"
        )


def _utility(request: Request) -> str:
    return request.path.rpartition("/")[2].removesuffix(".fcgi")


def _json(value: object) -> Answer:
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


@contextmanager
def serve(n: int, faults: Mapping[int, Fault] | None = None) -> Iterator[Replica]:
    """Run a replica in which every search term finds ``n`` articles in PubMed and in PMC.

    The E-utilities are at ``Replica.url + API``: give that as ``api`` of the sources, with ``interval=0``. The texts are
    distinct, and name their term, so that every task that is built from search terms can be built from them.
    """
    with replica(Ncbi(default=n).answer, faults) as running:
        yield running
