"""The client, against servers on loopback that do as they are told."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from tests.generate.scripted import Reply, Script, ScriptedServer, completion, failed, in_turn, ok, reply

from medloom.errors import ModelError
from medloom.generate.chat import Answer, Ask, CallFailed, ChatError, RetryLater, ServerRefuses
from medloom.generate.endpoint import OpenAIChat, retry_after

SECRET = "Zebediah Quux"
SCHEMA = {"type": "object", "properties": {"queries": {"type": "array"}}, "required": ["queries"]}
ASK = Ask("You write queries.", f"Note about {SECRET}.", SCHEMA, temperature=0.3, max_tokens=99, seed=5)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def ask(script: Script, one: Ask = ASK, timeout: float = 20.0) -> tuple[Answer, ScriptedServer]:
    with ScriptedServer(script) as server:
        return OpenAIChat(server.where(), timeout=timeout).ask(one), server


def refused(script: Script, one: Ask = ASK, timeout: float = 20.0) -> tuple[ChatError, ScriptedServer]:
    with ScriptedServer(script) as server, pytest.raises(ChatError) as caught:
        OpenAIChat(server.where(), timeout=timeout).ask(one)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value, server


def test_a_call_sends_all_of_it_and_reads_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-toy\n")
    answer, server = ask(in_turn(ok('{"queries": []}', prompt_tokens=31, completion_tokens=7)))
    assert answer == Answer('{"queries": []}', 31, 7, "stop")
    (asked,) = server.requests
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == "Bearer sk-toy"
    assert asked.body == {
        "model": "org/model",
        "messages": [
            {"role": "system", "content": "You write queries."},
            {"role": "user", "content": f"Note about {SECRET}."},
        ],
        "temperature": 0.3,
        "max_tokens": 99,
        "seed": 5,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
    }


def test_what_is_not_given_is_not_sent() -> None:
    _, server = ask(in_turn(ok("x")), Ask("", "user"))
    assert server.requests[0].body == {
        "model": "org/model",
        "messages": [{"role": "user", "content": "user"}],
        "temperature": 0.8,
        "max_tokens": 2048,
    }


def test_name_and_host_are_the_addresss() -> None:
    chat = OpenAIChat("openai:https://LLM.example:8443/v1#meta-llama/Llama-3.1-70B-Instruct")
    assert (chat.name, chat.host) == ("meta-llama/Llama-3.1-70B-Instruct", "llm.example")
    assert OpenAIChat("http://[::1]:8000/v1#m").host == "::1"


@pytest.mark.parametrize(
    "where",
    [
        *("", "openai:", "m", "openai:http://host/v1", "openai:http://host/v1#", "ftp://host/v1#m", "openai:http:///v1#m"),
        *("http://host:port/v1#m", "http://host:99999/v1#m", "http://[::1/v1#m", "http://host/v1?key=1#m"),
    ],
)
def test_a_bad_address_is_said_with_the_right_form(where: str) -> None:
    with pytest.raises(ModelError, match="write it as openai:http://HOST/v1#MODEL"):
        OpenAIChat(where)


def test_a_password_in_the_address_is_refused_and_not_quoted() -> None:
    with pytest.raises(ModelError, match="put the key into OPENAI_API_KEY") as caught:
        OpenAIChat("openai:http://me:hunter2@host/v1#m")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["ключ", "sk-\x07toy", "sk-a\nsk-b"])
def test_a_key_that_no_header_can_carry_is_said_at_once(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ModelError, match="OPENAI_API_KEY holds characters") as caught:
        OpenAIChat("http://127.0.0.1:9/v1#m")
    assert key not in str(caught.value)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModelError, match=r"pip install 'medloom\[openai\]'"):
        OpenAIChat("http://127.0.0.1:9/v1#m")


@pytest.mark.parametrize(
    ("message", "finish", "text"),
    [
        ({"content": "<think>Zebediah? No.</think>\n\n{}"}, "stop", "{}"),
        ({"content": "\n<think>\na</think> b </think>{}"}, "stop", "{}"),
        ({"content": "the template wrote the opening tag</think>\n{}"}, "stop", "{}"),
        ({"content": "{}", "reasoning_content": "thought"}, "stop", "{}"),
        ({"content": "{}", "reasoning": "thought", "refusal": None, "tool_calls": []}, "stop", "{}"),
        ({"content": [{"type": "text", "text": '{"a":'}, {"type": "text", "text": " 1}"}]}, "stop", '{"a": 1}'),
        ({"content": '{"queries": [{"que'}, "length", '{"queries": [{"que'),
        ({"content": "```json\n{}\n```"}, "stop", "```json\n{}\n```"),
        ({"content": "x"}, "tool_calls", "x"),
    ],
)
def test_only_the_answer_is_the_answer(message: dict[str, Any], finish: str, text: str) -> None:
    answer, _ = ask(in_turn(reply(completion(message, finish))))
    assert (answer.text, answer.finish) == (text, finish)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": None, "completion_tokens": "many"}, {"prompt_tokens": -1}, "x"]
)
def test_tokens_that_are_not_counted_are_0(usage: Any) -> None:
    body = completion({"content": "x"}) | ({} if usage is None else {"usage": usage})
    answer, _ = ask(in_turn(reply(body)))
    assert (answer.prompt_tokens, answer.completion_tokens) == (0, 0)


def test_a_choice_without_a_finish_reason_is_whole() -> None:
    body = completion({"content": "x"})
    body["choices"][0]["finish_reason"] = None
    assert ask(in_turn(reply(body)))[0].finish == "stop"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (completion({"content": None}), "empty answer"),
        (completion({"content": ""}), "empty answer"),
        (completion({"content": " \n"}), "empty answer"),
        (completion({"content": 7}), "empty answer"),
        (completion({"content": "<think>still thinking"}, "length"), "raise max_tokens"),
        (completion({"content": None, "reasoning_content": SECRET}, "length"), "raise max_tokens"),
        (completion({"content": None, "refusal": f"I cannot help {SECRET}"}), "refused to answer"),
        (completion({"content": SECRET}, "content_filter"), "content filter"),
        ({"choices": []}, "no choice"),
        ({"choices": None}, "no choice"),
        ({"choices": [SECRET]}, "no choice"),
        ({"choices": [{"message": None}]}, "without a message"),
    ],
)
def test_an_answer_with_nothing_in_it_fails_alone(body: dict[str, Any], said: str) -> None:
    error, server = refused(in_turn(reply(body)))
    assert isinstance(error, CallFailed)
    assert said in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 524, 529])
def test_what_may_work_later(status: int) -> None:
    error, server = refused(in_turn(failed(status, f"overloaded by {SECRET}")))
    assert isinstance(error, RetryLater)
    assert error.after is None
    assert f"status {status}" in str(error)
    assert len(server.requests) == 1, "the runner retries, not the client"


@pytest.mark.parametrize("status", [400, 411, 413, 414, 418, 422, 451])
def test_what_will_not_work_for_this_prompt(status: int) -> None:
    error, server = refused(in_turn(failed(status, f"context length exceeded by {SECRET}", "context_length_exceeded")))
    assert isinstance(error, CallFailed)
    assert f"status {status}" in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "message", "code", "said"),
    [
        (401, "bad key sk-toy", "invalid_api_key", "set OPENAI_API_KEY"),
        (402, "pay", None, "no credit"),
        (403, "no", None, "may not use this model"),
        (404, "The model `org/model` does not exist.", "model_not_found", "does not know this model"),
        (404, "Not Found", None, "check the URL"),
        (405, "Method Not Allowed", None, "check the URL"),
        (410, "gone", None, "no longer served"),
        (400, "no", "model_not_found", "does not know this model"),
        (400, "model 'org/model' not found, try pulling it first", None, "does not know this model"),
        (400, "Invalid model name passed in model=org/model", None, "does not know this model"),
        (429, "You exceeded your current quota", "insufficient_quota", "no credit"),
    ],
)
def test_what_will_work_for_no_prompt(status: int, message: str, code: str | None, said: str) -> None:
    error, server = refused(in_turn(failed(status, message, code)))
    assert isinstance(error, ServerRefuses)
    assert said in str(error)
    assert "sk-toy" not in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "flagged", "code": 403, "metadata": {"reasons": ["violence"]}},
        {"message": "filtered", "code": "content_filter"},
    ],
)
@pytest.mark.parametrize("status", [400, 403])
def test_a_filtered_prompt_fails_alone(status: int, error: dict[str, Any]) -> None:
    found, _ = refused(in_turn(reply({"error": error}, status)))
    assert isinstance(found, CallFailed)
    assert "content filter" in str(found)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": SECRET}, RetryLater),
        ({"code": 502, "message": "upstream"}, RetryLater),
        ({"code": "server_error", "message": "x"}, RetryLater),
        ({"code": 401, "message": "x"}, ServerRefuses),
        ({"code": 400, "message": "x"}, CallFailed),
        (SECRET, RetryLater),
    ],
)
def test_an_error_under_status_200_is_an_error(error: Any, kind: type[ChatError]) -> None:
    assert isinstance(refused(in_turn(reply({"error": error})))[0], kind)


def test_an_answer_that_the_server_broke_off_may_work_later() -> None:
    for finish in ("error", "abort"):
        assert isinstance(refused(in_turn(reply(completion({"content": "{"}, finish))))[0], RetryLater)


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"hello", b"", b"[]", b'"text"', b'{"object": "list", "data": []}'],
)
def test_what_is_no_chat_completion_ends_all_calls(body: bytes) -> None:
    error, _ = refused(in_turn(Reply(200, body, {"Content-Type": "text/html"})))
    assert isinstance(error, ServerRefuses)
    assert "/v1?" in str(error)


@pytest.mark.parametrize("body", [b'{"choices": [{"mess', b"", b"\xff\xfe"])
def test_a_broken_body_may_work_later(body: bytes) -> None:
    error, _ = refused(in_turn(Reply(200, body)))
    assert isinstance(error, RetryLater)
    assert "broken answer" in str(error)


@pytest.mark.parametrize(
    "fault",
    [ok("x", drop="before"), ok("x" * 5000, drop="middle"), ok("x", delay=30), ok("x" * 5000, stall=30)],
    ids=["dropped before", "dropped in the middle", "silent", "stalled"],
)
def test_a_line_that_breaks_or_stalls_may_work_later(fault: Reply) -> None:
    start = time.monotonic()
    error, _ = refused(in_turn(fault), timeout=0.3)
    assert isinstance(error, RetryLater)
    assert time.monotonic() - start < 5


def test_a_server_that_goes_and_comes_back() -> None:
    with ScriptedServer(in_turn(ok("x"))) as server:
        chat = OpenAIChat(server.where())
        assert chat.ask(ASK).text == "x"
        server.stop()
        for _ in range(2):
            with pytest.raises(RetryLater, match="cannot be reached, or hung up"):
                chat.ask(ASK)
        server.start()
        assert chat.ask(ASK).text == "x"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], after: float | None) -> None:
    assert retry_after(headers) == after


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_says_how_long(status: int, form: str) -> None:
    value = "30" if form == "seconds" else formatdate(time.time() + 30, usegmt=True)
    error, _ = refused(in_turn(failed(status, headers={"Retry-After": value})))
    assert isinstance(error, RetryLater)
    assert error.after == pytest.approx(30, abs=2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_text_elsewhere(status: int) -> None:
    with ScriptedServer(in_turn(ok("stolen"))) as other:
        error, server = refused(
            in_turn(reply({}, status, headers={"Location": f"{other.url}/chat/completions"})),
        )
        assert isinstance(error, ServerRefuses)
        assert "redirects, which is not followed" in str(error)
        assert (len(server.requests), len(other.requests)) == (1, 0)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    with ScriptedServer(in_turn(ok("by proxy"))) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{server.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.0.0.2"])
def test_no_proxy_sees_what_goes_to_this_machine(proxy: ScriptedServer, host: str) -> None:
    with ScriptedServer(in_turn(ok("direct"))) as server:
        chat = OpenAIChat(f"http://{host}:{server.port}/v1#m", timeout=5)
        try:
            assert chat.ask(ASK).text == "direct"
        except RetryLater:
            assert host == "127.0.0.2", "the server listens on 127.0.0.1 alone"
    assert not proxy.requests


def test_a_proxy_is_used_where_the_server_is_elsewhere(proxy: ScriptedServer) -> None:
    assert OpenAIChat("http://llm.example:8000/v1#m").ask(ASK).text == "by proxy"
    assert proxy.requests[0].path == "http://llm.example:8000/v1/chat/completions"


def _format(request: dict[str, Any]) -> str | None:
    found: dict[str, Any] = request.get("response_format", {})
    return found.get("type")


def _takes(*formats: str | None, message: str = "response_format is not supported", **settings: Any) -> Script:
    """A server that takes some forms of output only."""

    def script(request: dict[str, Any], _: int) -> Reply:
        return ok("{}") if _format(request) in formats else failed(400, message, **settings)

    return script


@pytest.mark.parametrize(
    ("formats", "first", "later"),
    [
        (("json_schema",), ["json_schema"], "json_schema"),
        (("json_object", None), ["json_schema", "json_object"], "json_object"),
        ((None,), ["json_schema", "json_object", None], None),
    ],
)
def test_a_server_without_schemas_is_asked_in_its_own_way_from_then_on(
    formats: tuple[str | None, ...], first: list[str | None], later: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer(_takes(*formats)) as server, caplog.at_level(logging.INFO):
        chat = OpenAIChat(server.where())
        for _ in range(3):
            assert chat.ask(ASK).text == "{}"
    assert [_format(request.body) for request in server.requests] == [*first, later, later]
    assert [(json.dumps(SCHEMA) in r.text) for r in server.requests] == [
        _format(r.body) != "json_schema" for r in server.requests
    ]
    assert len(caplog.records) == len(first) - 1, "each is said once"
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        {"message": "'response_format.type' must be 'json_object'"},
        {"message": "no", "param": "response_format"},
        {"message": "no", "param": "response_format.json_schema.schema"},
        {"message": "The provided JSON schema contains features not supported"},
        {"message": "guided_json is not available"},
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_refusals_of_the_format_in_several_words(status: int, error: dict[str, str]) -> None:
    answer, server = ask(in_turn(reply({"error": error}, status), ok("{}")))
    assert answer.text == "{}"
    assert _format(server.requests[1].body) == "json_object"


def test_a_refusal_that_quotes_the_note_does_not_cost_the_schema() -> None:
    echo = "too long: a guided biopsy, structured report, grammar of the schema, format of response, JSON"
    with ScriptedServer(in_turn(failed(400, echo), ok("{}"))) as server:
        chat = OpenAIChat(server.where())
        with pytest.raises(CallFailed):
            chat.ask(ASK)
        chat.ask(ASK)
    assert [_format(request.body) for request in server.requests] == ["json_schema", "json_schema"]


def test_a_refusal_that_the_other_forms_get_too_does_not_cost_the_schema() -> None:
    """A server that quotes the whole request names response_format whatever is wrong."""
    echo = failed(400, 'bad: {"response_format": {"type": "json_schema"}}')
    with ScriptedServer(in_turn(echo, echo, echo, ok("{}"))) as server:
        chat = OpenAIChat(server.where())
        with pytest.raises(CallFailed):
            chat.ask(ASK)
        chat.ask(ASK)
    assert [_format(r.body) for r in server.requests] == ["json_schema", "json_object", None, "json_schema"]


def test_a_call_without_a_schema_has_no_format_to_give_up() -> None:
    error, server = refused(in_turn(failed(400, "response_format")), Ask("", SECRET))
    assert isinstance(error, CallFailed)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("param", "gone", "instead"),
    [("max_tokens", "max_tokens", "max_completion_tokens"), ("temperature", "temperature", None), ("seed", "seed", None)],
)
def test_parameters_that_a_server_does_not_take(
    param: str, gone: str, instead: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        if param in request:
            return reply({"error": {"message": f"Unsupported parameter: '{param}'", "param": param}}, 400)
        return ok("x")

    with ScriptedServer(script) as server:
        chat = OpenAIChat(server.where())
        chat.ask(ASK)
        chat.ask(ASK)
    bodies = [request.body for request in server.requests]
    assert [gone in body for body in bodies] == [True, False, False]
    assert instead is None or [instead in body for body in bodies] == [False, True, True]
    assert len(caplog.records) == 1


def test_a_server_that_takes_neither_ends() -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        return reply({"error": {"message": "no", "param": "max_tokens"}}, 400)

    error, server = refused(script)
    assert isinstance(error, CallFailed)
    assert len(server.requests) == 2


def test_many_threads_get_their_own_answers_and_find_out_together(caplog: pytest.LogCaptureFixture) -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        if "response_format" in request:
            return failed(400, "response_format: none here", delay=0.02)
        return ok(request["messages"][-1]["content"], delay=0.02)

    got: dict[int, str] = {}
    with ScriptedServer(script) as server:
        chat = OpenAIChat(server.where())

        def work(i: int) -> None:
            got[i] = chat.ask(Ask("", f"note {i}", SCHEMA)).text

        threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert got == {i: f"note {i}" for i in range(16)}
    assert len(caplog.records) == 2


def test_characters_that_no_wire_carries_fail_alone() -> None:
    error, server = refused(in_turn(ok("x")), Ask("", f"\ud800 {SECRET}"))
    assert isinstance(error, CallFailed)
    assert not server.requests


def test_any_script_gets_through() -> None:
    text = "ΔG, naïve, 心电图, 👩‍⚕️, \x00, \u2028"
    answer, server = ask(in_turn(ok(text)), Ask("", text))
    assert answer.text == text
    assert server.requests[0].text == text


_LOUD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from medloom.generate.chat import Ask, ChatError
from medloom.generate.endpoint import OpenAIChat
logging.getLogger("medloom").info("logging is on")
chat = OpenAIChat(sys.argv[1])
for _ in range(3):
    try:
        chat.ask(Ask(sys.argv[2], sys.argv[2], {"type": "object"}))
    except ChatError:
        logging.getLogger("medloom").exception("a call failed")
"""


def test_the_loudest_logging_prints_no_text_and_no_key(tmp_path: Path) -> None:
    program = tmp_path / "loud.py"
    program.write_text(_LOUD, encoding="utf-8")
    replies = (ok(SECRET), failed(400, f"what is {SECRET}? what is response_format?"), failed(500, SECRET))
    with ScriptedServer(in_turn(*replies)) as server:
        done = subprocess.run(
            [sys.executable, str(program), server.where(), SECRET],
            env={**os.environ, "OPENAI_LOG": "debug", "OPENAI_API_KEY": "sk-toy"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert len(server.requests) >= 3
    assert "logging is on" in done.stderr
    assert "a call failed" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "sk-toy" not in done.stdout + done.stderr
