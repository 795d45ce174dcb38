"""Bodies that nobody means well: never a 500, never an echo, never a hang."""

import json
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.fakes import SlowEncoder, slow_models

from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings

JSON = {"content-type": "application/json"}
MILLION = 1_000_000


@pytest.fixture(scope="module")
def open_client() -> Iterator[TestClient]:
    """A server with the limits that it has by default."""
    app = create_app(slow_models(SlowEncoder()), ServeSettings(threads=1))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        yield one


def embeddings(value: bytes) -> bytes:
    return b'{"model":"slow","input":' + value + b"}"


BODIES = {
    "empty": b"",
    "null": b"null",
    "number": b"7",
    "list": b"[]",
    "text": b'"a"',
    "cut short": b'{"model":"slow","input":["a"',
    "two values": embeddings(b'"a"') + b"{}",
    "ten megabytes": embeddings(b'"' + b"a" * 10 * MILLION + b'"'),
    "seven megabytes": embeddings(b'"' + b"a" * 7 * MILLION + b'"'),
    "a million texts": embeddings(b"[" + b'"a",' * MILLION + b'"a"]'),
    "a million numbers": embeddings(b"[" + b"1," * MILLION + b"1]"),
    "a million nulls": embeddings(b"[" + b"null," * MILLION + b"null]"),
    "a million lists": embeddings(b"[" + b"[]," * MILLION + b"[]]"),
    "a million fields": b"{" + b",".join(b'"%d":0' % i for i in range(400_000)) + b"}",
    "deep lists": embeddings(b"[" * 100_000 + b"]" * 100_000),
    "deep objects": embeddings(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "deep, and never closed": b"[" * MILLION,
    "five hundred deep": embeddings(b"[" * 500 + b"]" * 500),
    "lone surrogate": embeddings(b'"\\ud800"'),
    "lone surrogate in a name": b'{"\\udfff":1,"model":"slow","input":"a"}',
    "not UTF-8": embeddings(b'"\xff\xfe"'),
    "surrogate as bytes": embeddings(b'"\xed\xa0\x80"'),
    "UTF-16": '{"model":"slow","input":"a"}'.encode("utf-16"),
    "raw NUL": embeddings(b'"\x00"'),
    "NaN": embeddings(b"[NaN]"),
    "huge number": embeddings(b"[" + b"9" * 100_000 + b"]"),
    "huge power": embeddings(b"[1e999]"),
    "minus zero": embeddings(b"[-0.0]"),
    "input twice, once wrong": b'{"model":"slow","input":"a","input":7}',
    "prototype": b'{"__proto__":{"a":1},"model":"slow","input":"a"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_hostile_bodies_are_refused(open_client: TestClient, body: bytes) -> None:
    began = time.process_time()
    for path in ("/v1/embeddings", "/v1/rerank"):
        answer = open_client.post(path, content=body, headers=JSON)
        assert 400 <= answer.status_code < 500, answer.text[:300]
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert len(answer.content) < 500
    assert time.process_time() - began < 10


def test_what_would_keep_the_loop_busy_is_refused_before_it_is_read(open_client: TestClient) -> None:
    answer = open_client.post("/v1/embeddings", content=BODIES["a million lists"], headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "too_many_items")
    brackets = embeddings(b'"' + b"[1] " * 10_000 + b'"')
    assert open_client.post("/v1/embeddings", content=brackets, headers=JSON).status_code == 200


@pytest.mark.parametrize(
    "value",
    [b'"\\u0000"', b'"\\ud83e\\udd12"', b'"\\ufeff"', b'"\\u202e abc"', b'" "', b'"' + b"a" * 100_000 + b'"', b"[0]"],
)
def test_odd_texts_are_texts(open_client: TestClient, value: bytes) -> None:
    assert open_client.post("/v1/embeddings", content=embeddings(value), headers=JSON).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json; charset=utf-16"} | {"content-encoding": "gzip", "x-odd": "1"},
        {"content-type": "\xff"},
    ],
)
def test_odd_headers(open_client: TestClient, headers: dict[str, str]) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = open_client.post("/v1/embeddings", content=embeddings(b'"a"'), headers=raw)
    assert answer.status_code == (200 if "x-odd" in headers else 400)


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999999999", "0x10", "", "\xb2", "+5"])
def test_odd_lengths(open_client: TestClient, length: str) -> None:
    headers = {b"content-type": b"application/json", b"content-length": length.encode("latin-1")}
    answer = open_client.post("/v1/embeddings", content=b"{}", headers=headers)
    assert answer.status_code in (400, 413)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["model", "input", "dimensions", "encoding_format", "input_type", "truncate", "user", "query", "documents", "top_n"]
)


@given(st.sampled_from(["/v1/embeddings", "/v1/rerank"]), st.dictionaries(FIELDS, JSON_VALUES, max_size=4))
def test_whatever_is_sent_is_answered(open_client: TestClient, path: str, body: dict[str, object]) -> None:
    right = {"query": "a", "documents": ["a"]} if path == "/v1/rerank" else {"input": "a"}
    whole = {"model": "slow"} | right | body
    answer = open_client.post(path, content=json.dumps(whole), headers=JSON)
    assert answer.status_code in (200, 400, 404), answer.text


def test_names_of_fields_are_not_echoed(open_client: TestClient) -> None:
    for body in ({"Jane_Doe": 1}, {"jane_doe": 1}, {"input": {"jane_doe": 1}}, {"input": "a", "model": {"jane_doe": "x"}}):
        answer = open_client.post("/v1/embeddings", json=body)
        assert answer.status_code == 400
        assert "jane" not in answer.text.lower()


def test_a_model_that_fails_is_500_without_the_text(open_client: TestClient) -> None:
    answer = open_client.post("/v1/embeddings", json={"model": "slow", "input": "poison"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_failed")
    assert "poison" not in answer.text
