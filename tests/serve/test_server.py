"""The server as a process: OpenAI's client, slow and rude clients, load, and the end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
from tests.serve.fakes import SlowEncoder, real_server, slow_models

from medloom.encode.encoder import TorchEncoder
from medloom.encode.endpoint import OpenAIEncoder
from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.errors import ServeError
from medloom.serve.keys import Keys
from medloom.serve.models import load_models
from medloom.serve.run import serve

KEY = "a key that is long enough"
RUDE = ServeSettings(port=0, threads=1, header_seconds=0.3, body_seconds=0.3, body_bytes=50_000, requests=4)


@pytest.fixture(scope="module")
def port(tiny_model: Path) -> Iterator[int]:
    settings = ServeSettings(port=0, threads=1)
    with real_server(create_app(load_models([f"tiny={tiny_model}"]), settings, Keys([KEY])), settings) as one:
        yield one


@pytest.fixture(scope="module")
def rude(tiny_model: Path) -> Iterator[int]:
    """A server of little patience."""
    with real_server(create_app(load_models([f"tiny={tiny_model}"]), RUDE), RUDE) as one:
        yield one


def test_the_openai_client_works_unchanged(port: int, tiny_encoder: TorchEncoder) -> None:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY) as client:
        texts = ["fever and cough", "rash"]
        answer = client.embeddings.create(model="tiny", input=texts)
        np.testing.assert_allclose([one.embedding for one in answer.data], tiny_encoder.encode(texts), atol=1e-6)
        floats = client.embeddings.create(model="tiny", input="rash", encoding_format="float", user="u")
        np.testing.assert_allclose(floats.data[0].embedding, answer.data[1].embedding, atol=1e-6)
        cut = client.embeddings.create(model="tiny", input="rash", dimensions=8, extra_body={"input_type": "query"})
        assert len(cut.data[0].embedding) == 8
        assert answer.usage.total_tokens == 5 + 3
        assert [one.id for one in client.models.list()] == ["tiny"]
        with pytest.raises(openai.NotFoundError) as missing:
            client.embeddings.create(model="gpt", input="rash")
        assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="tiny", input="")
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="wrong") as stranger:
        with pytest.raises(openai.AuthenticationError) as closed:
            stranger.embeddings.create(model="tiny", input="rash")
        assert closed.value.code == "invalid_api_key"


def test_medloom_is_its_own_client(port: int, tiny_encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    encoder = OpenAIEncoder(f"openai:http://127.0.0.1:{port}/v1#tiny")
    np.testing.assert_allclose(encoder.encode(["fever", "rash"]), tiny_encoder.encode(["fever", "rash"]), atol=1e-6)


def test_the_server_does_not_say_what_it_is(port: int) -> None:
    answer = httpx.get(f"http://127.0.0.1:{port}/health")
    assert "server" not in answer.headers


def speak(port: int, *parts: bytes, wait: float = 0.0, finish: bool = False) -> bytes:
    """Send parts, some time apart, and read until the server hangs up or a whole answer is there."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        for part in parts:
            try:
                line.sendall(part)
            except OSError:
                break
            time.sleep(wait)
        if finish:
            line.shutdown(socket.SHUT_WR)
        heard = b""
        try:
            while part := line.recv(65_536):
                heard += part
                if b"}}" in heard[-4:] or b"Invalid HTTP" in heard:
                    break
        except ConnectionError:
            pass
        return heard


HEAD = b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"


def test_who_never_ends_the_head_is_hung_up_on(rude: int) -> None:
    began = time.monotonic()
    assert speak(rude, *[b"GET / HTTP/1.1\r\n", *[b"a: b\r\n"] * 8], wait=0.1) == b""
    assert speak(rude) == b"", "nothing said at all"
    assert time.monotonic() - began < 4


def test_who_never_ends_the_body_is_told_so(rude: int) -> None:
    heard = speak(rude, HEAD + b"content-length: 1000\r\n\r\n{", *[b" "] * 5, wait=0.1)
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b"slow_body" in heard


def test_a_slow_second_request_is_hung_up_on_too(rude: int) -> None:
    with socket.create_connection(("127.0.0.1", rude), timeout=5) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        answer = line.recv(65_536)
        while b"ok" not in answer.partition(b"\r\n\r\n")[2]:
            answer += line.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200 ")
        line.sendall(b"GET /health HT")
        assert line.recv(65_536) == b""


