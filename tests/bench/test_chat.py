"""A chat model over HTTP, against a server on this machine."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from medloom.bench import chat as module
from medloom.bench.chat import OpenAIChat
from medloom.errors import ModelError

SECRET = "Zebediah Quux"


class Server:
    """Answers with ``answer`` (or status and text), and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Any = "an answer"
        self.status = 200
        self.asked: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append({**body, "path": self.path, "key": self.headers["Authorization"]})
                message = {"role": "assistant", "content": outer.answer}
                choices = [] if outer.answer is ... else [{"index": 0, "message": message, "finish_reason": "stop"}]
                reply: dict[str, Any] = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
                content = json.dumps(reply | {"choices": [] if outer.answer is ... else choices}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.where = f"openai:http://127.0.0.1:{self.http.server_port}/v1#org/model"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(module, "_RETRIES", 0)
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


@pytest.mark.parametrize("prefix", [True, False])
def test_one_prompt_one_answer(server: Server, prefix: bool) -> None:
    chat = OpenAIChat(server.where if prefix else server.where.removeprefix("openai:"))
    assert chat.name == "org/model"
    assert chat.complete("write a query") == "an answer"
    (asked,) = server.asked
    assert asked["messages"] == [{"role": "user", "content": "write a query"}]
    assert (asked["model"], asked["temperature"], asked["path"]) == ("org/model", 0, "/v1/chat/completions")


def test_the_key_is_taken_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-toy")
    OpenAIChat(server.where).complete("x")
    assert server.asked[0]["key"] == "Bearer sk-toy"


@pytest.mark.parametrize("answer", ["", None, ...])
def test_an_empty_answer_is_an_error(server: Server, answer: Any) -> None:
    server.answer = answer
    with pytest.raises(ModelError, match="org/model gave an empty answer"):
        OpenAIChat(server.where).complete("x")


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_is_said_without_the_prompt_or_the_key(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-toy")
    server.status = status
    with pytest.raises(ModelError, match=r"org/model: .*Error: check the address, the name and the key") as caught:
        OpenAIChat(server.where).complete(SECRET)
    assert SECRET not in str(caught.value)
    assert "sk-toy" not in str(caught.value)


def test_nobody_is_there(server: Server) -> None:
    chat = OpenAIChat("openai:http://127.0.0.1:9/v1#m")
    with pytest.raises(ModelError, match="chat model m: APIConnectionError"):
        chat.complete("x")


@pytest.mark.parametrize("where", ["", "openai:", "openai:http://host/v1", "openai:http://host/v1#", "ftp://host#m", "m"])
def test_a_bad_address_is_said_with_the_right_form(where: str) -> None:
    with pytest.raises(ModelError, match="write it as openai:http://HOST/v1#MODEL"):
        OpenAIChat(where)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModelError, match=r"pip install 'medloom\[openai\]'"):
        OpenAIChat("openai:http://127.0.0.1:9/v1#m")
