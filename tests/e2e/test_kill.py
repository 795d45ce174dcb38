"""kill -9, Ctrl-C, a full disk and a second process: nothing is lost, and the same model comes out."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medloom import Recipe, run
from medloom.errors import ArtifactError, RunLockedError

pytestmark = pytest.mark.e2e
_LIMIT = 120.0


def _start(workplace: Path, out: Path, environment: dict[str, str], *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "medloom", "run", str(workplace / "small.yaml"), "--out", str(out), "--json", *more],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(process: subprocess.Popen[str], seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT
    while not seen():
        assert process.poll() is None, f"ended before it could be killed: {process.communicate()[1]}"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def unbroken(workplace: Path, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> str:
    """Model hash of a run that nobody disturbed."""
    process = _start(workplace, tmp_path_factory.mktemp("unbroken"), environment)
    out, err = process.communicate(timeout=_LIMIT)
    assert process.returncode == 0, err
    return str(json.loads(out)["model"]["hash"])


def test_killed_in_every_stage_it_ends_with_the_same_model(
    workplace: Path, tmp_path: Path, environment: dict[str, str], unbroken: str
) -> None:
    script = """
import os, signal, sys
from medloom import Recipe, pipeline, run
stage, describe = sys.argv[3], pipeline.describe_outputs
def dying(folder):
    if f"-{stage}-" in folder.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return describe(folder)
pipeline.describe_outputs = dying
run(Recipe.load(sys.argv[1]), sys.argv[2])
"""
    for stage in ("collect", "pairs", "guard", "mine", "train", "evaluate", "publish"):
        killed = subprocess.run([sys.executable, "-c", script, workplace / "small.yaml", tmp_path, stage], env=environment)
        assert killed.returncode == -signal.SIGKILL, stage
    process = _start(workplace, tmp_path, environment)
    out, err = process.communicate(timeout=_LIMIT)
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["model"]["hash"] == unbroken
    assert [stage["tries"] for stage in report["stages"]] == [2] * 7
    assert not list((tmp_path / "stages").glob("*.partial"))


@pytest.mark.parametrize("moment", ["between checkpoints", "while a checkpoint is written"])
def test_killed_in_training_it_resumes_from_a_whole_checkpoint(
    workplace: Path, tmp_path: Path, environment: dict[str, str], unbroken: str, moment: str
) -> None:
    patch = {
        "between checkpoints": "kill_at = 5; Watch = 'on_step_end'",
        "while a checkpoint is written": "kill_at = 6; Watch = 'on_save'",
    }[moment]
    script = f"""
import os, signal, sys
from transformers import TrainerCallback
{patch}
original = getattr(TrainerCallback, Watch)
from medloom.train import callbacks
make = callbacks.make_callback
def wrapped(losses, team):
    watch = make(losses, team)
    inner = getattr(watch, Watch)
    def dying(args, state, control, **kwargs):
        if state.global_step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(args, state, control, **kwargs)
    setattr(watch, Watch, dying)
    return watch
import medloom.train.dense
medloom.train.dense.make_callback = wrapped
from medloom import Recipe, run
run(Recipe.load(sys.argv[1]), sys.argv[2])
"""
    killed = subprocess.run([sys.executable, "-c", script, workplace / "small.yaml", tmp_path], env=environment)
    assert killed.returncode == -signal.SIGKILL
    cards = list(tmp_path.rglob("checkpoint-*/README.md"))
    assert not any("what helps with" in card.read_text("utf-8") for card in cards), "a card quotes training text"
    process = _start(workplace, tmp_path, environment)
    out, err = process.communicate(timeout=_LIMIT)
    assert process.returncode == 0, err
    assert json.loads(out)["model"]["hash"] == unbroken
    manifest = json.loads(next((tmp_path / "stages").glob("*-train-*/manifest.json")).read_text("utf-8"))
    assert manifest["notes"]["resumed_from"] == 4
    assert manifest["tries"] == 2
    assert [step for step, _ in manifest["notes"]["losses"]] == sorted({s for s, _ in manifest["notes"]["losses"]})


def test_ctrl_c_ends_with_130_and_a_hint(workplace: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    process = _start(workplace, tmp_path, environment)
    _wait_for(process, lambda: any((tmp_path / "stages").glob("*-mine-*")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=_LIMIT)
    assert process.returncode == 130
    assert "same command" in err
    assert "Traceback" not in err


def test_a_full_disk_is_said_and_loses_nothing(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from medloom import pipeline

    recipe = Recipe.load(workplace / "small.yaml")
    run(recipe, tmp_path, until="pairs")
    before = sorted(p.name for p in (tmp_path / "stages").iterdir())

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "write_manifest", full)
        with pytest.raises(ArtifactError, match=r"disk is full.*Finished stages are kept"):
            run(recipe, tmp_path, until="guard")
    assert set(before) <= {p.name for p in (tmp_path / "stages").iterdir()}
    assert [s.status for s in run(recipe, tmp_path, until="guard").steps] == ["done", "done", "run"]


def test_a_really_full_disk_exits_2(workplace: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a small file system here (needs root)")
    try:
        process = _start(workplace, disk / "run", environment, "--until", "mine")
        _, err = process.communicate(timeout=_LIMIT)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert process.returncode == 2
    assert "disk is full" in err
    assert "Traceback" not in err


def test_two_runs_in_one_folder_do_not_mix(workplace: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    recipe = Recipe.load(workplace / "small.yaml")
    with FileLock(tmp_path / ".lock"), pytest.raises(RunLockedError, match="--out"):
        run(recipe, tmp_path, until="collect")
    assert run(recipe, tmp_path, until="collect").steps[0].status == "run"
