"""What makes two settings, files or models the same."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.identity import digest, file_digest, model_digest


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def test_digest_does_not_see_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [1, {"c": None, "d": "é"}]}) == digest({"b": [1, {"d": "é", "c": None}], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest({"a": 1}) != digest({"a": "1"})
    assert digest("é") == hashlib.sha256('"é"'.encode()).hexdigest()


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert file_digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_copy_is_the_same_model(tiny_model: Path, model: Path) -> None:
    assert model_digest(model) == model_digest(tiny_model)
    assert len(model_digest(model)) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda m: (m / "README.md").write_text("# A card", "utf-8"),
        lambda m: edit(m / "config.json", transformers_version="9.9.9"),
        lambda m: edit(m / "config.json", _name_or_path="/home/me/model"),
        lambda m: edit(m / "config.json", dtype="float32"),
        lambda m: edit(m / "config_sentence_transformers.json", __version__={"pytorch": "9"}),
        lambda m: (m / "config.json").write_text(
            json.dumps(dict(reversed(json.loads((m / "config.json").read_text("utf-8")).items())), indent=7), "utf-8"
        ),
    ],
    ids=["card", "transformers", "path", "dtype", "versions", "layout"],
)
def test_what_does_not_change_a_vector_does_not_change_the_model(model: Path, change: Callable[[Path], object]) -> None:
    before = model_digest(model)
    change(model)
    assert model_digest(model) == before


def flip_weight(model: Path) -> None:
    path = model / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        flip_weight,
        lambda m: edit(m / "config_sentence_transformers.json", prompts={"query": "q: ", "document": ""}),
        lambda m: edit(m / "1_Pooling" / "config.json", pooling_mode="cls"),
        lambda m: edit(m / "tokenizer.json", truncation={"max_length": 3}),
        lambda m: edit(m / "sentence_bert_config.json", max_seq_length=7),
        lambda m: edit(m / "config.json", hidden_act="relu"),
        lambda m: (m / "modules.json").write_text(
            json.dumps(json.loads((m / "modules.json").read_text("utf-8"))[:-1]), "utf-8"
        ),
    ],
    ids=["weights", "prompts", "pooling", "tokenizer", "length", "activation", "modules"],
)
def test_what_changes_a_vector_changes_the_model(model: Path, change: Callable[[Path], object]) -> None:
    before = model_digest(model)
    change(model)
    assert model_digest(model) != before


def test_saving_again_keeps_the_identity(tiny_model: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(tiny_model), device="cpu").save_pretrained(str(tmp_path / "again"))
    assert (tmp_path / "again" / "README.md").is_file()
    assert model_digest(tmp_path / "again") == model_digest(tiny_model)


def test_other_weights_prompts_and_pooling_are_other_models(tiny_model: Path, make_model: Callable[..., Path]) -> None:
    others = [make_model(seed=1), make_model(prompts={"query": "find: "}), make_model(pooling="cls")]
    assert len({model_digest(m) for m in (tiny_model, *others)}) == 4


def test_no_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", "utf-8")
    with pytest.raises(FileNotFoundError, match="no safetensors weights"):
        model_digest(tmp_path)
