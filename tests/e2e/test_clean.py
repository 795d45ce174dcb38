"""Cleaning in a run, and ``medloom clean`` from the command line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.artifacts import read_manifest, read_table, write_table
from medloom.cli import main
from medloom.errors import MedloomError, StageError
from medloom.pipeline import plan, run
from medloom.recipe import Recipe
from medloom.records import Document
from medloom.stages import STAGES, documents_stage

pytestmark = pytest.mark.e2e

GERMAN = "Der Patient wurde wegen starker Schmerzen in der Brust aufgenommen."
ENGLISH = "The patient was admitted on 10/12/2023 because of severe pain in the chest."
DOCUMENTS = [
    Document("1", "s", "Pain", f"{ENGLISH} © 2020 The Authors.", contains_phi=True),
    Document("2", "s", "Schmerz", GERMAN),
    Document("3", "s", "Cough", f"{ENGLISH} At 39 Â°C.", contains_phi=True),
    Document("4", "s", "Retracted", ENGLISH, metadata=(("retracted", "yes"),)),
]


def _rows(folder: Path) -> Path:
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as f:
        f.writelines(json.dumps({"id": d.id, "title": d.title, "text": d.text}) + "\n" for d in DOCUMENTS)
    return folder / "rows.jsonl"


def _recipe(folder: Path, *overrides: str) -> Recipe:
    text = f"{{name: n, sources: [{{type: files, path: {_rows(folder)}, fields: {{id: id}}, contains_phi: true}}]}}"
    return Recipe.parse(text, overrides=overrides)


def test_a_run_cleans_before_it_deidentifies(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, "clean.languages=[en]", "deid.detector=rules", "deid.ids=keep")
    result = run(recipe, tmp_path / "run", until="deid")
    assert [step.name for step in result.steps] == ["collect", "clean", "deid"]
    cleaned, deidentified = (step.manifest for step in result.steps[1:])
    assert cleaned and deidentified
    assert (cleaned.rows_in, cleaned.rows_out) == (4, 3)
    assert cleaned.counts == {"language": 1, "repaired": 1, "without_boilerplate": 1}
    assert cleaned.notes == {"removed": {"copyright": 1}, "open": {"rows": [3, 0]}}
    assert "clean" in deidentified.inputs and "collect" not in deidentified.inputs
    (table,) = (tmp_path / "run" / "stages").glob("3-deid-*/documents.parquet")
    documents = list(read_table(table, Document))
    assert [d.id for d in documents] == ["1", "3", "4"]
    assert all(d.deidentified and "10/12/2023" not in d.text for d in documents)
    assert documents[1].text.endswith("At 39 °C.") and "©" not in documents[0].text
    again = run(recipe, tmp_path / "run", until="deid")
    assert [step.status for step in again.steps] == ["done"] * 3


def test_later_stages_read_the_last_table_of_documents(tmp_path: Path) -> None:
    by_name = {stage.name: stage for stage in STAGES}
    for overrides, last, before_deid in (
        ((), "collect", "collect"),
        (("clean={}",), "clean", "clean"),
        (("deid={}",), "deid", "collect"),
        (("clean={}", "deid={}"), "deid", "clean"),
    ):
        recipe = _recipe(tmp_path, *overrides)
        assert documents_stage(recipe) == last
        assert by_name["pairs"].needs_of(recipe) == (last,)
        assert by_name["clean"].needs_of(recipe) == ("collect",)
        assert by_name["deid"].needs_of(recipe) == (before_deid,)
    planned = plan(_recipe(tmp_path, "clean={}"), tmp_path / "run")
    assert [step.name for step in planned.steps][:3] == ["collect", "clean", "pairs"]
    with pytest.raises(MedloomError, match="no clean: section"):
        plan(_recipe(tmp_path), tmp_path / "run", until="clean")


def test_a_recipe_that_keeps_nothing_says_why(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"1 of 4 documents are left \(dropped: .*'language': 3"):
        run(_recipe(tmp_path, "clean.languages=[de]"), tmp_path / "run", until="clean")
    assert not list((tmp_path / "run" / "stages").glob("*-clean-*/manifest.json"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs ``medloom clean``."""

    def clean(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["medloom", "clean", *map(str, args)])
        monkeypatch.setenv("COLUMNS", "200")
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err and "chest" not in said.out + said.err
        return int(code or 0), said.out, said.err

    return clean


def test_the_command_on_a_table_and_on_rows(tmp_path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    write_table(tmp_path / "documents.parquet", DOCUMENTS, Document)
    code, out, err = command(tmp_path, "--out", tmp_path / "o" / "clean.parquet", "--language", "en", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert (result["read"], result["written"], result["skipped"]) == (4, 2, 0)
    assert result["dropped"] == {"language": 1, "retracted": 1}
    assert result["changed"] == {"repaired": 1, "without_boilerplate": 1} and result["removed"] == {"copyright": 1}
    clean = list(read_table(tmp_path / "o" / "clean.parquet", Document))
    assert [(d.id, d.contains_phi) for d in clean] == [("1", True), ("3", True)]
    code, out, err = command(
        _rows(tmp_path), "--id", "id", "--out", tmp_path / "rows-clean.jsonl", "--no-repair", "--no-boilerplate"
    )
    assert code == 0, err
    assert "4 of 4 documents written" in out
    written = [json.loads(line) for line in (tmp_path / "rows-clean.jsonl").read_text("utf-8").splitlines()]
    assert [(row["id"], row["text"]) for row in written] == [(d.id, d.text) for d in DOCUMENTS]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--language", "qq"], "'qq' cannot be told"),
        (["--language", "English"], "no code of a language"),
        (["--min-chars", "300", "--max-chars", "200"], "nothing would be kept"),
        (["--on-error", "no"], "give fail or skip"),
        (["--text", "nowhere"], "no field 'nowhere'"),
    ],
)
def test_what_the_command_refuses(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]], options: list[str], said: str
) -> None:
    code, _, err = command(_rows(tmp_path), "--out", tmp_path / "clean.jsonl", *options)
    assert code == 2 and said in err
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_manifest_of_a_cleaning_names_its_settings(tmp_path: Path) -> None:
    result = run(_recipe(tmp_path, "clean.licences=[not-stated]"), tmp_path / "run", until="clean")
    (folder,) = (tmp_path / "run" / "stages").glob("2-clean-*")
    manifest = read_manifest(folder)
    assert manifest == result.steps[1].manifest
    assert manifest and manifest.config["licences"] == ["not-stated"] and manifest.config["languages"] is None
