"""``medloom collect`` as a user gives it, and its folder as later commands read it."""

import json
from pathlib import Path

import pytest
from tests.e2e.conftest import Command, invented_rows
from typer.testing import CliRunner

from medloom.artifacts import read_table
from medloom.cli import app
from medloom.errors import MedloomError
from medloom.records import Document
from medloom.sources.opened import OpenedDocuments

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "qa.jsonl"
    lines = [json.dumps({**row, "id": f"q{n}"}) for n, row in enumerate(invented_rows())]
    path.write_text("\n".join([*lines[:60], '{"broken', *lines[60:]]) + "\n", "utf-8")
    return path


def _collect(rows: Path, out: Path, *options: str) -> list[str]:
    settings = [f"path={rows}", "fields={id: id, title: question, text: answer, group: topic}", "on_error=skip"]
    return ["collect", "files", "--out", str(out), *(a for s in settings for a in ("--set", s)), *options]


def test_a_collection_is_a_documents_artifact(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "collected"
    result = CliRunner().invoke(app, _collect(rows, out, "--json"))
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["documents"], said["counts"]) == (120, {"rejected": 1})
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["outputs"]["documents.parquet"]["rows"] == manifest["rows_out"] == 120
    assert manifest["notes"]["rounds"][0]["finished"] == manifest["finished"]
    reject = json.loads((out / "rejects.jsonl").read_text())
    assert reject["where"].endswith("line 61")
    documents = list(OpenedDocuments(out)())
    assert documents == list(read_table(out / "documents.parquet", Document))
    assert documents[60].id == "q60"


def test_given_again_it_does_nothing_and_says_the_same(rows: Path, tmp_path: Path) -> None:
    first = CliRunner().invoke(app, _collect(rows, tmp_path / "c", "--json"))
    manifest = (tmp_path / "c" / "manifest.json").read_bytes()
    again = CliRunner().invoke(app, _collect(rows, tmp_path / "c", "--json", "--workers", "2"))
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert (tmp_path / "c" / "manifest.json").read_bytes() == manifest


def test_a_lock_says_what_has_changed(rows: Path, tmp_path: Path) -> None:
    CliRunner().invoke(app, _collect(rows, tmp_path / "c"))
    lock = str(tmp_path / "c" / "lock.jsonl.gz")
    same = CliRunner().invoke(app, _collect(rows, tmp_path / "same", "--lock", lock, "--json"))
    assert same.exit_code == 0
    assert json.loads(same.stdout)["differences"] == {"same": 120, "changed": [], "vanished": []}
    changed = tmp_path / "changed.jsonl"
    lines = rows.read_text().splitlines()
    lines[0] = lines[0].replace("units", "tablets")
    changed.write_text("\n".join(lines[:-1]) + "\n")
    result = CliRunner().invoke(app, _collect(changed, tmp_path / "other", "--lock", lock))
    assert result.exit_code == 1
    assert "118 same, 1 changed, 1 vanished" in " ".join(result.stderr.split())
    found = json.loads((tmp_path / "other" / "differences.json").read_text())
    assert found == {"same": 118, "changed": ["q0"], "vanished": ["q119"]}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["collect", "filez", "--out", "x"], r"no source 'filez' \(did you mean files\?\)"),
        (["collect", "files", "--out", "x", "--set", "pth=a"], r"unknown setting 'pth' \(did you mean 'path'\?\)"),
        (["collect", "files", "--out", "x", "--set", "path=nowhere.jsonl"], "no such file"),
        (["collect", "hpo", "--out", "x", "--since", "yesterday"], "YYYY-MM-DD"),
        (["collect", "hpo", "--out", "x", "--since", "last"], "collect without --since first"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MedloomError, match=problem):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_sources_are_listed(medloom: Command) -> None:
    listed = medloom("sources", "--json")
    rows = {row["type"]: row for row in json.loads(listed.stdout)}
    assert rows["hpo"]["what"].startswith("The Human Phenotype Ontology")
    assert not rows["hpo"]["fetched"]
    assert "path" in rows["files"]["settings"]
    assert "hpo" in medloom("sources").stdout
