"""A collection as a job: any number of processes take its shards, and one of them puts the parts together."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from medloom.artifacts import disk_errors, write_json, write_table
from medloom.collect.assemble import assembled
from medloom.collect.client import Client
from medloom.collect.journal import Claimed, Journal, Progress, settings_text
from medloom.collect.lock import LOCK, Differences, Header, LockCheck, LockWriter, read_lock
from medloom.collect.pages import Locked, Page, Paged, Shard
from medloom.collect.parts import Buffer, write_part
from medloom.errors import ArtifactError, SourceError
from medloom.identity import file_digest
from medloom.records import Document, marked
from medloom.workers import Worker, this_worker

TABLE = "documents.parquet"
REJECTS = "rejects.jsonl"
DIFFERENCES = "differences.json"
JOURNAL = "journal.sqlite"
_PARTS = "parts"
_POLL = 0.2


@dataclass(frozen=True)
class Pace:
    """When what was collected is put on the disk: whichever comes first.

    Attributes:
        documents: After so many documents.
        characters: After so many characters of text.
        seconds: After so long.
    """

    documents: int = 2_000
    characters: int = 16_000_000
    seconds: float = 30.0


@dataclass(frozen=True)
class Result:
    """A finished collection.

    Attributes:
        table: Its documents.
        documents: How many they are.
        counts: Records passed over or dropped, by reason.
        rounds: Each round: since, started, finished, service.
        differences: From the lock that it was to follow; None where there was none.
    """

    table: Path
    documents: int
    counts: dict[str, int]
    rounds: list[dict[str, Any]]
    differences: Differences | None = None


@dataclass
class Job:
    """One collection in one folder.

    Args:
        source: What is collected.
        kind: Type of the source.
        settings: Its settings: a folder that holds a collection with others is refused.
        folder: Where everything lies.
        inputs: Content hashes of what is read: a folder that holds a collection of others is refused too.
        lock: A lock to follow; None to collect what there is now.
        client: Asks the services.
        pace: When to put on the disk.
    """

    source: Paged
    kind: str
    settings: dict[str, Any]
    folder: Path
    inputs: dict[str, str] = field(default_factory=dict)
    lock: Path | None = None
    client: Client = field(default_factory=Client)
    pace: Pace = field(default_factory=Pace)

    def prepare(self, since: date | None = None) -> bool:
        """Plan the next round if there is something to plan; the first of several processes does it for all.

        Args:
            since: Bring a finished collection up to date from this day on.

        Returns:
            Whether there is anything to do.

        Raises:
            SourceError: The folder holds a collection with other settings, or the source cannot do this.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with disk_errors(self.folder), FileLock(self.folder / ".plan.lock"), self._journal() as journal:
            self._check_settings(journal)
            rounds = journal.rounds()
            if rounds and not rounds[-1]["finished"]:
                return True
            if rounds and since is None:
                return False
            if since is not None and not rounds:
                raise SourceError(f"{self.folder} holds no finished collection to bring up to date: collect without --since")
            if since is not None and self.lock is not None:
                raise SourceError("a collection that follows a lock stays as the lock says: leave --since out")
            started = _now()
            service = self.source.service_version(self.client)
            shards = self._locked_shards() if self.lock else list(self.source.shards(self.client, since))
            if len({shard.key for shard in shards}) < len(shards):
                raise SourceError(f"source {self.source.name}: a term, file or range is named twice: name each once")
            journal.begin(since.isoformat() if since else "", started, service, shards)
        return True

    def work(self, tell: Callable[[Progress], None] = lambda _: None) -> None:
        """Collect shards until none is left that others do not hold, and wait for those.

        Raises:
            SourceError: A service or file cannot be read; what was collected is kept.
        """
        worker = this_worker()
        with disk_errors(self.folder), self._journal() as journal:
            (self.folder / _PARTS).mkdir(exist_ok=True)
            try:
                while not _is_done(progress := journal.progress()):
                    tell(progress)
                    claimed = journal.claim(worker)
                    if claimed is None:
                        time.sleep(_POLL)
                    else:
                        self._collect(journal, claimed, worker, tell)
                tell(progress)
            finally:
                with suppress(ArtifactError):
                    journal.give_up(worker)

    def progress(self) -> Progress:
        """How far the job has come, whoever works on it."""
        with self._journal() as journal:
            return journal.progress()

    def last_day(self) -> date:
        """The day before the last finished round began: what has changed since then may be missing.

        Raises:
            SourceError: Nothing has been collected here.
        """
        with self._journal() as journal:
            started = [round_["started"] for round_ in journal.rounds() if round_["finished"]]
        if not started:
            raise SourceError(f"{self.folder} holds no finished collection to bring up to date: collect without --since")
        return datetime.fromisoformat(started[-1]).date() - timedelta(days=1)

    def fail(self, message: str) -> None:
        """Leave word why a worker ended."""
        with self._journal() as journal:
            journal.fail(this_worker().run, message)

    def failures(self) -> list[str]:
        """Why workers ended, each told once."""
        with self._journal() as journal:
            return journal.take_failures()

    def finish(self) -> Result:
        """Put the parts together, once, whoever asks.

        Raises:
            SourceError: Shards are still open.
        """
        with disk_errors(self.folder), FileLock(self.folder / ".plan.lock"), self._journal() as journal:
            if not _is_done(journal.progress()):
                raise SourceError(f"{self.folder}: not everything is collected yet: give the same command again to go on")
            if not journal.rounds()[-1]["finished"]:
                self._assemble(journal)
            return self._result(journal)

    def _assemble(self, journal: Journal) -> None:
        """Write the table anew from what it held after the last round and the parts of this one."""
        table, rounds = self.folder / TABLE, journal.rounds()
        parts = [self.folder / _PARTS / name for name in journal.parts()]
        counts: dict[str, int] = {}
        documents = assembled([*([table] if len(rounds) > 1 else []), *parts], counts)
        check = LockCheck(self.lock) if self.lock else None
        kept = marked(check.over(documents) if check else documents, self.source.contains_phi)
        round_ = rounds[-1]
        header = Header(self.kind, self.settings, round_["service"], round_["started"])
        temporary = table.with_name(table.name + ".tmp")
        write_table(temporary, LockWriter(self.folder / LOCK, header).over(kept), Document)
        temporary.replace(table)
        if check:
            write_json(self.folder / DIFFERENCES, vars(check.differences))
        with (self.folder / REJECTS).open("w", encoding="utf-8", errors="backslashreplace") as f:
            f.writelines(_json_line(row) for row in journal.rejects())
        journal.finish(_now(), counts)
        for path in (self.folder / _PARTS).iterdir():
            path.unlink()

    def _result(self, journal: Journal) -> Result:
        import pyarrow.parquet as pq

        found = self.folder / DIFFERENCES
        differences = Differences(**json.loads(found.read_text("utf-8"))) if self.lock and found.is_file() else None
        rows = pq.read_metadata(self.folder / TABLE).num_rows
        return Result(self.folder / TABLE, rows, journal.counts(), journal.rounds(), differences)

    def _collect(self, journal: Journal, claimed: Claimed, worker: Worker, tell: Callable[[Progress], None]) -> None:
        """Collect one shard to its end, or until another worker has it."""
        buffer, since = Buffer(), time.monotonic()
        for page in self._pages(claimed):
            buffer.add(page)
            full = (
                buffer.documents >= self.pace.documents
                or buffer.characters >= self.pace.characters
                or time.monotonic() - since >= self.pace.seconds
            )
            if full or page.cursor is None:
                after = self._commit(journal, claimed, worker, buffer, page.cursor)
                if after is None or page.cursor is None:
                    return
                claimed = after
                buffer, since = Buffer(), time.monotonic()
                tell(journal.progress())
        raise SourceError(f"source {self.source.name}: shard {claimed.shard.key} ended without saying so: report this")

    def _commit(
        self, journal: Journal, claimed: Claimed, worker: Worker, buffer: Buffer, cursor: str | None
    ) -> Claimed | None:
        file = ""
        if buffer.rows:
            file = f"{claimed.round:03}-{claimed.number:06}-{claimed.parts:06}-{worker.run}.parquet"
            write_part(self.folder / _PARTS / file, buffer.rows)
        return journal.commit(claimed, worker, file, buffer.documents, cursor, buffer.rejects, buffer.counts, buffer.total)

    def _pages(self, claimed: Claimed) -> Iterator[Page]:
        if self.lock is None:
            return self.source.pages(self.client, claimed.shard, claimed.cursor)
        first, _, last = claimed.shard.value.partition("-")
        return self.source.locked_pages(self.client, self._locked[int(first) : int(last)], claimed.cursor)

    @cached_property
    def _locked(self) -> list[Locked]:
        return list(read_lock(self.lock)[1]) if self.lock else []

    def _locked_shards(self) -> list[Shard]:
        n = len(self._locked)
        size = self.source.locked_at_once or max(n, 1)
        ends = [(start, min(n, start + size)) for start in range(0, n, size)]
        return [Shard(f"locked {start}-{end}", f"{start}-{end}") for start, end in ends]

    def _check_settings(self, journal: Journal) -> None:
        """See that the folder is about this very collection.

        Raises:
            SourceError: It is not, or the lock is of another source.
        """
        if self.lock is not None and (header := read_lock(self.lock)[0]).source != self.kind:
            raise SourceError(f"{self.lock} is a lock of {header.source}, not of {self.kind}: give that source's")
        lock = file_digest(self.lock) if self.lock else ""
        wanted = settings_text({"source": self.kind, "settings": self.settings, "inputs": self.inputs, "lock": lock})
        known = journal.info("settings")
        if known is None:
            journal.note("settings", wanted)
        elif known != wanted:
            raise SourceError(
                f"{self.folder} holds a collection with other settings, or of files that have changed since: give another "
                "folder, or delete it to begin anew"
            )

    def _journal(self) -> Journal:
        return Journal(self.folder / JOURNAL)


def _is_done(progress: Progress) -> bool:
    return progress.done == progress.shards


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _json_line(row: dict[str, str]) -> str:
    return json.dumps(row, ensure_ascii=True) + "\n"
