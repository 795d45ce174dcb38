"""Static students: distilled, fitted, trained, resumed, and read by everything that reads dense models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_array
from tests.train.test_dense import first_hits, toy

from medloom.encode import load_encoder, resolve_model
from medloom.encode.encoder import TorchEncoder
from medloom.errors import ModelError, StageError
from medloom.identity import model_digest
from medloom.train.distil import Taught, distil, fit
from medloom.train.loop import TrainResult
from medloom.train.static import StaticConfig, train_static

TEXTS = sorted({text for record in toy() for text in (record.query, record.positives[0])})


def quick(**settings: Any) -> StaticConfig:
    defaults: dict[str, Any] = {
        "kind": "static",
        "batch_size": 8,
        "learning_rate": 0.05,
        "dimensions": 16,
        "precision": "fp32",
    }
    return StaticConfig(**(defaults | settings))


def train(model: Path, out: Path, records: Any = None, **settings: Any) -> TrainResult:
    return train_static(toy() if records is None else records, resolve_model(str(model)), out, quick(**settings), seed=1)


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    out = tmp_path_factory.mktemp("static")
    return out, train(tiny_model, out, toy(negatives=1), epochs=6)


def agreement(student: TorchEncoder, teacher: TorchEncoder) -> float:
    """Correlation of the cosines of all texts under both."""
    cosines = []
    for encoder in (student, teacher):
        vectors = encoder.encode(TEXTS)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines.append((vectors @ vectors.T)[np.triu_indices(len(TEXTS), 1)])
    return float(np.corrcoef(cosines[0], cosines[1])[0, 1])


# Distillation


def test_a_token_alone_has_the_teachers_direction(tiny_encoder: TorchEncoder) -> None:
    """Without cut dimensions, centring aside, a text of one token is what the teacher makes of it."""
    student = TorchEncoder(distil(tiny_encoder, dimensions=None), "")
    words = ["fever", "cough", "heart", "lung", "liver", "pain"]
    theirs = tiny_encoder.encode(words)
    ours = student.encode(words)
    assert ours.shape == (6, 32)
    ids = sorted(set(range(tiny_encoder.model.tokenizer.vocab_size)) - set(tiny_encoder.model.tokenizer.all_special_ids))
    mean = tiny_encoder.encode([str(tiny_encoder.model.tokenizer.convert_ids_to_tokens(n)) for n in ids[:39]]).mean(axis=0)
    assert np.corrcoef((ours @ ours.T).ravel(), ((theirs - mean) @ (theirs - mean).T).ravel())[0, 1] > 0.9


def test_rare_tokens_weigh_more(tiny_encoder: TorchEncoder) -> None:
    texts = ["fever " * 5, "fever cough", "fever heart", "fever lung"]
    taught = Taught(texts, tiny_encoder.encode(texts), 48)
    student: Any = distil(tiny_encoder, 16, ridge=1e6, taught=taught)
    lengths = dict(zip(["fever", "cough"], np.linalg.norm(_rows(student, ["fever", "cough"]), axis=1), strict=True))
    assert lengths["fever"] < lengths["cough"]


def test_marks_and_what_stands_for_no_text_say_nothing(tiny_encoder: TorchEncoder) -> None:
    student: Any = distil(tiny_encoder, 8)
    assert not _rows(student, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]).any()
    assert not TorchEncoder(student, "").encode([""]).any()


def test_words_that_texts_use_become_tokens(tiny_encoder: TorchEncoder) -> None:
    texts = [f"dyspnoea with {word}" for word in ("fever", "cough", "rash")] + ["once hapax", "twice hapax"]
    student: Any = distil(tiny_encoder, 8, taught=Taught(texts, tiny_encoder.encode(texts), 48))
    tokenizer = student[0].tokenizer
    assert tokenizer.encode("Dyspnoea", add_special_tokens=False).tokens == ["dyspnoea"]
    assert len(tokenizer.encode("dyspnoeas", add_special_tokens=False).tokens) > 1, "a word is no part of another"
    assert len(tokenizer.encode("hapax", add_special_tokens=False).tokens) > 1, "two texts are too few"
    none: Any = distil(tiny_encoder, 8, words=0, taught=Taught(texts, tiny_encoder.encode(texts), 48))
    assert none[0].tokenizer.get_vocab_size() == tokenizer.get_vocab_size() - 1


def test_the_fit_is_that_of_the_normal_equations() -> None:
    draw = np.random.default_rng(0)
    counts = draw.random((30, 12)) * (draw.random((30, 12)) < 0.4)
    start, target = draw.normal(size=(12, 5)).astype(np.float32), draw.normal(size=(30, 5)).astype(np.float32)
    found = fit(csr_array(counts.astype(np.float32)), start, target, ridge=0.3)
    means = counts @ start
    scaled = start * (means * target).sum() / (means * means).sum()
    exact = np.linalg.solve(counts.T @ counts + 0.3 * np.eye(12), counts.T @ target + 0.3 * scaled)
    np.testing.assert_allclose(found, exact, atol=1e-3)


def test_fitted_students_are_nearer_to_the_teacher(tiny_encoder: TorchEncoder) -> None:
    taught = Taught(TEXTS, tiny_encoder.encode(TEXTS), 48)
    plain, fitted = (TorchEncoder(distil(tiny_encoder, 16, taught=one), "") for one in (None, taught))
    assert agreement(fitted, tiny_encoder) > max(0.9, agreement(plain, tiny_encoder) + 0.05)


def test_a_student_is_no_teacher(tiny_encoder: TorchEncoder) -> None:
    with pytest.raises(ModelError, match="is static itself"):
        distil(TorchEncoder(distil(tiny_encoder, 8), ""))


# Training


def test_it_learns(tiny_model: Path, trained: tuple[Path, TrainResult]) -> None:
    out, result = trained
    losses = [loss for _, loss in result.losses]
    assert losses[-1] < losses[0] / 2
    assert first_hits(tiny_model) < 0.5 < 0.9 < first_hits(out / "model")
    assert result.hash == model_digest(out / "model")
    assert (result.steps, result.precision, result.sets) == (36, "fp32", {"toy/lay_name/1": 48})
    assert [path.name for path in out.iterdir()] == ["model"]


def test_the_folder_is_a_plain_sentence_transformer(trained: tuple[Path, TrainResult]) -> None:
    from sentence_transformers import SentenceTransformer

    folder = trained[0] / "model"
    assert not list(folder.rglob("*.bin"))
    model = SentenceTransformer(str(folder), device="cpu")
    assert [type(module).__name__ for module in model] == ["StaticEmbedding", "Normalize"]
    encoder = load_encoder(folder)
    texts = ["fever", "", "heart pain " * 400, "unknown wörds"]
    np.testing.assert_allclose(encoder.encode(texts), model.encode(texts), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(["fever"]), axis=1), 1, rtol=1e-5)
    assert (encoder.dimensions, encoder.prompt_for("query")) == (16, None)


def test_killed_anywhere_it_ends_with_the_same_weights(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    settings: dict[str, Any] = {"epochs": 2, "checkpoint_steps": 4}
    whole = train(tiny_model, tmp_path / "whole", **settings)

    def stop(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    def stop_at(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 6:
            raise KeyboardInterrupt

    for place, patch in (("medloom.train.static.distil", stop), (TrainerCallback, stop_at)):
        with monkeypatch.context() as patched:
            if isinstance(place, str):
                patched.setattr(place, patch)
            else:
                patched.setattr(place, "on_step_begin", patch)
            with pytest.raises(KeyboardInterrupt):
                train(tiny_model, tmp_path / "killed", **settings)
    read: set[str] = set()
    original = TorchEncoder.encode

    def noted(self: TorchEncoder, texts: list[str], *rest: Any, **named: Any) -> Any:
        read.update(texts)
        return original(self, texts, *rest, **named)

    monkeypatch.setattr(TorchEncoder, "encode", noted)
    resumed = train(tiny_model, tmp_path / "killed", **settings)
    assert not read & {record.query for record in toy()}, "texts are read by the teacher once"
    assert (resumed.resumed_from, resumed.hash, resumed.losses) == (4, whole.hash, whole.losses)


def test_another_teacher_and_its_prompts(make_model: Callable[..., Path], tiny_model: Path, tmp_path: Path) -> None:
    prompted = make_model(seed=3, prompts={"query": "query ", "document": "passage "})
    (tmp_path / "teacher").symlink_to(prompted)
    settings = quick(epochs=0, teacher="teacher", dimensions=None)
    result = train_static(toy(), resolve_model(str(tiny_model)), tmp_path / "out", settings, 1, tmp_path)
    assert (result.steps, result.losses) == (0, [])
    student, teacher = load_encoder(tmp_path / "out" / "model"), load_encoder(prompted)
    queries = [record.query for record in toy()]
    asked, plain = teacher.encode(queries, "query "), teacher.encode(queries)
    found = student.encode(queries) @ student.encode(queries).T
    near = [np.abs(found - vectors @ vectors.T).mean() for vectors in (asked, plain)]
    assert near[0] < near[1]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pairs(tiny_model: Path, tmp_path: Path, count: int) -> None:
    with pytest.raises(StageError, match="fewer than two training pairs are left"):
        train(tiny_model, tmp_path, toy()[:count])


def test_a_loss_that_is_no_number_stops_the_run(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"the loss is (nan|inf) at step \d+: lower train\.learning_rate"):
        train(tiny_model, tmp_path, learning_rate=1e38, epochs=3)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("bad", [{"dimensions": 0}, {"words": -1}, {"sif": 0}, {"ridge": 0}, {"epochs": -1}, {"size": 1}])
def test_settings_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        quick(**bad)


def _rows(student: Any, tokens: list[str]) -> Any:
    ids = [student[0].tokenizer.token_to_id(token) for token in tokens]
    return student[0].embedding.weight.detach().numpy()[ids]
