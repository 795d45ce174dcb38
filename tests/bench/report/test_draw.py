"""Scales, marks, labels, and the drawings made of them."""

import math
import re
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from medloom.bench.report.board import read_board
from medloom.bench.report.draw import (
    SHAPES,
    Box,
    Scale,
    fitted,
    linear,
    log_ticks,
    logarithmic,
    place_labels,
    shape,
    style_of,
    text_width,
    ticks,
)
from medloom.bench.report.duels import duels, matrix
from medloom.bench.report.profile import profile
from medloom.bench.report.projection import SIDE, embedding_map
from medloom.bench.report.scatter import Point, scatter, trades


def test_a_straight_scale_holds_its_values_with_air() -> None:
    scale = linear([0.2, 0.6, math.nan], 0, 100)
    assert 0 < scale.at(0.2) < scale.at(0.6) < 100
    assert scale.at(0.4) == 50
    assert linear([0.5], 0, 100).at(0.5) == 50
    assert linear([], 0, 100).at(0.5) == 50
    assert linear([0.4, 0.5], 0, 100, zero=True).at(0) > 0


def test_a_log_scale_gives_equal_ratios_equal_room() -> None:
    scale = logarithmic([10, 1000], 0, 100)
    assert scale.at(100) == 50
    assert scale.at(1000) - scale.at(100) == pytest.approx(scale.at(100) - scale.at(10), abs=0.2)
    narrow = logarithmic([400, 410], 0, 100)
    assert narrow.high / narrow.low == pytest.approx(8)
    assert len(log_ticks(narrow, 12)) >= 2


