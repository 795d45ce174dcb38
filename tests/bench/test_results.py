"""Results on disk: mteb reads them, and what is needed for statistics comes back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.bench.results import model_key, read_errors, read_results
from medloom.bench.runner import Summary, run_suites
from medloom.bench.store import BuiltSuite
from medloom.errors import ArtifactError
from medloom.evaluate.scored import score
from medloom.evaluate.statistics import replicates
from medloom.evaluate.systems.base import SystemInfo
from medloom.evaluate.tasks import Task

MakeSuite = Callable[..., BuiltSuite]
MakeSystem = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> Path:
    run_suites(make_system, [make_suite()], tmp_path / "results", Summary())
    return tmp_path / "results"


def test_mteb_reads_them(folder: Path, make_suite: MakeSuite) -> None:
    from mteb.results import TaskResult

    for task in make_suite().tasks:
        (path,) = folder.glob(f"*/toy-strict/{task.name}.json")
        raw = json.loads(path.read_text("utf-8"))
        found = TaskResult.model_validate({key: value for key, value in raw.items() if key != "medloom"})
        assert found.task_name == task.name
        assert found.scores["test"][0]["main_score"] == raw["scores"]["test"][0][task.main_score]
        assert found.dataset_revision == task.fingerprint == raw["medloom"]["fingerprint"]
        assert TaskResult.from_disk(path).scores == found.scores


def test_the_settings_of_the_run_are_beside_the_scores(folder: Path) -> None:
    for path in folder.glob("*/toy-strict/*.json"):
        block = json.loads(path.read_text("utf-8"))["medloom"]
        assert block["system"]["settings"].keys() == {"prompts", "pooling", "max_length", "precision", "backend"}
        assert (block["suite"], block["mode"], block["seed"]) == ("toy", "strict", 0)
        assert {"medloom", "mteb", "torch", "transformers", "scikit-learn"} <= block["versions"].keys()


def _by_id(task: Task) -> Task:
    """The task with its queries (and their groups) in the order of their ids, as results are read."""
    if task.type != "Retrieval":
        return task
    order = sorted(range(task.n), key=list(task.data["queries"]).__getitem__)
    ids = [list(task.data["queries"])[i] for i in order]
    groups = {"groups": [task.groups[i] for i in order]} if task.groups is not None else {}
    return replace(task, data=task.data | groups | {"queries": {i: task.data["queries"][i] for i in ids}})


def test_what_statistics_need_comes_back(folder: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    tasks = {task.name: _by_id(task) for task in make_suite().tasks}
    found = {result.task.name: result for result in read_results(folder)}
    assert found.keys() == tasks.keys()
    for name, result in found.items():
        again = score(make_system(), tasks[name])
        np.testing.assert_allclose(result.items, again.items, atol=1e-6)
        assert result.items.shape == again.items.shape
        assert result.score == pytest.approx(again.score, abs=1e-6)
        assert (result.task.groups, result.task.main_score) == (tasks[name].groups, tasks[name].main_score)
        drawn = [replicates(task, [again.items], 20, 3) for task in (tasks[name], result.task)]
        np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-6)
    assert found["label"].items.ndim == 2


def test_no_text_is_in_the_results(folder: Path, make_suite: MakeSuite) -> None:
    import pyarrow.parquet as pq

    texts = {text for task in make_suite().tasks for _, text in task.texts}
    for path in folder.rglob("*"):
        if path.suffix == ".json":
            content = path.read_text("utf-8")
        elif path.suffix == ".parquet":
            content = json.dumps(pq.read_table(path).to_pydict())
        else:
            continue
        assert not any(text in content for text in texts), path


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_text("{", "utf-8"),
        lambda p: p.write_text("[]", "utf-8"),
        lambda p: p.write_text("{}", "utf-8"),
        lambda p: p.with_suffix(".parquet").unlink(),
        lambda p: p.with_suffix(".parquet").write_bytes(b"PAR1"),
    ],
)
def test_a_damaged_result_is_named(folder: Path, damage: Callable[[Path], Any]) -> None:
    (path,) = folder.glob("*/toy-strict/pairs.json")
    damage(path)
    with pytest.raises(ArtifactError, match=r"pairs\.json is not a whole result .*: remove it and run the task again"):
        list(read_results(folder))


def test_a_damaged_record_of_an_error_is_named(folder: Path) -> None:
    (path,) = folder.glob("*/toy-strict/pairs.json")
    path.with_name("pairs.error.json").write_text("{", "utf-8")
    with pytest.raises(ArtifactError, match=r"pairs\.error\.json"):
        list(read_errors(folder))


def test_no_results(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no results below .*: run `medloom bench run` with --out .* first"):
        list(read_results(tmp_path / "results"))


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("BAAI/bge-small-en-v1.5", "BAAI-bge-small-en-v1.5-"),
        ("openai:http://127.0.0.1:8000/v1#org/model", "http-127.0.0.1-8000-v1-org-model-"),
        ("../../etc", "etc-"),
        ("..", "model-"),
        ("modèle", "mod-le-"),
        ("x" * 300, "x" * 40 + "-"),
    ],
)
def test_a_models_folder_has_a_plain_name(name: str, start: str) -> None:
    key = model_key(SystemInfo(name, "0123456789abcdef", "dense"))
    assert start in key
    assert "/" not in key
    assert len(key) < 100
    assert model_key(SystemInfo(name, "0123456789abcdee", "dense")) == key
    assert model_key(SystemInfo(name, "1123456789abcdef", "dense")) != key
    assert model_key(SystemInfo(name, "0123456789abcdef", "dense", {"pooling": "cls"})) != key


def test_queries_are_paired_by_id_and_not_by_place(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    """The fingerprint does not depend on the order of the queries, so neither may what is paired."""
    task = next(task for task in make_suite().tasks if task.type == "Retrieval")
    turned = replace(task, data=task.data | {"queries": dict(reversed(task.data["queries"].items()))})
    if task.groups is not None:
        turned.data["groups"] = task.groups[::-1]
    assert turned.fingerprint == task.fingerprint
    for name, one in (("a", task), ("b", turned)):
        run_suites(make_system, [make_suite([one])], tmp_path / name, Summary())
    (first,), (second,) = (list(read_results(tmp_path / name)) for name in "ab")
    assert len(set(first.items.tolist())) > 1
    np.testing.assert_array_equal(first.items, second.items)
    assert list(first.task.data["queries"]) == list(second.task.data["queries"])
