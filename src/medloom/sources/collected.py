"""Any source as a collection of its own: a documents artifact with a journal, a lock and a manifest."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from medloom import __version__
from medloom.artifacts import Manifest, read_manifest, write_manifest
from medloom.collect.client import Patience
from medloom.collect.job import DIFFERENCES, REJECTS, TABLE, Result
from medloom.collect.journal import Progress
from medloom.collect.lock import LOCK
from medloom.collect.pool import Plan, collect
from medloom.errors import SourceError
from medloom.identity import digest, file_digest
from medloom.meter import measured
from medloom.sources.base import SourceConfig
from medloom.sources.fetched import FetchedSource

Since = date | Literal["last"] | None
_PACKAGES = ("pyarrow", "httpx", "lxml")


@dataclass(frozen=True)
class How:
    """How to collect.

    Attributes:
        lock: A lock to follow; None to collect what there is now.
        since: Bring a finished collection up to date from a day on, or from the last round on.
        workers: Processes that share the work.
        contact: How a service can reach who asks; else what ``MEDLOOM_CONTACT`` says.
        patience: How long to try a request.
    """

    lock: Path | None = None
    since: Since = None
    workers: int = 1
    contact: str = ""
    patience: Patience = field(default_factory=Patience)


def collect_source(
    source: SourceConfig, folder: Path, how: How, tell: Callable[[Progress], None] = lambda _: None
) -> Result:
    """Collect a source into a folder that can be used wherever documents are read.

    Given again it goes on where a killed try stopped, and does nothing once all is there.

    Args:
        source: What to collect.
        folder: The artifact: ``documents.parquet``, ``lock.jsonl.gz``, ``rejects.jsonl``, ``manifest.json`` and a journal.
        how: How to.
        tell: Told how far it has come.

    Raises:
        SourceError: A service or file cannot be read; what was collected is kept.
    """
    plan = _plan(source, folder, how)
    with measured() as meter:
        result = collect(plan, how.workers, _day(plan, how.since), tell)
    if _is_described(folder, result):
        return result
    write_manifest(
        folder,
        Manifest(
            stage="collect",
            fingerprint=digest({"settings": plan.settings, "inputs": plan.inputs}),
            config=plan.settings,
            inputs=plan.inputs,
            outputs=_outputs(folder, result),
            rows_in=result.documents + sum(result.counts.values()),
            rows_out=result.documents,
            counts=result.counts,
            notes=_notes(source, result),
            versions={"medloom": __version__} | {name: importlib.metadata.version(name) for name in _PACKAGES},
            seconds=round(meter.seconds, 3),
            peak_rss_mb=round(meter.peak_rss_mb, 1),
            finished=result.rounds[-1]["finished"],
        ),
    )
    return result


def _plan(source: SourceConfig, folder: Path, how: How) -> Plan:
    if isinstance(source, FetchedSource):
        plan = source.plan(folder)
        lock = how.lock or plan.lock
    else:
        plan = Plan(source, source.type, source.model_dump(mode="json"), folder, source.inputs())
        lock = how.lock
    return replace(plan, lock=lock, contact=how.contact, patience=how.patience)


def _day(plan: Plan, since: Since) -> date | None:
    if since != "last":
        return since
    if not plan.folder.is_dir():
        raise SourceError(f"{plan.folder} is not there: collect without --since first")
    with plan.client() as client:
        return plan.job(client).last_day()


def _is_described(folder: Path, result: Result) -> bool:
    """Whether the manifest is that of the last round."""
    manifest = read_manifest(folder)
    return manifest is not None and manifest.finished == result.rounds[-1]["finished"]


def _outputs(folder: Path, result: Result) -> dict[str, dict[str, Any]]:
    names = [name for name in (TABLE, LOCK, REJECTS, DIFFERENCES) if (folder / name).is_file()]
    described = {name: {"bytes": (folder / name).stat().st_size, "sha256": file_digest(folder / name)} for name in names}
    described[TABLE]["rows"] = result.documents
    return described


def _notes(source: SourceConfig, result: Result) -> dict[str, Any]:
    last = result.rounds[-1]
    release = asdict(source.release()) | {"source": source.name, "documents": result.documents}
    if last["service"]:
        release["version"] = last["service"]
    lock = {"lock": result.differences.as_row()} if result.differences else {}
    return {"sources": [release], "rounds": result.rounds} | lock
