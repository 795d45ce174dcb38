"""Dense encoders: InfoNCE over in-batch and mined negatives, resumable to the same weights."""

import logging
import shutil
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.encode.encoder import Floats, TorchEncoder, resolve_precision
from medloom.encode.models import ModelRef, load_model
from medloom.errors import StageError
from medloom.identity import model_digest
from medloom.records import TrainingRecord
from medloom.train.adapters import Adapter
from medloom.train.callbacks import make_callback, make_trainer
from medloom.train.config import TrainConfig
from medloom.train.dev import METRIC, NAME, dev_evaluator, hold_out, scores_in
from medloom.train.judges import Judges, check_dimensions, check_rows
from medloom.train.loop import (
    TrainResult,
    last_checkpoint,
    set_dropout,
    step_of,
    steps_of,
    training_arguments,
    use_eager_attention,
)
from medloom.train.pairs import ROW, Row, datasets_of_rows, keys_of, rows_of
from medloom.train.team import Team

if TYPE_CHECKING:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer

    from medloom.train.sampling import Plan

_TOKENIZER = "tokenizer.json"
TENSORBOARD = "tensorboard"
logger = logging.getLogger(__name__)


def train_dense(
    records: Iterable[TrainingRecord],
    base: ModelRef,
    out: Path,
    config: TrainConfig,
    seed: int,
    folder: Path | None = None,
) -> TrainResult:
    """Fine-tune ``base`` and save the result as ``out/model``.

    Loss: InfoNCE (van den Oord et al. 2018) over the batch's other positives and the mined negatives, as
    sentence-transformers' MultipleNegativesRankingLoss computes it, and what the settings add to it. A batch holds pairs of
    one set (one kind of one source) and no text twice, unless the settings say otherwise. Checkpoints lie in
    ``out/checkpoints`` until training ends; a later call with the same arguments goes on from the last whole one and ends
    with the same weights. Processes started by ``torchrun`` share each batch, and the first of them writes the files.

    Args:
        records: Pairs with or without negatives.
        base: The model to start from.
        out: Folder of the stage.
        config: Settings.
        seed: Seeds data order and dropout.
        folder: What the paths of guide and teacher are relative to; the working directory if not given.

    Raises:
        StageError: There is nothing to train on, a setting does not fit the data or the model, or the loss is no longer a
            number.
        ModelError: The base model, the guide or the teacher does not load.
    """
    from transformers import set_seed

    from medloom.train.launch import train_in_processes
    from medloom.train.losses import build_loss
    from medloom.train.packing import CPU_TOKENS, GPU_TOKENS, LengthSorted

    team = Team.joined()
    if config.processes > 1 and team.size == 1:
        return train_in_processes(records, base, out, config, seed, folder)
    records = list(records)
    training, dev = hold_out(records, config.dev, seed) if config.dev else (records, [])
    rows = rows_of(training, config.positives)
    check_rows(rows, config, team)
    set_seed(seed)
    model, adapter, own_length = _prepared(base, config)
    on_cpu = model.device.type == "cpu"
    checkpoints = out / "checkpoints"
    precision = resolve_precision(config.precision)
    judges = team.first_then_all(lambda: Judges(rows, base, folder, checkpoints / "vectors", config))
    check_dimensions(model, judges, config)
    datasets = datasets_of_rows(rows, config.batches)
    losses: list[tuple[int, float]] = []
    evaluator = dev_evaluator(model, dev, training, config.dev, seed) if config.dev else None
    trainer = make_trainer(
        model=model,
        args=training_arguments(
            checkpoints,
            config,
            seed,
            precision,
            steps_of(datasets, config),
            on_cpu,
            prompts=_prompts(model, datasets) or None,
            per_device_train_batch_size=config.batch_size // team.size,
            ddp_broadcast_buffers=False,
            **_further_arguments(config),
        ),
        train_dataset=datasets,
        loss=build_loss(
            model
            if config.mini_batch and team.size > 1
            else LengthSorted(model, config.piece_tokens or (CPU_TOKENS if on_cpu else GPU_TOKENS)),
            config,
            rows,
            judges.guide,
            judges.teachers,
            gather=team.size > 1,
        ),
        evaluator=evaluator,
        callback=make_callback(losses, team),
        callbacks=_callbacks(config, out, team),
        restore=adapter.restore if adapter else None,
        plan=_plan(model, records, rows, config, seed, checkpoints / "clusters", team),
    )
    start = [(0, float(evaluator(model)[f"{NAME}_cosine_ndcg@10"]))] if evaluator else []
    last = team.shared(lambda: last_checkpoint(checkpoints))
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    scores = start + scores_in(trainer.state.log_history)
    best = max(scores[1:], key=lambda scored: (scored[1], -scored[0]), default=(int(trainer.state.global_step), 0.0))
    if start and best[1] <= start[0][1]:
        logger.warning("train: no checkpoint scores above the base on the dev set (%.4f, base %.4f)", best[1], start[0][1])
    model.max_seq_length = own_length
    if adapter:
        adapter.merge()
    if team.rank == 0:
        _save(model, out / "model", Path(base.location))
        shutil.rmtree(checkpoints, ignore_errors=True)
    return TrainResult(
        hash=team.shared(lambda: model_digest(out / "model")),
        steps=int(trainer.state.global_step),
        resumed_from=step_of(last) if last else 0,
        losses=losses,
        precision=precision,
        sets={name: len(data) for name, data in datasets.items()},
        dev=scores,
        best_step=best[0],
    )


