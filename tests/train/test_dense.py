"""Fine-tuning of the tiny model."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from medloom.encode import load_encoder, resolve_model
from medloom.errors import StageError
from medloom.identity import model_digest
from medloom.records import TrainingRecord
from medloom.train import TrainConfig, TrainResult, train_dense
from medloom.train.callbacks import COMPLETE, make_callback
from medloom.train.loop import last_checkpoint

PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head", "blood", "night", "child", "adult"]
SIGNS = ["pain", "rash", "cough", "fever"]


def toy(negatives: int = 0) -> list[TrainingRecord]:
    """Each part of the body in code letters against its name: nothing that random weights could know."""
    records = []
    for i, part in enumerate(PARTS):
        for sign in SIGNS:
            wrong = tuple(f"{PARTS[(i + k) % len(PARTS)]} {sign}" for k in range(1, negatives + 1))
            code = f"{chr(97 + i)} {sign}"
            records.append(TrainingRecord(code, (f"{part} {sign}",), "lay_name", "toy", f"{part}-{sign}", wrong))
    return records


def quick(**settings: Any) -> TrainConfig:
    defaults = {"batch_size": 8, "learning_rate": 3e-3, "epochs": 1, "precision": "fp32", "checkpoint_steps": 1_000}
    return TrainConfig(**(defaults | settings))


def train(model: Path, out: Path, records: list[TrainingRecord], **settings: Any) -> TrainResult:
    return train_dense(records, resolve_model(str(model)), out, quick(**settings), seed=1)


def first_hits(model: Path) -> float:
    encoder = load_encoder(model)
    records = toy()
    queries, answers = (encoder.encode(t) for t in ([r.query for r in records], [r.positives[0] for r in records]))
    return float(((queries @ answers.T).argmax(axis=1) == np.arange(len(records))).mean())


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    """The tiny model after five epochs, with its result."""
    out = tmp_path_factory.mktemp("trained")
    return out, train(tiny_model, out, toy(negatives=1), epochs=5)


def test_it_learns(tiny_model: Path, trained: tuple[Path, TrainResult]) -> None:
    out, result = trained
    losses = [loss for _, loss in result.losses]
    assert losses[-1] < losses[0] / 2
    assert first_hits(tiny_model) < 0.5
    assert first_hits(out / "model") > 0.9


def test_what_it_says_of_itself(tiny_model: Path, trained: tuple[Path, TrainResult]) -> None:
    out, result = trained
    assert result.steps == 5 * 6
    assert result.resumed_from == 0
    assert result.precision == "fp32"
    assert result.sets == {"toy/lay_name/1": 48}
    assert [step for step, _ in result.losses][-1] == 30
    assert result.hash == model_digest(out / "model") != model_digest(tiny_model)
    assert [p.name for p in out.iterdir()] == ["model"]


def test_the_folder_loads_as_it_is(tiny_model: Path, trained: tuple[Path, TrainResult]) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(trained[0] / "model"), device="cpu")
    base = SentenceTransformer(str(tiny_model), device="cpu")
    assert [type(m).__name__ for m in model] == [type(m).__name__ for m in base]
    assert model.max_seq_length == base.max_seq_length == 48
    assert model.encode(["fever"]).shape == (1, 32)
    assert not (trained[0] / "model" / "README.md").exists()


def test_settings_of_the_model_are_kept(tmp_path: Path, make_model: Callable[..., Path]) -> None:
    base = make_model(prompts={"query": "query: ", "document": "passage: "}, pooling="cls", dropout=0.2)
    train(base, tmp_path, toy()[:8], max_seq_length=8, dropout=0.0)
    tuned = tmp_path / "model"
    for name in ("1_Pooling/config.json", "sentence_bert_config.json", "tokenizer.json", "modules.json"):
        assert json.loads((tuned / name).read_text("utf-8")) == json.loads((base / name).read_text("utf-8")), name
    settings = {
        name: json.loads((tuned / name).read_text("utf-8")) for name in ("config.json", "config_sentence_transformers.json")
    }
    assert settings["config_sentence_transformers.json"]["prompts"] == {"query": "query: ", "document": "passage: "}
    before = json.loads((base / "config.json").read_text("utf-8"))
    assert settings["config.json"] == before
    assert before["hidden_dropout_prob"] == 0.2
    assert load_encoder(tuned).model.max_seq_length == 48


def test_the_models_prompts_are_used_in_training(tmp_path: Path, make_model: Callable[..., Path], tiny_model: Path) -> None:
    with_prompts = make_model(prompts={"query": "query: "})
    assert (
        train(with_prompts, tmp_path / "a", toy()[:8]).losses[0][1]
        != train(tiny_model, tmp_path / "b", toy()[:8]).losses[0][1]
    )


def test_the_same_seed_gives_the_same_model(tiny_model: Path, tmp_path: Path) -> None:
    same = [train(tiny_model, tmp_path / name, toy()[:16], dropout=0.1).hash for name in ("a", "b")]
    assert same[0] == same[1]
    other = train_dense(toy()[:16], resolve_model(str(tiny_model)), tmp_path / "c", quick(dropout=0.1), seed=2)
    assert other.hash != same[0]


def test_sets_of_kinds_and_numbers_of_negatives(tiny_model: Path, tmp_path: Path) -> None:
    records = [
        *toy(negatives=1)[:6],
        *toy()[6:10],
        *(TrainingRecord(f"q{i}", (f"p{i}",), "title_text", "own", "") for i in range(3)),
    ]
    result = train(tiny_model, tmp_path, records, batch_size=4)
    assert result.sets == {"own/title_text/0": 3, "toy/lay_name/0": 4, "toy/lay_name/1": 6}
    assert result.steps == 1 + 1 + 2


def test_symmetric_training_is_another_loss(tiny_model: Path, tmp_path: Path) -> None:
    one = train(tiny_model, tmp_path / "a", toy()[:8]).losses[0][1]
    both = train(tiny_model, tmp_path / "b", toy()[:8], symmetric=True).losses[0][1]
    assert one != pytest.approx(both, abs=1e-4)


def test_a_folder_of_an_earlier_try_is_replaced(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    train(tiny_model, tmp_path, toy()[:8])
    assert not (tmp_path / "model" / "old").exists()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pairs(tiny_model: Path, tmp_path: Path, count: int) -> None:
    with pytest.raises(StageError, match="fewer than two training pairs are left"):
        train(tiny_model, tmp_path, toy()[:count])
    assert not (tmp_path / "model").exists()


def test_a_loss_that_is_no_number_stops_the_run(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"the loss is (nan|inf) at step \d+: lower train\.learning_rate"):
        train(tiny_model, tmp_path, toy(), learning_rate=1e30, epochs=3)
    assert not (tmp_path / "model").exists()


def test_the_guard_against_nan_alone() -> None:
    losses: list[tuple[int, float]] = []
    watch = make_callback(losses)
    state = SimpleNamespace(global_step=3)
    watch.on_log(None, state, None, logs={"loss": 0.5})
    watch.on_log(None, state, None, logs={"train_runtime": 1.0})
    assert losses == [(3, 0.5)]
    for bad in ("nan", "inf"):
        with pytest.raises(StageError, match=f"the loss is {bad} at step 3"):
            watch.on_log(None, state, None, logs={"loss": float(bad)})


def test_checkpoints_are_marked_when_whole(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medloom.train.dense.shutil", SimpleNamespace(rmtree=lambda *a, **k: None))
    train(tiny_model, tmp_path, toy(), checkpoint_steps=2)
    found = sorted((tmp_path / "checkpoints").glob("checkpoint-*"))
    assert [p.name for p in found] == ["checkpoint-4", "checkpoint-6"]
    assert all((p / COMPLETE).is_file() for p in found)


def test_the_last_checkpoint_is_the_newest_whole_one(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "gone") is None
    assert last_checkpoint(tmp_path) is None
    for step, whole in ((9, True), (10, True), (100, False), (2, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model.safetensors").touch()
        if whole:
            (folder / COMPLETE).touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-9"]


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0},
        {"temperature": 0},
        {"warmup": 1},
        {"dropout": 1},
        {"schedule": "x"},
    ],
)
def test_settings_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainConfig(**bad)


def test_a_base_in_half_precision_is_trained_in_float32(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors import safe_open
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(tiny_model)).half().save_pretrained(str(tmp_path / "half"), create_model_card=False)
    train(tmp_path / "half", tmp_path / "out", toy())
    with safe_open(next((tmp_path / "out" / "model").rglob("*.safetensors")), framework="pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert torch.float32 in kinds and torch.float16 not in kinds
