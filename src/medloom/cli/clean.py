"""``medloom clean``: documents in, clean documents out."""

import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.cli.documents import files_source, print_skipped

if TYPE_CHECKING:
    from medloom.clean import CleanCounts
    from medloom.records import Document


def clean(
    documents: Annotated[
        str,
        typer.Argument(metavar="IN", help="A file, folder or glob pattern, as a files source reads; or documents.parquet."),
    ],
    out: Annotated[Path, typer.Option(help="The file to write: .jsonl or .parquet.")],
    repair: Annotated[bool, typer.Option(help="Undo wrong decodings, entities, odd white space and torn words.")] = True,
    boilerplate: Annotated[bool, typer.Option(help="Take out notices, reference sections and page furniture.")] = True,
    language: Annotated[
        list[str] | None, typer.Option(help="Keep this language (en, de, ...) and what is too short to tell. Repeatable.")
    ] = None,
    min_chars: Annotated[int, typer.Option(min=0, help="Drop documents with less text.")] = 0,
    max_chars: Annotated[int | None, typer.Option(min=100, help="Cut longer text where a sentence ends.")] = None,
    keep_retracted: Annotated[bool, typer.Option("--keep-retracted", help="Keep what was retracted.")] = False,
    licence: Annotated[
        list[str] | None,
        typer.Option(help="Keep documents under this licence (cc0, cc-by, ...; not-stated for none). Repeatable."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Your field that holds the text.")] = None,
    title: Annotated[str | None, typer.Option(help="Your field that holds the title.")] = None,
    sections: Annotated[str | None, typer.Option(help="Your field that holds a list of {heading, text}.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Your field that holds a unique id.")] = None,
    group: Annotated[str | None, typer.Option(help="Your field that says what a split must keep together.")] = None,
    on_error: Annotated[
        str, typer.Option(help="A bad row stops the command (fail), or is left out and counted (skip).")
    ] = "fail",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Repair the text of documents, take out boilerplate, and keep those that are wanted.

    Everything that is dropped is counted by reason. The same documents and settings give the same file.
    """
    from rich.console import Console

    from medloom.clean import CleanConfig
    from medloom.clean.run import clean_to
    from medloom.progress import bar, shown_on
    from medloom.recipe import settings_of
    from medloom.sources.rewrite import CountedRejects, Skipped, check_targets, own_table, read_documents

    started = time.perf_counter()
    console = Console(stderr=True)
    settings = {
        "repair": repair,
        "boilerplate": boilerplate,
        "languages": language or None,
        "min_chars": min_chars,
        "max_chars": max_chars,
        "drop_retracted": not keep_retracted,
        "licences": licence or None,
    }
    config = settings_of(CleanConfig, settings, (), "the options")
    fields = {"id": id_, "title": title, "text": text, "group": group, "sections": sections}
    source = files_source(documents, fields, on_error)
    check_targets(out, (), source, force)
    skipped = Skipped()
    total = None if own_table(source) else source.count()
    with shown_on(console) if console.is_terminal else nullcontext(), bar("cleaning", total, "documents") as advance:

        def counted() -> Iterator["Document"]:
            for document in read_documents(source, CountedRejects(skipped)):
                yield document
                advance()

        counts = clean_to(out, counted(), config)
    result = {
        "out": str(out),
        "read": counts.documents,
        "written": counts.documents - counts.dropped.total(),
        "dropped": dict(sorted(counts.dropped.items())),
        "changed": dict(sorted(counts.changed.items())),
        "removed": dict(sorted(counts.removed.items())),
        "skipped": skipped.skipped,
        "problems": skipped.problems,
        "seconds": round(time.perf_counter() - started, 2),
    }
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _show(counts, result)
    print_skipped(console, skipped)


def _show(counts: "CleanCounts", result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{result['written']:,} of {counts.documents:,} documents written")
    for heading in ("what", "which", "how often"):
        table.add_column(heading, justify="right" if heading == "how often" else "left")
    for what, numbers in (("dropped", counts.dropped), ("changed", counts.changed), ("taken out", counts.removed)):
        for which, number in sorted(numbers.items()):
            table.add_row(what, which.replace("_", " "), f"{number:,}")
    console.print(table)
    console.print(f"written in {result['seconds']:.1f} s: {result['out']}", soft_wrap=True, markup=False)
