"""NCBI's E-utilities: search, fetch by search or by id, and what goes wrong with them.

Terms (https://www.ncbi.nlm.nih.gov/books/NBK25497/): three requests a second, ten with a key (``NCBI_API_KEY`` in the
environment, made in the settings of an NCBI account); a name and a contact with every request; large jobs at weekends or
between 9 p.m. and 5 a.m. Eastern time.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from medloom.collect.client import CONTACT, Again, Response, ServiceError, place
from medloom.errors import SourceError

if TYPE_CHECKING:
    from medloom.collect.client import Client

API = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
KEY = "NCBI_API_KEY"
LISTED = 9_999
"""Most ids that a search of PubMed or PMC gives, by its list or by its session."""
_TOOL = "medloom"
_INTERVAL, _INTERVAL_WITH_KEY = 0.34, 0.1
_HOPELESS = re.compile(r"(?i)empty term|invalid db|not a valid|retstart")
_EXPIRED = re.compile(rb"(?i)unable to obtain query|webenv|query_?key")
_ROOT = re.compile(rb"<(?:PubmedArticleSet|pmc-articleset)\b")
_END = re.compile(rb"(?:</(?:PubmedArticleSet|pmc-articleset)>|<(?:PubmedArticleSet|pmc-articleset)[^<>]*/>)\s*\Z")
_REFUSED = 400
"""Status of a fetch by a session that is gone, of one by ids that are all unknown, and of any with a wrong key."""
_TRIES = 3
_FEW = 20
T = TypeVar("T")


class Expired(Exception):  # noqa: N818
    """The session of a search is gone."""


class Unreadable(SourceError):  # noqa: N818
    """Records came whole, several times over, and cannot be read.

    Args:
        problem: What is wrong with them.
        raw: Their beginning.
    """

    def __init__(self, problem: str, raw: str) -> None:
        super().__init__(problem)
        self.raw = raw


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        count: Records in all.
        ids: Of the first :data:`LISTED`, in the order of the search.
        session: Parameters that stand for the result while its session lasts.
    """

    count: int
    ids: list[str]
    session: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entrez:
    """One database, asked through the E-utilities.

    Args:
        client: Asks.
        api: Address of the utilities.
        database: Its name.
        interval: Seconds between two requests; what NCBI allows if None.
    """

    client: "Client"
    api: str
    database: str
    interval: float | None = None

    def count(self, query: Mapping[str, str]) -> int:
        """How many records a search finds."""
        return self._search({**query, "retmax": "0"}).count

    def search(self, query: Mapping[str, str]) -> Found:
        """Search, and keep the result on the service for a while.

        Args:
            query: ``term``, and what else narrows or orders the result.

        Raises:
            ServiceError: The service cannot make sense of the search.
        """
        return self._search({**query, "retmax": str(LISTED), "usehistory": "y"})

    def fetch(self, which: Mapping[str, str], expected: int, read: Callable[[Response], tuple[T, int]]) -> T:
        """Records in XML.

        Args:
            which: Session and range, or ``id``.
            expected: How many there should be.
            read: Reads an answer, and says how many records are in it; raises a SourceError if it is damaged.

        Raises:
            Expired: The session is gone.
            Unreadable: The answer comes whole and damaged each time.
        """
        got: list[T] = []
        bad: list[str] = []

        def check(response: Response) -> None:
            _check_records(response)
            try:
                value, n = read(response)
            except SourceError as error:
                bad.append(str(error))
                if len(bad) >= _TRIES:
                    raise Unreadable(str(error), response.body[:10_000].decode("utf-8", "replace")) from None
                raise Again("records that cannot be read") from None
            if not n and expected:
                bad.append("")
                if len(bad) < _TRIES or expected > _FEW:
                    raise Again("an empty set of records")
            got[:] = [value]

        try:
            self._post("efetch.fcgi", {**which, "retmode": "xml"}, check)
        except ServiceError as error:
            if error.status == _REFUSED and "id" not in which:
                raise Expired from None
            raise
        return got[0]

    def fetch_ids(self, ids: Sequence[str], read: Callable[[Response], tuple[T, int]]) -> T | None:
        """Records by id; None if the service knows none of them."""
        try:
            return self.fetch({"id": ",".join(ids)}, len(ids), read)
        except ServiceError as error:
            if error.status != _REFUSED:
                raise
            self.build()
            return None

    def build(self) -> str:
        """What the service calls the state of the database.

        Raises:
            ServiceError: The service refuses the key, or does not have the database.
        """
        found: list[dict[str, Any]] = []

        def check(response: Response) -> None:
            listed = _json(response).get("einforesult", {}).get("dbinfo")
            info = listed[0] if isinstance(listed, list) and listed else listed
            if not isinstance(info, dict):
                raise Again("no word of the database")
            found[:] = [info]

        self._post("einfo.fcgi", {"version": "2.0", "retmode": "json"}, check)
        facts = (found[0].get(name) for name in ("dbbuild", "lastupdate"))
        return ", ".join(str(fact) for fact in facts if fact)

    def place(self, utility: str = "efetch.fcgi") -> str:
        """Host and path of a utility, for errors."""
        return place(f"{self.api.rstrip('/')}/{utility}")

    def _search(self, query: Mapping[str, str]) -> Found:
        found: list[Found] = []

        def check(response: Response) -> None:
            found[:] = [_found(response)]

        self._post("esearch.fcgi", {**query, "retmode": "json"}, check)
        return found[0]

    def _post(self, utility: str, form: Mapping[str, str], check: Callable[[Response], None]) -> None:
        """Ask by POST: terms and ids may be long, and a key does not belong into an address."""
        contact = self.client.contact or os.environ.get(CONTACT, "")
        key = os.environ.get(KEY, "").strip()
        own = {"db": self.database, "tool": _TOOL, "email": contact, "api_key": key}
        self.client.post(
            f"{self.api.rstrip('/')}/{utility}",
            {**form, **{name: value for name, value in own.items() if value}},
            self.interval if self.interval is not None else _INTERVAL_WITH_KEY if key else _INTERVAL,
            check,
        )


