"""Training records in the forms that trainers and the hub read."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, get_args

from medloom.artifacts import disk_errors, write_table
from medloom.errors import ArtifactError, StageError
from medloom.mine.dataset_card import DATA, DatasetFacts, Tally, is_ours, write_dataset_card
from medloom.mine.marks import Marks, publishable
from medloom.records import TrainingRecord

Form = Literal["sentence-transformers", "flagembedding", "hub"]
Shape = Literal["triplet", "n-tuple", "pair"]

_SUFFIXES: dict[Form, str] = {"sentence-transformers": ".parquet", "flagembedding": ".jsonl", "hub": ""}
_ROWS_PER_GROUP = 5_000
_SCORE_DIGITS = 6


@dataclass
class Exported:
    """What an export wrote.

    Attributes:
        path: The file or folder.
        form: Its form.
        rows: Rows written.
        records: Records read.
        left_out: Records left out, by reason.
        tasks: Records written, by source and kind.
    """

    path: Path
    form: Form
    rows: int = 0
    records: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)


def export_triplets(
    records: Iterable[TrainingRecord],
    out: Path,
    form: Form,
    *,
    shape: Shape = "triplet",
    negatives: int = 1,
    facts: DatasetFacts | None = None,
    marks: Marks | None = None,
    force: bool = False,
    shard_rows: int = 100_000,
) -> Exported:
    """Write records in another form, streamed; the same records give the same bytes.

    ``sentence-transformers``: a Parquet file of text columns, ``anchor``, ``positive`` and then, by ``shape``, ``negative``
    (a row for each pair of positive and negative), ``negative_1`` ... ``negative_n`` (a row for each positive), or none.
    ``flagembedding``: JSONL of ``query``, ``pos``, ``neg`` and, where all are known, ``pos_scores`` and ``neg_scores``.
    ``hub``: a folder of Parquet shards with all that a record says, and a card.

    Args:
        records: What to write; consumed once.
        out: A ``.parquet`` file, a ``.jsonl`` file, or a folder.
        form: Which form.
        shape: Of the rows for sentence-transformers.
        negatives: Of an n-tuple; a record with fewer is left out.
        facts: What the card says of how the records were made.
        marks: Of the documents that the records were made from, for ``hub``; see :func:`~medloom.mine.marks.publishable`.
        force: Whether to replace an earlier export.
        shard_rows: Records of a shard.

    Raises:
        GateError: ``hub``: patient text that was not de-identified, or of which nobody has said whether it is patient text.
        StageError: No record is left to write, or the settings do not fit together.
        ArtifactError: ``out`` is there already, or cannot be written.
    """
    _check(out, form, shape, negatives)
    done = Exported(out, form)
    facts = facts or DatasetFacts()
    with _replacing(out, form, force) as partial:
        counted = _counted(records, done)
        if form == "hub":
            let_through = publishable(counted, marks, facts.no_phi, facts.allow_phi_to, "export-triplets")
            _write_hub(partial, let_through, done, facts, marks, shard_rows)
        elif form == "flagembedding":
            done.rows = _write_jsonl(partial, map(_flag_row, _with_negatives(counted, 1, done)))
        else:
            wanted = {"pair": 0, "triplet": 1, "n-tuple": negatives}[shape]
            columns = _columns(shape, negatives)
            rows = chain.from_iterable(_rows(record, shape, negatives) for record in _with_negatives(counted, wanted, done))
            done.rows = _write_columns(partial, columns, rows)
        if not done.rows:
            raise StageError(
                f"export-triplets: nothing to write: {done.records:,} records read"
                + (f", {dict(done.left_out)} left out: mine negatives first (medloom mine)" if done.left_out else "")
            )
    return done


def _check(out: Path, form: Form, shape: Shape, negatives: int) -> None:
    if form not in get_args(Form) or shape not in get_args(Shape):
        raise StageError(f"no form {form!r} or shape {shape!r}: forms: {get_args(Form)}; shapes: {get_args(Shape)}")
    if negatives < 1:
        raise StageError(f"an n-tuple needs at least one negative, not {negatives}")
    if _SUFFIXES[form] and out.suffix != _SUFFIXES[form]:
        raise StageError(f"{out}: the form {form} is a {_SUFFIXES[form]} file: give the output such a name")


@contextmanager
def _replacing(out: Path, form: Form, force: bool) -> Iterator[Path]:
    """A name to write under; it takes the place of ``out`` when all went well, and is gone when not."""
    if out.exists() and not force:
        raise ArtifactError(f"{out} is there already: give another name, or --force to replace it")
    if out.exists() and out.is_dir() != (form == "hub"):
        raise ArtifactError(
            f"{out} is a {'folder' if out.is_dir() else 'file'}, and the form {form} is not: give another name"
        )
    if out.is_dir() and any(out.iterdir()) and not is_ours(out):
        raise ArtifactError(f"{out} is not a data set that medloom wrote, and is not replaced: give another name")
    partial = out.with_name(f"{out.name}.partial")
    with disk_errors(out.parent):
        make_parent(out)
        _remove(partial)
        try:
            yield partial
            if out.is_dir():
                shutil.rmtree(out)
            partial.replace(out)
        finally:
            _remove(partial)


def make_parent(path: Path) -> None:
    """Make the folder that a file is to lie in.

    Raises:
        ArtifactError: A file is where a folder should be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        raise ArtifactError(f"{path}: its folder cannot be made, since something else is in its place") from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _counted(records: Iterable[TrainingRecord], done: Exported) -> Iterator[TrainingRecord]:
    for record in records:
        done.records += 1
        yield record


