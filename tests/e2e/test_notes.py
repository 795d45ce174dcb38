"""Patient notes through a whole run: identifiers go, queries come, and the gate holds."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom import Recipe, run
from medloom.artifacts import read_table, write_table
from medloom.deid.gate import GateError
from medloom.errors import MedloomError
from medloom.pipeline import RunResult, plan
from medloom.records import Document, TrainingRecord

pytestmark = pytest.mark.e2e
Command = Callable[..., subprocess.CompletedProcess[str]]
_FIRST = ["Janice", "Robert", "Maria", "Thomas", "Linda", "Kevin"]
_LAST = ["Gilbertson", "Harrington", "Castellano", "Fitzgerald", "Whitcombe", "Lindqvist"]
_DRUGS = ["metformin", "lisinopril", "warfarin", "prednisone", "furosemide", "omeprazole"]
_FINDINGS = ["crackles", "edema", "murmur", "tenderness", "wheezing", "erythema", "effusion", "rash"]
_SITES = ["left knee", "right hip", "lower back", "chest wall", "upper abdomen", "left ankle", "neck", "right shoulder"]


def note(number: int) -> tuple[str, str]:
    """An invented discharge note, and the name in it."""
    draw = random.Random(number)
    name = f"{draw.choice(_FIRST)} {draw.choice(_LAST)}"
    site, finding, drug = draw.choice(_SITES), draw.choice(_FINDINGS), draw.choice(_DRUGS)
    text = (
        f"Patient: {name}  MRN: {4000000 + number}\nDate of service: 03/{number % 28 + 1:02d}/2021\n\n"
        f"HISTORY OF PRESENT ILLNESS:\nThe patient has had worsening pain of the {site} for {draw.randint(2, 9)} weeks. "
        f"Examination of the {site} shows {finding} on palpation, and walking makes the pain worse.\n\n"
        f"IMAGING:\nThe radiograph of the {site} shows moderate {finding} without fracture in case number {number * 7}.\n\n"
        f"PLAN:\nThe patient was started on {drug} {draw.randint(1, 9) * 5} mg daily and will follow up in "
        f"{draw.randint(2, 8)} weeks for the pain of the {site}. Mr. {name.split()[1]} was told to rest."
    )
    return text, name


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with 60 notes and a recipe that de-identifies and generates."""
    folder = tmp_path_factory.mktemp("notes")
    with (folder / "notes.jsonl").open("w", encoding="utf-8") as f:
        for number in range(60):
            f.write(json.dumps({"mrn": str(4000000 + number), "patient": f"p{number}", "text": note(number)[0]}) + "\n")
    (folder / "notes.yaml").write_text(
        f"""\
name: notes
seed: 7
base: {tiny_model}
sources:
  - type: files
    path: notes.jsonl
    fields: {{id: mrn, group: patient, text: text}}
    contains_phi: true
deid: {{detector: rules}}
generate:
  mode: extractive
  checks: {{round_trip_k: 30, near_duplicate: 1.01}}
pairs: {{kinds: []}}
guard: {{holdout: 0.3, near_duplicate: 1.0, ngram: 40}}
negatives: {{per_query: 1, depth: 40, margin: 0.0, like_positive: 1.0}}
train: {{epochs: 1, batch_size: 8, learning_rate: 0.001, precision: fp32}}
evaluate: {{min_items: 5, resamples: 100, clusterings: 5, precision: fp32}}
""",
        "utf-8",
    )
    return folder


