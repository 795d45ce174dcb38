"""The average itself: LM-Cocktail's and mergekit's arithmetic, and all that they lose kept."""

import json
import math
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from medloom.encode import load_encoder
from medloom.errors import ArtifactError, ModelError
from medloom.identity import model_digest
from medloom.merge.parents import open_parents
from medloom.merge.tensors import Stored, in_writing_order, stored_tensors, write_tensors
from medloom.merge.ways import Layered, Linear, Slerp, Way
from medloom.merge.write import Merged, write_merged

MakeModel = Callable[..., Path]
Weights = dict[str, torch.Tensor]


def merged(parents: list[Path], way: Way, out: Path, prompts_from: str | None = None) -> Merged:
    opened = open_parents([str(path) for path in parents], prompts_from=prompts_from)
    return write_merged(opened, way, out, prompts_from)


def weights_of(folder: Path) -> Weights:
    return load_file(folder / "model.safetensors")


def lm_cocktail(models: list[Weights], weights: list[float]) -> Weights:
    """The published formula: a running sum of weighted parameters; whole numbers are the last model's."""
    found: Weights = {}
    for key in models[0]:
        for weight, model in zip(weights, models, strict=True):
            if model[key].dtype in (torch.int64, torch.int32):
                found[key] = model[key]
            elif key not in found:
                found[key] = weight * model[key]
            else:
                found[key] += weight * model[key]
    return found


def mergekit_slerp(t: float, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """mergekit's formula for one tensor."""
    cosine = torch.sum((one / one.norm()) * (other / other.norm()))
    if abs(cosine) > 0.9995:
        return (1 - t) * one + t * other
    angle = torch.arccos(cosine)
    return torch.sin((1 - t) * angle) / torch.sin(angle) * one + torch.sin(t * angle) / torch.sin(angle) * other


def test_linear_is_lm_cocktails_arithmetic(parents: list[Path], tmp_path: Path) -> None:
    weights = [0.5, 0.3, 0.2]
    merged(parents, Linear(tuple(weights)), tmp_path / "m")
    expected, found = lm_cocktail([weights_of(p) for p in parents], weights), weights_of(tmp_path / "m")
    assert found.keys() == expected.keys() and len(found) > 30
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-6, atol=1e-7)


def test_slerp_is_mergekits_arithmetic(parents: list[Path], tmp_path: Path) -> None:
    merged(parents[:2], Slerp(0.3), tmp_path / "m")
    one, other, found = (weights_of(p) for p in (*parents[:2], tmp_path / "m"))
    straight = lm_cocktail([one, other], [0.7, 0.3])
    for key in found:
        if float(one[key].norm()) and float(other[key].norm()):
            torch.testing.assert_close(found[key], mergekit_slerp(0.3, one[key], other[key]), rtol=1e-4, atol=1e-5)
        else:
            torch.testing.assert_close(found[key], straight[key])
    name = "embeddings.word_embeddings.weight"
    assert not torch.allclose(found[name], straight[name], atol=1e-2)


def test_weights_by_depth(parents: list[Path], tmp_path: Path) -> None:
    merged(parents[:2], Layered((1.0, 0.0), (0.0, 1.0)), tmp_path / "m")
    one, other, found = (weights_of(p) for p in (*parents[:2], tmp_path / "m"))
    for key in found:
        share = 0.0 if "embeddings" in key else 0.5 if ".layer.0." in key else 1.0
        torch.testing.assert_close(found[key], (1 - share) * one[key] + share * other[key], rtol=1e-6, atol=1e-7)


def test_one_model_alone_is_that_model(parents: list[Path], tmp_path: Path) -> None:
    result = merged(parents[:2], Linear((0.0, 1.0)), tmp_path / "m")
    assert result.hash == model_digest(parents[1]) == model_digest(tmp_path / "m")


def test_facts_name_method_weights_and_parents(parents: list[Path], tmp_path: Path) -> None:
    merged(parents[:2], Linear((0.25, 0.75)), tmp_path / "m")
    facts = json.loads((tmp_path / "m" / "merge.json").read_text("utf-8"))
    assert (facts["method"], facts["weights"]) == ("linear", [0.25, 0.75])
    assert [p["name"] for p in facts["parents"]] == [str(p) for p in parents[:2]]
    assert [p["hash"] for p in facts["parents"]] == [model_digest(p) for p in parents[:2]]
    assert facts["hash"] == model_digest(tmp_path / "m")


def test_pooling_prompts_dtype_dense_and_length_are_kept(make_model: MakeModel, tmp_path: Path) -> None:
    """What LM-Cocktail turns into cls pooling without prompts, and mergekit leaves behind."""
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    folders = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            plain = SentenceTransformer(str(make_model(seed=seed, pooling="max", normalize=False)), device="cpu")
            dense = Dense(32, 8, activation_function=torch.nn.Tanh())
        prompts = {"query": "query: ", "document": "passage: "}
        model = SentenceTransformer(modules=[*plain, dense, Normalize()], prompts=prompts, device="cpu")
        model.max_seq_length = 40
        model.bfloat16().save_pretrained(str(tmp_path / f"p{seed}"), create_model_card=False)
        folders.append(tmp_path / f"p{seed}")
    merged(folders, Linear((0.75, 0.25)), tmp_path / "m")
    loaded = SentenceTransformer(str(tmp_path / "m"), device="cpu")
    assert [type(module).__name__ for module in loaded] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert loaded[1].pooling_mode == "max" and loaded.max_seq_length == 40
    assert (loaded.prompts["query"], loaded.prompts["document"]) == ("query: ", "passage: ")
    assert {value.dtype for value in weights_of(tmp_path / "m").values()} == {torch.bfloat16}
    one, other, found = (load_file(f / "2_Dense" / "model.safetensors") for f in (*folders, tmp_path / "m"))
    for key in found:
        exact = 0.75 * one[key].double() + 0.25 * other[key].double()
        assert torch.equal(found[key], exact.to(torch.bfloat16))
    assert load_encoder(tmp_path / "m").encode(["pain of the heart"]).shape == (1, 8)


