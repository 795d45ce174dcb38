"""The engine in this process, with a model of random weights."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.generate.tiny_gguf import write_gguf

from medloom.errors import ModelError
from medloom.generate.chat import Answer, Ask, CallFailed, ServerRefuses
from medloom.generate.local import THREADS, LocalChat

pytest.importorskip("xllamacpp")

SECRET = "Zebediah Quux"
SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": ["keyword", "question"]},
        "n": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["kind", "n"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def chat(gguf: Path) -> LocalChat:
    return LocalChat(f"gguf:{gguf}", n_ctx=512, threads=1, n_parallel=2)


def test_an_answer_follows_the_schema_and_is_counted(chat: LocalChat) -> None:
    for seed in range(5):
        answer = chat.ask(Ask("system", "user", SCHEMA, max_tokens=300, seed=seed))
        found = json.loads(answer.text)
        assert found["kind"] in ("keyword", "question")
        assert 1 <= found["n"] <= 9
        assert answer.finish == "stop"
        assert answer.prompt_tokens > len("system: system user: user")
        assert answer.completion_tokens > 10


def test_it_goes_nowhere(chat: LocalChat) -> None:
    assert chat.host is None


def test_max_tokens_cuts_the_answer(chat: LocalChat) -> None:
    answer = chat.ask(Ask("", "user", max_tokens=7, seed=1))
    assert (answer.finish, answer.completion_tokens) == ("length", 7)


def test_the_seed_decides(chat: LocalChat) -> None:
    def text(seed: int) -> str:
        return chat.ask(Ask("", "user", SCHEMA, max_tokens=300, temperature=1.0, seed=seed)).text

    assert text(1) == text(1)
    assert len({text(seed) for seed in range(6)}) > 1
    assert text(2**40) == text(2**40)


def test_the_messages_reach_the_model(chat: LocalChat) -> None:
    def tokens(system: str, user: str) -> int:
        return chat.ask(Ask(system, user, SCHEMA, max_tokens=300, seed=1)).prompt_tokens

    short = tokens("", "user")
    assert tokens("", "user" + "x" * 50) == short + 50
    assert tokens("x" * 50, "user") == short + 50 + len("system: \n")


def test_too_long_a_prompt_fails_alone_and_is_not_quoted(chat: LocalChat) -> None:
    with pytest.raises(CallFailed, match=r"the prompt has \d{3} tokens, and there is room for 512") as caught:
        chat.ask(Ask("", f"{SECRET} " * 50))
    assert SECRET not in str(caught.value)
    assert chat.ask(Ask("", "user", SCHEMA, max_tokens=300, seed=1)).finish == "stop"


@pytest.mark.parametrize("ask", [Ask("", SECRET, {"type": "nonsense"}), Ask("", f"\ud800 {SECRET}")])
def test_what_the_engine_does_not_take_fails_alone_and_is_not_quoted(chat: LocalChat, ask: Ask) -> None:
    with pytest.raises(CallFailed, match="does not take this call") as caught:
        chat.ask(ask)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__
    assert chat.ask(Ask("", "user", max_tokens=3, seed=1)).completion_tokens == 3


def test_many_threads_at_once(chat: LocalChat) -> None:
    answers: list[Answer] = []
    asks = [Ask("", "x" * 10 * i, SCHEMA, max_tokens=300, seed=i) for i in range(12)]
    threads = [threading.Thread(target=lambda ask=ask: answers.append(chat.ask(ask))) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 12
    assert len({answer.prompt_tokens for answer in answers}) == 12
    assert all(json.loads(answer.text)["kind"] for answer in answers)


def test_threads_that_come_first_load_the_model_once(
    gguf: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = LocalChat(str(gguf), n_ctx=256, threads=1, n_parallel=2)
    with caplog.at_level(logging.INFO, "medloom"):
        threads = [threading.Thread(target=one.ask, args=(Ask("", "user", max_tokens=2),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert caplog.text.count("loading tiny.gguf@") == 1


def test_the_engines_port_shows_nothing_without_the_key(chat: LocalChat) -> None:
    chat.ask(Ask("", SECRET, max_tokens=2))
    base = chat._engine.listening_address
    assert base.startswith("http://127.0.0.1:")
    body = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
    for path, data in (("/v1/chat/completions", body), ("/slots", None), ("/props", None), ("/v1/models", None)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{base}{path}", data, timeout=10)
        assert caught.value.code == 401


def test_nothing_is_printed(gguf: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        LocalChat(str(gguf), n_ctx=256, threads=1).ask(Ask("", SECRET, SCHEMA, max_tokens=100, seed=1))
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "")
    assert SECRET not in caplog.text


def test_the_name_tells_one_models_weights_from_anothers(tmp_path: Path, gguf: Path) -> None:
    name = LocalChat(str(gguf)).name
    assert name.startswith("tiny.gguf@")
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "tiny.gguf"
    copy.write_bytes(gguf.read_bytes())
    assert LocalChat(str(copy)).name == name
    assert LocalChat(str(write_gguf(tmp_path / "tiny.gguf", seed=1))).name != name
    assert Ask("", "x").key(name) != Ask("", "x").key(LocalChat(str(tmp_path / "tiny.gguf")).name)


def test_a_file_that_changes_gets_another_name(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    before = LocalChat(str(path)).name
    write_gguf(path, seed=3)
    os.utime(path, (1, 1))
    assert LocalChat(str(path)).name != before


def test_a_model_in_parts_is_named_by_all_of_them(tmp_path: Path) -> None:
    first, second = (tmp_path / f"m-0000{i}-of-00002.gguf" for i in (1, 2))
    write_gguf(first)
    with pytest.raises(ModelError, match=r"no file .*m-00002-of-00002\.gguf"):
        LocalChat(str(first))
    write_gguf(second, seed=1)
    name = LocalChat(str(first)).name
    write_gguf(second, seed=2, context=1024)
    assert LocalChat(str(first)).name != name
    with pytest.raises(ModelError, match="give the first part"):
        LocalChat(str(second))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no file"), (b"", "not a model in GGUF form"), (b"GGU", "not a model"), (b"PK\x03\x04 zip", "not a model")],
)
def test_what_is_no_gguf_is_said_at_once(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        LocalChat(f"gguf:{path}")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no file"):
        LocalChat(f"gguf:{tmp_path}")


@pytest.mark.parametrize("keep", [4, 5000, 100_000])
def test_a_file_cut_short_ends_all_calls(tmp_path: Path, gguf: Path, keep: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf.read_bytes()[:keep])
    chat = LocalChat(str(cut), n_ctx=256, threads=1)
    with pytest.raises(ServerRefuses, match=r"cut\.gguf@\w+ cannot be loaded"):
        chat.ask(Ask("", SECRET))


def test_a_vocabulary_that_no_schema_can_be_held_to_ends_all_calls(tmp_path: Path) -> None:
    chat = LocalChat(str(write_gguf(tmp_path / "bytes.gguf", letters="")), n_ctx=256, threads=1)
    assert chat.ask(Ask("", "user", max_tokens=3, seed=1)).completion_tokens == 3
    with pytest.raises(ServerRefuses, match="cannot hold this model to a JSON schema"):
        chat.ask(Ask("", "user", SCHEMA))


def test_without_the_package_the_extra_is_named(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ModelError, match=r"pip install 'medloom\[llm\]'"):
        LocalChat(str(gguf))


def test_threads_come_from_the_argument_then_the_environment_then_the_cores(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(THREADS, "3")
    assert LocalChat(str(gguf), threads=5).threads == 5
    assert LocalChat(str(gguf)).threads == 3
    monkeypatch.delenv(THREADS)
    monkeypatch.setattr("psutil.cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert LocalChat(str(gguf)).threads == 7
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert LocalChat(str(gguf)).threads == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert LocalChat(str(gguf)).threads == 1


@pytest.mark.parametrize("value", ["", "0", "-1", "two", "1.5"])
def test_a_bad_number_of_threads_is_said(gguf: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(THREADS, value)
    with pytest.raises(ModelError, match="MEDLOOM_LLM_THREADS is not a number of threads"):
        LocalChat(str(gguf))


_LONG = """
import sys, threading, time
from medloom.generate.chat import Ask, ChatError
from medloom.generate.local import LocalChat
row = {"type": "array", "items": {"type": "integer"}, "minItems": 200, "maxItems": 200}
schema = {"type": "array", "items": row, "minItems": 200, "maxItems": 200}
chat = LocalChat(sys.argv[1], n_ctx=100_000, threads=1, n_parallel=2)
chat.ask(Ask("", "x", {"type": "integer"}, max_tokens=20))
def ask():
    try:
        chat.ask(Ask("", "x", schema, max_tokens=90_000))
    except ChatError as error:
        print(type(error).__name__, flush=True)
