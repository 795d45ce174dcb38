"""What a model will be judged on elsewhere is not trained on either."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medloom import pipeline
from medloom.artifacts import read_table
from medloom.errors import SourceError
from medloom.recipe import Recipe
from medloom.records import TrainingRecord

_NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen"
LONG = " ".join(f"{word} mg" for word in _NUMBERS.split())
Run = Callable[..., pipeline.RunResult]


def row(n: int, text: str = "") -> dict[str, str]:
    return {"question": f"what of {chr(97 + n) * 3} {n}", "answer": text or f"the answer {chr(97 + n) * 5} {n * 7} it is"}


def write_task(folder: Path, corpus: list[str], query: str = "who asks") -> Path:
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": str(i), "text": t}) + "\n" for i, t in enumerate(corpus))
    )
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": query}) + "\n")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\t0\t1\n")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    rows = [row(n) for n in range(20)] + [row(21, f"before it {LONG} and after")]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    def run(*against: str) -> pipeline.RunResult:
        text = (
            "name: a\nsources: [{type: files, path: qa.jsonl}]\n"
            f"guard: {{holdout: 0.1, near_duplicate: 1.0, against: {json.dumps(against)}}}\n"
        )
        return pipeline.run(Recipe.parse(text, folder=tmp_path), tmp_path / "run", until="guard")

    return run


def trained(result: pipeline.RunResult) -> set[str]:
    manifest = result.steps[-1].manifest
    assert manifest is not None
    table = next(result.folder.glob(f"stages/*-guard-{manifest.fingerprint[:12]}")) / "train.parquet"
    return {text for record in read_table(table, TrainingRecord) for text in (record.query, *record.positives)}


def test_texts_of_tasks_leave_training_and_no_others(tmp_path: Path, run: Run) -> None:
    before = trained(run())
    answers = sorted(text for text in before if text.startswith("the answer"))[:2]
    question = next(
        row(n)["question"] for n in range(20) if row(n)["question"] in before and row(n)["answer"] not in answers
    )
    write_task(tmp_path / "t1", [answers[0].upper(), "something else"], question)
    write_task(tmp_path / "t2", [f"quite another text {LONG}"])
    result = run("t1", "t2")
    after = trained(result)
    gone = {text for text in before - after if text.startswith("the answer") or LONG in text}
    assert answers[0] in gone and question not in after and answers[1] in after
    assert f"before it {LONG} and after" not in after
    assert len(gone) == 2 + (f"before it {LONG} and after" in before)
    manifest = result.steps[-1].manifest
    assert manifest is not None and set(manifest.notes["against"]) == {"t1", "t2"}
    assert manifest.counts["exact"] == 2


def test_a_task_that_changed_is_checked_again(tmp_path: Path, run: Run) -> None:
    write_task(tmp_path / "t", ["nothing of theirs"])
    first = run("t")
    assert run("t").steps[-1].status == "done"
    answer = next(text for text in trained(first) if text.startswith("the answer"))
    (tmp_path / "t" / "corpus.jsonl").write_text(json.dumps({"_id": "0", "text": answer}) + "\n")
    again = run("t")
    assert again.steps[-1].status == "run"
    assert answer not in trained(again)


def test_without_tasks_the_artifact_is_what_it_was(run: Run) -> None:
    manifest = run().steps[-1].manifest
    assert manifest is not None
    assert "against" not in manifest.config and "against" not in manifest.notes
    assert not any("against" in name for name in manifest.inputs)


def test_a_task_that_is_not_there_stops_the_run_before_it_begins(tmp_path: Path, run: Run) -> None:
    with pytest.raises(SourceError, match=r"no task at .*nowhere"):
        run("nowhere")
    assert not list(tmp_path.glob("run/stages/*"))
