"""Scales, marks and room for labels: what every drawing of a leaderboard needs."""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

COLOURS = 8
_POLYGONS: tuple[tuple[tuple[float, float], ...], ...] = (
    (),
    ((-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)),
    ((0, -1.2), (1.15, 0.85), (-1.15, 0.85)),
    ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    ((0, 1.2), (1.15, -0.85), (-1.15, -0.85)),
    tuple(
        (x * 1.25, y * 1.25)
        for x, y in (
            *((-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3)),
            *((0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)),
        )
    ),
    ((-1.2, 0), (-0.6, -1.05), (0.6, -1.05), (1.2, 0), (0.6, 1.05), (-0.6, 1.05)),
    tuple(
        ((1.4 if k % 2 == 0 else 0.6) * math.sin(k * math.pi / 5), -(1.4 if k % 2 == 0 else 0.6) * math.cos(k * math.pi / 5))
        for k in range(10)
    ),
)
SHAPES = len(_POLYGONS)


@dataclass(frozen=True)
class Scale:
    """A map from values to places, straight or over their logarithm.

    Attributes:
        low: Value at ``start``.
        high: Value at ``end``.
        start: Place of ``low``.
        end: Place of ``high``.
        log: Whether steps are of equal ratio.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a value, to a tenth."""
        low, high, here = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return round(self.start + (here - low) / (high - low) * (self.end - self.start), 1)


@dataclass(frozen=True)
class Tick:
    """A number on an axis and its place."""

    at: float
    label: str


@dataclass(frozen=True)
class Box:
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether the two share any area."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

    def within(self, other: "Box") -> bool:
        """Whether it lies wholly in the other."""
        return (
            self.left >= other.left and self.right <= other.right and self.top >= other.top and self.bottom <= other.bottom
        )


def shape(k: int, radius: float) -> str:
    """Mark number ``k`` as a relative path around the current point; marks repeat after :data:`SHAPES`."""
    corners = _POLYGONS[k % SHAPES]
    if not corners:
        return f"m{-radius:g} 0a{radius:g} {radius:g} 0 1 0 {2 * radius:g} 0a{radius:g} {radius:g} 0 1 0 {-2 * radius:g} 0z"
    places = [(round(x * radius, 1), round(y * radius, 1)) for x, y in corners]
    steps = [(x - a, y - b) for (a, b), (x, y) in pairwise(places)]
    return f"m{places[0][0]:g} {places[0][1]:g}l" + " ".join(f"{x:.3g} {y:.3g}" for x, y in steps) + "z"


def style_of(k: int) -> tuple[int, int]:
    """Colour and mark of the ``k``-th model or label; no two of the first 64 share both."""
    return k % COLOURS, (k + k // COLOURS) % SHAPES


def linear(values: Iterable[float], start: float, end: float, zero: bool = False) -> Scale:
    """A straight scale that holds every finite value (and zero, if asked) with air at both ends."""
    held = [v for v in values if math.isfinite(v)] + ([0.0] if zero else [])
    low, high = (min(held), max(held)) if held else (0.0, 1.0)
    air = (high - low) * 0.06 or 0.01
    return Scale(low - air, high + air, start, end)


def logarithmic(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale of equal ratios that holds every value above zero, with air at both ends; it spans a factor of 8 or more."""
    held = [v for v in values if math.isfinite(v) and v > 0]
    low, high = (min(held), max(held)) if held else (1.0, 10.0)
    air = max((high / low) ** 0.08, 1.6, (8 * low / high) ** 0.5)
    return Scale(low / air, high * air, start, end, log=True)


def ticks(scale: Scale, most: int, sign: bool = False) -> tuple[Tick, ...]:
    """Round numbers along a straight scale, at most ``most`` of them and one more."""
    span = scale.high - scale.low
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= span * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)
    return tuple(Tick(scale.at(i * step), _tick_label(i * step, decimals, sign)) for i in numbers)


def log_ticks(scale: Scale, most: int) -> tuple[Tick, ...]:
    """1, 2 and 5 of each power of ten along a scale of ratios; powers only, where these are too many."""
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [f * 10.0**p for p in powers for f in factors if scale.low <= f * 10.0**p <= scale.high]
        if len(values) <= most:
            break
    return tuple(Tick(scale.at(v), f"{v:,.0f}" if v >= 1 else f"{v:g}") for v in values)


def text_width(text: str, size: float) -> float:
    """Room that a line of text needs, in pixels, with some to spare in most fonts."""
    return sum(_char_width(char) for char in text) * size


def fitted(text: str, room: float, size: float) -> str:
    """The text on one line, with an ellipsis in its middle where it would outgrow the room."""
    line = " ".join(text.split())
    if text_width(line, size) <= room:
        return line
    half = (room - text_width("…", size)) / 2
    return _beginning(line, half, size) + "…" + _beginning(line[::-1], half, size)[::-1]


def place_labels(
    points: Sequence[tuple[float, float]], widths: Sequence[float], height: float, frame: Box, taken: Sequence[Box]
) -> list[Box]:
    """Room for one label beside each point, as near as it can be, over no other label and nothing taken.

    Args:
        points: Places of the marks.
        widths: Width of each label.
        height: Height of a label.
        frame: No label leaves it.
        taken: Marks and lines that labels keep clear of.

    Returns:
        One box for each point. A label overlaps something only where the frame has no free room left for it.
    """
    boxes: dict[int, Box] = {}
    for i in sorted(range(len(points)), key=lambda i: (points[i][1], points[i][0], i)):
        held = [box for box in _around(points[i], widths[i], height, frame) if box.within(frame)]
        blocked = [*taken, *boxes.values()]
        free = (box for box in held if not any(box.meets(other) for other in blocked))
        boxes[i] = next(free, held[0] if held else Box(*points[i], points[i][0] + widths[i], points[i][1] + height))
    return [boxes[i] for i in range(len(points))]


def _around(point: tuple[float, float], width: float, height: float, frame: Box) -> list[Box]:
    """Places for a label, the nearest first."""
    x, y = point
    rows = math.ceil((frame.bottom - frame.top) / height)
    lefts = [x + 9, x - 9 - width, x - width / 2, x + 45, x - 45 - width, x + 110, x - 110 - width]
    tops = [y - height / 2 + way * row * height * 0.5 for row in range(2 * rows) for way in (1, -1)]
    boxes = [Box(left, top, left + width, top + height) for left in lefts for top in tops]
    return sorted(boxes, key=lambda box: _distance(box, x, y))


def _distance(box: Box, x: float, y: float) -> float:
    return math.hypot(max(box.left - x, 0, x - box.right), 2 * ((box.top + box.bottom) / 2 - y))


def _beginning(line: str, room: float, size: float) -> str:
    used = 0.0
    for at, char in enumerate(line):
        used += _char_width(char) * size
        if used > room:
            return line[:at]
    return line


def _char_width(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.2
    return 1.0 if char in "MWmw@%" else 0.75 if char.isupper() else 0.63


def _tick_label(value: float, decimals: int, sign: bool) -> str:
    if not round(value, decimals + 2):
        return "0"
    label = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    return label.replace("-", "\N{MINUS SIGN}")
