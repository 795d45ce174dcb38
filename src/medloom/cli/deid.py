"""``medloom deid``: notes in, notes without identifiers out."""

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.cli.documents import files_source, print_skipped
from medloom.errors import MedloomError

if TYPE_CHECKING:
    from rich.console import Console

    from medloom.deid.config import DeidConfig
    from medloom.deid.run import Summary

_KEY = "deid.key"


def deid(
    notes: Annotated[
        str,
        typer.Argument(metavar="IN", help="A file, folder or glob pattern, as a files source reads; or documents.parquet."),
    ],
    out: Annotated[Path, typer.Option(help="The file to write: .jsonl or .parquet.")],
    spans: Annotated[
        Path | None, typer.Option(help="Write what was found as JSONL: id, part, start, end, kind; never the text.")
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(help="Write a page to look over. It holds the notes as they were: keep it with them.")
    ] = None,
    audit_notes: Annotated[int, typer.Option(min=1, help="How many notes the page shows, drawn by seed.")] = 200,
    seed: Annotated[int, typer.Option(help="Draws the notes of the page; surrogates are drawn by the key alone.")] = 0,
    key: Annotated[
        Path | None, typer.Option(help="The secret that surrogates are drawn from; deid.key beside OUT, made if missing.")
    ] = None,
    method: Annotated[str, typer.Option(help="surrogate, tag or remove.")] = "surrogate",
    detector: Annotated[str, typer.Option(help="rules+ner, or rules (faster, finds less).")] = "rules+ner",
    ids: Annotated[str, typer.Option(help="hash: ids and groups become keyed hashes; keep: they stay.")] = "hash",
    text: Annotated[str | None, typer.Option(help="Your field that holds the text.")] = None,
    title: Annotated[str | None, typer.Option(help="Your field that holds the title.")] = None,
    sections: Annotated[str | None, typer.Option(help="Your field that holds a list of {heading, text}.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Your field that holds a unique id.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Your field that tells patients apart: surrogates are the same within one.")
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="A bad row stops the command (fail), or is left out and counted (skip).")
    ] = "fail",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Replace the 18 identifiers of HIPAA's Safe Harbor in clinical notes.

    The same notes, settings and key give the same file. No detector finds everything: look at --audit.
    """
    from rich.console import Console

    from medloom.deid.audit import AuditSample
    from medloom.deid.detect import load_detector
    from medloom.deid.keys import key_fingerprint, load_key
    from medloom.deid.replace import Deidentifier
    from medloom.deid.run import Summary, Targets, deidentify
    from medloom.progress import bar, shown_on
    from medloom.sources.rewrite import CountedRejects, own_table, read_documents

    started = time.perf_counter()
    console = Console(stderr=True)
    config = _config(method, detector, ids)
    fields = {"id": id_, "title": title, "text": text, "group": group, "sections": sections}
    source = files_source(notes, fields, on_error)
    targets = Targets(out, spans, audit)
    targets.check(source, force)
    total = None if own_table(source) else source.count()
    key_path = key or out.parent / _KEY
    secret = load_key(key_path)
    deidentifier = Deidentifier(config, load_detector(config.detector), secret)
    summary = Summary()
    with shown_on(console) if console.is_terminal else nullcontext(), bar("de-identifying", total, "notes") as advance:

        def counted() -> Any:  # noqa: ANN401
            for document in read_documents(source, CountedRejects(summary)):
                yield document
                advance()

        deidentify(counted(), deidentifier, targets, AuditSample(audit_notes, seed), summary)
    result = {
        "out": str(out),
        "documents": summary.documents,
        "with_identifiers": summary.with_identifiers,
        "found": summary.counts,
        "skipped": summary.skipped,
        "problems": summary.problems,
        "mark": deidentifier.mark,
        "key": {"file": str(key_path), "fingerprint": key_fingerprint(secret)},
        "spans": str(spans) if spans else None,
        "audit": str(audit) if audit else None,
        "seconds": round(time.perf_counter() - started, 2),
    }
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _show(summary, result)
    _warn(console, key_path, audit, summary)


def _config(method: str, detector: str, ids: str) -> "DeidConfig":
    from pydantic import ValidationError

    from medloom.deid.config import DeidConfig

    try:
        return DeidConfig.model_validate({"method": method, "detector": detector, "ids": ids})
    except ValidationError as error:
        first = error.errors()[0]
        raise MedloomError(f"--{first['loc'][0]}: {first['msg'].replace('Input should be', 'give')}") from None


def _show(summary: "Summary", result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from medloom.deid.audit import kind_rows

    table = Table(title=f"Found in {summary.documents:,} notes")
    for heading in ("kind", "Safe Harbor", "found"):
        table.add_column(heading, justify="right" if heading == "found" else "left")
    for row in kind_rows(summary.counts):
        if row.count:
            table.add_row(row.kind, f"({row.letter}) {row.name}", f"{row.count:,}")
    console = Console()
    console.print(table)
    found = f"something was found in {summary.with_identifiers:,} of {summary.documents:,} notes"
    console.print(f"{found}, in {result['seconds']:.1f} s ({result['mark']})", markup=False)
    console.print(f"written: {result['out']}", soft_wrap=True, markup=False)


def _warn(console: "Console", key: Path, audit: Path | None, summary: "Summary") -> None:
    """What the user must know, on standard error."""
    print_skipped(console, summary)
    console.print(
        f"key: {key} draws the surrogates and can undo the date shift: keep it as the notes are kept, and never pass it on "
        "with the output",
        soft_wrap=True,
        markup=False,
    )
    if audit:
        console.print(f"audit: {audit} holds the notes as they were: keep it with them", soft_wrap=True, markup=False)
    else:
        console.print("no detector finds everything: look over a sample with --audit FILE.html", markup=False)
