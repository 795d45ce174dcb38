"""``medloom generate`` against a server on loopback: whole jobs, two workers, a kill, a wrong model, a closed gate."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_notes import note
from tests.generate.scripted import Reply, ScriptedServer, failed, ok, reply

from medloom import Recipe, run
from medloom.artifacts import read_table
from medloom.records import TrainingRecord

pytestmark = pytest.mark.e2e
Command = Callable[..., subprocess.CompletedProcess[str]]
N = 24
SETTINGS = ["--set", "kinds={question: 1, keyword: 1}", "--set", "checks={round_trip: 'off', near_duplicate: 1.01}"]


def answer(body: dict[str, Any], call: int) -> Reply:
    """Two queries whose evidence is the note's sentence on imaging."""
    shown = str(body["messages"][-1]["content"])
    if "radiograph" not in shown:
        return ok("yes")
    sentence = "The radiograph" + shown.split("The radiograph")[1].split(".")[0] + "."
    site = sentence.split("of the ")[1].split(" shows")[0]
    number = sentence.split("number ")[1].rstrip(".")
    items = {
        "question": [
            {"passage": sentence, "query": f"What does imaging of a painful {site} reveal, case {number}?", "relevance": 0.9}
        ],
        "keyword": [{"passage": sentence, "query": f"radiograph {site} {number}", "relevance": 0.8}],
    }
    return ok(json.dumps(items), delay=0.02)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.jsonl"
    with path.open("w", encoding="utf-8") as f:
        for number in range(N):
            f.write(json.dumps({"note_id": str(number), "text": note(number)[0]}) + "\n")
    return path


def arguments(notes: Path, out: Path, server: ScriptedServer, *more: str) -> list[str]:
    fields = ["--text", "text", "--id", "note_id", "--json", "--contains-phi", *SETTINGS]
    return ["generate", str(notes), "--out", str(out), "--model", server.where(), *fields, *more]


def asked_about(server: ScriptedServer) -> Counter[str]:
    return Counter(r.text.split("case number ")[1].split(".")[0] for r in server.requests if "case number" in r.text)


def start(environment: dict[str, str], *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "medloom", *args]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_whole_job_on_this_machine_and_a_second_run_that_asks_nothing(
    notes: Path, tmp_path: Path, medloom: Command
) -> None:
    with ScriptedServer(answer) as server:
        done = medloom(*arguments(notes, tmp_path / "out", server))
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert (summary["documents"], summary["done"], summary["records"]) == (N, N, 2 * N)
        assert set(asked_about(server).values()) == {1}
        before = len(server.requests)
        again = medloom(*arguments(notes, tmp_path / "out", server))
        assert json.loads(again.stdout)["records"] == 2 * N and len(server.requests) == before
    records = list(read_table(tmp_path / "out" / "generated.parquet", TrainingRecord))
    assert all(r.positives[0] in note(int(r.doc_id))[0] and r.model == "org/model" for r in records)
    kept = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert kept["host"] == "127.0.0.1" and kept["seed"] == 7 and kept["settings"]["mode"] == "one-shot"


