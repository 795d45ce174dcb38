"""The page: files that come with the package, loaded once."""

import hashlib
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from medloom.serve.errors import ApiError
from medloom.serve.routes import json_router

PUBLIC = ("/", "/page/")
"""Paths that need no key: the page holds no data, and asks for the key itself."""
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def page_router() -> APIRouter:
    """Routes ``/`` and ``/page/...``."""
    router = json_router()

    @router.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        """The page."""
        return _answer(request, "index.html")

    @router.get("/page/{name}", include_in_schema=False)
    async def file(request: Request, name: str) -> Response:
        """A file of the page."""
        return _answer(request, name)

    return router


def _answer(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise ApiError(404, "the page has no such file", code="file_not_found")
    content, tag = found
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])


@lru_cache(maxsize=1)
def _files() -> dict[str, tuple[bytes, str]]:
    """Content and ETag of every file, by name."""
    found = {one.name: one.read_bytes() for one in files("medloom.serve").joinpath("page").iterdir() if one.is_file()}
    known = {name: content for name, content in found.items() if name.rpartition(".")[2] in _TYPES}
    return {name: (content, f'"{hashlib.sha256(content).hexdigest()[:32]}"') for name, content in known.items()}
