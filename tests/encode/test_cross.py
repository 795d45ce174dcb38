"""Cross-encoders: which are loaded, what they score, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medloom.encode.cross import load_cross_encoder, resolve_cross_encoder
from medloom.errors import ModelError


def build(folder: Path, tokenizer_of: Path, labels: int = 1, scale: float = 40.0) -> Path:
    """Save a one-layer BERT that scores pairs, with random weights, as plain transformers does."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_of))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    config.num_labels = labels
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = BertForSequenceClassification(config)
        with torch.no_grad():
            network.classifier.weight.mul_(scale)
    network.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """Folder of a tiny cross-encoder. Copy it before changing it."""
    return build(tmp_path_factory.mktemp("cross") / "model", tiny_model)


@pytest.fixture
def copy(cross: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cross, tmp_path / "copy"))


def refusal(path: Path | str) -> str:
    with pytest.raises(ModelError) as raised:
        load_cross_encoder(path)
    return str(raised.value)


def test_scores_are_those_of_the_network(cross: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    pairs = [("fever", "high blood pressure"), ("fever", "cough and fever in a child"), ("what is pain", "bone")]
    scores = load_cross_encoder(cross)(pairs)
    tokenizer = AutoTokenizer.from_pretrained(str(cross))
    network = AutoModelForSequenceClassification.from_pretrained(str(cross)).eval()
    with torch.no_grad():
        expected = [torch.sigmoid(network(**tokenizer(a, b, return_tensors="pt")).logits)[0, 0].item() for a, b in pairs]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert len(set(np.round(scores, 4))) == 3, "the pairs are told apart"


def test_order_and_repeats_do_not_matter(cross: Path) -> None:
    scorer = load_cross_encoder(str(cross))
    pairs = [("fever", text) for text in ("cough", "high blood pressure " * 8, "rash", "joint pain")]
    scores = scorer(pairs)
    np.testing.assert_allclose(scorer(pairs[::-1]), scores[::-1], atol=1e-6)
    np.testing.assert_array_equal(scorer([pairs[0]] * 3), np.repeat(scorer(pairs[:1]), 3))
    assert scorer([]).shape == (0,)


def test_saved_by_sentence_transformers(cross: Path, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder
    from torch import nn

    CrossEncoder(str(cross), device="cpu", activation_fn=nn.Identity()).save_pretrained(
        str(tmp_path / "saved"), create_model_card=False
    )
    pairs = [("fever", "cough"), ("head", "ache")]
    found = load_cross_encoder(tmp_path / "saved")(pairs)
    np.testing.assert_allclose(found, load_cross_encoder(cross)(pairs), atol=1e-6)
    assert ((found > 0) & (found < 1)).all(), "scores are from 0 to 1 though the model's own settings give logits"


def test_a_reference(cross: Path) -> None:
    ref = resolve_cross_encoder(cross.name, cross.parent)
    assert (ref.name, ref.location, ref.hub_id) == (cross.name, str(cross), None)
    assert load_cross_encoder(ref).hash == ref.hash
    assert len(ref.hash) == 64


def test_pickled_weights_are_refused(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    assert "no .safetensors weights" in refusal(copy)
    module = copy / "1_Dense"
    module.mkdir()
    shutil.copy(copy / "pytorch_model.bin", copy / "model.safetensors")
    (copy / "pytorch_model.bin").rename(module / "pytorch_model.bin")
    assert "pickled weights" in refusal(copy)


def test_an_encoder_without_a_head_is_refused(tiny_model: Path) -> None:
    assert "is not a cross-encoder" in refusal(tiny_model)


def test_weights_without_the_head_are_refused(copy: Path) -> None:
    """transformers would fill the head in at random."""
    from safetensors.torch import load_file, save_file

    weights = load_file(str(copy / "model.safetensors"))
    save_file({k: v for k, v in weights.items() if "classifier" not in k}, str(copy / "model.safetensors"))
    assert "do not fit its configuration" in refusal(copy)


def test_several_labels_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    assert "gives 3 numbers" in refusal(build(tmp_path / "nli", tiny_model, labels=3))


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    assert "or none" in refusal(build(tmp_path / "nan", tiny_model, scale=float("nan")))


def damage_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not weights")


def damage_config(folder: Path) -> None:
    (folder / "config.json").write_text("{", "utf-8")


def empty_config(folder: Path) -> None:
    (folder / "config.json").write_text("[]", "utf-8")


def remove_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForSequenceClassification": "evil.Model"}
    config["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nraise RuntimeError", "utf-8")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (damage_weights, "damaged"),
        (damage_config, "not valid JSON"),
        (empty_config, "is not a cross-encoder"),
        (remove_config, "not a model folder"),
        (own_code, "does not load as a cross-encoder"),
    ],
)
def test_damaged_folders(copy: Path, damage: Callable[[Path], None], problem: str) -> None:
    damage(copy)
    assert problem in refusal(copy)
    assert not (copy / "ran").exists()


@pytest.mark.parametrize("name", ["no-such-folder", "./no/such", "/no/such/folder", "builtin:all-MiniLM-L6-v2"])
def test_names_that_are_nothing(name: str) -> None:
    assert "no cross-encoder" in refusal(name)


def test_a_hub_id_without_network() -> None:
    assert "neither a folder here nor to be had from the hub" in refusal("medloom-tests/no-such-reranker")
