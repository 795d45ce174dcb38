"""Run a recipe's stages in order, skipping what is done and going on where a killed run stopped."""

import importlib.metadata
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from medloom import __version__
from medloom.artifacts import (
    Manifest,
    describe_outputs,
    disk_errors,
    missing_output,
    publish_folder,
    read_manifest,
    write_json,
    write_manifest,
)
from medloom.errors import MedloomError, RunLockedError, StageError
from medloom.folders import check_is_file_system
from medloom.memory import spare_memory
from medloom.meter import measured
from medloom.recipe import Recipe
from medloom.stages import STAGE_NAMES, Stage, Work, check_gate, documents_stage, model_stage, stages_of

Status = Literal["done", "run", "waits"]
_TRIES = "tries.json"
_PACKAGES = (
    "torch",
    "transformers",
    "sentence-transformers",
    "mteb",
    "datasets",
    "numpy",
    "pyarrow",
    "rensa",
    "safetensors",
)


@dataclass(frozen=True)
class Step:
    """One stage as a run or a plan sees it.

    Attributes:
        name: The stage.
        status: ``done`` (its artifact exists), ``run`` (it will run, or has run), or ``waits`` (what it will read is not
            known before the stages above it have run).
        manifest: Of its artifact, once that exists.
    """

    name: str
    status: Status
    manifest: Manifest | None = None


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    Attributes:
        folder: Where everything lies.
        steps: The stages, in order, up to the one asked for.
        report: The content of ``report.json``; None for a run that stopped before its end.
    """

    folder: Path
    steps: list[Step]
    report: dict[str, Any] | None = None


def run(
    recipe: Recipe,
    out: str | Path | None = None,
    until: str | None = None,
    force: Sequence[str] = (),
    on_step: Callable[[str, Status], None] | None = None,
) -> RunResult:
    """Run a recipe.

    Stages whose artifact exists for the same settings and inputs are skipped. A killed run goes on where it stopped when
    called again, and ends with the same model.

    Args:
        recipe: What to do.
        out: Where to; ``runs/<name>`` if not given.
        until: Stop after this stage.
        force: Stages to run again though they are done.
        on_step: Told of each stage as it begins.

    Raises:
        MedloomError: A stage cannot do its work; finished stages are kept.
    """
    _check_stage_names(recipe, [*force, *([until] if until else [])])
    folder = run_folder(recipe, out)
    tell = on_step or (lambda name, status: None)
    spare_memory()
    steps: list[Step] = []
    with disk_errors(folder), _locked(folder):
        outside = _outside(recipe, until)
        for stage in _stages_until(recipe, until):
            step = _do(stage, recipe, folder, outside[stage.name], {s.name: s for s in steps}, stage.name in force, tell)
            steps.append(step)
            if step.manifest and stage.name == documents_stage(recipe):
                check_gate(recipe, step.manifest.notes["open"], list(outside))
        if until is not None:
            return RunResult(folder, steps)
        return RunResult(folder, steps, _place(recipe, folder, steps))


def plan(recipe: Recipe, out: str | Path | None = None, until: str | None = None, force: Sequence[str] = ()) -> RunResult:
    """What :func:`run` would do, as far as it can be known without doing it.

    Raises:
        MedloomError: The recipe's files or base model are not there.
    """
    _check_stage_names(recipe, [*force, *([until] if until else [])])
    folder = run_folder(recipe, out)
    outside = _outside(recipe, until)
    done: dict[str, Step] = {}
    for stage in _stages_until(recipe, until):
        if any(done[need].status != "done" for need in stage.needs_of(recipe)):
            done[stage.name] = Step(stage.name, "waits")
            continue
        place, _, _ = _place_of(stage, recipe, folder, outside[stage.name], done)
        manifest = read_manifest(place)
        fresh = stage.name in force or manifest is None or missing_output(place, manifest) is not None
        done[stage.name] = Step(stage.name, "run" if fresh else "done", manifest)
    return RunResult(folder, list(done.values()))


def run_folder(recipe: Recipe, out: str | Path | None) -> Path:
    """Where a run of the recipe lies."""
    check_is_file_system(out)
    return Path(out).expanduser() if out else Path("runs") / recipe.name


def _stages_until(recipe: Recipe, until: str | None) -> tuple[Stage, ...]:
    stages = stages_of(recipe)
    return stages[: [stage.name for stage in stages].index(until) + 1] if until else stages


def _outside(recipe: Recipe, until: str | None) -> dict[str, dict[str, str]]:
    """Hashes of what each stage up to ``until`` reads from outside, each thing read once and before any work is done."""
    wanted = _stages_until(recipe, until)
    hashes = {read: read(recipe) for read in dict.fromkeys(stage.outside for stage in wanted)}
    return {stage.name: hashes[stage.outside] for stage in wanted}


def _do(
    stage: Stage,
    recipe: Recipe,
    folder: Path,
    outside: dict[str, str],
    done: dict[str, Step],
    force: bool,
    tell: Callable[[str, Status], None],
) -> Step:
    place, fingerprint, inputs = _place_of(stage, recipe, folder, outside, done)
    manifest = None if force else read_manifest(place)
    if manifest and missing_output(place, manifest) is None:
        tell(stage.name, "done")
        return Step(stage.name, "done", manifest)
    tell(stage.name, "run")
    partial = place.with_name(place.name + ".partial")
    tries = _begin(partial, keep=stage.resumable and not force)
    inputs_of = {n: _place_by_manifest(recipe, folder, s.manifest) for n, s in done.items() if s.manifest}
    work = Work(recipe, partial, inputs_of, folder)
    with measured() as meter:
        outcome = stage.work(work)
    manifest = Manifest(
        stage=stage.name,
        fingerprint=fingerprint,
        config=stage.settings(recipe),
        inputs=inputs,
        outputs={name: output for name, output in describe_outputs(partial).items() if name != _TRIES},
        rows_in=outcome.rows_in,
        rows_out=outcome.rows_out,
        counts=outcome.counts,
        notes=outcome.notes,
        versions=_versions(),
        seed=recipe.seed,
        seconds=round(meter.seconds, 3),
        peak_rss_mb=round(meter.peak_rss_mb, 1),
        tries=tries,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_manifest(partial, manifest)
    (partial / _TRIES).unlink()
    publish_folder(partial, place)
    return Step(stage.name, "run", manifest)


def _place_of(
    stage: Stage, recipe: Recipe, folder: Path, outside: dict[str, str], done: dict[str, Step]
) -> tuple[Path, str, dict[str, str]]:
    """Folder, fingerprint and inputs of the stage's artifact."""
    inputs = dict(outside)
    for need in stage.needs_of(recipe):
        manifest = done[need].manifest
        if manifest is None:
            raise StageError(f"{stage.name} needs {need}, which has no artifact")
        inputs[need] = manifest.digest
    fingerprint = stage.fingerprint(recipe, inputs)
    return _stage_folder(recipe, folder, stage.name, fingerprint), fingerprint, inputs


