"""Head to head: who beats whom on how many tasks, and each task's difference as a forest plot."""

import math
from dataclasses import dataclass

from medloom.bench.report.board import Board, Delta, Model, Pair
from medloom.bench.report.draw import Scale, Tick, linear, ticks

VERDICTS = {"better": "better", "worse": "worse", "same": "no difference"}


@dataclass(frozen=True)
class Bar:
    """One line of a forest plot; places in percent of the width, NaN where there is none."""

    delta: Delta
    type: str
    verdict: str
    at: float
    low: float
    high: float


@dataclass(frozen=True)
class Duel:
    """One pair with its forest plot."""

    id: str
    a: Model
    b: Model
    pair: Pair
    bars: tuple[Bar, ...]
    macro: Bar | None
    zero: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Square:
    """One cell of the matrix: the row's model against the column's."""

    duel: Duel | None
    row: Model
    column: Model
    better: int
    worse: int
    same: int

    @property
    def lead(self) -> str:
        """``better``, ``worse`` or ``same``: which of the counts of clear differences is larger."""
        if self.better == self.worse:
            return "same"
        return "better" if self.better > self.worse else "worse"


def duels(board: Board) -> list[Duel]:
    """Every pair of the board, in the order of its models."""
    order = {m.id: k for k, m in enumerate(board.models)}
    pairs = sorted(board.pairs, key=lambda p: sorted((order[p.a], order[p.b])))
    return [_duel(board, pair, f"duel-{k}") for k, pair in enumerate(pairs, 1)]


def matrix(board: Board, found: list[Duel]) -> list[list[Square]]:
    """One row for each model that was compared; empty squares on the diagonal and where no pair is."""
    by_pair = {frozenset((d.a.id, d.b.id)): d for d in found}
    models = [m for m in board.models if any(m.id in pair for pair in by_pair)]
    return [[_square(by_pair.get(frozenset((row.id, column.id))), row, column) for column in models] for row in models]


def _square(duel: Duel | None, row: Model, column: Model) -> Square:
    if duel is None or row is column:
        return Square(None, row, column, 0, 0, 0)
    pair = duel.pair
    better, worse = (pair.better, pair.worse) if duel.a is row else (pair.worse, pair.better)
    return Square(duel, row, column, better, worse, pair.same)


def _duel(board: Board, pair: Pair, slug: str) -> Duel:
    kinds = {task.name: task.type for task in board.tasks}
    rows = sorted(pair.tasks, key=lambda d: -d.delta if math.isfinite(d.delta) else math.inf)
    scale = linear((v for d in (*rows, pair.macro) for v in (d.delta, d.low, d.high)), 0, 100, zero=True)
    macro = _bar(pair.macro, "", scale) if math.isfinite(pair.macro.delta) else None
    return Duel(
        id=slug,
        a=board.by_id[pair.a],
        b=board.by_id[pair.b],
        pair=pair,
        bars=tuple(_bar(d, kinds.get(d.task, ""), scale) for d in rows),
        macro=macro,
        zero=scale.at(0),
        ticks=ticks(scale, 4, sign=True),
    )


def _bar(delta: Delta, kind: str, scale: Scale) -> Bar:
    at, low, high = (scale.at(v) if math.isfinite(v) else math.nan for v in (delta.delta, delta.low, delta.high))
    return Bar(delta, kind, VERDICTS.get(delta.verdict, ""), at, low, high)
