"""Chat models by address, and one prompt at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.generate.scripted import Reply, ScriptedServer, completion, failed, in_turn, ok, reply
from tests.generate.tiny_gguf import write_gguf

from medloom.bench.base import ChatModel as BenchChat
from medloom.errors import ModelError
from medloom.generate.chat import Answer, Ask, ChatModel, RetryLater, ServerRefuses, host_of
from medloom.generate.endpoint import OpenAIChat
from medloom.generate.local import LocalChat
from medloom.generate.models import SimpleChat, open_chat

SECRET = "Zebediah Quux"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


@pytest.mark.parametrize("prefix", ["openai:", ""])
def test_an_address_opens_a_client(prefix: str) -> None:
    where = f"{prefix}https://llm.example/v1#org/model"
    chat: ChatModel = open_chat(where)
    assert isinstance(chat, OpenAIChat)
    assert (chat.name, chat.host) == ("org/model", "llm.example")
    assert host_of(where) == chat.host


def test_a_timeout_is_the_clients() -> None:
    with ScriptedServer(in_turn(ok("x", delay=30))) as server, pytest.raises(RetryLater, match="in time"):
        open_chat(server.where(), timeout=0.2).ask(Ask("", "x"))


def test_a_path_opens_a_model_here(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    path = write_gguf(tmp_path / "tiny.gguf")
    chat: ChatModel = open_chat(f"gguf:{path}", concurrency=2)
    assert isinstance(chat, LocalChat)
    assert chat.name.startswith("tiny.gguf@")
    assert chat.host is None
    assert host_of(f"gguf:{path}") is None
    assert chat.ask(Ask("", "x", {"type": "object", "maxProperties": 0}, max_tokens=50, seed=1)).text.strip()


@pytest.mark.parametrize("where", ["", "here", "model.gguf", "ollama:llama3", "ftp://host/v1#m", "OPENAI:x"])
def test_what_names_no_model_is_said_with_both_forms(where: str) -> None:
    with pytest.raises(ModelError, match=r"write it as openai:http://HOST/v1#MODEL, or gguf:PATH"):
        open_chat(where)


def test_a_client_is_opened_without_the_engine_and_without_asking() -> None:
    code = (
        "import sys; from medloom.generate.models import open_chat; open_chat('openai:http://127.0.0.1:9/v1#m');"
        "assert 'xllamacpp' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env={**os.environ, "PYTHONPATH": "src"})


def test_one_prompt_one_answer() -> None:
    with ScriptedServer(in_turn(ok("an answer"))) as server:
        chat: BenchChat = SimpleChat(open_chat(server.where()))
        assert chat.name == "org/model"
        assert chat.complete("write a query") == "an answer"
    (asked,) = server.requests
    assert asked.body["messages"] == [{"role": "user", "content": "write a query"}]
    assert (asked.body["model"], asked.body["temperature"]) == ("org/model", 0)


def test_what_may_work_later_is_tried_later(pauses: list[float]) -> None:
    replies = (failed(500), failed(429, headers={"Retry-After": "7"}), failed(503), failed(503), ok("at last"))
    with ScriptedServer(in_turn(*replies)) as server:
        assert SimpleChat(open_chat(server.where())).complete("x") == "at last"
    assert pauses == [0.5, 7, 2, 4]


def test_tries_come_to_an_end(pauses: list[float]) -> None:
    with (
        ScriptedServer(in_turn(failed(503, SECRET))) as server,
        pytest.raises(ModelError, match=r"org/model at .* answered with status 503") as caught,
    ):
        SimpleChat(open_chat(server.where()), retries=2).complete(SECRET)
    assert len(server.requests) == 3
    assert len(pauses) == 2
    assert SECRET not in str(caught.value)


def test_a_long_wait_is_cut_short(pauses: list[float]) -> None:
    with ScriptedServer(in_turn(failed(429, headers={"Retry-After": "86400"}), ok("x"))) as server:
        SimpleChat(open_chat(server.where())).complete("x")
    assert pauses == [60]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (reply(completion({"content": None})), "gave an empty answer"),
        (reply({"choices": []}), "gave no choice"),
        (failed(401), "set OPENAI_API_KEY"),
        (failed(404), "check the URL"),
        (failed(400), "status 400"),
    ],
)
def test_what_will_not_work_is_said_at_once(pauses: list[float], fault: Reply, said: str) -> None:
    with ScriptedServer(in_turn(fault)) as server, pytest.raises(ModelError, match=said) as caught:
        SimpleChat(open_chat(server.where())).complete(SECRET)
    assert (len(server.requests), pauses) == (1, [])
    assert SECRET not in str(caught.value)


def test_nobody_is_there(pauses: list[float]) -> None:
    with pytest.raises(ModelError, match="cannot be reached"):
        SimpleChat(open_chat("openai:http://127.0.0.1:9/v1#m"), retries=1).complete("x")
    assert pauses == [0.5]


def test_any_chat_model_will_do() -> None:
    class Own:
        name: str = "own"
        host: str | None = None

        def ask(self, ask: Ask) -> Answer:
            if ask.user == "no":
                raise ServerRefuses("own: no")
            return Answer(ask.user.upper())

    assert SimpleChat(Own()).complete("yes") == "YES"
    with pytest.raises(ModelError, match="own: no"):
        SimpleChat(Own()).complete("no")
