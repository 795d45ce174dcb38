"""Converted models: one conversion of each kind for all tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medloom.encode import load_encoder
from medloom.encode.compiled import CompiledEncoder
from medloom.encode.encoder import Arithmetic, Backend

Convert = Callable[[Backend, Arithmetic], CompiledEncoder]


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's cache of the tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def prompted_model(make_model: Callable[..., Path]) -> Path:
    """A model that wants a prompt before queries."""
    return make_model(prompts={"query": "find "})


@pytest.fixture(scope="session")
def converted(prompted_model: Path, cache_home: Path) -> Convert:
    """Loads the model for a backend; the cache makes the second time quick."""
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")

    def load(backend: Backend, precision: Arithmetic = "fp32") -> CompiledEncoder:
        encoder = load_encoder(prompted_model, precision, backend)
        assert isinstance(encoder, CompiledEncoder)
        return encoder

    return load
