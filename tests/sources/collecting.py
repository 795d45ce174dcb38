"""Collecting a source in a test: with little patience, and killed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.replica import Replica

from medloom.artifacts import read_table
from medloom.collect.client import Patience
from medloom.collect.job import Pace
from medloom.collect.pool import Plan
from medloom.records import Document
from medloom.sources.fetched import FetchedSource

PATIENCE = Patience(seconds=20.0, first_pause=0.01, timeout=0.5)
_KILLED = """
import sys
from pathlib import Path
from pydantic import TypeAdapter
from tests.sources.collecting import plan_of
from medloom.collect.pool import collect
from {module} import {kind}
collect(plan_of(TypeAdapter({kind}).validate_json(sys.argv[1]), Path(sys.argv[2])))
"""


def plan_of(source: FetchedSource, folder: Path, **changes: Any) -> Plan:
    """The collection of a source, every page of which is put on the disk at once."""
    return replace(source.plan(folder), patience=PATIENCE, pace=Pace(documents=1), **changes)


def rows_of(folder: Path) -> list[Document]:
    """What was collected."""
    return list(read_table(folder / "documents.parquet", Document))


def kill_nine(source: FetchedSource, folder: Path, service: Replica, after: int) -> None:
    """Collect in a process of its own, and end that with SIGKILL once so many requests have come."""
    kind = type(source)
    code = _KILLED.format(module=kind.__module__, kind=kind.__name__)
    command = [sys.executable, "-c", code, source.model_dump_json(), str(folder)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 30
    while len(service.requests) < after and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
