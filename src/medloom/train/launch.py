"""One training run as several processes: written down as a job, started with torchrun, and its result read back."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from medloom.artifacts import read_table, write_json, write_table
from medloom.encode.models import ModelRef, resolve_model
from medloom.errors import MedloomError, StageError
from medloom.records import TrainingRecord
from medloom.train.config import TrainConfig
from medloom.train.loop import TrainResult

JOB, PAIRS, RESULT, ERROR = "job.json", "pairs.parquet", "result.json", "error.txt"


class Job(BaseModel):
    """What each process of a training run is told; see ``python -m medloom.train``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: Path = Field(description="Table of training records.")
    base: str | dict[str, Any] = Field(description="The model to start from: as in a recipe, or resolved.")
    out: Path = Field(description="Folder of the stage.")
    seed: int = Field(description="Seeds data order and dropout.")
    folder: Path | None = Field(default=None, description="What the paths of guide and teacher are relative to.")
    train: TrainConfig = Field(default=TrainConfig(), description="Settings.")


def train_in_processes(
    records: Iterable[TrainingRecord],
    base: ModelRef,
    out: Path,
    config: TrainConfig,
    seed: int,
    folder: Path | None = None,
) -> TrainResult:
    """Train with ``config.processes`` processes on this machine; as :func:`~medloom.train.train_dense` otherwise.

    Raises:
        StageError: A process has failed; a later call goes on from the last checkpoint.
    """
    told = out / "job"
    told.mkdir(parents=True, exist_ok=True)
    for name in (RESULT, ERROR):
        (told / name).unlink(missing_ok=True)
    write_table(told / PAIRS, iter(records), TrainingRecord)
    job = Job(
        pairs=(told / PAIRS).resolve(),
        base=asdict(base) | {"location": str(Path(base.location).resolve())},
        out=out.resolve(),
        seed=seed,
        folder=(folder or Path()).resolve(),
        train=config,
    )
    write_json(told / JOB, job.model_dump(mode="json"))
    threads = max(1, (os.cpu_count() or 1) // (config.processes or 1))
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={config.processes}"]
    ended = subprocess.run(
        [sys.executable, *command, "-m", "medloom.train", str(told / JOB)],
        env={"OMP_NUM_THREADS": str(threads)} | os.environ,
        check=False,
    )
    if (told / ERROR).is_file():
        raise StageError((told / ERROR).read_text("utf-8"))
    if ended.returncode or not (told / RESULT).is_file():
        raise StageError(
            f"train: one of {config.processes} processes ended with code {ended.returncode}, as said above: mend it and run "
            "the same command again; it goes on from the last checkpoint"
        )
    result = json.loads((told / RESULT).read_text("utf-8"))
    shutil.rmtree(told)
    for name in ("losses", "dev"):
        result[name] = [(int(step), float(value)) for step, value in result[name]]
    return TrainResult(**result)


def work(path: Path) -> None:
    """Do one process's part of a job; the first writes the result beside it."""
    from medloom.train.dense import train_dense
    from medloom.train.team import Team

    job = Job.model_validate_json(path.read_text("utf-8"))
    team = Team.joined()
    try:
        base = resolve_model(job.base, job.folder) if isinstance(job.base, str) else ModelRef(**job.base)
        result = train_dense(read_table(job.pairs, TrainingRecord), base, job.out, job.train, job.seed, job.folder)
    except MedloomError as error:
        path.with_name(ERROR).write_text(str(error), "utf-8")
        raise
    if team.rank == 0:
        write_json(path.with_name(RESULT), asdict(result))
