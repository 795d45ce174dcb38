"""Replicas of web services on loopback, with the faults that real ones have.

A replica answers by a function of the request. Faults are given by the number of the request (from 0), and are over once
they have been given: a client that asks again gets its answer.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

Kind = Literal["status", "drop", "cut", "stall"]
_STALL = 2.0
_UNCHANGED = 304


@dataclass(frozen=True)
class Request:
    """What was asked: ``query`` holds the parameters of the address and of a posted form."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What goes wrong instead: an error status, a connection that drops, a body cut in half, two seconds of silence."""

    kind: Kind = "status"
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Replica:
    """A running replica.

    Attributes:
        answer: Gives the answer to a request.
        faults: By number of the request.
        requests: All that came, in order.
        moments: When each came, seconds of a monotonic clock.
    """

    answer: Callable[[Request], Answer]
    faults: dict[int, Fault] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, **parameters: str) -> list[Request]:
        """The requests with these parameters."""
        return [r for r in self.requests if all(r.query.get(k) == v for k, v in parameters.items())]


@contextmanager
def replica(answer: Callable[[Request], Answer], faults: Mapping[int, Fault] | None = None) -> Iterator[Replica]:
    """Run a replica on a free port of loopback; ``Replica.url`` is its address."""
    running = Replica(answer, dict(faults or {}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(running))
    server.daemon_threads = True
    running.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(running: Replica) -> type["_Handler"]:
    return type("Handler", (_Handler,), {"running": running})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    running: Replica

    def do_GET(self) -> None:
        self._serve("GET", b"")

    def do_POST(self) -> None:
        self._serve("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self, method: str, form: bytes) -> None:
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True) + parse_qsl(form.decode(), keep_blank_values=True))
        request = Request(method, address.path, query, {name.lower(): value for name, value in self.headers.items()})
        running = self.running
        with running.lock:
            fault = running.faults.pop(len(running.requests), None)
            running.requests.append(request)
            running.moments.append(time.monotonic())
        if fault is None:
            self._send(running.answer(request))
        else:
            self._go_wrong(fault, request)

    def _go_wrong(self, fault: Fault, request: Request) -> None:
        if fault.kind == "status":
            self._send(Answer(fault.body, fault.status, fault.headers))
            return
        self.close_connection = True
        if fault.kind == "cut":
            answer = self.running.answer(request)
            self._head(answer.status, len(answer.body), answer.headers)
            self.wfile.write(answer.body[: len(answer.body) // 2])
        elif fault.kind == "stall":
            time.sleep(_STALL)
        else:
            self.connection.close()

    def _send(self, answer: Answer) -> None:
        self._head(answer.status, len(answer.body), answer.headers)
        if answer.status != _UNCHANGED:
            self.wfile.write(answer.body)

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