def test_two_workers_share_a_job(notes: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    with ScriptedServer(answer) as server:
        out = tmp_path / "out"
        workers = [start(environment, *arguments(notes, out, server, "--set", "concurrency=2")) for _ in range(2)]
        results = [(worker.communicate(timeout=240), worker.returncode) for worker in workers]
        assert [code for _, code in results] == [0, 0], results
        assert asked_about(server) == Counter({str(n * 7): 1 for n in range(N)})
    summaries = [json.loads(streams[0]) for streams, _ in results]
    assert [s["records"] for s in summaries] == [2 * N, 2 * N]
    assert sum(s["calls"]["asked"] for s in summaries) == N
    assert len(list(read_table(out / "generated.parquet", TrainingRecord))) == 2 * N


def test_killed_it_goes_on_without_repeating_an_answer(notes: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    with ScriptedServer(answer) as server:
        worker = start(environment, *arguments(notes, tmp_path / "out", server, "--set", "concurrency=1"))
        deadline = time.monotonic() + 120
        while len(asked_about(server)) < 8:
            assert worker.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
        worker = start(environment, *arguments(notes, tmp_path / "out", server))
        out, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
        times = asked_about(server)
    assert json.loads(out)["records"] == 2 * N and len(times) == N
    assert sum(n - 1 for n in times.values()) <= 1


def test_a_wrong_model_name_costs_one_request(notes: Path, tmp_path: Path, medloom: Command) -> None:
    with ScriptedServer(lambda body, call: failed(404, "The model does not exist", code="model_not_found")) as server:
        done = medloom(*arguments(notes, tmp_path / "out", server))
        assert done.returncode == 2 and "org/model" in done.stderr and len(server.requests) == 1
    assert "Gilbertson" not in done.stderr and "radiograph" not in done.stderr


def test_every_kind_of_bad_answer_is_one_reject_and_the_rest_goes_on(notes: Path, tmp_path: Path, medloom: Command) -> None:
    bad = {
        "0": ok('{"question": [{"passage": "The radio', finish="length"),
        "14": ok('{"queries": 3}'),
        "21": ok("I'm sorry, but I cannot help with patient notes."),
        "28": reply({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}),
        "35": failed(400, "maximum context length exceeded", code="context_length_exceeded"),
    }

    def script(body: dict[str, Any], call: int) -> Reply:
        good = answer(body, call)
        shown = str(body["messages"][-1]["content"])
        number = shown.split("case number ")[1].split(".")[0] if "case number" in shown else ""
        if number == "7":
            return ok("```json\n" + json.loads(good.body)["choices"][0]["message"]["content"] + "\n```")
        return bad.get(number, good)

    with ScriptedServer(script) as server:
        done = medloom(*arguments(notes, tmp_path / "out", server))
        assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["documents"], summary["done"], summary["rejected"], summary["failed"]) == (N, N - 5, 3, 2)
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").open(encoding="utf-8")]
    reasons = {reject["doc_id"]: reject["reason"] for reject in rejects}
    assert reasons == {"0": "truncated", "2": "wrong_schema", "3": "refusal", "4": "call_failed", "5": "call_failed"}


def test_a_job_that_is_only_counted(notes: Path, tmp_path: Path, medloom: Command) -> None:
    with ScriptedServer(answer) as server:
        done = medloom(*arguments(notes, tmp_path / "out", server, "--dry-run", "--set", "price=[1.0, 2.0]"))
        assert done.returncode == 0, done.stderr
        forecast = json.loads(done.stdout)
        assert (forecast["documents"], forecast["calls"], server.requests) == (N, N, [])
        assert forecast["cost"] > 0
    assert not (tmp_path / "out" / "calls.sqlite").exists()


@pytest.mark.parametrize("mark", ["--contains-phi", None])
def test_text_for_another_host_is_stopped_before_it_leaves(
    notes: Path, tmp_path: Path, medloom: Command, mark: str | None
) -> None:
    given = [str(notes), "--out", str(tmp_path / "out"), "--model", "openai:http://llm.example.org/v1#m", "--text", "text"]
    done = medloom("generate", *given, *([mark] if mark else []))
    assert done.returncode == 2 and "llm.example.org" in done.stderr and "contains_phi" in done.stderr
    assert "Patient:" not in done.stderr


def test_a_recipe_with_a_model_behind_a_server(notes: Path, tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "deid.key").write_bytes(bytes(range(32)))
    (tmp_path / "deid.key").chmod(0o600)
    with ScriptedServer(answer) as server:
        recipe = Recipe.parse(
            f"""\
name: llm
base: {tiny_model}
sources:
  - {{type: files, path: {notes}, fields: {{id: note_id, text: text}}, contains_phi: true}}
deid: {{detector: rules, key_file: deid.key}}
generate:
  model: {server.where()}
  kinds: {{question: 1, keyword: 1}}
  checks: {{round_trip: "off", near_duplicate: 1.01}}
pairs: {{kinds: []}}
guard: {{holdout: 0.5, near_duplicate: 1.0, ngram: 40}}
negatives: {{per_query: 1, margin: 0.0, like_positive: 1.0}}
train: {{epochs: 1, batch_size: 8, precision: fp32}}
evaluate: {{min_items: 2, resamples: 100, clusterings: 5, precision: fp32}}
""",
            folder=tmp_path,
        )
        result = run(recipe, tmp_path / "run")
        sent = " ".join(request.text for request in server.requests)
    assert result.report and result.report["generated"]["records"] == 2 * N
    assert not any(name in sent for number in range(N) for name in note(number)[1].split())
    assert "org/model" in (result.folder / "model" / "README.md").read_text("utf-8")
