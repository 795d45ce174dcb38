"""The board as the page's tables want it."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medloom.bench.report.board import Board, Cell, Model, Task
from medloom.bench.report.draw import shape, style_of
from medloom.bench.report.figures import DASH, millions
from medloom.bench.report.marks import Mark, size_class, top_marks

_FIRST_SETTINGS = ("max_length", "pooling", "prompts", "precision", "backend")


@dataclass(frozen=True)
class Mean:
    """A plain mean over some tasks.

    Attributes:
        score: The mean over the tasks that have a score, NaN where none has.
        n: How many have one.
        of: How many were asked for.
    """

    score: float
    n: int
    of: int

    @property
    def partial(self) -> bool:
        """Whether it is a mean over fewer tasks than asked for."""
        return 0 < self.n < self.of


@dataclass(frozen=True)
class Entry:
    """One model on one task, with what may be said of it."""

    task: Task
    cell: Cell
    mark: Mark
    rank: str

    @property
    def overlaps(self) -> bool:
        """Whether some of the task's text was found in the model's training text."""
        return self.cell.overlap is not None and self.cell.overlap.share > 0


@dataclass(frozen=True)
class Row:
    """One model's row of the leaderboard."""

    model: Model
    colour: int
    path: str
    size: str
    about: str
    rank: str
    place: int | None
    score: float
    low: float
    high: float
    complete: bool
    shown: Mean
    types: tuple[float, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Seen:
    """A model and a task whose text it is said or was found to have trained on."""

    model: Model
    task: Task
    cell: Cell


@dataclass(frozen=True)
class Failure:
    """A task that a model failed on."""

    model: Model
    task: Task
    error: str


def rows(board: Board) -> list[Row]:
    """A row for each model, in the board's order."""
    marks = {task.name: top_marks(board, task) for task in board.tasks}
    return [_row(board, model, k, marks) for k, model in enumerate(board.models)]


def plain_mean(cells: Iterable[Cell]) -> Mean:
    """The plain mean of the scores there are."""
    scores = [cell.score for cell in cells]
    held = [score for score in scores if math.isfinite(score)]
    return Mean(sum(held) / len(held) if held else math.nan, len(held), len(scores))


def seen(board: Board) -> list[Seen]:
    """Every declared or measured contamination, measured and clean ones too."""
    both = [Seen(m, t, board.cell(m, t)) for m in board.models for t in board.tasks]
    return [one for one in both if one.cell.declared or one.cell.overlap]


def failures(board: Board) -> list[Failure]:
    """Every task that a model failed on."""
    both = [(m, t, board.cell(m, t)) for m in board.models for t in board.tasks]
    return [Failure(m, t, cell.error) for m, t, cell in both if cell.status == "failed"]


def setting_names(models: Iterable[Model]) -> list[str]:
    """The settings that any of the models has, the usual ones first."""
    held = dict.fromkeys(key for model in models for key in model.settings)
    return [key for key in _FIRST_SETTINGS if key in held] + [key for key in held if key not in _FIRST_SETTINGS]


def setting(value: object) -> str:
    """A setting on one line."""
    if value is None or value == "" or value == {}:
        return DASH
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {json.dumps(held, ensure_ascii=False, default=str)}" for key, held in value.items())
    return json.dumps(value, ensure_ascii=False, default=str)


def choices(values: Iterable[str]) -> list[str]:
    """The different values, as they come; none where there is nothing to choose."""
    held = list(dict.fromkeys(values))
    return held if len(held) > 1 else []


def _row(board: Board, model: Model, k: int, marks: Mapping[str, Mapping[str, Mark]]) -> Row:
    macro = board.macro(model)
    colour, mark = style_of(k)
    cells = [board.cell(model, task) for task in board.tasks]
    return Row(
        model=model,
        colour=colour,
        path=f"M8 8{shape(mark, 4.8)}",
        size=size_class(model),
        about=_about(model),
        rank=board.rank(model),
        place=macro.rank,
        score=macro.score,
        low=macro.low,
        high=macro.high,
        complete=macro.complete,
        shown=plain_mean(cells),
        types=tuple(macro.types.get(kind, math.nan) for kind in board.types),
        entries=tuple(
            Entry(task, cell, marks[task.name].get(model.id, ""), board.task_rank(model, task))
            for task, cell in zip(board.tasks, cells, strict=True)
        ),
    )


def _about(model: Model) -> str:
    weights = millions(model.parameters)
    kind = "" if model.published else model.kind
    return ", ".join(part for part in (kind, f"{weights} weights" if weights else "") if part)
