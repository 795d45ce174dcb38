"""The report of a run as one HTML file that asks nothing of the network."""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from numbers import Real
from typing import Any
from urllib.parse import urlsplit

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

BETTER, WORSE, SAME, UNKNOWN = "better", "worse", "no difference", "not measured"
METRICS = {
    "ndcg_at_10": ("nDCG@10", "how high the relevant texts stand among the first ten, 0 to 1"),
    "similarity_ap": ("Average precision", "how well similarity separates matching pairs from others, 0 to 1"),
    "v_measure": ("V-measure", "how well clusters of embeddings agree with the known groups, 0 to 1"),
}
_DEGENERATE_SPAN = 0.01
_LABEL_SIZE = 13.5
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Row:
    """One task's figures, read from the report once."""

    name: str
    kind: str
    metric: str
    base: float
    tuned: float
    delta: float
    low: float
    high: float
    n: int
    unit: str
    description: str
    source: str

    @property
    def measured(self) -> bool:
        """Whether the difference and its interval are numbers."""
        return all(math.isfinite(value) for value in (self.delta, self.low, self.high))

    @property
    def word(self) -> str:
        """The verdict on this task."""
        return verdict_word(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from values to horizontal places."""

    low: float
    high: float
    left: float
    right: float

    def at(self, value: float) -> float:
        """The place of a value, to a tenth of a pixel."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.left + share * (self.right - self.left), 1)


@dataclass(frozen=True, slots=True)
class Tick:
    """A number on the axis and its place."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One task in the drawing: its label, and where its dot and whisker stand."""

    row: Row
    label: str
    label_y: float
    figure_y: float
    y: float
    low: float
    dot: float
    high: float


@dataclass(frozen=True, slots=True)
class Forest:
    """Everything the template needs to draw the intervals."""

    id: str
    width: int
    height: int
    left: float
    right: float
    zero: float
    axis_y: float
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    stacked: bool


def render(report: Mapping[str, Any]) -> str:
    """The report as one self-contained HTML page.

    Args:
        report: Figures and texts of the run. Texts are taken as untrusted and escaped; absent or empty lists are
            rendered as a sentence that says so.

    Returns:
        The page, which loads nothing and runs no script.
    """
    env = Environment(
        loader=PackageLoader("medloom.publish", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printable,
    )
    filters = (signed, score, count, duration, moment, short, breakable, as_yaml, web_link)
    env.filters.update({shown.__name__: shown for shown in filters})
    rows = task_rows(report.get("tasks") or ())
    drawn = [row for row in rows if row.measured]
    return env.get_template("report.html.j2").render(
        report=report,
        rows=rows,
        described=[row for row in rows if row.description or row.source],
        sentence=verdict_sentence(report.get("verdict") or {}),
        outcome=outcome(report.get("verdict") or {}),
        forests=(wide_forest(drawn), narrow_forest(drawn)) if drawn else (),
        metrics={row.metric: METRICS.get(row.metric, (row.metric, "")) for row in rows},
        stages=[stage_view(stage) for stage in report.get("stages") or ()],
        examples=[example_view(example) for example in report.get("examples") or ()],
        sources=report.get("sources") or (),
        environment=report.get("environment") or {},
    )


def task_rows(tasks: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The tasks as rows; a figure that is absent or null becomes NaN."""
    return [
        Row(
            name=str(task["name"]),
            kind=str(task.get("type") or ""),
            metric=str(task.get("metric") or ""),
            base=_figure(task.get("base")),
            tuned=_figure(task.get("tuned")),
            delta=_figure(task.get("delta")),
            low=_figure(task.get("ci_low")),
            high=_figure(task.get("ci_high")),
            n=int(task.get("n") or 0),
            unit=str(task.get("unit") or ""),
            description=str(task.get("description") or ""),
            source=str(task.get("source") or ""),
        )
        for task in tasks
    ]


def verdict_word(low: float, high: float) -> str:
    """What an interval of the difference says of the tuned model."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNKNOWN
    if low > 0:
        return BETTER
    return WORSE if high < 0 else SAME


def verdict_sentence(verdict: Mapping[str, int]) -> str:
    """The verdict in plain words."""
    better, worse, same = (int(verdict.get(key) or 0) for key in ("better", "worse", "same"))
    total = better + worse + same
    if not total:
        return "No task was measured."
    tasks = "task" if total == 1 else "tasks"
    sentence = f"Better on {better or 'none'} of {total} {tasks}, worse on {worse or 'none'}"
    return f"{sentence}; no difference shown on {same}." if same else f"{sentence}."


def outcome(verdict: Mapping[str, int]) -> str:
    """The one word that colours the verdict: neither where it is mixed or shows no difference."""
    better, worse = bool(verdict.get("better")), bool(verdict.get("worse"))
    if better == worse:
        return SAME.replace(" ", "-")
    return BETTER if better else WORSE


def scale(values: Iterable[float], left: float, right: float) -> Scale:
    """A scale that holds every value and zero, with air at both ends."""
    held = [0.0, *values]
    low, high = min(held), max(held)
    if low == high:
        low, high = -_DEGENERATE_SPAN, _DEGENERATE_SPAN
    air = (high - low) * 0.06
    return Scale(low - air, high + air, left, right)


def ticks(axis: Scale, most: int) -> tuple[Tick, ...]:
    """Round numbers along the axis, zero among them, at most ``most`` of them and one more."""
    span = axis.high - axis.low
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= span * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = range(math.ceil(axis.low / step), math.floor(axis.high / step) + 1)
    return tuple(Tick(axis.at(i * step), _tick_label(i * step, decimals)) for i in numbers)


def wide_forest(rows: Sequence[Row]) -> Forest:
    """The drawing for desks and paper: labels left of the axis, figures right of it."""
    return _forest(rows, "forest-wide", width=1000, axis=(290.0, 790.0), pitch=34, stacked=False)


def narrow_forest(rows: Sequence[Row]) -> Forest:
    """The drawing for phones: label and figures above each whisker."""
    return _forest(rows, "forest-narrow", width=340, axis=(8.0, 332.0), pitch=70, stacked=True)


def _forest(rows: Sequence[Row], name: str, width: int, axis: tuple[float, float], pitch: int, stacked: bool) -> Forest:
    left, right = axis
    held = scale((value for row in rows for value in (row.low, row.delta, row.high)), left, right)
    room = right - left if stacked else left - 24
    label, figure, whisker = (18, 36, 52) if stacked else (22, 22, 17)
    top = 10
    marks = tuple(
        Mark(
            row=row,
            label=clip(row.name, room),
            label_y=y + label,
            figure_y=y + figure,
            y=y + whisker,
            low=held.at(row.low),
            dot=held.at(row.delta),
            high=held.at(row.high),
        )
        for y, row in zip(range(top, top + pitch * len(rows), pitch), rows, strict=True)
    )
    bottom = top + pitch * len(rows)
    return Forest(
        id=name,
        width=width,
        height=bottom + 46,
        left=left,
        right=right,
        zero=held.at(0.0),
        axis_y=bottom + 4,
        marks=marks,
        ticks=ticks(held, 5 if stacked else 7),
        stacked=stacked,
    )


def stage_view(stage: Mapping[str, Any]) -> dict[str, Any]:
    """A stage with its counts, largest first, and how many rows it dropped where the counts add up to that."""
    rows_in, rows_out = int(stage.get("rows_in") or 0), int(stage.get("rows_out") or 0)
    counts = {str(reason).replace("_", " "): int(n) for reason, n in (stage.get("counts") or {}).items()}
    dropped = rows_in - rows_out
    return {
        "name": stage["name"],
        "seconds": _figure(stage.get("seconds")),
        "peak_rss_mb": _figure(stage.get("peak_rss_mb")),
        "rows_in": rows_in,
        "rows_out": rows_out,
        "counts": sorted(counts.items(), key=lambda item: -item[1]),
        "dropped": dropped if sum(counts.values()) == dropped else 0,
    }


def example_view(example: Mapping[str, Any]) -> dict[str, Any]:
    """An example query with, for each model, its ranking and the rank of its first relevant text."""
    sides = [(title, list(example.get(key) or ())) for title, key in (("Base model", "base"), ("Tuned model", "tuned"))]
    return {
        "task": example.get("task") or "",
        "query": str(example.get("query") or ""),
        "relevant": [str(text) for text in example.get("relevant") or ()],
        "sides": [{"title": title, "hits": hits, "first": first_relevant(hits)} for title, hits in sides],
    }


def first_relevant(hits: Sequence[Mapping[str, Any]]) -> int | None:
    """Rank, from one, of the first relevant hit."""
    return next((rank for rank, hit in enumerate(hits, 1) if hit.get("relevant")), None)


def clip(text: str, room: float) -> str:
    """The text on one line, cut with an ellipsis where it would outgrow the room even in a wide font."""
    text = " ".join(text.split())
    used, kept = 0.0, 0
    for at, char in enumerate(text, 1):
        used += _char_width(char)
        if used <= room - _LABEL_SIZE:
            kept = at
    return text if used <= room else text[:kept].rstrip() + "…"


def _char_width(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return _LABEL_SIZE * 1.2
    return _LABEL_SIZE * (1.0 if char in "MWmw@%" else 0.75 if char.isupper() else 0.63)


def breakable(text: str) -> Markup:
    """The text, escaped, with places to break a line inside CamelCase and snake_case names."""
    parts = re.split(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[_/.])", str(printable(text)))
    return Markup("<wbr>").join(parts)


def short(text: str) -> str:
    """The beginning of a hash."""
    return text if len(text) <= 24 else f"{text[:19]}…"


def printable(value: object) -> object:
    """The value with control characters, lone surrogates and noncharacters of a text made visible."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs", "Cn") and c not in "\n\t" else c
        for c in value
    )


def score(value: float, decimals: int = 4) -> str:
    """A score, or a dash where there is none."""
    number = _figure(value)
    return f"{number:.{decimals}f}".replace("-", _MINUS) if math.isfinite(number) else "–"


def signed(value: float) -> str:
    """A difference with its sign; never rounded to zero unless it is zero."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0.0000"
    shown = f"{value:+.4f}" if abs(value) >= 0.00005 else f"{value:+.1e}"
    return shown.replace("-", _MINUS)


def count(value: float) -> str:
    """A whole number with separators, or a dash where there is none."""
    number = _figure(value)
    return f"{number:,.0f}" if math.isfinite(number) else "–"


def duration(seconds: float) -> str:
    """Seconds in the units a reader thinks in."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(text: str) -> str:
    """An ISO 8601 time in words, or the text itself where it is none."""
    try:
        when = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return str(text)
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def as_yaml(value: object) -> str:
    """Nested settings as YAML."""
    plain = json.loads(json.dumps(value, default=str))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=10**6)).removesuffix("...\n")


def web_link(url: object) -> str:
    """The address where it is a web address that may become a link, else nothing."""
    try:
        parts = urlsplit(str(url or "").strip())
    except ValueError:
        return ""
    return parts.geturl() if parts.scheme in ("http", "https") and parts.netloc else ""


def _figure(value: object) -> float:
    return float(value) if isinstance(value, Real) else math.nan


def _tick_label(value: float, decimals: int) -> str:
    if not round(value, decimals + 2):
        return "0"
    label = f"{value:+.{decimals}f}" if decimals <= 4 else f"{value:+.1e}"
    return label.replace("-", _MINUS)
