"""What makes two results unlike, and what does not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medloom.bench.alike import differences
from medloom.bench.results import Result
from medloom.evaluate.tasks import Task

MakeResult = Callable[..., Result]


@pytest.fixture
def pair(make_result: MakeResult, tasks: list[Task]) -> Callable[..., list[Result]]:
    """Results of two models on one task of a type; the second's file says otherwise."""

    def make(type_: str = "Retrieval", **block: Any) -> list[Result]:
        task = next(task for task in tasks if task.type == type_)
        items = np.linspace(0, 1, task.n)
        return [make_result("a", task, items), make_result("b", task, items, **block)]

    return make


VERSIONS = {"mteb": "2.5.1", "scikit-learn": "1.7.0", "torch": "2.9"}


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"fingerprint": "e" * 64}, "toy/ask: the task's data differs"),
        ({"mode": "compat"}, "toy/ask: the mode differs: compat, strict"),
        ({"protocol": 99}, "toy/ask: the scoring differs: protocol 1, protocol 99"),
        ({"system": {"settings": {"precision": "bf16"}}}, "precision differs: a fp32, b bf16"),
    ],
)
def test_what_bears_on_the_comparison_is_found(pair: Callable[..., list[Result]], block: dict[str, Any], said: str) -> None:
    (found,) = differences(pair(**block))
    assert found.startswith(said)


@pytest.mark.parametrize("type_", ["Clustering", "Classification"])
@pytest.mark.parametrize("library", ["mteb", "scikit-learn"])
def test_the_library_that_scores_counts_to_its_minor_version(
    pair: Callable[..., list[Result]], type_: str, library: str
) -> None:
    (found,) = differences(pair(type_, versions=VERSIONS | {library: "9.1.2"}))
    assert f": {library} differs: " in found
    assert "9.1" in found
    minor = VERSIONS[library].rpartition(".")[0]
    assert not differences(pair(type_, versions=VERSIONS | {library: f"{minor}.99"}))


@pytest.mark.parametrize("type_", ["Retrieval", "PairClassification", "STS", "MinimalPairs"])
def test_libraries_that_do_not_score_a_type_may_differ(pair: Callable[..., list[Result]], type_: str) -> None:
    assert not differences(pair(type_, versions={"mteb": "1.0", "scikit-learn": "0.9", "torch": "1.0"}))


@pytest.mark.parametrize(
    "settings",
    [{"pooling": "cls"}, {"max_length": 512}, {"prompts": {"query": "query: "}}, {"backend": "onnx"}, {"precision": None}],
)
def test_what_belongs_to_a_model_may_differ(pair: Callable[..., list[Result]], settings: dict[str, Any]) -> None:
    assert not differences(pair(system={"settings": {"precision": "fp32"} | settings}))


def test_every_difference_of_every_task_is_told(make_result: MakeResult, tasks: list[Task]) -> None:
    results = [make_result(model, task, np.zeros(task.n)) for model in ("a", "b", "c") for task in tasks]
    assert not differences(results)
    results[0].block["mode"] = "compat"
    results[0].block["fingerprint"] = "e" * 64
    results[1].block["protocol"] = 7
    found = differences(results)
    assert [line.partition(" differs")[0] for line in found] == [
        "toy/ask: the task's data",
        "toy/ask: the mode",
        "toy/rerank: the scoring",
    ]


def test_one_name_in_two_suites(make_result: MakeResult, tasks: list[Task]) -> None:
    changed = replace(tasks[0], data=tasks[0].data | {"groups": [str(i) for i in range(12)]})
    items = np.zeros(12)
    one = make_result("a", tasks[0], items)
    assert not differences([one, make_result("a", tasks[0], items, suite="other")])
    (found,) = differences([one, make_result("a", changed, items, suite="other")])
    assert found == "ask: the suites other, toy have unlike data under this name: choose one of them"


def test_models_of_other_tasks_do_not_clash(make_result: MakeResult, tasks: list[Task]) -> None:
    items = np.zeros(12)
    assert not differences([make_result("a", tasks[0], items), make_result("b", tasks[1], items)])
    assert not differences([])
