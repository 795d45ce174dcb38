"""``medloom run`` and ``medloom recipes``."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.cli.sharing import AddressOption, CoresOption, EngineOption, GpusOption, WorkersOption, sharing_settings

if TYPE_CHECKING:
    from rich.console import Console

    from medloom.pipeline import RunResult, Status
    from medloom.recipe import Recipe


def run(
    recipe: Annotated[str, typer.Argument(help="A recipe file (.yaml), or the name of a shipped recipe.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; runs/<recipe name> if not given.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: train.epochs=2. Repeatable.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this stage.")] = None,
    force: Annotated[list[str] | None, typer.Option(help="Run this stage again though it is done. Repeatable.")] = None,
    smoke: Annotated[
        bool,
        typer.Option("--smoke", help="Try the recipe: small, in minutes, without network; what is fetched is replaced."),
    ] = False,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    worker_cores: CoresOption = None,
    worker_gpus: GpusOption = None,
    address: AddressOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, with counts and an estimate of time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Run a recipe from text to a model that is compared with its base.

    A second run skips what is done; a killed run goes on where it stopped. An engine shares out the work of generate, guard
    and mine.
    """
    from rich.console import Console

    from medloom import pipeline
    from medloom.progress import shown_on
    from medloom.recipe import Recipe

    console = Console(stderr=True)
    loaded = Recipe.load(recipe, set_ or [])
    if smoke:
        loaded = _shrunk(loaded, out, console)
    loaded = loaded.shared_by(sharing_settings(engine, workers, worker_cores, worker_gpus, address))
    if dry_run:
        _show_plan(loaded, out, until, force or [], as_json)
        return

    def tell(name: str, status: "Status") -> None:
        console.print(f"[bold]{name}[/bold] {'[dim]done before, skipped[/dim]' if status == 'done' else '...'}")

    try:
        quiet_libraries()
        with shown_on(console) if console.is_terminal else nullcontext():
            result = pipeline.run(loaded, out, until, force or [], tell)
    except KeyboardInterrupt:
        console.print("interrupted: give the same command again to go on where it stopped")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(result.report or _steps_as_json(result), indent=2, ensure_ascii=False))
    elif result.report:
        _show_report(console, result.report, result.folder)
    else:
        console.print(f"stopped after {result.steps[-1].name}, as asked; the artifacts are in {result.folder / 'stages'}")


def recipes(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the recipes that come with medloom."""
    from medloom.recipe import shipped_recipes

    names = sorted(shipped_recipes())
    print(json.dumps(names) if as_json else "\n".join(names))


def quiet_libraries() -> None:
    """Bars and chatter of the libraries below give way to our own."""
    import logging
    import warnings

    import datasets
    from transformers.utils import logging as transformers_logging

    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if logging.getLogger().level > logging.INFO:
        warnings.filterwarnings("ignore")


def _shrunk(recipe: "Recipe", out: Path | None, console: "Console") -> "Recipe":
    """The recipe as a smoke run, with a word on what that is."""
    from medloom.pipeline import run_folder
    from medloom.smoke import shrunk
    from medloom.smoke.shrink import SUFFIX

    small = shrunk(recipe, (out or Path(f"{run_folder(recipe, None)}{SUFFIX}")) / "invented")
    console.print("[bold red]SMOKE RUN[/bold red]: shows that the recipe is whole; its scores say nothing")
    for line in small.smoke:
        console.print(f"  replaced: {line}", markup=False, soft_wrap=True)
    return small


def _steps_as_json(result: "RunResult") -> dict[str, Any]:
    return {
        "folder": str(result.folder),
        "stages": [
            {
                "name": step.name,
                "status": step.status,
                "rows_in": step.manifest.rows_in if step.manifest else None,
                "rows_out": step.manifest.rows_out if step.manifest else None,
                "seconds": step.manifest.seconds if step.manifest else None,
                "counts": step.manifest.counts if step.manifest else {},
            }
            for step in result.steps
        ],
    }


def _show_plan(recipe: "Recipe", out: Path | None, until: str | None, force: list[str], as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from medloom.estimate import estimate
    from medloom.pipeline import plan

    planned = plan(recipe, out, until, force)
    forecast = estimate(recipe, planned)
    rows = _steps_as_json(planned) | {
        "recipe": recipe.name,
        "documents": forecast.documents,
        "seconds": round(forecast.total, 1),
        "basis": forecast.basis,
    }
    for row in rows["stages"]:
        row["estimated_seconds"] = forecast.seconds.get(row["name"])
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title=f"Plan of {recipe.name}: {planned.folder}")
    for heading in ("stage", "status", "rows in", "rows out", "about"):
        table.add_column(heading, justify="left" if heading in ("stage", "status") else "right")
    words = {"done": "done, will be skipped", "run": "will run", "waits": "will run (waits for the stages above)"}
    for row in rows["stages"]:
        about = "" if row["estimated_seconds"] is None else f"{row['estimated_seconds']:.0f} s"
        counts = ["" if row[key] is None else f"{row[key]:,}" for key in ("rows_in", "rows_out")]
        table.add_row(row["name"], words[row["status"]], *counts, about)
    console = Console(file=sys.stdout)
    console.print(table)
    known = ", ".join(f"{name} {'unknown' if n is None else format(n, ',')}" for name, n in forecast.documents.items())
    console.print(f"documents: {known}")
    console.print(f"about {forecast.total:.0f} s in all, {forecast.basis}")


def _show_report(console: "Console", report: dict[str, Any], folder: Path) -> None:
    from rich.table import Table

    table = Table(title=f"{report['name']}: tuned against {report['base']['name']} on held-out concepts")
    for heading in ("task", "base", "tuned", "difference", "95% interval", "n", "verdict"):
        table.add_column(heading, justify="left" if heading in ("task", "verdict") else "right")
    for task in report["tasks"]:
        verdict = "better" if task["ci_low"] > 0 else "worse" if task["ci_high"] < 0 else "no difference"
        table.add_row(
            f"{task['name']} ({task['metric']})",
            f"{task['base']:.3f}",
            f"{task['tuned']:.3f}",
            f"{task['delta']:+.3f}",
            f"{task['ci_low']:+.3f} {task['ci_high']:+.3f}",
            f"{task['n']:,} {task['unit']}",
            verdict,
        )
    console.print(table)
    for name, why in report["left_out"].items():
        console.print(f"left out: {name}: {why}")
    verdict = report["verdict"]
    console.print(
        f"better on {verdict['better']}, worse on {verdict['worse']}, no clear difference on {verdict['same']} "
        f"of {len(report['tasks'])} tasks"
    )
    total = sum(stage["seconds"] for stage in report["stages"])
    peak = max(stage["peak_rss_mb"] for stage in report["stages"])
    console.print(f"stages took {total:.0f} s in all, at most {peak:,.0f} MiB of memory")
    if report.get("smoke"):
        console.print("[bold red]SMOKE RUN[/bold red]: the scores above say nothing, and the model is good for nothing")
    console.print(f"model:  {report['model']['path']}  ({report['model']['hash'][:12]})", soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)
