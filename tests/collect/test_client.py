"""The client: polite, patient, and clear when it gives up."""

import email.utils
import gzip
import logging
import time
from pathlib import Path

import pytest
from tests.collect.conftest import PATIENCE
from tests.replica import Answer, Fault, Request, replica

from medloom import __version__
from medloom.collect.client import Again, Client, Patience, Response, ServiceError, place, retry_after
from medloom.collect.turns import Turns
from medloom.errors import SourceError


def _echo(request: Request) -> Answer:
    return Answer(f"{request.method} {request.path} {sorted(request.query.items())}".encode())


def test_it_asks_with_a_query_or_a_form_and_says_who_it_is(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDLOOM_CONTACT", "someone@example.org")
    with replica(_echo) as service:
        assert client.get(f"{service.url}/a", {"q": "x y&z"}).body == b"GET /a [('q', 'x y&z')]"
        assert client.post(f"{service.url}/b", {"id": "1,2"}).body == b"POST /b [('id', '1,2')]"
    assert [r.headers["user-agent"] for r in service.requests] == [f"medloom/{__version__} (mailto:someone@example.org)"] * 2


def test_it_asks_no_service_elsewhere_without_a_contact(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.delenv("MEDLOOM_CONTACT", raising=False)
    with pytest.raises(SourceError, match=r"service\.invalid wants to know whom to write to .* MEDLOOM_CONTACT"):
        client.get("https://service.invalid/x")


@pytest.mark.parametrize("contact", ["jürgen@example.org", "a@example.org\r\nX: y"])
def test_a_contact_that_is_no_address_is_refused(tmp_path: Path, contact: str) -> None:
    with Client(contact, Turns(tmp_path / "t.sqlite"), PATIENCE) as client, pytest.raises(SourceError, match="ASCII"):
        client.get("http://127.0.0.1:9/x")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=502),
        Fault(status=503),
        Fault(status=504),
        Fault(status=408),
        Fault(status=429),
        Fault(status=429, headers={"Retry-After": "0"}),
        Fault("drop"),
        Fault("cut"),
        Fault("stall"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_it_asks_again_where_that_helps(client: Client, fault: Fault) -> None:
    with replica(_echo, {0: fault}) as service:
        assert client.get(f"{service.url}/a").body == b"GET /a []"
    assert (len(service.requests), client.asked.requests, client.asked.repeated) == (2, 2, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_final(client: Client, status: int) -> None:
    with replica(_echo, {0: Fault(status=status)}) as service:
        with pytest.raises(ServiceError, match=rf"/a refuses the request \(status {status}\)") as caught:
            client.get(f"{service.url}/a", {"api_key": "secret"})
        assert caught.value.status == status
        assert "secret" not in str(caught.value)
        assert len(service.requests) == 1


def test_it_waits_as_long_as_it_is_asked_to(client: Client) -> None:
    with replica(_echo, {0: Fault(status=429, headers={"Retry-After": "0.4"})}) as service:
        client.get(f"{service.url}/a")
    assert service.moments[1] - service.moments[0] >= 0.4


def test_a_wait_longer_than_the_patience_ends_it_at_once(client: Client) -> None:
    with replica(_echo, {0: Fault(status=503, headers={"Retry-After": "3600"})}) as service:
        begun = time.monotonic()
        with pytest.raises(ServiceError, match=r"asks to wait 3,600 s\): what was collected is kept"):
            client.get(f"{service.url}/a")
        assert time.monotonic() - begun < 1


def test_it_gives_up_when_the_patience_is_at_an_end(tmp_path: Path) -> None:
    patience = Patience(seconds=0.3, first_pause=0.01)
    with (
        Client("", Turns(tmp_path / "t.sqlite"), patience) as client,
        replica(_echo, dict.fromkeys(range(200), Fault(status=500))) as service,
        pytest.raises(ServiceError, match=r"no usable answer in \d+ tries \(the last: status 500\)"),
    ):
        client.get(f"{service.url}/a")
    assert 2 < len(service.requests) < 40


def test_an_answer_that_is_an_error_in_words_is_asked_for_again(client: Client) -> None:
    def check(response: Response) -> None:
        if b"error" in response.body:
            raise Again("an error in words")

    with replica(_echo, {0: Fault(status=200, body=b'{"error": "busy"}')}) as service:
        assert client.get(f"{service.url}/a", check=check).body == b"GET /a []"


def test_json_that_is_none_is_asked_for_again(client: Client) -> None:
    faults = {0: Fault(status=200, body=b"<html>"), 1: Fault(status=200, body=b"[" * 200_000)}
    with replica(lambda _: Answer(b'{"a": 1}'), faults) as service:
        assert client.json(f"{service.url}/a") == {"a": 1}
    assert len(service.requests) == 3


def test_an_answer_without_end_is_refused(client: Client) -> None:
    bomb = gzip.compress(bytes(3_000_000))
    with (
        replica(lambda _: Answer(bomb, headers={"Content-Encoding": "gzip"})) as service,
        pytest.raises(ServiceError, match=r"/a answers more than 2,000,000 bytes"),
    ):
        client.get(f"{service.url}/a", max_bytes=2_000_000)


def test_redirects_are_followed_but_not_for_ever(client: Client) -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/old":
            return Answer(b"", 301, {"Location": "/new"})
        if request.path == "/round":
            return Answer(b"", 302, {"Location": "/round"})
        return Answer(b"here")

    with replica(answer) as service:
        assert client.get(f"{service.url}/old").body == b"here"
        with pytest.raises(ServiceError, match=r"/round redirects more than 5 times"):
            client.get(f"{service.url}/round")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "127.0.0.1/x"])
def test_addresses_that_are_none(client: Client, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDLOOM_CONTACT", "someone@example.org")
    with pytest.raises(ServiceError, match="http"):
        client.get(url)


def test_a_proxy_that_the_environment_names_is_used(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDLOOM_CONTACT", "someone@example.org")
    with replica(lambda request: Answer(request.path.encode())) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert client.get("http://service.invalid/through").body == b"/through"
        assert proxy.requests[0].headers["host"] == "service.invalid"


def test_requests_keep_their_distance(client: Client) -> None:
    with replica(_echo) as service:
        client.get(f"{service.url}/warm")
        begun = time.monotonic()
        for _ in range(4):
            client.get(f"{service.url}/a", interval=0.05)
    assert service.moments[-1] - begun >= 3 * 0.05


def test_logs_hold_no_query(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with replica(_echo, {0: Fault(status=503)}) as service:
        client.get(f"{service.url}/a", {"api_key": "secret"})
    assert "status 503, again in" in caplog.text
    assert "secret" not in caplog.text


def test_places_hold_neither_query_nor_password() -> None:
    assert place("https://user:pass@host:81/a/b?api_key=1#f") == "host:81/a/b"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", None), ("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("nan", None), ("Fri, 99 Nov 2026", None)],
)
def test_retry_after_as_a_number(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date() -> None:
    found = retry_after({"retry-after": email.utils.formatdate(time.time() + 100, usegmt=True)})
    assert found is not None
    assert 97 < found < 101
