"""``medloom collect`` and ``medloom sources``: from services and files to documents."""

import inspect
import json
import sys
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from medloom.errors import MedloomError

if TYPE_CHECKING:
    from rich.console import Console

    from medloom.collect.job import Result
    from medloom.sources import SourceConfig


def collect(
    source: Annotated[str, typer.Argument(help="Type of the source: see `medloom sources`.")],
    out: Annotated[Path, typer.Option(help="Folder for documents.parquet, its lock, rejects and journal.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the source: terms=[asthma]. Repeatable.")
    ] = None,
    lock: Annotated[
        Path | None, typer.Option(help="lock.jsonl.gz of another collection: fetch its documents, and say what differs.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Bring the collection up to date: from a day (YYYY-MM-DD), or last.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    contact: Annotated[str, typer.Option(help="E-mail address that services are told; MEDLOOM_CONTACT if not given.")] = "",
    patience: Annotated[float, typer.Option(min=0, help="Seconds to go on trying a request that fails.")] = 900.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Collect a source: from its service, politely, or from files.

    A killed try is gone on with by the same command; several may work on one folder at a time. The exit code is 1 where a
    lock was to be followed and the documents are not all the same.
    """
    from rich.console import Console

    from medloom.collect.client import Patience
    from medloom.collect.shown import shown
    from medloom.progress import shown_on
    from medloom.sources.collected import How, collect_source

    console = Console(stderr=True)
    made = _source(source, set_ or [])
    how = How(lock, _since(since), workers, contact, Patience(seconds=patience))
    try:
        with shown_on(console) if console.is_terminal else nullcontext(), shown(made.name) as tell:
            result = collect_source(made, out, how, tell)
    except KeyboardInterrupt:
        console.print("interrupted: give the same command again to go on where it stopped")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(_as_json(result, out), indent=2, ensure_ascii=False))
    else:
        _show(console, result, out)
    if result.differences is not None and not result.differences.are_none:
        raise typer.Exit(1)


def sources(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the sources, what each is, and its settings."""
    from medloom.sources import known_sources
    from medloom.sources.fetched import FetchedSource

    rows = [
        {
            "type": type_,
            "what": _first_line(sys.modules[kind.__module__].__doc__),
            "fetched": issubclass(kind, FetchedSource),
            "settings": {
                name: field.description for name, field in kind.model_fields.items() if name not in ("type", "name")
            },
        }
        for type_, kind in known_sources().items()
    ]
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _show_sources(rows)


def _source(type_: str, overrides: list[str]) -> "SourceConfig":
    """The source with its settings.

    Raises:
        MedloomError: There is none of that type, or it has no such setting.
    """
    import difflib

    from medloom.recipe import settings_of
    from medloom.sources import known_sources

    known = known_sources()
    if type_ not in known:
        near = difflib.get_close_matches(type_, known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise MedloomError(f"no source {type_!r}{hint}; there are: {', '.join(known)}")
    return settings_of(known[type_], {"type": type_}, overrides, f"source {type_}")


def _since(since: str | None) -> date | Literal["last"] | None:
    if since is None or since == "last":
        return since  # type: ignore[return-value]
    try:
        return date.fromisoformat(since)
    except ValueError:
        raise MedloomError(f"--since {since}: give a day as YYYY-MM-DD, or last") from None


def _as_json(result: "Result", out: Path) -> dict[str, Any]:
    differences = {"differences": vars(result.differences)} if result.differences is not None else {}
    return {
        "folder": str(out),
        "documents": result.documents,
        "counts": result.counts,
        "rounds": result.rounds,
        **differences,
    }


def _show(console: "Console", result: "Result", out: Path) -> None:
    console.print(f"{result.documents:,} documents: {result.table}", soft_wrap=True)
    for name, n in result.counts.items():
        console.print(f"  {name.replace('_', ' ')}: {n:,}")
    if result.counts.get("rejected"):
        console.print(f"rejects: {out / 'rejects.jsonl'}", soft_wrap=True)
    if result.differences is not None:
        row = result.differences.as_row()
        console.print(f"against the lock: {', '.join(f'{n:,} {name}' for name, n in row.items())}")
        if not result.differences.are_none:
            console.print(f"which: {out / 'differences.json'}", soft_wrap=True)


def _show_sources(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("type", "what", "settings", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["type"], row["what"], ", ".join(row["settings"]))
    Console().print(table)


def _first_line(doc: str | None) -> str:
    return inspect.cleandoc(doc or "").partition("\n")[0]
