"""Late-interaction models: told from others, loaded safely, a vector for each token."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from medloom.encode.encoder import resolve_precision
from medloom.encode.multivector import TokenEncoder, is_multivector, load_multivector
from medloom.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder

TEXTS = ["fever", "heart pain in a child, at night.", "", ".,", "cough"]


def build_multivector(base: Path, out: Path, **transformer: Any) -> "MultiVectorEncoder":
    """Save the transformer of a dense model as a late-interaction model of 16 dimensions."""
    import torch
    from sentence_transformers import MultiVectorEncoder, SentenceTransformer
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from sentence_transformers.sentence_transformer.modules import Normalize

    first = SentenceTransformer(str(base), device="cpu")[0]
    for name, value in transformer.items():
        setattr(first, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        dense = Dense(32, 16, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings")
    modules = [first, dense, MultiVectorMask(skiplist_words=[".", ","]), Normalize(module_input_name="token_embeddings")]
    model = MultiVectorEncoder(modules=modules, prompts={"query": "query ", "document": "passage "}, device="cpu")
    model.save_pretrained(str(out), create_model_card=False)
    return model


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("multi") / "model"
    build_multivector(tiny_model, out, query_expansion={"strategy": "fixed", "attend": False, "length": 12})
    return out


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TokenEncoder:
    return load_multivector(folder)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


def test_vectors_are_those_of_the_library(folder: Path, encoder: TokenEncoder) -> None:
    from sentence_transformers import MultiVectorEncoder

    plain = MultiVectorEncoder(str(folder), device="cpu")
    for role, encode in (("query", plain.encode_query), ("document", plain.encode_document)):
        expected = encode(TEXTS, convert_to_numpy=True, show_progress_bar=False)
        found = encoder.encode(TEXTS, "query" if role == "query" else "document")
        assert [one.shape for one in found] == [one.shape for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == np.float16
            np.testing.assert_allclose(one, other, atol=1e-3)


def test_queries_are_padded_and_documents_lose_punctuation(encoder: TokenEncoder) -> None:
    assert [len(one) for one in encoder.encode(TEXTS, "query")] == [12, 12, 12, 12, 12]
    words, bare = encoder.encode(["heart pain, at night.", "heart pain at night"], "document")
    assert len(words) == len(bare)
    assert encoder.encode([], "document") == []


def test_what_it_says_of_itself(folder: Path, encoder: TokenEncoder) -> None:
    assert encoder.dimensions == 16
    assert encoder.max_length == {"query": 12, "document": 48}
    assert (encoder.prompt_for("query"), encoder.prompt_for("document")) == ("query ", "passage ")
    assert encoder.precision == "fp32"
    assert load_multivector(folder, "auto").precision == resolve_precision("auto")


def test_many_texts_keep_their_order(encoder: TokenEncoder) -> None:
    texts = [" ".join(["pain"] * (1 + i * 7 % 30)) for i in range(200)]
    assert [len(one) for one in encoder.encode(texts, "document")] == [min(48, 4 + i * 7 % 30) for i in range(200)]


def test_a_late_interaction_folder_is_told_from_a_dense_one(tiny_model: Path, copy: Path, tmp_path: Path) -> None:
    assert is_multivector(copy)
    assert not is_multivector(tiny_model)
    assert not is_multivector(tmp_path / "nothing")
    settings = copy / "config_sentence_transformers.json"
    change(settings, model_type="ColBERT")
    assert is_multivector(copy)
    change(settings, model_type="SentenceTransformer")
    assert not is_multivector(copy)
    settings.unlink()
    assert is_multivector(copy)
    (copy / "modules.json").write_text("{", "utf-8")
    assert not is_multivector(copy)
    change(copy / "config.json", architectures=["HF_ColBERT"])
    assert is_multivector(copy)


def test_a_dense_model_is_refused_before_it_is_given_random_weights(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="is not a late-interaction model"):
        load_multivector(tiny_model)


def test_a_module_with_pickled_weights_is_refused(copy: Path) -> None:
    weights = copy / "1_Dense" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(ModelError, match=r"1_Dense/pytorch_model\.bin holds pickled weights"):
        load_multivector(copy)


def test_a_module_without_weights_is_refused(copy: Path) -> None:
    (copy / "1_Dense" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="does not load as a late-interaction model"):
        load_multivector(copy)


def test_damaged_weights_are_refused(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        load_multivector(copy)


def test_weights_that_do_not_fit_are_refused(copy: Path) -> None:
    change(copy / "config.json", num_hidden_layers=4)
    with pytest.raises(ModelError, match="do not fit its configuration"):
        load_multivector(copy)


def test_stanfords_settings_must_be_there_and_count(copy: Path) -> None:
    before = load_multivector(copy).hash
    change(copy / "config.json", architectures=["HF_ColBERT"])
    with pytest.raises(ModelError, match=r"lacks artifact\.metadata"):
        load_multivector(copy)
    (copy / "artifact.metadata").write_text('{"query_maxlen": 32}', "utf-8")
    first = load_multivector(copy).hash
    (copy / "artifact.metadata").write_text('{"query_maxlen": 16}', "utf-8")
    assert len({before, first, load_multivector(copy).hash}) == 3
