"""``medloom index`` on the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medloom.artifacts import write_table
from medloom.cli import app
from medloom.errors import MedloomError
from medloom.records import Document
from medloom.search.filters import parse_filter
from medloom.search.index import open_index


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["index", *map(str, arguments)])
    if isinstance(result.exception, MedloomError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"key": i, "words": text}) + "\n" for i, text in enumerate(texts)))
    return path


def test_indexes_files_and_tables_and_says_what_it_did(tmp_path: Path, tiny_model: Path) -> None:
    table = tmp_path / "documents.parquet"
    write_table(table, [Document("d1", "trials", "Fever", "High fever in a child.", metadata=(("phase", "2"),))], Document)
    notes = rows(tmp_path / "notes.jsonl", "Acute chest pain.", "Cough at night.")
    options = ("--out", tmp_path / "i", "-m", tiny_model, "--id", "key", "--text", "words")
    told = json.loads(run(table, notes, *options, "--no-phi", "--json"))
    assert (told["documents"], told["chunks"], told["added"], told["contains_phi"]) == (3, 3, 3, False)
    assert told["bytes"] > 0
    assert told["texts_per_second"] > 0
    with open_index(tmp_path / "i") as index:
        assert index.store.count(parse_filter(["phase=2", "source=trials"])) == 1
        found = index.store.dense(index.embed(["Cough at night."])[0], 1)
        assert index.store.get([found[0][0]])[0].text == "Cough at night."
        assert found[0][1] == pytest.approx(1.0, abs=1e-2)


def test_an_update_needs_no_model_and_prints_lines(tmp_path: Path, tiny_model: Path) -> None:
    notes, options = tmp_path / "notes.jsonl", ("--out", tmp_path / "i", "--text", "words", "--id", "key")
    run(rows(notes, "Fever.", "Cough."), *options, "-m", tiny_model)
    told = run(rows(notes, "Fever.", "Rash.", "Pain."), *options, "--update", "--contains-phi")
    assert "3 documents, 3 chunks: 1 added, 2 changed, 0 deleted, 0 as they were" in told
    assert "which is about patients" in told
    assert "KB: " in told or "MB: " in told


def test_fields_become_facts_to_filter_by(tmp_path: Path, tiny_model: Path) -> None:
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"text": "Fever.", "ward": "a", "on": "2020"}\n{"text": "Cough.", "ward": ["a", "b"], "on": null}\n')
    run(notes, "--out", tmp_path / "i", "-m", tiny_model, "--fact", "ward", "--fact", "date=on")
    with open_index(tmp_path / "i") as index:
        counts = [index.store.count(parse_filter([one])) for one in ("ward=a", "ward=b", "date>=2020")]
    assert counts == [2, 1, 1]


def test_bad_rows_are_left_out_and_counted(tmp_path: Path, tiny_model: Path) -> None:
    notes = rows(tmp_path / "notes.jsonl", "Fever.")
    notes.write_text(notes.read_text() + '{"key": 7, "words": 5}\n')
    options = ("--out", tmp_path / "i", "-m", tiny_model, "--text", "words", "--id", "key", "--json")
    told = json.loads(run(notes, *options, "--on-error", "skip"))
    assert (told["documents"], told["skipped"]) == (1, 1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--quantised", "int4"), "--quantised int4: give none, int8 or binary"),
        (("--precision", "fp8"), "--precision fp8: give auto, fp32 or bf16"),
        (("--on-error", "stop"), "--on-error stop: give fail or skip"),
        (("--store", "localhost"), "address of a Qdrant cluster"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    tmp_path: Path, tiny_model: Path, option: tuple[str, str], message: str
) -> None:
    notes = rows(tmp_path / "notes.jsonl", "Fever.")
    with pytest.raises(MedloomError, match=message):
        run(notes, "--out", tmp_path / "i", "-m", tiny_model, "--text", "words", *option)
