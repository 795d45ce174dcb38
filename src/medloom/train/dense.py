"""Dense encoders: InfoNCE over in-batch and mined negatives, resumable to the same weights."""

import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.encode.encoder import resolve_precision
from medloom.encode.models import ModelRef, load_model
from medloom.errors import StageError
from medloom.identity import model_digest
from medloom.records import TrainingRecord
from medloom.train.callbacks import COMPLETE, make_callback, make_trainer
from medloom.train.config import TrainConfig

if TYPE_CHECKING:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments

_TOKENIZER = "tokenizer.json"


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
    """

    hash: str
    steps: int
    resumed_from: int
    losses: list[tuple[int, float]] = field(default_factory=list)
    precision: str = "fp32"
    sets: dict[str, int] = field(default_factory=dict)


def train_dense(records: Iterable[TrainingRecord], base: ModelRef, out: Path, config: TrainConfig, seed: int) -> TrainResult:
    """Fine-tune ``base`` and save the result as ``out/model``.

    Loss: InfoNCE (van den Oord et al. 2018) over the batch's other positives and the mined negatives, as
    sentence-transformers' MultipleNegativesRankingLoss computes it. A batch holds pairs of one set (one kind of one
    source) and no text twice. Checkpoints lie in ``out/checkpoints`` until training ends; a later call with the same
    arguments goes on from the last whole one and ends with the same weights.

    Args:
        records: Pairs with or without negatives.
        base: The model to start from.
        out: Folder of the stage.
        config: Settings.
        seed: Seeds data order and dropout.

    Raises:
        StageError: There is nothing to train on, or the loss is no longer a number.
        ModelError: The base model does not load.
    """
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from transformers import set_seed

    from medloom.train.packing import LengthSorted

    datasets = _datasets(records)
    if sum(map(len, datasets.values())) < 2:
        raise StageError("train: fewer than two training pairs are left: add text, or lower guard.holdout")
    set_seed(seed)
    model = load_model(base)
    own_length = model.max_seq_length
    model.max_seq_length = min(config.max_seq_length, own_length or config.max_seq_length)
    on_cpu = model.device.type == "cpu"
    if config.dropout is not None:
        _set_dropout(model, config.dropout)
    if on_cpu:
        _use_eager_attention(model)
    checkpoints = out / "checkpoints"
    precision = resolve_precision(config.precision)
    losses: list[tuple[int, float]] = []
    trainer = make_trainer(
        model=model,
        args=_arguments(checkpoints, config, seed, precision, _steps(datasets, config), _prompts(model, datasets), on_cpu),
        train_dataset=datasets,
        loss=MultipleNegativesRankingLoss(
            LengthSorted(model),  # type: ignore[arg-type]
            scale=1 / config.temperature,
            directions=("query_to_doc", "doc_to_query") if config.symmetric else ("query_to_doc",),
        ),
        callback=make_callback(losses),
    )
    last = last_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    model.max_seq_length = own_length
    _save(model, out / "model", Path(base.location))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return TrainResult(
        hash=model_digest(out / "model"),
        steps=int(trainer.state.global_step),
        resumed_from=_step_of(last) if last else 0,
        losses=losses,
        precision=precision,
        sets={name: len(data) for name, data in datasets.items()},
    )


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
    return max(whole, key=_step_of, default=None)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _datasets(records: Iterable[TrainingRecord]) -> "dict[str, Dataset]":
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


def _prompts(model: "SentenceTransformer", datasets: "dict[str, Dataset]") -> dict[str, str]:
    """The model's own query prompt for anchors and its document prompt for all else, where it has them."""
    columns = sorted({column for data in datasets.values() for column in data.column_names})
    wanted = {c: model.prompts.get("query" if c == "anchor" else "document") for c in columns}
    return {column: prompt for column, prompt in wanted.items() if prompt}


def _use_eager_attention(model: "SentenceTransformer") -> None:
    """On a CPU, torch's fused attention is the slower one in training; the saved configuration is not touched."""
    network = getattr(model[0], "auto_model", None)
    if network is not None:
        network.set_attn_implementation("eager")


def _set_dropout(model: "SentenceTransformer", rate: float) -> None:
    """Give every dropout of the model one rate; its saved configuration keeps its own."""
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, rate)


def _steps(datasets: "dict[str, Dataset]", config: TrainConfig) -> int:
    """Optimiser steps in all."""
    return math.ceil(config.epochs * sum(math.ceil(len(data) / config.batch_size) for data in datasets.values()))


def _arguments(
    folder: Path, config: TrainConfig, seed: int, precision: str, steps: int, prompts: dict[str, str], on_cpu: bool
) -> "SentenceTransformerTrainingArguments":
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers

    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule if config.schedule != "constant" else "constant_with_warmup",
        warmup_steps=math.ceil(config.warmup * steps),
        weight_decay=config.weight_decay,
        bf16=precision == "bf16",
        use_cpu=on_cpu,
        prompts=prompts or None,
        seed=seed,
        data_seed=seed,
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        multi_dataset_batch_sampler=MultiDatasetBatchSamplers.PROPORTIONAL,
        save_strategy="steps",
        save_steps=config.checkpoint_steps,
        save_total_limit=2,
        logging_steps=max(1, min(10, steps // 10)),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )


def _save(model: "SentenceTransformer", folder: Path, base: Path) -> None:
    """A plain SentenceTransformer folder, without a card (the publish stage writes it).

    The tokenizer is the base's, to the letter: the one in memory has the training's cut and padding written into it.
    """
    if folder.exists():
        shutil.rmtree(folder)
    keep: dict[str, Any] = {"create_model_card": False, "safe_serialization": True}
    model.save_pretrained(str(folder), **keep)
    if (base / _TOKENIZER).is_file():
        (folder / _TOKENIZER).write_bytes((base / _TOKENIZER).read_bytes())
