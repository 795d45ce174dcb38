"""The contrastive loss: the library's value and gradients wherever the library has the same loss."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses as library
from sentence_transformers.util import pairwise_cos_sim
from torch import Tensor

from medloom.train import TrainConfig
from medloom.train.loop import set_dropout
from medloom.train.losses import Guide, GuidedRankingLoss, Teacher, build_loss, directions_of, distance, false_negatives
from medloom.train.packing import LengthSorted
from medloom.train.pairs import Row
from medloom.train.vectors import RowVectors, row_vectors

WORDS = ["fever", "heart", "pain", "in", "a", "child", "at", "night", "dose", "x9"]
COUNT = 10


def texts(seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) for _ in range(rng.choice([1, 2, 3, 5, 20]))) for _ in range(COUNT)]


def rows(columns: int = 2) -> list[Row]:
    drawn = [texts(seed) for seed in range(columns)]
    return [Row(d[0], tuple(d[1:]), "own/x", "own", "") for d in zip(*drawn, strict=True)]


def loaded(path: Path) -> SentenceTransformer:
    model = SentenceTransformer(str(path), device="cpu")
    set_dropout(model, 0.0)
    return model.train()


@pytest.fixture
def model(tiny_model: Path) -> SentenceTransformer:
    """The tiny model in training mode, without dropout."""
    return loaded(tiny_model)


@pytest.fixture(scope="module")
def guide_path(make_model: Callable[..., Path]) -> Path:
    """Another tiny model."""
    return make_model(seed=5)


def vectors(path: Path, given: list[Row], folder: Path) -> RowVectors:
    from medloom.encode import resolve_model

    return row_vectors(given, resolve_model(str(path)), folder, 48, "fp32")


def value(loss: torch.nn.Module, model: SentenceTransformer, given: list[Row]) -> tuple[float, dict[str, Tensor]]:
    """Loss of all rows as one batch, and the gradients."""
    model.zero_grad()
    columns = [[row.query for row in given], *(list(c) for c in zip(*(row.documents for row in given), strict=True))]
    result = loss([dict(model.preprocess(column)) for column in columns], torch.arange(len(given)))
    result.backward()
    return result.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(ours: Any, theirs: Any) -> None:
    assert ours[0] == pytest.approx(theirs[0], abs=1e-5)
    assert ours[1].keys() == theirs[1].keys()
    assert any(bool(gradient.abs().max() > 1e-4) for gradient in ours[1].values())
    for name, gradient in theirs[1].items():
        torch.testing.assert_close(ours[1][name], gradient, atol=2e-5, rtol=1e-3, msg=name)


def guided(model: SentenceTransformer, config: TrainConfig, **settings: Any) -> GuidedRankingLoss:
    temperatures = torch.full((COUNT,), config.temperature)
    return GuidedRankingLoss(LengthSorted(model), temperatures, directions_of(config), **settings)


@pytest.mark.parametrize("columns", [2, 4])
@pytest.mark.parametrize(
    "settings",
    [{}, {"symmetric": True}, {"contrast": ["queries", "documents"], "symmetric": True}, {"contrast": ["queries"]}],
)
def test_without_guide_it_is_the_librarys_ranking_loss(
    model: SentenceTransformer, columns: int, settings: dict[str, Any]
) -> None:
    given, config = rows(columns), TrainConfig(**settings)
    theirs = library.MultipleNegativesRankingLoss(model, scale=20.0, directions=directions_of(config))
    assert_same(value(guided(model, config), model, given), value(theirs, model, given))
    assert_same(value(build_loss(LengthSorted(model), config, given), model, given), value(theirs, model, given))


@pytest.mark.parametrize("mini_batch", [3, 64])
def test_gradient_caching_gives_the_same(model: SentenceTransformer, mini_batch: int) -> None:
    given, config = rows(3), TrainConfig(symmetric=True)
    whole = value(guided(model, config), model, given)
    assert_same(value(guided(model, config, mini_batch=mini_batch), model, given), whole)
    built = build_loss(LengthSorted(model), TrainConfig(symmetric=True, mini_batch=3, batch_size=COUNT), given)
    assert isinstance(built, library.CachedMultipleNegativesRankingLoss)
    assert_same(value(built, model, given), whole)


@pytest.mark.parametrize(
    ("columns", "contrast", "margin", "strategy"),
    [
        (2, True, 0.0, "absolute"),
        (2, True, 0.02, "relative"),
        (2, False, -0.02, "absolute"),
        (3, False, 0.02, "absolute"),
        (3, False, -0.02, "relative"),
    ],
)
def test_with_a_guide_it_is_gist(
    model: SentenceTransformer,
    guide_path: Path,
    tmp_path: Path,
    columns: int,
    contrast: bool,
    margin: float,
    strategy: Literal["absolute", "relative"],
) -> None:
    given = rows(columns)
    config = TrainConfig(contrast=("queries", "documents") if contrast else ())
    guide = Guide(vectors(guide_path, given, tmp_path), margin, strategy == "relative")
    theirs = library.GISTEmbedLoss(
        model,
        SentenceTransformer(str(guide_path), device="cpu"),
        temperature=config.temperature,
        margin_strategy=strategy,
        margin=margin,
        contrast_anchors=contrast,
        contrast_positives=contrast,
    )
    expected = value(theirs, model, given)
    assert_same(value(guided(model, config, guide=guide), model, given), expected)
    assert_same(value(guided(model, config, guide=guide, mini_batch=4), model, given), expected)
    assert expected[0] != pytest.approx(value(guided(model, config), model, given)[0], abs=1e-3)


def test_the_model_may_guide_itself(model: SentenceTransformer, tiny_model: Path, tmp_path: Path) -> None:
    given, config = rows(3), TrainConfig(symmetric=True)
    by_itself = value(guided(model, config, guide=Guide(None, 0.05)), model, given)
    by_its_twin = value(guided(model, config, guide=Guide(vectors(tiny_model, given, tmp_path), 0.05)), model, given)
    assert_same(by_itself, by_its_twin)


def test_what_is_a_false_negative() -> None:
    scores = {"query_to_doc": torch.tensor([[0.5, 0.7, 0.45, 0.1], [0.2, 0.9, 0.95, 0.85]])}
    local = torch.tensor([0, 1])
    found = {m: false_negatives(scores, local, Guide(None, m))["query_to_doc"].tolist() for m in (0.0, 0.1, -0.1)}
    assert found[0.0] == [[False, True, False, False], [False, False, True, False]]
    assert found[0.1] == [[False, True, True, False], [False, False, True, True]]
    assert found[-0.1] == [[False, True, False, False], [False, False, False, False]]
    relative = false_negatives(scores, local, Guide(None, 0.12, relative=True))["query_to_doc"].tolist()
    assert relative == [[False, True, True, False], [False, False, True, True]]


def test_each_row_has_the_temperature_of_its_set(model: SentenceTransformer) -> None:
    given = [
        Row(row.query, row.documents, ("a/x", "a/y", "b/x")[i % 3], ("a", "a", "b")[i % 3], "")
        for i, row in enumerate(rows(2))
    ]
    config = TrainConfig(temperature=0.5, temperatures={"a": 0.2, "a/y": 0.1})
    ours = build_loss(LengthSorted(model), config, given)
    assert isinstance(ours, GuidedRankingLoss)
    torch.testing.assert_close(ours.temperatures[:4], torch.tensor([0.2, 0.1, 0.5, 0.2]))
    features = [
        dict(model.preprocess([r.query for r in given])),
        dict(model.preprocess([r.documents[0] for r in given])),
    ]
    queries, documents = (model(dict(f))["sentence_embedding"] for f in features)
    logits = (queries @ documents.T) / ours.temperatures[:, None]
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(COUNT))
    assert value(ours, model, given)[0] == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("extra", [{}, {"mini_batch": 4, "batch_size": COUNT}])
def test_matryoshka_is_the_sum_over_dimensions(model: SentenceTransformer, extra: dict[str, Any]) -> None:
    given = rows(3)
    config = TrainConfig(matryoshka=(32, 16, 8), **extra)
    theirs = library.MatryoshkaLoss(model, library.MultipleNegativesRankingLoss(model, scale=20.0), [32, 16, 8])
    expected = value(theirs, model, given)
    assert_same(value(build_loss(LengthSorted(model), config, given), model, given), expected)
    guided_too = build_loss(LengthSorted(model), config, given, Guide(None, -1.0))
    assert isinstance(guided_too.loss, GuidedRankingLoss)
    assert_same(value(guided_too, model, given), expected)


def test_a_teachers_vectors(model: SentenceTransformer, guide_path: Path, tmp_path: Path) -> None:
    given = rows(3)
    teacher = Teacher(vectors(guide_path, given, tmp_path), "embeddings", 1.0)
    embeddings = embeddings_of(model, given)
    target = SentenceTransformer(str(guide_path), device="cpu")
    labels = torch.stack([target.encode(list(c), convert_to_tensor=True) for c in columns_of(given)], dim=1)
    theirs = library.EmbedDistillLoss(model, distance_metric="cosine").compute_loss_from_embeddings(
        embeddings, [labels[:, i] for i in range(3)]
    )
    torch.testing.assert_close(
        distance(embeddings, torch.arange(COUNT), torch.arange(COUNT), teacher), theirs, atol=1e-5, rtol=1e-4
    )


def test_a_teachers_margins(model: SentenceTransformer, guide_path: Path, tmp_path: Path) -> None:
    given = rows(4)
    teacher = Teacher(vectors(guide_path, given, tmp_path), "margins", 1.0)
    embeddings = embeddings_of(model, given)
    target = SentenceTransformer(str(guide_path), device="cpu")
    query, *documents = (target.encode(list(c), convert_to_tensor=True) for c in columns_of(given))
    margins = torch.stack([pairwise_cos_sim(query, documents[0]) - pairwise_cos_sim(query, d) for d in documents[1:]], dim=1)
    theirs = library.MarginMSELoss(model, similarity_fct=pairwise_cos_sim).compute_loss_from_embeddings(embeddings, margins)
    torch.testing.assert_close(
        distance(embeddings, torch.arange(COUNT), torch.arange(COUNT), teacher), theirs, atol=1e-5, rtol=1e-4
    )


def test_a_teachers_similarities(model: SentenceTransformer, guide_path: Path, tmp_path: Path) -> None:
    """The library's DistillKLDivLoss over all documents of the batch: each column once in every rotation."""
    given = rows(3)
    teacher = Teacher(vectors(guide_path, given, tmp_path), "similarities", 1.0, temperature=0.1)
    embeddings = embeddings_of(model, given)
    wanted = teacher.vectors.take(torch.arange(COUNT), 3)
    turned = [d.roll(-k, 0) for d in embeddings[1:] for k in range(COUNT)]
    scores = torch.stack([pairwise_cos_sim(wanted[0], d.roll(-k, 0)) for d in wanted[1:] for k in range(COUNT)], dim=1)
    theirs = library.DistillKLDivLoss(model, similarity_fct=pairwise_cos_sim, temperature=0.1).compute_loss_from_embeddings(
        [embeddings[0], *turned], scores
    )
    torch.testing.assert_close(
        distance(embeddings, torch.arange(COUNT), torch.arange(COUNT), teacher), theirs, atol=1e-5, rtol=1e-4
    )


