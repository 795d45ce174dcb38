"""Two processes on a CPU (gloo): the same loss and gradients as one with the joint batch, and files of the first only."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from medloom.encode import load_encoder, resolve_model
from medloom.errors import StageError
from medloom.records import TrainingRecord
from medloom.train import TrainConfig, TrainResult, train_dense
from medloom.train.team import Team

WORKER = Path(__file__).with_name("team_worker.py")
PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head"]


def worker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("team_worker", WORKER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def of_two(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with what each of two processes found."""
    out = tmp_path_factory.mktemp("team")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(WORKER)]
    subprocess.run([*command, str(tiny_model), str(out)], check=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return out


@pytest.mark.parametrize("name", ["plain", "cached", "guided", "guided-cached"])
def test_loss_and_gradients_are_those_of_the_joint_batch(of_two: Path, tiny_model: Path, tmp_path: Path, name: str) -> None:
    joint = worker().gradients(tiny_model, Team(), name, tmp_path)
    first, second = (load_file(of_two / f"{name}-{rank}.safetensors") for rank in (0, 1))
    assert (first.pop("loss") + second.pop("loss")) / 2 == pytest.approx(joint.pop("loss"), abs=1e-5)
    assert first.keys() == second.keys() == joint.keys()
    assert len(joint) > 20
    assert any(bool(gradient.abs().max() > 1e-3) for gradient in joint.values())
    for key, gradient in joint.items():
        torch.testing.assert_close(first[key], second[key], msg=key)
        torch.testing.assert_close(first[key], gradient, atol=2e-5, rtol=1e-3, msg=key)


def train(base: Path, out: Path, **settings: Any) -> TrainResult:
    records = [
        TrainingRecord(f"{chr(97 + i)} {sign}", (f"{part} {sign}",), "name", "odd" if i % 2 else "even", f"{part}-{sign}")
        for i, part in enumerate(PARTS)
        for sign in ("pain", "rash", "cough")
    ]
    defaults = {"batch_size": 4, "learning_rate": 1e-4, "precision": "fp32", "epochs": 2, "checkpoint_steps": 5}
    return train_dense(records, resolve_model(str(base)), out, TrainConfig(**(defaults | settings)), seed=1)


def test_a_run_of_two_processes_is_the_run_of_one(tiny_model: Path, tmp_path: Path) -> None:
    settings = {
        "dev": {"share": 0.5, "most": 4, "every": 4},
        "locality": {"batches": 1},
        "batches": "mixed",
        "guide": "base",
    }
    one = train(tiny_model, tmp_path / "one", **settings)
    two = train(tiny_model, tmp_path / "two", processes=2, **settings)
    assert two.steps == one.steps
    assert [step for step, _ in two.losses] == [step for step, _ in one.losses]
    assert [loss for _, loss in two.losses] == pytest.approx([loss for _, loss in one.losses], abs=1e-3)
    assert [step for step, _ in two.dev] == [step for step, _ in one.dev]
    texts = [f"{part} pain" for part in PARTS]
    a, b = (load_encoder(tmp_path / name / "model").encode(texts) for name in ("one", "two"))
    assert (a * b).sum(axis=1).min() > 0.9999
    assert [p.name for p in (tmp_path / "two").iterdir()] == ["model"]


def test_what_goes_wrong_in_a_process_is_said(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"the loss is (nan|inf) at step"):
        train(tiny_model, tmp_path, processes=2, learning_rate=1e30)
    with pytest.raises(ValidationError, match=r"batch_size \(5\) must be a multiple of processes \(2\)"):
        TrainConfig(batch_size=5, processes=2)


def test_alone_there_is_nobody_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = Team.joined()
    assert (team.rank, team.size) == (0, 1)
    assert team.shared(lambda: 3) == team.first_then_all(lambda: 3) == 3
    team.wait()
