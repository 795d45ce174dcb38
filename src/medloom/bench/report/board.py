"""A leaderboard's figures, read once from the JSON-like board and never trusted to be whole."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from medloom.bench.report.figures import figure, rank

Status = Literal["measured", "published", "failed", "not applicable", "not run", "not published"]


@dataclass(frozen=True)
class Model:
    """One row: what was compared and what it costs. A figure that is not known is NaN."""

    id: str
    name: str
    hash: str
    kind: str
    dimensions: float
    parameters: float
    size_mb: float
    texts: float
    texts_per_second: float
    latency_ms: float
    peak_rss_mb: float
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    published: bool
    source: str
    note: str


@dataclass(frozen=True)
class Task:
    """One column."""

    name: str
    type: str
    metric: str
    suite: str
    mode: str
    source: str
    facet: str
    description: str
    n: float
    unit: str
    fingerprint: str
    public: bool


@dataclass(frozen=True)
class Overlap:
    """How much of a task's text was found in a model's training text."""

    share: float
    checked: float
    exact: float
    near_duplicate: float
    ngram: float


@dataclass(frozen=True)
class Cell:
    """One model on one task."""

    score: float
    low: float
    high: float
    rank: int | None
    error: str
    declared: tuple[str, ...]
    overlap: Overlap | None
    status: Status


@dataclass(frozen=True)
class Macro:
    """One model over all tasks: the mean over types of the means over tasks."""

    score: float
    low: float
    high: float
    types: Mapping[str, float]
    rank: int | None
    complete: bool


@dataclass(frozen=True)
class Delta:
    """The difference between two models on one task."""

    task: str
    delta: float
    low: float
    high: float
    p: float
    p_holm: float
    verdict: str


@dataclass(frozen=True)
class Pair:
    """Two models compared task by task; every difference is a minus b."""

    a: str
    b: str
    tasks: tuple[Delta, ...]
    better: int
    worse: int
    same: int
    macro: Delta


@dataclass(frozen=True)
class Suite:
    """Where tasks came from."""

    name: str
    mode: str
    seed: str
    fingerprint: str


@dataclass(frozen=True)
class Projection:
    """One task's embeddings in two dimensions: for each model (x, y, number of the label)."""

    task: str
    method: str
    models: tuple[tuple[str, tuple[tuple[float, float, int], ...]], ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """Everything a leaderboard shows. Measured models come first, by rank; published ones stand after them."""

    title: str
    created: str
    medloom: str
    machine: str
    command: str
    suites: tuple[Suite, ...]
    models: tuple[Model, ...]
    tasks: tuple[Task, ...]
    cells: Mapping[tuple[str, str], Cell]
    macros: Mapping[str, Macro]
    pairs: tuple[Pair, ...]
    projection: Projection | None
    warnings: tuple[str, ...]

    @cached_property
    def measured(self) -> tuple[Model, ...]:
        """The models that were run here."""
        return tuple(m for m in self.models if not m.published)

    @cached_property
    def references(self) -> tuple[Model, ...]:
        """Rows of published numbers."""
        return tuple(m for m in self.models if m.published)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Types of task, in the order of the tasks, then those that only means have."""
        return tuple(dict.fromkeys([t.type for t in self.tasks] + [t for m in self.macros.values() for t in m.types]))

    @cached_property
    def by_id(self) -> Mapping[str, Model]:
        """Models by their id."""
        return {m.id: m for m in self.models}

    def cell(self, model: Model, task: Task) -> Cell:
        """A model's result on a task; an empty one where the board has none."""
        blank: Status = "not published" if model.published else "not run"
        nothing = Cell(math.nan, math.nan, math.nan, None, "", (), None, blank)
        return self.cells.get((model.id, task.name), nothing)

    def macro(self, model: Model) -> Macro:
        """A model's means; an empty one where the board has none."""
        return self.macros.get(model.id, Macro(math.nan, math.nan, math.nan, {}, None, False))

    def rank(self, model: Model) -> str:
        """A model's rank, with an equals sign where it is shared; published rows have none."""
        return rank(self.macro(model).rank, (self.macro(m).rank for m in self.measured))

    def task_rank(self, model: Model, task: Task) -> str:
        """A model's rank on one task, in the same form."""
        return rank(self.cell(model, task).rank, (self.cell(m, task).rank for m in self.measured))

    def delta(self, one: Model, other: Model, task: Task) -> Delta | None:
        """The comparison of two models on a task, whichever of them is ``a``."""
        return self._deltas.get((frozenset((one.id, other.id)), task.name))

    @cached_property
    def _deltas(self) -> Mapping[tuple[frozenset[str], str], Delta]:
        return {(frozenset((p.a, p.b)), d.task): d for p in self.pairs for d in p.tasks}


def read_board(board: Mapping[str, Any]) -> Board:
    """The board with every figure a float (NaN where there is none), every text a string, nothing missing.

    Scores, means and pairs of models that the board does not list are left out.
    """
    macros = {_text(m.get("model")): _macro(m) for m in _rows(board, "macro")}
    models = [_model(m) for m in _rows(board, "models")]
    published = {m.id: m.published for m in models}
    return Board(
        title=_text(board.get("title")) or "Leaderboard",
        created=_text(board.get("created")),
        medloom=_text(board.get("medloom")),
        machine=_text(board.get("machine")),
        command=_text(board.get("command")),
        suites=tuple(
            Suite(*(_text(s.get(key)) for key in ("name", "mode", "seed", "fingerprint"))) for s in _rows(board, "suites")
        ),
        models=tuple(sorted(models, key=lambda m: _place(m, macros.get(m.id)))),
        tasks=tuple(_task(t) for t in _rows(board, "tasks")),
        cells={
            (model, _text(s.get("task"))): _cell(s, published[model])
            for s in _rows(board, "scores")
            if (model := _text(s.get("model"))) in published
        },
        macros={m: _unranked(macro) if published[m] else macro for m, macro in macros.items() if m in published},
        pairs=tuple(p for p in map(_pair, _rows(board, "pairs")) if {p.a, p.b} <= published.keys()),
        projection=_projection(board.get("map"), published.keys()),
        warnings=tuple(_text(w) for w in board.get("warnings") or ()),
    )


def _rows(board: Mapping[str, Any], key: str) -> Iterable[Mapping[str, Any]]:
    return board.get(key) or ()


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _whole(value: object) -> int | None:
    number = figure(value)
    return int(number) if math.isfinite(number) else None


def _place(model: Model, macro: Macro | None) -> tuple[bool, float, float]:
    if model.published or macro is None:
        return model.published, math.inf, math.inf
    score = -macro.score if math.isfinite(macro.score) else math.inf
    return False, math.inf if macro.rank is None else macro.rank, score


def _model(row: Mapping[str, Any]) -> Model:
    reference = row.get("reference") or {}
    keys = ("dimensions", "parameters", "size_mb", "texts", "texts_per_second", "latency_ms", "peak_rss_mb")
    return Model(
        id=_text(row.get("id")),
        name=_text(row.get("name")) or "(no name)",
        hash=_text(row.get("hash")),
        kind=_text(row.get("kind")),
        settings={_text(k): v for k, v in (row.get("settings") or {}).items()},
        seconds={_text(k): figure(v) for k, v in (row.get("seconds") or {}).items()},
        published=bool(row.get("reference")) or row.get("kind") == "published",
        source=_text(reference.get("source")),
        note=_text(reference.get("note")),
        **{key: figure(row.get(key)) for key in keys},
    )


def _task(row: Mapping[str, Any]) -> Task:
    keys = ("name", "type", "metric", "suite", "mode", "source", "facet", "description", "unit", "fingerprint")
    return Task(n=figure(row.get("n")), public=bool(row.get("public", True)), **{key: _text(row.get(key)) for key in keys})


def _cell(row: Mapping[str, Any], published: bool) -> Cell:
    score, error = figure(row.get("score")), _text(row.get("error"))
    status: Status = "failed" if error else "not published" if published else "not applicable"
    if math.isfinite(score):
        status = "published" if published else "measured"
    found = row.get("overlap")
    keys = ("share", "checked", "exact", "near_duplicate", "ngram")
    return Cell(
        score=score,
        low=figure(row.get("ci_low")),
        high=figure(row.get("ci_high")),
        rank=None if published else _whole(row.get("rank")),
        error=error,
        declared=tuple(_text(d) for d in row.get("declared") or ()),
        overlap=Overlap(**{key: figure(found.get(key)) for key in keys}) if found else None,
        status=status,
    )


def _macro(row: Mapping[str, Any]) -> Macro:
    return Macro(
        score=figure(row.get("score")),
        low=figure(row.get("ci_low")),
        high=figure(row.get("ci_high")),
        types={_text(k): figure(v) for k, v in (row.get("types") or {}).items()},
        rank=_whole(row.get("rank")),
        complete=bool(row.get("complete", True)),
    )


def _unranked(macro: Macro) -> Macro:
    return Macro(macro.score, macro.low, macro.high, macro.types, None, macro.complete)


def _delta(row: Mapping[str, Any]) -> Delta:
    delta, low, high, p, p_holm = (figure(row.get(key)) for key in ("delta", "ci_low", "ci_high", "p", "p_holm"))
    return Delta(_text(row.get("task")), delta, low, high, p, p_holm, _text(row.get("verdict")))


def _pair(row: Mapping[str, Any]) -> Pair:
    mean = {"delta": row.get("macro_delta"), "ci_low": row.get("macro_low"), "ci_high": row.get("macro_high")}
    better, worse, same = (_whole(row.get(key)) or 0 for key in ("better", "worse", "same"))
    return Pair(
        _text(row.get("a")),
        _text(row.get("b")),
        tuple(_delta(d) for d in _rows(row, "tasks")),
        better,
        worse,
        same,
        _delta(mean),
    )


def _projection(found: Mapping[str, Any] | None, known: Iterable[str]) -> Projection | None:
    if not found:
        return None
    held = set(known)
    models = [(_text(m.get("model")), _points(m.get("points") or ())) for m in _rows(found, "models")]
    return Projection(
        task=_text(found.get("task")),
        method=_text(found.get("method")),
        models=tuple((model, points) for model, points in models if model in held and points),
        labels=tuple(_text(label) for label in found.get("labels") or ()),
    )


def _points(rows: Iterable[Any]) -> tuple[tuple[float, float, int], ...]:
    """Points with two finite places and a label."""
    read = ((figure(x), figure(y), _whole(label)) for x, y, label in rows)
    return tuple((x, y, k) for x, y, k in read if math.isfinite(x + y) and k is not None and k >= 0)
