"""Built suites on disk: what was written comes back, and what was changed or damaged is refused."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medloom.bench import store
from medloom.bench.store import BuiltSuite, read_suite, write_suite
from medloom.errors import ArtifactError
from medloom.evaluate.tasks import TASK_TYPES, Task

MakeSuite = Callable[..., BuiltSuite]


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    raw = json.loads(path.read_text("utf-8"))
    changed = change(raw)
    path.write_text(json.dumps(raw if changed is None else changed), "utf-8")


@pytest.fixture
def folder(tmp_path: Path, make_suite: MakeSuite) -> Path:
    write_suite(tmp_path / "suite", make_suite())
    return tmp_path / "suite"


def test_every_type_comes_back_as_it_was(folder: Path, make_suite: MakeSuite) -> None:
    written, found = make_suite(), read_suite(folder)
    assert {task.type for task in found.tasks} == set(TASK_TYPES)
    assert found == written
    assert found.fingerprint == written.fingerprint == json.loads((folder / "suite.json").read_text("utf-8"))["fingerprint"]
    assert [list(task.data) for task in found.tasks if task.type != "Retrieval"] == [
        list(task.data) for task in written.tasks if task.type != "Retrieval"
    ]


def test_two_builds_have_one_fingerprint_and_other_tasks_another(tmp_path: Path, make_suite: MakeSuite) -> None:
    write_suite(tmp_path / "one", make_suite())
    write_suite(tmp_path / "two", make_suite(seed=5))
    assert read_suite(tmp_path / "one").fingerprint == read_suite(tmp_path / "two").fingerprint
    tasks = make_suite().tasks
    assert make_suite(tasks[1:]).fingerprint != make_suite().fingerprint
    other = replace(tasks[0], data=tasks[0].data | {"corpus": tasks[0].data["corpus"] | {"d0": "another text"}})
    assert make_suite((other, *tasks[1:])).fingerprint != make_suite().fingerprint


def test_the_fingerprint_is_not_of_the_files_bytes(folder: Path, make_suite: MakeSuite) -> None:
    for path in folder.rglob("*.parquet"):
        pq.write_table(pq.read_table(path), path, compression="none")
    assert read_suite(folder) == make_suite()


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        ("ask/corpus.parquet", "text", "a text that was changed by hand"),
        ("ask/queries.parquet", "groups", "another group"),
        ("ask/qrels.parquet", "relevance", 1),
        ("rerank/queries.parquet", "candidates", ["d0", "d10"]),
        ("pairs/items.parquet", "labels", 0),
        ("label/train.parquet", "train_texts", "a text that was changed by hand"),
        ("alike/items.parquet", "labels", 9.5),
        ("order/items.parquet", "rights", "a text that was changed by hand"),
    ],
)
def test_data_changed_on_disk_is_refused(folder: Path, file: str, column: str, value: Any) -> None:
    path = folder / "tasks" / file
    columns = pq.read_table(path).to_pydict()
    assert columns[column][0] != value
    columns[column][0] = value
    pq.write_table(pa.table(columns), path)
    with pytest.raises(ArtifactError, match=r"1 tasks.*changed after the build; build the suite again") as caught:
        read_suite(folder)
    assert file.split("/")[0] in str(caught.value)
    assert "by hand" not in str(caught.value)


def test_a_changed_metric_or_setting_is_refused(folder: Path) -> None:
    rewrite(folder / "tasks" / "ask" / "task.json", lambda raw: raw | {"metric": "ndcg_at_5"})
    with pytest.raises(ArtifactError, match="not what its fingerprint says"):
        read_suite(folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "suite.json").unlink(), "no file .*suite.json: give a folder that `medloom bench build` wrote"),
        (lambda f: (f / "suite.json").write_text("{", "utf-8"), "suite.json is not valid JSON: build the suite again"),
        (lambda f: (f / "suite.json").write_bytes(b"\xff\xfe"), "not valid JSON"),
        (lambda f: (f / "suite.json").write_text("[]", "utf-8"), "not what `medloom bench build` writes"),
        (
            lambda f: rewrite(f / "suite.json", lambda r: r | {"schema_version": 9}),
            "schema version 9.*build the suite again",
        ),
        (lambda f: rewrite(f / "suite.json", lambda r: r.pop("inputs") and r), "not a whole suite.*build it again"),
        (lambda f: rewrite(f / "suite.json", lambda r: r | {"tasks": ["ask"]}), "not a whole suite"),
        (lambda f: rewrite(f / "suite.json", lambda r: r | {"mode": "loose"}), "mode is none of strict, compat"),
        (lambda f: (f / "tasks/ask/corpus.parquet").unlink(), "ask is not a whole task.*build the suite again"),
        (lambda f: (f / "tasks/ask/corpus.parquet").write_bytes(b"PAR1"), "ask is not a whole task"),
        (lambda f: (f / "tasks/pairs/items.parquet").write_bytes(b""), "pairs is not a whole task"),
        (lambda f: (f / "tasks/pairs/task.json").unlink(), "no file .*task.json"),
        (lambda f: rewrite(f / "tasks/pairs/task.json", lambda r: r | {"more": 1}), "pairs is not a whole task"),
        (lambda f: rewrite(f / "tasks/pairs/task.json", lambda r: r | {"type": "Ranking"}), "pairs"),
        (lambda f: rewrite(f / "tasks/pairs/task.json", lambda r: r | {"facet": "sermons"}), "pairs.*facet"),
        (lambda f: rewrite(f / "tasks/pairs/task.json", lambda r: r | {"name": "ask"}), "such as ask, are not what"),
    ],
)
def test_damage_is_said_with_what_to_do(folder: Path, damage: Callable[[Path], Any], said: str) -> None:
    damage(folder)
    with pytest.raises(ArtifactError, match=said) as caught:
        read_suite(folder)
    assert "case 0" not in str(caught.value)


@pytest.mark.parametrize("name", ["../elsewhere", "..", "", "a/b", "a\\b", ".hidden"])
def test_a_shared_suite_cannot_point_outside_its_folder(folder: Path, name: str) -> None:
    (folder / "tasks" / "pairs").rename(folder / "elsewhere")
    rewrite(folder / "elsewhere" / "task.json", lambda raw: raw | {"name": name})
    rewrite(folder / "suite.json", lambda raw: raw | {"tasks": {name: raw["tasks"]["pairs"]}})
    with pytest.raises(ArtifactError, match="name of a task"):
        read_suite(folder)


def test_the_suites_own_name_is_a_plain_name_too(folder: Path) -> None:
    rewrite(folder / "suite.json", lambda raw: raw | {"name": "../../toy"})
    with pytest.raises(ArtifactError, match="name of"):
        read_suite(folder)


def test_what_is_no_suite_is_never_overwritten(tmp_path: Path, make_suite: MakeSuite) -> None:
    thesis = tmp_path / "out" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work", "utf-8")
    with pytest.raises(ArtifactError, match="not empty and no built suite: give --out another folder"):
        write_suite(tmp_path / "out", make_suite())
    assert thesis.read_text("utf-8") == "years of work"
    with pytest.raises(ArtifactError, match="out"):
        write_suite(thesis, make_suite())
    assert thesis.read_text("utf-8") == "years of work"


def test_a_built_suite_is_replaced_whole(folder: Path, make_suite: MakeSuite) -> None:
    write_suite(folder, make_suite(make_suite().tasks[:2], seed=9))
    found = read_suite(folder)
    assert (found.seed, [task.name for task in found.tasks]) == (9, ["ask", "rerank"])
    assert sorted(p.name for p in (folder / "tasks").iterdir()) == ["ask", "rerank"]


def test_killed_while_writing_the_old_suite_stands_and_the_next_build_goes_through(
    folder: Path, make_suite: MakeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kill(BaseException):
        pass

    def die(path: Path, value: Any) -> None:
        raise Kill

    before = read_suite(folder)
    tasks = make_suite().tasks[:1]
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_json", die)
        with pytest.raises(Kill):
            write_suite(folder, make_suite(tasks))
    assert folder.with_name("suite.partial").is_dir()
    assert read_suite(folder) == before
    write_suite(folder, make_suite(tasks))
    assert read_suite(folder) == make_suite(tasks)
    assert not folder.with_name("suite.partial").exists()


def test_a_full_disk_is_said(tmp_path: Path, make_suite: MakeSuite, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **settings: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(ArtifactError, match="disk is full"):
        write_suite(tmp_path / "suite", make_suite())
    assert not (tmp_path / "suite").exists()


def test_texts_of_every_kind_come_back(tmp_path: Path, make_suite: MakeSuite) -> None:
    odd = ["", " two  blanks ", "line\nbreak", "naïve Ωmega 发烧 🩺", "\x00nul", '"quoted", ,', "a" * 100_000]
    task = Task(
        "odd but known", "Clustering", "toy", "sort", {"sentences": odd, "labels": ["a", "b", "a", "b", "a", "b", "ü"]}
    )
    write_suite(tmp_path / "suite", make_suite([task]))
    assert read_suite(tmp_path / "suite").tasks == (task,)
