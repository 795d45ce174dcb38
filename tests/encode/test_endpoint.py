"""A model over HTTP, against a scripted server on this machine."""

import base64
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from medloom.encode import Encoder
from medloom.encode import endpoint as module
from medloom.encode.endpoint import OpenAIEncoder
from medloom.errors import ModelError

Reply = Callable[["Server", dict[str, Any]], tuple[int, Any, dict[str, str]]]
TEXTS = ["fever", "heart pain in a child", "fever", "cough"]


def vector(text: str, d: int = 4) -> list[float]:
    numbers: list[float] = np.random.default_rng(list(text.encode())).standard_normal(d).astype(np.float32).tolist()
    return numbers


def good(texts: Sequence[str], d: int = 4) -> dict[str, Any]:
    data = [{"object": "embedding", "index": i, "embedding": vector(t, d)} for i, t in enumerate(texts)]
    return {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class Server:
    """Answers requests in turn by its script, and well when that is at its end."""

    def __init__(self) -> None:
        self.script: list[Reply] = []
        self.default: Reply = lambda server, body: (200, good(body["input"]), {})
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append({**body, "path": self.path})
                outer.headers.append({key.lower(): value for key, value in self.headers.items()})
                reply = outer.script.pop(0) if outer.script else outer.default
                status, answer, headers = reply(outer, body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for key, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.name = f"openai:http://127.0.0.1:{self.http.server_port}/v1#org/model"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


def status(code: int, message: str = "wrong", **headers: str) -> Reply:
    return lambda server, body: (code, {"error": {"message": f"{message}: {body['input']}"}}, headers)


def changed(change: Callable[[dict[str, Any]], Any]) -> Reply:
    def reply(server: Server, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        answer = good(body["input"])
        return 200, change(answer) or answer, {}

    return reply


def test_vectors_stand_in_the_order_of_the_texts(server: Server) -> None:
    encoder = OpenAIEncoder(server.name)
    assert isinstance(encoder, Encoder)
    assert encoder.dimensions == 4
    vectors = encoder.encode(TEXTS, label="encoding")
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [vector(t) for t in TEXTS], rtol=1e-6)
    assert server.bodies[-1]["input"] == ["heart pain in a child", "fever", "cough"]
    assert server.bodies[-1]["model"] == "org/model"
    assert server.bodies[-1]["path"] == "/v1/embeddings"
    assert encoder.encode([]).shape == (0, 4)


def test_numbers_in_base64_and_out_of_order_are_read_alike(server: Server) -> None:
    def scrambled(answer: dict[str, Any]) -> None:
        for one in answer["data"]:
            one["embedding"] = base64.b64encode(np.array(one["embedding"], dtype="<f4").tobytes()).decode()
        answer["data"].reverse()

    encoder = OpenAIEncoder(server.name)
    server.script = [changed(scrambled)]
    np.testing.assert_allclose(encoder.encode(TEXTS), [vector(t) for t in TEXTS], rtol=1e-6)


def test_a_server_without_base64_is_asked_for_plain_numbers(server: Server) -> None:
    def strict(server: Server, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if body.get("encoding_format") != "float":
            return 422, {"error": "unknown encoding_format"}, {}
        return 200, good(body["input"]), {}

    server.default = strict
    encoder = OpenAIEncoder(server.name)
    np.testing.assert_allclose(encoder.encode(["fever"]), [vector("fever")], rtol=1e-6)
    assert [b["encoding_format"] for b in server.bodies] == ["base64", "float", "float"]


def test_long_lists_go_out_in_batches(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = OpenAIEncoder(server.name)
    monkeypatch.setattr(module, "_TEXTS_PER_REQUEST", 4)
    monkeypatch.setattr(module, "_CHARS_PER_REQUEST", 30)
    texts = ["x" * n for n in (1, 20, 3, 15, 40, 2, 4, 5, 6)]
    before = len(server.bodies)
    np.testing.assert_allclose(encoder.encode(texts), [vector(t) for t in texts], rtol=1e-6)
    assert [[len(t) for t in b["input"]] for b in server.bodies[before:]] == [[40], [20], [15, 6, 5, 4], [3, 2, 1]]


def test_a_prompt_goes_before_every_text_and_an_empty_text_is_a_blank(server: Server) -> None:
    encoder = OpenAIEncoder(server.name)
    encoder.encode(["fever", ""], "query: ")
    assert server.bodies[-1]["input"] == ["query: fever", "query: "]
    encoder.encode([""])
    assert server.bodies[-1]["input"] == [" "]
    assert encoder.prompt_for("query") is None


def test_a_busy_server_is_asked_again_when_it_says(server: Server) -> None:
    encoder = OpenAIEncoder(server.name)
    server.script = [status(429, **{"Retry-After": "0.2"})]
    before, start = len(server.bodies), time.monotonic()
    np.testing.assert_allclose(encoder.encode(["fever"]), [vector("fever")], rtol=1e-6)
    assert time.monotonic() - start >= 0.2
    assert len(server.bodies) - before == 2


def test_a_failing_server_is_given_up_after_some_tries(server: Server) -> None:
    encoder = OpenAIEncoder(server.name, retries=2)
    server.script = [status(500, **{"Retry-After": "0.01"}), status(503, **{"Retry-After": "0.01"})]
    np.testing.assert_allclose(encoder.encode(["fever"]), [vector("fever")], rtol=1e-6)
    server.default = status(500, **{"Retry-After": "0.01"})
    before = len(server.bodies)
    with pytest.raises(ModelError, match=r"org/model at http://127\.0\.0\.1:.* answered with status 500: see its log"):
        encoder.encode(["fever"])
    assert len(server.bodies) - before == 3


@pytest.mark.parametrize(
    ("code", "advice"), [(404, "check the URL"), (401, "OPENAI_API_KEY"), (403, "may not use"), (307, "it redirects")]
)
def test_what_cannot_get_better_fails_at_once(server: Server, code: int, advice: str) -> None:
    server.default = status(code, Location="http://example.invalid/v1/embeddings")
    with pytest.raises(ModelError, match=f"status {code}: .*{advice}"):
        OpenAIEncoder(server.name)
    assert len(server.bodies) == 1


def drop_last(answer: dict[str, Any]) -> None:
    answer["data"].pop()


def repeat_index(answer: dict[str, Any]) -> None:
    for one in answer["data"]:
        one["index"] = 0


def shorten(answer: dict[str, Any]) -> None:
    for one in answer["data"]:
        one["embedding"].pop()


def nan(answer: dict[str, Any]) -> None:
    answer["data"][0]["embedding"][1] = float("nan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_last, "gave 1 vectors for 2 texts"),
        (repeat_index, "numbered them wrongly"),
        (shorten, r"unlike lengths \[\(3,\), \(4,\)\]: was its model changed"),
        (nan, "not finite"),
        (lambda answer: {"data": []}, "did not answer with embeddings|gave 0 vectors"),
        (lambda answer: {"hello": "world"}, "did not answer with embeddings"),
        (lambda answer: b"<html>welcome</html>", "did not answer with embeddings"),
        (lambda answer: {**answer, "data": [{"index": i, "embedding": None} for i in range(2)]}, "unlike lengths"),
    ],
)
def test_answers_that_are_no_vector_for_each_text_are_refused(
    server: Server, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    encoder = OpenAIEncoder(server.name)
    server.default = changed(change)
    with pytest.raises(ModelError, match=message):
        encoder.encode(["fever", "secret name"])


def test_a_server_that_does_not_answer_in_time(server: Server) -> None:
    encoder = OpenAIEncoder(server.name, timeout=0.2, retries=0)

    def late(server: Server, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        time.sleep(0.6)
        return 200, good(body["input"]), {}

    server.default = late
    with pytest.raises(ModelError, match="did not answer in time"):
        encoder.encode(["fever"])


def test_no_server() -> None:
    with pytest.raises(ModelError, match="cannot be reached"):
        OpenAIEncoder("openai:http://127.0.0.1:9/v1#m", retries=0)


@pytest.mark.parametrize(
    "name",
    [
        "openai:",
        "openai:http://127.0.0.1:80/v1",
        "openai:ftp://h/v1#m",
        "openai:http://h:99999/v1#m",
        "http://h/v1#m",
        "openai:#m",
    ],
)
def test_what_is_no_endpoint_is_told_the_form(name: str) -> None:
    with pytest.raises(ModelError, match="openai:http://host:port/v1#model-name"):
        OpenAIEncoder(name)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ModelError, match="OPENAI_API_KEY instead") as caught:
        OpenAIEncoder("openai:http://me:hidden@127.0.0.1/v1#m")
    assert "hidden" not in str(caught.value)


def test_no_text_and_no_key_in_errors_and_logs(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden")
    with caplog.at_level(logging.DEBUG):
        encoder = OpenAIEncoder(server.name, retries=1)
        encoder.encode(["secret name"])
        server.default = status(400, "your text was")
        with pytest.raises(ModelError, match="status 400") as caught:
            encoder.encode(["secret name"])
        server.default = status(500, "your text was", **{"Retry-After": "0.01"})
        with pytest.raises(ModelError, match="status 500"):
            encoder.encode(["secret name"])
    assert server.headers[-1]["authorization"] == "Bearer sk-hidden"
    for said in (str(caught.value), caplog.text):
        assert "secret" not in said
        assert "hidden" not in said
    assert caught.value.__suppress_context__


def test_servers_without_keys_get_a_placeholder(server: Server) -> None:
    OpenAIEncoder(server.name)
    assert server.headers[-1]["authorization"] == "Bearer none"


def test_a_local_server_is_reached_past_any_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert OpenAIEncoder(server.name, retries=0).encode(["fever"]).shape == (1, 4)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
        ("api.example.org", False),
        ("0.0.0.0", False),
    ],
)
def test_text_that_is_not_public_stays_on_this_machine(host: str, local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = []

    def client(url: str, timeout: float, retries: int, trust_env: bool) -> None:
        trusted.append(trust_env)

    monkeypatch.setattr(module, "_client", client)
    monkeypatch.setattr(OpenAIEncoder, "_request", lambda self, texts: np.ones((len(texts), 2), dtype=np.float32))
    encoder = OpenAIEncoder(f"openai:https://{host}/v1#m")
    assert encoder.is_local is local
    assert encoder.host == host.strip("[]")
    assert trusted == [not local]
    encoder.check_allowed(public=True)
    if local:
        encoder.check_allowed(public=False)
    else:
        with pytest.raises(ModelError, match=f"not public and may not be sent to {host}"):
            encoder.check_allowed(public=False)


def test_another_model_behind_the_same_name_has_another_hash(server: Server) -> None:
    def noisy(answer: dict[str, Any]) -> None:
        rng = np.random.default_rng(0)
        for one in answer["data"]:
            one["embedding"] = [x * 2 + float(rng.normal(0, 1e-6)) for x in one["embedding"]]

    def other(answer: dict[str, Any]) -> None:
        for one in answer["data"]:
            one["embedding"] = [x + 0.5 for x in one["embedding"]]

    first = OpenAIEncoder(server.name).hash
    server.default = changed(noisy)
    assert OpenAIEncoder(server.name).hash == first
    server.default = changed(other)
    assert OpenAIEncoder(server.name).hash != first
    server.default = lambda server, body: (200, good(body["input"]), {})
    assert OpenAIEncoder(server.name.replace("org/model", "org/other")).hash != first


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r"pip install 'medloom\[openai\]'"):
        OpenAIEncoder("openai:http://127.0.0.1:9/v1#m")
