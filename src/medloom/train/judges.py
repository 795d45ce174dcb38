"""The fixed models that a training run asks, and whether settings fit the data and the models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medloom.encode.models import ModelRef, resolve_model
from medloom.errors import StageError
from medloom.train.config import TrainConfig
from medloom.train.pairs import Row
from medloom.train.team import Team

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from medloom.train.losses import Guide
    from medloom.train.vectors import RowVectors

BASE, SELF = "base", "self"


class Judges:
    """Guide and teachers, with their vectors of the training texts.

    Args:
        rows: The training set.
        base: The model to start from.
        folder: What the models' paths are relative to.
        vectors: Where their vectors lie.
        config: Settings.

    Raises:
        ModelError: A model does not load.
    """

    guide: "Guide | None" = None

    def __init__(self, rows: Sequence[Row], base: ModelRef, folder: Path | None, vectors: Path, config: TrainConfig) -> None:
        from medloom.train.losses import Guide, Teacher
        from medloom.train.vectors import row_vectors

        known: dict[str, RowVectors] = {}

        def vectors_of(name: str) -> "RowVectors":
            ref = base if name == BASE else resolve_model(name, folder)
            if ref.hash not in known:
                known[ref.hash] = row_vectors(rows, ref, vectors / ref.hash[:16], config.max_seq_length, config.precision)
            return known[ref.hash]

        if config.guide:
            fixed = None if config.guide == SELF else vectors_of(config.guide)
            self.guide = Guide(fixed, config.margin, config.margin_of == "relative")
        self.teachers: list[Teacher] = []
        if config.anchor:
            self.teachers.append(Teacher(vectors_of(BASE), "embeddings", config.anchor))
        if config.distill:
            wanted = config.distill
            self.teachers.append(Teacher(vectors_of(wanted.teacher), wanted.match, wanted.weight, wanted.temperature))


def models_asked(config: TrainConfig) -> dict[str, str | None]:
    """Names of the models, other than the base, that training asks: ``guide`` and ``teacher``; None for none."""
    named = {"guide": config.guide, "teacher": config.distill.teacher if config.distill else None}
    return {what: None if name in (BASE, SELF) else name for what, name in named.items()}


def check_rows(rows: Sequence[Row], config: TrainConfig, team: Team) -> None:
    """Refuse a training set that is too small, and settings that do not fit it or the number of processes.

    Raises:
        StageError: They do not.
    """
    if len(rows) < 2:
        raise StageError("train: fewer than two training pairs are left: add text, or lower guard.holdout")
    if config.batch_size % team.size:
        raise StageError(
            f"train.batch_size ({config.batch_size}) is shared by {team.size} processes: give a multiple of {team.size}"
        )
    sets = {row.task for row in rows} | {row.source for row in rows}
    unknown = sorted(config.temperatures.keys() - sets)
    if unknown:
        raise StageError(f"train.temperatures names {unknown[0]}, which is no set: there are {', '.join(sorted(sets))}")
    bare = sorted({row.task for row in rows if len(row.documents) == 1})
    if config.distill and config.distill.match == "margins" and bare:
        raise StageError(
            f"train.distill.match: margins needs hard negatives, and pairs of {bare[0]} have none: set negatives.per_query, "
            "or match similarities"
        )


def check_dimensions(model: "SentenceTransformer", judges: Judges, config: TrainConfig) -> None:
    """Refuse dimensions that the model does not have.

    Raises:
        StageError: The largest of ``matryoshka`` is not the model's, or a teacher whose vectors are to be matched has
            others.
    """
    dimensions = int(model.get_embedding_dimension() or 0)
    if config.matryoshka and max(config.matryoshka) != dimensions:
        raise StageError(
            f"train.matryoshka: its largest dimension must be the model's, {dimensions}, and is {max(config.matryoshka)}: "
            "what is not trained gets worse"
        )
    for teacher in judges.teachers:
        if teacher.match == "embeddings" and teacher.vectors.dimensions != dimensions:
            raise StageError(
                f"train.distill.match: embeddings needs a teacher of {dimensions} dimensions, and this one has "
                f"{teacher.vectors.dimensions}: match similarities"
            )
