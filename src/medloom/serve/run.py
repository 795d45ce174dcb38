"""The server itself: sockets, signals, and an end that leaves nobody without an answer."""

import asyncio
import logging
import signal
from collections.abc import Collection, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.errors import ServeError
from medloom.serve.keys import VARIABLE, Keys
from medloom.serve.lifecycle import Lifecycle
from medloom.serve.models import Models

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

_LOG = logging.getLogger("medloom.serve")
_LAST_SECONDS = 2
_KEEP_ALIVE_SECONDS = 30


def serve(
    models: Models,
    settings: ServeSettings,
    keys: Keys,
    routers: "Sequence[APIRouter]" = (),
    public: Collection[str] = (),
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        models: What is served.
        settings: Where to listen, limits and times.
        keys: Who may come in.
        routers: Further routes.
        public: Paths of these that need no key.

    Raises:
        ServeError: Others could reach the server and there are no keys, or the address cannot be listened on.
    """
    demand_keys(settings, keys)
    server = make_server(create_app(models, settings, keys, routers, public), settings)
    try:
        server.run()
    except SystemExit:
        raise ServeError(
            f"{settings.host}:{settings.port} cannot be listened on: another program may hold the port; give another --port"
        ) from None


def demand_keys(settings: ServeSettings, keys: Keys) -> None:
    """Refuse to open a server to others without keys.

    Raises:
        ServeError: It would be open.
    """
    if not settings.is_loopback and not len(keys):
        raise ServeError(
            f"--host {settings.host} lets others reach the server, and there are no API keys: set {VARIABLE}, give "
            "--api-keys FILE, or leave --host at 127.0.0.1"
        )


def make_server(app: "FastAPI", settings: ServeSettings) -> "DrainingServer":
    """The server of an application, not yet running.

    Args:
        app: What :func:`~medloom.serve.app.create_app` gave.
        settings: Those it was made with.
    """
    config = uvicorn.Config(
        app,
        host=settings.host.strip("[]"),
        port=settings.port,
        loop="asyncio",
        http=_timed(settings.header_seconds),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    return DrainingServer(config, app.state.lifecycle, settings.drain_seconds)


class DrainingServer(uvicorn.Server):
    """Answers what is in work before it ends, and refuses what is new with 503 meanwhile.

    A second signal ends it at once.

    Args:
        config: Of uvicorn.
        lifecycle: Of the application.
        seconds: How long the end may take.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, seconds: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for server in self.servers:
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                _LOG.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end, or make it short."""
        if self._loop is None or self._lifecycle.draining:
            self.should_exit = True
            self.force_exit = self._lifecycle.draining and sig == signal.SIGINT
        else:
            self._lifecycle.draining = True
            self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        _LOG.info("draining: %d requests in work", self._lifecycle.in_work)
        try:
            await asyncio.wait_for(self._lifecycle.idle(), self._seconds)
        except TimeoutError:
            _LOG.error("%d requests are given up after %g s", self._lifecycle.in_work, self._seconds)
        self.should_exit = True


def _timed(seconds: float) -> type[H11Protocol]:
    """A protocol that hangs up on who does not send a whole head of a request in time."""

    class Timed(H11Protocol):
        _due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._unwatch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._unwatch()

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._unwatch()
            elif self._due is None:
                self._due = self.loop.call_later(seconds, self.transport.close)

        def _unwatch(self) -> None:
            if self._due is not None:
                self._due.cancel()
                self._due = None

    return Timed
