"""``medloom mine`` and ``medloom export-triplets``: hard negatives for records at hand, and records in others' forms."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.cli.sharing import (
    AddressOption,
    AllowOption,
    CoresOption,
    EngineOption,
    GpusOption,
    WorkersOption,
    sharing_settings,
)
from medloom.errors import ArtifactError, MedloomError, RunLockedError, StageError
from medloom.folders import check_is_file_system

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medloom.encode import Precision
    from medloom.mine import NegativesConfig
    from medloom.mine.relations import Relations
    from medloom.records import TrainingRecord

Documents = Annotated[
    Path | None,
    typer.Option(help="The documents that the records were made from: a table, a run's folder, or a file of rows."),
]
_GENERATED = "generated.parquet"
_SUMMARY = ("settings", "model", "records", "reasons", "allow_phi_to")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what an earlier call wrote.")]


def mine(
    pairs: Annotated[
        Path, typer.Argument(help="Records: pairs.parquet, generated.parquet, ..., or JSONL with query and positives.")
    ],
    out: Annotated[Path, typer.Option(help="The .parquet file to write; beside it a .json file with the counts.")],
    base: Annotated[
        str, typer.Option(help="The model that candidates are found and scored with.")
    ] = "builtin:all-MiniLM-L6-v2",
    documents: Documents = None,
    per_query: Annotated[int | None, typer.Option(help="Hard negatives to keep for each query.")] = None,
    methods: Annotated[str | None, typer.Option(help="Where to look: dense, bm25, or dense,bm25.")] = None,
    margin: Annotated[
        float | None, typer.Option(help="How much less similar than the positive a candidate must be.")
    ] = None,
    depth: Annotated[int | None, typer.Option(help="Candidates of each method to look at for each query.")] = None,
    guide: Annotated[str | None, typer.Option(help="Another embedding model, under which the margin must hold too.")] = None,
    cross_encoder: Annotated[
        str | None, typer.Option("--cross-encoder", help="A cross-encoder that has the last word on each candidate.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting of negatives: like_positive=0.9. Repeatable.")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32, bf16, or auto.")] = "auto",
    allow_phi_to: AllowOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    worker_cores: CoresOption = None,
    worker_gpus: GpusOption = None,
    address: AddressOption = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Give records hard negatives, and drop those that answer the query after all.

    Negatives that a record comes with stay in front if they pass the filters. A killed call goes on where it stopped.
    """
    from medloom.cli.bench_print import console

    config = _config(
        {
            "per_query": per_query,
            "methods": [part.strip() for part in methods.split(",")] if methods is not None else None,
            "margin": margin,
            "depth": depth,
            "guide": guide,
            "cross_encoder": cross_encoder,
            **sharing_settings(engine, workers, worker_cores, worker_gpus, address),
        },
        set_ or [],
    )
    check_is_file_system(pairs, out, documents)
    if out.suffix != ".parquet":
        raise StageError(f"--out {out}: the records are written as Parquet: give the file such a name")
    with console() as tell, _held(out, force):
        _check_cluster(config, documents, allow_phi_to or ())
        result = _mine(pairs, out, base, documents, config, precision, tell)
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _show_mined(result)