def old_checkpoint(model: Path, folder: Path) -> Path:
    """The same model as an old masked language model's checkpoint: a prefix, a head, TensorFlow's words, a buffer."""
    shutil.copytree(model, folder)
    old = {}
    for key, value in weights_of(model).items():
        name = key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        old[f"bert.{name}"] = value
    old["bert.embeddings.position_ids"] = torch.arange(64)[None]
    old["cls.predictions.bias"] = torch.zeros(7)
    save_file(old, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("old_first", [False, True])
def test_checkpoints_of_other_versions_are_one_architecture(parents: list[Path], tmp_path: Path, old_first: bool) -> None:
    old = old_checkpoint(parents[1], tmp_path / "old")
    pair, plain = [parents[0], old], parents[:2]
    if old_first:
        pair, plain = pair[::-1], plain[::-1]
    merged(pair, Linear((0.5, 0.5)), tmp_path / "m")
    merged(plain, Linear((0.5, 0.5)), tmp_path / "n")
    found, expected = weights_of(tmp_path / "m"), weights_of(tmp_path / "n")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)


def test_shards_and_a_folder_without_modules(parents: list[Path], tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    for number, parent in enumerate(parents[:2]):
        folder = tmp_path / f"bare{number}"
        AutoModel.from_pretrained(str(parent)).save_pretrained(str(folder), max_shard_size="20KB")
        AutoTokenizer.from_pretrained(str(parent)).save_pretrained(str(folder))
        assert len(list(folder.glob("*.safetensors"))) > 1
    merged([tmp_path / "bare0", tmp_path / "bare1"], Linear((0.5, 0.5)), tmp_path / "m")
    merged(parents[:2], Linear((0.5, 0.5)), tmp_path / "n")
    found, expected = weights_of(tmp_path / "m"), weights_of(tmp_path / "n")
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert not list((tmp_path / "m").glob("*.index.json"))
    assert load_encoder(tmp_path / "m").pooling == "mean"


def test_prompts_of_the_one_that_is_named(make_model: MakeModel, tmp_path: Path) -> None:
    one, other = make_model(seed=0, prompts={"query": "ask: "}), make_model(seed=1, prompts={"query": "find: "})
    with pytest.raises(ModelError, match=r"prompts differ in query \('ask: ' and 'find: '\).*--prompts-from") as error:
        open_parents([str(one), str(other)])
    assert str(one) in str(error.value) and str(other) in str(error.value)
    merged([one, other], Linear((0.5, 0.5)), tmp_path / "m", prompts_from=str(other))
    assert load_encoder(tmp_path / "m").prompt_for("query") == "find: "
    with pytest.raises(ModelError, match="none of"):
        open_parents([str(one), str(other)], prompts_from="elsewhere")


def test_an_average_that_is_no_number_is_refused(parents: list[Path], tmp_path: Path) -> None:
    broken = Path(shutil.copytree(parents[1], tmp_path / "broken"))
    weights = weights_of(broken)
    weights["embeddings.word_embeddings.weight"][3, 3] = math.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"word_embeddings\.weight is not a number"):
        merged([parents[0], broken], Linear((0.5, 0.5)), tmp_path / "m")
    assert not (tmp_path / "m").exists()
    assert merged([parents[0], broken], Linear((1.0, 0.0)), tmp_path / "m").hash == model_digest(parents[0])


def test_what_lies_at_the_target_is_not_overwritten(parents: list[Path], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.txt").write_text("x", "utf-8")
    with pytest.raises(ArtifactError, match="not empty and no merged model"):
        merged(parents[:2], Linear((0.5, 0.5)), tmp_path / "m")
    (tmp_path / "m" / "thesis.txt").unlink()
    first = merged(parents[:2], Linear((0.5, 0.5)), tmp_path / "m")
    assert merged(parents[:2], Linear((0.4, 0.6)), tmp_path / "m").hash != first.hash
    assert not (tmp_path / "m.partial").exists()


def test_the_writer_holds_one_tensor_at_a_time(tmp_path: Path) -> None:
    alive: list[weakref.ref[torch.Tensor]] = []
    kinds = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "I64": torch.int64, "U8": torch.uint8}
    shapes: dict[str, tuple[int, ...]] = {"a": (3, 5), "b": (), "c": (0, 4), "d": (7,)}
    wanted = in_writing_order((f"{s}-{k}", Stored(tmp_path, "", k, shapes[s])) for s in shapes for k in kinds)
    expected: Weights = {}

    def values() -> Iterator[torch.Tensor]:
        for name, stored in wanted:
            assert sum(ref() is not None for ref in alive) <= 1
            value = torch.randn(stored.shape).mul(50).to(kinds[stored.dtype])
            expected[name] = value.clone()
            alive.append(weakref.ref(value))
            yield value

    write_tensors(tmp_path / "model.safetensors", wanted, values())
    found = weights_of(tmp_path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) and found[name].dtype == expected[name].dtype for name in found)
    assert {one.shape for one in stored_tensors(tmp_path)} == set(shapes.values())
