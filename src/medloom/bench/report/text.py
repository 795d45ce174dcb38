"""The leaderboard as text: Markdown for people, CSV for programs."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medloom.bench.report import figures
from medloom.bench.report.board import Board, Cell, Model, Task, read_board
from medloom.bench.report.marks import top_marks, verdict_on
from medloom.bench.report.views import failures, plain_mean, seen, setting, setting_names

_COSTS = ("texts_per_second", "latency_ms", "size_mb", "parameters", "dimensions", "peak_rss_mb")
_OVERLAP = ("share", "checked", "exact", "near_duplicate", "ngram")
_TASK = ("type", "suite", "mode", "metric", "source", "facet", "n", "unit")
CSV_COLUMNS = (
    *("level", "model", "model_hash", "kind", "task", *_TASK, "score", "ci_low", "ci_high", "rank", "status", "error"),
    *("declared", *(f"overlap_{key}" for key in _OVERLAP), *_COSTS, "task_fingerprint", "reference"),
)
_SIGNS = {"best": " ★", "tied": " ≈", "": ""}


def render_csv(board: Mapping[str, Any]) -> str:
    """The board in long form.

    Args:
        board: As for :func:`medloom.bench.report.render_html`.

    Returns:
        CSV with a heading (:data:`CSV_COLUMNS`): one line for each model and task (``level`` is ``task``) and one for each
        model's macro mean (``macro``). Figures keep all their digits and are empty where there are none. A text that a
        spreadsheet would run as a formula (it begins with ``=``, ``+``, ``-`` or ``@``) has an apostrophe before it.
    """
    held = read_board(board)
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for model in held.models:
        writer.writerows(_task_line(held, model, task) for task in held.tasks)
    writer.writerows(_macro_line(held, model) for model in held.models)
    return out.getvalue()


def render_markdown(board: Mapping[str, Any]) -> str:
    """The board as Markdown with GitHub's tables; texts are escaped, so none becomes markup.

    Args:
        board: As for :func:`medloom.bench.report.render_html`.
    """
    held = read_board(board)
    parts = [f"# {_md(held.title)}", _made(held), *_warnings(held), _md(verdict_on(held))]
    if not held.models or not held.tasks:
        parts.append("No model was measured on any task, so there is nothing to compare.")
    parts += [*_means(held), *_scores(held), *_pairs(held), *_failed(held), *_contamination(held), *_measured_how(held)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _task_line(board: Board, model: Model, task: Task) -> dict[str, object]:
    cell = board.cell(model, task)
    overlap = {f"overlap_{key}": _csv(getattr(cell.overlap, key)) for key in _OVERLAP} if cell.overlap else {}
    return {
        **_model_part(model),
        **{key: _csv(getattr(task, key)) for key in _TASK},
        **overlap,
        "level": "task",
        "task": _csv(task.name),
        "task_fingerprint": _csv(task.fingerprint),
        "score": _csv(cell.score),
        "ci_low": _csv(cell.low),
        "ci_high": _csv(cell.high),
        "rank": _csv(cell.rank),
        "status": cell.status,
        "error": _csv(cell.error),
        "declared": _csv("; ".join(cell.declared)),
    }


def _macro_line(board: Board, model: Model) -> dict[str, object]:
    macro = board.macro(model)
    known = math.isfinite(macro.score)
    status = "" if not known else "published" if model.published else "measured" if macro.complete else "incomplete"
    return {
        **_model_part(model),
        "level": "macro",
        "score": _csv(macro.score),
        "ci_low": _csv(macro.low),
        "ci_high": _csv(macro.high),
        "rank": _csv(macro.rank),
        "status": status,
    }


def _model_part(model: Model) -> dict[str, object]:
    return {
        "model": _csv(model.name),
        "model_hash": _csv(model.hash),
        "kind": _csv("published" if model.published else model.kind),
        "reference": _csv(model.source),
        **{key: _csv(getattr(model, key)) for key in _COSTS},
    }


def _csv(value: object) -> object:
    if isinstance(value, str):
        shown = str(figures.printable(value))
        return f"'{shown}" if shown.startswith(("=", "+", "-", "@", "\t", "\r")) else shown
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) > 1 else value


def _md(text: object) -> str:
    """A text on one line with everything escaped that Markdown, its tables or HTML would read."""
    line = " ".join(str(figures.printable(str(text))).split())
    line = re.sub(r"&(?=#?\w+;)", "&amp;", line)
    line = re.sub(r"([\\`*_\[\]!|~$])", r"\\\1", line)
    line = re.sub(r"^([-+#=:]|\d+(?=[.)]))", lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", line)
    return line.replace("<", "&lt;").replace(">", "&gt;")


def _table(head: Sequence[str], lines: Iterable[Sequence[str]], left: int = 1) -> str:
    marks = ["---" if k < left else "---:" for k in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *lines))


def _made(board: Board) -> str:
    facts = [figures.moment(board.created), f"medloom {board.medloom}" if board.medloom else "", board.machine]
    return _md("; ".join(fact for fact in facts if fact))


def _warnings(board: Board) -> list[str]:
    return ["## Warnings", "\n".join(f"- {_md(w)}" for w in board.warnings)] if board.warnings else []


def _means(board: Board) -> list[str]:
    if not board.models:
        return []
    head = ["Model", "Rank", "Macro mean", "95% interval", f"Plain mean of {len(board.tasks)} tasks"]
    head += [_md(figures.words(kind)) for kind in board.types]
    head += ["Texts/s", "Latency, ms", "Size, MB", "Dimensions", "Peak memory, MB"]
    return ["## Leaderboard", _table(head, [_mean_line(board, model) for model in board.models])]


def _mean_line(board: Board, model: Model) -> list[str]:
    macro, plain = board.macro(model), plain_mean(board.cell(model, task) for task in board.tasks)
    name = (
        f"{_md(model.name)} (published: {_md(model.source or 'source not given')})" if model.published else _md(model.name)
    )
    return [
        name,
        board.rank(model) or figures.DASH,
        figures.score(macro.score) + ("" if macro.complete or not math.isfinite(macro.score) else " (incomplete)"),
        figures.interval(macro.low, macro.high) or figures.DASH,
        figures.score(plain.score) + (f" ({plain.n} of {plain.of})" if plain.partial else ""),
        *(figures.score(macro.types.get(kind, math.nan)) for kind in board.types),
        *(figures.amount(v) for v in (model.texts_per_second, model.latency_ms, model.size_mb)),
        *(figures.count(v) for v in (model.dimensions, model.peak_rss_mb)),
    ]


def _scores(board: Board) -> list[str]:
    if not board.models or not board.tasks:
        return []
    marks = {task.name: top_marks(board, task) for task in board.tasks}
    lines = [
        [
            *(_md(text) for text in (task.name, figures.words(task.type), figures.metric(task.metric))),
            *(_score(board.cell(m, task)) + _SIGNS[marks[task.name].get(m.id, "")] for m in board.models),
        ]
        for task in board.tasks
    ]
    legend = (
        "★: best, and tested against every other measured score of the task. ≈: the paired test, after Holm's correction, "
        "does not tell it apart from the best. Without a test there is no mark. †: the model is declared to have trained "
        "on this data. ‡: text of the task was found in its training data."
    )
    head = ["Task", "Type", "Metric", *(_md(m.name) + (" (published)" if m.published else "") for m in board.models)]
    return ["## Scores by task", _table(head, lines, left=3), legend]


def _score(cell: Cell) -> str:
    if not math.isfinite(cell.score):
        return cell.status
    ends = figures.interval(cell.low, cell.high)
    found = f" ‡ {figures.percent(cell.overlap.share)}" if cell.overlap and cell.overlap.share > 0 else ""
    return figures.score(cell.score) + (f" ({ends})" if ends else "") + (" †" if cell.declared else "") + found


def _pairs(board: Board) -> list[str]:
    if not board.pairs:
        return []
    lines = [
        [
            *(_md(board.by_id[key].name) for key in (pair.a, pair.b)),
            *(str(n) for n in (pair.better, pair.worse, pair.same)),
            figures.signed(pair.macro.delta),
            figures.gap(pair.macro.low, pair.macro.high),
        ]
        for pair in board.pairs
    ]
    head = ["a", "b", "a better", "a worse", "no difference", "Macro mean, a minus b", "95% interval"]
    return ["## Head to head", "Counts of tasks.", _table(head, lines, left=2)]


def _failed(board: Board) -> list[str]:
    lines = [f"- {_md(f.model.name)}, {_md(f.task.name)}: {_md(figures.clipped(f.error, 400))}" for f in failures(board)]
    return ["## Failed", "\n".join(lines)] if lines else []


def _contamination(board: Board) -> list[str]:
    lines = [
        [
            *(_md(text) for text in (one.model.name, one.task.name, "; ".join(one.cell.declared) or figures.DASH)),
            figures.percent(one.cell.overlap.share) if one.cell.overlap else figures.DASH,
            figures.count(one.cell.overlap.checked) if one.cell.overlap else figures.DASH,
        ]
        for one in seen(board)
    ]
    head = ["Model", "Task", "Declared", "Overlap measured", "Texts checked"]
    return ["## Test text seen in training", _table(head, lines, left=3)] if lines else []


def _measured_how(board: Board) -> list[str]:
    parts = ["## How it was measured"]
    if board.command:
        parts.append(f"Command: {_md(board.command)}")
    if board.suites:
        suites = [[_md(v) for v in (s.name, s.mode, s.seed, s.fingerprint)] for s in board.suites]
        parts.append(_table(["Suite", "Mode", "Seed", "Fingerprint"], suites, left=4))
    names = setting_names(board.measured)
    if board.measured:
        lines = [
            [_md(v) for v in (m.name, m.kind, m.hash, *(setting(m.settings.get(n)) for n in names))] for m in board.measured
        ]
        parts.append(_table([*("Model", "Kind", "Hash"), *map(_md, names)], lines, left=3 + len(names)))
    return parts if len(parts) > 1 else []
