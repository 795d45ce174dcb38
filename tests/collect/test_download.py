"""Large files: whole, gone on with after a break, fetched again only when they have changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.replica import Answer, Fault, Request, replica

from medloom.collect.client import Client, ServiceError
from medloom.collect.download import download

BODY = bytes(range(256)) * 40


class Files:
    """A file server with ETags and ranges."""

    def __init__(self, body: bytes = BODY, etag: str = '"1"', modified: str = "") -> None:
        self.body, self.etag, self.modified = body, etag, modified

    def __call__(self, request: Request) -> Answer:
        marks = {"ETag": self.etag} if self.etag else {"Last-Modified": self.modified}
        if self._is_known(request.headers):
            return Answer(b"", 304, marks)
        wanted = request.headers.get("range", "")
        if wanted and request.headers.get("if-range") in (self.etag, self.modified):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(self.body):
                return Answer(b"", 416)
            return Answer(self.body[start:], 206, marks)
        return Answer(self.body, 200, marks)

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        return bool(
            (self.etag and headers.get("if-none-match") == self.etag)
            or (self.modified and headers.get("if-modified-since") == self.modified)
        )


def test_a_file_is_fetched_once_and_again_when_it_has_changed(client: Client, tmp_path: Path) -> None:
    files = Files()
    with replica(files) as service:
        path = download(client, f"{service.url}/d/a.gz", tmp_path / "f")
        assert path == tmp_path / "f" / "a.gz"
        assert path.read_bytes() == BODY
        download(client, f"{service.url}/d/a.gz", tmp_path / "f")
        assert client.asked.bytes == len(BODY)
        files.body, files.etag = b"new", '"2"'
        assert download(client, f"{service.url}/d/a.gz", tmp_path / "f").read_bytes() == b"new"
    assert len(service.requests) == 3


def test_a_date_serves_where_there_is_no_etag(client: Client, tmp_path: Path) -> None:
    files = Files(etag="", modified="Wed, 01 Jan 2025 00:00:00 GMT")
    with replica(files, {0: Fault("cut")}) as service:
        assert download(client, f"{service.url}/a", tmp_path).read_bytes() == BODY
        assert service.requests[1].headers["range"] == f"bytes={len(BODY) // 2}-"
        download(client, f"{service.url}/a", tmp_path)
    assert client.asked.bytes == len(BODY)


def test_after_a_break_only_the_rest_is_fetched(client: Client, tmp_path: Path) -> None:
    with replica(Files(), {0: Fault("cut"), 1: Fault(status=503)}) as service:
        assert download(client, f"{service.url}/a", tmp_path).read_bytes() == BODY
        assert service.requests[2].headers["range"] == f"bytes={len(BODY) // 2}-"
    assert client.asked.bytes == len(BODY)
    assert sorted(p.name for p in tmp_path.iterdir() if "turns" not in p.name) == ["a", "a.origin.json"]


def test_the_rest_of_another_file_is_not_put_behind_it(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"old half")
    with replica(Files()) as service:
        (tmp_path / "a.origin.json").write_text(json.dumps({"url": f"{service.url}/a", "etag": '"0"'}))
        assert download(client, f"{service.url}/a", tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("origin", ["", "[]", "{broken", '{"url": "http://127.0.0.1/other", "etag": "x"}'])
def test_a_part_of_unknown_origin_is_not_trusted(client: Client, tmp_path: Path, origin: str) -> None:
    (tmp_path / "a.part").write_bytes(b"what is this")
    (tmp_path / "a.origin.json").write_text(origin)
    with replica(Files()) as service:
        assert download(client, f"{service.url}/a", tmp_path).read_bytes() == BODY
        assert "range" not in service.requests[0].headers


def test_a_part_that_was_whole_already_is_fetched_anew(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY)
    with replica(Files()) as service:
        (tmp_path / "a.origin.json").write_text(json.dumps({"url": f"{service.url}/a", "etag": '"1"'}))
        assert download(client, f"{service.url}/a", tmp_path).read_bytes() == BODY


def test_a_file_with_another_digest_is_fetched_again(client: Client, tmp_path: Path) -> None:
    md5 = hashlib.md5(BODY).hexdigest()
    with replica(Files(), {0: Fault(status=200, body=b"broken")}) as service:
        assert download(client, f"{service.url}/a", tmp_path, md5=md5).read_bytes() == BODY
    assert len(service.requests) == 2


def test_a_file_that_is_not_there(client: Client, tmp_path: Path) -> None:
    with replica(lambda _: Answer(b"", 404)) as service, pytest.raises(ServiceError, match=r"/a refuses .*404"):
        download(client, f"{service.url}/a", tmp_path / "f")
    assert list((tmp_path / "f").iterdir()) == []
