"""Merging from the command line, and as a stage of a run."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.merge.toys import toy_task, write_beir

from medloom.artifacts import read_table
from medloom.cli import main
from medloom.errors import RecipeError, StageError
from medloom.identity import model_digest
from medloom.pipeline import RunResult, plan, run
from medloom.recipe import Recipe
from medloom.records import Document, TrainingRecord
from medloom.stages import STAGES, model_stage

pytestmark = pytest.mark.e2e
Command = Callable[..., tuple[int, str, str]]
MakeModel = Callable[..., Path]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``medloom merge``."""

    def merge(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["medloom", "merge", *map(str, args)])
        monkeypatch.setenv("COLUMNS", "200")
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(code or 0), said.out, said.err

    return merge


@pytest.fixture(scope="module")
def place(make_model: MakeModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merging")
    for seed, name in enumerate(("tuned", "base")):
        shutil.copytree(make_model(seed=seed), folder / name)
    write_beir(folder / "dev", toy_task("dev"))
    write_beir(folder / "general", toy_task("general", shift=8))
    return folder


def test_a_sweep_from_the_command_line(place: Path, tmp_path: Path, command: Command) -> None:
    sets = ("--dev", place / "dev", "--general", place / "general", "--tolerance", 0.05)
    args = (place / "tuned", place / "base", "--out", tmp_path / "m", "--weights", "sweep", "--step", 0.25, *sets)
    code, out, err = command(*args, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert len(facts["sweep"]["candidates"]) == 5 and facts["hash"] == model_digest(tmp_path / "m")
    assert [one["side"] for one in facts["sets"]] == ["dev", "general"]
    picked = facts["sweep"]["candidates"][facts["sweep"]["picked"]]
    assert picked["weights"] == facts["weights"] and picked["allowed"]
    assert "<svg" in (tmp_path / "m" / "front.html").read_text("utf-8")
    code, out, err = command(*args)
    assert code == 0, err
    assert "picked" in out and "rule: best mean over the dev sets among those" in out and "front.html" in out


def test_given_found_greedy_and_slerp(place: Path, tmp_path: Path, command: Command) -> None:
    models = (place / "tuned", place / "base")
    for number, (options, said) in enumerate(
        [
            (("--weights", "0.7,0.3"), "linear, weights 0.7, 0.3"),
            (("--weights", "0.2,0.8", "--top-weights", "0.6,0.4"), "layered, weights 0.2, 0.8 to 0.6, 0.4"),
            ((), "linear, weights 0.5, 0.5"),
            (("--method", "slerp", "--weights", "0.4,0.6"), "slerp, weights 0.4, 0.6"),
            (("--weights", "found", "--dev", place / "dev"), "losses on 12 examples"),
            (("--method", "greedy", "--dev", place / "dev"), "kept"),
        ]
    ):
        code, out, err = command(*models, "--out", tmp_path / str(number), *options)
        assert code == 0, err
        assert said in out
        assert (tmp_path / str(number) / "merge.json").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--weights", "a,b"], "write them as 0.6,0.4"),
        (["--weights", "0.5,0.6"], "must sum to 1"),
        (["--weights", "0.2,0.3,0.5"], "for 2 models"),
        (["--method", "slurp"], "method"),
        (["--weights", "sweep"], "needs a dev set"),
        (["--dev", "dev"], "choose weights"),
        (["--precision", "fp8"], "no precision"),
        (["--method", "greedy", "--weights", "0.5,0.5", "--dev", "dev"], "leave them out"),
        (["--weights", "sweep", "--dev", "nowhere"], "no task at"),
    ],
)
def test_what_the_command_refuses(
    place: Path, tmp_path: Path, command: Command, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    code, _, err = command("tuned", "base", "--out", tmp_path / "m", *options)
    assert code == 2 and said in err
    assert not (tmp_path / "m").exists()


SWEEP = ("merge.step=0.25", "merge.dev=0.3", "train.epochs=6")


@pytest.fixture(scope="module")
def finished(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A run whose model is picked by a sweep."""
    write_beir(workplace / "everyday", toy_task("everyday"))
    recipe = Recipe.load(workplace / "small.yaml", [*SWEEP, "merge.general=[everyday]"])
    return run(recipe, tmp_path_factory.mktemp("merged"))


def stage_folder(result: RunResult, name: str) -> Path:
    return next(path for path in result.folder.glob(f"stages/*-{name}-*") if not path.name.endswith(".partial"))


def test_the_merged_model_is_the_one_that_is_judged_and_published(finished: RunResult) -> None:
    assert [step.name for step in finished.steps] == [
        *("collect", "pairs", "guard", "mine", "dev", "train", "merge", "evaluate", "publish")
    ]
    report = json.loads((finished.folder / "report.json").read_text("utf-8"))
    merged = report["merge"]
    published = finished.folder / "model"
    assert model_digest(published) == report["model"]["hash"] == merged["hash"]
    facts = json.loads((published / "merge.json").read_text("utf-8"))
    assert merged["weights"] == facts["weights"] and merged["sweep"]["rule"] == facts["sweep"]["rule"]
    assert merged["parents"][0]["name"] == "small (tuned)"
    tuned = model_digest(stage_folder(finished, "train") / "model")
    assert [parent["hash"] for parent in merged["parents"]] == [tuned, report["base"]["hash"]]
    assert {one["name"]: one["side"] for one in merged["sets"]} == {"data-title-text": "dev", "everyday": "general"}
    card = (published / "README.md").read_text("utf-8")
    page = (finished.folder / "report.html").read_text("utf-8")
    for parent in merged["parents"]:
        assert parent["hash"] in card and parent["hash"][:12] in page
    assert "## Merged" in card and "Merged models" in page and facts["sweep"]["rule"] in card
    assert str(finished.folder) not in card


def test_what_chose_the_weights_was_not_trained_on(finished: RunResult) -> None:
    place = stage_folder(finished, "dev")
    held = list(read_table(place / "dev_documents.parquet", Document))
    dev = list(read_table(place / "dev.parquet", TrainingRecord))
    trained = list(read_table(place / "mined.parquet", TrainingRecord))
    test = list(read_table(stage_folder(finished, "guard") / "held_out.parquet", Document))
    assert held and dev and trained and any(record.negatives for record in trained)
    texts = {text for document in held for text in (document.title, document.text)}
    assert texts.isdisjoint(text for r in trained for text in (r.query, *r.positives, *r.negatives))
    assert {r.doc_id for r in dev} <= {d.id for d in held}
    assert {d.group for d in held}.isdisjoint(d.group for d in test)
    manifest = next(step.manifest for step in finished.steps if step.name == "train")
    assert manifest and manifest.rows_in == len(trained)


def test_another_rule_merges_again_and_trains_no_more(finished: RunResult, workplace: Path) -> None:
    overrides = [*SWEEP, "merge.general=[everyday]", "merge.tolerance=0.5"]
    planned = plan(Recipe.load(workplace / "small.yaml", overrides), finished.folder)
    states = {step.name: step.status for step in planned.steps}
    assert states["train"] == "done" and states["merge"] == "run" and states["evaluate"] == "waits"


def test_weights_that_are_given_hold_nothing_back(workplace: Path, tmp_path: Path) -> None:
    recipe = Recipe.load(workplace / "small.yaml", ["merge.weights=[0.5, 0.5]", "train.epochs=1"])
    result = run(recipe, tmp_path, until="merge")
    assert [step.name for step in result.steps] == ["collect", "pairs", "guard", "mine", "train", "merge"]
    merge = result.steps[-1].manifest
    assert merge and merge.notes["weights"] == [0.5, 0.5] and merge.notes["chosen"] == "given"


def test_needs_of_stages_with_and_without_a_merge(workplace: Path) -> None:
    by_name = {stage.name: stage for stage in STAGES}
    for overrides, model, training in (
        ((), "train", "mine"),
        (("merge={}",), "merge", "dev"),
        (("merge.weights=equal",), "merge", "mine"),
    ):
        recipe = Recipe.load(workplace / "small.yaml", overrides)
        assert model_stage(recipe) == model
        assert by_name["evaluate"].needs_of(recipe) == ("guard", model)
        assert by_name["train"].needs_of(recipe) == (training,)
    assert "merge" not in Recipe.load(workplace / "small.yaml").settings()


def test_too_little_to_choose_by_is_a_clear_error(workplace: Path, tmp_path: Path) -> None:
    recipe = Recipe.load(workplace / "small.yaml", ["merge.dev=0.05", "evaluate.min_items=20", "train.epochs=1"])
    with pytest.raises(StageError, match=r"makes no dev set .*merge\.dev"):
        run(recipe, tmp_path, until="merge")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("merge={method: slerp, models: [a/b]}", "name no further ones"),
        ("merge={weights: [0.5, 0.5], method: greedy}", "leave them out"),
        ("merge={weights: sweep, top_weights: [0.5, 0.5]}", "top_weights go with"),
        ("merge={depth: true, weights: equal}", "depth goes with"),
        ("merge={wieghts: sweep}", "did you mean 'weights'"),
    ],
)
def test_settings_that_do_not_fit(workplace: Path, override: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe.load(workplace / "small.yaml", [override])