threads = [threading.Thread(target=ask, daemon=True) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
time.sleep(0.5)
print("asking", flush=True)
if not threads:
    ask()
"""


def _long(tmp_path: Path, threads: int) -> "subprocess.Popen[str]":
    """A process that asks for an answer of a minute or more."""
    program = tmp_path / "long.py"
    program.write_text(_LONG, encoding="utf-8")
    path = write_gguf(tmp_path / "long.gguf", context=100_000)
    started = subprocess.Popen(
        [sys.executable, str(program), str(path), str(threads)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "asking\n"
    return started


def test_a_call_can_be_broken_off(tmp_path: Path) -> None:
    process = _long(tmp_path, threads=0)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=50)
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "ignored" not in err


def test_a_process_can_end_while_threads_wait_for_answers(tmp_path: Path) -> None:
    process = _long(tmp_path, threads=2)
    out, err = process.communicate(timeout=50)
    assert (process.returncode, err) == (0, "")
    assert set(out.split()) <= {"RetryLater"}, "a thread may have no time left to say it"


@pytest.mark.skipif("MEDLOOM_TEST_GGUF" not in os.environ, reason="MEDLOOM_TEST_GGUF names no instruct model")
def test_a_real_model_writes_a_query() -> None:
    chat = LocalChat(os.environ["MEDLOOM_TEST_GGUF"], n_ctx=1024)
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string", "maxLength": 80}},
        "required": ["query"],
        "additionalProperties": False,
    }
    note = "A man of 62 had chest pain. Troponin was raised. A stent was placed in the circumflex artery."
    answer = chat.ask(Ask("You write search queries.", f"Write one query that this answers.\n{note}", schema, seed=1))
    assert {"chest", "pain", "troponin", "stent", "artery"} & set(json.loads(answer.text)["query"].lower().split())
