"""The leaderboard as one HTML file that asks nothing of the network and reads well without its script."""

import base64
import hashlib
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medloom.bench.report import figures, views
from medloom.bench.report.board import read_board
from medloom.bench.report.duels import duels, matrix
from medloom.bench.report.marks import ALPHA, size_classes, verdict_on
from medloom.bench.report.profile import profile
from medloom.bench.report.projection import SIDE, embedding_map
from medloom.bench.report.scatter import trades

_PACKAGE = "medloom.bench.report"


def render_html(board: Mapping[str, Any]) -> str:
    """The board as one self-contained HTML page.

    Args:
        board: Models, tasks, scores, means, pairs and costs, as ``medloom bench`` gathers them. Its texts are taken as
            untrusted and escaped; absent, null and NaN figures are shown as such.

    Returns:
        The page. Its content security policy forbids every request, and every script but its own, which is named by its
        hash.
    """
    held = read_board(board)
    script = _own("leaderboard.js")
    found = duels(held)
    rows = views.rows(held)
    return _environment().get_template("leaderboard.html.j2").render(
        board=held,
        css=Markup(_own("leaderboard.css")),
        script=Markup(script),
        script_hash=script_hash(script),
        verdict=verdict_on(held),
        rows=rows,
        failures=views.failures(held),
        seen=views.seen(held),
        settings=views.setting_names(held.measured),
        filters={
            "type": views.choices(t.type for t in held.tasks),
            "facet": views.choices(t.facet for t in held.tasks),
            "suite": views.choices(t.suite for t in held.tasks),
            "size": views.choices(size_classes(held)),
        },
        duels=found,
        matrix=matrix(held, found),
        trades=trades(held),
        profile=profile(held),
        map=embedding_map(held),
        side=SIDE,
        alpha=ALPHA,
    )  # fmt: skip


def script_hash(script: str) -> str:
    """The script's SHA-256 as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _own(name: str) -> str:
    return files(_PACKAGE).joinpath(name).read_text("utf-8")


def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=figures.printable,
    )
    shown = (
        *(figures.score, figures.signed, figures.interval, figures.gap, figures.p_value, figures.amount, figures.count),
        *(figures.percent, figures.words, figures.metric, figures.facet, figures.moment, figures.short, figures.clipped),
        *(figures.breakable, views.setting, _raw),
    )
    env.filters.update({one.__name__.lstrip("_"): one for one in shown})
    env.tests["known"] = math.isfinite
    return env


def _raw(value: float | None) -> str:
    """A figure for the script to sort by; nothing where there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.10g}"
