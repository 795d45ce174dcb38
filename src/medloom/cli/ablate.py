"""``medloom ablate``: which change to a recipe brings what."""

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def ablate(
    ablation: Annotated[Path, typer.Argument(metavar="ABLATION.yaml", help="A recipe, its variants, and what judges them.")],
    out: Annotated[Path | None, typer.Option(help="Where models and results lie; runs/<name> if not given.")] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Folder that paths in the file are relative to; the file's own if not given.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run only this variant. Repeatable.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="Begin no further variant after so many minutes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON on standard output.")] = False,
) -> None:
    """Train variants of a recipe and say, with intervals, what each change brings.

    What was run before is not run again, so the table grows over several sittings: --minutes 0 prints it as it stands. No
    variant trains on text of its judges.
    """
    from rich.console import Console

    from medloom.ablate import Ablation
    from medloom.ablate import ablate as run_ablation
    from medloom.artifacts import write_json
    from medloom.cli.run import quiet_libraries
    from medloom.progress import shown_on

    console = Console(stderr=True)
    loaded = Ablation.load(ablation, texts)
    folder = out or Path("runs") / loaded.name
    quiet_libraries()
    try:
        with shown_on(console) if console.is_terminal else nullcontext():
            table = run_ablation(
                loaded, folder, only or (), minutes, lambda what: console.print(what, markup=False, highlight=False)
            )
    except KeyboardInterrupt:
        console.print("interrupted: give the same command again to go on where it stopped")
        raise typer.Exit(130) from None
    write_json(folder / "ablation.json", asdict(table))
    if as_json:
        print(json.dumps(asdict(table), indent=2, ensure_ascii=False))
        return
    print(table.markdown())
    print(f"\nchosen: {table.chosen or 'none fits'}; the rule: {table.rule}")
