"""The dev set: held out by group, the best checkpoint restored whole, early stop, and a killed run's same curve."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medloom.encode import resolve_model
from medloom.errors import StageError
from medloom.identity import model_digest
from medloom.records import TrainingRecord
from medloom.train import TrainConfig, TrainResult, dense, train_dense
from medloom.train.callbacks import make_callback
from medloom.train.config import DevConfig
from medloom.train.dev import dev_evaluator, hold_out

PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head", "blood", "child"]
SIGNS = ["pain", "rash", "cough", "fever"]


def record(query: str, *positives: str, doc: str = "", negatives: tuple[str, ...] = ()) -> TrainingRecord:
    return TrainingRecord(query, positives, "name", "own", doc, negatives)


def toy() -> list[TrainingRecord]:
    return [
        record(f"{chr(97 + i)} {sign}", f"{part} {sign}", doc=f"{part}-{sign}", negatives=(f"{part} dose",))
        for i, part in enumerate(PARTS)
        for sign in SIGNS
    ]


def train(base: Path, out: Path, **settings: Any) -> TrainResult:
    defaults = {"batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "epochs": 3, "dropout": 0.1}
    return train_dense(toy(), resolve_model(str(base)), out, TrainConfig(**(defaults | settings)), seed=1)


def test_groups_are_not_torn_apart() -> None:
    chained = [record("q0", "p0"), record("q1", "p0"), record("q1", "p1"), record("p1", "p2"), record("q9", "p9", doc="d")]
    chained += [record("q8", "p8", doc="d")] + [record(f"x{i}", f"y{i}") for i in range(20)]
    groups = [{0, 1, 2, 3}, {4, 5}, *({6 + i} for i in range(20))]
    seen = set()
    for seed in range(12):
        left, dev = hold_out(chained, DevConfig(share=0.3), seed)
        assert left + dev != []
        assert sorted([*left, *dev], key=chained.index) == chained
        assert 0 < len(dev) <= 8
        held = {chained.index(r) for r in dev}
        assert all(group <= held or not group & held for group in groups)
        seen.update(held)
    assert seen == set(range(26))


def test_the_draw_is_the_seeds_and_not_the_orders() -> None:
    records = toy()
    config = DevConfig(share=0.2)
    one, other, turned = (set(hold_out(r, config, s)[1]) for r, s in ((records, 1), (records, 2), (records[::-1], 1)))
    assert one == turned != other
    assert len(one) == 8
    assert len(hold_out(records, DevConfig(share=0.9, most=3), 1)[1]) == 3


def test_a_single_group_cannot_be_held_out() -> None:
    with pytest.raises(StageError, match=r"no group of pairs fits into 1 of 10 pairs: raise train\.dev\.share"):
        hold_out([record("q", f"p{i}") for i in range(10)], DevConfig(share=0.1), 1)


def test_what_the_score_is_over(tiny_model: Path, make_model: Callable[..., Path]) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(make_model(prompts={"query": "query: ", "document": "passage: "})), device="cpu")
    dev = [record("q", "p1", "p2", negatives=("n",)), record("q", "p3"), record("r", "p4")]
    training = [record(f"x{i}", f"y{i}") for i in range(9)]
    evaluator = dev_evaluator(model, dev, training, DevConfig(distractors=4), seed=1)
    assert evaluator.queries == ["q", "r"]
    assert evaluator.corpus[:5] == ["p1", "p2", "n", "p3", "p4"]
    assert len(evaluator.corpus) == 9
    assert {evaluator.corpus[int(n)] for n in evaluator.relevant_docs["q0"]} == {"p1", "p2", "p3"}
    assert (evaluator.query_prompt, evaluator.corpus_prompt) == ("query: ", "passage: ")
    bare = dev_evaluator(SentenceTransformer(str(tiny_model), device="cpu"), dev, [], DevConfig(), seed=1)
    assert (bare.query_prompt, bare.corpus_prompt) == (None, None)


def keep_checkpoints(patch: pytest.MonkeyPatch) -> None:
    import shutil
    from types import SimpleNamespace

    def rmtree(path: Path, **settings: Any) -> None:
        if Path(path).name != "checkpoints":
            shutil.rmtree(path, **settings)

    patch.setattr(dense, "shutil", SimpleNamespace(rmtree=rmtree))


def test_the_best_checkpoint_is_restored_whole(
    make_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learning rate that ruins the model late: the best is not the last."""
    from safetensors.torch import load_file

    base = make_model(prompts={"query": "query: ", "document": "passage: "}, pooling="cls")
    keep_checkpoints(monkeypatch)
    result = train(
        base, tmp_path, dev={"share": 0.3, "every": 2, "distractors": 0}, learning_rate=0.5, warmup=0.9, schedule="constant"
    )
    scores = dict(result.dev)
    assert list(scores) == [0, *range(2, result.steps, 2), result.steps]
    assert result.best_step < result.steps
    assert scores[result.best_step] == max(score for step, score in result.dev if step)
    best = load_file(tmp_path / "checkpoints" / f"checkpoint-{result.best_step}" / "model.safetensors")
    kept = load_file(tmp_path / "model" / "model.safetensors")
    assert kept.keys() == best.keys()
    assert all((kept[name] == best[name]).all() for name in best)
    for name in ("1_Pooling/config.json", "config_sentence_transformers.json", "tokenizer.json"):
        assert (tmp_path / "model" / name).read_text("utf-8") == (base / name).read_text("utf-8"), name
    assert result.hash == model_digest(tmp_path / "model")
    assert sum(result.sets.values()) == 28