def _place_by_manifest(recipe: Recipe, folder: Path, manifest: Manifest) -> Path:
    return _stage_folder(recipe, folder, manifest.stage, manifest.fingerprint)


def _stage_folder(recipe: Recipe, folder: Path, stage: str, fingerprint: str) -> Path:
    number = [s.name for s in stages_of(recipe)].index(stage) + 1
    return folder / "stages" / f"{number}-{stage}-{fingerprint[:12]}"


def _begin(partial: Path, keep: bool) -> int:
    """Prepare the working folder; returns which try this is."""
    tries = 0
    if (partial / _TRIES).is_file():
        tries = int(json.loads((partial / _TRIES).read_text("utf-8")))
    if partial.exists() and not keep:
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    write_json(partial / _TRIES, tries + 1)
    return tries + 1


def _place(recipe: Recipe, folder: Path, steps: Sequence[Step]) -> dict[str, Any]:
    """Put model, card and reports where the user looks for them."""
    from medloom.publish import build_report, place_model, render

    manifests = {step.name: step.manifest for step in steps if step.manifest}
    places = {name: _place_by_manifest(recipe, folder, manifest) for name, manifest in manifests.items()}
    place_model(places[model_stage(recipe)] / "model", places["publish"] / "README.md", folder / "model")
    report = build_report(recipe, manifests, places, folder / "model")
    write_json(folder / "report.json", report)
    html = folder / "report.html.tmp"
    html.write_text(render(report), "utf-8")
    html.replace(folder / "report.html")
    return report


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run's folder; the lock goes with the process, even when it is killed."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise RunLockedError(folder) from None


def _versions() -> dict[str, str]:
    return {"medloom": __version__} | {name: importlib.metadata.version(name) for name in _PACKAGES}


def _check_stage_names(recipe: Recipe, names: Sequence[str]) -> None:
    import difflib

    there = [stage.name for stage in stages_of(recipe)]
    for name in names:
        if name in STAGE_NAMES and name not in there:
            raise MedloomError(
                f"the recipe has no {name}: section, so there is no such stage; its stages: {', '.join(there)}"
            )
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise MedloomError(f"no stage {name!r}{hint}; the stages are: {', '.join(there)}")
