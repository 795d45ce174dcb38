"""The contrastive loss of dense encoders: the library's own where it can do what is asked, else one that leaves out more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from sentence_transformers.base.losses import CachedLossMixin
from sentence_transformers.base.losses.merged_forward import embed_columns
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    EmbedDistillLoss,
    MarginMSELoss,
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import all_gather, all_gather_with_grad, cos_sim, get_rank, pairwise_cos_sim
from torch import Tensor, nn

from medloom.train.config import TrainConfig
from medloom.train.pairs import Row
from medloom.train.vectors import RowVectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from medloom.train.packing import LengthSorted

Direction = Literal["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"]


@dataclass(frozen=True)
class Guide:
    """Who says which negatives are false.

    Attributes:
        vectors: Of a fixed model; None for the model's own, as it learns.
        margin: A negative is left out if it scores above the positive less this.
        relative: Whether the margin is a share of the positive's score.
    """

    vectors: RowVectors | None
    margin: float = 0.0
    relative: bool = False


@dataclass(frozen=True)
class Teacher:
    """Whose vectors or similarities are to be matched.

    Attributes:
        vectors: The teacher's.
        match: What of them.
        weight: Of this loss.
        temperature: Of both softmaxes where similarities are matched.
    """

    vectors: RowVectors
    match: Literal["similarities", "embeddings", "margins"]
    weight: float
    temperature: float = 0.05


class GuidedRankingLoss(CachedLossMixin, nn.Module):
    """InfoNCE with what sentence-transformers' losses lack, or have only one of at a time.

    Without guide and teachers it is MultipleNegativesRankingLoss; with a guide and at most one negative it is GISTEmbedLoss
    (Solatorio 2024), whose guide is asked once for each text instead of at each step; with ``mini_batch`` it is their cached
    forms (GradCache, Gao et al. 2021).

    Args:
        model: Gives the embeddings.
        temperatures: float, shape (rows,): of each row of the training set; the labels are numbers of rows.
        directions: Similarities that enter the softmax; ``query_to_doc`` first.
        guide: Leaves out false negatives.
        teachers: Their losses are added.
        gather: Take the batches of all processes as one.
        mini_batch: Rows embedded at a time under GradCache; None embeds the batch at once.
    """

    def __init__(
        self,
        model: "LengthSorted | SentenceTransformer",
        temperatures: Tensor,
        directions: Sequence[Direction] = ("query_to_doc",),
        guide: Guide | None = None,
        teachers: Sequence[Teacher] = (),
        gather: bool = False,
        mini_batch: int | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.temperatures = temperatures
        self.directions = tuple(directions)
        self.guide = guide
        self.teachers = tuple(teachers)
        self.gather = gather
        self.uses_gradient_cache = mini_batch is not None
        self.mini_batch_size = mini_batch or 0
        self.dimensions = int(model.get_embedding_dimension() or 0)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            sentence_features: Of the queries, the positives, and each column of negatives.
            labels: int64, shape (batch,): numbers of the rows.
        """
        if self.uses_gradient_cache:
            return self.forward_cached(sentence_features, labels)
        return self.calculate_loss([[column] for column in embed_columns(self.model, sentence_features)], labels)

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss from embeddings in pieces; see CachedLossMixin."""
        assert labels is not None
        embeddings, everyone, offset = [torch.cat(pieces) for pieces in reps], labels, 0
        if self.gather:
            embeddings, everyone = [all_gather_with_grad(column) for column in embeddings], all_gather(labels)
            offset = get_rank() * len(labels)
        local = torch.arange(offset, offset + len(labels), device=labels.device)
        loss = self._contrastive(embeddings, everyone, local)
        for teacher in self.teachers:
            if teacher.match != "embeddings" or embeddings[0].shape[-1] == self.dimensions:
                loss = loss + teacher.weight * distance(embeddings, everyone, local, teacher)
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach()
        return loss

    def _contrastive(self, embeddings: list[Tensor], labels: Tensor, local: Tensor) -> Tensor:
        scores = self._scores(embeddings, local)
        if self.guide:
            with torch.no_grad():
                vectors = self.guide.vectors
                seen = scores if vectors is None else self._scores(vectors.take(labels, len(embeddings)), local)
                left_out = false_negatives(seen, local, self.guide)
            scores = {name: matrix.masked_fill(left_out[name], -torch.inf) for name, matrix in scores.items()}
        scale = 1 / self.temperatures.to(labels.device)[labels[local]]
        logits = {name: matrix * scale[:, None] for name, matrix in scores.items()}
        right = logits["query_to_doc"].gather(1, local[:, None])[:, 0]
        return (torch.logsumexp(torch.cat(list(logits.values()), dim=1), dim=1) - right).mean()

    def _scores(self, embeddings: list[Tensor], local: Tensor) -> dict[str, Tensor]:
        """Cosines, one matrix a direction, with a row for each of this process's pairs; what is no negative is -inf."""
        queries, positives, documents = embeddings[0], embeddings[1], torch.cat(embeddings[1:])
        scores: dict[str, Tensor] = {}
        for direction in self.directions:
            if direction == "query_to_doc":
                scores[direction] = cos_sim(queries[local], documents)
            elif direction == "doc_to_query":
                scores[direction] = cos_sim(positives[local], queries)
            elif direction == "query_to_query":
                own = torch.eye(len(queries), dtype=torch.bool, device=local.device)[local]
                scores[direction] = cos_sim(queries[local], queries).masked_fill(own, -torch.inf)
            else:
                own = torch.eye(len(queries), dtype=torch.bool, device=local.device)[local]
                own = own.repeat(1, len(embeddings) - 1)
                scores[direction] = cos_sim(positives[local], documents).masked_fill(own, -torch.inf)
        return scores


