"""One application on the tiny model, for all tests that do not change it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.models import load_models

SETTINGS = ServeSettings(threads=1, items=64, chars=2_000, body_bytes=100_000, port=0)


@pytest.fixture(scope="session")
def prompted_model(make_model: object) -> Path:
    """A tiny model that wants other words before queries than before documents."""
    assert callable(make_model)
    made = make_model(prompts={"query": "query ", "document": "passage "}, normalize=False)
    assert isinstance(made, Path)
    return made


@pytest.fixture(scope="session")
def client(tiny_model: Path, prompted_model: Path) -> Iterator[TestClient]:
    """A client of two models, ``tiny`` and ``prompted``."""
    app = create_app(load_models([f"tiny={tiny_model}", f"prompted={prompted_model}"]), SETTINGS)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        yield one
