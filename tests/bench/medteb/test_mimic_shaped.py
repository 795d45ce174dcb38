"""All 32 MIMIC tasks, from a folder of MIMIC's shape to built tasks."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from medloom.bench.documents import DocumentsInput
from medloom.bench.medteb import DEFINITIONS
from medloom.evaluate.tasks import check
from medloom.records import Document

NAME = "mimic_shaped"
WANTED = {d.name for d in DEFINITIONS if d.source == "mimic"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented notes and stays."""
    spec = importlib.util.spec_from_file_location(NAME, Path(__file__).parents[3] / "benchmarks" / f"{NAME}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp("mimic")
    module.write(path, sentences=2)
    return path


@pytest.fixture(scope="module")
def notes(folder: Path) -> Sequence[Document]:
    """Read as ``--data mimic=FOLDER`` reads them."""
    return DocumentsInput("mimic", folder).load()


@pytest.mark.parametrize("mode", ["strict", "compat"])
def test_all_mimic_tasks_build(build: Callable[..., Any], notes: Sequence[Document], mode: str) -> None:
    tasks, left_out = build({"mimic": notes}, *WANTED, mode=mode)
    assert left_out == {}
    assert set(tasks) == WANTED
    assert len(tasks) == 32
    for task in tasks.values():
        assert not check(task).public
    stays = {d.group for d in notes}
    assert set(tasks["retrieval_mimic_Chief_Complaint_vs_Discharge_Diagnosis"].groups) <= stays