def false_negatives(scores: dict[str, Tensor], local: Tensor, guide: Guide) -> dict[str, Tensor]:
    """Which entries of each matrix the guide takes for positives, though they stand among the negatives.

    Args:
        scores: The guide's cosines, one matrix a direction.
        local: Column of each row's own positive.
        guide: Its margin.

    Returns:
        bool, of the matrices' shapes.
    """
    right = scores["query_to_doc"].gather(1, local[:, None])
    limit = right - (right.abs() * guide.margin if guide.relative else guide.margin)
    found = {name: matrix > limit for name, matrix in scores.items()}
    for name in {"query_to_doc", "doc_to_query"} & found.keys():
        found[name].scatter_(1, local[:, None], value=False)
    return found


def distance(embeddings: list[Tensor], labels: Tensor, local: Tensor, teacher: Teacher) -> Tensor:
    """How far a batch is from what a teacher says of it, a scalar.

    Args:
        embeddings: Of queries, positives, and each column of negatives: shape (batch, d) each.
        labels: Numbers of the rows.
        local: Which of them are this process's own.
        teacher: What it says.
    """
    wanted = teacher.vectors.take(labels, len(embeddings))
    unused = nn.Identity()
    if teacher.match == "embeddings":
        match = EmbedDistillLoss(unused, distance_metric="cosine")  # type: ignore[arg-type]
        return match.compute_loss_from_embeddings([e[local] for e in embeddings], [w[local] for w in wanted])
    if teacher.match == "margins":
        margins = MarginMSELoss(unused, similarity_fct=pairwise_cos_sim)  # type: ignore[arg-type]
        right = torch.stack([pairwise_cos_sim(wanted[0], documents) for documents in wanted[1:]], dim=1)
        return margins.compute_loss_from_embeddings([e[local] for e in embeddings], right[local])
    student, target = (cos_sim(v[0][local], torch.cat(v[1:])) / teacher.temperature for v in (embeddings, wanted))
    return nn.functional.kl_div(student.log_softmax(1), target.softmax(1), reduction="batchmean") * teacher.temperature**2


def build_loss(
    model: "LengthSorted | SentenceTransformer",
    config: TrainConfig,
    rows: Sequence[Row],
    guide: Guide | None = None,
    teachers: Sequence[Teacher] = (),
    gather: bool = False,
) -> nn.Module:
    """The loss that the settings ask for.

    Args:
        model: Gives the embeddings.
        config: Settings.
        rows: The training set, for the temperature of each row's set.
        guide: Who says which negatives are false.
        teachers: What is to be learnt besides.
        gather: Take the batches of all processes as one.
    """
    directions = directions_of(config)
    loss: nn.Module
    if guide or teachers or config.temperatures:
        temperatures = torch.tensor([temperature_of(row, config) for row in rows])
        loss = GuidedRankingLoss(model, temperatures, directions, guide, teachers, gather, config.mini_batch)
    else:
        settings: dict[str, Any] = {
            "scale": 1 / config.temperature,
            "directions": directions,
            "gather_across_devices": gather,
        }
        if config.mini_batch:
            loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=config.mini_batch, **settings)  # type: ignore[arg-type]
        else:
            loss = MultipleNegativesRankingLoss(model, **settings)  # type: ignore[arg-type]
    if config.matryoshka:
        loss = MatryoshkaLoss(model, loss, config.matryoshka)  # type: ignore[arg-type]
    return loss


def directions_of(config: TrainConfig) -> tuple[Direction, ...]:
    """The similarities that enter the softmax, in the library's order."""
    wanted: dict[Direction, bool] = {
        "query_to_doc": True,
        "query_to_query": "queries" in config.contrast,
        "doc_to_query": config.symmetric,
        "doc_to_doc": "documents" in config.contrast,
    }
    return tuple(direction for direction, there in wanted.items() if there)


def temperature_of(row: Row, config: TrainConfig) -> float:
    """The temperature of the row's set, else of its source, else the common one."""
    return config.temperatures.get(row.task, config.temperatures.get(row.source, config.temperature))
