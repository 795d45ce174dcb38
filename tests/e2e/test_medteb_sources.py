"""All 77 tasks of MedTEB from the services' replicas, the way that ``bench build --source`` goes."""

from pathlib import Path

import pytest
from benchmarks.medteb_replicas import built, collected, own_files, services
from tests.bench.medteb.conftest import BagOfWords

from medloom.bench.medteb import DEFINITIONS

pytestmark = pytest.mark.e2e


def test_every_task_is_built_from_its_source_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bag = BagOfWords()
    with services(pages=20) as running:
        data = [*collected(tmp_path / "sources", running), *own_files(tmp_path)]
    tasks, left_out = built(data, "strict", lambda: bag)
    assert left_out == {}
    assert {task.name for task in tasks} == {definition.name for definition in DEFINITIONS}
    assert len(tasks) == 77
    assert min(task.n for task in tasks) >= 12
    assert {one.source for one in data} == {definition.source for definition in DEFINITIONS}
