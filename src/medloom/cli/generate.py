"""``medloom generate``: queries for documents, outside of a recipe."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.cli.sharing import AddressOption, CoresOption, EngineOption, GpusOption, WorkersOption, sharing_settings

if TYPE_CHECKING:
    from medloom.generate.config import GenerateConfig
    from medloom.generate.forecast import CallForecast
    from medloom.generate.run import Summary
    from medloom.mine.negatives import VectorFile


def generate(
    documents: Annotated[
        Path, typer.Argument(help="A table of documents, the folder of a run, or a file or folder of text (as type: files).")
    ],
    out: Annotated[Path, typer.Option(help="Folder for generated.parquet, rejects.jsonl, summary.json and calls.sqlite.")],
    model: Annotated[str | None, typer.Option(help="openai:http://HOST/v1#MODEL, or gguf:PATH.")] = None,
    mode: Annotated[str | None, typer.Option(help="one-shot, evidence-first or extractive.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Take the settings from this recipe's generate: section.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: kinds.keyword=3, checks.judge=true. Repeatable.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Field that holds the text, for files of rows.")] = None,
    title: Annotated[str | None, typer.Option(help="Field that holds the title.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Field that holds the id.")] = None,
    group: Annotated[str | None, typer.Option(help="Field that holds the patient, article or trial.")] = None,
    contains_phi: Annotated[
        bool | None,
        typer.Option("--contains-phi/--no-phi", help="Whether the text is about patients who can be told from it."),
    ] = None,
    allow_phi_to: Annotated[
        list[str] | None,
        typer.Option(help="Where patient text may go as it is: a host, or cluster. Repeatable; recorded."),
    ] = None,
    base: Annotated[
        str, typer.Option(help="Checks round trips where checks.round_trip is base.")
    ] = "builtin:all-MiniLM-L6-v2",
    calls: Annotated[Path | None, typer.Option(help="The table of calls; calls.sqlite in OUT if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the documents where limit is set.")] = 7,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask again where a call failed for good.")] = False,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    worker_cores: CoresOption = None,
    worker_gpus: GpusOption = None,
    address: AddressOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count calls, tokens and cost; ask nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Write queries for documents with a language model, or without one, and keep those that pass every check.

    Give the same command again to go on after a kill. Two processes with the same OUT share the
    calls. An engine shares out the writing without a model, and the checks; a server is asked from this process.
    """
    from rich.console import Console

    from medloom.artifacts import disk_errors, write_json
    from medloom.deid.gate import CLUSTER, checked
    from medloom.engine import HOW_ONLY, joined_cluster
    from medloom.folders import check_is_file_system
    from medloom.generate.run import foresee, open_model
    from medloom.generate.run import generate as generate_records
    from medloom.progress import shown_on
    from medloom.sources.files import FieldMap
    from medloom.sources.opened import OpenedDocuments

    console = Console(stderr=True)
    check_is_file_system(out, calls)
    sharing = sharing_settings(engine, workers, worker_cores, worker_gpus, address)
    config = _settings(recipe, mode, model, set_ or []).model_copy(update=sharing)
    fields = FieldMap(text=text, title=title, id=id_, group=group)
    opened = OpenedDocuments(documents, fields, contains_phi)
    bars = shown_on(console) if console.is_terminal else nullcontext()
    chat = open_model(config)
    host = chat.host if chat else None
    cluster, allowed = CLUSTER if joined_cluster(config) else None, allow_phi_to or ()
    if dry_run:
        with bars:
            summary, forecast = foresee(opened, config, calls or out / "calls.sqlite", chat, seed)
        _show_forecast(summary, forecast, as_json)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        with bars, disk_errors(out):
            summary = generate_records(
                lambda: checked(checked(opened(), host, allowed, "generate"), cluster, allowed, "generate"),
                config,
                out,
                calls or out / "calls.sqlite",
                chat,
                seed,
                lambda what: _vectors(base, out, what),
                retry_failed,
            )
            shutil.rmtree(out / "vectors", ignore_errors=True)
            settings = {
                "settings": config.model_dump(mode="json", exclude={*HOW_ONLY}),
                "seed": seed,
                "documents": opened.hash(),
            }
            opened_to = {"host": host, "allow_phi_to": allow_phi_to or []}
            write_json(out / "summary.json", _as_json(summary) | opened_to | settings)
    except KeyboardInterrupt:
        console.print("interrupted: give the same command again to go on where it stopped")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(_as_json(summary) | opened_to, indent=2, ensure_ascii=False))
    else:
        _show(console, summary, out)


def _settings(recipe: str | None, mode: str | None, model: str | None, overrides: list[str]) -> "GenerateConfig":
    from medloom.generate.config import GenerateConfig
    from medloom.recipe import Recipe, settings_of

    values: dict[str, Any] = {}
    if recipe is not None:
        section = Recipe.load(recipe).generate
        values = section.model_dump(mode="json") if section else {}
    given = {name: value for name, value in (("mode", mode), ("model", model)) if value is not None}
    if "mode" not in values | given and model is None:
        given["mode"] = "extractive"
    return settings_of(GenerateConfig, values | given, overrides, "generate")


def _vectors(base: str, out: Path, what: str) -> "VectorFile":
    from medloom.encode import VectorFolder, load_encoder, resolve_model

    return VectorFolder(load_encoder(resolve_model(base)), out / "vectors", what)


def _show_forecast(summary: "Summary", forecast: "CallForecast | None", as_json: bool) -> None:
    from dataclasses import asdict

    facts = {"mode": summary.mode, "model": summary.model, "documents": summary.documents, "left_out": summary.left_out}
    if as_json:
        print(json.dumps(facts | (asdict(forecast) if forecast else {"calls": 0}), indent=2))
        return
    print(f"{summary.documents:,} documents ({summary.left_out:,} left out), mode {summary.mode}, model {summary.model}")
    if forecast is None:
        print("no calls: the queries are made from the text")
        return
    print(f"{forecast.calls:,} calls, {forecast.done:,} of them done before")
    print(f"{forecast.prompt_tokens:,} tokens of prompts, {forecast.completion_tokens:,} of answers")
    print(f"(at most {forecast.most_completion_tokens:,} of answers)")
    if forecast.most_cost:
        print(f"cost: {forecast.cost:,.2f} (at most {forecast.most_cost:,.2f})")
    if forecast.seconds is not None:
        print(f"time: about {forecast.seconds / 3600:.1f} hours at the rate of the calls so far")
    print(forecast.basis)


def _as_json(summary: "Summary") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(summary)


def _show(console: Any, summary: "Summary", out: Path) -> None:  # noqa: ANN401
    from rich.table import Table

    table = Table(title=f"{summary.records:,} records from {summary.documents:,} documents, written by {summary.model}")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name in ("documents", "done", "rejected", "failed", "not_asked", "left_out", "drafts"):
        table.add_row(name.replace("_", " "), f"{getattr(summary, name):,}")
    for task, n in summary.kinds.items():
        table.add_row(f"kept: {task}", f"{n:,}")
    for reason, n in sorted(summary.reasons.items(), key=lambda item: -item[1]):
        table.add_row(f"dropped: {reason.replace('_', ' ')}", f"{n:,}")
    for name, value in summary.calls.items():
        if isinstance(value, int | float) and value:
            table.add_row(f"calls: {name.replace('_', ' ')}", f"{value:,.0f}")
    console.print(table)
    console.print(f"records: {out / 'generated.parquet'}", soft_wrap=True)
    console.print(f"rejects: {out / 'rejects.jsonl'}", soft_wrap=True)
