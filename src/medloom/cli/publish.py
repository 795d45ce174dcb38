"""``medloom publish``: a model for another runtime, checked."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloom.errors import MedloomError

if TYPE_CHECKING:
    from medloom.publish.export import Checks

_ADVICE = {"static": "a static student is trained, not exported: see medloom distil"}


def publish(
    model: Annotated[str, typer.Argument(help="builtin:NAME, a SentenceTransformer folder, or a hub id.")],
    out: Annotated[Path, typer.Option(help="Folder of the export.")],
    form: Annotated[
        str, typer.Option("--format", help="openvino or onnx (fp32), int8 (OpenVINO, static) or onnx-int8 (dynamic).")
    ] = "openvino",
    texts: Annotated[
        Path | None,
        typer.Option(help="Real text to compare on, as medloom index reads it. Definitions of the HPO if not given."),
    ] = None,
    field: Annotated[str | None, typer.Option(help="Your field of --texts that holds the text.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Texts to compare on, at most.")] = 256,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="Set that both models are put to: open:NAME, a folder in BEIR's layout, a table, or mteb:NAME. Repeatable."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Export a model, and check the export against its source: vectors, tasks, speed.

    An export that differs by more than is allowed is refused with the figures, and nothing is left behind.
    """
    from rich.console import Console

    from medloom.encode.sample import sample_texts
    from medloom.merge.tasks import read_tasks
    from medloom.progress import shown_on
    from medloom.publish.export import FORMATS, check_free, export_model

    if form not in FORMATS:
        advice = _ADVICE.get(form, f"give {', '.join(FORMATS)}")
        raise MedloomError(f"--format {form}: {advice}")
    check_free(out, force)
    console = Console(stderr=True)
    with shown_on(console) if console.is_terminal else nullcontext():
        compared = list(islice(_read(texts, field), count)) if texts else list(sample_texts(count))
        tasks = read_tasks(task or (), None, lambda line: console.print(line, soft_wrap=True, markup=False))
        checks = export_model(model, form, out, compared, tasks, force)
    if as_json:
        print(json.dumps({"out": str(out), **checks.model_dump(mode="json")}, indent=2, ensure_ascii=False))
    else:
        _show(checks, out)


def _read(path: Path, field: str | None) -> Iterator[str]:
    """Texts of documents that have some."""
    from medloom.encode.job import document_text
    from medloom.sources.files import FieldMap
    from medloom.sources.opened import OpenedDocuments

    for document in OpenedDocuments(path, FieldMap(text=field))():
        text = document_text(document)
        if text:
            yield text


def _show(checks: "Checks", out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    screen = Console(highlight=False)
    table = Table("check", "source", "export", "allowed", box=None, header_style="bold")
    cosine = f"{checks.parity.least:.5f} / {checks.parity.mean:.5f}"
    allowed = f"{checks.limits.least} / {checks.limits.mean}"
    table.add_row(f"cosine of {checks.parity.texts} texts, least / mean", "", cosine, allowed)
    for one in checks.tasks:
        change = f"{one.export:.4f} ({one.change:+.4f})"
        table.add_row(f"{one.task}, {one.metric}", f"{one.source:.4f}", change, f"± {checks.limits.change}")
    table.add_row("texts a second", f"{checks.source_texts_per_second:,.1f}", f"{checks.texts_per_second:,.1f}", "")
    screen.print(table)
    screen.print(f"measured on {checks.machine}", soft_wrap=True, markup=False)
    screen.print(f"{checks.bytes / 1e6:,.1f} MB: {out}", soft_wrap=True, markup=False)
