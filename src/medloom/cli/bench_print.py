"""What ``medloom bench`` prints for people."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from medloom.bench.runner import Summary

Tell = Callable[[str], None]

_NARROWEST = 10
_WIDE = 160


@contextmanager
def console() -> Iterator[Tell]:
    """Bars and lines on standard error; Ctrl-C ends with a word on how to go on, and exit code 130.

    Yields:
        What to tell of progress with; silent where nobody looks.
    """
    from rich.console import Console

    from medloom.memory import spare_memory
    from medloom.progress import shown_on

    spare_memory()
    screen = Console(stderr=True)

    def tell(line: str) -> None:
        if screen.is_terminal:
            screen.print(line, style="dim", markup=False)

    try:
        _quiet_libraries()
        with shown_on(screen) if screen.is_terminal else nullcontext():
            yield tell
    except KeyboardInterrupt:
        screen.print("interrupted: give the same command again to go on where it stopped")
        raise typer.Exit(130) from None


def _quiet_libraries() -> None:
    import warnings

    import datasets

    datasets.disable_progress_bars()
    if logging.getLogger().level > logging.INFO:
        warnings.filterwarnings("ignore")


def print_tasks(rows: Sequence[dict[str, Any]]) -> None:
    """The catalogue, and how much of each suite builds here."""
    screen, table = _table("suite", "task", "type", "source", "metric", "here")
    for row in rows:
        here = "yes" if row["buildable"] else f"needs {', '.join(row['missing'])}"
        table.add_row(row["suite"], row["name"], row["type"], row["source"], row["metric"], here)
    screen.print(table)
    for suite in dict.fromkeys(row["suite"] for row in rows):
        ours = [row for row in rows if row["suite"] == suite]
        screen.print(f"{suite}: {len(ours)} tasks, {sum(row['buildable'] for row in ours)} build here as the command stands")


def print_built(built: dict[str, Any]) -> None:
    """What a build wrote."""
    screen, table = _table("task", "type", "items", "texts", "fingerprint", numbers=("items", "texts"))
    for task in built["tasks"]:
        table.add_row(task["name"], task["type"], f"{task['n']:,}", f"{task['texts']:,}", task["fingerprint"][:12])
    screen.print(table)
    for name, why in built["left_out"].items():
        screen.print(f"left out: {name}: {why}", markup=False)
    screen.print(f"{built['suite']} ({built['mode']}, seed {built['seed']}): {built['folder']}", soft_wrap=True)
    screen.print(f"fingerprint: {built['fingerprint']}", soft_wrap=True)


def print_summary(summary: "Summary", out: Path) -> None:
    """Scores of a run, model by model."""
    models = list(summary.scores)
    names = list(dict.fromkeys(task for found in summary.scores.values() for task in found))
    screen, table = _table("task", *models, numbers=tuple(models))
    for name in names:
        values = [summary.scores[model].get(name) for model in models]
        table.add_row(name, *("" if value is None else f"{value:.4f}" for value in values))
    screen.print(table)
    for model, took in summary.seconds.items():
        parts = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in took.items())
        unfit = summary.unfit.get(model, [])
        screen.print(f"{model}: {parts}" + (f"; {len(unfit)} tasks are of a type that it cannot do" if unfit else ""))
    for model, failed in summary.errors.items():
        for task, problem in failed.items():
            screen.print(f"FAILED: {model}: {task}: {problem}", markup=False)
    if summary.skipped:
        screen.print(f"{summary.skipped} results were there before and were kept")
    screen.print(f"compare them: medloom bench compare --out {out}", soft_wrap=True, markup=False)


def print_board(board: dict[str, Any]) -> None:
    """Models against tasks, then every pair of models."""
    measured = [model for model in board["models"] if not model["reference"]]
    names = {model["id"]: model["name"] for model in measured}
    screen, table = _table("task", *names.values(), numbers=tuple(names.values()))
    by_key = {(row["model"], row["task"]): row for row in board["scores"]}
    for task in board["tasks"]:
        table.add_row(task["name"], *(_cell(by_key.get((model, task["name"]))) for model in names))
    macro = {row["model"]: row for row in board["macro"]}
    types = dict.fromkeys(type_ for model in names for type_ in macro[model]["types"])
    for type_ in types:
        values = [macro[model]["types"].get(type_) for model in names]
        table.add_row(f"mean of {type_}", *("" if value is None else f"{value:.3f}" for value in values))
    table.add_row("mean over types", *(_cell(macro[model]) for model in names))
    screen.print(table)
    for pair in board["pairs"]:
        line = f"{names[pair['a']]} against {names[pair['b']]}: better on {pair['better']}, worse on {pair['worse']}, "
        line += f"no clear difference on {pair['same']}"
        if pair["macro_delta"] is not None:
            line += f"; mean {pair['macro_delta']:+.3f} ({pair['macro_low']:+.3f} to {pair['macro_high']:+.3f})"
        screen.print(line, soft_wrap=True, markup=False)
    for warning in board["warnings"]:
        screen.print(f"warning: {warning}", soft_wrap=True, markup=False)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or row["score"] is None:
        return "failed" if row and row.get("error") else ""
    rank = f" [{row['rank']}]" if row["rank"] else ""
    return f"{row['score']:.3f}{rank}"


def _table(*headings: str, numbers: Sequence[str] = ()) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in numbers else "left"
        table.add_column(heading, justify=justify, overflow="fold", min_width=min(len(heading), _NARROWEST))
    screen = Console(file=sys.stdout, highlight=False, markup=False)
    if not screen.is_terminal:
        screen.width = max(screen.width, _WIDE)
    return screen, table
