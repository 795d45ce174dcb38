"""The interface of MediaWiki (``api.php``): one question at a time, continued answers, errors that come as answers."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from medloom.collect.client import Again, Response, ServiceError, place, retry_after

if TYPE_CHECKING:
    from medloom.collect.client import Client

T = TypeVar("T")
AT_ONCE = 50
"""Pages that may be named in one request by who has no higher rights."""
_LAG = 5
"""Seconds that the database's copies may be behind before the wiki asks to wait (mediawiki.org, Manual:Maxlag parameter)."""
_OLD = 4.0
"""Old revisions are rendered anew for each request: they are asked for so many times as slowly."""
_PASSING = frozenset({"maxlag", "ratelimited", "readonly", "timeouterror"})
_INTERNAL = "internal_api_error"
_LOG = logging.getLogger(__name__)
_PARSED = {"prop": "text|revid", "wrapoutputclass": "", "disableeditsection": "1", "disabletoc": "1", "sectionpreview": "1"}


class RefusedError(ServiceError):
    """The wiki answers with an error that asking again does not mend.

    Attributes:
        code: MediaWiki's word for it.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class MediaWiki:
    """A wiki that is asked.

    Args:
        client: Asks.
        api: Address of its ``api.php``.
        interval: Seconds between two requests.
    """

    client: "Client"
    api: str
    interval: float

    def ask(self, parameters: Mapping[str, str], slower: float = 1.0) -> dict[str, Any]:
        """The answer to one request.

        Args:
            parameters: Of the interface, without those that all requests share.
            slower: How many times the interval to keep.

        Raises:
            RefusedError: The wiki says that the request is wrong, or that there is no such thing.
            ServiceError: There is no usable answer.
        """
        whole = {"format": "json", "formatversion": "2", "maxlag": str(_LAG), **parameters}
        answer: dict[str, Any] = self.client.json(self.api, whole, self.interval * slower, self._check)
        return answer

    def answers(self, parameters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """What a query gives, and what it goes on with until it is complete: the ``query`` of each answer."""
        further: dict[str, str] = {}
        while True:
            answer = self.ask({"action": "query", **parameters, **further})
            yield answer.get("query", {})
            if not isinstance(answer.get("continue"), dict):
                return
            further = {name: str(value) for name, value in answer["continue"].items()}

    def pages(self, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """The pages of a query, in the wiki's order, each with all that the answers say of it.

        An answer may hold a part of the properties only, of a part of the pages: what is missing comes in the next one.
        """
        found: dict[str, dict[str, Any]] = {}
        for answer in self.answers(parameters):
            for page in answer.get("pages", ()):
                key = str(page.get("pageid") or page.get("title"))
                found[key] = found.get(key, {}) | page
        return list(found.values())

    def by_id(self, numbers: Iterable[int], parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """The pages of these ids, at most :data:`AT_ONCE`."""
        return self.pages({"pageids": "|".join(map(str, numbers)), **parameters})

    def html(self, revision: int) -> str | None:
        """A revision as HTML; None if the wiki does not have it or does not show it."""
        try:
            answer = self.ask({"action": "parse", "oldid": str(revision), **_PARSED}, slower=_OLD)
        except RefusedError:
            return None
        text = answer.get("parse", {}).get("text")
        return text if isinstance(text, str) else None

    def moments(self, revisions: Sequence[str]) -> dict[str, str]:
        """When each of some revisions was written, for those that the wiki still shows."""
        pages = self.pages({"revids": "|".join(revisions), "prop": "revisions", "rvprop": "ids|timestamp"})
        return {str(r["revid"]): str(r.get("timestamp", "")) for page in pages for r in page.get("revisions", ())}

    def version(self) -> str:
        """Name of the wiki, and version of its software."""
        general = next(self.answers({"meta": "siteinfo", "siprop": "general"}), {}).get("general", {})
        return f"{general.get('sitename', 'a wiki without a name')}, {general.get('generator', 'of unknown version')}"

    def _check(self, response: Response) -> None:
        answer = response.json()
        if not isinstance(answer, dict):
            raise Again("an answer that is no JSON object")
        for module in answer.get("warnings", ()):
            _LOG.debug("%s warns of a parameter of %s", place(self.api), module)
        if "error" not in answer:
            return
        error = answer["error"] if isinstance(answer["error"], dict) else {}
        code = str(error.get("code", "without a code"))[:80]
        if code in _PASSING or code.startswith(_INTERNAL):
            raise Again(f"an answer that reports the error {code}", retry_after(response.headers))
        raise RefusedError(f"{place(self.api)} refuses a request (error {code}): check the settings of the source", code)


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, so many at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
