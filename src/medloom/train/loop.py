"""What training loops of every kind share: data sets, arguments, checkpoints, the result."""

import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.records import TrainingRecord
from medloom.train.callbacks import COMPLETE
from medloom.train.config import LoopConfig

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass
class TrainResult:
    """What training gave.

    Attributes:
        hash: Content hash of the tuned model.
        steps: Optimiser steps in all.
        resumed_from: Step of the checkpoint that this try went on from; 0 for none.
        losses: Step and mean loss since the step before.
        precision: Arithmetic used.
        sets: Training pairs of each set.
        dev: Step and score on the dev set, from step 0 (the base) on; empty without one.
        best_step: Step of the checkpoint that was kept; the last one without a dev set.
    """

    hash: str
    steps: int
    resumed_from: int
    losses: list[tuple[int, float]] = field(default_factory=list)
    precision: str = "fp32"
    sets: dict[str, int] = field(default_factory=dict)
    dev: list[tuple[int, float]] = field(default_factory=list)
    best_step: int = 0


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; half-written ones are removed."""
    if not folder.is_dir():
        return None
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / COMPLETE).is_file():
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(whole, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint was written at."""
    return int(checkpoint.name.rpartition("-")[2])


def datasets_of(records: Iterable[TrainingRecord]) -> "dict[str, Dataset]":
    """One data set per set of pairs and number of negatives, in a fixed order."""
    from datasets import Dataset

    columns: dict[tuple[str, int], dict[str, list[str]]] = {}
    for record in records:
        rows = columns.setdefault((record.task, len(record.negatives)), {})
        rows.setdefault("anchor", []).append(record.query)
        rows.setdefault("positive", []).append(record.positives[0])
        for number, negative in enumerate(record.negatives, start=1):
            rows.setdefault(f"negative_{number}", []).append(negative)
    return {f"{task}/{negatives}": Dataset.from_dict(rows) for (task, negatives), rows in sorted(columns.items())}


def steps_of(datasets: "dict[str, Dataset]", config: LoopConfig) -> int:
    """Optimiser steps in all: a batch holds pairs of one set."""
    return math.ceil(config.epochs * sum(math.ceil(len(data) / config.batch_size) for data in datasets.values()))


def training_arguments(
    folder: Path,
    config: LoopConfig,
    seed: int,
    precision: str,
    steps: int,
    on_cpu: bool,
    kind: Any = None,  # noqa: ANN401
    **more: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """sentence-transformers' training arguments.

    Args:
        folder: Where checkpoints lie.
        config: Settings.
        seed: Seeds data order and dropout.
        precision: fp32 or bf16.
        steps: Optimiser steps in all.
        on_cpu: Whether the model is on a CPU.
        kind: Class of the arguments; that of dense models if not given.
        more: Further arguments, or others than those set here.
    """
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers

    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": steps,
        "per_device_train_batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.schedule if config.schedule != "constant" else "constant_with_warmup",
        "warmup_steps": math.ceil(config.warmup * steps),
        "weight_decay": config.weight_decay,
        "bf16": precision == "bf16",
        "use_cpu": on_cpu,
        "seed": seed,
        "data_seed": seed,
        "batch_sampler": BatchSamplers.NO_DUPLICATES,
        "multi_dataset_batch_sampler": MultiDatasetBatchSamplers.PROPORTIONAL,
        "save_strategy": "steps",
        "save_steps": config.checkpoint_steps,
        "save_total_limit": 2,
        "logging_steps": max(1, min(10, steps // 10)),
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": "none",
    }
    return (kind or SentenceTransformerTrainingArguments)(**settings | more)


def use_eager_attention(model: Any) -> None:  # noqa: ANN401
    """On a CPU, torch's fused attention is the slower one in training; the saved configuration is not touched."""
    network = getattr(model[0], "auto_model", None)
    if network is not None:
        network.set_attn_implementation("eager")


def set_dropout(model: Any, rate: float) -> None:  # noqa: ANN401
    """Give every dropout of the model one rate; its saved configuration keeps its own."""
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, rate)