def export_triplets(
    records: Annotated[Path, typer.Argument(help="Records with negatives: mined.parquet, ..., or JSONL.")],
    out: Annotated[Path, typer.Option(help="What to write: a .parquet file, a .jsonl file, or a folder.")],
    form: Annotated[str, typer.Option("--format", help="sentence-transformers, flagembedding, or hub.")],
    shape: Annotated[
        str, typer.Option(help="For sentence-transformers: triplet, n-tuple (negative_1, ...), or pair.")
    ] = "triplet",
    negatives: Annotated[int, typer.Option(help="Negatives of an n-tuple; records with fewer are left out.")] = 1,
    documents: Documents = None,
    no_phi: Annotated[
        bool, typer.Option("--no-phi", help="For hub: text that nobody has marked is not about patients.")
    ] = False,
    allow_phi_to: Annotated[
        list[str] | None,
        typer.Option(help="For hub: publish lets patient text through as it is; it is recorded in the card. Repeatable."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="For hub: name of the data set; the folder's if not given.")] = None,
    licence: Annotated[str, typer.Option(help="For hub: as the hub writes it.")] = "other",
    language: Annotated[str, typer.Option(help="For hub: ISO 639-1.")] = "en",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write records as sentence-transformers, FlagEmbedding or the hub read them."""
    from medloom.cli.bench_print import console
    from medloom.mine.dataset_card import DatasetFacts
    from medloom.mine.export import export_triplets as export
    from medloom.mine.marks import marks_of
    from medloom.mine.reading import read_records

    with console():
        facts = DatasetFacts(name or out.name, licence, language, _made(records), no_phi, tuple(allow_phi_to or ()))
        done = export(
            read_records(records),
            out,
            form,  # type: ignore[arg-type]
            shape=shape,  # type: ignore[arg-type]
            negatives=negatives,
            facts=facts,
            marks=marks_of(_documents(documents)) if documents and form == "hub" else None,
            force=force,
        )
    result = {
        "out": str(done.path),
        "format": done.form,
        "records": done.records,
        "rows": done.rows,
        "left_out": dict(sorted(done.left_out.items())),
        "tasks": dict(sorted(done.tasks.items())),
    }
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return
    print(f"{done.rows:,} rows of {done.records:,} records: {done.path}")
    for reason, n in sorted(done.left_out.items()):
        print(f"left out, {reason.replace('_', ' ')}: {n:,}")


def _config(given: dict[str, Any], overrides: list[str]) -> "NegativesConfig":
    from medloom.mine import NegativesConfig
    from medloom.recipe import settings_of

    return settings_of(NegativesConfig, {k: v for k, v in given.items() if v is not None}, overrides, "mine")


@contextmanager
def _held(out: Path, force: bool) -> Iterator[None]:
    """Nobody else writes this file, and nothing is there that would be lost."""
    from filelock import FileLock, Timeout

    from medloom.artifacts import disk_errors
    from medloom.mine.export import make_parent

    if out.is_dir() or (out.exists() and not force):
        what = "a folder" if out.is_dir() else "there already (--force replaces it)"
        raise ArtifactError(f"--out {out} is {what}: give another name")
    lock = out.with_name(f"{out.name}.lock")
    with disk_errors(out.parent):
        make_parent(out)
        try:
            with FileLock(lock, timeout=0):
                yield
                lock.unlink(missing_ok=True)
        except Timeout:
            raise RunLockedError(out) from None


def _mine(
    pairs: Path,
    out: Path,
    base: str,
    documents: Path | None,
    config: "NegativesConfig",
    precision: str,
    tell: "Callable[[str], None]",
) -> dict[str, Any]:
    from medloom.artifacts import write_json, write_table
    from medloom.encode import VectorFolder, load_encoder, resolve_model
    from medloom.encode.cross import load_cross_encoder
    from medloom.encode.spec import spec_of
    from medloom.engine import HOW_ONLY, Engine, open_engine
    from medloom.identity import file_digest, text_hash
    from medloom.mine.reading import read_records
    from medloom.mine.run import mine_task_group, target_group
    from medloom.progress import bar
    from medloom.records import TrainingRecord

    started = time.monotonic()
    records = list(read_records(pairs))
    relations = _relations(documents, records)
    model = resolve_model(base)
    encoder = load_encoder(model, _precision(precision))
    second = load_encoder(resolve_model(config.guide), _precision(precision)) if config.guide else None
    cross = load_cross_encoder(config.cross_encoder) if config.cross_encoder else None
    what = file_digest(pairs)
    vectors = out.with_name(f"{out.name}.vectors").absolute()
    counts: dict[str, int] = {}
    origins: dict[str, int] = {}
    kept: dict[str, int] = {}

    def mined(engine: Engine) -> Iterator[TrainingRecord]:
        base_spec = spec_of(encoder, base, engine)
        guide_spec = spec_of(second, config.guide, engine) if second and config.guide else None
        for key, group in groupby(sorted(records, key=target_group), key=target_group):
            ours = list(group)
            tell(f"{key[0]}: {len(ours):,} records that look for a {key[1]}")
            folder = vectors / text_hash("\0".join(key)).hex()
            guided = VectorFolder(second, folder / "guide", what, engine, guide_spec) if second else None
            base_vectors = VectorFolder(encoder, folder / "base", what, engine, base_spec)
            with bar(f"mining {key[0]}", len(ours), "records") as advance:
                for record in mine_task_group(ours, base_vectors, relations, config, counts, guided, cross, origins, engine):
                    kept[record.task] = kept.get(record.task, 0) + len(record.negatives)
                    advance()
                    yield record

    partial = out.with_name(f"{out.name}.partial")
    with open_engine(config) as shared:
        n = write_table(partial, mined(shared), TrainingRecord)
    partial.replace(out)
    shutil.rmtree(vectors, ignore_errors=True)
    result = {
        "out": str(out),
        "records": n,
        "negatives": {
            "total": sum(kept.values()),
            "from": dict(sorted(origins.items())),
            "tasks": dict(sorted(kept.items())),
        },
        "brought": sum(len(record.negatives) for record in records),
        "counts": dict(sorted(counts.items())),
        "settings": config.model_dump(mode="json", exclude={*HOW_ONLY}),
        "base": {"name": base, "hash": model.hash, "precision": encoder.precision},
        "documents": documents is not None,
        "seconds": round(time.monotonic() - started, 1),
    }
    made = {**_made(pairs), "mine": {k: result[k] for k in ("base", "settings", "negatives", "counts")}}
    write_json(_side(out), {"made": made})
    return result


def _check_cluster(config: "NegativesConfig", documents: Path | None, allowed: "Sequence[str]") -> None:
    """Refuse to hand text to the machines of a cluster that may not go there.

    Raises:
        GateError: The documents hold patient text, or nobody has said that they do not.
    """
    from medloom.deid.gate import CLUSTER, GateError, checked
    from medloom.engine import joined_cluster

    if not joined_cluster(config) or CLUSTER in allowed:
        return
    if documents is None:
        raise GateError(
            "mine: records do not say whether their text is about patients, and it would go to the machines of a cluster: "
            "give --documents with the documents that they were made from, or --allow-phi-to cluster"
        )
    for _ in checked(_documents(documents), CLUSTER, allowed, "mine"):
        pass


def _relations(path: Path | None, records: "Sequence[TrainingRecord]") -> "Relations":
    """What is known of the documents; an error if they are the wrong ones."""
    from medloom.mine.relations import Relations

    if path is None:
        return Relations([])
    ours = {(record.source, record.doc_id) for record in records}
    found = False

    def documents() -> Iterator[Any]:
        nonlocal found
        for document in _documents(path):
            found = found or (document.source, document.id) in ours
            yield document

    relations = Relations(documents())
    if not found:
        raise StageError(
            f"--documents {path}: no record belongs to any of these documents: give those that the records were made from"
        )
    return relations


def _documents(path: Path) -> Iterator[Any]:
    from medloom.sources.opened import OpenedDocuments

    return OpenedDocuments(path)()


def _side(records: Path) -> Path:
    """Where it is written how records were made."""
    return records.with_name(f"{records.name}.json")


def _made(records: Path) -> dict[str, Any]:
    """How records were made, from what lies beside them: our side file, a stage's manifest, or a summary."""
    from medloom.artifacts import MANIFEST

    side = _read(_side(records))
    if isinstance(side.get("made"), dict):
        return dict(side["made"])
    manifest = _read(records.parent / MANIFEST)
    if records.name in (manifest.get("outputs") or {}):
        return {manifest["stage"]: {"settings": manifest["config"], "counts": manifest["counts"]}}
    summary = _read(records.parent / "summary.json") if records.name == _GENERATED else {}
    return {"generate": {k: summary[k] for k in _SUMMARY if summary.get(k)}} if summary else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _precision(precision: str) -> "Precision":
    if precision not in ("auto", "fp32", "bf16"):
        raise MedloomError(f"no precision {precision!r}: give auto, fp32 or bf16")
    return precision  # type: ignore[return-value]


def _show_mined(result: dict[str, Any]) -> None:
    negatives = result["negatives"]
    print(f"{result['records']:,} records with {negatives['total']:,} negatives: {result['out']}")
    for origin, n in negatives["from"].items():
        print(f"negatives, {origin}: {n:,}")
    for reason, n in result["counts"].items():
        print(f"{'records' if reason == 'without_negatives' else 'candidates dropped'}, {reason.replace('_', ' ')}: {n:,}")
