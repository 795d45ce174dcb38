"""The merges of a sweep as one HTML page that asks nothing of the network: what is gained against what is lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medloom.bench.report.draw import Box, Scale, Tick, fitted, linear, place_labels, text_width, ticks
from medloom.merge.ways import shown

_TEXT = 13.0


@dataclass(frozen=True)
class Spot:
    """One merge as drawn.

    Attributes:
        x: Place of its general mean.
        y: Place of its in-domain mean.
        kind: ``picked``, ``pure``, ``front`` or ``other``: how it is marked.
        title: What a pointer shows.
        label: Written beside it; empty for most.
        box: Where the label is.
    """

    x: float
    y: float
    kind: str
    title: str
    label: str
    box: Box | None


@dataclass(frozen=True)
class Drawing:
    """The drawing, for wide or for narrow screens."""

    id: str
    width: int
    height: int
    frame: Box
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    line: str
    floor: float | None
    spots: tuple[Spot, ...]


def render_front(facts: Mapping[str, Any]) -> str:
    """The page.

    Args:
        facts: The content of ``merge.json`` after a sweep.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("medloom.merge", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = lambda value: "" if value is None else f"{value:.4f}"
    sweep = facts["sweep"]
    rows = sweep["candidates"]
    names = [parent["name"] for parent in facts["parents"]]
    return environment.get_template("front.html.j2").render(
        facts=facts,
        sweep=sweep,
        names=names,
        rows=[row | {"label": label_of(row), "kind": kind_of(sweep, n)} for n, row in enumerate(rows)],
        general=_has_general(rows),
        picked=rows[sweep["picked"]],
        base=rows[sweep["base"]],
        pure=_pure(rows),
        drawings=[draw(sweep, wide=True), draw(sweep, wide=False)],
    )


def label_of(row: Mapping[str, Any]) -> str:
    """A merge's weights as text."""
    if "top_weights" in row:
        return f"{shown(row['weights'])} to {shown(row['top_weights'])}"
    return shown(row["weights"])


def kind_of(sweep: Mapping[str, Any], number: int) -> str:
    """How a merge is marked."""
    row = sweep["candidates"][number]
    if number == sweep["picked"]:
        return "picked"
    if "top_weights" not in row and max(row["weights"]) == 1:
        return "pure"
    return "front" if row["on_front"] else "other"


def draw(sweep: Mapping[str, Any], wide: bool) -> Drawing:
    """Lay out one drawing: the general mean to the right, the in-domain mean upwards.

    Without general sets the first model's weight goes to the right.
    """
    rows: Sequence[Mapping[str, Any]] = sweep["candidates"]
    general = _has_general(rows)
    width, height = (860, 460) if wide else (350, 340)
    frame = Box(62, 14, width - 22, height - 54)
    across_values = [row["outside"] if general else row["weights"][0] for row in rows]
    floor_value = rows[sweep["base"]]["outside"] - sweep["tolerance"] if general else None
    across = linear([*across_values, *([floor_value] if floor_value is not None else [])], frame.left, frame.right)
    up = linear([row["in_domain"] for row in rows], frame.bottom, frame.top)
    places = [(across.at(x), up.at(row["in_domain"])) for x, row in zip(across_values, rows, strict=True)]
    kinds = [kind_of(sweep, n) for n in range(len(rows))]
    labelled = [n for n, kind in enumerate(kinds) if kind in (("picked", "pure", "front") if wide else ("picked", "pure"))]
    labels = {n: fitted(label_of(rows[n]), 220 if wide else 110, _TEXT) for n in labelled}
    boxes = place_labels(
        [places[n] for n in labelled],
        [text_width(labels[n], _TEXT) for n in labelled],
        17,
        frame,
        [Box(x - 7, y - 7, x + 7, y + 7) for x, y in places],
    )
    room = dict(zip(labelled, boxes, strict=True))
    return Drawing(
        id=f"front-{'wide' if wide else 'narrow'}",
        width=width,
        height=height,
        frame=frame,
        x_ticks=ticks(across, 7 if wide else 4),
        y_ticks=ticks(up, 7 if wide else 5),
        line=_line(places, [row["on_front"] for row in rows]) if general else "",
        floor=_floor(across, floor_value),
        spots=tuple(Spot(*places[n], kinds[n], _title(rows[n]), labels.get(n, ""), room.get(n)) for n in range(len(rows))),
    )


def _floor(across: Scale, value: float | None) -> float | None:
    return None if value is None else across.at(value)


def _line(places: Sequence[tuple[float, float]], on_front: Sequence[bool]) -> str:
    """The front's points from left to right, joined."""
    points = sorted({place for place, held in zip(places, on_front, strict=True) if held})
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if len(points) > 1 else ""


def _title(row: Mapping[str, Any]) -> str:
    outside = "" if row["outside"] is None else f", general {row['outside']:.4f}"
    return f"{label_of(row)}: in-domain {row['in_domain']:.4f}{outside}"


def _has_general(rows: Sequence[Mapping[str, Any]]) -> bool:
    return all(row["outside"] is not None for row in rows)


def _pure(rows: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """By number of a model, its row alone."""
    return {row["weights"].index(1.0): row for row in rows if "top_weights" not in row and 1.0 in row["weights"]}
