"""From what a recipe calls a model to one that is safe to load, or a clear refusal."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.encode import ModelRef, load_encoder, models, resolve_model
from medloom.encode.models import load_model
from medloom.errors import ModelError

BUILTIN = "builtin:all-MiniLM-L6-v2"


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def refusal(name: str | Path, folder: Path | None = None) -> str:
    """What is said of a model that does not resolve, or resolves and does not load."""
    with pytest.raises(ModelError) as raised:
        load_model(resolve_model(str(name), folder))
    return str(raised.value)


def write(folder: Path, **files: Any) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


def test_a_folder(tiny_model: Path) -> None:
    ref = resolve_model(str(tiny_model))
    assert (ref.name, ref.location, ref.revision, ref.hub_id, ref.licence) == (
        str(tiny_model),
        str(tiny_model),
        None,
        None,
        None,
    )
    assert len(ref.hash) == 64
    assert load_model(ref).get_embedding_dimension() == 32


def test_a_folder_relative_to_the_recipe(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    ref = resolve_model(tiny_model.name, tiny_model.parent)
    assert Path(ref.location) == tiny_model
    assert ref.name == tiny_model.name


def test_a_bare_transformer_folder_loads_too(tiny_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, bare / name)
    assert load_model(resolve_model(str(bare))).encode(["fever"]).shape == (1, 32)


def test_the_builtin_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    ref = resolve_model(BUILTIN)
    assert ref.hub_id == "sentence-transformers/all-MiniLM-L6-v2"
    assert ref.licence == "apache-2.0"
    encoder = load_encoder(ref)
    vectors = encoder.encode(["fever", "high body temperature", "broken leg"])
    assert vectors.shape == (3, 384)
    assert encoder.pooling == "mean"
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_an_unknown_builtin_names_the_nearest() -> None:
    assert f"did you mean {BUILTIN}?" in refusal("builtin:all-MiniLM-L6")
    assert f"there is {BUILTIN}" in refusal("builtin:zzz")


def test_a_builtin_with_other_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = models._BUILTINS["all-MiniLM-L6-v2"] | {"weights": "0" * 64}
    monkeypatch.setitem(models._BUILTINS, "all-MiniLM-L6-v2", entry)
    message = refusal(BUILTIN)
    assert "are not those on the hub" in message
    assert "0" * 64 in message
    assert "reinstall" in message


def test_a_builtin_whose_package_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = models._BUILTINS["all-MiniLM-L6-v2"] | {"package": "no_such_package"}
    monkeypatch.setitem(models._BUILTINS, "all-MiniLM-L6-v2", entry)
    assert "needs the package no-such-package: pip install" in refusal(BUILTIN)


@pytest.mark.parametrize("name", ["/gone/model", "./gone", "~/gone/model", "gone", "a/b/c"])
def test_a_missing_folder(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    message = refusal(name)
    assert f"no model {name}:" in message
    assert BUILTIN in message


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    assert "no model" in refusal(tmp_path / "model.safetensors")


def test_a_hub_model_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    message = refusal("nobody/no-such-model-at-all")
    assert "nobody/no-such-model-at-all" in message
    assert "neither a folder here nor to be had from the hub" in message
    assert "path of a downloaded folder" in message


def test_a_folder_that_holds_no_model(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "notes", readme__txt="hello"))
    assert "holds neither modules.json nor config.json" in message


def test_a_folder_without_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()
    message = refusal(model)
    assert "holds no .safetensors weights" in message
    assert "Error" not in message


def test_pickled_weights_are_never_loaded(model: Path) -> None:
    """A pickle may run code: it must not be opened at all."""
    import torch
    from safetensors.torch import load_file

    canary = model / "opened"

    class Bomb:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return Path.touch, (canary,)

    torch.save({"weights": load_file(str(model / "model.safetensors")), "bomb": Bomb()}, model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    message = refusal(model)
    assert "never loads pickled weights" in message
    assert "convert the model to safetensors" in message
    with pytest.raises(ModelError):
        load_model(ModelRef(str(model), str(model), "0" * 64))
    assert not canary.exists()


@pytest.mark.parametrize(
    "architecture",
    ["LlamaForCausalLM", "T5ForConditionalGeneration", "BertForSequenceClassification", "GPT2LMHeadModel"],
)
def test_models_for_other_ends_are_refused(tmp_path: Path, architecture: str) -> None:
    folder = write(tmp_path / "llm", config__json={"architectures": [architecture]}, model__safetensors="")
    message = refusal(folder)
    assert f"is a {architecture}, not a text encoder" in message


@pytest.mark.parametrize("keep", [0, 4, 100, 5_000, -1])
def test_damaged_weights(model: Path, keep: int) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    message = refusal(model)
    assert "its weights are damaged" in message
    assert "fetch it again" in message


def test_weights_that_are_another_models(model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"something.else": torch.zeros(3)}, str(model / "model.safetensors"), {"format": "pt"})
    assert "model" in refusal(model)


@pytest.mark.parametrize("content", ["{", "", "not json", "[]"])
@pytest.mark.parametrize("name", ["config.json", "modules.json", "1_Pooling/config.json", "tokenizer_config.json"])
def test_a_damaged_settings_file(model: Path, name: str, content: str) -> None:
    (model / name).write_text(content, "utf-8")
    message = refusal(model)
    assert str(model) in message
    assert len(message) < 700 + 2 * len(str(model))


def test_a_damaged_config_without_modules(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", config__json="{", model__safetensors="")
    assert "config.json is not valid JSON" in refusal(folder)
    (folder / "config.json").write_bytes(b'{"a": "\xff"}')
    assert "config.json is not valid JSON" in refusal(folder)


def test_a_tokenizer_that_is_gone(model: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    assert "tokenizer knows 5 of" in refusal(model)


def test_a_model_that_gives_one_vector_for_each_token_is_refused(model: Path) -> None:
    modules = json.loads((model / "modules.json").read_text("utf-8"))
    (model / "modules.json").write_text(json.dumps(modules[:1]), "utf-8")
    assert "model" in refusal(model)


def test_code_that_comes_with_a_model_does_not_run(model: Path) -> None:
    """A folder may name a class of its own; medloom must not import it."""
    canary = model / "ran"
    (model / "own.py").write_text(
        f"from pathlib import Path\nPath({str(canary)!r}).touch()\n\nclass Own:\n    pass\n", "utf-8"
    )
    modules = json.loads((model / "modules.json").read_text("utf-8"))
    modules[0]["type"] = "own.Own"
    (model / "modules.json").write_text(json.dumps(modules), "utf-8")
    refusal(model)
    assert not canary.exists()