def test_a_body_longer_than_allowed_is_refused_at_its_head(rude: int) -> None:
    heard = speak(rude, HEAD + b"content-length: 10000000\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: b\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /%00%ff/..//..%2f HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_request(rude: int, said: bytes) -> None:
    heard = speak(rude, said)
    assert not heard or heard[:10] == b"HTTP/1.1 4", heard[:40]
    assert httpx.get(f"http://127.0.0.1:{rude}/health").status_code == 200


def test_a_body_that_ends_early(rude: int) -> None:
    speak(rude, HEAD + b'content-length: 100\r\n\r\n{"model"', finish=True)
    assert httpx.get(f"http://127.0.0.1:{rude}/ready").status_code == 200


def test_load_is_answered_or_sent_away() -> None:
    """A slow model, a short queue, many clients: 200 or 429, and all hear in time."""
    encoder = SlowEncoder(seconds=0.02)
    settings = ServeSettings(port=0, threads=1, queue_tokens=12, batch_tokens=8, requests=24)
    with real_server(create_app(slow_models(encoder), settings), settings) as port, httpx.Client(timeout=20) as client:

        def ask(number: int) -> httpx.Response:
            body = {"model": "slow", "input": [f"{number} {i}" for i in range(3)]}
            return client.post(f"http://127.0.0.1:{port}/v1/embeddings", json=body)

        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(ask, range(96)))
        assert {one.status_code for one in answers} == {200, 429}
        refused = [one for one in answers if one.status_code == 429]
        assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
        assert {one.json()["error"]["type"] for one in refused} == {"rate_limit_error"}
        assert ask(1000).status_code == 200


def test_a_client_that_leaves_is_not_computed_for() -> None:
    encoder = SlowEncoder()
    settings = ServeSettings(port=0, threads=1)
    app = create_app(slow_models(encoder), settings)
    with real_server(app, settings) as port:
        url = f"http://127.0.0.1:{port}/v1/embeddings"
        while httpx.get(f"http://127.0.0.1:{port}/ready").status_code != 200:
            time.sleep(0.01)
        encoder.gate.clear()
        first = threading.Thread(target=lambda: httpx.post(url, json={"model": "slow", "input": "first"}))
        before = encoder.entered
        first.start()
        while encoder.entered == before:
            time.sleep(0.005)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json={"model": "slow", "input": "left"}, timeout=0.2)
        until = time.monotonic() + 5
        while app.state.lifecycle.in_work > 1 and time.monotonic() < until:
            time.sleep(0.01)
        encoder.gate.set()
        first.join()
        assert "left" not in encoder.seen
        page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert 'medloom_requests_total{method="POST",route="/v1/embeddings",status="499"} 1.0' in page


PROGRAM = """
import sys, logging
sys.path[:0] = {path!r}
from tests.serve.fakes import SlowEncoder, slow_models
from medloom.serve.config import ServeSettings
from medloom.serve.keys import Keys
from medloom.serve.run import serve
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
settings = ServeSettings(port=0, threads=1, drain_seconds={drain})
serve(slow_models(SlowEncoder(seconds={seconds}, slow_at="slow")), settings, Keys())
"""


def start(seconds: float, drain: float) -> tuple["subprocess.Popen[str]", str]:
    program = PROGRAM.format(path=[str(Path(__file__).parents[2])], seconds=seconds, drain=drain)
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "listening on " in line:
            url = line.split("listening on ")[1].strip()
        if "all models are warm" in line:
            return process, url
    raise AssertionError("the server did not start")


def test_sigterm_answers_what_is_in_work_and_refuses_what_is_new() -> None:
    process, url = start(seconds=1.0, drain=20)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(httpx.post, f"{url}/v1/embeddings", json={"model": "slow", "input": "slow"}, timeout=20)
        while "medloom_requests_in_work 2.0" not in httpx.get(f"{url}/metrics").text:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        refused = httpx.post(f"{url}/v1/embeddings", json={"model": "slow", "input": "new"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "20")
        assert httpx.get(f"{url}/ready").status_code == 503
        assert working.result().json()["data"][0]["embedding"] == [4, 1]
    assert process.wait(15) == 0


def test_the_end_does_not_wait_for_ever() -> None:
    process, url = start(seconds=3.0, drain=0.2)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(httpx.post, f"{url}/v1/embeddings", json={"model": "slow", "input": "slow"}, timeout=20)
        while "medloom_requests_in_work 2.0" not in httpx.get(f"{url}/metrics").text:
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - began < 10
        assert isinstance(working.exception(), httpx.HTTPError) or working.result().status_code >= 500


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        settings = ServeSettings(port=holder.getsockname()[1], threads=1)
        with pytest.raises(ServeError, match="cannot be listened on"):
            serve(slow_models(SlowEncoder()), settings, Keys())


def test_the_command_refuses_an_open_server() -> None:
    command = [sys.executable, "-m", "medloom", "serve", "--model", "builtin:all-MiniLM-L6-v2", "--host", "0.0.0.0"]
    environment = {name: value for name, value in os.environ.items() if name != "MEDLOOM_API_KEYS"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 2
    assert "there are no API keys" in done.stderr
