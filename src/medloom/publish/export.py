"""A model for another runtime, checked against the one it came from before anyone can use it."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from medloom.artifacts import disk_errors, publish_folder, write_json
from medloom.encode import Encoder, load_encoder, resolve_model
from medloom.encode.converted import Parity, is_converted, open_converted
from medloom.encode.runtimes import Runtime, Stored
from medloom.errors import ArtifactError, ModelError
from medloom.meter import machine
from medloom.progress import bar

if TYPE_CHECKING:
    from medloom.evaluate.tasks import Task

Format = Literal["onnx", "openvino", "int8", "onnx-int8"]

CHECKS = "checks.json"
FORMATS: dict[Format, tuple[Runtime, Stored]] = {
    "onnx": ("onnx", "fp32"),
    "openvino": ("openvino", "fp32"),
    "int8": ("openvino", "int8"),
    "onnx-int8": ("onnx", "int8"),
}
_SECONDS = 3.0
_WARM_UP = 16
_SHOWN = 5


class Limits(BaseModel):
    """What an export may differ by from its source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least: float = Field(description="The least cosine that any text may have.")
    mean: float = Field(description="The least mean cosine.")
    change: float = Field(description="What a task's main score may change by.")


LIMITS: dict[Stored, Limits] = {
    "fp32": Limits(least=0.9999, mean=0.9999, change=0.005),
    "int8": Limits(least=0.8, mean=0.97, change=0.01),
}


class TaskChange(BaseModel):
    """A task's main score by source and export."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = Field(description="Name of the task.")
    metric: str = Field(description="Its main score.")
    source: float = Field(description="Of the source.")
    export: float = Field(description="Of the export.")

    @property
    def change(self) -> float:
        """Export less source."""
        return self.export - self.source


class Checks(BaseModel):
    """What the check of an export found: ``checks.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Format = Field(description="Of the export.")
    model: str = Field(description="The source.")
    model_hash: str = Field(description="Its content hash.")
    parity: Parity = Field(description="Cosines of the vectors of texts.")
    tasks: tuple[TaskChange, ...] = Field(description="Tasks that both were put to.")
    limits: Limits = Field(description="What was allowed.")
    source_texts_per_second: float = Field(description="Of the source with torch in fp32, on these texts.")
    texts_per_second: float = Field(description="Of the export, on the same texts.")
    bytes: int = Field(description="Size of the export.")
    machine: str = Field(description="Where it was measured.")

    @property
    def problems(self) -> list[str]:
        """What is beyond the limits."""
        found = []
        if self.parity.least < self.limits.least or self.parity.mean < self.limits.mean:
            found.append(
                f"cosine {self.parity.least:.5f} at least and {self.parity.mean:.5f} on average over {self.parity.texts} "
                f"texts, where {self.limits.least} and {self.limits.mean} are due"
            )
        found += [
            f"{one.task}: {one.metric} {one.source:.4f} becomes {one.export:.4f}, where {self.limits.change} may change"
            for one in self.tasks
            if abs(one.change) > self.limits.change
        ]
        return found


def export_model(
    model: str, form: Format, out: Path, texts: Sequence[str], tasks: Sequence["Task"] = (), force: bool = False
) -> Checks:
    """Export a model, check it, and put it in its place if it passes.

    Args:
        model: ``builtin:NAME``, a SentenceTransformer folder, or a hub id.
        form: Runtime and weights.
        out: Folder of the export; it appears in one rename, or not at all.
        texts: Real text to compare vectors and speed on.
        tasks: What source and export are put to.
        force: Whether an export that is there may be replaced.

    Raises:
        ModelError: The model cannot be converted, or the export is not within the limits.
        ArtifactError: The folder cannot be written or holds something else.
        ImportError: What converts is not installed.
    """
    from medloom.encode.convert import convert, parity

    if not texts:
        raise ArtifactError("no text to check the export on: give --texts a file with some")
    check_free(out, force)
    ref = resolve_model(model)
    runtime, stored = FORMATS[form]
    partial = out.with_name(out.name + ".partial")
    with disk_errors(out):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            with bar(f"converting for {runtime}"):
                convert(ref, runtime, stored, partial)
            source, export = load_encoder(ref), open_converted(partial, stored)
            checks = Checks(
                format=form,
                model=model,
                model_hash=ref.hash,
                parity=parity(source.encode(texts, label="source"), export.encode(texts, label="export")),
                tasks=tuple(_changes(source, export, tasks)),
                limits=LIMITS[stored],
                source_texts_per_second=_rate(source, texts),
                texts_per_second=_rate(export, texts),
                bytes=sum(path.stat().st_size for path in partial.iterdir()),
                machine=machine(),
            )
            if checks.problems:
                raise ModelError(f"the export of {model} as {form} is refused: {'; '.join(checks.problems[:_SHOWN])}")
            write_json(partial / CHECKS, checks.model_dump(mode="json"))
            publish_folder(partial, out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return checks


def check_free(out: Path, force: bool) -> None:
    """Raise :class:`ArtifactError` if a folder may not be written."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not is_converted(out):
        raise ArtifactError(f"{out} holds other things than an export: give a folder of its own")
    if not force:
        raise ArtifactError(f"{out} holds an export: give another folder, or --force to replace it")


def _changes(source: Encoder, export: Encoder, tasks: Sequence["Task"]) -> list[TaskChange]:
    """Main scores of both."""
    if not tasks:
        return []
    from medloom.evaluate.scored import score
    from medloom.evaluate.systems import DenseSystem

    scores = []
    for encoder in (source, export):
        system = DenseSystem(encoder)
        system.prepare(tasks)
        scores.append([score(system, task).score for task in tasks])
        system.close()
    return [
        TaskChange(task=task.name, metric=task.main_score, source=before, export=after)
        for task, before, after in zip(tasks, *scores, strict=True)
    ]


def _rate(encoder: Encoder, texts: Sequence[str]) -> float:
    """Texts per second, over a few seconds after a warm-up."""
    encoder.encode(texts[:_WARM_UP])
    part, done, start = max(1, len(texts) // 4), 0, time.perf_counter()
    while time.perf_counter() - start < _SECONDS:
        first = done % len(texts)
        done += len(encoder.encode(texts[first : first + part]))
    return round(done / (time.perf_counter() - start), 1)
