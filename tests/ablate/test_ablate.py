"""Variants are trained and judged once each, by tasks that none of them trains on."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.e2e.conftest import invented_rows
from typer.testing import CliRunner

from medloom.ablate import Ablation, Table, ablate
from medloom.ablate.table import Trained, make_table
from medloom.artifacts import read_table
from medloom.bench.results import Result
from medloom.cli import app
from medloom.errors import MedloomError, RecipeError
from medloom.evaluate.tasks import Task
from medloom.records import TrainingRecord

FILE = """\
name: tiny
reference: plain
judges:
  medical: {{tasks: [judge]}}
  general: {{tasks: [other], tolerance: 0.01}}
recipe:
  name: varied
  base: {model}
  sources:
    - {{type: files, path: qa.jsonl, fields: {{title: question, text: answer, group: topic}}}}
  guard: {{holdout: 0.1, near_duplicate: 1.0}}
  negatives: {{per_query: 0}}
  train: {{batch_size: 16, max_seq_length: 16, learning_rate: 1.0e-3, precision: fp32}}
variants:
  plain: {{}}
  hotter: {{train.temperature: 0.2}}
"""


def write_task(folder: Path, rows: list[dict[str, str]]) -> None:
    folder.mkdir()
    for name, key in (("corpus", "answer"), ("queries", "question")):
        lines = (json.dumps({"_id": str(n), "text": row[key]}) + "\n" for n, row in enumerate(rows))
        (folder / f"{name}.jsonl").write_text("".join(lines))
    judged = "".join(f"{n}\t{n}\t1\n" for n in range(len(rows)))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    rows = invented_rows()
    write_task(folder / "judge", rows[:20])
    write_task(folder / "other", rows[20:40])
    (folder / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tiny.yaml").write_text(FILE.format(model=tiny_model))
    return folder


@pytest.fixture(scope="module")
def table(place: Path) -> Table:
    return ablate(Ablation.load(place / "tiny.yaml"), place / "out")


def test_every_variant_has_a_row_and_changes_only_what_it_says(table: Table) -> None:
    assert [row.name for row in table.rows] == ["plain", "hotter"]
    plain, hotter = table.rows
    assert plain.pairs == hotter.pairs and plain.steps == hotter.steps > 0
    assert hotter.changes == {"train.temperature": 0.2}
    assert plain.scores != hotter.scores
    assert set(plain.scores) == set(table.base) == {"judge", "other"}
    assert plain.brings["medical"].value == 0 and hotter.brings["medical"].value != 0
    for row in table.rows:
        for task, gain in row.gains.items():
            assert gain.value == pytest.approx(row.scores[task] - table.base[task])
            assert gain.low <= gain.value <= gain.high
        assert row.mean_gains["medical"].value == pytest.approx(row.means["medical"] - table.base_means["medical"])


def test_no_text_of_the_judges_is_trained_on(place: Path, table: Table) -> None:
    (mined,) = place.glob("out/run/stages/*-mine-*/mined.parquet")
    trained = {text for record in read_table(mined, TrainingRecord) for text in (record.query, *record.positives)}
    judged = {text for row in invented_rows()[:40] for text in row.values()}
    assert trained and not trained & judged
    assert len(trained) <= 2 * (120 - 40)


def test_a_second_sitting_does_only_what_is_new(place: Path, table: Table) -> None:
    later = place / "later.yaml"
    later.write_text((place / "tiny.yaml").read_text() + "  slower: {train.learning_rate: 1.0e-4}\n")
    begun: list[str] = []
    shown = ablate(Ablation.load(later), place / "out", minutes=0, tell=begun.append)
    assert shown.missing == ["slower"] and not any(what.startswith("variant") for what in begun)
    assert [row.scores for row in shown.rows] == [row.scores for row in table.rows]
    grown = ablate(Ablation.load(later), place / "out", only=["slower"], tell=begun.append)
    assert grown.missing == [] and [what for what in begun if what.startswith("variant")] == ["variant slower"]


def test_the_command_prints_the_table_and_keeps_it(place: Path, table: Table) -> None:
    arguments = ["ablate", str(place / "tiny.yaml"), "--out", str(place / "out")]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    assert "| plain |" in told.stdout.replace("**", "") and "the rule: the highest mean of medical" in told.stdout
    as_json = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert as_json == json.loads((place / "out" / "ablation.json").read_text("utf-8"))
    assert [row["name"] for row in as_json["rows"]] == ["plain", "hotter"]


def result(name: str, model: str, score: float) -> Result:
    task = Task(name=name, type="Retrieval", source="own", description="", data={"queries": ["q"] * 50})
    return Result(model, task, {}, score, np.full(50, score))


def test_what_loses_too_much_elsewhere_is_not_chosen(place: Path) -> None:
    ablation = Ablation.load(place / "tiny.yaml")
    scores = {"": (0.5, 0.5), "plain": (0.6, 0.495), "hotter": (0.9, 0.48)}
    results = {
        name: {"medical": {"judge": result("judge", name, one)}, "general": {"other": result("other", name, two)}}
        for name, (one, two) in scores.items()
    }
    trained = {name: Trained(place, 10, 1, 1.0) for name in ("plain", "hotter")}
    found = make_table(ablation, results, trained)
    assert [row.fits for row in found.rows] == [True, False]
    assert found.chosen == "plain"
    assert "(too much)" in found.markdown().splitlines()[-1]
    lost = make_table(ablation, results | {"plain": results["hotter"]}, trained)
    assert lost.chosen is None
    assert found.rule.startswith("the highest mean of medical among those")
    assert found.rule.endswith("worse than the base on no task of general by more than 0.01")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("reference: plain", "reference: other", "reference 'other' is no variant: there is plain, hotter"),
        ("train.temperature: 0.2", "train.temprature: 0.2", r"variant 'hotter': .*did you mean 'temperature'"),
        ("{tasks: [judge]}", "{tasks: []}", r"judges\.medical\.tasks"),
        ("variants:", "variations:", "variations"),
        ("name: tiny", "name: [", "not valid YAML"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(place: Path, tmp_path: Path, old: str, new: str, problem: str) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text((place / "tiny.yaml").read_text().replace(old, new))
    with pytest.raises(RecipeError, match=problem):
        Ablation.load(bad, place)


def test_unknown_names_and_files_are_said(place: Path, tmp_path: Path) -> None:
    with pytest.raises(MedloomError, match="no variant 'x': there is plain, hotter"):
        ablate(Ablation.load(place / "tiny.yaml"), tmp_path, only=["x"])
    with pytest.raises(RecipeError, match="no ablation file"):
        Ablation.load(tmp_path / "none.yaml")
    twice = tmp_path / "twice.yaml"
    twice.write_text((place / "tiny.yaml").read_text().replace("[other]", "[judge]"))
    with pytest.raises(MedloomError, match="two judges are called 'judge'"):
        ablate(Ablation.load(twice, place), tmp_path)
