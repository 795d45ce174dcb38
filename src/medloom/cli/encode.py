"""``medloom encode``: documents in, a folder of vectors out."""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from medloom.cli.documents import print_skipped
from medloom.cli.sharing import AddressOption, AllowOption, CoresOption, EngineOption, GpusOption, WorkersOption, sharing_of
from medloom.errors import MedloomError

if TYPE_CHECKING:
    from medloom.encode.job import Encoded, EncodeSettings, Item

_ROLES = ("document", "query", "none")
_FORMS = ("parquet", "npy")
_KEPT = ("float32", "float16", "int8", "binary")
_LONG = ("cut", "pool")


def encode(
    documents: Annotated[
        list[Path], typer.Argument(metavar="IN...", help="Documents artifacts, runs, collections, tables, or files.")
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="builtin:NAME, a model folder, an export, a hub id, or openai:URL#MODEL on this machine."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the vectors.")],
    backend: Annotated[
        str, typer.Option(help="torch, openvino, onnx, or auto: the fastest here, measured on a second of text.")
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto (bf16 where the processor computes in it), fp32, bf16 or int8.")
    ] = "auto",
    form: Annotated[
        str, typer.Option("--format", help="parquet (ids and vectors), or npy (one file to memory-map, and tables of ids).")
    ] = "parquet",
    stored: Annotated[str, typer.Option(help="What vectors are kept as: float32, float16, int8 or binary.")] = "float16",
    role: Annotated[str, typer.Option(help="Whose prompt of the model's goes before the text: document, query or none.")] = (
        "document"
    ),
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="Keep the first so many numbers of each vector (Matryoshka models).")
    ] = None,
    long: Annotated[
        str, typer.Option(help="Text longer than the model reads: cut it, or pool the vectors of its stretches.")
    ] = "cut",
    contains_phi: Annotated[
        bool | None,
        typer.Option("--contains-phi/--no-phi", help="Whether the text is about patients who can be told from it."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Your field that holds the text.")] = None,
    title: Annotated[str | None, typer.Option(help="Your field that holds the title.")] = None,
    sections: Annotated[str | None, typer.Option(help="Your field that holds a list of {heading, text}.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Your field that holds a unique id.")] = None,
    on_error: Annotated[
        str, typer.Option(help="A bad row stops the command (fail), or is left out and counted (skip).")
    ] = "fail",
    allow_phi_to: AllowOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    worker_cores: CoresOption = None,
    worker_gpus: GpusOption = None,
    address: AddressOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Turn documents into vectors, in order, each distinct text once.

    A killed command goes on where it stopped when it is given again. Given again for documents that changed, it computes
    only the parts that are others. Keep vectors of patients' text as you keep the text: much of it can be read back.
    """
    from rich.console import Console

    from medloom.cli.encoding import BACKENDS, PRECISIONS, Opening, is_endpoint, open_encoder, reading, settings_for
    from medloom.deid.gate import CLUSTER, checked
    from medloom.encode.job import encode_documents, read_settings
    from medloom.encode.spec import spec_of
    from medloom.engine import joined_cluster, open_engine
    from medloom.folders import check_is_file_system
    from medloom.progress import shown_on
    from medloom.sources.files import FieldMap
    from medloom.sources.opened import OpenedDocuments
    from medloom.sources.rewrite import CountedRejects, Skipped

    for option, given, known in (
        *(("backend", backend, BACKENDS), ("precision", precision, PRECISIONS), ("format", form, _FORMS)),
        *(
            ("stored", stored, _KEPT),
            ("role", role, _ROLES),
            ("long", long, _LONG),
            ("on-error", on_error, ("fail", "skip")),
        ),
    ):
        _check(option, given, known)
    sharing = sharing_of(engine, workers, worker_cores, worker_gpus, address)
    if is_endpoint(model) and sharing != sharing_of(None, None, None, None, None):
        raise MedloomError(f"--model {model}: a server is asked from this process alone: leave --engine and --workers out")
    check_is_file_system(out)
    host = CLUSTER if joined_cluster(sharing) else None
    console = Console(stderr=True)
    fields = FieldMap(id=id_, title=title, text=text, sections=sections)
    skip_or_fail: Literal["skip", "fail"] = "skip" if on_error == "skip" else "fail"
    opened = [OpenedDocuments(path, fields, contains_phi, skip_or_fail) for path in documents]
    skipped = Skipped()
    with shown_on(console) if console.is_terminal else nullcontext():
        encoder = open_encoder(model, precision, backend, read_settings(out))
        settings = settings_for(model, encoder, role, dimensions, form, stored, long)
        to_item, count_cut = reading(encoder, settings)
        marks: list[bool | None] = [False]

        def items() -> Iterator["Item"]:
            for one in opened:
                for document in checked(one(CountedRejects(skipped)), host, allow_phi_to or (), "encode"):
                    marks[0] = _marked(marks[0], document.contains_phi)
                    yield to_item(document)

        try:
            with open_engine(sharing) as shared:
                opening = Opening(spec_of(encoder, model, shared), settings)
                total = _total(opened)
                result = encode_documents(items(), encoder, out, settings, count_cut, total, engine=shared, opener=opening)
        except KeyboardInterrupt:
            console.print("interrupted: give the same command again to go on where it stopped")
            raise typer.Exit(130) from None
    choice = getattr(encoder, "choice", "")
    said = {
        **asdict(result),
        "share_cut": round(result.share_cut, 4),
        **settings.model_dump(mode="json"),
        "choice": choice,
        "contains_phi": marks[0],
        "skipped": skipped.skipped,
        "problems": skipped.problems,
    }
    if as_json:
        print(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        _show(result, settings, choice, marks[0])
    print_skipped(console, skipped)


def _check(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise MedloomError(f"--{option} {given}: give {', '.join(known[:-1])} or {known[-1]}")


def _marked(before: bool | None, document: bool | None) -> bool | None:
    """Whether any text is about patients; None if nobody has said of some."""
    return True if before or document else (None if before is None or document is None else False)


def _total(opened: Sequence[Any]) -> int | None:
    """Documents in all, where that takes only a moment."""
    import pyarrow.parquet as pq

    tables = [one.table for one in opened]
    return sum(pq.read_metadata(table).num_rows for table in tables) if all(tables) else None


def _show(result: "Encoded", settings: "EncodeSettings", choice: str, contains_phi: bool | None) -> None:
    from rich.console import Console

    console = Console()

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False, highlight=False)

    say(
        f"{result.documents:,} documents: {result.computed:,} texts computed, {result.repeated:,} the same as an earlier "
        f"one, {result.kept:,} done before"
    )
    if result.computed:
        how = choice or f"{settings.backend} {settings.precision}".strip()
        say(f"{result.texts_per_second:,.0f} texts a second with {how}")
    if result.cut:
        say(f"cut to what the model reads: {result.cut:,} ({result.share_cut:.1%}); --long pool reads all of them")
    if result.pooled:
        say(f"longer than the model reads, mean of several stretches: {result.pooled:,}")
    if result.empty:
        say(f"without text: {result.empty:,}")
    if contains_phi is not False:
        who = "is about patients" if contains_phi else "may be about patients: nobody has said that it is not"
        say(f"the text {who}: keep the vectors as you keep the text")
    say(f"{settings.dimensions} numbers each, {settings.stored}: {result.folder}")
