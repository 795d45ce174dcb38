"""Every setting of the training of dense models, through a whole run of the tiny model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from medloom.encode import load_encoder, resolve_model
from medloom.errors import ModelError, StageError
from medloom.records import TrainingRecord
from medloom.train import TrainConfig, TrainResult, train_dense
from medloom.train.config import LocalityConfig
from medloom.train.locality import Clusters, cluster_ranks

PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head"]
SIGNS = ["pain", "rash", "cough", "fever"]


def records(negatives: int = 1) -> list[TrainingRecord]:
    """Letters against parts of the body, of two sources."""
    made = []
    for i, part in enumerate(PARTS):
        for sign in SIGNS:
            wrong = tuple(f"{PARTS[(i + k) % len(PARTS)]} {sign}" for k in range(1, negatives + 1))
            right = (f"{part} {sign}", f"{part} {sign} daily")
            made.append(TrainingRecord(f"{chr(97 + i)} {sign}", right, "name", "odd" if i % 3 else "even", part, wrong))
    return made


def train(base: Path, out: Path, given: list[TrainingRecord] | None = None, **settings: Any) -> TrainResult:
    defaults = {"batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "checkpoint_steps": 1_000}
    config = TrainConfig(**(defaults | settings))
    return train_dense(given or records(), resolve_model(str(base)), out, config, seed=1)


def drift(base: Path, tuned: Path) -> float:
    """Mean cosine distance between the two models' vectors of the training texts."""
    texts = [text for record in records() for text in (record.query, *record.positives)]
    a, b = (load_encoder(model).encode(texts) for model in (base, tuned))
    return float(1 - (a * b).sum(axis=1).mean())


