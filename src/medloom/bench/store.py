"""Built suites on disk: a folder that can be shared, with a fingerprint that two people can compare.

``suite.json`` names the tasks; ``tasks/NAME/`` holds ``task.json`` and the texts as Parquet. The fingerprint is over what is
asked and what is right, not over the files' bytes, so it does not depend on the version of a Parquet writer.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from medloom.artifacts import disk_errors, publish_folder, write_json
from medloom.bench.base import Mode
from medloom.errors import ArtifactError, StageError
from medloom.evaluate.tasks import FACETS, TASK_TYPES, Task, check
from medloom.identity import digest

SUITE = "suite.json"
TASK = "task.json"
SCHEMA_VERSION = 1
_NAME = re.compile(r"\w[\w .-]*")


@dataclass(frozen=True)
class BuiltSuite:
    """A suite as it was built.

    Attributes:
        name: Name of the suite.
        mode: ``strict`` or ``compat``.
        seed: What everything drawn was drawn with.
        tasks: The tasks, in the catalogue's order.
        left_out: Tasks that could not be built, and why.
        inputs: Content hash of every source of documents that was read.
        versions: Versions of the packages that the build used.
    """

    name: str
    mode: Mode
    seed: int
    tasks: tuple[Task, ...]
    left_out: dict[str, str]
    inputs: dict[str, str]
    versions: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the fingerprints of all tasks: equal for two people exactly when their tasks are."""
        return digest({task.name: task.fingerprint for task in self.tasks})


def write_suite(folder: Path, suite: BuiltSuite) -> None:
    """Write a built suite; what stood at ``folder`` is replaced once the new one is whole.

    Raises:
        ArtifactError: The disk is full or read-only, or ``folder`` holds something else than a suite.
    """
    if not _may_write(folder):
        raise ArtifactError(f"{folder} is not empty and no built suite: give --out another folder")
    partial = folder.with_name(folder.name + ".partial")
    with disk_errors(folder):
        _clear(partial)
        for task in suite.tasks:
            _write_task(partial / "tasks" / task.name, task)
        write_json(
            partial / SUITE,
            {
                "schema_version": SCHEMA_VERSION,
                "name": suite.name,
                "mode": suite.mode,
                "seed": suite.seed,
                "fingerprint": suite.fingerprint,
                "tasks": {task.name: task.fingerprint for task in suite.tasks},
                "left_out": suite.left_out,
                "inputs": suite.inputs,
                "versions": suite.versions,
            },
        )
        publish_folder(partial, folder)


def read_suite(folder: Path) -> BuiltSuite:
    """Read a built suite and check that it is what its fingerprint says.

    Raises:
        ArtifactError: It is not a suite, is damaged, or was changed by hand.
    """
    raw = _json(folder / SUITE)
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"{folder / SUITE} has schema version {raw.get('schema_version')}, this medloom reads {SCHEMA_VERSION}: "
            "build the suite again"
        )
    try:
        if not all(_NAME.fullmatch(name) for name in (raw["name"], *raw["tasks"])):
            raise ArtifactError(f"{folder / SUITE}: the name of a task or suite is no plain name: build the suite again")
        suite = BuiltSuite(
            name=raw["name"],
            mode=raw["mode"],
            seed=raw["seed"],
            tasks=tuple(_read_task(folder / "tasks" / name) for name in raw["tasks"]),
            left_out=raw["left_out"],
            inputs=raw["inputs"],
            versions=raw["versions"],
        )
        changed = [task.name for task in suite.tasks if task.fingerprint != raw["tasks"][task.name]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{folder} is not a whole suite ({type(error).__name__}): build it again") from error
    if suite.mode not in get_args(Mode):
        raise ArtifactError(f"{folder / SUITE}: its mode is none of {', '.join(get_args(Mode))}: build the suite again")
    if changed:
        raise ArtifactError(
            f"{folder}: {len(changed)} tasks, such as {changed[0]}, are not what its fingerprint says: "
            "they were changed after the build; build the suite again"
        )
    return suite


def _may_write(folder: Path) -> bool:
    """Whether nothing is at the folder but a suite."""
    if not folder.is_dir():
        return not folder.exists()
    return (folder / SUITE).is_file() or not any(folder.iterdir())


def _write_task(folder: Path, task: Task) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    for name, columns in _tables(task).items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet", compression="zstd")
    write_json(folder / TASK, {k: v for k, v in asdict(task).items() if k != "data"} | {"fingerprint": task.fingerprint})


def _tables(task: Task) -> dict[str, dict[str, list[Any]]]:
    data = task.data
    if task.type == "Retrieval":
        judged = [(q, d, v) for q, found in data["qrels"].items() for d, v in found.items()]
        queries: dict[str, list[Any]] = {"id": list(data["queries"]), "text": list(data["queries"].values())}
        if task.groups is not None:
            queries["groups"] = task.groups
        if "candidates" in data:
            queries["candidates"] = [list(data["candidates"][query]) for query in data["queries"]]
        return {
            "queries": queries,
            "corpus": {"id": list(data["corpus"]), "text": list(data["corpus"].values())},
            "qrels": {
                "query": [q for q, _, _ in judged],
                "document": [d for _, d, _ in judged],
                "relevance": [int(v) for _, _, v in judged],
            },
        }
    train = {key: data[key] for key in ("train_texts", "train_labels") if key in data}
    tables = {"items": {key: list(value) for key, value in data.items() if key not in train}}
    return tables | ({"train": {key: list(value) for key, value in train.items()}} if train else {})


def _read_task(folder: Path) -> Task:
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = _json(folder / TASK)
    raw.pop("fingerprint", None)
    try:
        tables = {path.stem: pq.read_table(path).to_pydict() for path in sorted(folder.glob("*.parquet"))}
        task = Task(**raw, data=_data(tables) if raw["type"] == "Retrieval" else tables["items"] | tables.get("train", {}))
        if task.type not in TASK_TYPES or task.facet not in FACETS:
            raise ArtifactError(f"{folder}: type {task.type} or facet {task.facet} is unknown: build the suite again")
        return check(task)
    except (pa.ArrowException, OSError, KeyError, TypeError, StageError) as error:
        raise ArtifactError(f"{folder} is not a whole task ({type(error).__name__}): build the suite again") from error


def _data(tables: dict[str, dict[str, list[Any]]]) -> dict[str, Any]:
    qrels: dict[str, dict[str, int]] = {}
    for query, document, relevance in zip(*(tables["qrels"][c] for c in ("query", "document", "relevance")), strict=True):
        qrels.setdefault(query, {})[document] = relevance
    queries, corpus = (dict(zip(tables[t]["id"], tables[t]["text"], strict=True)) for t in ("queries", "corpus"))
    more: dict[str, Any] = {"groups": tables["queries"]["groups"]} if "groups" in tables["queries"] else {}
    if "candidates" in tables["queries"]:
        more["candidates"] = dict(zip(queries, tables["queries"]["candidates"], strict=True))
    return {"queries": queries, "corpus": corpus, "qrels": qrels, **more}


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"no file {path}: give a folder that `medloom bench build` wrote") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is not valid JSON: build the suite again") from error
    if not isinstance(raw, dict):
        raise ArtifactError(f"{path} is not what `medloom bench build` writes: build the suite again")
    return raw


def _clear(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
