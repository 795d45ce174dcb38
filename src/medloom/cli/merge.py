"""``medloom merge``: averages of models, by weights that are given, found or swept."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.errors import MedloomError

if TYPE_CHECKING:
    from medloom.merge.run import Sets
    from medloom.merge.sweep import Candidate
    from medloom.merge.write import Merged

Tasks = Annotated[
    list[str] | None,
    typer.Option(
        help="Set of the field: a folder in BEIR's layout, a table, a built suite, SUITE:TASK, or mteb:NAME. Repeatable."
    ),
]
General = Annotated[list[str] | None, typer.Option(help="Set outside the field, in the same forms. Repeatable.")]


def merge(
    models: Annotated[
        list[str],
        typer.Argument(help="Folders, hub ids or builtin:NAME of one architecture: the tuned model first, the base last."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the merged model.")],
    method: Annotated[str, typer.Option(help="linear, slerp (two models), or greedy (soup; needs --dev).")] = "linear",
    weights: Annotated[
        str | None,
        typer.Option(help="0.6,0.4: one for each model; or sweep, found (both need --dev), or equal. equal if not given."),
    ] = None,
    top_weights: Annotated[
        str | None, typer.Option(help="Weights of the last block; --weights are then the embeddings', with steps between.")
    ] = None,
    depth: Annotated[bool, typer.Option("--depth", help="In a sweep, also try weights that change with depth.")] = False,
    dev: Tasks = None,
    general: General = None,
    step: Annotated[float, typer.Option(help="Of a sweep's grid.")] = 0.1,
    rule: Annotated[
        str, typer.Option(help="What may lose the tolerance at most: the mean of the general scores, or each.")
    ] = "mean",
    tolerance: Annotated[float, typer.Option(help="What a general score may lose against the last model.")] = 0.01,
    temperature: Annotated[float, typer.Option(help="With --weights found: of the softmax over losses.")] = 5.0,
    examples: Annotated[int, typer.Option(help="With --weights found: examples drawn from the dev sets.")] = 64,
    max_queries: Annotated[int, typer.Option(help="Queries of each set, drawn by seed.")] = 500,
    max_corpus: Annotated[int, typer.Option(help="Texts of each set; those that answer a query always stay.")] = 5_000,
    prompts_from: Annotated[str | None, typer.Option(help="Which model's prompts to keep, where they differ.")] = None,
    seed: Annotated[int, typer.Option(help="Draws everything that is drawn.")] = 0,
    precision: Annotated[str, typer.Option(help="Of scoring: fp32, bf16 or auto. Weights are summed in fp64.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Average models: pooling, prompts, tokenizer and dtype are the first model's.

    A sweep scores each merge in its field and outside it, draws both and picks one by a rule that is said beforehand. A
    second run with the same settings does nothing; a killed one goes on where it stopped.
    """
    from medloom.cli.bench_print import console
    from medloom.merge.config import MergeConfig
    from medloom.merge.run import merge as merge_models
    from medloom.recipe import settings_of

    asked = {
        "method": method,
        "weights": _weights(weights or ("sweep" if method == "greedy" else "equal")),
        "top_weights": _weights(top_weights) if top_weights else None,
        "depth": depth,
        "step": step,
        "rule": rule,
        "tolerance": tolerance,
        "temperature": temperature,
        "examples": examples,
        "max_queries": max_queries,
        "max_corpus": max_corpus,
        "prompts_from": prompts_from,
    }
    config = settings_of(MergeConfig, asked, (), "medloom merge")
    if precision not in ("auto", "fp32", "bf16"):
        raise MedloomError(f"no precision {precision!r}: give auto, fp32 or bf16")
    with console() as tell:
        sets = _sets(dev, general, config.scored, tell)
        merged = merge_models(
            models,
            config,
            out,
            sets,
            seed=seed,
            precision=precision,  # type: ignore[arg-type]
            told=lambda candidate: tell(_line(candidate)),
        )
    if as_json:
        print(json.dumps({"folder": str(merged.folder), **merged.facts}, indent=2, ensure_ascii=False))
    else:
        _show(merged)


def _weights(given: str) -> Any:  # noqa: ANN401
    if given in ("sweep", "found", "equal"):
        return given
    try:
        return [float(part) for part in given.split(",")]
    except ValueError:
        raise MedloomError(f"weights {given}: write them as 0.6,0.4, or sweep, found or equal") from None


def _sets(dev: list[str] | None, general: list[str] | None, wanted: bool, tell: Any) -> "Sets":  # noqa: ANN401
    from medloom.merge.run import Sets
    from medloom.merge.tasks import read_tasks

    if not wanted and (dev or general):
        raise MedloomError("--dev and --general choose weights: give --weights sweep or found, or --method greedy")
    return Sets(tuple(read_tasks(dev or (), None, tell)), tuple(read_tasks(general or (), None, tell)))


def _line(candidate: "Candidate") -> str:
    from medloom.merge.front import label_of

    row = {**candidate.way.to_dict(), **candidate.scores.to_dict()}
    outside = "" if row["outside"] is None else f", general {row['outside']:.4f}"
    return f"{label_of(row)}: in-domain {row['in_domain']:.4f}{outside}"


def _show(merged: "Merged") -> None:
    from rich.console import Console
    from rich.table import Table

    from medloom.merge.front import label_of
    from medloom.merge.write import FRONT

    facts = merged.facts
    screen = Console(highlight=False)
    if "sweep" in facts:
        swept = facts["sweep"]
        table = Table("weights", "in-domain", "general", "", box=None, header_style="bold")
        for number, row in enumerate(swept["candidates"]):
            marks = [
                *(["picked"] if number == swept["picked"] else []),
                *(["front"] if row["on_front"] else []),
                *([] if row["allowed"] else ["not allowed"]),
            ]
            outside = "" if row["outside"] is None else f"{row['outside']:.4f}"
            table.add_row(label_of(row), f"{row['in_domain']:.4f}", outside, ", ".join(marks))
        screen.print(table)
        screen.print(f"rule: {swept['rule']}", soft_wrap=True, markup=False)
        screen.print(f"picture: {merged.folder / FRONT}", soft_wrap=True, markup=False)
    for tried in facts.get("soup", {}).get("tried", ()):
        kept = "kept" if tried["kept"] else "left out"
        screen.print(f"{tried['model']}: {tried['in_domain']:.4f}, {kept}", soft_wrap=True, markup=False)
    if "found" in facts:
        losses = ", ".join(f"{loss:.4f}" for loss in facts["found"]["losses"])
        screen.print(f"losses on {facts['found']['examples']} examples: {losses}", soft_wrap=True, markup=False)
    names = ", ".join(parent["name"] for parent in facts["parents"])
    screen.print(f"{facts['method']}, weights {label_of(facts)} of {names}", soft_wrap=True, markup=False)
    screen.print(f"model: {merged.folder}  ({merged.hash[:12]})", soft_wrap=True, markup=False)