def test_teachers_are_added_with_their_weights(model: SentenceTransformer, guide_path: Path, tmp_path: Path) -> None:
    given, config = rows(3), TrainConfig()
    known = vectors(guide_path, given, tmp_path)
    teachers = [Teacher(known, "embeddings", 0.5), Teacher(known, "similarities", 2.0)]
    plain = value(guided(model, config), model, given)[0]
    apart = [
        distance(embeddings_of(model, given), torch.arange(COUNT), torch.arange(COUNT), teacher).item()
        for teacher in teachers
    ]
    both = value(guided(model, config, teachers=teachers), model, given)
    assert both[0] == pytest.approx(plain + 0.5 * apart[0] + 2.0 * apart[1], abs=1e-5)
    assert_same(value(guided(model, config, teachers=teachers, mini_batch=4), model, given), both)
    cut = value(build_loss(LengthSorted(model), TrainConfig(matryoshka=(32, 8)), given, None, teachers[:1]), model, given)[0]
    bare = value(build_loss(LengthSorted(model), TrainConfig(matryoshka=(32, 8)), given), model, given)[0]
    assert cut == pytest.approx(bare + 0.5 * apart[0], abs=1e-5)


def test_vectors_of_rows_are_kept_and_found_again(guide_path: Path, tmp_path: Path) -> None:
    given = [Row("fever", ("heart pain", "dose"), "t", "s", ""), Row("fever", ("dose",), "t", "s", "")]
    first = vectors(guide_path, given, tmp_path)
    written = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir() if p.suffix == ".npy"}
    again = vectors(guide_path, given, tmp_path)
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir() if p.suffix == ".npy"} == written
    assert first.dimensions == again.dimensions == 32
    model = SentenceTransformer(str(guide_path), device="cpu")
    query, document = again.take(torch.tensor([1]), 2)
    np.testing.assert_allclose(query, model.encode(["fever"]), atol=1e-5)
    np.testing.assert_allclose(document, model.encode(["dose"]), atol=1e-5)
    np.testing.assert_allclose(first.take(torch.tensor([0, 1]), 2)[1], model.encode(["heart pain", "dose"]), atol=1e-5)


def columns_of(given: list[Row]) -> list[list[str]]:
    return [[row.query for row in given], *(list(c) for c in zip(*(row.documents for row in given), strict=True))]


def embeddings_of(model: SentenceTransformer, given: list[Row]) -> list[Tensor]:
    return [model(dict(model.preprocess(column)))["sentence_embedding"] for column in columns_of(given)]
