"""LoRA, frozen embeddings, and what saves memory."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from medloom.encode import load_encoder, resolve_model
from medloom.errors import StageError
from medloom.records import TrainingRecord
from medloom.train import TrainConfig, TrainResult, train_dense
from medloom.train.adapters import Adapter
from medloom.train.config import LoraConfig

needs_peft = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs peft")
PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head"]


def train(base: Path, out: Path, **settings: Any) -> TrainResult:
    records = [
        TrainingRecord(f"{chr(97 + i)} {s}", (f"{p} {s}",), "name", "own", "")
        for i, p in enumerate(PARTS)
        for s in ("pain", "rash")
    ]
    config = TrainConfig(**({"batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"} | settings))
    return train_dense(records, resolve_model(str(base)), out, config, seed=1)


def changed(base: Path, tuned: Path) -> dict[str, int]:
    """Rank of the change of each tensor that changed."""
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tuned))
    assert before.keys() == after.keys()
    return {
        name: int(torch.linalg.matrix_rank(after[name] - before[name], atol=1e-5)) if before[name].ndim == 2 else 1
        for name in before
        if not torch.equal(before[name], after[name])
    }


@needs_peft
def test_lora_changes_linear_layers_by_a_low_rank(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, tmp_path, lora={"rank": 3}, epochs=2)
    ranks = changed(tiny_model, tmp_path / "model")
    assert len(ranks) == 2 * 6
    assert all(name.endswith(".weight") and "embeddings" not in name and "pooler" not in name for name in ranks)
    assert all(1 <= rank <= 3 for rank in ranks.values())
    assert {p.name for p in (tmp_path / "model").iterdir()} == {p.name for p in tiny_model.iterdir()}


@needs_peft
def test_the_merged_model_is_the_one_that_was_trained(tiny_model: Path) -> None:
    from medloom.encode.encoder import TorchEncoder
    from medloom.encode.models import load_model

    ref = resolve_model(str(tiny_model))
    model = load_model(ref)
    adapter = Adapter(model, LoraConfig(rank=2, targets=("query", "value")))
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trainable) == 2 * 2 * 2
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    texts = ["fever", "heart pain in a child"]
    adapted = TorchEncoder(model, "").encode(texts)
    assert abs(adapted - load_encoder(tiny_model).encode(texts)).max() > 1e-3
    adapter.merge()
    assert not any("lora" in name for name in model.state_dict())
    assert TorchEncoder(model, "").encode(texts) == pytest.approx(adapted, abs=1e-5)


@needs_peft
def test_lora_resumes_and_restores_its_best(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medloom.train import dense
    from medloom.train.callbacks import make_callback

    settings: dict[str, Any] = {"lora": {"rank": 2}, "dev": {"share": 0.3, "every": 2}, "epochs": 4}
    unbroken = train(tiny_model, tmp_path / "unbroken", **settings)

    class KilledError(Exception):
        pass

    def killing(losses: list[tuple[int, float]], team: Any) -> Any:
        watch = make_callback(losses, team)

        def on_step_end(args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 5:
                raise KilledError

        watch.on_step_end = on_step_end
        return watch

    with monkeypatch.context() as patched:
        patched.setattr(dense, "make_callback", killing)
        with pytest.raises(KilledError):
            train(tiny_model, tmp_path / "killed", **settings)
    resumed = train(tiny_model, tmp_path / "killed", **settings)
    assert resumed.resumed_from == 4
    assert resumed.dev == unbroken.dev
    assert resumed.hash == unbroken.hash


@needs_peft
def test_a_layer_that_is_not_there(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no linear layers called q_proj: it has dense, key, query, value"):
        train(tiny_model, tmp_path, lora={"targets": ["q_proj"]})


def test_without_peft_the_extra_is_named(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(StageError, match=r"pip install 'medloom\[lora\]'"):
        train(tiny_model, tmp_path, lora={})


def test_frozen_embeddings_stay(tiny_model: Path, tmp_path: Path) -> None:
    train(tiny_model, tmp_path, freeze_embeddings=True)
    names = changed(tiny_model, tmp_path / "model").keys()
    assert not any("word_embeddings" in name for name in names)
    assert any("attention" in name for name in names)
    with pytest.raises(ValidationError, match="lora freezes the embeddings already"):
        TrainConfig(lora=LoraConfig(), freeze_embeddings=True)


@pytest.mark.parametrize("settings", [{"gradient_checkpointing": True}, {"piece_tokens": 30}])
def test_what_saves_memory_changes_nothing(tiny_model: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    train(tiny_model, tmp_path / "a", learning_rate=1e-4)
    train(tiny_model, tmp_path / "b", learning_rate=1e-4, **settings)
    texts = [f"{part} pain" for part in PARTS]
    a, b = (load_encoder(tmp_path / name / "model").encode(texts) for name in ("a", "b"))
    assert a == pytest.approx(b, abs=1e-4)


def test_the_curve_is_written_for_tensorboard(tiny_model: Path, tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    result = train(tiny_model, tmp_path, report_to=["tensorboard"], dev={"share": 0.3, "every": 1})
    written = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in written.Scalars("train/loss")] == [step for step, _ in result.losses]
    assert [e.value for e in written.Scalars("eval/dev_cosine_ndcg@10")] == pytest.approx([s for _, s in result.dev[1:]])


def test_a_tracker_that_is_not_there(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medloom.train.dense.find_spec", lambda name: None)
    with pytest.raises(StageError, match="the package comet-ml is not installed"):
        train(tiny_model, tmp_path, report_to=["comet_ml"])
    with pytest.raises(ValidationError, match="'tensorboard', 'clearml'"):
        TrainConfig(report_to=("tensorbord",))


def test_without_tensorboard_the_extra_is_named(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(StageError, match=r"pip install 'medloom\[tensorboard\]'"):
        train(tiny_model, tmp_path, report_to=["tensorboard"])