@pytest.fixture(scope="module")
def plain(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A run with no setting of its own."""
    return train(tiny_model, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "settings",
    [
        {"guide": "self", "margin": 0.01},
        {"guide": "base", "margin": 0.1, "margin_of": "relative", "symmetric": True},
        {"temperatures": {"odd": 0.5, "even/name": 0.1}},
        {"matryoshka": [32, 16]},
        {"matryoshka": [32, 16], "mini_batch": 3, "guide": "self", "anchor": 0.5},
        {"distill": {"match": "similarities"}, "contrast": ["queries", "documents"]},
        {"distill": {"match": "margins", "weight": 5.0}},
        {"positives": "all", "apart": "positives"},
        {"apart": "documents", "batches": "mixed"},
        {"batches": "source", "alpha": 0.0},
        {"locality": {"batches": 1}, "batches": "mixed"},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_a_setting_changes_the_model(tiny_model: Path, tmp_path: Path, plain: TrainResult, settings: dict[str, Any]) -> None:
    result = train(tiny_model, tmp_path, **settings)
    assert result.hash != plain.hash
    assert np.isfinite([loss for _, loss in result.losses]).all()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_mini_batches_change_memory_and_not_the_model(tiny_model: Path, tmp_path: Path) -> None:
    """The sums are rounded in another order, no more."""
    train(tiny_model, tmp_path / "a", learning_rate=1e-4)
    train(tiny_model, tmp_path / "b", learning_rate=1e-4, mini_batch=3)
    assert drift(tmp_path / "a" / "model", tmp_path / "b" / "model") < 1e-5


def test_an_anchor_holds_the_model_near_its_base(tiny_model: Path, tmp_path: Path) -> None:
    for name, weight in (("free", 0.0), ("held", 20.0)):
        train(tiny_model, tmp_path / name, learning_rate=1e-3, anchor=weight)
    assert drift(tiny_model, tmp_path / "held" / "model") < drift(tiny_model, tmp_path / "free" / "model") / 2


def test_a_teacher_is_learnt_from(tiny_model: Path, make_model: Callable[..., Path], tmp_path: Path) -> None:
    teacher = make_model(seed=9)
    for name, weight in (("alone", 1e-6), ("taught", 50.0)):
        wanted: dict[str, Any] = {"teacher": str(teacher), "match": "embeddings", "weight": weight}
        train(tiny_model, tmp_path / name, distill=wanted, epochs=3)
    assert drift(teacher, tmp_path / "taught" / "model") < drift(teacher, tmp_path / "alone" / "model") / 2


def test_all_positives_are_a_pair_each(tiny_model: Path, tmp_path: Path) -> None:
    assert sum(train(tiny_model, tmp_path, positives="all").sets.values()) == 64


def test_a_run_killed_between_epochs_of_clusters_goes_on_the_same(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an epoch, whose clusters the model of its beginning has found."""
    from medloom.train import dense
    from medloom.train.callbacks import make_callback

    settings: dict[str, Any] = {
        "locality": {"batches": 1},
        "batches": "mixed",
        "epochs": 3,
        "checkpoint_steps": 3,
        "dropout": 0.1,
    }
    unbroken = train(tiny_model, tmp_path / "unbroken", **settings)

    class KilledError(Exception):
        pass

    def killing(losses: list[tuple[int, float]], team: Any) -> Any:
        watch = make_callback(losses, team)
        inner = watch.on_step_end

        def on_step_end(args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            inner(args, state, control, **kwargs)
            if state.global_step == 8:
                raise KilledError

        watch.on_step_end = on_step_end
        return watch

    with monkeypatch.context() as patched:
        patched.setattr(dense, "make_callback", killing)
        with pytest.raises(KilledError):
            train(tiny_model, tmp_path / "killed", **settings)
    resumed = train(tiny_model, tmp_path / "killed", **settings)
    assert resumed.resumed_from == 6
    assert resumed.hash == unbroken.hash
    assert resumed.losses == unbroken.losses


def test_clusters_are_found_and_neighbours_follow_each_other() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(6, dtype=np.float32)
    centres[1] = centres[0] * 0.8 + centres[1] * 0.6
    true = np.repeat(np.arange(6), 30)
    vectors = (centres[true] + 0.02 * rng.standard_normal((180, 6))).astype(np.float32)
    ranks = cluster_ranks(vectors, 6, seed=1)
    assert all(len(set(ranks[true == c])) == 1 for c in range(6))
    assert len(set(ranks)) == 6
    assert abs(int(ranks[0]) - int(ranks[30])) == 1
    assert (cluster_ranks(vectors, 6, seed=1) == ranks).all()


def test_clusters_of_an_epoch_are_kept(tmp_path: Path) -> None:
    asked: list[int] = []

    def encode(texts: Any) -> Any:
        asked.append(len(texts))
        return np.array([[float(t), 1.0] for t in texts], dtype=np.float32)

    queries = [str(i % 2 * 9 - 4) for i in range(40)]
    order = Clusters(queries, encode, LocalityConfig(batches=1, from_epoch=1), 20, 1, tmp_path, lambda make: make())
    rows, shuffled = list(range(40)), list(range(39, -1, -1))
    assert order(rows, shuffled, 0) is None
    found = order(rows, shuffled, 1)
    assert found is not None
    assert sorted(found) == rows
    assert [len({place % 2 for place in half}) for half in (found[:20], found[20:])] == [1, 1]
    assert order(rows, shuffled, 1) == found
    assert asked == [40]
    order(rows, shuffled, 2)
    assert asked == [40, 40]
    assert order(rows[:20], shuffled[20:], 2) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"margin": 0.1}, "need a guide"),
        ({"matryoshka": [32, 32]}, "each dimension once"),
        ({"matryoshka": [0]}, "each dimension once"),
        ({"mini_batch": 64, "batch_size": 64}, "saves nothing"),
        ({"batches": "mixed", "alpha": 0.5}, "has only one"),
        ({"temperatures": {"a": 0}}, "greater than 0"),
        ({"alpha": 1.5}, "less than or equal to 1"),
        ({"distill": {"weight": 0}}, "greater than 0"),
        ({"locality": {"clusters": 3}}, "Extra inputs"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TrainConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "negatives", "said"),
    [
        ({"temperatures": {"evn": 0.1}}, 1, "names evn, which is no set: there are even, even/name, odd, odd/name"),
        ({"distill": {"match": "margins"}}, 0, "needs hard negatives, and pairs of even/name have none"),
        ({"matryoshka": [64, 32]}, 1, "its largest dimension must be the model's, 32, and is 64"),
        ({"matryoshka": [16, 8]}, 1, "its largest dimension must be the model's, 32, and is 16"),
    ],
)
def test_settings_that_do_not_fit_the_data(
    tiny_model: Path, tmp_path: Path, settings: dict[str, Any], negatives: int, said: str
) -> None:
    with pytest.raises(StageError, match=said):
        train(tiny_model, tmp_path, records(negatives), **settings)


def test_a_guide_that_is_not_there(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        train(tiny_model, tmp_path, guide="./nowhere")
