"""``medloom mine`` and ``medloom export-triplets`` as a user calls them."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medloom.artifacts import read_table, write_table
from medloom.records import Document, TrainingRecord

pytestmark = pytest.mark.e2e

Call = Callable[..., "Said"]
MakeModel = Callable[..., Path]
SECRET = "Ssecretson"
_PARTS = ("heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head")
_SIGNS = ("pain", "rash", "fever", "cough", "ache")


@dataclass(frozen=True)
class Said:
    """What a call of the command line gave."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def medloom(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the command line in this process, in the folder of the test."""
    from medloom.cli import main

    monkeypatch.chdir(place)

    def call(*args: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["medloom", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    return call


def records(n: int = 40) -> list[TrainingRecord]:
    """Invented queries and passages, a document each; two documents share a patient; every fourth has a written negative."""
    made = []
    for i in range(n):
        part, sign = _PARTS[i % len(_PARTS)], _SIGNS[i // len(_PARTS) % len(_SIGNS)]
        wrote = (f"tablet for the night, adult {i}",) if i % 4 == 0 else ()
        passage = f"what is {sign} of the {part}: dose {i} daily"
        made.append(
            TrainingRecord(
                f"what is {sign} of the {part}", (passage,), "question_passage", "notes", f"n{i}", wrote, (), "llm"
            )
        )
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with records and their documents."""
    write_table(tmp_path / "generated.parquet", records(), TrainingRecord)
    documents = [
        Document(f"n{i}", "notes", "", "x", group=f"p{i // 2}", contains_phi=True, deidentified="safe-harbor tag rules/1")
        for i in range(40)
    ]
    write_table(tmp_path / "documents.parquet", documents, Document)
    (tmp_path / "summary.json").write_text(json.dumps({"model": "llm", "settings": {"mode": "one-shot"}}), "utf-8")
    return tmp_path


_LOOSE = ("--per-query", "2", "--margin", "0", "--set", "like_positive=1.0", "--precision", "fp32")


def mined(medloom: Call, place: Path, tiny_model: Path, *more: str) -> dict[str, Any]:
    done = medloom(
        *("mine", "generated.parquet", "--out", "mined.parquet", "--base", tiny_model, "--documents", "documents.parquet"),
        *(*_LOOSE, "--json", *more),
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_mine_then_export(medloom: Call, place: Path, tiny_model: Path) -> None:
    result = mined(medloom, place, tiny_model, "--methods", "dense,bm25")
    out = list(read_table(place / "mined.parquet", TrainingRecord))
    by_query = {record.doc_id: record for record in out}
    assert len(out) == result["records"] == 40
    assert result["negatives"]["total"] == sum(len(r.negatives) for r in out)
    assert result["negatives"]["total"] == sum(result["negatives"]["from"].values())
    assert set(result["negatives"]["from"]) == {"written", "dense", "bm25"}
    passages = {r.positives[0]: int(r.doc_id[1:]) // 2 for r in records()}
    for record in records():
        negatives = by_query[record.doc_id].negatives
        assert by_query[record.doc_id].model == "llm"
        assert all(passages.get(n, -1) != passages[record.positives[0]] for n in negatives), "not of the same patient"
        wrote = [n for n in negatives if n not in passages]
        assert wrote == list(negatives[: len(wrote)]), "written ones first"
    assert sorted(p.name for p in place.iterdir()) == [
        "documents.parquet",
        "generated.parquet",
        "mined.parquet",
        "mined.parquet.json",
        "summary.json",
    ]
    exported = [
        ("--format", "sentence-transformers", "--out", "t.parquet"),
        ("--format", "flagembedding", "--out", "t.jsonl"),
        ("--format", "hub", "--out", "set", "--documents", "documents.parquet", "--licence", "mit"),
    ]
    for options in exported:
        done = medloom("export-triplets", "mined.parquet", *options, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["records"] == 40
    card = (place / "set" / "README.md").read_text("utf-8")
    for said in (
        "license: mit",
        "mode: one-shot",
        "per_query: 2",
        "`safe-harbor tag rules/1`",
        "queries were written by `llm`",
    ):
        assert said in card
    assert list(read_table(place / "set" / "data" / "train-00000-of-00001.parquet", TrainingRecord)) == out


def test_a_guide_that_is_the_base_changes_nothing(
    medloom: Call, place: Path, tiny_model: Path, make_model: MakeModel
) -> None:
    mined(medloom, place, tiny_model)
    alone = list(read_table(place / "mined.parquet", TrainingRecord))
    result = mined(medloom, place, tiny_model, "--force", "--guide", str(tiny_model))
    assert list(read_table(place / "mined.parquet", TrainingRecord)) == alone
    assert "over_guide_margin" not in result["counts"]
    result = mined(medloom, place, tiny_model, "--force", "--guide", str(make_model(seed=5)))
    assert result["counts"]["over_guide_margin"] > 0


def test_mining_again_gives_the_same_bytes_and_must_be_asked_for(medloom: Call, place: Path, tiny_model: Path) -> None:
    mined(medloom, place, tiny_model)
    before = (place / "mined.parquet").read_bytes()
    again = medloom("mine", "generated.parquet", "--out", "mined.parquet", "--base", tiny_model)
    assert again.returncode == 2
    assert "--force" in again.stderr
    mined(medloom, place, tiny_model, "--force")
    assert (place / "mined.parquet").read_bytes() == before


def test_a_killed_call_leaves_its_vectors_and_goes_on(
    environment: dict[str, str], medloom: Call, place: Path, tiny_model: Path
) -> None:
    """Killed while it encodes: the next call ends with the bytes of an unbroken one."""
    mined(medloom, place, tiny_model)
    (place / "mined.parquet").rename(place / "whole.parquet")
    command = ("mine", "generated.parquet", "--out", "mined.parquet", "--base", str(tiny_model))
    process = subprocess.Popen(
        [sys.executable, "-m", "medloom", *command, "--documents", "documents.parquet", *_LOOSE],
        cwd=place,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    vectors = place / "mined.parquet.vectors"
    deadline = time.monotonic() + 120
    while not any(vectors.rglob("*.npy")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    if not (place / "mined.parquet").exists():
        assert vectors.is_dir()
        mined(medloom, place, tiny_model)
    assert not vectors.exists()
    assert (place / "mined.parquet").read_bytes() == (place / "whole.parquet").read_bytes()


def test_mining_rows_of_others(medloom: Call, place: Path, tiny_model: Path) -> None:
    rows = [{"anchor": r.query, "positive": r.positives[0]} for r in records(12)]
    (place / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    done = medloom("mine", "own.jsonl", "--out", "own.parquet", "--base", tiny_model, *_LOOSE)
    assert done.returncode == 0, done.stderr
    assert "12 records with" in done.stdout
    out = list(read_table(place / "own.parquet", TrainingRecord))
    assert {(r.source, r.kind) for r in out} == {("own", "query_passage")}
    assert sum(len(r.negatives) for r in out) >= 6


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("mine", "none.parquet", "--out", "o.parquet"), "no such file"),
        (("mine", "bad.jsonl", "--out", "o.parquet"), "bad.jsonl, line 2"),
        (("mine", "documents.parquet", "--out", "o.parquet"), "no 'query'"),
        (("mine", "generated.parquet", "--out", "o.jsonl"), "written as Parquet"),
        (("mine", "generated.parquet", "--out", "."), "written as Parquet"),
        (("mine", "generated.parquet", "--out", "generated.parquet"), "there already"),
        (("mine", "generated.parquet", "--out", "summary.json/o.parquet"), "something else is in its place"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--base", "nothing"), "no model nothing"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--methods", "dense,sparse"), "methods.1"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--per-query", "99"), "per_query"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--set", "margn=1"), "margin"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--precision", "int8"), "precision"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--cross-encoder", "nothing"), "no cross-encoder nothing"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--documents", "other.parquet"), "no record belongs"),
        (("mine", "generated.parquet", "--out", "o.parquet", "--documents", "none"), "no such file"),
        (("export-triplets", "generated.parquet", "--out", "o.csv", "--format", "sentence-transformers"), ".parquet file"),
        (("export-triplets", "generated.parquet", "--out", "o", "--format", "csv"), "no form 'csv'"),
        (("export-triplets", "generated.parquet", "--out", "o", "--format", "hub"), "without --documents"),
        (
            ("export-triplets", "generated.parquet", "--out", "o", "--format", "hub", "--documents", "open.parquet"),
            "patient text",
        ),
        (("export-triplets", "bad.jsonl", "--out", "o", "--format", "hub", "--no-phi"), "bad.jsonl, line 2"),
    ],
)
def test_what_cannot_be_done_is_said_and_no_text_is_shown(
    medloom: Call, place: Path, tiny_model: Path, arguments: tuple[str, ...], problem: str
) -> None:
    good = json.dumps({"query": f"fever of {SECRET}", "positives": ["p"]})
    (place / "bad.jsonl").write_text(f'{good}\n{{"query": "fever of {SECRET}", "positives": 5}}\n', "utf-8")
    write_table(place / "other.parquet", [Document("x", "notes", SECRET, SECRET)], Document)
    opened = [Document(f"n{i}", "notes", SECRET, SECRET, contains_phi=True) for i in range(40)]
    write_table(place / "open.parquet", opened, Document)
    base = ("--base", str(tiny_model)) if arguments[0] == "mine" and "--base" not in arguments else ()
    before = sorted(place.rglob("*"))
    done = medloom(*arguments, *base)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr + done.stdout
    shutil.rmtree(place / "o.parquet.vectors", ignore_errors=True)
    assert [p for p in sorted(place.rglob("*")) if p.name != "o.parquet.lock"] == before
