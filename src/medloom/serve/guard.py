"""What stands before every route: who may come in, with how much, and what the answer must carry."""

import asyncio
import logging
import secrets
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medloom.serve.config import ServeSettings
from medloom.serve.errors import ApiError, internal_error
from medloom.serve.keys import Keys
from medloom.serve.lifecycle import Lifecycle
from medloom.serve.limits import Bodies
from medloom.serve.metrics import Metrics

_ACCESS = logging.getLogger("medloom.serve.access")
_GONE = 499
_GRACE_SECONDS = 30.0
PROBES = frozenset({"/health", "/ready"})
"""Answered without a key, and while the server drains."""
_SECURITY = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Middleware: hosts, keys, limits, drain, security headers, metrics, access log, and errors that say nothing of texts.

    Args:
        app: What it stands before.
        settings: The limits.
        keys: Who may come in; everyone if there are none.
        lifecycle: Whether the server drains; told of every request.
        metrics: Told of every answer.
        public: Paths that need no key; one that ends in a slash opens all below it.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServeSettings,
        keys: Keys,
        lifecycle: Lifecycle,
        metrics: Metrics,
        public: Collection[str] = (),
    ) -> None:
        self._app = app
        self._settings = settings
        self._keys = keys
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._public = PROBES.union(public)
        self._folders = tuple(path for path in public if path.endswith("/") and path != "/")
        self._bodies = Bodies(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._visit(scope, receive, _Answer(send))

    async def _visit(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        began = time.perf_counter()
        try:
            await self._answer(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            self._metrics.answered(scope["method"], route, answer.status, seconds)
            _ACCESS.info("%s %s %d %.1f ms %s", scope["method"], route, answer.status, seconds * 1e3, answer.request_id)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            headers = Headers(scope=scope)
            self._admit(scope["path"], headers)
            with self._lifecycle.work():
                async with self._bodies.read(receive, headers) as body:
                    if not await self._run(scope, body, receive, answer):
                        answer.status = _GONE
        except ApiError as error:
            await error.response()(scope, receive, answer)
        except Exception as error:  # the log must not hold the message, which uvicorn would write
            failure = internal_error(error, answer.request_id)
            if not answer.started:
                await failure.response()(scope, receive, answer)

    def _admit(self, path: str, headers: Headers) -> None:
        names = self._settings.host_names
        if names and _without_port(headers.get("host", "")) not in names:
            raise ApiError(421, "this server does not answer to that host name: set allowed_hosts", code="wrong_host")
        if len(self._keys) and not self._is_public(path) and not self._keys.open(_key(headers)):
            raise ApiError(401, "no valid API key: send one as Authorization: Bearer KEY", code="invalid_api_key")
        if path in PROBES:
            return
        if self._lifecycle.draining:
            again = max(1, round(self._settings.drain_seconds))
            raise ApiError(503, "the server is shutting down: try again later", code="draining", retry_after=again)
        if self._lifecycle.in_work >= self._settings.requests:
            raise ApiError(429, "too many requests at once: try again later", code="too_many_requests", retry_after=1)

    def _is_public(self, path: str) -> bool:
        return path in self._public or path.startswith(self._folders)

    async def _run(self, scope: Scope, body: bytes, receive: Receive, answer: "_Answer") -> bool:
        """Run the route; end it if the client goes away or takes no answer. Whether it ran to its end."""
        gone = asyncio.Event()
        watch = asyncio.ensure_future(_wait_for_end(receive, gone))
        work = asyncio.ensure_future(self._app(scope, _replay(body, gone), answer))
        try:
            longest = self._settings.timeout_seconds + _GRACE_SECONDS
            await asyncio.wait({watch, work}, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ran = work.done()
            work.cancel()
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await work
        return ran


class _Answer:
    """Sends an answer with the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = _GONE
        self.started = False
        self.request_id = secrets.token_hex(8)

    async def __call__(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            present = {name.lower() for name, _ in message.get("headers", ())}
            extra = _SECURITY | {"x-request-id": self.request_id}
            message["headers"] = [*message.get("headers", ()), *_absent(extra, present)]
        await self._send(message)


def _absent(headers: Mapping[str, str], present: Collection[bytes]) -> list[tuple[bytes, bytes]]:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return [(name, value) for name, value in pairs if name not in present]


async def _wait_for_end(receive: Receive, gone: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _replay(body: bytes, gone: asyncio.Event) -> Receive:
    """A ``receive`` that gives the body at once, and then waits with the client."""
    parts = [body]

    async def receive() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


def _key(headers: Headers) -> bytes:
    kind, _, key = headers.get("authorization", "").partition(" ")
    found = key.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")
    return found.encode("latin-1", "replace")


def _without_port(host: str) -> str:
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdigit() and (name.endswith("]") or ":" not in name) else host.lower()
