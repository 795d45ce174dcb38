"""Systems on suites: nothing is done twice, one failing task stops nothing, and private text stays here."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.artifacts import write_json
from medloom.bench import results as results_module
from medloom.bench import runner
from medloom.bench.results import model_key, place, read_errors, read_results
from medloom.bench.runner import Summary, run_suites, versions
from medloom.bench.store import BuiltSuite, write_suite
from medloom.errors import ArtifactError, StageError
from medloom.evaluate.scored import Scored
from medloom.evaluate.scored import score as score_one
from medloom.evaluate.systems import Bm25System
from medloom.evaluate.systems.base import System
from medloom.evaluate.tasks import Task

MakeSuite = Callable[..., BuiltSuite]
MakeSystem = Callable[..., Any]
SECRET = "Zebediah Quux"


def run(system: System, suite: BuiltSuite, folder: Path, hosts: tuple[str, ...] = ()) -> Summary:
    summary = Summary()
    run_suites(lambda: system, [suite], folder, summary, hosts)
    return summary


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_task_is_scored_and_written(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    suite, system = make_suite(), make_system()
    told: list[str] = []
    summary = Summary()
    run_suites(lambda: system, [suite], tmp_path, summary, tell=told.append)
    key = model_key(system.info)
    assert summary.scores.keys() == {key}
    assert list(summary.scores[key]) == [task.name for task in suite.tasks]
    assert (summary.skipped, summary.errors, summary.unfit) == (0, {}, {key: []})
    assert summary.seconds[key].keys() == {"load", "encode", "score"}
    assert told == [f"toy: {task.name}" for task in suite.tasks]
    found = {result.task.name: result for result in read_results(tmp_path)}
    assert {name: result.score for name, result in found.items()} == summary.scores[key]
    assert {name: result.task.type for name, result in found.items()} == {t.name: t.type for t in suite.tasks}
    run_file = json.loads((tmp_path / key / "run.json").read_text("utf-8"))
    distinct = {text for task in suite.tasks for _, text in task.texts}
    assert run_file["texts"] == len(distinct)
    assert run_file["system"]["hash"] == system.info.hash
    assert run_file["latency_ms"] > 0
    assert run_file["peak_rss_mb"] > 0
    assert run_file["versions"] == versions()
    assert run_file["texts_per_second"] is None, "too few texts to tell a speed from"


def test_each_text_is_read_once_over_all_tasks(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    suite, system = make_suite(), make_system()
    run(system, suite, tmp_path)
    distinct = {text for task in suite.tasks for _, text in task.texts}
    asked = [text for text in system.encoder.asked if text not in runner._PROBES]
    assert sorted(asked) == sorted(distinct)
    assert sum(len(list(task.texts)) for task in suite.tasks) > 2 * len(distinct)


def test_a_second_run_encodes_nothing_and_rewrites_nothing(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem
) -> None:
    suite = make_suite()
    first = run(make_system(), suite, tmp_path)
    before = files(tmp_path)
    again = make_system()
    second = run(again, suite, tmp_path)
    assert not again.encoder.asked
    assert files(tmp_path) == before
    assert second.skipped == len(suite.tasks)
    assert second.scores == first.scores


def test_only_what_is_missing_or_changed_is_run_again(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem
) -> None:
    suite, system = make_suite(), make_system()
    run(system, suite, tmp_path)
    pairs = next(task for task in suite.tasks if task.name == "pairs")
    changed = replace(pairs, data=pairs.data | {"sentence1": ["new text", *pairs.data["sentence1"][1:]]})
    tasks = tuple(changed if task.name == "pairs" else task for task in suite.tasks)
    places = {name: place(tmp_path, system.info, suite, task) for name, task in zip("abc", suite.tasks, strict=False)}
    places["a"].with_name(f"{places['a'].name}.parquet").unlink()
    places["b"].with_name(f"{places['b'].name}.json").write_text('{"medloom"', "utf-8")
    before = files(tmp_path)
    again = make_system()
    summary = run(again, replace(suite, tasks=tasks), tmp_path)
    assert summary.skipped == len(tasks) - 3
    assert "new text" in again.encoder.asked
    after = files(tmp_path)
    rewritten = {Path(name).name.split(".")[0] for name in after if after[name] != before.get(name)}
    assert rewritten == {"ask", "rerank", "pairs", "run"}
    found = {result.task.name: result.block["fingerprint"] for result in read_results(tmp_path)}
    assert found == {task.name: task.fingerprint for task in tasks}


def test_results_of_another_way_of_scoring_are_made_anew(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = make_suite(make_suite().tasks[:2])
    run(make_system(), suite, tmp_path)
    monkeypatch.setattr(results_module, "PROTOCOL", results_module.PROTOCOL + 1)
    assert run(make_system(), suite, tmp_path).skipped == 0
    assert run(make_system(), suite, tmp_path).skipped == 2


def failing(name: str, error: Exception) -> Callable[[System, Task], Scored]:
    def score(system: System, task: Task) -> Scored:
        if task.name == name:
            raise error
        return original(system, task)

    original = score_one
    return score


def test_a_failing_task_is_recorded_without_its_text_and_the_rest_goes_on(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, system = make_suite(), make_system()
    key = model_key(system.info)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "score", failing("pairs", ValueError(f"cannot read {SECRET}")))
        summary = run(system, suite, tmp_path)
    assert list(summary.scores[key]) == [task.name for task in suite.tasks if task.name != "pairs"]
    assert summary.errors[key].keys() == {"pairs"}
    assert summary.errors[key]["pairs"].startswith("ValueError at test_runner.py:")
    assert list(read_errors(tmp_path)) == [(key, "toy-strict", "pairs", summary.errors[key]["pairs"])]
    assert all(SECRET.encode() not in content for content, _ in files(tmp_path).values())
    again = run(make_system(), suite, tmp_path)
    assert again.skipped == len(suite.tasks) - 1
    assert not again.errors
    assert "pairs" in again.scores[key]
    assert not list(read_errors(tmp_path))


def test_our_own_errors_are_recorded_in_their_words(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "score", failing("pairs", StageError("its vectors hold NaN")))
    summary = run(make_system(), make_suite(), tmp_path)
    assert list(summary.errors.values()) == [{"pairs": "its vectors hold NaN"}]


def test_a_failure_with_new_data_leaves_no_old_result(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = make_suite(make_suite().tasks[:2])
    run(make_system(), suite, tmp_path)
    changed = replace(suite.tasks[0], data=suite.tasks[0].data | {"groups": [str(i) for i in range(12)]})
    monkeypatch.setattr(runner, "score", failing("ask", ValueError()))
    run(make_system(), replace(suite, tasks=(changed, suite.tasks[1])), tmp_path)
    assert [result.task.name for result in read_results(tmp_path)] == ["rerank"]
    assert [task for _, _, task, _ in read_errors(tmp_path)] == ["ask"]


def test_where_all_texts_together_fail_it_goes_on_task_by_task(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, caplog: pytest.LogCaptureFixture
) -> None:
    def encode(texts: Any, prompt: Any = None, label: Any = None) -> Any:
        if any("case 39" in text for text in texts):
            raise RuntimeError(SECRET)
        return original(texts)

    suite, system = make_suite(), make_system()
    original = system.encoder.encode
    system.encoder.encode = encode
    with caplog.at_level(logging.WARNING):
        summary = run(system, suite, tmp_path)
    key = model_key(system.info)
    assert "going on task by task" in caplog.text
    assert SECRET not in caplog.text
    assert summary.scores[key].keys() == {"pairs", "alike", "order"}
    assert summary.errors[key].keys() == {"ask", "rerank", "sort", "label"}
    assert all(problem.startswith("RuntimeError at ") for problem in summary.errors[key].values())


def test_vectors_that_are_no_numbers_are_an_error_and_no_score(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem
) -> None:
    system = make_system()
    system.encoder.encode = lambda texts, *rest: np.full((len(texts), 8), np.nan, dtype=np.float32)
    summary = run(system, make_suite(make_suite().tasks[2:3]), tmp_path)
    assert not summary.scores
    (errors,) = summary.errors.values()
    assert "finite" in errors["pairs"]


def test_what_a_system_cannot_do_is_told_and_no_error(tmp_path: Path, make_suite: MakeSuite) -> None:
    system = Bm25System()
    key = model_key(system.info)
    summary = run(system, make_suite(), tmp_path)
    assert summary.unfit == {key: ["sort", "label"]}
    assert summary.scores[key].keys() == {"ask", "rerank", "pairs", "alike", "order"}
    assert not summary.errors
    run_file = json.loads((tmp_path / key / "run.json").read_text("utf-8"))
    assert (run_file["latency_ms"], run_file["texts"], run_file["texts_per_second"]) == (None, 0, None)


def test_private_text_leaves_this_machine_only_if_allowed(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem
) -> None:
    suite = make_suite()
    assert [task.name for task in suite.tasks if not task.public] == ["label"]
    away = make_system(is_local=False, host="api.example.org")
    with pytest.raises(StageError, match=r"on api\.example\.org.*1 tasks, such as label.*--send-text-to api\.example\.org"):
        run(away, suite, tmp_path)
    with pytest.raises(StageError, match="not marked public"):
        run(away, suite, tmp_path, ("example.org",))
    assert not away.encoder.asked
    assert not list(tmp_path.iterdir())
    public = replace(suite, tasks=tuple(task for task in suite.tasks if task.public))
    assert len(next(iter(run(away, public, tmp_path / "public").scores.values()))) == 6
    allowed = run(away, suite, tmp_path / "allowed", ("api.example.org",))
    assert len(next(iter(allowed.scores.values()))) == 7
    here = make_system(is_local=True, host="localhost")
    assert len(next(iter(run(here, suite, tmp_path / "here").scores.values()))) == 7


def test_no_speed_is_claimed_of_another_machine(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    away = make_system(is_local=False, host="api.example.org")
    run(away, make_suite(), tmp_path, ("api.example.org",))
    assert json.loads((tmp_path / model_key(away.info) / "run.json").read_text("utf-8"))["latency_ms"] is None


def test_a_full_disk_is_said_and_what_is_done_stays(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, value: Any) -> None:
        if path.name.startswith("pairs"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(path, value)

    original = write_json
    with monkeypatch.context() as patch:
        patch.setattr(results_module, "write_json", full)
        with pytest.raises(ArtifactError, match="disk is full"):
            run(make_system(), make_suite(), tmp_path)
    assert {result.task.name for result in read_results(tmp_path)} == {"ask", "rerank"}
    assert run(make_system(), make_suite(), tmp_path).skipped == 2


def test_two_models_never_share_a_result(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    suite = make_suite(make_suite().tasks[:3])
    systems = [make_system(1, "model"), make_system(2, "model"), make_system(1, "model"), make_system(1, "../other")]
    systems[2]._info = replace(systems[2].info, settings=systems[2].info.settings | {"max_length": 7})
    summary = Summary()
    for system in systems:
        run_suites(lambda system=system: system, [suite], tmp_path, summary)  # type: ignore[misc]
    assert summary.skipped == 0
    assert len(summary.scores) == 4
    scores = [summary.scores[model_key(system.info)] for system in systems]
    assert scores[0] != scores[1]
    assert scores[0] == scores[2] == scores[3]
    assert {path.parent for path in tmp_path.iterdir()} == {tmp_path}


def test_two_suites_share_texts_and_not_results(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    suites = [make_suite(name="a"), make_suite(name="a", mode="compat"), make_suite(name="b")]
    system, summary = make_system(), Summary()
    run_suites(lambda: system, suites, tmp_path, summary)
    assert len(list(read_results(tmp_path))) == 21
    asked = [text for text in system.encoder.asked if text not in runner._PROBES]
    assert len(asked) == len(set(asked))


def test_a_speed_once_measured_stays(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = make_suite()
    with monkeypatch.context() as patch:
        patch.setattr(runner, "_FEWEST_FOR_RATE", 10)
        run(make_system(), replace(suite, tasks=suite.tasks[:3]), tmp_path)
    (path,) = tmp_path.glob("*/run.json")
    before = json.loads(path.read_text("utf-8"))
    assert before["texts_per_second"] > 0
    run(make_system(), suite, tmp_path)
    after = json.loads(path.read_text("utf-8"))
    assert after["texts_per_second"] == before["texts_per_second"]
    assert after["seconds"] == before["seconds"]


@pytest.mark.parametrize("at", ["before", "after"])
def test_killed_in_the_midst_it_goes_on_where_it_stopped(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, at: str
) -> None:
    write_suite(tmp_path / "suite", make_suite())
    script = f"""
import os, signal, sys
from pathlib import Path
from medloom.bench import results, runner
from medloom.bench.store import read_suite
from medloom.evaluate.systems import Bm25System
write = results.write_json
def dying(path, value):
    if {at == "after"!r}:
        write(path, value)
    if path.name == "pairs.json":
        os.kill(os.getpid(), signal.SIGKILL)
    if {at == "before"!r}:
        write(path, value)
results.write_json = dying
runner.run_suites(Bm25System, [read_suite(Path(sys.argv[1]))], Path(sys.argv[2]), runner.Summary())
"""
    out = tmp_path / "results"
    killed = subprocess.run([sys.executable, "-c", script, tmp_path / "suite", out], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = files(out)
    summary = run(Bm25System(), make_suite(), out)
    assert summary.skipped == {"before": 2, "after": 3}[at]
    assert len(next(iter(summary.scores.values()))) == 5
    whole = run(Bm25System(), make_suite(), tmp_path / "unbroken")
    assert summary.scores == whole.scores
    kept = [name for name in before if name.endswith((".json", ".parquet")) and "pairs" not in name]
    assert {name: files(out)[name] for name in kept} == {name: before[name] for name in kept}
    assert not list(out.rglob("*.tmp"))
