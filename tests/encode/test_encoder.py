"""Texts in, vectors out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloom.encode import Encoder, load_encoder, resolve_model
from medloom.encode.encoder import TorchEncoder, resolve_precision

TEXTS = ["fever", "heart pain in a child at night with high blood pressure", "", "fever", "cough dose", "?"]


class Asked:
    """What the encoder hands to its model, batch by batch."""

    def __init__(self, encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[str]] = []
        self.prompts: list[str | None] = []
        real = encoder.model.encode

        def encode(texts: list[str], **settings: Any) -> Any:
            self.batches.append(list(texts))
            self.prompts.append(settings.get("prompt"))
            return real(texts, **settings)

        monkeypatch.setattr(encoder.model, "encode", encode)


def test_vectors_stand_in_the_order_of_the_texts(tiny_encoder: TorchEncoder) -> None:
    vectors = tiny_encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 32)
    assert vectors.dtype == np.float32
    for row, text in zip(vectors, TEXTS, strict=True):
        np.testing.assert_allclose(row, tiny_encoder.encode([text])[0], atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01


def test_vectors_are_those_of_the_plain_model(tiny_model: Path, tiny_encoder: TorchEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(tiny_model), device="cpu").encode(TEXTS, show_progress_bar=False)
    np.testing.assert_allclose(tiny_encoder.encode(TEXTS), plain, atol=1e-5)


def test_rows_are_of_unit_length_where_the_model_normalises(
    tiny_encoder: TorchEncoder, make_model: Callable[..., Path]
) -> None:
    np.testing.assert_allclose(np.linalg.norm(tiny_encoder.encode(TEXTS), axis=1), 1, atol=1e-5)
    bare = load_encoder(make_model(normalize=False)).encode(TEXTS)
    assert np.abs(np.linalg.norm(bare, axis=1) - 1).max() > 0.1


def test_equal_texts_are_encoded_once(tiny_encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(tiny_encoder, monkeypatch)
    vectors = tiny_encoder.encode(["fever", "cough"] * 50 + ["fever"])
    assert sorted(t for batch in asked.batches for t in batch) == ["cough", "fever"]
    assert vectors.shape == (101, 32)
    assert (vectors[0::2] == vectors[0]).all()
    assert (vectors[1::2] == vectors[1]).all()


def test_no_texts(tiny_encoder: TorchEncoder) -> None:
    vectors = tiny_encoder.encode([])
    assert vectors.shape == (0, 32)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("texts", ["fever", ["fever", None], [b"fever"], [["fever"]], (1, 2)])
def test_anything_but_a_list_of_strings_is_refused(tiny_encoder: TorchEncoder, texts: Any) -> None:
    with pytest.raises(TypeError, match="encode takes a list of strings"):
        tiny_encoder.encode(texts)


def test_a_tuple_of_strings_will_do(tiny_encoder: TorchEncoder) -> None:
    assert tiny_encoder.encode(("fever", "cough")).shape == (2, 32)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 400), max_size=80, unique=True))
def test_batches_are_of_like_length_and_within_the_budget(tiny_encoder: TorchEncoder, lengths: list[int]) -> None:
    texts = ["a" * n for n in lengths]
    with pytest.MonkeyPatch.context() as monkeypatch:
        asked = Asked(tiny_encoder, monkeypatch)
        monkeypatch.setattr("medloom.encode.encoder._TOKENS_PER_BATCH", 300)
        tiny_encoder.encode(texts)
    found = [len(t) for batch in asked.batches for t in batch]
    assert found == sorted(lengths, reverse=True)
    for batch in asked.batches:
        width = min(48, len(batch[0]) // 4 + 3)
        assert len(batch) == 1 or len(batch) * width <= 300


def test_short_texts_share_a_batch(tiny_encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(tiny_encoder, monkeypatch)
    tiny_encoder.encode([f"fever {i}" for i in range(200)])
    assert len(asked.batches) < 10


def test_prompts_come_from_the_model(make_model: Callable[..., Path]) -> None:
    encoder = load_encoder(make_model(prompts={"query": "query: "}))
    assert encoder.prompt_for("query") == "query: "
    assert encoder.prompt_for("document") is None
    with_prompt = encoder.encode(["fever"], encoder.prompt_for("query"))
    np.testing.assert_allclose(with_prompt, encoder.encode(["query: fever"]), atol=1e-6)
    assert np.abs(with_prompt - encoder.encode(["fever"])).max() > 0.01


def test_a_model_without_prompts(tiny_encoder: TorchEncoder) -> None:
    assert tiny_encoder.prompt_for("query") is None
    assert tiny_encoder.prompt_for("document") is None


def test_a_prompt_is_never_added_unasked(tmp_path: Path, make_model: Callable[..., Path]) -> None:
    """A model whose settings name a default prompt must not put it before texts encoded without one."""
    import json
    import shutil

    folder = Path(shutil.copytree(make_model(prompts={"query": "query: "}), tmp_path / "model"))
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps(json.loads(settings.read_text("utf-8")) | {"default_prompt_name": "query"}), "utf-8")
    encoder = load_encoder(folder)
    documents = encoder.encode(["fever"], encoder.prompt_for("document"))
    queries = encoder.encode(["fever"], encoder.prompt_for("query"))
    assert np.abs(documents - queries).max() > 0.01


def test_what_an_encoder_says_of_itself(tiny_model: Path, tiny_encoder: TorchEncoder) -> None:
    assert isinstance(tiny_encoder, Encoder)
    assert tiny_encoder.dimensions == 32
    assert tiny_encoder.hash == resolve_model(str(tiny_model)).hash
    assert tiny_encoder.precision == "fp32"
    assert not tiny_encoder.model.training


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_pooling_is_named(make_model: Callable[..., Path], pooling: str) -> None:
    assert load_encoder(make_model(pooling=pooling)).pooling == pooling


def test_bf16_is_near_fp32_and_float32_comes_out(tiny_model: Path, tiny_encoder: TorchEncoder) -> None:
    encoder = load_encoder(tiny_model, "bf16")
    assert encoder.precision == "bf16"
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    plain = tiny_encoder.encode(TEXTS)
    assert (vectors != plain).any()
    assert ((vectors * plain).sum(axis=1) / np.linalg.norm(vectors, axis=1)).min() > 0.99


def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for able, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda able=able: able)
        assert resolve_precision("auto") == expected
        assert (resolve_precision("fp32"), resolve_precision("bf16")) == ("fp32", "bf16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for able, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert resolve_precision("auto") == expected


def test_a_bar_counts_distinct_texts(tiny_encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    seen: list[Any] = []

    @contextmanager
    def bar(label: str, total: int, unit: str) -> Any:
        seen.append((label, total, unit))
        yield lambda n=1: seen.append(n)

    monkeypatch.setattr("medloom.encode.encoder.bar", bar)
    texts: Sequence[str] = ["fever", "cough", "fever"]
    tiny_encoder.encode(texts)
    assert seen == []
    tiny_encoder.encode(texts, label="encoding (base)")
    assert seen[0] == ("encoding (base)", 2, "texts")
    assert sum(seen[1:]) == 2
