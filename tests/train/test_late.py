"""Late interaction: made of a dense model, trained, resumed, and loaded by everything that reads models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.train.test_dense import toy

from medloom.encode import resolve_model
from medloom.encode.maxsim import max_sim
from medloom.encode.multivector import TokenEncoder, is_multivector, load_multivector
from medloom.errors import ModelError, StageError
from medloom.identity import model_digest
from medloom.train.late import LateConfig, late_model, train_late
from medloom.train.loop import TrainResult


def quick(**settings: Any) -> LateConfig:
    defaults: dict[str, Any] = {
        "kind": "late-interaction", "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "dimensions": 16,
        "query_length": 12, "checkpoint_steps": 1_000,
    }  # fmt: skip
    return LateConfig(**(defaults | settings))


def train(model: Path, out: Path, records: Any = None, **settings: Any) -> TrainResult:
    return train_late(toy() if records is None else records, resolve_model(str(model)), out, quick(**settings), seed=1)


def first_hits(encoder: TokenEncoder) -> float:
    records = toy()
    queries = [one.astype(np.float32) for one in encoder.encode([r.query for r in records], "query")]
    texts = [one.astype(np.float32) for one in encoder.encode([r.positives[0] for r in records], "document")]
    return float(np.mean([max_sim(query, texts).argmax() == n for n, query in enumerate(queries)]))


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    out = tmp_path_factory.mktemp("late")
    return out, train(tiny_model, out, toy(negatives=1), epochs=8)


def test_it_learns(tiny_model: Path, trained: tuple[Path, TrainResult]) -> None:
    untrained = late_model(resolve_model(str(tiny_model)), quick(), [r.positives[0] for r in toy()], seed=1)
    assert first_hits(TokenEncoder(untrained, "")) < 0.5
    assert first_hits(load_multivector(trained[0] / "model")) > 0.9
    losses = [loss for _, loss in trained[1].losses]
    assert losses[-1] < losses[0] / 2


def test_what_it_says_of_itself(trained: tuple[Path, TrainResult]) -> None:
    out, result = trained
    assert (result.steps, result.resumed_from, result.precision) == (48, 0, "fp32")
    assert result.sets == {"toy/lay_name/1": 48}
    assert result.hash == model_digest(out / "model")
    assert [path.name for path in out.iterdir()] == ["model"]
    assert is_multivector(out / "model")


def test_the_folder_is_a_multi_vector_encoder_as_it_is(trained: tuple[Path, TrainResult]) -> None:
    from sentence_transformers import MultiVectorEncoder

    model = MultiVectorEncoder(str(trained[0] / "model"), device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "Dense", "MultiVectorMask", "Normalize"]
    assert model.prompts == {"query": "[Q] ", "document": "[D] "}
    assert len(model.encode_query(["fever"])[0]) == 12
    encoder = load_multivector(trained[0] / "model")
    assert encoder.dimensions == 16
    assert len(encoder.encode(["pain " * 20], "query")[0]) == 25, "a long query is left whole"
    assert len(encoder.encode(["heart, pain."], "document")[0]) == len(encoder.encode(["heart pain"], "document")[0])
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(["fever"], "document")[0].astype(float), axis=1), 1, atol=1e-2)


def test_the_tokenizer_is_not_left_with_the_cut_of_training(tiny_model: Path, trained: tuple[Path, TrainResult]) -> None:
    saved, base = (
        json.loads((folder / "tokenizer.json").read_text("utf-8")) for folder in (trained[0] / "model", tiny_model)
    )
    assert (saved["truncation"], saved["padding"]) == (base["truncation"], base["padding"])


def test_killed_between_checkpoints_it_ends_with_the_same_weights(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    settings: dict[str, Any] = {"epochs": 2, "checkpoint_steps": 4, "dropout": 0.1}
    whole = train(tiny_model, tmp_path / "whole", **settings)

    def stop(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainerCallback, "on_step_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_model, tmp_path / "killed", **settings)
    resumed = train(tiny_model, tmp_path / "killed", **settings)
    assert (resumed.resumed_from, resumed.steps) == (4, whole.steps)
    assert resumed.hash == whole.hash
    assert resumed.losses == whole.losses


def test_a_large_batch_in_pieces_is_the_same_training(tiny_model: Path, tmp_path: Path) -> None:
    whole = train(tiny_model, tmp_path / "whole", batch_size=16)
    pieces = train(tiny_model, tmp_path / "pieces", batch_size=16, rows_at_once=5)
    np.testing.assert_allclose([l for _, l in whole.losses], [l for _, l in pieces.losses], rtol=1e-3)  # noqa: E741


def test_settings_shape_the_model(make_model: Callable[..., Path], tmp_path: Path) -> None:
    base = make_model(prompts={"query": "query: ", "document": "passage: "})
    settings: dict[str, Any] = {"expansion": "none", "skip_punctuation": False, "document_length": 9, "pool_factor": 2}
    train(base, tmp_path, toy()[:8], **settings)
    encoder = load_multivector(tmp_path / "model")
    assert (encoder.prompt_for("query"), encoder.prompt_for("document")) == ("query: ", "passage: ")
    assert len(encoder.encode(["fever"], "query")[0]) == 5
    assert encoder.max_length["document"] == 9
    assert len(encoder.encode(["pain fever rash , . heart lung"], "document")[0]) == 1 + (9 - 1) // 2
    with pytest.raises(StageError, match=r"train\.dimensions is 33, the base's tokens have 32"):
        train(base, tmp_path / "wide", dimensions=33)


def test_a_fixed_expansion_cuts_as_colbert_does(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, tmp_path, toy()[:8], expansion="fixed", attend=True)
    encoder = load_multivector(tmp_path / "model")
    assert [len(one) for one in encoder.encode(["fever", "pain " * 30], "query")] == [12, 12]
    assert encoder.max_length["query"] == 12


def test_a_mark_of_the_vocabulary_is_one_token(tiny_model: Path) -> None:
    ref = resolve_model(str(tiny_model))
    model = late_model(ref, quick(query_prompt="[MASK] ", document_prompt=""), ["fever"], seed=1)
    assert model.tokenizer.tokenize("[MASK] fever") == ["[MASK]", "fever"]
    assert len(model.encode_document(["fever"])[0]) == 3


def test_the_projection_keeps_what_it_can_of_the_base(tiny_model: Path) -> None:
    """Cosines of the 16 components are nearer to those of the base than a random projection's."""
    import torch

    texts = [r.positives[0] for r in toy()]
    model: Any = late_model(resolve_model(str(tiny_model)), quick(), texts, seed=1)
    tokens = model[0](model.preprocess(texts))["token_embeddings"].detach().flatten(0, 1)
    weights = {"components": model[1].linear.weight.detach(), "random": torch.nn.Linear(32, 16, bias=False).weight.detach()}
    errors = {}
    for name, weight in weights.items():
        full, cut = (torch.nn.functional.normalize(v, dim=1) for v in (tokens, tokens @ weight.T))
        errors[name] = float((full @ full.T - cut @ cut.T).abs().mean())
    assert errors["components"] < errors["random"] / 2


def test_a_base_without_a_transformer_is_refused(tmp_path: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tests.conftest import _tokenizer

    with torch.random.fork_rng():
        static = StaticEmbedding(_tokenizer(), embedding_dim=8)  # type: ignore[arg-type]
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(str(tmp_path / "static"), create_model_card=False)
    with pytest.raises(ModelError, match="has no transformer"):
        train(tmp_path / "static", tmp_path / "out")


def test_too_few_pairs_and_a_loss_that_is_no_number(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="fewer than two training pairs are left"):
        train(tiny_model, tmp_path, [])
    with pytest.raises(StageError, match=r"the loss is (nan|inf) at step \d+"):
        train(tiny_model, tmp_path, learning_rate=1e30, epochs=3)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "bad",
    [{"dimensions": 0}, {"pool_factor": 0.5}, {"expansion": "all"}, {"temperature": 0}, {"kind": "dense"}, {"dims": 1}],
)
def test_settings_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        quick(**bad)
