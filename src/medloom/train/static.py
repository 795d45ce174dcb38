"""Static students: distilled from a teacher, fitted to its vectors of the text at hand, and trained further on the pairs."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from medloom.encode.encoder import load_encoder
from medloom.encode.models import ModelRef, read_length, resolve_model
from medloom.encode.shards import VectorFolder
from medloom.errors import StageError
from medloom.identity import digest, model_digest
from medloom.records import TrainingRecord
from medloom.train.callbacks import make_callback, make_trainer
from medloom.train.config import LoopConfig
from medloom.train.distil import Taught, distil
from medloom.train.loop import TrainResult, datasets_of, last_checkpoint, step_of, steps_of, training_arguments

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_LENGTH = 512


class StaticConfig(LoopConfig):
    """Settings of a static student."""

    kind: Literal["static"] = Field(description="A vector for each token, looked up and averaged: no transformer.")
    teacher: str | None = Field(
        default=None,
        description="The dense model that is distilled: builtin:NAME, a folder (that of another recipe's model), or a hub "
        "id. The recipe's base if not set.",
    )
    dimensions: int | None = Field(default=256, ge=1, description="Of the vectors; those of the teacher if null or more.")
    words: int = Field(
        default=10_000,
        ge=0,
        description="At most how many words that the text uses most, and the teacher reads in pieces, become one token.",
    )
    sif: float = Field(default=1e-4, gt=0, description="A token that is a share p of all text counts sif / (sif + p).")
    ridge: float = Field(
        default=0.01, gt=0, description="How hard distilled vectors hold against the fit to the teacher's vectors of texts."
    )
    epochs: float = Field(
        default=1.0, ge=0, description="Passes over the training pairs after the distillation; 0 for none."
    )
    batch_size: int = Field(default=256, ge=2, description="Pairs per step; each is a negative for all others.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Peak learning rate of AdamW.")
    temperature: float = Field(default=0.05, gt=0, description="Of InfoNCE; similarities are divided by it.")
    symmetric: bool = Field(default=True, description="Also ask each positive to find its query (two-way InfoNCE).")


def train_static(
    records: Iterable[TrainingRecord], base: ModelRef, out: Path, config: StaticConfig, seed: int, folder: Path | None = None
) -> TrainResult:
    """Distil a teacher, train the student on the pairs, and save it as ``out/model``.

    Every text of the pairs is read by the teacher once, into ``out/vectors``, with its prompt for queries or documents; the
    student needs none. Then InfoNCE over the pairs, as for a dense model. A killed run goes on where it was, and ends with
    the same weights.

    Args:
        records: Pairs with or without negatives.
        base: The teacher, if the settings name none.
        out: Folder of the stage.
        config: Settings.
        seed: Seeds data order.
        folder: What the teacher's path is relative to.

    Raises:
        StageError: There is nothing to train on, or the loss is no longer a number.
        ModelError: The teacher does not load, or has no tokenizer that could be taken over.
    """
    from transformers import set_seed

    kept = list(records)
    datasets = datasets_of(kept)
    if sum(map(len, datasets.values())) < 2:
        raise StageError("train: fewer than two training pairs are left: add text, or lower guard.holdout")
    ref = resolve_model(config.teacher, folder) if config.teacher else base
    queries, documents = texts_of(kept)
    model = taught_student(ref, queries, documents, config, out / "vectors")
    set_seed(seed)
    checkpoints = out / "checkpoints"
    losses: list[tuple[int, float]] = []
    last, steps = last_checkpoint(checkpoints), 0
    if config.epochs:
        trainer = make_trainer(
            make_callback(losses),
            model=model,
            args=training_arguments(checkpoints, config, seed, "fp32", steps_of(datasets, config), True),
            train_dataset=datasets,
            loss=_loss(model, config),
        )
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        steps = int(trainer.state.global_step)
    save_student(model, out / "model")
    for name in ("checkpoints", "vectors"):
        shutil.rmtree(out / name, ignore_errors=True)
    return TrainResult(
        hash=model_digest(out / "model"),
        steps=steps,
        resumed_from=step_of(last) if last else 0,
        losses=losses,
        precision="fp32",
        sets={name: len(data) for name, data in datasets.items()},
    )


def texts_of(records: Sequence[TrainingRecord]) -> tuple[list[str], list[str]]:
    """Distinct queries and distinct documents (positives and negatives) of pairs, in their order."""
    queries = dict.fromkeys(record.query for record in records)
    documents = dict.fromkeys(text for record in records for text in (record.positives[0], *record.negatives))
    return list(queries), list(documents)


def taught_student(
    teacher: ModelRef, queries: Sequence[str], documents: Sequence[str], config: StaticConfig, folder: Path
) -> "SentenceTransformer":
    """A student, distilled from a teacher and fitted to what it makes of texts.

    Args:
        teacher: The model to learn from.
        queries: Texts that it reads with its prompt for queries.
        documents: Texts that it reads with its prompt for documents.
        config: Settings.
        folder: Where its vectors are kept until the end, for a run that is killed.

    Raises:
        ModelError: The teacher does not load, or has no tokenizer that could be taken over.
    """
    import numpy as np

    encoder = load_encoder(teacher, config.precision)
    vectors = VectorFolder(encoder, folder, digest([list(queries), list(documents)]))
    parts = [vectors("queries", queries, "query"), vectors("documents", documents, "document")]
    taught = Taught([*queries, *documents], np.concatenate(parts), read_length(encoder.model) or _LENGTH)
    return distil(encoder, config.dimensions, config.sif, config.words, config.ridge, taught if taught.texts else None)


def save_student(model: "SentenceTransformer", folder: Path) -> None:
    """A plain SentenceTransformer folder with safetensors weights, without a card."""
    if folder.exists():
        shutil.rmtree(folder)
    model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)


def _loss(model: "SentenceTransformer", config: StaticConfig) -> object:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    return MultipleNegativesRankingLoss(
        model,
        scale=1 / config.temperature,
        directions=("query_to_doc", "doc_to_query") if config.symmetric else ("query_to_doc",),
    )
