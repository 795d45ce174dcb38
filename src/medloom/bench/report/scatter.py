"""Score against speed: one mark for each model, labels that keep clear of each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medloom.bench.report.board import Board, Model
from medloom.bench.report.draw import (
    Box,
    Scale,
    Tick,
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
from medloom.bench.report.figures import words

_MARK = 5.5
_TEXT = 13.0


@dataclass(frozen=True)
class Point:
    """A model's score and speed.

    Attributes:
        model: The model.
        style: Its number among the board's models, which gives colour and mark.
        speed: Texts per second.
        score: Score.
        low: Lower end of the score's interval, NaN where there is none.
        high: Upper end.
    """

    model: Model
    style: int
    speed: float
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Spot:
    """A point as drawn."""

    point: Point
    key: str
    colour: int
    path: str
    whisker: str
    label: str
    label_x: float
    label_y: float
    anchor: str
    leader: str


@dataclass(frozen=True)
class Scatter:
    """One drawing, with its labels written out (wide) or as numbers that a list explains (narrow)."""

    id: str
    wide: bool
    title: str
    axis: str
    frame: Box
    width: int
    height: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Trade:
    """Score against speed by one score: both drawings, and the models that have no place in them."""

    title: str
    drawings: tuple[Scatter, ...]
    left_out: tuple[tuple[str, str], ...]


def trades(board: Board) -> list[Trade]:
    """The macro mean against speed, then the mean of each type where some model has both figures."""
    styles = {m.id: k for k, m in enumerate(board.models)}
    found = [_trade(board, "", styles)] + [_trade(board, kind, styles) for kind in board.types]
    return [trade for k, trade in enumerate(found) if trade.drawings or k == 0]


def _trade(board: Board, kind: str, styles: dict[str, int]) -> Trade:
    title = f"Mean of {words(kind).lower()}" if kind else "Macro mean"
    points, left_out = [], []
    for model in board.measured:
        macro = board.macro(model)
        value = macro.types.get(kind, math.nan) if kind else macro.score
        if kind == "" and not macro.complete:
            left_out.append((model.name, "not scored on every task"))
        elif not math.isfinite(value):
            left_out.append((model.name, "no score"))
        elif not model.texts_per_second > 0:
            left_out.append((model.name, "speed not measured"))
        else:
            low, high = (math.nan, math.nan) if kind else (macro.low, macro.high)
            points.append(Point(model, styles[model.id], model.texts_per_second, value, low, high))
    slug = f"trade-{board.types.index(kind) + 1}" if kind else "trade-0"
    drawings = (scatter(points, slug, title, wide=True), scatter(points, slug, title, wide=False)) if points else ()
    return Trade(title, drawings, tuple(left_out))


def scatter(points: Sequence[Point], slug: str, title: str, wide: bool) -> Scatter:
    """Lay out one drawing."""
    width, height = (860, 440) if wide else (350, 330)
    frame = Box(58, 12, width - 24, height - 52)
    across = logarithmic((p.speed for p in points), frame.left, frame.right)
    up = linear((v for p in points for v in (p.low, p.score, p.high)), frame.bottom, frame.top)
    places = [(across.at(p.speed), up.at(p.score)) for p in points]
    whiskers = [_whisker(p, x, up) for p, (x, _) in zip(points, places, strict=True)]
    labels = [fitted(p.model.name, 260, _TEXT) if wide else str(k) for k, p in enumerate(points, 1)]
    taken = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in places] + [box for box in whiskers if box]
    boxes = place_labels(places, [text_width(label, _TEXT) for label in labels], 17, frame, taken)
    return Scatter(
        id=f"{slug}-{'wide' if wide else 'narrow'}",
        wide=wide,
        title=title,
        axis="Texts per second, log scale",
        frame=frame,
        width=width,
        height=height,
        x_ticks=log_ticks(across, 12 if wide else 5),
        y_ticks=ticks(up, 7 if wide else 5),
        spots=tuple(
            _spot(point, str(k), place, whisker, label, box)
            for k, (point, place, whisker, label, box) in enumerate(
                zip(points, places, whiskers, labels, boxes, strict=True), 1
            )
        ),
    )


def _whisker(point: Point, x: float, up: Scale) -> Box | None:
    if not (math.isfinite(point.low) and math.isfinite(point.high)):
        return None
    return Box(x - 4, up.at(point.high), x + 4, up.at(point.low))


def _spot(point: Point, key: str, place: tuple[float, float], whisker: Box | None, label: str, box: Box) -> Spot:
    x, y = place
    colour, mark = style_of(point.style)
    line = ""
    if whisker:
        line = f"M{x:g} {whisker.top:g}V{whisker.bottom:g}M{x - 4:g} {whisker.top:g}h8M{x - 4:g} {whisker.bottom:g}h8"
    anchor, at = _anchor(x, box)
    return Spot(
        point=point,
        key=key,
        colour=colour,
        path=f"M{x:g} {y:g}{shape(mark, _MARK)}",
        whisker=line,
        label=label,
        label_x=round(at, 1),
        label_y=round(box.bottom - 4, 1),
        anchor=anchor,
        leader=_leader(x, y, box),
    )


def _anchor(x: float, box: Box) -> tuple[str, float]:
    """How a label stands in its box: flush with the side that is next to its mark."""
    if box.left >= x:
        return "start", box.left
    return ("end", box.right) if box.right <= x else ("middle", (box.left + box.right) / 2)


def _leader(x: float, y: float, box: Box) -> str:
    """A thin line from a mark to a label that does not touch it."""
    middle = (box.top + box.bottom) / 2
    end = min(max(x, box.left), box.right)
    if math.hypot(end - x, middle - y) < 22:
        return ""
    return f"M{x:g} {y:g}L{end:.1f} {middle:.1f}"
