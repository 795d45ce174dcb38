"""Artifacts: a folder of Parquet tables and a manifest that says what they are and how they came about."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from medloom.errors import ArtifactError
from medloom.identity import file_digest
from medloom.records import Document, TrainingRecord

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
SIDE_FILES = ("rejects.jsonl",)
LOCKS = "locks"
ROWS_PER_GROUP = 2_000
CHARS_PER_GROUP = 16_000_000
T = TypeVar("T")


@dataclass
class Manifest:
    """What is known of a finished stage.

    Attributes:
        stage: Name of the stage.
        fingerprint: Hash of the stage's version, settings and input artifacts.
        config: The settings that the fingerprint covers.
        inputs: Digest of each input, by name.
        outputs: Of each file written: bytes and SHA-256; rows for tables.
        rows_in: Rows read.
        rows_out: Rows kept.
        counts: Rows by reason: what was added, dropped, merged.
        notes: Facts for the report (releases, licences, the base model's hash, ...).
        versions: Versions of the packages that the stage used.
        seed: The recipe's seed.
        seconds: Wall time of the try that finished it.
        peak_rss_mb: Highest resident memory of the process during the stage, in MiB.
        tries: How often the stage was started until it finished.
        finished: When, ISO 8601 UTC.
        schema_version: Version of this layout.
    """

    stage: str
    fingerprint: str
    config: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows_in: int = 0
    rows_out: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0
    peak_rss_mb: float = 0.0
    tries: int = 1
    finished: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def digest(self) -> str:
        """Hash of what the stage wrote: what later stages depend on."""
        from medloom.identity import digest

        beside = (*SIDE_FILES, f"{LOCKS}/")
        return digest({name: out["sha256"] for name, out in self.outputs.items() if not name.startswith(beside)})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``: the last file of an artifact, so that its presence means the rest is whole."""
    write_json(folder / MANIFEST, asdict(manifest))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished artifact, or None where there is none.

    Raises:
        ArtifactError: The manifest is unreadable or of another schema version.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is not valid JSON: delete the folder {folder} to build it again") from error
    if not isinstance(raw, dict):
        raise ArtifactError(f"{path} is not a manifest: delete the folder {folder} to build it again")
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has schema version {raw.get('schema_version')}, this medloom reads {SCHEMA_VERSION}: "
            f"delete the folder {folder} to build it again"
        )
    try:
        return Manifest(**raw)
    except TypeError as error:
        raise ArtifactError(
            f"{path} is not a manifest of this medloom: delete the folder {folder} to build it again"
        ) from error


def describe_outputs(folder: Path) -> dict[str, dict[str, Any]]:
    """Bytes and SHA-256 of every file in the artifact, and rows of its tables."""
    import pyarrow.parquet as pq

    outputs: dict[str, dict[str, Any]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST):
        outputs[path.relative_to(folder).as_posix()] = {
            "bytes": path.stat().st_size,
            "sha256": file_digest(path),
            **({"rows": pq.read_metadata(path).num_rows} if path.suffix == ".parquet" else {}),
        }
    return outputs


def missing_output(folder: Path, manifest: Manifest) -> str | None:
    """Name of the first output that is gone or has another size, or None when all are there."""
    for name, out in manifest.outputs.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != out["bytes"]:
            return name
    return None


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401
    """Write JSON through a temporary file and a rename, so that a kill never leaves half a file."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as f:
        json.dump(value, f, indent=2, ensure_ascii=False, sort_keys=False)
        f.flush()
        os.fsync(f.fileno())
    temporary.replace(path)


def publish_folder(partial: Path, final: Path) -> None:
    """Put a finished folder in its place in one rename, replacing what stood there."""
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a clear error.

    Raises:
        ArtifactError: Writing below ``folder`` failed for want of space or permission.
    """
    try:
        yield
    except OSError as error:
        problem = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EFBIG: "a file grew over the allowed size",
            errno.EROFS: "the disk is read-only",
            errno.EACCES: "no permission to write",
        }.get(error.errno or 0)
        if problem is None:
            raise
        raise ArtifactError(
            f"cannot write below {folder}: {problem}. Finished stages are kept: make room (or set --out to another disk) "
            "and give the same command again"
        ) from error


def schema_of(of: type) -> "pa.Schema":
    """Columns of a table of :class:`Document` or :class:`TrainingRecord`."""
    return _schemas()[of]


@cache
def _schemas() -> "dict[type, pa.Schema]":
    import pyarrow as pa

    strings = pa.list_(pa.string())
    return {
        Document: pa.schema(
            [
                ("id", pa.string()),
                ("source", pa.string()),
                ("title", pa.string()),
                ("text", pa.string()),
                ("group", pa.string()),
                ("sections", pa.list_(pa.struct([("heading", pa.string()), ("text", pa.string())]))),
                (
                    "synonyms",
                    pa.list_(pa.struct([("text", pa.string()), ("scope", pa.string()), ("lay", pa.bool_())])),
                ),
                ("parents", strings),
                ("categories", strings),
                ("contains_phi", pa.bool_()),
                ("deidentified", pa.string()),
                ("revision", pa.string()),
                ("metadata", pa.map_(pa.string(), pa.string())),
            ]
        ),
        TrainingRecord: pa.schema(
            [
                ("query", pa.string()),
                ("positives", strings),
                ("kind", pa.string()),
                ("source", pa.string()),
                ("doc_id", pa.string()),
                ("negatives", strings),
                ("scores", pa.list_(pa.float32())),
                ("model", pa.string()),
                ("prompt", pa.string()),
            ]
        ),
    }


def write_table(path: Path, rows: Iterable[T], of: type[T], size: Callable[[T], int] | None = None) -> int:
    """Stream documents or records to Parquet in row groups.

    A group ends after 2,000 rows or 16 million characters, so memory stays flat whatever the rows hold.

    Args:
        path: The file to write.
        rows: What to write; consumed once.
        of: :class:`Document` or :class:`TrainingRecord`.
        size: Characters of a row; by default its longest fields.

    Returns:
        The number of rows written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schema_of(of)
    measure = size or _characters
    total = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        characters = 0
        for row in rows:
            group.append(row.to_row())  # type: ignore[attr-defined]
            characters += measure(row)
            total += 1
            if len(group) >= ROWS_PER_GROUP or characters >= CHARS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group, characters = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
    return total


def read_table(path: Path, of: type[T], columns: list[str] | None = None) -> Iterator[T]:
    """Stream documents or records back, one row group in memory at a time."""
    for row in read_rows(path, columns):
        yield of.from_row(row)  # type: ignore[attr-defined]


def read_rows(path: Path, columns: list[str] | None = None) -> Iterator[Mapping[str, Any]]:
    """Stream a table's rows as dictionaries.

    Raises:
        ArtifactError: The file is not readable Parquet.
    """
    import pyarrow.parquet as pq

    with damaged(path), pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, columns=columns).to_pylist()


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a bad file into a clear error.

    Raises:
        ArtifactError: The table inside cannot be read.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(f"{path} is damaged or gone: delete its folder {path.parent} to build it again") from error


def _characters(row: Any) -> int:  # noqa: ANN401
    """Rough size of a document or record in characters."""
    if isinstance(row, Document):
        return len(row.title) + len(row.text) + sum(len(s.text) for s in row.sections)
    return len(row.query) + sum(map(len, row.positives))
