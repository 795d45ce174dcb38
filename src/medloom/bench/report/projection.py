"""A map of one task's embeddings: one panel for each model, one path for each label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medloom.bench.report.board import Board, Model
from medloom.bench.report.draw import Scale, shape, style_of

SIDE = 320
_AIR = 12
_MARK = 2.8


@dataclass(frozen=True)
class Layer:
    """The points of one label."""

    label: int
    colour: int
    path: str


@dataclass(frozen=True)
class Panel:
    """One model's points."""

    model: Model
    n: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Key:
    """One label of the legend."""

    label: int
    name: str
    colour: int
    path: str


@dataclass(frozen=True)
class Map:
    """All panels and their legend."""

    task: str
    method: str
    panels: tuple[Panel, ...]
    keys: tuple[Key, ...]


def embedding_map(board: Board) -> Map | None:
    """The board's map; None where it has no points."""
    held = board.projection
    if held is None or not held.models:
        return None
    panels = tuple(_panel(board.by_id[model], points) for model, points in held.models)
    used = sorted({layer.label for panel in panels for layer in panel.layers})
    return Map(held.task, held.method, panels, tuple(_key(k, held.labels) for k in used))


def _panel(model: Model, points: Sequence[tuple[float, float, int]]) -> Panel:
    across, up = _scales(points)
    labels: dict[int, list[str]] = {}
    for x, y, label in points:
        mark = style_of(label)[1]
        labels.setdefault(label, []).append(f"M{across.at(x):g} {up.at(y):g}{shape(mark, _MARK)}")
    layers = tuple(Layer(label, style_of(label)[0], "".join(paths)) for label, paths in sorted(labels.items()))
    return Panel(model, len(points), layers)


def _scales(points: Sequence[tuple[float, float, int]]) -> tuple[Scale, Scale]:
    """Both axes with one unit of length, the cloud in the middle."""
    left, right = _ends(p[0] for p in points)
    low, high = _ends(p[1] for p in points)
    half = max(right - left, high - low) / 2 or 1.0
    x, y = (left + right) / 2, (low + high) / 2
    return Scale(x - half, x + half, _AIR, SIDE - _AIR), Scale(y - half, y + half, SIDE - _AIR, _AIR)


def _ends(values: Iterable[float]) -> tuple[float, float]:
    held = list(values)
    return min(held), max(held)


def _key(label: int, names: Sequence[str]) -> Key:
    colour, mark = style_of(label)
    name = names[label] if label < len(names) else f"label {label + 1}"
    return Key(label, name, colour, f"M8 8{shape(mark, 4.2)}")
