"""Models that can be averaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

MakeModel = Callable[..., Path]


@pytest.fixture(scope="session")
def parents(make_model: MakeModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three models of one architecture and unlike weights."""
    folder = tmp_path_factory.mktemp("parents")
    return [Path(shutil.copytree(make_model(seed=seed), folder / name)) for seed, name in enumerate(("one", "two", "three"))]
