"""``medloom index``: documents in, a folder that can be searched out."""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from medloom.cli.documents import print_skipped
from medloom.errors import MedloomError

if TYPE_CHECKING:
    from medloom.encode import Precision
    from medloom.encode.token_codec import Stored
    from medloom.records import Document
    from medloom.search.build import Summary
    from medloom.search.store import Quantised
    from medloom.sources.opened import OpenedDocuments

_UNITS = ("B", "KB", "MB", "GB")


def index(
    documents: Annotated[
        list[Path], typer.Argument(metavar="DOCS...", help="Documents artifacts, runs, collections, tables, or files.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the index.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="builtin:NAME, a model folder, or a hub id; only for a new index."),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Bring a finished index up to date: add, change, and delete what DOCS lack.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave in the index what DOCS lack.")] = False,
    tokens: Annotated[int | None, typer.Option(min=16, help="Longest chunk, in the model's tokens. [default: 256]")] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, max=10, help="Sentences that a chunk repeats of the one before it. [default: 1]")
    ] = None,
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="Keep the first so many numbers of each vector (Matryoshka models).")
    ] = None,
    quantised: Annotated[
        str | None, typer.Option(help="Search smaller copies of the vectors first: none, int8 or binary. [default: none]")
    ] = None,
    late: Annotated[
        str | None, typer.Option(help="A multi-vector model whose token vectors are kept, to re-rank by late interaction.")
    ] = None,
    late_stored: Annotated[
        str | None, typer.Option(help="What the token vectors are kept as: float16, int8 or binary. [default: float16]")
    ] = None,
    late_pool: Annotated[
        float | None, typer.Option(min=1, help="How many tokens of a chunk become one vector, about. [default: 1]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16. [default: auto]")] = None,
    backend: Annotated[
        Literal["torch", "openvino", "onnx", "auto"],
        typer.Option(
            help="What computes the vectors; auto takes the fastest of those installed, once the model is converted."
        ),
    ] = "torch",
    store: Annotated[
        str | None,
        typer.Option(help="Address of a Qdrant cluster to keep the chunks in, not --out; its key is in QDRANT_API_KEY."),
    ] = None,
    collection: Annotated[str | None, typer.Option(help="Name in the cluster; that of --out if not given.")] = None,
    contains_phi: Annotated[
        bool | None,
        typer.Option("--contains-phi/--no-phi", help="Whether the text is about patients who can be told from it."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Your field that holds the text.")] = None,
    title: Annotated[str | None, typer.Option(help="Your field that holds the title.")] = None,
    sections: Annotated[str | None, typer.Option(help="Your field that holds a list of {heading, text}.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Your field that holds a unique id.")] = None,
    group: Annotated[str | None, typer.Option(help="Your field that says what belongs together (patient, trial).")] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=FIELD]",
            help="A fact to filter by, and your field that holds it if it is called otherwise; repeat.",
        ),
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="A bad row stops the command (fail), or is left out and counted (skip).")
    ] = "fail",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait while another command writes to the index.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Make documents searchable, or bring an index up to date with them.

    The index holds the text of the documents: keep it where they may be kept. A killed command goes on where it stopped when
    it is given again.
    """
    from rich.console import Console

    from medloom.progress import shown_on
    from medloom.search.build import Wanted, build_index
    from medloom.sources.files import FieldMap
    from medloom.sources.opened import OpenedDocuments
    from medloom.sources.rewrite import CountedRejects, Skipped

    console = Console(stderr=True)
    facts = {name: field or name for name, _, field in (given.partition("=") for given in fact or ())}
    fields = FieldMap(id=id_, title=title, text=text, group=group, sections=sections, metadata=facts)
    skip_or_fail: Literal["skip", "fail"] = "skip" if _one_of("on-error", on_error, ("fail", "skip")) == "skip" else "fail"
    opened = [OpenedDocuments(path, fields, contains_phi, skip_or_fail) for path in documents]
    skipped = Skipped()

    def streamed() -> Iterator["Document"]:
        for one in opened:
            yield from one(CountedRejects(skipped))

    wanted = Wanted(
        model,
        _given_precision(precision),
        tokens,
        overlap,
        dimensions,
        _given_quantised(quantised),
        late,
        store,
        collection,
        _given_stored(late_stored),
        late_pool,
        backend,
    )
    try:
        with shown_on(console) if console.is_terminal else nullcontext():
            summary = build_index(streamed(), out, wanted, update=update, keep=keep, wait=wait, total=_total(opened))
    except KeyboardInterrupt:
        console.print("interrupted: give the same command again to go on where it stopped")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(asdict(summary) | {"skipped": skipped.skipped, "problems": skipped.problems}, indent=2))
    else:
        _show(summary)
    print_skipped(console, skipped)


def _one_of(option: str, given: str, known: Sequence[str]) -> str:
    if given not in known:
        raise MedloomError(f"--{option} {given}: give {', '.join(known[:-1])} or {known[-1]}")
    return given


def _given_precision(given: str | None) -> "Precision | None":
    if given is None:
        return None
    return _one_of("precision", given, ("auto", "fp32", "bf16"))  # type: ignore[return-value]


def _given_quantised(given: str | None) -> "Quantised | None":
    if given is None:
        return None
    return _one_of("quantised", given, ("none", "int8", "binary"))  # type: ignore[return-value]


def _given_stored(given: str | None) -> "Stored | None":
    if given is None:
        return None
    return _one_of("late-stored", given, ("float16", "int8", "binary"))  # type: ignore[return-value]


def _total(opened: "Sequence[OpenedDocuments]") -> int | None:
    """Documents in all, where that takes only a moment."""
    import pyarrow.parquet as pq

    tables = [one.table for one in opened]
    return sum(pq.read_metadata(table).num_rows for table in tables if table) if all(tables) else None


def _show(summary: "Summary") -> None:
    from rich.console import Console

    console = Console()

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    say(
        f"{summary.documents:,} documents, {summary.chunks:,} chunks: {summary.added:,} added, {summary.changed:,} changed, "
        f"{summary.deleted:,} deleted, {summary.unchanged:,} as they were"
    )
    say(f"{summary.texts:,} texts embedded in {summary.seconds:.1f} s ({summary.texts_per_second:,.0f} a second)")
    for number, what in (
        (summary.repeated, "documents came twice, the same each time"),
        (summary.empty, "documents hold no text: nothing of them can be found"),
        (summary.unfinished, "documents of a killed command are half written: give them again"),
    ):
        if number:
            say(f"{number:,} {what}")
    if summary.contains_phi is not False:
        who = "is about patients" if summary.contains_phi else "may be about patients: nobody has said that it is not"
        say(f"the index holds the text of the documents, which {who}")
    say(f"{_size(summary.bytes)}: {summary.folder}")


def _size(size: float) -> str:
    for unit in _UNITS:
        if size < 1_000 or unit == _UNITS[-1]:
            break
        size /= 1_000
    return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
