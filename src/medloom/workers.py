"""Who shares a piece of work, and whether a worker that claimed a part of it is still there."""

import os
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SAME_START = 5.0


@dataclass(frozen=True)
class Worker:
    """One run of one process.

    Attributes:
        host: The machine and, on Linux, its process namespace: process ids of another one mean nothing here.
        pid: Process id.
        started: When the process started, seconds since 1970: a process id is used again, this is not.
        run: Random; two runs in one process are two workers.
    """

    host: str
    pid: int
    started: float
    run: str

    @property
    def name(self) -> str:
        """As it stands in the rows of what it did."""
        return f"{self.host}:{self.pid}:{self.run}"


def this_worker() -> Worker:
    """A new worker of this process."""
    import psutil

    return Worker(_host(), os.getpid(), psutil.Process().create_time(), uuid.uuid4().hex[:12])


def is_gone(worker: Worker) -> bool:
    """Whether a worker's process has certainly ended; False for one on another machine, which cannot be seen."""
    import psutil

    if worker.host != _host():
        return False
    try:
        process = psutil.Process(worker.pid)
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - worker.started) > _SAME_START
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


@cache
def _host() -> str:
    namespace = ""
    with suppress(OSError):
        namespace = Path("/proc/self/ns/pid").readlink().name.removeprefix("pid:")
    return socket.gethostname() + namespace
