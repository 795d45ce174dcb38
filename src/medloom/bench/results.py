"""Results on disk: one folder for each model, one file for each task, in mteb's format.

``RESULTS/MODEL-HASH/run.json`` says what the model is, how it was run and what it cost; ``SUITE/TASK.json`` is mteb's
``TaskResult`` with a block ``medloom`` beside the scores; ``SUITE/TASK.parquet`` keeps what intervals and tests need: the
score of every item. A task that failed has ``TASK.error.json``.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.artifacts import write_json
from medloom.bench.store import BuiltSuite
from medloom.errors import ArtifactError
from medloom.evaluate.scored import Scored, mteb_result
from medloom.evaluate.systems.base import SystemInfo
from medloom.evaluate.tasks import UNITS, Task, class_numbers
from medloom.identity import digest

PROTOCOL = 1
RUN = "run.json"


@dataclass(frozen=True)
class Result:
    """A system's result on one task, as it was written.

    Attributes:
        model: Key of the system: name of its folder.
        task: The task without its texts: what statistics need and no more.
        block: What the file says of task, suite and settings.
        score: Main score.
        items: See :class:`medloom.evaluate.scored.Scored`.
    """

    model: str
    task: Task
    block: dict[str, Any]
    score: float
    items: npt.NDArray[Any]


def model_key(info: SystemInfo) -> str:
    """Name of a system's folder: short name, content hash, and a hash of its settings."""
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", info.name).strip("-.")[-40:] or "model"
    return f"{slug}-{info.hash[:12]}-{digest(info.settings)[:6]}"


def place(folder: Path, info: SystemInfo, suite: BuiltSuite, task: Task) -> Path:
    """Where a task's result stands, without its ending."""
    return folder / model_key(info) / f"{suite.name}-{suite.mode}" / task.name


def is_done(path: Path, task: Task) -> bool:
    """Whether a whole result for just this task is there."""
    try:
        block = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))["medloom"]
        fits = block["fingerprint"] == task.fingerprint and block["protocol"] == PROTOCOL
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return fits and path.with_name(f"{path.name}.parquet").is_file()


def write_result(
    path: Path, info: SystemInfo, suite: BuiltSuite, task: Task, scored: Scored, versions: dict[str, str]
) -> None:
    """Write one result; the JSON comes last, so that its presence means the rest is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_items(path.with_name(f"{path.name}.parquet"), task, scored)
    block = {
        "protocol": PROTOCOL,
        "suite": suite.name,
        "mode": suite.mode,
        "seed": suite.seed,
        "suite_fingerprint": suite.fingerprint,
        "type": task.type,
        "source": task.source,
        "facet": task.facet,
        "public": task.public,
        "description": task.description,
        "metric": task.main_score,
        "n": int(scored.items.shape[-1]),
        "unit": UNITS[task.type],
        "fingerprint": task.fingerprint,
        "settings": task.settings,
        "system": asdict(info),
        "versions": versions,
        "classes": list(class_numbers(task.data)) if task.type == "Classification" else None,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path.with_name(f"{path.name}.error.json").unlink(missing_ok=True)
    write_json(path.with_name(f"{path.name}.json"), mteb_result(task, scored) | {"medloom": block})


def write_error(path: Path, suite: BuiltSuite, task: Task, problem: str) -> None:
    """Record that a task failed, and why, without a word of its text; a result for data that it no longer has goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.json").unlink(missing_ok=True)
    block = {"suite": suite.name, "mode": suite.mode, "type": task.type, "fingerprint": task.fingerprint}
    write_json(path.with_name(f"{path.name}.error.json"), {"task_name": task.name, "error": problem, "medloom": block})


def read_results(folder: Path) -> Iterator[Result]:
    """Every whole result below a results folder, by model, suite and task.

    Raises:
        ArtifactError: There is none, or a file is damaged.
    """
    files = [p for p in sorted(folder.glob("*/*/*.json")) if not p.name.endswith(".error.json")]
    if not files:
        raise ArtifactError(f"no results below {folder}: run `medloom bench run` with --out {folder.parent} first")
    for path in files:
        yield _read(path)


def read_errors(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Model key, suite with mode, task name and problem of every task that failed and has no result.

    Raises:
        ArtifactError: A file is damaged.
    """
    for path in sorted(folder.glob("*/*/*.error.json")):
        try:
            raw = json.loads(path.read_text("utf-8"))
            failed = raw["task_name"], raw["error"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path} is not a whole record ({type(error).__name__}): remove it") from error
        yield path.parent.parent.name, path.parent.name, *failed


def _read(path: Path) -> Result:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        raw = json.loads(path.read_text("utf-8"))
        block = raw["medloom"]
        columns = _by_id(pq.read_table(path.with_suffix(".parquet"))).to_pydict()
        items = np.array(columns["item"])
        task = Task(
            name=raw["task_name"],
            type=block["type"],
            source=block["source"],
            description=block["description"],
            data=_data(block, columns),
            metric=block["metric"],
            facet=block["facet"],
            public=block["public"],
            settings=block["settings"],
        )
        score = float(raw["scores"]["test"][0]["main_score"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{path} is not a whole result ({type(error).__name__}): remove it and run the task again"
        ) from error
    return Result(path.parent.parent.name, task, block, score, items.T if items.ndim == 2 else items)


def _by_id(table: Any) -> Any:  # noqa: ANN401
    """Queries in the order of their ids: two runs may have read one task's queries in unlike order."""
    return table.sort_by("id") if "id" in table.column_names else table


def _write_items(path: Path, task: Task, scored: Scored) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    items = scored.items
    columns: dict[str, Any] = {"item": (items.T if items.ndim == 2 else items).tolist()}
    if task.type == "Retrieval":
        columns["id"] = list(task.data["queries"])
    if task.type != "Clustering":
        columns |= {key: list(task.data[key]) for key in ("labels", "groups") if key in task.data}
    temporary = path.with_suffix(".tmp")
    pq.write_table(pa.table(columns), temporary, compression="zstd")
    temporary.replace(path)


def _data(block: dict[str, Any], columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Just what :func:`~medloom.evaluate.statistics.statistic_of` reads of a task's data."""
    n = len(columns["item"])
    more = {key: columns[key] for key in ("labels", "groups") if key in columns}
    blank = [""] * n
    forms: dict[str, dict[str, Any]] = {
        "Retrieval": {"queries": dict.fromkeys(columns.get("id", []), "")},
        "Clustering": {"sentences": blank},
        "Classification": {"texts": blank, "train_labels": block.get("classes") or []},
        "MinimalPairs": {"anchors": blank},
    }
    return forms.get(block["type"], {}) | more
