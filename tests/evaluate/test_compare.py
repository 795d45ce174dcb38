"""Base against tuned."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.encode import load_encoder
from medloom.encode.encoder import TorchEncoder
from medloom.evaluate import Comparison, EvaluateConfig, Task, TaskRow, compare
from medloom.evaluate.scored import mteb_result, score
from medloom.evaluate.systems.dense import DenseSystem


def dense(encoder: TorchEncoder) -> DenseSystem:
    return DenseSystem(encoder)


@pytest.fixture(scope="module")
def itself(tiny_model: Path, suite: list[Task], config: EvaluateConfig) -> Comparison:
    """The tiny model against a second copy of itself."""
    return compare(dense(load_encoder(tiny_model)), dense(load_encoder(tiny_model)), suite, config, 1)


@pytest.fixture(scope="module")
def other(
    tiny_encoder: TorchEncoder, make_model: Callable[..., Path], suite: list[Task], config: EvaluateConfig
) -> Comparison:
    """The tiny model against one with other weights."""
    return compare(dense(tiny_encoder), dense(load_encoder(make_model(seed=5))), suite, config, 1)


def test_a_model_is_the_same_as_itself(itself: Comparison, suite: list[Task]) -> None:
    assert [row.name for row in itself.rows] == [t.name for t in suite]
    for row in itself.rows:
        assert (row.delta, row.ci_low, row.ci_high, row.verdict) == (0, 0, 0, "same")
        assert row.base == row.tuned
    assert itself.verdict() == {"better": 0, "worse": 0, "same": 5}


def test_two_models_are_not_taken_for_one(other: Comparison, itself: Comparison) -> None:
    """mteb's cache takes two local models for one; every task must see the second model's own vectors."""
    for row, same in zip(other.rows, itself.rows, strict=True):
        assert row.base == same.base
        assert other.items[row.name]["base"] == itself.items[row.name]["base"]
        assert other.items[row.name]["tuned"] != other.items[row.name]["base"]
    assert sum(row.delta != 0 for row in other.rows) >= 4


def test_rows(other: Comparison, suite: list[Task], config: EvaluateConfig) -> None:
    units = {"Retrieval": "queries", "PairClassification": "pairs", "Clustering": "resamples of documents"}
    metrics = {"Retrieval": "ndcg_at_10", "PairClassification": "similarity_ap", "Clustering": "v_measure"}
    for row, task in zip(other.rows, suite, strict=True):
        assert (row.name, row.type, row.source, row.description) == (task.name, task.type, task.source, task.description)
        assert (row.unit, row.metric) == (units[row.type], metrics[row.type])
        assert row.delta == pytest.approx(row.tuned - row.base)
        assert row.ci_low <= row.ci_high
        assert row.n == len(other.items[row.name]["base"]) == len(other.items[row.name]["tuned"])
    assert {row.n for row in other.rows if row.type == "Clustering"} == {config.clusterings}


def test_swapping_the_models_turns_the_differences_round(
    other: Comparison,
    tiny_encoder: TorchEncoder,
    make_model: Callable[..., Path],
    suite: list[Task],
    config: EvaluateConfig,
) -> None:
    tasks = [t for t in suite if t.type != "Clustering"][-2:]
    swapped = compare(dense(load_encoder(make_model(seed=5))), dense(tiny_encoder), tasks, config, 1)
    rows = {row.name: row for row in other.rows}
    for row in swapped.rows:
        assert row.delta == pytest.approx(-rows[row.name].delta, abs=1e-9)
        assert row.ci_low == pytest.approx(-rows[row.name].ci_high, abs=1e-9)
        assert row.ci_high == pytest.approx(-rows[row.name].ci_low, abs=1e-9)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.1, 0.1, "same"),
        (0.0, 0.1, "same"),
        (-0.1, 0.0, "same"),
        (0, 0, "same"),
    ],
)
def test_the_verdict_is_the_intervals(low: float, high: float, verdict: str) -> None:
    row = TaskRow("n", "Retrieval", "m", 0.5, 0.6, 0.1, low, high, 10, "queries", "s", "d")
    assert row.verdict == verdict
    assert Comparison([row, row], [], {}, {}).verdict() == {"better": 0, "worse": 0, "same": 0} | {verdict: 2}


def test_examples_are_drawn_by_seed_from_the_retrieval_tasks_in_turn(
    other: Comparison, itself: Comparison, suite: list[Task]
) -> None:
    assert [e["task"] for e in other.examples] == ["toy-lay-name", "toy-name-definition", "toy-synonym-name", "toy-lay-name"]
    assert [e["query"] for e in other.examples] == [e["query"] for e in itself.examples]
    assert len({(e["task"], e["query"]) for e in other.examples}) == 4
    by_name = {t.name: t for t in suite}
    for example in other.examples:
        data = by_name[example["task"]].data
        (query,) = (q for q, text in data["queries"].items() if text == example["query"])
        assert sorted(example["relevant"]) == sorted(data["corpus"][i] for i in data["qrels"][query])
        for name in ("base", "tuned"):
            assert len(example[name]) == 3
            assert all(hit["relevant"] == (hit["text"] in example["relevant"]) for hit in example[name])
            found = [hit["score"] for hit in example[name]]
            assert found == sorted(found, reverse=True)


def test_no_more_examples_than_queries(tiny_encoder: TorchEncoder, suite: list[Task]) -> None:
    data = suite[0].data
    few = list(data["queries"])[:2]
    task = Task(
        "few",
        "Retrieval",
        "toy",
        "d",
        data | {"queries": {q: data["queries"][q] for q in few}, "qrels": {q: data["qrels"][q] for q in few}},
    )
    config = EvaluateConfig(resamples=100, examples=5, precision="fp32")
    found = compare(dense(tiny_encoder), dense(tiny_encoder), [task], config, 1)
    assert sorted(e["query"] for e in found.examples) == sorted(data["queries"][q] for q in few)


def test_what_was_judged_not_relevant_is_not_shown_as_right(tiny_encoder: TorchEncoder) -> None:
    data = {
        "queries": {"q1": "fever"},
        "corpus": {"d1": "high fever", "d2": "skin rash", "d3": "head ache"},
        "qrels": {"q1": {"d1": 2, "d2": 0}},
    }
    config = EvaluateConfig(resamples=100, examples=1, precision="fp32")
    system = dense(tiny_encoder)
    (example,) = compare(system, system, [Task("t", "Retrieval", "toy", "d", data)], config, 1).examples
    assert example["relevant"] == ["high fever"]
    assert {hit["text"]: hit["relevant"] for hit in example["base"]} == {
        "high fever": True,
        "skin rash": False,
        "head ache": False,
    }


def test_n_counts_texts_and_not_experiments(tiny_encoder: TorchEncoder) -> None:
    texts = [f"{word} pain {i}" for word in ("heart", "skin") for i in range(6)]
    labels = ["a"] * 6 + ["b"] * 6
    data = {"texts": texts[::2], "labels": labels[::2], "train_texts": texts[1::2], "train_labels": labels[1::2]}
    task = Task("t", "Classification", "toy", "d", data, settings={"n_experiments": 2, "samples_per_label": 3})
    system = dense(tiny_encoder)
    (row,) = compare(system, system, [task], EvaluateConfig(resamples=100, examples=0), 1).rows
    assert (row.n, row.unit, row.delta) == (6, "texts", 0)


def test_no_examples_where_nothing_is_retrieved(
    tiny_encoder: TorchEncoder, suite: list[Task], config: EvaluateConfig
) -> None:
    pairs = [t for t in suite if t.type == "PairClassification"]
    found = compare(dense(tiny_encoder), dense(tiny_encoder), pairs, config, 1)
    assert found.examples == []


def test_what_is_written(other: Comparison) -> None:
    written: dict[str, Any] = json.loads(json.dumps(other.to_dict()))
    assert set(written) == {"tasks", "examples", "verdict"}
    assert sum(written["verdict"].values()) == len(written["tasks"]) == 5
    assert written["tasks"][0]["ci_low"] == other.rows[0].ci_low
    json.dumps(other.items)
    json.dumps(other.results)
    assert set(other.results) == {"base", "tuned"}


def test_results_are_mtebs_own(other: Comparison, suite: list[Task], tiny_encoder: TorchEncoder) -> None:
    from mteb.results import TaskResult

    task = suite[0]
    expected = mteb_result(task, score(dense(tiny_encoder), task))
    found = other.results["base"][0]
    assert {k: v for k, v in found.items() if k != "evaluation_time"} == {
        k: v for k, v in expected.items() if k != "evaluation_time"
    }
    read = TaskResult.model_validate(found)
    assert read.task_name == task.name
    assert read.dataset_revision == task.fingerprint
    assert read.get_score() == pytest.approx(other.rows[0].base)
