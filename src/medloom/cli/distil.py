"""``medloom distil``: a static student of any dense model."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.errors import MedloomError

if TYPE_CHECKING:
    from medloom.records import Document


def distil(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The teacher: builtin:NAME, a model folder, or a hub id.")],
    out: Annotated[Path, typer.Option(help="Folder of the student.")],
    texts: Annotated[
        list[Path] | None,
        typer.Option(help="Documents that the student is fitted to: artifacts, runs, tables, or files. Repeatable."),
    ] = None,
    dimensions: Annotated[int, typer.Option(min=1, help="Of its vectors; at most those of the teacher.")] = 256,
    words: Annotated[
        int, typer.Option(min=0, help="Words of the texts that become one token each, at most; the most used ones.")
    ] = 10_000,
    sif: Annotated[float, typer.Option(help="A token that is a share p of all text counts sif / (sif + p).")] = 1e-4,
    ridge: Annotated[float, typer.Option(help="How hard distilled vectors hold against the fit to the texts.")] = 0.01,
    limit: Annotated[int, typer.Option(min=1, help="Texts to read at most.")] = 50_000,
    precision: Annotated[str, typer.Option(help="Of the teacher: auto, fp32 or bf16.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace what is in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
) -> None:
    """Make a static student: vectors looked up for each token and averaged, a hundred times faster than its teacher.

    Without texts the teacher reads its vocabulary alone. With texts it reads them too (titles, and texts sentence by
    sentence), and the student is fitted to what it makes of them. A killed command goes on where it stopped when it is given
    again. To train the student on pairs, use a recipe with train.kind: static.
    """
    from rich.console import Console

    from medloom.encode import resolve_model
    from medloom.identity import model_digest
    from medloom.progress import shown_on
    from medloom.train import StaticConfig
    from medloom.train.static import save_student, taught_student

    if out.exists() and not force:
        raise MedloomError(f"--out {out} is there already: give --force to replace it, or another folder")
    if sif <= 0 or ridge <= 0 or precision not in ("auto", "fp32", "bf16"):
        raise MedloomError("--sif and --ridge are above 0, --precision is auto, fp32 or bf16: change what is not")
    config = StaticConfig.model_validate(
        {"kind": "static", "dimensions": dimensions, "words": words, "sif": sif, "ridge": ridge, "precision": precision}
    )
    started = time.perf_counter()
    console = Console(stderr=True)
    partial = out.with_name(f"{out.name}.partial")
    with shown_on(console) if console.is_terminal else nullcontext():
        read = list(_pieces(texts or [], limit, with_words=words > 0))
        student = taught_student(resolve_model(model), [], read, config, partial / "vectors")
        save_student(student, partial / "model")
    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    (partial / "model").replace(out)
    shutil.rmtree(partial)
    embedding: Any = student[0]
    tokens, size = int(embedding.num_embeddings), sum(path.stat().st_size for path in out.rglob("*.safetensors"))
    found = {
        "folder": str(out),
        "hash": model_digest(out),
        "teacher": model,
        "texts": len(read),
        "tokens": tokens,
        "dimensions": int(student.get_embedding_dimension() or 0),
        "bytes": size,
        "seconds": round(time.perf_counter() - started, 1),
    }
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print(f"{tokens:,} tokens of {found['dimensions']} dimensions, fitted to {len(read):,} texts")
        print(f"{size / 1e6:,.1f} MB: {out}")


def _pieces(paths: list[Path], limit: int, with_words: bool) -> Iterator[str]:
    """Distinct titles and sentences of documents, at most so many, in their order.

    Raises:
        MedloomError: A document is patient text, and words of it would stand in the student's tokenizer.
    """
    from medloom.sources.opened import OpenedDocuments
    from medloom.text.sentences import sentence_spans

    def every(document: "Document") -> Iterator[str]:
        yield document.title
        for text in (document.text, *(section.text for section in document.sections)):
            yield from (text[start:end] for start, end in sentence_spans(text))

    seen: set[str] = set()
    for path in paths:
        for document in OpenedDocuments(path)():
            if document.contains_phi and with_words:
                raise MedloomError(
                    f"--texts {path}: it holds patient text, and words of it (names, perhaps) would stand in the student's "
                    "tokenizer: de-identify it first (medloom deid), or give --words 0"
                )
            for piece in every(document):
                if piece.strip() and piece not in seen:
                    if len(seen) == limit:
                        return
                    seen.add(piece)
                    yield piece