def _prepared(base: ModelRef, config: TrainConfig) -> "tuple[SentenceTransformer, Adapter | None, int | None]":
    """The model as it is trained, its adapter, and how long its texts may be otherwise."""
    model = load_model(base).float()
    own_length = model.max_seq_length
    model.max_seq_length = min(config.max_seq_length, own_length or config.max_seq_length)
    if config.dropout is not None:
        set_dropout(model, config.dropout)
    if model.device.type == "cpu":
        use_eager_attention(model)
    adapter = Adapter(model, config.lora) if config.lora else None
    network: Any = getattr(model[0], "auto_model", None)
    if config.freeze_embeddings:
        network.get_input_embeddings().requires_grad_(False)
    if config.compile:
        network.compile(dynamic=True)
    return model, adapter, own_length


def _further_arguments(config: TrainConfig) -> dict[str, Any]:
    """Of the trainer, for what only some runs ask for."""
    further: dict[str, Any] = {}
    others = [name for name in config.report_to if name != TENSORBOARD]
    if others:
        further["report_to"] = others
    if config.gradient_checkpointing:
        further |= {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    if config.dev:
        further |= {
            "eval_strategy": "steps",
            "eval_steps": config.dev.every,
            "save_steps": config.dev.every,
            "load_best_model_at_end": True,
            "metric_for_best_model": METRIC,
            "greater_is_better": True,
            "restore_callback_states_from_checkpoint": True,
        }
    return further


def _callbacks(config: TrainConfig, out: Path, team: Team) -> list[Any]:
    """The library's own, for what only some runs ask for."""
    from transformers import EarlyStoppingCallback
    from transformers.integrations.integration_utils import TensorBoardCallback

    callbacks: list[Any] = []
    missing = next((name for name in config.report_to if name != TENSORBOARD and find_spec(name) is None), None)
    if missing:
        raise StageError(f"train.report_to: the package {missing.replace('_', '-')} is not installed: pip install it")
    if config.dev and config.dev.patience:
        callbacks.append(EarlyStoppingCallback(config.dev.patience))
    if TENSORBOARD in config.report_to and team.rank == 0:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise StageError("train.report_to: tensorboard needs its package: pip install 'medloom[tensorboard]'") from error
        callbacks.append(TensorBoardCallback(SummaryWriter(str(out / TENSORBOARD))))  # type: ignore[no-untyped-call]
    return callbacks


def _plan(
    model: "SentenceTransformer",
    records: Sequence[TrainingRecord],
    rows: Sequence[Row],
    config: TrainConfig,
    seed: int,
    folder: Path,
    team: Team,
) -> "Plan":
    """How rows become batches."""
    from medloom.train.locality import Clusters
    from medloom.train.sampling import Plan

    def encode(queries: Sequence[str]) -> Floats:
        learning = model.training
        encoder = TorchEncoder(model, "", config.precision)
        try:
            return encoder.encode(queries, encoder.prompt_for("query"), label="clustering queries")
        finally:
            model.train(learning)

    clusters = None
    if config.locality:
        queries = [row.query for row in rows]
        clusters = Clusters(queries, encode, config.locality, config.batch_size, seed, folder, team.shared)
    return Plan(keys_of(rows, records, config.apart), config.alpha, clusters, team.size)


def _prompts(model: "SentenceTransformer", datasets: "dict[str, Dataset]") -> dict[str, str]:
    """The model's own query prompt for anchors and its document prompt for all else, where it has them."""
    columns = sorted({column for data in datasets.values() for column in data.column_names} - {ROW})
    wanted = {c: model.prompts.get("query" if c == "anchor" else "document") for c in columns}
    return {column: prompt for column, prompt in wanted.items() if prompt}


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
