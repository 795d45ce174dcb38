"""Maps of a task's embeddings: the same documents for every model, and the same picture every time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.bench.leaderboard import leaderboard
from medloom.bench.maps import embedding_map, keep_sample
from medloom.bench.results import read_results
from medloom.bench.runner import Summary, run_suites
from medloom.bench.store import BuiltSuite
from medloom.errors import MedloomError
from medloom.evaluate.systems import Bm25System
from medloom.evaluate.tasks import Task

MakeSuite = Callable[..., BuiltSuite]
MakeSystem = Callable[..., Any]


def gather(n: int, labels: int) -> Task:
    data = {"sentences": [f"text number {i}" for i in range(n)], "labels": [f"label {i % labels}" for i in range(n)]}
    return Task("sort", "Clustering", "toy", "sort", data, settings={"n_clusters": 2})


@pytest.fixture
def folder(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> Path:
    for system in (make_system(1, "one"), make_system(2, "two"), Bm25System()):
        run_suites(lambda system=system: system, [make_suite()], tmp_path, Summary())  # type: ignore[misc]
    return tmp_path


def test_a_map_of_every_model_that_has_vectors(folder: Path, make_suite: MakeSuite) -> None:
    board = leaderboard(folder, resamples=200, permutations=200)
    drawn = embedding_map(folder, board, "")
    assert drawn is not None
    assert drawn == embedding_map(folder, board, "sort")
    assert (drawn["task"], drawn["labels"]) == ("sort", ["heart", "kidney", "liver", "lung"])
    assert "t-SNE" in drawn["method"]
    ids = {model["name"]: model["id"] for model in board["models"]}
    assert {one["model"] for one in drawn["models"]} == {ids["one"], ids["two"]}
    labels = [[point[2] for point in one["points"]] for one in drawn["models"]]
    assert labels[0] == labels[1], "the same documents in the same order"
    assert len(labels[0]) == 40
    points = [np.array(one["points"])[:, :2] for one in drawn["models"]]
    assert np.isfinite(points).all()
    assert not np.allclose(points[0], points[1])


def test_asked_for_a_task_that_has_no_vectors(folder: Path) -> None:
    board = leaderboard(folder, resamples=200, permutations=200)
    with pytest.raises(MedloomError, match="--map pairs: no model has vectors of it: give a clustering task that was run"):
        embedding_map(folder, board, "pairs")
    assert embedding_map(folder, board | {"tasks": []}, "") is None
    lexical = [model for model in board["models"] if model["kind"] == "lexical"]
    assert embedding_map(folder, board | {"models": lexical}, "") is None


def test_at_most_500_documents_of_the_ten_most_frequent_labels(tmp_path: Path, make_system: MakeSystem) -> None:
    labels = [f"l{i}" for i in range(12) for _ in range(20 + 10 * i)]
    data = {"sentences": [f"text number {i}" for i in range(len(labels))], "labels": labels}
    task = Task("sort", "Clustering", "toy", "sort", data)
    kept = []
    for seed in (1, 2):
        keep_sample(tmp_path / str(seed) / "sort", make_system(seed), task)
        with np.load(tmp_path / str(seed) / "sort.map.npz", allow_pickle=False) as file:
            kept.append((file["vectors"], file["labels"].tolist()))
    assert kept[0][0].shape == kept[1][0].shape == (500, 8)
    assert kept[0][0].dtype == np.float16
    assert kept[0][1] == kept[1][1]
    assert set(kept[0][1]) == {f"l{i}" for i in range(2, 12)}
    where = {sentence: label for sentence, label in zip(data["sentences"], labels, strict=True)}
    rows = make_system(1).vectors(list(where)).astype(np.float16)
    place = {row.tobytes(): label for row, label in zip(rows, labels, strict=True)}
    assert [place[row.tobytes()] for row in kept[0][0]] == kept[0][1], "each vector keeps its label"


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_a_map_of_few_documents(tmp_path: Path, make_system: MakeSystem, n: int) -> None:
    keep_sample(tmp_path / "m" / "toy-strict" / "sort", make_system(), gather(n, 2))
    board = {"models": [{"id": "m"}], "tasks": [{"name": "sort", "type": "Clustering"}]}
    drawn = embedding_map(tmp_path, board, "")
    assert drawn is not None
    assert len(drawn["models"][0]["points"]) == n
    assert np.isfinite(np.array(drawn["models"][0]["points"])).all()


def test_whoever_has_a_result_has_a_map(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: Any
) -> None:
    def die(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medloom.bench.runner.keep_sample", die)
    with pytest.raises(KeyboardInterrupt):
        run_suites(make_system, [make_suite()], tmp_path, Summary())
    assert {result.task.name for result in read_results(tmp_path)} == {"ask", "rerank", "pairs"}
