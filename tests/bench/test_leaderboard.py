"""The board: its shape, what it refuses, and figures of others beside it."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from medloom.bench import runner
from medloom.bench.contamination import Overlap
from medloom.bench.leaderboard import leaderboard
from medloom.bench.results import model_key
from medloom.bench.runner import Summary, run_suites
from medloom.bench.store import BuiltSuite
from medloom.errors import ArtifactError, MedloomError, StageError
from medloom.evaluate.scored import score as score_one
from medloom.evaluate.systems import Bm25System
from medloom.evaluate.systems.base import System
from medloom.evaluate.tasks import Task

MakeSuite = Callable[..., BuiltSuite]
MakeSystem = Callable[..., Any]
Board = dict[str, Any]

board_of = partial(leaderboard, resamples=200, permutations=500)

SHAPE = {
    "": "title created medloom machine command suites models tasks scores macro pairs map warnings",
    "suites": "name mode seed fingerprint",
    "models": "id name hash kind dimensions parameters size_mb settings seconds texts texts_per_second latency_ms "
    "peak_rss_mb reference",
    "tasks": "name type metric suite mode source facet description n unit fingerprint public",
    "scores": "model task score ci_low ci_high rank error declared overlap",
    "macro": "model score ci_low ci_high types rank complete",
    "pairs": "a b tasks better worse same macro_delta macro_low macro_high",
}
DELTA = "task delta ci_low ci_high p p_holm verdict"


def run(folder: Path, suite: BuiltSuite, *systems: System) -> Path:
    for system in systems:
        run_suites(lambda system=system: system, [suite], folder, Summary())  # type: ignore[misc]
    return folder


@pytest.fixture
def folder(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> Path:
    return run(tmp_path / "results", make_suite(), make_system(1, "one"), make_system(2, "two"), Bm25System())


def rows(board: Board, part: str, **where: Any) -> list[dict[str, Any]]:
    return [row for row in board[part] if all(row[key] == value for key, value in where.items())]


def change(folder: Path, model: str, task: str, of: Callable[[dict[str, Any]], None]) -> None:
    (path,) = folder.glob(f"{model}-*/toy-strict/{task}.json")
    raw = json.loads(path.read_text("utf-8"))
    of(raw["medloom"])
    path.write_text(json.dumps(raw), "utf-8")


def test_the_board_has_its_shape(folder: Path, make_suite: MakeSuite) -> None:
    board = board_of(folder)
    assert list(board) == SHAPE.pop("").split()
    for part, keys in SHAPE.items():
        assert board[part]
        for row in board[part]:
            assert set(row) == set(keys.split()), part
    assert all(set(row) == set(DELTA.split()) for pair in board["pairs"] for row in pair["tasks"])
    assert json.loads(json.dumps(board, allow_nan=False)) == board
    suite = make_suite()
    assert board["suites"] == [{"name": "toy", "mode": "strict", "seed": 0, "fingerprint": suite.fingerprint}]
    assert {t["name"]: (t["type"], t["fingerprint"], t["n"]) for t in board["tasks"]} == {
        t.name: (t.type, t.fingerprint, 4 if t.type == "Clustering" else t.n) for t in suite.tasks
    }
    assert (board["map"], board["warnings"]) == (None, [])


def test_every_model_has_a_row_for_every_task(folder: Path) -> None:
    board = board_of(folder)
    ids = [model["id"] for model in board["models"]]
    assert len(ids) == 3
    assert {(row["model"], row["task"]) for row in board["scores"]} == {
        (model, task["name"]) for model in ids for task in board["tasks"]
    }
    (bm25,) = rows(board, "models", kind="lexical")
    (unfit,) = rows(board, "scores", model=bm25["id"], task="sort")
    assert (unfit["score"], unfit["ci_low"], unfit["rank"], unfit["error"]) == (None, None, None, None)
    for row in board["scores"]:
        if row["score"] is not None:
            assert row["ci_low"] <= row["score"] <= row["ci_high"] or row["task"] == "sort"
            assert row["rank"] in (1, 2, 3)
    assert {(m["name"], m["dimensions"], m["kind"]) for m in board["models"]} == {
        ("one", 8, "dense"),
        ("two", 8, "dense"),
        ("bm25", None, "lexical"),
    }
    (dense,) = rows(board, "models", name="one")
    assert dense["latency_ms"] > 0
    assert dense["seconds"].keys() == {"load", "encode", "score"}


def test_only_who_did_every_task_has_a_mean_over_types(folder: Path) -> None:
    board = board_of(folder)
    for model in board["models"]:
        (macro,) = rows(board, "macro", model=model["id"])
        assert macro["complete"] is (model["kind"] == "dense")
        assert (macro["score"] is None) is (macro["rank"] is None) is (macro["ci_low"] is None) is not macro["complete"]
        assert set(macro["types"]) == {t["type"] for t in board["tasks"]} - (
            set() if macro["complete"] else {"Clustering", "Classification"}
        )
    assert len(board["pairs"]) == 3
    for pair in board["pairs"]:
        assert pair["better"] + pair["worse"] + pair["same"] == len(pair["tasks"])
        both_dense = not {pair["a"], pair["b"]} & {m["id"] for m in rows(board, "models", kind="lexical")}
        assert len(pair["tasks"]) == (7 if both_dense else 5)
        assert (pair["macro_delta"] is not None) is both_dense


def test_models_and_suites_are_chosen_and_ordered(folder: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    run(folder, make_suite(make_suite().tasks[:1], name="more"), make_system(1, "one"))
    by_name = {model["name"]: model["id"] for model in board_of(folder)["models"]}
    board = board_of(folder, suites=["toy"], models=["two", by_name["one"]])
    assert [model["name"] for model in board["models"]] == ["two", "one"]
    assert [(pair["a"], pair["b"]) for pair in board["pairs"]] == [(by_name["two"], by_name["one"])]
    assert [suite["name"] for suite in board["suites"]] == ["toy"]
    assert [model["name"] for model in board_of(folder, suites=["more"])["models"]] == ["one"]
    with pytest.raises(MedloomError, match="no results of tree: there are results of more, more-strict, toy, toy-strict"):
        board_of(folder, suites=["tree"])
    with pytest.raises(MedloomError, match="no results of three: there are results of "):
        board_of(folder, models=["three"])


def test_two_modes_in_one_folder_are_chosen_between(folder: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    run(folder, make_suite(mode="compat"), make_system(1, "one"))
    with pytest.raises(StageError, match="the mode differs: compat, strict"):
        board_of(folder)
    board = board_of(folder, suites=["toy-strict"])
    assert [(suite["name"], suite["mode"]) for suite in board["suites"]] == [("toy", "strict")]
    assert len(board["models"]) == 3
    assert [m["name"] for m in board_of(folder, suites=["toy-compat"])["models"]] == ["one"]


@pytest.mark.parametrize(
    ("task", "of", "said"),
    [
        ("ask", lambda block: block.update(fingerprint="0" * 64), "toy/ask: the task's data differs"),
        ("ask", lambda block: block.update(mode="compat"), "toy/ask: the mode differs"),
        ("sort", lambda block: block["system"]["settings"].update(precision="bf16"), "precision differs"),
        ("sort", lambda block: block["versions"].update(mteb="99.1.0"), "toy/sort: mteb differs"),
    ],
)
def test_unlike_results_are_refused_or_warned_of(
    folder: Path, task: str, of: Callable[[dict[str, Any]], None], said: str
) -> None:
    change(folder, "one", "sort", lambda block: block["system"]["settings"].update(precision="fp32"))
    change(folder, "two", task, of)
    with pytest.raises(StageError, match=f"not alike.*{said}.*Run them again in the same way, or give --allow-unlike"):
        board_of(folder)
    board = board_of(folder, allow_unlike=True)
    (warning,) = board["warnings"]
    assert warning.startswith("compared although not alike: ")
    json.dumps(board, allow_nan=False)


def test_unlike_data_are_never_tested_against_each_other(
    folder: Path, make_suite: MakeSuite, make_system: MakeSystem
) -> None:
    tasks = make_suite().tasks
    changed = replace(tasks[0], data=tasks[0].data | {"queries": dict(list(tasks[0].data["queries"].items())[:9])})
    changed = replace(changed, data={k: v[:9] if k == "groups" else v for k, v in changed.data.items()})
    run(folder, make_suite((changed, *tasks[1:])), make_system(2, "two"))
    board = board_of(folder, allow_unlike=True)
    assert all("ask" not in [row["task"] for row in pair["tasks"]] for pair in board["pairs"])
    for row in rows(board, "scores", task="ask"):
        assert row["score"] is not None
        assert row["rank"] is row["ci_low"] is None


def test_failures_are_shown_with_their_reason(
    folder: Path, make_suite: MakeSuite, make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(system: System, task: Task) -> Any:
        if task.name in failing:
            raise StageError("its vectors hold NaN")
        return score_one(system, task)

    monkeypatch.setattr(runner, "score", score)
    failing = {"ask"}
    run(folder, make_suite(), make_system(3, "three"))
    board = board_of(folder)
    (three,) = rows(board, "models", name="three")
    (row,) = rows(board, "scores", model=three["id"], task="ask")
    assert (row["score"], row["error"], row["rank"]) == (None, "its vectors hold NaN", None)
    assert rows(board, "macro", model=three["id"])[0]["complete"] is False
    assert board["warnings"] == []
    failing = {"new"}
    tasks = make_suite().tasks
    run(folder, make_suite([*tasks, replace(tasks[2], name="new")]), make_system(3, "three"), make_system(1, "one"))
    assert board_of(folder)["warnings"] == ["new is not shown: it failed for every model that tried it"]


def test_known_training_sets_and_measured_overlap(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    tasks = [replace(task, source="pubmed") if task.name == "pairs" else task for task in make_suite().tasks[:3]]
    folder = run(
        tmp_path / "results",
        make_suite(tasks),
        make_system(1, "neuml/PubMedBERT-base-embeddings"),
        make_system(2, "two"),
    )
    trained = Overlap(tasks[2].data["sentence1"][:5])
    board = board_of(folder, overlaps={"two": trained}, tasks={task.fingerprint: task for task in tasks})
    names = {model["id"]: model["name"] for model in board["models"]}
    for row in board["scores"]:
        known = names[row["model"]].startswith("neuml") and row["task"] == "pairs"
        assert bool(row["declared"]) is known
        assert (row["overlap"] is not None) is (names[row["model"]] == "two")
    found = {row["task"]: row["overlap"] for row in board["scores"] if row["overlap"]}
    assert found["pairs"] == trained.of(tasks[2])
    assert found["pairs"]["exact"] == 5


def medembed(make_suite: MakeSuite, tasks: list[Task]) -> BuiltSuite:
    found = [replace(tasks[0], name="TRECCOVID"), replace(tasks[0], name="ArguAna"), replace(tasks[1], name="NFCorpus")]
    found.append(replace(tasks[0], name="PublicHealthQA", metric="recall_at_5"))
    return make_suite(found, name="medembed")


def test_published_figures_stand_beside_and_are_never_ranked(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem, tasks: list[Task]
) -> None:
    folder = run(tmp_path / "results", medembed(make_suite, tasks), make_system(1, "one"), make_system(2, "two"))
    board = board_of(folder)
    published = rows(board, "models", kind="published")
    assert len(published) == 10
    assert all(m["reference"]["source"] and m["reference"]["note"] and m["hash"] == "" for m in published)
    (small,) = [m for m in published if m["name"] == "abhinand/MedEmbed-small-v0.1"]
    scores = {row["task"]: row["score"] for row in rows(board, "scores", model=small["id"])}
    assert scores == {"TRECCOVID": 0.77813, "ArguAna": 0.61570, "NFCorpus": 0.13018}, (
        "each by the metric it is scored by here"
    )
    ids = {m["id"] for m in published}
    assert all(row["rank"] is row["ci_low"] is row["error"] is None for row in board["scores"] if row["model"] in ids)
    assert not ids & {pair[side] for pair in board["pairs"] for side in ("a", "b")}
    assert not ids & {row["model"] for row in board["macro"]}
    assert {row["rank"] for row in board["macro"]} <= {1, 2}


def test_medteb_has_published_means_of_types_alone(tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem) -> None:
    folder = run(tmp_path / "results", make_suite(name="medteb"), make_system(1, "one"))
    board = board_of(folder)
    published = {m["id"]: m["name"] for m in rows(board, "models", kind="published")}
    assert len(published) == 17
    macro = {published[row["model"]]: row for row in board["macro"] if row["model"] in published}
    medte = macro["MohammadKhodadad/MedTE-cl15-step-8000"]
    assert medte["types"] == {"Classification": 0.72, "Clustering": 0.38, "PairClassification": 0.74, "Retrieval": 0.45}
    assert medte["score"] == pytest.approx(0.5725)
    assert {row["rank"] for row in macro.values()} == {None}
    assert not [row for row in board["scores"] if row["model"] in published]


def test_published_means_of_types_do_not_stand_beside_means_over_other_tasks(
    tmp_path: Path, make_suite: MakeSuite, make_system: MakeSystem
) -> None:
    folder = tmp_path / "results"
    others = [replace(task, name=f"other-{task.name}") for task in make_suite().tasks]
    for suite in (make_suite(name="medteb"), make_suite(others, name="toy")):
        run(folder, suite, make_system(1, "one"))
    assert not rows(board_of(folder), "models", kind="published")
    assert len(rows(board_of(folder, suites=["medteb"]), "models", kind="published")) == 17


def test_other_suites_have_no_published_rows(folder: Path) -> None:
    assert not rows(board_of(folder), "models", kind="published")


def test_a_model_is_called_by_its_key(folder: Path, make_system: MakeSystem) -> None:
    assert {m["id"] for m in board_of(folder)["models"]} >= {model_key(make_system(i, n).info) for i, n in ((1, "one"),)}


def test_no_results_at_all(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no results below"):
        board_of(tmp_path)
