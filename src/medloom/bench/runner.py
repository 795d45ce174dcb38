"""Systems on suites: resumable by task, every text encoded once, one failing task never stops the rest."""

import importlib.metadata
import json
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from medloom import __version__
from medloom.artifacts import disk_errors, write_json
from medloom.bench.maps import keep_sample
from medloom.bench.results import RUN, is_done, model_key, place, write_error, write_result
from medloom.bench.store import BuiltSuite
from medloom.errors import ArtifactError, MedloomError, StageError
from medloom.evaluate.scored import score
from medloom.evaluate.systems.base import System
from medloom.evaluate.tasks import Task
from medloom.meter import machine, measured
from medloom.progress import bar

log = logging.getLogger(__name__)

_PACKAGES = ("mteb", "numpy", "scikit-learn", "sentence-transformers", "torch", "transformers", "bm25s")
_FEWEST_FOR_RATE = 500
_PROBES = tuple(f"patient with pain in the {part} for {days} days" for part in ("chest", "knee") for days in range(2, 12))

Tell = Callable[[str], None]


@dataclass
class Summary:
    """What a run did.

    Attributes:
        scores: By model key and task name, the main score; those of earlier runs too.
        skipped: Results that were there before.
        unfit: By model key, tasks of a type that the system cannot do.
        errors: By model key and task name, what went wrong.
        seconds: By model key, wall time of loading, encoding and scoring.
    """

    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    skipped: int = 0
    unfit: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)


def run_suites(
    open_system: Callable[[], System],
    suites: Sequence[BuiltSuite],
    folder: Path,
    summary: Summary,
    allow_hosts: Sequence[str] = (),
    tell: Tell = lambda _: None,
) -> None:
    """Put every task of the suites to one system, and write each result as soon as it is there.

    Args:
        open_system: Loads the system; its time is recorded.
        suites: What to run.
        folder: Where results are written.
        summary: Filled in.
        allow_hosts: Hosts that text which is not public may be sent to.
        tell: Told of every task that begins to be scored.

    Raises:
        ModelError: The system does not load.
        StageError: The system is elsewhere, a task's text is not public, and its host is not allowed.
        ArtifactError: The disk is full.
    """
    started = time.perf_counter()
    system = open_system()
    load = time.perf_counter() - started
    info = system.info
    key = model_key(info)
    jobs = [(suite, task) for suite in suites for task in suite.tasks]
    fit = [(suite, task) for suite, task in jobs if task.type in system.types]
    summary.unfit[key] = [task.name for _, task in jobs if task.type not in system.types]
    _refuse_private(system, [task for _, task in fit], allow_hosts)
    todo = [(suite, task) for suite, task in fit if not is_done(place(folder, info, suite, task), task)]
    summary.skipped += len(fit) - len(todo)
    with disk_errors(folder), measured() as cost:
        started = time.perf_counter()
        _prepare(system, [task for _, task in todo])
        encode = time.perf_counter() - started
        scored_in = _score_all(system, key, todo, folder, summary, tell)
    _note_done(folder, key, fit, info, summary)
    summary.seconds[key] = {"load": load, "encode": encode, "score": scored_in}
    _write_run(folder / key, system, summary.seconds[key], cost.peak_rss_mb, bool(todo))


def versions() -> dict[str, str]:
    """Versions of the packages that scores may depend on."""
    return {"medloom": __version__} | {name: importlib.metadata.version(name) for name in _PACKAGES}


def _refuse_private(system: System, tasks: Sequence[Task], allow_hosts: Sequence[str]) -> None:
    encoder = getattr(system, "encoder", None)
    if getattr(system, "is_local", True):
        return
    host = str(getattr(encoder, "host", "another machine"))
    private = [task.name for task in tasks if not task.public]
    if private and host not in allow_hosts:
        raise StageError(
            f"{system.info.name} is on {host}, and the text of {len(private)} tasks, such as {private[0]}, is not marked "
            f"public: give --send-text-to {host} if it may leave this machine, or leave these tasks out"
        )


def _prepare(system: System, tasks: Sequence[Task]) -> None:
    """Encode everything at once; what fails here fails again, and is recorded, with its own task."""
    try:
        system.prepare(tasks)
    except (ArtifactError, OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        log.warning("encoding all texts together failed (%s); going on task by task", _where(error))


def _score_all(
    system: System, key: str, todo: Sequence[tuple[BuiltSuite, Task]], folder: Path, summary: Summary, tell: Tell
) -> float:
    started = time.perf_counter()
    found = versions()
    with bar(f"scoring ({system.info.name})", len(todo), "tasks") as advance:
        for suite, task in todo:
            tell(f"{system.info.name}: {task.name}")
            path = place(folder, system.info, suite, task)
            try:
                scored = score(system, task)
                if task.type == "Clustering":
                    keep_sample(path, system, task)
                write_result(path, system.info, suite, task, scored, found)
            except (ArtifactError, OSError, KeyboardInterrupt):
                raise
            except Exception as error:
                problem = str(error) if isinstance(error, MedloomError) else _where(error)
                summary.errors.setdefault(key, {})[task.name] = problem
                write_error(path, suite, task, problem)
            advance()
    return time.perf_counter() - started


def _where(error: Exception) -> str:
    """Kind and place of an error, without its message, which may quote the text."""
    frames = traceback.extract_tb(error.__traceback__)
    place_ = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place_}"


def _note_done(folder: Path, key: str, fit: Sequence[tuple[BuiltSuite, Task]], info: Any, summary: Summary) -> None:  # noqa: ANN401
    for suite, task in fit:
        path = place(folder, info, suite, task)
        if is_done(path, task):
            raw = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
            summary.scores.setdefault(key, {})[task.name] = float(raw["scores"]["test"][0]["main_score"])


def _write_run(folder: Path, system: System, seconds: dict[str, float], peak: float, worked: bool) -> None:
    """What the model is and what it cost; speeds of an earlier run stay where this one encoded too little to tell."""
    folder.mkdir(parents=True, exist_ok=True)
    before: dict[str, Any] = {}
    if (folder / RUN).is_file():
        before = json.loads((folder / RUN).read_text("utf-8"))
    if before and not worked:
        return
    counters = getattr(system, "counters", None)
    encoded = int(counters.encoded) if counters else 0
    fresh = encoded >= _FEWEST_FOR_RATE
    rate = (
        round(encoded / counters.seconds, 1) if counters and fresh and counters.seconds else before.get("texts_per_second")
    )
    write_json(
        folder / RUN,
        {
            "system": asdict(system.info),
            "seconds": before.get("seconds", seconds) if before and not fresh else seconds,
            "texts": max(encoded, before.get("texts") or 0),
            "texts_per_second": rate,
            "latency_ms": _latency(system),
            "peak_rss_mb": round(max(peak, before.get("peak_rss_mb") or 0), 1),
            "versions": versions(),
            "machine": machine(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
        },
    )


def _latency(system: System) -> float | None:
    """Median milliseconds to encode one short query alone; None for a system that encodes nothing."""
    encoder = getattr(system, "encoder", None)
    encode = getattr(encoder, "encode", None) or getattr(encoder, "encode_query", None)
    if encode is None or not getattr(system, "is_local", True):
        return None
    return round(1000 * median(_timed(encode)), 2)


def _timed(encode: Callable[..., Any]) -> Iterator[float]:
    for probe in _PROBES:
        started = time.perf_counter()
        encode([probe])
        yield time.perf_counter() - started
