"""Who may come in, with how much, and what every answer carries."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from tests.serve.fakes import SlowEncoder, slow_models

from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.errors import ApiError, ServeError
from medloom.serve.keys import Keys, load_keys
from medloom.serve.routes import json_router
from medloom.serve.run import demand_keys

KEY, OTHER = "k" * 32, "o" * 32
SECRET = "Jane Doe has a fever"


def extra_router() -> APIRouter:
    """Routes as another room of the house adds them."""
    router = json_router()

    @router.get("/extra/{name}")
    async def extra(request: Request, name: str, number: int = 0) -> dict[str, str | int]:
        if name == "refused":
            raise ApiError(409, "no", code="not_now")
        if name == "broken":
            raise RuntimeError(SECRET)
        return {"name": name, "number": number, "models": ",".join(request.app.state.models.names)}

    @router.get("/open/page")
    async def page() -> dict[str, str]:
        return {}

    return router


@pytest.fixture(scope="module")
def locked() -> Iterator[TestClient]:
    settings = ServeSettings(host="0.0.0.0", threads=1)
    app = create_app(slow_models(SlowEncoder()), settings, Keys([KEY, OTHER]), [extra_router()], ["/open/", "/"])
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/openapi.json", "/extra/a", "/none", "/opened", "/health/"])
def test_no_key_no_answer(locked: TestClient, path: str) -> None:
    answer = locked.get(path)
    assert answer.status_code == 401
    assert answer.json()["error"] == {
        "message": "no valid API key: send one as Authorization: Bearer KEY",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {OTHER}"},
        {"x-api-key": KEY},
    ],
)
def test_any_key_opens(locked: TestClient, headers: dict[str, str]) -> None:
    assert locked.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "value", [KEY, f"Basic {KEY}", "Bearer", "Bearer ", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer \xff"]
)
def test_other_keys_do_not(locked: TestClient, value: str) -> None:
    assert locked.get("/v1/models", headers={b"authorization": value.encode("latin-1")}).status_code == 401


def test_probes_and_public_paths_need_no_key(locked: TestClient) -> None:
    assert [locked.get(path).status_code for path in ("/health", "/ready", "/open/page")] == [200, 200, 200]
    assert locked.get("/").status_code == 404, "public, but there is nothing"


def test_further_routes_have_the_same_errors(locked: TestClient) -> None:
    locked.headers["authorization"] = f"Bearer {KEY}"
    try:
        assert locked.get("/extra/a").json() == {"name": "a", "number": 0, "models": "slow"}
        assert locked.get("/extra/refused").json()["error"]["code"] == "not_now"
        wrong = locked.get("/extra/a", params={"number": SECRET})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "number")
        assert SECRET not in wrong.text
    finally:
        del locked.headers["authorization"]


def test_a_failure_says_nothing_of_texts(locked: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = locked.get("/extra/broken", headers={"x-api-key": KEY})
    assert answer.status_code == 500
    request_id = answer.headers["x-request-id"]
    assert answer.json()["error"]["message"] == f"the server failed at this request: its log says where under {request_id}"
    (failure,) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert failure.startswith(f"request {request_id} failed: RuntimeError at test_guard.py:")
    assert SECRET not in caplog.text + answer.text


@pytest.mark.parametrize("path", ["/health", "/none", "/v1/models", "/open/page"])
def test_every_answer_carries_the_security_headers(locked: TestClient, path: str) -> None:
    headers = locked.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert len(headers["x-request-id"]) == 16
    assert not {name for name in headers if name.startswith("access-control")}


def test_other_origins_are_told_nothing(client: TestClient) -> None:
    asked = {"origin": "https://example.org", "access-control-request-method": "POST"}
    answer = client.options("/v1/embeddings", headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8000", 200),
        ("LOCALHOST:80", 200),
        ("[::1]:8000", 200),
        ("rebound.example.org", 421),
        ("localhost.example.org:8000", 421),
        ("", 421),
    ],
)
def test_a_server_on_loopback_answers_to_its_own_names(client: TestClient, host: str, status: int) -> None:
    assert client.get("/v1/models", headers={"host": host}).status_code == status


def test_texts_are_not_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client.post(f"/v1/embeddings?secret={SECRET}", json={"model": "tiny", "input": SECRET})
        client.get(f"/v1/models/{SECRET}")
        wrong = client.post("/v1/embeddings", json={"model": SECRET, "input": [SECRET], SECRET: SECRET})
        client.get(f"/{SECRET}")
    ours = [one.getMessage() for one in caplog.records if one.name.startswith(("medloom", "uvicorn", "fastapi"))]
    assert len(ours) == 4
    assert ours[0].startswith("POST /v1/embeddings 200 ")
    assert not any("Jane" in line for line in ours)
    assert "Jane" not in wrong.text


def test_counters(client: TestClient) -> None:
    client.post("/v1/embeddings", json={"model": "tiny", "input": ["fever " * 90]})
    client.request("BREW", "/none")
    client.get("/v1/models/none")
    page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    for line in (
        'medloom_requests_total{method="POST",route="/v1/embeddings",status="200"}',
        'medloom_requests_total{method="other",route="unmatched",status="404"}',
        'medloom_requests_total{method="GET",route="/v1/models/{model:path}",status="404"}',
        'medloom_request_seconds_count{route="/v1/embeddings"}',
        'medloom_queue_texts{model="tiny"} 0.0',
        'medloom_tokens_total{model="tiny"}',
        'medloom_truncated_texts_total{model="tiny"}',
        'medloom_batch_texts_bucket{le="1.0",model="tiny"}',
        "medloom_requests_in_work 1.0",
    ):
        assert line in page.text, line


def test_too_long_a_body(client: TestClient) -> None:
    body = b'{"model": "tiny", "input": "' + b"a" * 200_000 + b'"}'
    answer = client.post("/v1/embeddings", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_long")
    chunks = (body[i : i + 50_000] for i in range(0, len(body), 50_000))
    streamed = client.post("/v1/embeddings", content=chunks, headers={"content-type": "application/json"})
    assert streamed.status_code == 413


def test_draining_refuses_new_work_and_is_not_ready() -> None:
    app = create_app(slow_models(SlowEncoder()), ServeSettings(threads=1, drain_seconds=7))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        app.state.lifecycle.draining = True
        answer = client.post("/v1/embeddings", json={"model": "slow", "input": "a"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert answer.json()["error"]["type"] == "server_error"
        assert (client.get("/ready").status_code, client.get("/health").status_code) == (503, 200)


def test_not_ready_before_it_is_warm_and_not_healthy_after_its_thread() -> None:
    encoder = SlowEncoder()
    encoder.gate.clear()
    models = slow_models(encoder)
    with TestClient(create_app(models, ServeSettings(threads=1)), base_url="http://127.0.0.1") as client:
        assert client.get("/health").status_code == 200
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "warming")
        encoder.gate.set()
        models.served[0].close()
        assert client.get("/health").status_code == 503


def test_openapi_knows_the_errors(client: TestClient) -> None:
    found = client.get("/openapi.json").json()
    assert set(found["paths"]) >= {"/v1/embeddings", "/v1/rerank", "/v1/models", "/health", "/ready", "/metrics"}
    for path in found["paths"].values():
        for operation in path.values():
            assert {"4XX", "5XX"} <= set(operation["responses"])
            assert "422" not in operation["responses"]
    assert client.get("/docs").status_code == 404


def test_keys_of_the_environment_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# the clinic\n{KEY}  # until June\n\n", "utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("MEDLOOM_API_KEYS", f"{OTHER}, {'p' * 16}\n")
    keys = load_keys(file)
    assert len(keys) == 3
    assert all(keys.open(key.encode()) for key in (KEY, OTHER, "p" * 16))
    assert not keys.open(b"")
    monkeypatch.delenv("MEDLOOM_API_KEYS")
    assert len(load_keys()) == 0


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("short", 0o600, "shorter than 16"),
        ("kéy" * 16, 0o600, "printable ASCII"),
        ("# nothing", 0o600, "holds no key"),
        (KEY, 0o604, "chmod 600"),
        (None, 0o600, "cannot be read"),
    ],
)
def test_keys_that_are_none(tmp_path: Path, text: str | None, mode: int, reason: str) -> None:
    file = tmp_path / "keys"
    if text is not None:
        file.write_text(text, "utf-8")
        file.chmod(mode)
    with pytest.raises(ServeError, match=reason) as raised:
        load_keys(file)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "open_to_others"),
    [
        *((host, False) for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9")),
        *((host, True) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org")),
    ],
)
def test_others_need_keys(host: str, open_to_others: bool) -> None:
    settings = ServeSettings(host=host)
    demand_keys(settings, Keys([KEY]))
    if open_to_others:
        assert not settings.host_names
        with pytest.raises(ServeError, match="no API keys"):
            demand_keys(settings, Keys())
    else:
        assert "localhost" in settings.host_names
        demand_keys(settings, Keys())
