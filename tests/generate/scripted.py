"""A chat server on loopback that answers, fails, stalls and hangs up as a script says.

Example:
    with ScriptedServer(in_turn(failed(429, headers={"Retry-After": "1"}), ok('{"queries": []}'))) as server:
        OpenAIChat(server.where()).ask(...)
        assert len(server.requests) == 2
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Reply:
    """One answer of the server.

    Attributes:
        status: HTTP status.
        body: What is sent, as it is.
        headers: Beyond the content's type and length.
        delay: Seconds to wait before the first byte.
        drop: Hang up: ``before`` the first byte, or in the ``middle`` of the body.
        stall: Seconds to wait in the middle of the body; cut short when the server stops.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: Literal["before", "middle"] | None = None
    stall: float = 0.0


@dataclass(frozen=True)
class Request:
    """What the server was sent: path, headers (names in small letters), body as JSON, and when (``time.monotonic``)."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at: float

    @property
    def text(self) -> str:
        """All messages, one after the other."""
        return "\n".join(str(message["content"]) for message in self.body["messages"])


Script = Callable[[dict[str, Any], int], Reply]
"""Body of the request and number of the call, counted from 0, to the reply."""


def completion(message: Mapping[str, Any], finish: str = "stop", usage: Mapping[str, int] | None = None) -> dict[str, Any]:
    """A chat completion of one choice."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        **({} if usage is None else {"usage": dict(usage)}),
    }


def reply(body: object, status: int = 200, **settings: Any) -> Reply:
    """A reply whose body is JSON."""
    return Reply(status, json.dumps(body).encode(), **settings)


def ok(text: str, prompt_tokens: int = 10, completion_tokens: int = 5, finish: str = "stop", **settings: Any) -> Reply:
    """A good answer with this text."""
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    return reply(completion({"content": text}, finish, usage), **settings)


def failed(status: int, message: str = "no", code: str | None = None, **settings: Any) -> Reply:
    """An error as OpenAI's servers write it."""
    return reply({"error": {"message": message, "type": "error", "param": None, "code": code}}, status, **settings)


def in_turn(*replies: Reply) -> Script:
    """The replies one after the other, the last one for ever."""
    return lambda _, call: replies[min(call, len(replies) - 1)]


class ScriptedServer:
    """Speaks ``POST /v1/chat/completions`` on 127.0.0.1, each request in a thread of its own.

    Stopping hangs up all connections; :meth:`start` then takes the same port again, and the calls count on.

    Attributes:
        requests: All that were read, in the order of their numbers.
    """

    def __init__(self, script: Script, port: int = 0) -> None:
        self.script = script
        self.requests: list[Request] = []
        self._port = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopping = threading.Event()
        self._http: ThreadingHTTPServer | None = None

    @property
    def port(self) -> int:
        """Stays the same when the server is stopped and started again."""
        return self._port

    @property
    def url(self) -> str:
        """Base URL, ending in ``/v1``."""
        return f"http://127.0.0.1:{self._port}/v1"

    def where(self, model: str = "org/model") -> str:
        """The address in medloom's form."""
        return f"openai:{self.url}#{model}"

    def start(self) -> None:
        """Listen."""
        self._stopping.clear()
        http = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        http.daemon_threads = True
        http.block_on_close = False
        self._http, self._port = http, http.server_port
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections, and hang up those that are open."""
        self._stopping.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            hang_up(connection)

    def opened(self, connection: socket.socket) -> None:
        """Keep a connection, to hang it up when the server stops."""
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(connection)

    def asked(self, request: Request) -> Reply:
        """Keep a request, and say what to reply."""
        with self._lock:
            call = len(self.requests)
            self.requests.append(request)
        return self.script(request.body, call)

    def wait(self, seconds: float) -> None:
        """Pause, but not beyond the server's stop."""
        if seconds:
            self._stopping.wait(seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def hang_up(connection: socket.socket) -> None:
    """End a connection at once, whatever is still to come."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            server.opened(self.connection)

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().handle()

        def finish(self) -> None:
            server.closed(self.connection)
            with contextlib.suppress(OSError, ValueError):
                super().finish()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.asked(Request(self.path, headers, body, time.monotonic()))
            server.wait(answer.delay)
            if answer.drop == "before":
                self._hang_up()
                return
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            half = len(answer.body) // 2
            self.wfile.write(answer.body[:half])
            server.wait(answer.stall)
            if answer.drop == "middle":
                self._hang_up()
                return
            self.wfile.write(answer.body[half:])

        def _hang_up(self) -> None:
            self.close_connection = True
            hang_up(self.connection)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
