"""Bodies: how long they may be, how slow, and how many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.types import Receive

from medloom.serve.config import ServeSettings
from medloom.serve.errors import ApiError


class Bodies:
    """Reads bodies within the limits and counts what they hold together.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._held = 0

    @asynccontextmanager
    async def read(self, receive: Receive, headers: Headers) -> AsyncIterator[bytes]:
        """The whole body; counted until the block ends.

        Args:
            receive: Of the request.
            headers: Of the request.

        Raises:
            ApiError: It is too long, too slow, or too much together with the others.
        """
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()) or int(declared[:20]) > self._settings.body_bytes:
            raise self._too_long()
        parts: list[bytes] = []
        try:
            await self._collect(receive, parts)
            yield b"".join(parts)
        finally:
            self._held -= sum(map(len, parts))

    async def _collect(self, receive: Receive, parts: list[bytes]) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                more = True
                while more:
                    part, more = await _part(receive)
                    parts.append(part)
                    self._held += len(part)
                    size += len(part)
                    if size > self._settings.body_bytes:
                        raise self._too_long()
                    if self._held > self._settings.held_bytes:
                        raise ApiError(429, "too much is being sent at once: try again later", code="busy", retry_after=1)
        except TimeoutError:
            raise ApiError(408, "the body came too slowly: send it at once", code="slow_body") from None

    def _too_long(self) -> ApiError:
        return ApiError(
            413, f"the body is longer than {self._settings.body_bytes:,} bytes: send fewer texts at once", code="too_long"
        )


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """A part of the body and whether there is more; a client that has gone sends no more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ApiError(400, "the body ended early: send as much as content-length says", code="truncated_body")
    return message.get("body", b""), bool(message.get("more_body", False))
