"""``medloom search`` on the command line."""

import json
from pathlib import Path

import pytest
from tests.encode.test_cross import build
from typer.testing import CliRunner

from medloom.cli import app
from medloom.errors import MedloomError
from medloom.records import Document
from medloom.search.build import Wanted, build_index

TEXTS = (
    "The child has high fever. A tablet at night helped.",
    "Chronic pain of the heart. The blood pressure is high.",
    "A rash on the skin of the head.",
    "Acute cough; the lung is well.",
)


@pytest.fixture(scope="module")
def idx(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("idx")
    documents = [
        Document(f"d{n}", "notes", f"Note {n}", text, metadata=(("date", f"202{n}-01-01"), ("ward", "ab"[n % 2])))
        for n, text in enumerate(TEXTS)
    ]
    build_index(documents, folder, Wanted(tiny_model))
    return folder


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["search", *map(str, arguments)])
    if isinstance(result.exception, MedloomError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_prints_title_source_date_and_evidence(idx: Path) -> None:
    told = run(idx, "fever of a child", "--mode", "lexical", "--explain", "-k", "1")
    assert " 1. Note 0" in told
    assert "notes d0 · 2020-01-01" in told
    assert "The child has high fever." in told
    assert "lexical #1" in told
    assert "1 results, " in told


def test_json_is_the_answer(idx: Path) -> None:
    asked = ("chronic pain", "--filter", "ward=b", "--filter", "date>=2021", "--json", "--explain")
    told = json.loads(run(idx, *asked))
    assert told["query"] == "chronic pain"
    assert {row["document"] for row in told["results"]} == {"d1", "d3"}
    assert told["results"][0]["document"] == "d1"
    assert told["results"][0]["parts"].keys() >= {"dense", "lexical", "fused"}
    assert json.loads(run("ask", idx, *asked))["results"] == told["results"]


def test_says_what_was_added_to_the_query(idx: Path) -> None:
    told = run(idx, "nosebleed or fever", "--expand", "lay,abbreviations", "--evidence", "none")
    assert "added for nosebleed: Epistaxis (HPO)" in told


def test_more_like_a_chunk_that_was_found(idx: Path) -> None:
    found = json.loads(run(idx, "fever", "-k", "1", "--json"))["results"][0]
    like = json.loads(run(idx, "--like", found["chunk"], "--json"))["results"]
    assert {row["document"] for row in like} == {f"d{n}" for n in range(4)} - {found["document"]}


def test_nothing_found_is_said(idx: Path) -> None:
    assert run(idx, "fever", "--filter", "ward=z").startswith("nothing found")


def test_queries_from_a_file(idx: Path, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("fever\nchronic pain\n", "utf-8")
    out = tmp_path / "answers.jsonl"
    options = ("--batch", tmp_path / "q.txt", "--out", out, "--mode", "lexical")
    assert run(idx, *options).startswith("2 of 2 queries searched (0 were there)")
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [(row["id"], row["results"][0]["document"]) for row in rows] == [("1", "d0"), ("2", "d1")]
    assert json.loads(run(idx, *options, "--json"))["kept"] == 2


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    return build(tmp_path_factory.mktemp("cross") / "model", tiny_model)


def test_a_cross_encoder_re_ranks_one_query_and_many(idx: Path, tmp_path: Path, cross: Path) -> None:
    found = json.loads(run(idx, "fever", "--rerank", cross, "--depth", "2", "--explain", "--json"))["results"]
    assert [row["parts"]["rerank"]["rank"] for row in found] == [1, 2]
    (tmp_path / "q.csv").write_text("text\nfever\n", "utf-8")
    run(idx, "--batch", tmp_path / "q.csv", "--out", tmp_path / "a.jsonl", "--rerank", cross, "--depth", "2")
    answer = json.loads((tmp_path / "a.jsonl").read_text("utf-8"))
    assert [row["document"] for row in answer["results"]] == [row["document"] for row in found]


def test_eval_prints_systems_and_differences(idx: Path, tmp_path: Path, cross: Path) -> None:
    queries = [json.dumps({"_id": f"q{n}", "text": text.split(".")[0]}) for n, text in enumerate(TEXTS)]
    (tmp_path / "queries.jsonl").write_text("\n".join(queries), "utf-8")
    judgements = [*(f"q{n}\td{n}\t1\n" for n in range(4)), "q0\tgone\t1\n"]
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judgements))
    options = ("--task", tmp_path, "--resamples", "200", "--weights", "dense=0.2,lexical=0.8", "--rerank", cross)
    told = run("eval", idx, *options)
    for name in (
        "dense",
        "lexical",
        "fused",
        "fused-weighted",
        "re-ranked",
        "nDCG@10",
        "fused-weighted: dense 0.2, lexical 0.8",
    ):
        assert name in told
    report = json.loads(run("eval", idx, *options, "--json"))
    assert report["queries"] == 4
    assert "1 relevant documents are not in the index" in told
    assert {s["name"]: s["scores"]["recall_at_100"]["score"] for s in report["systems"]}["lexical"] == 3.5 / 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one of these"),
        (("fever", "--like", "x"), "give one of these"),
        (("fever", "--out", "x"), "go together"),
        (("fever", "--mode", "sparse"), "--mode: input should be"),
        (("fever", "--expand", "colour"), "--expand: "),
        (("fever", "--weights", "dense"), "--weights: give dense=NUMBER"),
        (("fever", "--weights", "sparse=1"), "no way of searching"),
        (("fever", "--rerank", "late"), "no vectors of tokens"),
        (("fever", "--rerank", "./nowhere"), "no cross-encoder"),
        (("fever", "--like", "x", "--filter", "ward"), "give one of these"),
        (("fever", "--filter", "ward"), "a filter is name=value"),
    ],
)
def test_what_cannot_be_done_is_said(idx: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(MedloomError, match=message):
        run(idx, *arguments)


def test_eval_takes_weights_or_learns_them(idx: Path, tmp_path: Path) -> None:
    with pytest.raises(MedloomError, match="give one of them"):
        run("eval", idx, "--task", tmp_path, "--learn", "0.5", "--weights", "dense=1")
