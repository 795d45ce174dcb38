"""Large files from a service: gone on with after a break, and fetched again only if they have changed."""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.artifacts import disk_errors, write_json
from medloom.collect.client import Again, Client, ServiceError, place

if TYPE_CHECKING:
    import httpx

_PARTIAL = 206
_UNCHANGED = 304
_NOTHING_LEFT = 416


def download(client: Client, url: str, folder: Path, interval: float = 0.0, md5: str | None = None) -> Path:
    """Fetch a file, or what is missing of it.

    Beside the file ``NAME`` lies ``NAME.origin.json`` with the address, ETag and date that the service gave. With these a
    file that is there is asked for conditionally, and one that is there in part (``NAME.part``) from where it ends.

    Args:
        client: Asks.
        url: Of the file.
        folder: Where it shall lie; made if it is not there.
        interval: Seconds between two requests to that host.
        md5: Hex digest that the file must have; a file with another is fetched again.

    Returns:
        The file's path.

    Raises:
        ServiceError: The service does not have it, or gave no whole file within the client's patience.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / url.rpartition("/")[2]
    with disk_errors(folder):
        client.repeat(lambda: _try(client, url, path, interval, md5), url)
    return path


def _try(client: Client, url: str, path: Path, interval: float, md5: str | None) -> None:
    part, origin = path.with_name(path.name + ".part"), path.with_name(path.name + ".origin.json")
    known = _read(origin, url)
    there = part.stat().st_size if part.is_file() and known else 0
    try:
        with client.stream("GET", url, interval, headers=_conditions(known, path.is_file(), there)) as answer:
            if answer.status_code == _UNCHANGED:
                return
            goes_on = answer.status_code == _PARTIAL
            if not goes_on:
                write_json(origin, {"url": url, **_marks(answer)})
            _write(client, answer, part, append=goes_on)
    except ServiceError as error:
        if error.status != _NOTHING_LEFT or not there:
            raise
        part.unlink()
        raise Again("a file that has shrunk") from None
    _check(part, answer, there if goes_on else 0, md5, place(url))
    part.replace(path)


def _conditions(known: dict[str, Any], whole: bool, there: int) -> dict[str, str]:
    """Headers that ask for the file only if it has changed, or for the rest of it."""
    headers = {"Accept-Encoding": "identity"}
    if there and (mark := known.get("etag") or known.get("modified")):
        return headers | {"Range": f"bytes={there}-", "If-Range": mark}
    if whole and known.get("etag"):
        headers["If-None-Match"] = known["etag"]
    elif whole and known.get("modified"):
        headers["If-Modified-Since"] = known["modified"]
    return headers


def _marks(answer: "httpx.Response") -> dict[str, str]:
    found = {"etag": answer.headers.get("etag", ""), "modified": answer.headers.get("last-modified", "")}
    return {name: value for name, value in found.items() if value and not value.startswith("W/")}


def _read(origin: Path, url: str) -> dict[str, Any]:
    try:
        known = json.loads(origin.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) and known.get("url") == url else {}


def _write(client: Client, answer: "httpx.Response", part: Path, append: bool) -> None:
    with part.open("ab" if append else "wb") as f:
        for chunk in answer.iter_raw():
            f.write(chunk)
            client.asked.bytes += len(chunk)
        f.flush()
        os.fsync(f.fileno())


def _check(part: Path, answer: "httpx.Response", before: int, md5: str | None, where: str) -> None:
    """See that the file is whole.

    Raises:
        Again: It is shorter than it should be, or another than it should be, in which case it is thrown away.
    """
    size = int(answer.headers.get("content-length", -1))
    if size >= 0 and part.stat().st_size != before + size:
        raise Again(f"{where} broke off")
    if md5 is not None:
        with part.open("rb") as f:
            found = hashlib.file_digest(f, "md5").hexdigest()
        if found != md5:
            part.unlink()
            raise Again("a file with another MD5 than the service states")
