"""``medloom search``: ask an index, or find out which way of asking it is best."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from medloom.errors import MedloomError

if TYPE_CHECKING:
    from rich.console import Console

    from medloom.search.index import Index
    from medloom.search.query import SearchSettings

_ASK = "ask"


class _AsksByDefault(TyperGroup):
    """``medloom search IDX QUERY`` is short for ``medloom search ask IDX QUERY``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Put the command in where none is named."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [_ASK, *args]
        return super().parse_args(ctx, args)


search = typer.Typer(
    cls=_AsksByDefault,
    no_args_is_help=True,
    help="Ask an index: medloom search IDX QUERY, short for medloom search ask IDX QUERY.",
)

IndexFolder = Annotated[Path, typer.Argument(metavar="IDX", help="Folder of the index, from medloom index.")]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="The index's model, where it is not to be had under its name.")
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", help="name=value, with =, !=, <, <=, >, >=, and | between values that will do. Repeatable."),
]
Rerank = Annotated[
    str | None,
    typer.Option(help="Cross-encoder or multi-vector model that orders the best anew; late: by the index's token vectors."),
]
Depth = Annotated[int, typer.Option(min=1, max=1_000, help="How many chunks are re-ranked.")]
Expand = Annotated[
    list[str] | None,
    typer.Option(help="Add other names of what the query names: lay, abbreviations, or both. Repeatable."),
]
Weights = Annotated[str | None, typer.Option(help="What each way counts when fused: dense=0.7,lexical=0.3.")]
Candidates = Annotated[int, typer.Option(min=1, max=10_000, help="Chunks that each way of searching gives.")]
Dimensions = Annotated[int | None, typer.Option(min=1, help="Compare by the first so many numbers of each vector.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")]


@search.command(_ASK)
def ask(
    index: IndexFolder,
    query: Annotated[str | None, typer.Argument(help="What to search for.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=1_000, help="How many results.")] = 10,
    mode: Annotated[str, typer.Option(help="dense, lexical or fused.")] = "fused",
    filter_: Filters = None,
    rerank: Rerank = None,
    depth: Depth = 50,
    expand: Expand = None,
    weights: Weights = None,
    candidates: Candidates = 100,
    per_document: Annotated[
        bool, typer.Option("--per-document/--chunks", help="The best chunk of each document only, or all.")
    ] = True,
    quantised: Annotated[
        str | None, typer.Option(help="none: leave the smaller copies of the vectors that the index keeps.")
    ] = None,
    dimensions: Dimensions = None,
    evidence: Annotated[
        str, typer.Option(help="What finds the sentence that answers best: model, words or none.")
    ] = "model",
    like: Annotated[str | None, typer.Option(help="Id of a chunk: more like it, instead of a query.")] = None,
    batch: Annotated[
        Path | None, typer.Option(help="Queries from a JSONL, CSV or TSV file, or the lines of a .txt; needs --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --batch: JSONL of the answers; gone on with after a kill.")] = None,
    model: Model = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say of each result how it came about.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search an index for a query, for many from a file, or for more like a chunk that was found."""
    from medloom.cli.search_print import print_answer
    from medloom.search.index import open_index

    _check_one_of(query, like, batch, out)
    settings = _settings(
        k=k,
        mode=mode,
        filter=tuple(filter_ or ()),
        **_reranking(rerank),
        depth=depth,
        expand=_listed(expand),
        weights=_weights(weights),
        candidates=candidates,
        per_document=per_document,
        quantised=quantised,
        dimensions=dimensions,
        evidence=evidence,
        explain=explain,
    )
    with open_index(index, model) as opened:
        if batch and out:
            _search_file(opened, batch, out, settings, as_json)
            return
        answer = _answer(opened, query, like, settings)
    if as_json:
        print(json.dumps(answer.to_dict(), indent=2, ensure_ascii=False))
    else:
        print_answer(answer)


@search.command("eval")
def eval_(
    index: IndexFolder,
    task: Annotated[
        Path, typer.Option(help="Folder with queries.jsonl and qrels.tsv by document id, corpus.jsonl or not (BEIR).")
    ],
    learn: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the queries to learn weights on; the others judge.")
    ] = 0.0,
    filter_: Filters = None,
    rerank: Rerank = None,
    depth: Depth = 50,
    expand: Expand = None,
    weights: Weights = None,
    dimensions: Dimensions = None,
    resamples: Annotated[int, typer.Option(min=100, help="Of bootstrap and permutation test.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Draws everything that is drawn.")] = 0,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Judge dense, lexical, fused and re-ranked search of an index on queries with known answers."""
    from medloom.cli.search_print import print_report
    from medloom.search.evaluate import evaluate
    from medloom.search.index import open_index
    from medloom.search.judged import read_judged

    settings = _settings(
        filter=tuple(filter_ or ()),
        **_reranking(rerank),
        depth=depth,
        expand=_listed(expand),
        weights=_weights(weights),
        dimensions=dimensions,
    )
    if learn and settings.weights:
        raise MedloomError("--weights and --learn: give one of them")
    judged = read_judged(task)
    with _console(), open_index(index, model) as opened:
        report = evaluate(opened, judged, settings, learn=learn, resamples=resamples, seed=seed)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        print_report(report)


def _check_one_of(query: str | None, like: str | None, batch: Path | None, out: Path | None) -> None:
    if sum(one is not None for one in (query, like, batch)) != 1:
        raise MedloomError("give one of these: a query, --like, or --batch")
    if (batch is None) != (out is None):
        raise MedloomError("--batch and --out go together: queries from a file, answers into another")


def _answer(index: "Index", query: str | None, like: str | None, settings: "SearchSettings") -> Any:  # noqa: ANN401
    from medloom.search.like import more_like
    from medloom.search.query import search as search_

    return more_like(index, like, settings) if like is not None else search_(index, query or "", settings)


def _search_file(index: "Index", batch: Path, out: Path, settings: "SearchSettings", as_json: bool) -> None:
    from dataclasses import asdict

    from medloom.search.batch import search_file

    with _console() as console:
        try:
            summary = search_file(index, batch, out, settings)
        except KeyboardInterrupt:
            console.print("interrupted: give the same command again to go on where it stopped")
            raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(asdict(summary), indent=2))
    else:
        print(f"{summary.searched:,} of {summary.queries:,} queries searched ({summary.kept:,} were there): {summary.out}")


def _settings(**given: Any) -> "SearchSettings":  # noqa: ANN401
    from pydantic import ValidationError

    from medloom.search.query import SearchSettings

    try:
        return SearchSettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-") if first["loc"] else "rerank"
        raise MedloomError(f"--{option}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error


def _reranking(model: str | None) -> dict[str, str | None]:
    from medloom.search.rerank import kind_of

    if model is None:
        return {}
    if model == "late":
        return {"rerank": "late"}
    return {"rerank": kind_of(model), "rerank_model": model}


def _listed(given: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for one in given or () for name in one.split(",") if name.strip())


def _weights(given: str | None) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in (given or "").split(","):
        name, _, value = part.partition("=")
        if not part.strip():
            continue
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            raise MedloomError("--weights: give dense=NUMBER,lexical=NUMBER") from None
    return weights


@contextmanager
def _console() -> "Iterator[Console]":
    """Standard error, with bars if it is a terminal."""
    from contextlib import nullcontext

    from rich.console import Console

    from medloom.progress import shown_on

    console = Console(stderr=True)
    with shown_on(console) if console.is_terminal else nullcontext():
        yield console
