"""Reading a board, its order, and the marks beside its scores."""

import copy
import math
from typing import Any

import pytest

from medloom.bench.report.board import Board, read_board
from medloom.bench.report.marks import NO_SIZE, size_class, size_classes, top_marks, verdict_on


def task_of(board: Board, name: str) -> Any:
    return next(task for task in board.tasks if task.name == name)


def small(scores: dict[str, float | None], p: dict[str, float | None]) -> dict[str, Any]:
    """A board of one task; ``p`` by the two models' ids joined."""
    return {
        "models": [{"id": key, "name": key, "kind": "dense"} for key in scores],
        "tasks": [{"name": "t", "type": "Retrieval"}],
        "scores": [{"model": key, "task": "t", "score": value} for key, value in scores.items()],
        "pairs": [{"a": pair[0], "b": pair[1], "tasks": [{"task": "t", "p_holm": value}]} for pair, value in p.items()],
    }


def marks(scores: dict[str, float | None], p: dict[str, float | None]) -> dict[str, str]:
    board = read_board(small(scores, p))
    return dict(top_marks(board, board.tasks[0]))


def test_an_empty_board_is_read() -> None:
    boards: list[dict[str, Any]] = [{}, {"models": None, "map": None, "warnings": None}, {"models": [{}], "tasks": [{}]}]
    for nothing in boards:
        board = read_board(nothing)
        assert board.title == "Leaderboard"
        assert not board.pairs
        assert verdict_on(board) == "No model is ranked."


def test_models_stand_by_rank_and_published_ones_last(board: dict[str, Any]) -> None:
    held = read_board(board)
    assert [m.id for m in held.models] == ["m1", "m0", "m3", "m2", "m4"]
    assert [m.id for m in held.references] == ["m4"]
    assert held.references[0].source == "Table 3 of an invented paper"
    assert held.types == ("Retrieval", "PairClassification", "Clustering", "Classification", "MinimalPairs")


def test_a_published_row_is_never_ranked(board: dict[str, Any]) -> None:
    for row in board["macro"] + board["scores"]:
        row["rank"] = 1
    held = read_board(board)
    published = held.references[0]
    assert held.rank(published) == ""
    assert {held.task_rank(published, task) for task in held.tasks} == {""}
    assert held.rank(held.measured[0]) == "1="


def test_every_cell_has_its_status(board: dict[str, Any]) -> None:
    board["scores"] = [s for s in board["scores"] if (s["model"], s["task"]) != ("m0", "dose")]
    held = read_board(board)

    def status(model: str, task: str) -> str:
        return held.cell(held.by_id[model], task_of(held, task)).status

    assert status("m0", "negation") == "measured"
    assert status("m2", "HpoOrganClusters") == "not applicable"
    assert status("m3", "TrialsArmsPairClassification") == "failed"
    assert status("m0", "dose") == "not run"
    assert status("m4", "HpoLayToTerm") == "published"
    assert status("m4", "negation") == "not published"


def test_figures_that_are_no_numbers_become_nan(board: dict[str, Any]) -> None:
    spoiled = copy.deepcopy(board)
    spoiled["scores"][0] |= {"score": math.nan, "ci_low": "x", "rank": math.nan}
    spoiled["models"][0] |= {"dimensions": None, "latency_ms": math.inf, "seconds": {"load": None}}
    held = read_board(spoiled)
    cell = held.cell(held.by_id["m0"], held.tasks[0])
    assert (cell.status, cell.rank) == ("not applicable", None)
    assert math.isnan(cell.low)
    assert math.isnan(held.by_id["m0"].latency_ms)
    assert math.isnan(held.by_id["m0"].seconds["load"])


def test_what_belongs_to_no_model_is_left_out(board: dict[str, Any]) -> None:
    board["scores"].append({"model": "ghost", "task": "dose", "score": 1.0})
    board["macro"].append({"model": "ghost", "score": 1.0, "types": {"Ghostly": 1.0}})
    board["pairs"].append({"a": "m0", "b": "ghost", "tasks": []})
    board["map"]["models"].append({"model": "ghost", "points": [[0, 0, 0]]})
    held = read_board(board)
    assert "Ghostly" not in held.types
    assert all("ghost" not in (p.a, p.b) for p in held.pairs)
    assert [model for model, _ in held.projection.models] == ["m0", "m1"] if held.projection else False


def test_the_best_and_its_equals_are_marked() -> None:
    assert marks({"a": 0.9, "b": 0.8, "c": 0.5}, {"ab": 0.05, "ac": 0.049}) == {"a": "best", "b": "tied"}
    assert marks({"a": 0.5, "b": 0.9}, {"ab": 0.001}) == {"b": "best"}


@pytest.mark.parametrize("p", [{}, {"ab": 0.01}, {"ab": 0.01, "ac": None}, {"ab": 0.01, "ac": math.nan}, {"bc": 0.01}])
def test_no_mark_without_a_test_against_every_other_score(p: dict[str, float | None]) -> None:
    assert marks({"a": 0.9, "b": 0.8, "c": 0.5}, p) == {}


def test_models_without_a_score_need_no_test() -> None:
    assert marks({"a": 0.9, "b": 0.8, "c": None}, {"ab": 0.01}) == {"a": "best"}
    assert marks({"a": 0.9, "b": None}, {}) == {}


def test_a_published_score_takes_no_part_in_marks() -> None:
    board = small({"a": 0.9, "b": 0.8, "z": 0.99}, {"ab": 0.01})
    board["models"][2]["reference"] = {"source": "a paper"}
    held = read_board(board)
    assert top_marks(held, held.tasks[0]) == {"a": "best"}


def test_sizes_fall_into_classes() -> None:
    def named(parameters: object) -> str:
        return size_class(read_board({"models": [{"id": "m", "parameters": parameters}]}).models[0])

    assert [named(p) for p in (None, 0, 1e6, 50e6, 149e6, 150e6, 999e6, 1e9, 8e9)] == [
        NO_SIZE, NO_SIZE, "under 50 M", "50 M to 150 M", "50 M to 150 M", "150 M to 500 M", "500 M to 1 B", "1 B or more",
        "1 B or more",
    ]  # fmt: skip


def test_size_classes_stand_in_order(board: dict[str, Any]) -> None:
    assert size_classes(read_board(board)) == ["under 50 M", "50 M to 150 M", NO_SIZE]


def test_the_verdict_names_the_first_and_says_when_rank_one_is_shared(board: dict[str, Any]) -> None:
    assert verdict_on(read_board(board)) == "First of 2 ranked models by macro mean: quickstart/model."
    board["macro"][0]["rank"] = 1
    assert verdict_on(read_board(board)) == (
        "Sharing the first rank of 2 models: quickstart/model, all-MiniLM-L6-v2. The tests do not tell them apart."
    )
    board["macro"] = board["macro"][:1]
    assert verdict_on(read_board(board)) == "One model is ranked: all-MiniLM-L6-v2."