@pytest.mark.parametrize(("low", "high"), [(0.41, 0.7), (-0.02, 0.5), (0.61, 0.612), (0, 100)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    scale = Scale(low, high, 0, 100)
    found = ticks(scale, 5)
    assert 2 <= len(found) <= 6
    assert all(0 <= tick.at <= 100 for tick in found)
    values = [float(tick.label.replace("−", "-")) for tick in found]
    assert all(scale.at(v) == pytest.approx(t.at, abs=0.11) for v, t in zip(values, found, strict=True))


def test_signed_ticks_show_zero_bare() -> None:
    assert [t.label for t in ticks(Scale(-0.1, 0.1, 0, 100), 4, sign=True)] == ["−0.10", "−0.05", "0", "+0.05", "+0.10"]


def test_log_ticks_thin_out() -> None:
    assert [t.label for t in log_ticks(Scale(1, 1000, 0, 100, log=True), 12)][:4] == ["1", "2", "5", "10"]
    assert [t.label for t in log_ticks(Scale(1, 1000, 0, 100, log=True), 4)] == ["1", "10", "100", "1,000"]


def test_marks_differ_and_stay_small() -> None:
    paths = [shape(k, 5) for k in range(SHAPES)]
    assert len(set(paths)) == SHAPES
    for path in paths:
        assert path.startswith("m")
        assert max(abs(float(number)) for number in re.findall(r"-?[\d.]+", path)) <= 14
    assert shape(SHAPES + 1, 5) == shape(1, 5)


def test_colour_and_mark_together_are_unique() -> None:
    assert len({style_of(k) for k in range(64)}) == 64


def test_texts_are_cut_to_their_room() -> None:
    assert fitted("short", 200, 13) == "short"
    cut = fitted("first " + "W" * 60 + " last", 120, 13)
    assert text_width(cut, 13) <= 120
    assert (cut[:6], cut[-5:], cut.count("…")) == ("first ", " last", 1)
    assert text_width("漢", 10) > text_width("a", 10)
    assert text_width("e\u0301", 10) == text_width("e", 10)


def boxes_of(points: list[tuple[float, float]]) -> tuple[list[Box], list[Box], Box]:
    frame = Box(58, 12, 846, 388)
    taken = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in points]
    return place_labels(points, [230.0] * len(points), 17, frame, taken), taken, frame


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spread", [0.0, 15.0, 150.0])
def test_labels_of_twelve_models_never_overlap(seed: int, spread: float) -> None:
    drawn = np.random.default_rng(seed).normal((450, 200), spread, (12, 2))
    points = [(float(np.clip(x, 70, 830)), float(np.clip(y, 20, 380))) for x, y in drawn]
    boxes, taken, frame = boxes_of(points)
    assert all(box.within(frame) for box in boxes)
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    assert not any(box.meets(mark) for box in boxes for mark in taken)


def test_a_lone_label_stands_beside_its_mark() -> None:
    box = boxes_of([(300, 200)])[0][0]
    assert (box.left, (box.top + box.bottom) / 2) == (309, 200)
    right = boxes_of([(840, 200)])[0][0]
    assert right.right < 840


def test_a_scatter_places_speed_by_ratio_and_score_upwards(board: dict[str, Any]) -> None:
    found = trades(read_board(board))
    assert [t.title for t in found[:2]] == ["Macro mean", "Mean of retrieval"]
    assert [spot.label for spot in found[0].drawings[0].spots] == ["quickstart/model", "all-MiniLM-L6-v2"]
    assert found[0].left_out == (
        ("mini-late-interaction-96d", "not scored on every task"), ("bm25", "not scored on every task"),
    )  # fmt: skip
    wide, narrow = found[1].drawings
    at = {spot.point.model.name: tuple(map(float, re.findall(r"[\d.]+", spot.path)[:2])) for spot in wide.spots}
    assert at["bm25"][0] > at["all-MiniLM-L6-v2"][0] > at["mini-late-interaction-96d"][0]
    assert at["quickstart/model"][1] < at["all-MiniLM-L6-v2"][1]
    assert [spot.label for spot in narrow.spots] == ["1", "2", "3", "4"]
    assert not any(spot.whisker for spot in wide.spots)
    assert all(spot.whisker for spot in found[0].drawings[0].spots)


def test_labels_keep_clear_of_whiskers() -> None:
    board = read_board({"models": [{"id": str(k), "name": f"model number {k}"} for k in range(8)]})
    points = [Point(m, k, 100 + 2 * k, 0.5 + k / 200, 0.45 + k / 200, 0.55 + k / 200) for k, m in enumerate(board.models)]
    drawn = scatter(points, "s", "Macro mean", wide=True)
    for spot in drawn.spots:
        width, bottom = text_width(spot.label, 13), spot.label_y + 4
        left = spot.label_x - width * {"start": 0, "middle": 0.5, "end": 1}[spot.anchor]
        label = Box(left + 0.1, bottom - 16.9, left + width - 0.1, bottom - 0.1)
        for other in drawn.spots:
            x, top, low = (float(v) for v in re.findall(r"[\d.]+", other.whisker)[:3])
            assert not label.meets(Box(x, top, x, low))


def test_profiles_show_means_tasks_and_the_macro_interval(board: dict[str, Any]) -> None:
    found = profile(read_board(board))
    assert found is not None
    assert [(g.title, g.note) for g in found.groups[:2]] == [
        ("Macro mean", "mean over types, with its 95% interval"), ("Retrieval", "7 tasks"),
    ]  # fmt: skip
    macro, retrieval = found.groups[:2]
    assert [line.model.id for line in macro.lines] == ["m1", "m0"]
    assert macro.lines[0].low_at < macro.lines[0].at < macro.lines[0].high_at
    assert [line.model.id for line in retrieval.lines] == ["m1", "m0", "m3", "m2", "m4"]
    assert [len(line.tasks) for line in retrieval.lines] == [7] * 5
    assert all(0 < at < 100 for line in retrieval.lines for at in line.tasks)
    assert profile(read_board({"models": [{"id": "m"}]})) is None


def test_the_matrix_reads_both_ways(board: dict[str, Any]) -> None:
    held = read_board(board)
    found = duels(held)
    squares = {(s.row.id, s.column.id): s for line in matrix(held, found) for s in line}
    pair = board["pairs"][0]
    there, back = squares["m0", "m1"], squares["m1", "m0"]
    assert (there.better, there.worse, there.same) == (pair["better"], pair["worse"], pair["same"])
    assert (back.better, back.worse, back.same) == (pair["worse"], pair["better"], pair["same"])
    assert there.duel is back.duel
    assert (there.lead, back.lead) == ("worse", "better")
    assert squares["m0", "m0"].duel is None
    assert {key[0] for key in squares} == {"m0", "m1", "m2", "m3"}
    assert len({duel.id for duel in found}) == 6


def test_a_forest_is_sorted_and_on_the_right_side_of_zero(board: dict[str, Any]) -> None:
    found = duels(read_board(board))[0]
    deltas = [bar.delta.delta for bar in found.bars]
    assert deltas == sorted(deltas, reverse=True)
    assert all((bar.at > found.zero) == (bar.delta.delta > 0) for bar in found.bars)
    assert all(bar.low <= bar.at <= bar.high for bar in found.bars)
    assert {(bar.delta.verdict, bar.verdict) for bar in found.bars} <= {
        ("better", "better"), ("worse", "worse"), ("same", "no difference"),
    }  # fmt: skip
    assert found.macro is not None
    assert found.macro.at < found.zero


def test_a_map_keeps_its_proportions_and_its_labels(board: dict[str, Any]) -> None:
    board["map"]["models"] = [{"model": "m0", "points": [[0, 0, 0], [10, 0, 1], [0, 5, 1], [1, math.nan, 0], [1, 1, None]]}]
    board["map"]["labels"] = ["one"]
    found = embedding_map(read_board(board))
    assert found is not None
    panel = found.panels[0]
    assert panel.n == 3
    places = [tuple(map(float, at)) for layer in panel.layers for at in re.findall(r"M([\d.]+) ([\d.]+)", layer.path)]
    (left, base), (right, _), (_, top) = places
    assert right - left == pytest.approx(2 * (base - top))
    assert SIDE * 0.9 < right - left < SIDE
    assert all(0 < v < SIDE for place in places for v in place)
    assert [key.name for key in found.keys] == ["one", "label 2"]


def test_no_map_without_points(board: dict[str, Any]) -> None:
    assert embedding_map(read_board(board | {"map": None})) is None
    assert embedding_map(read_board(board | {"map": {"models": [{"model": "m0", "points": []}]}})) is None