@pytest.fixture(scope="module")
def finished(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(Recipe.load(notes / "notes.yaml"), tmp_path_factory.mktemp("run"))


def _stage(result: RunResult, name: str) -> Path:
    return next((result.folder / "stages").glob(f"*-{name}-*"))


def test_no_name_and_no_record_number_is_left_after_deid(finished: RunResult) -> None:
    documents = list(read_table(_stage(finished, "deid") / "documents.parquet", Document))
    assert len(documents) == 60
    for number, document in enumerate(documents):
        first, last = note(number)[1].split()
        assert document.contains_phi and document.deidentified.startswith("safe-harbor/")
        for secret in (first, last, str(4000000 + number)):
            assert secret not in document.text
        assert document.id != str(4000000 + number) and document.group != f"p{number}"
        assert "HISTORY OF PRESENT ILLNESS" in document.text and "mg daily" in document.text


def test_later_stages_see_only_the_deidentified_text(finished: RunResult) -> None:
    names = {part for number in range(60) for part in note(number)[1].split()}
    for stage in ("generate", "pairs", "guard", "mine"):
        for path in _stage(finished, stage).rglob("*"):
            if path.suffix == ".parquet" and path.name != "held_out.parquet":
                for record in read_table(path, TrainingRecord):
                    assert names.isdisjoint(" ".join((record.query, *record.positives)).replace("'s", "").split())


def test_queries_are_generated_checked_and_trained_on(finished: RunResult) -> None:
    made = finished.report and finished.report["generated"]
    assert made
    assert made["mode"] == made["model"] == "extractive"
    assert made["documents"] == 60 == made["done"] + made["rejected"] + made["failed"] + made["not_asked"]
    assert made["drafts"] >= made["records"] == sum(made["kinds"].values()) > 60
    records = list(read_table(_stage(finished, "generate") / "generated.parquet", TrainingRecord))
    texts = {d.id: d.text for d in read_table(_stage(finished, "deid") / "documents.parquet", Document)}
    assert {r.model for r in records} == {"extractive"}
    for record in records:
        passage = record.query if record.kind == "passage_question" else record.positives[0]
        assert passage in texts[record.doc_id]
    rejected = [json.loads(line) for line in (_stage(finished, "generate") / "rejects.jsonl").open(encoding="utf-8")]
    assert len(rejected) == sum(made["reasons"].values())


def test_report_and_card_say_what_was_done(finished: RunResult) -> None:
    assert finished.report
    assert finished.report["deid"]["spans"]["NAME"] >= 60
    page = (finished.folder / "report.html").read_text("utf-8")
    assert "Identifiers replaced" in page and "Generated queries" in page
    card = (finished.folder / "model" / "README.md").read_text("utf-8")
    assert "safe-harbor/" in card and "without a language model" in card and "not de-identified go to" not in card


def test_a_second_run_does_nothing(finished: RunResult, notes: Path) -> None:
    again = run(Recipe.load(notes / "notes.yaml"), finished.folder)
    assert [step.status for step in again.steps] == ["done"] * 9


def test_another_key_gives_other_surrogates(finished: RunResult, notes: Path, tmp_path: Path) -> None:
    other = run(Recipe.load(notes / "notes.yaml"), tmp_path, until="deid")
    tables = [_stage(result, "deid") / "documents.parquet" for result in (finished, other)]
    first, second = ([d.text for d in read_table(table, Document)] for table in tables)
    assert len(first) == len(second) and all(a != b for a, b in zip(first, second, strict=True))


def test_without_deid_the_run_stops_at_the_gate_before_it_costs_anything(notes: Path, tmp_path: Path) -> None:
    recipe = Recipe.load(notes / "notes.yaml", ["deid=null"])
    with pytest.raises(GateError, match=r"contains_phi: true.*allow_phi_to: \[publish") as error:
        run(recipe, tmp_path)
    assert not list((tmp_path / "stages").glob("*-generate-*"))
    assert all(part not in str(error.value) for part in note(0)[1].split())
    run(recipe, tmp_path, until="pairs")


def test_the_gate_opens_by_a_word_in_the_recipe_and_the_card_says_so(notes: Path, tmp_path: Path) -> None:
    result = run(Recipe.load(notes / "notes.yaml", ["deid=null", "allow_phi_to=[publish]"]), tmp_path)
    card = (result.folder / "model" / "README.md").read_text("utf-8")
    assert "not de-identified go to: publish" in card


@pytest.mark.parametrize(
    ("mark", "said"), [("true", "holds patient text"), ("null", "does not say whether its text is about patients")]
)
def test_a_remote_model_is_never_asked_about_such_text(
    notes: Path, tmp_path: Path, mark: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def no_network(*args: Any) -> None:
        raise AssertionError("something tried to connect")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    settings = ["deid=null", "allow_phi_to=[publish]", f"sources.0.contains_phi={mark}", "generate.mode=one-shot"]
    recipe = Recipe.load(notes / "notes.yaml", [*settings, "generate.model=openai:http://llm.example.org/v1#m"])
    with pytest.raises(GateError, match=said):
        run(recipe, tmp_path, until="generate")


def test_rows_that_say_so_themselves_pass_or_stay(notes: Path, tmp_path: Path) -> None:
    rows = [Document(str(n), "x", "", note(n)[0], contains_phi=True, deidentified="by hand") for n in range(10)]
    write_table(tmp_path / "rows.parquet", rows, Document)
    text = (notes / "notes.yaml").read_text("utf-8").replace("deid: {detector: rules}\n", "")
    text = (
        text.replace("path: notes.jsonl", f"path: {tmp_path / 'rows.parquet'}").replace("mrn", "id").replace("patient", "id")
    )
    recipe = Recipe.parse(text.replace("contains_phi: true", "contains_phi: null"))
    result = run(recipe, tmp_path / "run", until="collect")
    assert result.steps[0].manifest and result.steps[0].manifest.notes["open"] == {}
    write_table(tmp_path / "rows.parquet", [*rows[:9], Document("9", "x", "", note(9)[0], contains_phi=True)], Document)
    with pytest.raises(GateError, match="'rows' holds patient text"):
        run(recipe, tmp_path / "run")


def test_stages_that_the_recipe_lacks(workplace: Path, tmp_path: Path) -> None:
    recipe = Recipe.load(workplace / "small.yaml")
    with pytest.raises(MedloomError, match="no deid: section"):
        run(recipe, tmp_path, until="deid")


def test_the_plan_knows_the_new_stages(notes: Path, tmp_path: Path) -> None:
    planned = plan(Recipe.load(notes / "notes.yaml"), tmp_path)
    assert [step.name for step in planned.steps][:4] == ["collect", "deid", "generate", "pairs"]


def test_generate_by_command_on_a_finished_run(finished: RunResult, tmp_path: Path, medloom: Command) -> None:
    done = medloom("generate", finished.folder, "--out", tmp_path / "out", "--mode", "extractive", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["documents"] == 60 and summary["records"] > 60
    assert (tmp_path / "out" / "generated.parquet").is_file()
    refused = medloom("generate", finished.folder, "--out", tmp_path / "o", "--set", "kinds.keywords=3", "--json")
    assert refused.returncode == 2 and "kinds" in refused.stderr


def test_killed_in_deid_and_in_generate_it_ends_with_the_same_model(
    finished: RunResult, notes: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    key = f"deid.key_file={finished.folder / 'deid.key'}"
    command = [
        sys.executable,
        "-m",
        "medloom",
        "run",
        str(notes / "notes.yaml"),
        "--out",
        str(tmp_path),
        "--set",
        key,
        "--json",
    ]
    environment = {**environment, "OMP_NUM_THREADS": "1"}
    for stage in ("deid", "generate"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while not any((tmp_path / "stages").glob(f"*-{stage}-*.partial/tries.json")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        process.communicate()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert finished.report and report["model"]["hash"] == finished.report["model"]["hash"]
    assert {s["name"]: s["tries"] for s in report["stages"]}["generate"] > 1


def test_round_trips_by_the_base_model_leave_no_vectors(notes: Path, tmp_path: Path) -> None:
    recipe = Recipe.load(notes / "notes.yaml", ["generate.checks.round_trip=base", "generate.checks.round_trip_k=5"])
    result = run(recipe, tmp_path, until="generate")
    manifest = result.steps[-1].manifest
    assert manifest and manifest.notes["reasons"]["round_trip"] > 0
    assert set(manifest.outputs) == {"generated.parquet", "rejects.jsonl"}
