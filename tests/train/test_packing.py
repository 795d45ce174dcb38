"""Forward passes in pieces: the same embeddings and gradients as the whole."""

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.train.packing import LengthSorted, _pieces

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

WORDS = ["fever", "heart", "pain", "in", "a", "child", "at", "night", "dose", "x9"]


@pytest.fixture
def model(tiny_model: Path) -> "SentenceTransformer":
    """The tiny model in training mode, without dropout."""
    from sentence_transformers import SentenceTransformer
    from torch import nn

    model = SentenceTransformer(str(tiny_model), device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
    return model.train()


def texts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) for _ in range(rng.choice([1, 2, 3, 5, 20, 40]))) for _ in range(count)]


def gradients(model: "SentenceTransformer") -> dict[str, "Tensor"]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("tokens", [1, 64, 200, 1_024, 100_000])
def test_embeddings_and_gradients_are_those_of_the_plain_model(model: "SentenceTransformer", tokens: int) -> None:
    import torch

    features = model.preprocess(texts(17))
    weights = torch.randn(17, 32, generator=torch.Generator().manual_seed(0))

    def run(forward: Any) -> tuple["Tensor", dict[str, "Tensor"]]:
        model.zero_grad()
        embeddings = forward(dict(features))["sentence_embedding"]
        (embeddings * weights).sum().backward()
        return embeddings.detach(), gradients(model)

    plain, plain_gradients = run(model)
    sorted_, sorted_gradients = run(LengthSorted(model, tokens))
    assert plain.shape == sorted_.shape == (17, 32)
    torch.testing.assert_close(sorted_, plain, atol=1e-5, rtol=1e-5)
    assert sorted_gradients.keys() == plain_gradients.keys()
    assert len(plain_gradients) > 20
    for name, gradient in plain_gradients.items():
        torch.testing.assert_close(sorted_gradients[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_the_model_never_sees_more_than_a_piece(model: "SentenceTransformer", monkeypatch: pytest.MonkeyPatch) -> None:
    features = model.preprocess(texts(30))
    seen: list[tuple[int, int]] = []
    real = model.forward

    def forward(features: dict[str, Any], **settings: Any) -> Any:
        mask = features["attention_mask"]
        assert int(mask.sum(dim=1).max()) == mask.shape[1]
        seen.append(tuple(mask.shape))
        return real(features, **settings)

    monkeypatch.setattr(model, "forward", forward)
    LengthSorted(model, 100)(dict(features))
    assert sum(rows for rows, _ in seen) == 30
    assert all(rows == 1 or rows * width <= 100 for rows, width in seen)
    assert sum(rows * width for rows, width in seen) < 30 * features["attention_mask"].shape[1]


def test_padding_on_the_left_goes_through_unsorted(model: "SentenceTransformer") -> None:
    import torch

    features = model.preprocess(["fever heart", "dose"])
    flipped = {k: v.flip(1) if isinstance(v, torch.Tensor) and v.ndim == 2 else v for k, v in features.items()}
    expected = model(dict(flipped))["sentence_embedding"]
    torch.testing.assert_close(LengthSorted(model, 1)(dict(flipped))["sentence_embedding"], expected)


def test_the_loss_is_the_plain_one(model: "SentenceTransformer") -> None:
    import torch
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    columns = [texts(12, seed) for seed in (1, 2, 3)]

    def run(wrapped: Any, **settings: Any) -> tuple[float, dict[str, "Tensor"]]:
        model.zero_grad()
        loss = MultipleNegativesRankingLoss(wrapped, scale=20.0, **settings)
        value = loss([dict(model.preprocess(column)) for column in columns], torch.zeros(12))
        value.backward()
        return value.item(), gradients(model)

    for settings in ({}, {"directions": ("query_to_doc", "doc_to_query")}):
        plain, plain_gradients = run(model, **settings)
        packed, packed_gradients = run(LengthSorted(model, 128), **settings)
        assert packed == pytest.approx(plain, abs=1e-5)
        for name, gradient in plain_gradients.items():
            torch.testing.assert_close(packed_gradients[name], gradient, atol=1e-5, rtol=1e-3, msg=name)


def test_everything_else_is_the_models(model: "SentenceTransformer") -> None:
    packed = LengthSorted(model)
    assert packed.max_seq_length == model.max_seq_length
    assert packed.tokenizer is model.tokenizer
    assert packed.get_embedding_dimension() == 32
    assert {id(p) for p in packed.parameters()} == {id(p) for p in model.parameters()}
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = packed.no_such_name


@given(st.lists(st.integers(1, 500), max_size=50).map(lambda lengths: sorted(lengths, reverse=True)), st.integers(1, 2_000))
def test_pieces_cover_all_rows_in_order(lengths: list[int], tokens: int) -> None:
    pieces = list(_pieces(lengths, tokens))
    assert [row for start, stop, _ in pieces for row in range(start, stop)] == list(range(len(lengths)))
    for start, stop, width in pieces:
        assert width == max(lengths[start:stop])
        assert stop - start == 1 or (stop - start) * width <= tokens
