"""Runs a collection in this process or in several."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from medloom.collect.client import Client, Patience
from medloom.collect.job import Job, Pace, Result
from medloom.collect.journal import Progress
from medloom.collect.pages import Paged
from medloom.errors import MedloomError, SourceError

_POLL = 0.2


@dataclass(frozen=True)
class Plan:
    """What to collect, and how: what a worker process is given.

    Attributes:
        source: What is collected.
        kind: Type of the source.
        settings: Its settings.
        folder: Where everything lies.
        inputs: Content hashes of what is read, as far as they can be known.
        lock: A lock to follow; None to collect what there is now.
        contact: How a service can reach who asks; else what ``MEDLOOM_CONTACT`` says.
        patience: How long to try a request.
        pace: When to put on the disk.
    """

    source: Paged
    kind: str
    settings: dict[str, Any]
    folder: Path
    inputs: dict[str, str] = field(default_factory=dict)
    lock: Path | None = None
    contact: str = ""
    patience: Patience = field(default_factory=Patience)
    pace: Pace = field(default_factory=Pace)

    def job(self, client: Client) -> Job:
        """The job in this process."""
        return Job(self.source, self.kind, self.settings, self.folder, self.inputs, self.lock, client, self.pace)

    def client(self) -> Client:
        """A client of this process."""
        return Client(self.contact, patience=self.patience)


def collect(
    plan: Plan, workers: int = 1, since: date | None = None, tell: Callable[[Progress], None] = lambda _: None
) -> Result:
    """Collect, or go on with what a killed try left; a finished collection is left as it is.

    Several processes may do this with one folder at the same time: they share the work.

    Args:
        plan: What to collect.
        workers: Processes to work with.
        since: Bring a finished collection up to date from this day on.
        tell: Told how far it has come.

    Raises:
        SourceError: A service or file cannot be read, or a worker was ended; what was collected is kept.
    """
    with plan.client() as client:
        job = plan.job(client)
        if job.prepare(since):
            if workers > 1:
                _share(plan, job, workers, tell)
            else:
                job.work(tell)
        return job.finish()


def _share(plan: Plan, job: Job, workers: int, tell: Callable[[Progress], None]) -> None:
    context = multiprocessing.get_context("spawn")
    job.failures()
    processes = [context.Process(target=_work, args=(plan,), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            tell(job.progress())
            time.sleep(_POLL)
        tell(job.progress())
    finally:
        for process in processes:
            process.terminate()
            process.join()
    progress = job.progress()
    if progress.done == progress.shards:
        return
    if failures := job.failures():
        raise SourceError(failures[0])
    ended = next((p.exitcode for p in processes if p.exitcode), 0) or 0
    how = f"by signal {signal.Signals(-ended).name}" if ended < 0 else f"with code {ended}"
    raise SourceError(
        f"all {workers} workers have ended (one {how}) before everything was collected: what was is kept; give the same "
        "command again to go on"
    )


def _work(plan: Plan) -> None:
    """A worker process."""
    with plan.client() as client:
        job = plan.job(client)
        try:
            job.work()
        except MedloomError as error:
            job.fail(str(error))
