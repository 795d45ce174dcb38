"""Asks web services: by their rate limits, again where that helps, and with a name and a contact."""

import email.utils
import json
import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from medloom import __version__
from medloom.collect.turns import Turns, shared_turns
from medloom.errors import SourceError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
CONTACT = "MEDLOOM_CONTACT"
MAX_BYTES = 256_000_000
_LOG = logging.getLogger(__name__)
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_REDIRECTS = 5
_CHUNK = 1 << 16


class ServiceError(SourceError):
    """A service refuses a request, or answers nothing usable.

    Attributes:
        status: The HTTP status; 0 where there was no answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Again(Exception):  # noqa: N818
    """The answer is none: ask again.

    Args:
        reason: What was wrong with it, without its text.
        after: Seconds that the service asks to wait; None where it does not say.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Response:
    """An answer.

    Attributes:
        body: Decompressed.
        status: HTTP status.
        headers: By name in lower case.
        place: Host and path that answered, for errors: never the query, which may hold a key.
    """

    body: bytes
    status: int
    headers: Mapping[str, str]
    place: str

    def json(self) -> Any:  # noqa: ANN401
        """The body as JSON.

        Raises:
            Again: It is none, or nested without end.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Again("an answer that is not JSON") from None


Check = Callable[[Response], None]
"""Raises :class:`Again` for an answer that says in words that it is none, whatever its status."""


@dataclass(frozen=True)
class Patience:
    """How long a client tries.

    Attributes:
        seconds: For one request, all its tries and pauses together.
        first_pause: Seconds before the second try; doubled with each further one, up to a minute, times a random share
            (full jitter: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015).
        timeout: Seconds that the service may be silent within a try.
    """

    seconds: float = 900.0
    first_pause: float = _FIRST_PAUSE
    timeout: float = 60.0


@dataclass
class Asked:
    """What a client did.

    Attributes:
        requests: Sent, repeated ones included.
        repeated: Sent again after a failure.
        bytes: Received, decompressed.
    """

    requests: int = 0
    repeated: int = 0
    bytes: int = 0


@dataclass
class Client:
    """Asks services over HTTP. Proxies that the environment names are used.

    Args:
        contact: An address at which the service can reach who asks; else what ``MEDLOOM_CONTACT`` says.
        turns: Keeps the rate limits; those that all processes of the user share if not given.
        patience: How long to try.
    """

    contact: str = ""
    turns: Turns = field(default_factory=shared_turns)
    patience: Patience = field(default_factory=Patience)
    asked: Asked = field(default_factory=Asked)
    _http: "httpx.Client | None" = field(default=None, repr=False)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        interval: float = 0.0,
        check: Check | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Response:
        """Ask with GET; see :meth:`_ask`."""
        return self._ask("GET", url, {"params": dict(params or {})}, interval, check, max_bytes)

    def post(
        self,
        url: str,
        form: Mapping[str, str],
        interval: float = 0.0,
        check: Check | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Response:
        """Ask with POST and a form, for requests too long for an address; see :meth:`_ask`."""
        return self._ask("POST", url, {"data": dict(form)}, interval, check, max_bytes)

    def json(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        interval: float = 0.0,
        check: Check | None = None,
    ) -> Any:  # noqa: ANN401
        """The JSON that a GET gives; an answer that is none is asked for again."""
        found: list[Any] = []

        def checked(response: Response) -> None:
            if check is not None:
                check(response)
            found[:] = [response.json()]

        self.get(url, params, interval, checked)
        return found[0]

    def _ask(
        self, method: str, url: str, content: dict[str, Any], interval: float, check: Check | None, max_bytes: int
    ) -> Response:
        """Ask until there is an answer.

        Args:
            method: Of HTTP.
            url: Address without a query.
            content: The query or form.
            interval: Seconds between two requests to that host.
            check: Finds answers that are none.
            max_bytes: Longest body to take.

        Raises:
            ServiceError: The service refuses the request, answers nothing within the patience, or answers too much.
            SourceError: No contact is known and the service is not on this machine.
        """

        def once() -> Response:
            with self.stream(method, url, interval, **content) as answer:
                body = _body(answer, max_bytes, place(url))
            self.asked.bytes += len(body)
            response = Response(body, answer.status_code, dict(answer.headers), place(url))
            if check is not None:
                check(response)
            return response

        return self.repeat(once, url)

    def repeat(self, once: Callable[[], T], url: str) -> T:
        """Do something until it does not raise :class:`Again`.

        Args:
            once: What to do.
            url: Whom it asks.

        Raises:
            ServiceError: The patience is at an end.
        """
        host = place(url)
        end = time.monotonic() + self.patience.seconds
        tries = 0
        while True:
            tries += 1
            try:
                return once()
            except Again as error:
                pause = self._pause(tries) if error.after is None else error.after
                if time.monotonic() + pause > end:
                    raise ServiceError(
                        f"{host} gave no usable answer in {tries} tries (the last: {error}"
                        f"{_asks_for(error.after)}): what was collected is kept; give the same command again later to go on"
                    ) from None
                _LOG.info("%s: %s, again in %.1f s", host, error, pause)
                self.asked.repeated += 1
                if error.after is not None:
                    self.turns.hold(_host(url), pause)
                time.sleep(pause)

    @contextmanager
    def stream(self, method: str, url: str, interval: float = 0.0, **content: Any) -> "Iterator[httpx.Response]":  # noqa: ANN401
        """One try: the answer with its body still to be read.

        Raises:
            Again: It failed in a way that may pass.
            ServiceError: It failed in a way that will not.
        """
        import httpx

        http = self._client(url)
        self.turns.wait(_host(url), interval)
        self.asked.requests += 1
        try:
            with http.stream(method, url, **content) as answer:
                _check_status(answer, place(url))
                yield answer
        except httpx.TransportError as error:
            if isinstance(error, httpx.UnsupportedProtocol):
                raise ServiceError(f"{place(url)}: give an address that begins with http:// or https://") from None
            raise Again(type(error).__name__) from None
        except (httpx.DecodingError, httpx.StreamError) as error:
            raise Again(type(error).__name__) from None
        except httpx.TooManyRedirects:
            raise ServiceError(f"{place(url)} redirects more than {_REDIRECTS} times: check the address") from None
        except httpx.InvalidURL:
            raise ServiceError(f"{place(url)} is no address: check it") from None

    def _client(self, url: str) -> "httpx.Client":
        import httpx

        contact = self.contact or os.environ.get(CONTACT, "")
        if not contact and _host(url) not in _LOOPBACK:
            raise SourceError(
                f"{_host(url)} wants to know whom to write to when requests cause trouble: set {CONTACT} (or --contact) to "
                "an e-mail address"
            )
        if not contact.isascii() or not (contact.isprintable() or not contact):
            raise SourceError("contact holds characters that no e-mail address has: give it in ASCII")
        if self._http is None:
            for name in ("httpx", "httpcore"):
                logging.getLogger(name).setLevel(logging.WARNING)
            agent = f"medloom/{__version__}" + (f" (mailto:{contact})" if contact else "")
            self._http = httpx.Client(
                headers={"User-Agent": agent},
                timeout=self.patience.timeout,
                follow_redirects=True,
                max_redirects=_REDIRECTS,
            )
        return self._http

    def _pause(self, tries: int) -> float:
        longest = min(_LONGEST_PAUSE, self.patience.first_pause * 2.0 ** min(tries - 1, 30))
        return random.uniform(longest / 10, longest)


def place(url: str) -> str:
    """Host and path of an address, for errors; its query may hold a key, and what stands before the host a password."""
    parts = urlsplit(url)
    port = parts.netloc.rpartition("@")[2]
    return f"{port}{parts.path}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as a number or as a date; None where it says nothing usable."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _asks_for(after: float | None) -> str:
    return "" if after is None else f", and it asks to wait {after:,.0f} s"


def _check_status(answer: "httpx.Response", where: str) -> None:
    status = answer.status_code
    if status in _AGAIN:
        raise Again(f"status {status}", retry_after(answer.headers))
    if status >= 400:
        raise ServiceError(f"{where} refuses the request (status {status}): check the settings of the source", status)


def _body(answer: "httpx.Response", max_bytes: int, where: str) -> bytes:
    parts = bytearray()
    for chunk in answer.iter_bytes(_CHUNK):
        parts += chunk
        if len(parts) > max_bytes:
            raise ServiceError(f"{where} answers more than {max_bytes:,} bytes: ask for smaller pages")
    return bytes(parts)
