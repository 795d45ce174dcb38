"""Where the server stands between its start and its end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Lifecycle:
    """Warm or not, draining or not, and how much is in work. Lives on the event loop."""

    def __init__(self) -> None:
        self.warm = False
        self.draining = False
        self._in_work = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_work(self) -> int:
        """Requests that are being answered."""
        return self._in_work

    @contextmanager
    def work(self) -> Iterator[None]:
        """For as long as a request is being answered."""
        self._in_work += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_work -= 1
            if not self._in_work:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is in work."""
        await self._idle.wait()
