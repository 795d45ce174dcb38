"""Reading the sets that merges are scored on."""

from pathlib import Path

import pytest
from tests.merge.toys import toy_task, write_beir

from medloom.bench.build import own_suite
from medloom.bench.store import write_suite
from medloom.errors import MedloomError, SourceError
from medloom.evaluate.tasks import check
from medloom.merge.tasks import capped, is_path, read_tasks


def test_folders_built_suites_and_tasks_of_a_suite(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "mine", toy_task("mine"))
    write_suite(tmp_path / "suite", own_suite([write_beir(tmp_path / "other", toy_task("other", 3))]))
    tasks = read_tasks(["mine", str(tmp_path / "suite"), "checks:checks-negation"], tmp_path)
    assert [task.name for task in tasks] == ["mine", "other", "checks-negation"]
    assert tasks[0].data["queries"] == toy_task("mine").data["queries"]
    with pytest.raises(MedloomError, match="two tasks are called mine"):
        read_tasks([str(folder), str(folder)])


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nowhere", SourceError, "no task at"),
        ("checks:nothing", MedloomError, "has no task nothing"),
        ("chekcs:negation", MedloomError, "did you mean checks"),
        ("mteb:NoSuchTaskAtAll", MedloomError, "no task NoSuchTaskAtAll"),
    ],
)
def test_what_is_not_there(tmp_path: Path, name: str, error: type[MedloomError], said: str) -> None:
    with pytest.raises(error, match=said):
        read_tasks([name], tmp_path)


def test_paths_and_names() -> None:
    assert is_path("sets/mine") and not is_path("mteb:NFCorpus") and not is_path("open:hpo")


def test_a_large_set_is_cut_and_stays_a_task() -> None:
    task = toy_task("mine")
    small = capped(task, seed=1, queries=5, corpus=10)
    assert len(small.data["queries"]) == 5 and len(small.data["corpus"]) == 10
    check(small)
    for query, judged in small.data["qrels"].items():
        assert task.data["qrels"][query] == judged and judged.keys() <= small.data["corpus"].keys()
    assert capped(task, seed=1, queries=5, corpus=10).fingerprint == small.fingerprint
    assert capped(task, seed=2, queries=5, corpus=10).fingerprint != small.fingerprint
    assert capped(task, seed=1) is task
    assert len(capped(task, seed=1, queries=20, corpus=1).data["corpus"]) == 12
