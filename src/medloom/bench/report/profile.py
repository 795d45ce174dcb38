"""Per-type profiles: where each model stands on each type of task, on one scale."""

import math
from dataclasses import dataclass

from medloom.bench.report.board import Board, Model
from medloom.bench.report.draw import Tick, linear, shape, style_of, ticks
from medloom.bench.report.figures import words

_MARK = 5.0


@dataclass(frozen=True)
class Line:
    """One model's line: places in percent of the width; NaN where there is none."""

    model: Model
    colour: int
    path: str
    score: float
    low: float
    high: float
    at: float
    low_at: float
    high_at: float
    tasks: tuple[float, ...]


@dataclass(frozen=True)
class Group:
    """The lines of one type of task, or of the macro mean."""

    title: str
    note: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Profile:
    """All groups on one scale."""

    groups: tuple[Group, ...]
    ticks: tuple[Tick, ...]


def profile(board: Board) -> Profile | None:
    """The macro mean with its interval, then each type's mean with its tasks' scores; None without any figure."""
    means = [("", m) for m in board.models] + [(kind, m) for kind in board.types for m in board.models]
    shown = [(kind, m) for kind, m in means if math.isfinite(_figures(board, kind, m)[0])]
    if not shown:
        return None
    scores = {(kind, m.id): _task_scores(board, kind, m) for kind, m in shown}
    macros = [v for kind, m in shown for v in _figures(board, kind, m)]
    scale = linear([*macros, *(v for held in scores.values() for v in held)], 0, 100)
    styles = {m.id: k for k, m in enumerate(board.models)}

    def place(value: float) -> float:
        return scale.at(value) if math.isfinite(value) else math.nan

    def line(kind: str, model: Model) -> Line:
        score, low, high = _figures(board, kind, model)
        colour, mark = style_of(styles[model.id])
        dots = tuple(place(v) for v in scores[kind, model.id])
        return Line(
            model, colour, f"M0 0{shape(mark, _MARK)}", score, low, high, place(score), place(low), place(high), dots
        )

    groups = [
        Group(_title(kind), _note(board, kind), tuple(line(k, m) for k, m in shown if k == kind))
        for kind in dict.fromkeys(kind for kind, _ in shown)
    ]
    return Profile(tuple(groups), ticks(scale, 5))


def _figures(board: Board, kind: str, model: Model) -> tuple[float, float, float]:
    macro = board.macro(model)
    if kind:
        return macro.types.get(kind, math.nan), math.nan, math.nan
    return (macro.score, macro.low, macro.high) if macro.complete else (math.nan, math.nan, math.nan)


def _task_scores(board: Board, kind: str, model: Model) -> list[float]:
    cells = [board.cell(model, task) for task in board.tasks if kind and task.type == kind]
    return [cell.score for cell in cells if math.isfinite(cell.score)]


def _title(kind: str) -> str:
    return words(kind) if kind else "Macro mean"


def _note(board: Board, kind: str) -> str:
    if not kind:
        return "mean over types, with its 95% interval"
    n = sum(task.type == kind for task in board.tasks)
    return f"{n} task{'' if n == 1 else 's'}"