def _with_negatives(records: Iterable[TrainingRecord], wanted: int, done: Exported) -> Iterator[TrainingRecord]:
    """The records that have enough negatives."""
    for record in records:
        if len(record.negatives) < wanted:
            done.left_out["without_negatives" if not record.negatives else "too_few_negatives"] += 1
        else:
            done.tasks[record.task] += 1
            yield record


def _columns(shape: Shape, negatives: int) -> list[str]:
    tail = {"pair": [], "triplet": ["negative"], "n-tuple": [f"negative_{i}" for i in range(1, negatives + 1)]}
    return ["anchor", "positive", *tail[shape]]


def _rows(record: TrainingRecord, shape: Shape, negatives: int) -> Iterator[tuple[str, ...]]:
    for positive in record.positives:
        if shape == "triplet":
            yield from ((record.query, positive, negative) for negative in record.negatives)
        else:
            yield record.query, positive, *(record.negatives[:negatives] if shape == "n-tuple" else ())


def _write_columns(path: Path, columns: Sequence[str], rows: Iterator[tuple[str, ...]]) -> int:
    """Stream rows of texts to Parquet; returns how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in columns])
    total = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, _ROWS_PER_GROUP)):
            arrays = [pa.array(column, pa.string()) for column in zip(*group, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            total += len(group)
    return total


def _flag_row(record: TrainingRecord) -> dict[str, Any]:
    """A row for FlagEmbedding: these fields alone, since it takes ``prompt`` and ``type`` for settings."""
    row: dict[str, Any] = {"query": record.query, "pos": list(record.positives), "neg": list(record.negatives)}
    if len(record.positives) == 1 and len(record.scores) == 1 + len(record.negatives):
        scores = [round(score, _SCORE_DIGITS) for score in record.scores]
        row |= {"pos_scores": scores[:1], "neg_scores": scores[1:]}
    return row


def _write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    total = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            total += 1
    return total


def _write_hub(
    folder: Path,
    records: Iterator[TrainingRecord],
    done: Exported,
    facts: DatasetFacts,
    marks: Marks | None,
    shard_rows: int,
) -> None:
    """Shards and card."""
    data = folder / DATA
    data.mkdir(parents=True)
    tally = Tally()
    counted = tally.count(records)
    shards: list[Path] = []
    for first in counted:
        shard = data / f"shard-{len(shards)}"
        done.rows += write_table(shard, chain([first], islice(counted, shard_rows - 1)), TrainingRecord)
        shards.append(shard)
    for number, shard in enumerate(shards):
        shard.rename(data / f"train-{number:05}-of-{len(shards):05}.parquet")
    done.tasks.update({f"{source}/{kind}": n for (source, kind), n in tally.records.items()})
    write_dataset_card(folder, facts, tally, marks)
