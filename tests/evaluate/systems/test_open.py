"""What a user calls a model becomes the right kind of system."""

from pathlib import Path

import numpy as np
import pytest

from medloom.encode import endpoint
from medloom.encode.cache import VectorCache
from medloom.errors import ModelError
from medloom.evaluate.systems import Bm25System, DenseSystem, LateInteractionSystem, System, open_system


def test_bm25() -> None:
    assert isinstance(open_system("bm25"), Bm25System)


def test_a_folder_of_a_dense_model(tiny_model: Path, tmp_path: Path) -> None:
    system = open_system(str(tiny_model), "fp32", VectorCache(tmp_path))
    assert isinstance(system, DenseSystem)
    assert isinstance(system, System)
    assert (system.info.name, system.info.kind) == (str(tiny_model), "dense")
    assert system.info.size_bytes == (tiny_model / "model.safetensors").stat().st_size
    system.vectors(["fever"])
    assert list(tmp_path.rglob("rows.bin"))
    system.close()


def test_a_folder_of_a_late_interaction_model(tiny_model: Path, tmp_path: Path) -> None:
    from sentence_transformers import MultiVectorEncoder, SentenceTransformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    first = SentenceTransformer(str(tiny_model), device="cpu")[0]
    MultiVectorEncoder(modules=[first, MultiVectorMask()], device="cpu").save_pretrained(str(tmp_path / "late"))
    system = open_system(str(tmp_path / "late"), "fp32")
    assert isinstance(system, LateInteractionSystem)
    assert (system.info.kind, system.info.dimensions) == ("late-interaction", 32)
    assert system.rank(["fever"], ["cough", "fever"], 1)[0].tolist() == [[1]]


def test_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_client", lambda *args, **settings: None)
    ones = np.ones((6, 3), dtype=np.float32)
    monkeypatch.setattr(endpoint.OpenAIEncoder, "_request", lambda self, texts: ones[: len(texts)])
    system = open_system("openai:http://models.example.org/v1#org/m")
    assert isinstance(system, DenseSystem)
    assert (system.info.kind, system.info.name) == ("endpoint", "openai:http://models.example.org/v1#org/m")
    assert not system.is_local
    assert system.vectors(["fever"]).shape == (1, 3)
    assert system.info.settings["backend"] == "openai"


@pytest.mark.parametrize("name", ["no/such/folder", "./nothing", "builtin:nothing", "openai:nothing", "bm26", "org/unknown"])
def test_what_is_no_model_is_a_clear_error(name: str) -> None:
    with pytest.raises(ModelError):
        open_system(name)
