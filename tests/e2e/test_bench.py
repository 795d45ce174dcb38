"""``medloom bench`` from the command line: own data of every type, two tiny models and BM25, tables and a page."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import call

from medloom.bench.base import BuildRequest, Entry, Mode
from medloom.evaluate.scored import score as score_one
from medloom.evaluate.tasks import Task

pytestmark = pytest.mark.e2e
SECRET = "Zebediah Quux"
PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone"]
SIGNS = ["pain", "rash", "cough", "fever", "ache", "high pressure", "low sugar"]
TASKS = ["wards", "notes", "topics", "calls"]


@dataclass(frozen=True)
class Said:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def medloom(*args: str | Path) -> Said:
    """Run the command line in this process."""
    done = call(*args, environment={"COLUMNS": "200", "NO_COLOR": "1"})
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def texts() -> list[tuple[str, str]]:
    return [
        (f"{sign} of the {part} in a child {i}{j}", part) for i, part in enumerate(PARTS) for j, sign in enumerate(SIGNS)
    ]


def table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task of each type: a folder and three tables."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "wards").mkdir()
    rows = texts()
    corpus = [{"_id": f"d{i}", "title": label, "text": text} for i, (text, label) in enumerate(rows)]
    queries = [{"_id": f"q{i}", "text": f"what is {text}"} for i, (text, _) in enumerate(rows[::3])]
    for name, found in (("corpus", corpus), ("queries", queries)):
        (folder / "wards" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")
    judged = "".join(f"q{i}\td{i * 3}\t1\n" for i in range(len(queries)))
    (folder / "wards" / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", "utf-8")
    table(folder / "notes.csv", [{"text": text, "label": label} for text, label in rows])
    table(folder / "topics.csv", [{"text": text, "label": label} for text, label in rows])
    (folder / "topics.yaml").write_text("type: Clustering\nfacet: notes\n", "utf-8")
    pairs = [
        {"sentence1": text, "sentence2": f"{PARTS[(i // len(SIGNS) + i % 2) % 6]} with {text[:9]}", "label": 1 - i % 2}
        for i, (text, _) in enumerate(rows)
    ]
    table(folder / "calls.csv", pairs)
    return folder


@pytest.fixture(scope="module")
def models(tiny_model: Path, make_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two tiny models of unlike weights, and BM25."""
    home = tmp_path_factory.mktemp("models")
    for name, folder in (("one", tiny_model), ("two", make_model(seed=1, pooling="cls"))):
        (home / name).symlink_to(folder)
    return [str(home / "one"), str(home / "two"), "bm25"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def own(data: Path) -> list[str | Path]:
    paths = [data / "wards", *(data / f"{name}.csv" for name in TASKS[1:])]
    return [part for path in paths for part in ("--task", path)]


@pytest.fixture(scope="module")
def bench(data: Path, models: list[str], cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all three have been run."""
    out = tmp_path_factory.mktemp("bench")
    said = medloom("bench", "run", *models, *own(data), "--out", out, "--cache", cache, "--precision", "fp32", "--json")
    assert said.code == 0, said.err
    assert [len(scores) for scores in said.json["scores"].values()] == [4, 4, 2]
    assert [unfit for unfit in said.json["unfit"].values()] == [[], [], ["notes", "topics"]]
    assert said.json["errors"] == {}
    return out


def test_a_second_run_only_looks(bench: Path, data: Path, models: list[str], cache: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in bench.rglob("*") if p.is_file()}
    said = medloom("bench", "run", *models, *own(data), "--out", bench, "--cache", cache, "--precision", "fp32")
    assert said.code == 0
    assert "10 results were there before and were kept" in said.out
    assert "2 tasks are of a type that it cannot do" in said.out
    assert f"medloom bench compare --out {bench}" in said.out
    assert {p: p.stat().st_mtime_ns for p in bench.rglob("*") if p.is_file()} == before


def test_vectors_outlive_the_results(bench: Path, data: Path, models: list[str], cache: Path, tmp_path: Path) -> None:
    said = medloom(
        "bench", "run", models[0], *own(data), "--out", tmp_path, "--cache", cache, "--precision", "fp32", "--json"
    )
    assert said.code == 0
    (run,) = (tmp_path / "results").glob("*/run.json")
    assert json.loads(run.read_text("utf-8"))["texts"] == 0, "every text was in the cache"
    (key,) = said.json["scores"]
    (before,) = (path for path in (bench / "results").iterdir() if path.name == key)
    raw = json.loads((before / "own-strict" / "wards.json").read_text("utf-8"))
    assert said.json["scores"][key]["wards"] == raw["scores"]["test"][0]["main_score"]


def test_compare_in_every_form(bench: Path) -> None:
    board = medloom("bench", "compare", "--out", bench, "--resamples", "200", "--json").json
    assert [model["kind"] for model in board["models"]].count("lexical") == 1
    assert {task["name"] for task in board["tasks"]} == set(TASKS)
    assert len(board["pairs"]) == 3
    by_key = {(row["model"], row["task"]): row for row in board["scores"]}
    (bm25,) = (model["id"] for model in board["models"] if model["name"] == "bm25")
    assert by_key[bm25, "wards"]["score"] > 0.9
    assert by_key[bm25, "topics"]["score"] is None
    plain = " ".join(medloom("bench", "compare", "--out", bench, "--resamples", "200").out.split())
    for word in (*TASKS, "mean of Retrieval", "mean over types", "no clear difference on"):
        assert word in plain
    names = {model["id"]: model["name"] for model in board["models"]}
    assert all(f"{names[pair['a']]} against {names[pair['b']]}:" in plain for pair in board["pairs"])
    markdown = medloom("bench", "compare", "--out", bench, "--resamples", "200", "--md").out
    assert all(f"{task}" in markdown for task in TASKS)
    assert "|" in markdown
    rows = list(csv.DictReader(io.StringIO(medloom("bench", "compare", "--out", bench, "--resamples", "200", "--csv").out)))
    assert {row["task"] for row in rows} >= set(TASKS)
    shown = medloom("bench", "compare", "--out", bench, "--resamples", "200", "--model", "bm25", "--json").json
    assert [model["name"] for model in shown["models"]] == ["bm25"]
    assert shown["pairs"] == []


def test_the_report_is_one_file_that_asks_nothing_of_the_network(bench: Path, tmp_path: Path) -> None:
    page, table_, lines = tmp_path / "new" / "page.html", tmp_path / "t.md", tmp_path / "t.csv"
    said = medloom(
        *("bench", "report", "--out", bench, "--resamples", "200", "--json"),
        *("--to", page, "--md", table_, "--csv", lines),
    )
    assert said.json == {"html": str(page), "md": str(table_), "csv": str(lines)}
    html = page.read_text("utf-8")
    assert all(task in html for task in TASKS)
    assert "default-src 'none'" in html
    assert str(bench.parent) not in html.replace(str(bench.parent / "models"), "")
    assert "t-SNE" in html, "the map of the clustering task"
    assert "wards" in table_.read_text("utf-8")
    assert "wards" in lines.read_text("utf-8")
    said = medloom("bench", "report", "--out", bench, "--resamples", "200")
    assert said.out.strip() == f"html: {bench / 'leaderboard.html'}"
    assert (bench / "leaderboard.html").is_file()


@dataclass
class TwoTasks:
    """A suite of one task that builds anywhere, and one that needs documents."""

    name: str = "toy"
    description: str = "toy"
    modes: tuple[Mode, ...] = ("strict",)
    built: int = 0

    def entries(self) -> list[Entry]:
        return [
            Entry("asked", "PairClassification", "toy", "toy", "similarity_ap", "exams", "tell"),
            Entry("told", "Clustering", "toy", "files", "v_measure", "notes", "sort", ("files",)),
        ]

    def build(self, request: BuildRequest, left_out: dict[str, str]) -> Iterator[Task]:
        self.built += 1
        one, two = self.entries()
        if request.wants(one):
            rows = [text for text, _ in texts()[:20]]
            asked = {"sentence1": rows, "sentence2": rows[1:] + rows[:1], "labels": [1, 0] * 10}
            yield Task("asked", "PairClassification", "toy", "tell", asked, facet="exams")
        if request.wants(two) and request.missing(two):
            left_out["told"] = "needs files"
        elif request.wants(two):
            documents = request.documents["files"]()
            found = {"sentences": [d.title for d in documents], "labels": [d.text for d in documents]}
            yield Task("told", "Clustering", "files", "sort", found, settings={"n_clusters": 3})


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> TwoTasks:
    from medloom.bench import registry

    suite = TwoTasks()
    monkeypatch.setattr(registry, "_MAKERS", {"toy": lambda: suite})
    return suite


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    table(tmp_path / "rows.csv", [{"title": text, "text": label} for text, label in texts()])
    return tmp_path / "rows.csv"


def test_the_catalogue_says_what_is_missing(toy: TwoTasks, rows: Path) -> None:
    assert [(row["name"], row["buildable"], row["missing"]) for row in medloom("bench", "tasks", "--json").json] == [
        ("asked", True, []),
        ("told", False, ["files"]),
    ]
    found = medloom("bench", "tasks", "--suite", "toy", "--data", f"files={rows}", "--json").json
    assert [row["buildable"] for row in found] == [True, True]
    assert found[0] == {
        "name": "asked",
        "type": "PairClassification",
        "suite": "toy",
        "source": "toy",
        "metric": "similarity_ap",
        "facet": "exams",
        "description": "tell",
        "buildable": True,
        "missing": [],
    }
    plain = medloom("bench", "tasks").out
    assert "needs files" in plain
    assert "toy: 2 tasks, 1 build here as the command stands" in plain


def test_the_real_catalogue() -> None:
    found = medloom("bench", "tasks", "--json", "--suite", "medteb", "--suite", "open", "--suite", "checks").json
    counts = {suite: sum(row["suite"] == suite for row in found) for suite in ("medteb", "open", "checks")}
    assert counts["medteb"] == 52
    assert counts["open"] >= 12
    assert counts["checks"] >= 10
    assert all(row["buildable"] for row in found if row["suite"] != "medteb")
    assert not all(row["buildable"] for row in found if row["suite"] == "medteb")


def test_build_writes_a_folder_that_two_people_can_compare(toy: TwoTasks, rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "built"
    one = medloom("bench", "build", "--suite", "toy", "--out", out, "--json").json
    assert one["left_out"] == {"told": "needs files"}
    assert [(task["name"], task["n"]) for task in one["tasks"]] == [("asked", 20)]
    other = medloom("bench", "build", "--suite", "toy", "--out", out, "--data", f"files={rows}", "--json").json
    assert [task["name"] for task in other["tasks"]] == ["asked", "told"]
    assert one["fingerprint"] != other["fingerprint"]
    again = medloom("bench", "build", "--suite", "toy", "--out", tmp_path / "b", "--data", f"files={rows}", "--json").json
    assert again["fingerprint"] == other["fingerprint"]
    said = medloom("bench", "build", "--suite", "toy", "--out", out, "--task", "asked")
    assert f"fingerprint: {one['fingerprint']}" in said.out


def test_run_builds_what_it_needs_once(toy: TwoTasks, rows: Path, tmp_path: Path, data: Path) -> None:
    out = tmp_path / "bench"
    args = ("bench", "run", "bm25", "--suite", "toy", "--out", out, "--cache", tmp_path / "cache", "--json")
    assert medloom(*args).code == 0
    assert toy.built == 1
    both = medloom(*args, "--data", f"files={rows}", "--task", data / "calls.csv").json
    assert toy.built == 2, "with more at hand it is built again"
    assert set(next(iter(both["scores"].values()))) == {"asked", "calls"}
    assert next(iter(both["unfit"].values())) == ["told"]
    assert both["skipped"] == 1
    one = medloom(*args, "--task", "asked").json
    assert toy.built == 2
    assert set(next(iter(one["scores"].values()))) == {"asked"}
    shared = medloom(
        "bench", "run", "bm25", "--suite", out / "suites" / "toy-strict-0", "--out", tmp_path / "c", "--json"
    ).json
    assert set(next(iter(shared["scores"].values()))) == {"asked"}
    assert toy.built == 2


def test_a_part_of_a_suite_on_disk_is_not_taken_for_the_whole(toy: TwoTasks, rows: Path, tmp_path: Path) -> None:
    folder = tmp_path / "suites" / "toy-strict-0"
    told = medloom(
        "bench", "build", "--suite", "toy", "--out", folder, "--task", "told", "--data", f"files={rows}", "--json"
    )
    assert [task["name"] for task in told.json["tasks"]] == ["told"]
    args = ("--data", f"files={rows}", "--cache", tmp_path / "cache", "--out", tmp_path, "--json")
    scores = medloom("bench", "run", "bm25", "--suite", "toy", *args).json["scores"]
    assert set(next(iter(scores.values()))) == {"asked"}


def test_a_failing_task_exits_1_and_keeps_the_rest(
    data: Path, cache: Path, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(system: Any, task: Task) -> Any:
        if task.name == "calls":
            raise ValueError(f"a note of {SECRET}")
        return score_one(system, task)

    args = ("bench", "run", models[0], *own(data), "--out", tmp_path, "--cache", cache, "--precision", "fp32")
    with monkeypatch.context() as patch:
        patch.setattr("medloom.bench.runner.score", score)
        said = medloom(*args)
    assert said.code == 1
    assert "calls: ValueError at test_bench.py" in said.out
    again = medloom(*args, "--json")
    assert again.code == 0
    assert again.json["skipped"] == 3
    assert len(next(iter(again.json["scores"].values()))) == 4


def test_overlap_with_the_training_text_of_a_run(toy: TwoTasks, tmp_path: Path) -> None:
    from medloom.artifacts import write_table
    from medloom.records import TrainingRecord

    out = tmp_path / "bench"
    assert medloom("bench", "run", "bm25", "--suite", "toy", "--out", out, "--cache", tmp_path / "cache").code == 0
    mined = tmp_path / "mined.parquet"
    write_table(mined, [TrainingRecord(text, ("no",), "k", "s", "d") for text, _ in texts()[:5]], TrainingRecord)
    args = ("bench", "compare", "--out", out, "--resamples", "200", "--json")
    (row,) = medloom(*args, "--training", f"bm25={mined}").json["scores"]
    assert (row["overlap"]["exact"], row["overlap"]["checked"]) == (5, 20)
    (row,) = medloom(*args).json["scores"]
    assert row["overlap"] is None
    said = medloom(*args, "--training", f"bm52={mined}")
    assert said.code == 2
    assert "no results of a model of that name: there are results of bm25" in said.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "bm25"), "give --suite NAME, or --task PATH"),
        (("run", "bm25", "--suite", "tow"), "no suite 'tow' (did you mean toy?); the suites are: toy"),
        (("run", "bm25", "--suite", "toy", "--task", "nothing"), "--task nothing: no such file or folder, and no task"),
        (("run", "bm25", "--suite", "toy", "--mode", "lax"), "no mode 'lax': give strict or compat"),
        (("run", "bm25", "--suite", "toy", "--mode", "compat"), "the suite toy has no mode compat: it has strict"),
        (("run", "bm25", "--suite", "toy", "--data", "files"), "--data files: write it as NAME=PATH"),
        (("run", "bm25", "--suite", "toy", "--data", "files=nowhere"), "--data files: no file or folder nowhere"),
        (("run", "nowhere", "--suite", "toy"), "nowhere"),
        (("run", "openai:nowhere", "--suite", "toy"), "openai:http://host:port/v1#model-name"),
        (("run", "bm25", "--suite", "toy", "--chat", "here"), "--chat here: write it as openai:http://HOST/v1#MODEL"),
        (("run", "nowhere", "--suite", "toy", "--precision", "int3"), "no precision 'int3': give auto, fp32 or bf16"),
        (("build", "--suite", "tow"), "did you mean toy?"),
        (("build", "--suite", "toy", "--task", "none"), "the suite toy has no task none"),
        (("tasks", "--suite", "tow"), "did you mean toy?"),
        (("compare",), "no results below"),
        (("report",), "no results below"),
        (("compare", "--resamples", "3"), "200"),
        (("run",), "Missing argument"),
        (("run", "bm25", "--suit", "toy"), "--suite"),
    ],
)
def test_bad_usage_exits_2_with_what_to_do(toy: TwoTasks, tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    found = medloom("bench", *args, *(("--out", tmp_path / "out") if args[0] != "tasks" else ()))
    assert found.code == 2
    assert said in " ".join(found.err.split())


def test_bad_data_of_ones_own_exits_2_and_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text(f"sentence1,sentence2,label\na,b,1\n{SECRET},b,{SECRET}\n", "utf-8")
    said = medloom("bench", "run", "bm25", "--task", path, "--out", tmp_path / "out")
    assert said.code == 2
    assert f"{path}, line 3: the label of a pair is neither 1 nor 0" in said.err


def test_unlike_runs_are_not_compared_unless_asked(bench: Path, data: Path, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "bench"
    shutil.copytree(bench, out)
    changed = tmp_path / "calls.csv"
    changed.write_text((data / "calls.csv").read_text("utf-8").replace("child", "adult"), "utf-8")
    assert medloom("bench", "run", "bm25", "--task", changed, "--out", out, "--cache", tmp_path / "cache").code == 0
    said = medloom("bench", "compare", "--out", out, "--resamples", "200")
    assert said.code == 2
    assert "own/calls: the task's data differs" in said.err
    assert "--allow-unlike" in said.err
    said = medloom("bench", "compare", "--out", out, "--resamples", "200", "--allow-unlike")
    assert said.code == 0
    assert "warning: compared although not alike: own/calls" in said.out


def test_killed_in_mid_run_it_goes_on(data: Path, models: list[str], tmp_path: Path, environment: dict[str, str]) -> None:
    args = ["bench", "run", *models, *own(data), "--out", tmp_path, "--cache", tmp_path / "cache", "--precision", "fp32"]
    command = [sys.executable, "-m", "medloom", *map(str, args)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("results/*/*/wards.json")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = len([p for p in tmp_path.glob("results/*/*/*.json")])
    assert 1 <= done < 10
    said = medloom(*args, "--json")
    assert said.code == 0
    assert said.json["skipped"] == done
    assert [len(scores) for scores in said.json["scores"].values()] == [4, 4, 2]


def test_help_answers_without_heavy_imports(environment: dict[str, str]) -> None:
    script = """
import sys
from medloom.cli import main
for args in (["--help"], ["bench", "--help"], ["bench", "run", "--help"]):
    sys.argv = ["medloom", *args]
    try:
        main()
    except SystemExit:
        pass
heavy = {"torch", "mteb", "transformers", "datasets", "pandas", "sklearn", "numpy", "pyarrow"}
print("LOADED", sorted(heavy & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout
    for word in ("tasks", "build", "run", "compare", "report", "--suite", "--send-text-to"):
        assert word in done.stdout
