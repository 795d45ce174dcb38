"""What may be said of a score beside its number: best, not told apart from the best, seen in training."""

import math
from typing import Literal

from medloom.bench.report.board import Board, Model, Task
from medloom.bench.report.figures import millions

Mark = Literal["best", "tied", ""]

ALPHA = 0.05
_SIZES = (50e6, 150e6, 500e6, 1e9)
NO_SIZE = "no weights, or unknown"


def top_marks(board: Board, task: Task) -> dict[str, Mark]:
    """By model id: ``best`` for the highest score, ``tied`` for scores that the test does not tell apart from it.

    Nothing is marked unless the best was tested against every other measured score of the task (a p-value corrected by
    Holm's method, of :data:`ALPHA` or more for ``tied``); published scores take no part.
    """
    scored = [m for m in board.measured if math.isfinite(board.cell(m, task).score)]
    if len(scored) < 2:
        return {}
    best = max(scored, key=lambda m: board.cell(m, task).score)
    others = [m for m in scored if m is not best]
    tests = [board.delta(best, m, task) for m in others]
    p = [math.nan if test is None else test.p_holm for test in tests]
    if not all(math.isfinite(value) for value in p):
        return {}
    tied: dict[str, Mark] = {m.id: "tied" for m, value in zip(others, p, strict=True) if value >= ALPHA}
    return {best.id: "best", **tied}


def size_class(model: Model) -> str:
    """The range of weights that a model falls in, in words."""
    if not (math.isfinite(model.parameters) and model.parameters > 0):
        return NO_SIZE
    above = [limit for limit in _SIZES if model.parameters >= limit]
    below = [limit for limit in _SIZES if model.parameters < limit]
    if not above:
        return f"under {millions(below[0])}"
    if not below:
        return f"{millions(above[-1])} or more"
    return f"{millions(above[-1])} to {millions(below[0])}"


def size_classes(board: Board) -> list[str]:
    """The size classes of a board's models, smallest first, those without weights last."""
    ordered = sorted(board.models, key=lambda m: m.parameters if size_class(m) != NO_SIZE else math.inf)
    return list(dict.fromkeys(size_class(m) for m in ordered))


def verdict_on(board: Board) -> str:
    """Who stands first, in a sentence, as far as the ranks say so."""
    ranked = [(m, board.macro(m).rank) for m in board.measured if board.macro(m).rank is not None]
    if not ranked:
        return "No model is ranked."
    first = [m.name for m, place in ranked if place == 1]
    if len(ranked) == 1:
        return f"One model is ranked: {ranked[0][0].name}."
    if len(first) == 1:
        return f"First of {len(ranked)} ranked models by macro mean: {first[0]}."
    return f"Sharing the first rank of {len(ranked)} models: {', '.join(first)}. The tests do not tell them apart."
