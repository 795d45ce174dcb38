"""Tests, intervals and ranks with answers that are known beforehand."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medloom.bench.results import Result
from medloom.bench.versus import Board, Pair
from medloom.evaluate import metrics
from medloom.evaluate.significance import holm
from medloom.evaluate.statistics import interval
from medloom.evaluate.tasks import Task

MakeResult = Callable[..., Result]
N = 60


def ask(name: str) -> Task:
    queries = {f"q{i}": f"query {i}" for i in range(N)}
    return Task(name, "Retrieval", "toy", "find", {"queries": queries, "corpus": {"d": "text"}, "qrels": {}})


def tell(name: str) -> Task:
    texts = [f"text {i}" for i in range(N)]
    data = {"sentence1": texts, "sentence2": texts, "labels": [i % 2 for i in range(N)]}
    return Task(name, "PairClassification", "toy", "tell", data)


def gather(name: str) -> Task:
    return Task(name, "Clustering", "toy", "sort", {"sentences": ["a", "b"], "labels": ["x", "y"]})


@pytest.fixture
def results(make_result: MakeResult) -> Callable[..., dict[str, dict[str, Result]]]:
    """Results by model and task, from the items of each task."""

    def make(items: Mapping[str, Mapping[Task, Any]]) -> dict[str, dict[str, Result]]:
        found: dict[str, dict[str, Result]] = {}
        for model, by_task in items.items():
            for task, values in by_task.items():
                score = None
                if task.type == "PairClassification":
                    labels = np.asarray(task.data["labels"])
                    score = float(metrics.average_precision(np.asarray(values), labels, np.ones((1, N)))[0])
                found.setdefault(model, {})[task.name] = make_result(model, task, values, score)
        return found

    return make


class Tasks(dict[Any, Any]):
    """A mapping from tasks, which cannot be hashed."""

    def __init__(self, *pairs: tuple[Task, Any]) -> None:
        super().__init__()
        self.pairs = pairs

    def items(self) -> Any:
        return self.pairs


def board(found: Mapping[str, Mapping[str, Result]]) -> Board:
    return Board(found, resamples=400, permutations=2_000, seed=3)


RNG = np.random.default_rng(0)
BASE = RNG.uniform(0.2, 0.6, N)
NOISE = RNG.normal(0, 0.05, N)
SIMILAR = np.where(np.arange(N) % 2, 0.55, 0.5) + RNG.normal(0, 0.1, N)


def test_a_model_equals_itself(results: Callable[..., Any]) -> None:
    tasks = (ask("one"), BASE), (tell("two"), SIMILAR), (gather("three"), BASE[:10])
    found = results({model: Tasks(*tasks) for model in ("a", "b")})
    one = board(found)
    (pair,) = one.pairs()
    assert [(d.delta, d.ci_low, d.ci_high, d.p, d.p_holm, d.verdict) for d in pair.tasks] == [(0, 0, 0, 1, 1, "same")] * 3
    assert pair.macro == (0.0, (0.0, 0.0))
    assert one.ranks([pair], "one") == one.macro_ranks([pair]) == {"a": 1, "b": 1}


def test_what_is_clearly_better_is_better_everywhere(results: Callable[..., Any]) -> None:
    good = np.where(np.arange(N) % 2, 0.9, 0.1) + NOISE
    found = results(
        {
            "weak": Tasks((ask("one"), BASE), (tell("two"), SIMILAR), (gather("three"), 0.3 + NOISE[:10] / 10)),
            "strong": Tasks((ask("one"), BASE + 0.3), (tell("two"), good), (gather("three"), 0.7 + NOISE[10:20] / 10)),
        }
    )
    one = board(found)
    (pair,) = one.pairs()
    assert (pair.a, pair.b) == ("weak", "strong")
    for delta in pair.tasks:
        assert delta.verdict == "worse"
        assert delta.p <= delta.p_holm < 0.05
        assert delta.ci_low <= delta.delta <= delta.ci_high < 0
        assert one.ranks([pair], delta.task) == {"weak": 2, "strong": 1}
    assert pair.tasks[0].delta == pytest.approx(-0.3)
    assert pair.macro is not None
    assert pair.macro[1].low <= pair.macro[0] <= pair.macro[1].high < 0
    assert one.macro_ranks([pair]) == {"weak": 2, "strong": 1}
    assert pair.macro[0] == pytest.approx(np.mean([d.delta for d in pair.tasks]))


def test_p_values_are_corrected_over_the_tasks_of_a_pair(results: Callable[..., Any]) -> None:
    shifts = [0.0, 0.004, 0.012, 0.016, 0.2]
    tasks = [ask(f"t{i}") for i in range(5)]
    found = results(
        {
            "a": Tasks(*((task, BASE) for task in tasks)),
            "b": Tasks(*((task, BASE + shift + np.roll(NOISE, i)) for i, (task, shift) in enumerate(zip(tasks, shifts)))),  # noqa: B905
        }
    )
    (pair,) = board(found).pairs()
    assert [d.p_holm for d in pair.tasks] == holm([d.p for d in pair.tasks])
    assert all((d.verdict == "same") == (d.p_holm >= 0.05) for d in pair.tasks)
    assert any(d.p < 0.05 <= d.p_holm for d in pair.tasks), "a task that would have had a star without the correction"
    assert pair.tasks[4].verdict == "worse"


def test_ties_share_a_rank(results: Callable[..., Any]) -> None:
    task = ask("one")
    found = results(
        {
            "bad": Tasks((task, BASE)),
            "good": Tasks((task, BASE + 0.3)),
            "also good": Tasks((task, BASE + 0.3 + NOISE / 100 * np.where(np.arange(N) % 2, 1, -1))),
            "worst": Tasks((task, BASE - 0.2)),
        }
    )
    one = board(found)
    pairs = one.pairs()
    assert len(pairs) == 6
    expected = {"good": 1, "also good": 1, "bad": 3, "worst": 4}
    assert one.ranks(pairs, "one") == expected
    assert one.macro_ranks(pairs) == expected


def test_the_hierarchical_interval_is_wider_than_one_over_items_alone(results: Callable[..., Any]) -> None:
    tasks = [ask(f"t{i}") for i in range(6)]
    offsets = [0.0, 0.1, 0.2, 0.3, 0.05, 0.35]
    found = results({"a": Tasks(*((t, BASE * 0.2 + offset) for t, offset in zip(tasks, offsets, strict=True)))})
    one = board(found)
    macro = one.macro("a")
    assert macro.score == pytest.approx(np.mean([r.score for r in found["a"].values()]))
    assert macro.score is not None
    assert macro.interval is not None
    assert macro.interval.low < macro.score < macro.interval.high
    alone = interval(np.mean([one._draws[t.name]["a"] for t in tasks], axis=0))
    width = macro.interval.high - macro.interval.low
    assert width > 3 * (alone.high - alone.low)


def test_types_weigh_the_same_whatever_their_number_of_tasks(results: Callable[..., Any]) -> None:
    asked = [(ask(f"t{i}"), np.full(N, 0.2)) for i in range(5)]
    found = results({"a": Tasks(*asked, (gather("c"), np.full(10, 0.8)))})
    macro = board(found).macro("a")
    assert macro.types == pytest.approx({"Retrieval": 0.2, "Clustering": 0.8})
    assert macro.score == pytest.approx(0.5)
    assert macro.interval == pytest.approx((0.5, 0.5))


def test_who_has_not_done_every_task_has_no_macro_mean(results: Callable[..., Any]) -> None:
    full = Tasks((ask("one"), BASE), (ask("two"), BASE), (gather("three"), BASE[:10]))
    found = results({"a": full, "b": Tasks(*full.pairs[:2]), "c": Tasks(full.pairs[0], full.pairs[2]), "d": full})
    one = board(found)
    assert one.macro("a").score is not None
    assert all(one.macro(model).score is None and one.macro(model).interval is None for model in "bc")
    assert one.macro("b").types.keys() == {"Retrieval"}
    assert one.macro("c").types.keys() == {"Clustering"}, "a mean over half of a type's tasks is no mean of the type"
    pairs = {(pair.a, pair.b): pair for pair in one.pairs()}
    assert [d.task for d in pairs["a", "b"].tasks] == ["one", "two"]
    assert [d.task for d in pairs["b", "c"].tasks] == ["one"]
    assert pairs["a", "b"].macro is None
    assert pairs["a", "d"].macro is not None
    assert one.macro_ranks(list(pairs.values())) == {"a": 1, "d": 1}
    assert one.ranks(list(pairs.values()), "three").keys() == {"a", "c", "d"}


def test_a_score_stands_in_its_interval_and_groups_widen_it(make_result: MakeResult) -> None:
    plain = ask("one")
    values = np.repeat(RNG.uniform(0, 1, N // 6), 6)
    grouped = replace(plain, data=plain.data | {"groups": [str(i // 6) for i in range(N)]})
    spans = []
    for task in (plain, grouped):
        result = make_result("a", task, values)
        span = board({"a": {"one": result}}).score_interval("a", "one")
        assert span.low < result.score < span.high
        spans.append(span.high - span.low)
    assert spans[1] > 1.5 * spans[0]


@pytest.mark.filterwarnings("error")
def test_resamples_that_give_no_score_are_left_out(make_result: MakeResult) -> None:
    plain = tell("one")
    task = replace(plain, data=plain.data | {"groups": ["ab"[i % 2] for i in range(N)]})
    one = board({m: {"one": make_result(m, task, SIMILAR, 0.6)} for m in "ab"})
    assert np.isnan(one._draws["one"]["a"]).any()
    assert one.macro("a").interval == one.score_interval("a", "one")
    assert one.macro("a").interval is not None
    assert np.isfinite(one.score_interval("a", "one")).all()
    assert one.pairs()[0].macro == (0.0, (0.0, 0.0))


def test_clustering_has_the_interval_of_its_resamples(results: Callable[..., Any]) -> None:
    found = results({"a": Tasks((gather("one"), BASE[:10]))})
    assert board(found).score_interval("a", "one") == interval(BASE[:10], exact=True)


def test_the_same_seed_gives_the_same_board_whatever_the_order(results: Callable[..., Any]) -> None:
    tasks = (ask("one"), BASE), (tell("two"), SIMILAR)
    other = (ask("one"), BASE + 0.01 + NOISE), (tell("two"), SIMILAR + NOISE)
    forth = board(results({"a": Tasks(*tasks), "b": Tasks(*other)})).pairs()[0]
    again = board(results({"a": Tasks(*tasks), "b": Tasks(*other)})).pairs()[0]
    back = board(results({"b": Tasks(*other), "a": Tasks(*tasks)})).pairs()[0]
    assert forth == again
    assert [-d.delta for d in back.tasks] == [d.delta for d in forth.tasks]
    turned = [(-d.ci_high, -d.ci_low) for d in back.tasks]
    np.testing.assert_allclose(turned, [(d.ci_low, d.ci_high) for d in forth.tasks])


def test_no_models_and_one_model(results: Callable[..., Any]) -> None:
    assert board({}).pairs() == []
    one = board(results({"a": Tasks((ask("one"), BASE))}))
    assert one.pairs() == list[Pair]()
    assert one.ranks([], "one") == one.macro_ranks([]) == {"a": 1}
