"""Which models can be averaged, and what is said of those that cannot."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medloom.errors import ModelError
from medloom.merge.parents import block_of, open_parents

MakeModel = Callable[..., Path]


def changed(model: Path, out: Path, file: str, change: Callable[[dict[str, object]], None]) -> Path:
    shutil.copytree(model, out)
    content = json.loads((out / file).read_text("utf-8"))
    change(content)
    (out / file).write_text(json.dumps(content), "utf-8")
    return out


def refused(one: Path, other: Path) -> str:
    with pytest.raises(ModelError) as error:
        open_parents([str(one), str(other)])
    said = str(error.value)
    assert str(one) in said and str(other) in said
    return said


def test_other_pooling_modules_and_normalising(make_model: MakeModel, parents: list[Path]) -> None:
    assert "pooling differs in pooling_mode ('mean' and 'cls')" in refused(parents[0], make_model(pooling="cls"))
    assert "the other Transformer + Pooling" in refused(parents[0], make_model(normalize=False))


def test_another_architecture(parents: list[Path], tmp_path: Path) -> None:
    wide = changed(parents[1], tmp_path / "a", "config.json", lambda c: c.update(num_attention_heads=4))
    assert "architecture differs in num_attention_heads (2 and 4)" in refused(parents[0], wide)


def test_another_vocabulary(parents: list[Path], tmp_path: Path) -> None:
    def swap(content: dict[str, object]) -> None:
        vocabulary = content["model"]["vocab"]  # type: ignore[index]
        vocabulary["fever"], vocabulary["cough"] = vocabulary["cough"], vocabulary["fever"]

    other = changed(parents[1], tmp_path / "a", "tokenizer.json", swap)
    assert "tokenizers differ" in refused(parents[0], other)


def test_cut_and_padding_of_the_tokenizer_do_not_count(parents: list[Path], tmp_path: Path) -> None:
    cut = {"direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0}
    other = changed(parents[1], tmp_path / "a", "tokenizer.json", lambda c: c.update(truncation=cut))
    assert len(open_parents([str(parents[0]), str(other)])) == 2


def test_a_model_with_weights_missing(parents: list[Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = Path(shutil.copytree(parents[1], tmp_path / "a"))
    weights = load_file(other / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, other / "model.safetensors")
    assert "only one of them has the weights encoder.layer.1.output.dense.weight" in refused(parents[0], other)


def test_modules_outside_the_folder_adapters_and_one_model(parents: list[Path], tmp_path: Path) -> None:
    outside = Path(shutil.copytree(parents[1], tmp_path / "a"))
    modules = json.loads((outside / "modules.json").read_text("utf-8"))
    modules[1]["path"] = "../elsewhere"
    (outside / "modules.json").write_text(json.dumps(modules), "utf-8")
    with pytest.raises(ModelError, match="outside its folder"):
        open_parents([str(parents[0]), str(outside)])
    adapter = Path(shutil.copytree(parents[1], tmp_path / "b"))
    shutil.copyfile(adapter / "model.safetensors", adapter / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="is an adapter"):
        open_parents([str(parents[0]), str(adapter)])
    with pytest.raises(ModelError, match="two models or more"):
        open_parents([str(parents[0])])


def test_a_damaged_file_is_a_clear_error(parents: list[Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(parents[1], tmp_path / "a"))
    (other / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(ModelError, match="damaged"):
        open_parents([str(parents[0]), str(other)])


def test_the_built_in_model_and_its_copy_by_this_library(tmp_path: Path) -> None:
    """An old library wrote the one, this one the other: names, settings and buffers differ, the model does not."""
    from sentence_transformers import SentenceTransformer

    from medloom.encode import resolve_model

    builtin = resolve_model("builtin:all-MiniLM-L6-v2")
    copy = SentenceTransformer(builtin.location, device="cpu")
    copy.save_pretrained(str(tmp_path / "copy"), create_model_card=False)
    one, other = open_parents(["builtin:all-MiniLM-L6-v2", str(tmp_path / "copy")])
    assert one.parts[0].blocks == 6
    assert one.ignored == ("embeddings.position_ids",)
    assert one.parts[1].settings == other.parts[1].settings


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("encoder.layer.11.output.dense.weight", 11),
        ("layers.3.attn.Wqkv.weight", 3),
        ("transformer.layer.0.ffn.lin1.bias", 0),
        ("encoder.block.2.layer.0.SelfAttention.q.weight", 2),
        ("h.5.attn.bias", 5),
        ("embeddings.word_embeddings.weight", None),
        ("pooler.dense.bias", None),
        ("final_norm.weight", None),
    ],
)
def test_blocks_by_name(name: str, block: int | None) -> None:
    assert block_of(name) == block
