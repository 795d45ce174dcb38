"""A whole run: what it leaves, what a second run does, what each switch does."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medloom import Recipe, load_encoder, run
from medloom.pipeline import RunResult

pytestmark = pytest.mark.e2e
Command = Callable[..., subprocess.CompletedProcess[str]]
STAGES = ["collect", "pairs", "guard", "mine", "train", "evaluate", "publish"]


@pytest.fixture(scope="module")
def finished(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(Recipe.load(workplace / "small.yaml"), tmp_path_factory.mktemp("run"))


def test_the_report_has_the_promised_keys(finished: RunResult) -> None:
    report = json.loads((finished.folder / "report.json").read_text("utf-8"))
    assert report == finished.report
    assert report["tasks"]
    for task in report["tasks"]:
        assert {"name", "type", "metric", "base", "tuned", "delta", "ci_low", "ci_high", "n"} <= task.keys()
        assert task["ci_low"] <= task["delta"] <= task["ci_high"]
        assert task["delta"] == pytest.approx(task["tuned"] - task["base"])
    assert [stage["name"] for stage in report["stages"]] == STAGES
    for stage in report["stages"]:
        assert {"name", "seconds", "peak_rss_mb", "rows_in", "rows_out"} <= stage.keys()
        assert stage["peak_rss_mb"] > 0
    assert Path(report["model"]["path"]).is_dir()
    assert len(report["examples"]) == 5


def test_the_model_is_a_plain_sentence_transformer(finished: RunResult) -> None:
    from sentence_transformers import SentenceTransformer

    folder = finished.folder / "model"
    plain = SentenceTransformer(str(folder), device="cpu").encode(["pain of the heart"])
    ours = load_encoder(folder).encode(["pain of the heart"])
    assert ours.dtype == np.float32
    np.testing.assert_allclose(plain, ours, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_training_learnt_something(finished: RunResult) -> None:
    assert finished.report
    retrieval = next(task for task in finished.report["tasks"] if task["type"] == "Retrieval")
    assert retrieval["tuned"] > retrieval["base"]


def test_the_card_is_read_by_the_hub_library_and_by_mteb(finished: RunResult) -> None:
    from huggingface_hub import ModelCard
    from mteb.models.model_meta import ModelMeta
    from sentence_transformers import SentenceTransformer

    card = ModelCard.load(finished.folder / "model" / "README.md")
    assert card.data.library_name == "sentence-transformers"
    assert card.data.eval_results and finished.report
    assert {r.metric_value for r in card.data.eval_results} == {round(t["tuned"], 5) for t in finished.report["tasks"]}
    meta = ModelMeta.from_sentence_transformer_model(SentenceTransformer(str(finished.folder / "model"), device="cpu"))
    assert meta.embed_dim == 32


def test_no_held_out_text_was_trained_on(finished: RunResult) -> None:
    from medloom.artifacts import read_table
    from medloom.records import Document, TrainingRecord

    guarded = next((finished.folder / "stages").glob("3-guard-*"))
    mined = next((finished.folder / "stages").glob("4-mine-*"))
    held = {text for d in read_table(guarded / "held_out.parquet", Document) for text in (d.title, d.text)}
    groups = {d.group for d in read_table(guarded / "held_out.parquet", Document)}
    trained = list(read_table(mined / "mined.parquet", TrainingRecord))
    assert held and trained and any(r.negatives for r in trained)
    assert held.isdisjoint(text for r in trained for text in (r.query, *r.positives, *r.negatives))
    collected = read_table(next((finished.folder / "stages").glob("1-collect-*")) / "documents.parquet", Document)
    group_of = {d.id: d.group for d in collected}
    assert groups.isdisjoint(group_of[r.doc_id] for r in trained)


def test_manifests_say_what_was_done(finished: RunResult) -> None:
    for step in finished.steps:
        assert step.manifest
        assert step.manifest.seed == 7
        assert step.manifest.versions["torch"]
        assert step.manifest.tries == 1
        assert step.manifest.finished
    guard = finished.steps[2].manifest
    assert guard and guard.rows_in == guard.rows_out + sum(guard.counts.values())


def test_a_second_run_does_nothing_and_is_quick(finished: RunResult, workplace: Path) -> None:
    started = time.monotonic()
    again = run(Recipe.load(workplace / "small.yaml"), finished.folder)
    assert time.monotonic() - started < 10
    assert [step.status for step in again.steps] == ["done"] * len(STAGES)
    assert again.report == finished.report


def test_a_lost_model_folder_is_put_back(finished: RunResult, workplace: Path) -> None:
    (finished.folder / "model" / "model.safetensors").unlink()
    again = run(Recipe.load(workplace / "small.yaml"), finished.folder)
    assert [step.status for step in again.steps] == ["done"] * len(STAGES)
    assert (finished.folder / "model" / "model.safetensors").is_file()


def test_a_lost_artifact_is_made_again_and_the_rest_kept(finished: RunResult, workplace: Path) -> None:
    next((finished.folder / "stages").glob("2-pairs-*/pairs.parquet")).unlink()
    again = run(Recipe.load(workplace / "small.yaml"), finished.folder)
    assert [step.status for step in again.steps] == ["done", "run", *["done"] * 5]


def test_a_changed_setting_redoes_only_what_depends_on_it(finished: RunResult, workplace: Path) -> None:
    recipe = Recipe.load(workplace / "small.yaml", ["evaluate.examples=2"])
    again = run(recipe, finished.folder)
    assert [step.status for step in again.steps] == [*["done"] * 5, "run", "run"]
    assert again.report and len(again.report["examples"]) == 2


def test_until_and_force_and_json(workplace: Path, tmp_path: Path, medloom: Command) -> None:
    done = medloom("run", workplace / "small.yaml", "--out", tmp_path, "--until", "guard", "--json")
    assert done.returncode == 0, done.stderr
    assert [(s["name"], s["status"]) for s in json.loads(done.stdout)["stages"]] == [
        (name, "run") for name in ("collect", "pairs", "guard")
    ]
    again = medloom("run", workplace / "small.yaml", "--out", tmp_path, "--until", "guard", "--json", "--force", "pairs")
    assert [s["status"] for s in json.loads(again.stdout)["stages"]] == ["done", "run", "done"]


def test_dry_run_changes_nothing(workplace: Path, tmp_path: Path, medloom: Command) -> None:
    planned = medloom("run", workplace / "small.yaml", "--out", tmp_path / "new", "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    plan = json.loads(planned.stdout)
    assert plan["documents"] == {"data": 120}
    assert plan["seconds"] > 0
    assert [s["status"] for s in plan["stages"]] == ["run", *["waits"] * 6]
    assert not (tmp_path / "new").exists()


def test_help_is_quick(environment: dict[str, str]) -> None:
    def python(*args: str) -> str:
        return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=True, env=environment).stdout

    python("-m", "medloom", "--help")
    started = time.monotonic()
    assert "run" in python("-m", "medloom", "--help")
    assert time.monotonic() - started < 1.5
    heavy = "import sys, medloom.cli; print([m for m in ('torch', 'pyarrow', 'mteb') if m in sys.modules])"
    assert python("-c", heavy).strip() == "[]"


def test_doctor_reports_as_json(medloom: Command) -> None:
    shown = medloom("doctor", "--json")
    checks = {check["what"]: check for check in json.loads(shown.stdout)}
    assert checks["builtin:all-MiniLM-L6-v2"]["state"] == "ok"
    assert checks["torch"]["state"] == "ok"
    assert int(checks["cores"]["found"]) >= 1