def _json(response: Response) -> dict[str, Any]:
    """The object of an answer; its error texts may hold line breaks that JSON does not allow."""
    try:
        answer = json.loads(response.body, strict=False)
    except (ValueError, RecursionError):
        raise Again("an answer that is not JSON") from None
    if not isinstance(answer, dict) or "error" in answer:
        raise Again("too many requests" if b"rate limit" in response.body else "an error in place of an answer")
    return answer


def _found(response: Response) -> Found:
    result = _json(response).get("esearchresult")
    if not isinstance(result, dict):
        raise Again("no result in the answer")
    if error := str(result.get("ERROR", "")):
        if _HOPELESS.search(error):
            raise ServiceError(f"{response.place} cannot make sense of the search: check the terms of the source")
        raise Again("a search that failed")
    try:
        count, ids = int(result["count"]), [str(one) for one in result.get("idlist", [])]
    except (KeyError, TypeError, ValueError):
        raise Again("a search result without a count") from None
    session = {"WebEnv": result.get("webenv"), "query_key": result.get("querykey")}
    return Found(count, ids, {n: str(v) for n, v in session.items() if v} if all(session.values()) else {})


def _check_records(response: Response) -> None:
    """See that an answer is a whole set of records.

    Raises:
        Again: It is an error in words, a page of HTML, or broken off.
        Expired: It says that the session is gone.
    """
    start = response.body[:4_096]
    if _ROOT.search(start):
        if not _END.search(response.body[-256:]):
            raise Again("a set of records that breaks off")
    elif b"<ERROR>" in start and _EXPIRED.search(start):
        raise Expired
    else:
        raise Again("too many requests" if b"rate limit" in start else "an error in place of records")