def test_a_best_checkpoint_that_does_not_load_is_no_secret(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformerTrainer

    def broken(self: Any, path: str) -> None:
        raise OSError("gone")

    monkeypatch.setattr(SentenceTransformerTrainer, "_load_from_checkpoint", broken)
    with pytest.raises(OSError, match="gone"):
        train(tiny_model, tmp_path, dev={"share": 0.3, "every": 2})
    assert not (tmp_path / "model").exists()


def test_training_stops_when_nothing_gets_better(tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = train(tiny_model, tmp_path, dev={"share": 0.3, "every": 1, "patience": 2}, learning_rate=1e-12)
    assert (result.steps, result.best_step) == (3, 1)
    assert "no checkpoint scores above the base" in caplog.text


def test_a_killed_run_has_the_same_curves(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"dev": {"share": 0.3, "every": 2, "patience": 3}, "learning_rate": 1e-12, "epochs": 4}
    unbroken = train(tiny_model, tmp_path / "unbroken", **settings)

    class KilledError(Exception):
        pass

    def killing(losses: list[tuple[int, float]], team: Any) -> Any:
        watch = make_callback(losses, team)
        inner = watch.on_step_end

        def on_step_end(args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            inner(args, state, control, **kwargs)
            if state.global_step == 7:
                raise KilledError

        watch.on_step_end = on_step_end
        return watch

    with monkeypatch.context() as patched:
        patched.setattr(dense, "make_callback", killing)
        with pytest.raises(KilledError):
            train(tiny_model, tmp_path / "killed", **settings)
    resumed = train(tiny_model, tmp_path / "killed", **settings)
    assert resumed.resumed_from == 6
    assert unbroken.steps == 8, "patience is counted on"
    assert (resumed.hash, resumed.dev, resumed.losses, resumed.best_step) == (
        unbroken.hash,
        unbroken.dev,
        unbroken.losses,
        unbroken.best_step,
    )


def test_settings_out_of_range() -> None:
    for bad in ({"share": 0}, {"share": 1}, {"most": 0}, {"every": 0}, {"patience": 0}, {"metric": "x"}):
        with pytest.raises(ValidationError):
            DevConfig(**bad)
