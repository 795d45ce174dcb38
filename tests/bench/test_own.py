"""Your own data as a task: every layout is read, and bad input is said without a word of it."""

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medloom.bench.build import OWN, own_suite
from medloom.bench.own import own_task
from medloom.errors import MedloomError, RowError, SourceError
from medloom.text import text_key

SECRET = "Zebediah Quux"
CORPUS = [{"_id": f"d{i}", "title": f"Title {i}", "text": f"Body of document {i}"} for i in range(4)]
QUERIES = [{"_id": f"q{i}", "text": f"question {i}"} for i in range(3)]
QRELS = [("q0", "d0", 2), ("q0", "d1", 1), ("q0", "d2", 0), ("q1", "d3", 1), ("q2", "d2", 0)]


def lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def tsv(rows: Sequence[Sequence[object]], header: Sequence[str] = ("query-id", "corpus-id", "score")) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in [header, *rows])


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "wards"
    folder.mkdir()
    (folder / "corpus.jsonl").write_bytes(lines(CORPUS))
    (folder / "queries.jsonl").write_bytes(lines(QUERIES))
    (folder / "qrels.tsv").write_text(tsv(QRELS), "utf-8")
    return folder


def table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return path


def labelled(n: int = 200, **more: Callable[[int], str]) -> list[dict[str, Any]]:
    return [
        {"text": f"note number {i} on {'ab'[i % 2]}", "label": "ab"[i % 2]} | {key: of(i) for key, of in more.items()}
        for i in range(n)
    ]


def pairs(n: int = 10, labels: Sequence[object] = (1, 0)) -> list[dict[str, Any]]:
    return [{"sentence1": f"one, {i}", "sentence2": f"other {i}", "label": labels[i % len(labels)]} for i in range(n)]


def test_a_folder_in_beirs_layout(beir: Path) -> None:
    task = own_task(beir)
    assert (task.name, task.source, task.type, task.main_score) == ("wards", "wards", "Retrieval", "ndcg_at_10")
    assert task.data == {
        "corpus": {f"d{i}": f"Title {i} Body of document {i}" for i in range(4)},
        "queries": {"q0": "question 0", "q1": "question 1"},
        "qrels": {"q0": {"d0": 2, "d1": 1, "d2": 0}, "q1": {"d3": 1}},
    }
    assert task.counts == {"queries_without_relevant": 1}
    assert not task.public


def test_packed_files_and_judgements_of_the_test_split(beir: Path) -> None:
    expected = own_task(beir)
    for name in ("corpus", "queries"):
        plain = beir / f"{name}.jsonl"
        (beir / f"{name}.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    (beir / "qrels").mkdir()
    (beir / "qrels.tsv").rename(beir / "qrels" / "test.tsv")
    (beir / "qrels" / "train.tsv").write_text(tsv([("q2", "d0", 1)]), "utf-8")
    assert own_task(beir) == expected


def test_ids_may_be_numbers_and_titles_may_be_missing(beir: Path) -> None:
    (beir / "corpus.jsonl").write_bytes(lines([{"_id": 0, "text": "zero"}, {"_id": 1, "title": "", "text": "one"}]))
    (beir / "queries.jsonl").write_bytes(lines([{"_id": 7, "text": "seven"}]))
    (beir / "qrels.tsv").write_text(tsv([(7, 0, 1)]), "utf-8")
    assert own_task(beir).data == {"corpus": {"0": "zero", "1": "one"}, "queries": {"7": "seven"}, "qrels": {"7": {"0": 1}}}


@pytest.mark.parametrize(
    ("file", "content", "where", "said"),
    [
        ("qrels.tsv", tsv([("q0", "d0", 1), (SECRET, "d0", 1)]), "qrels.tsv, line 3", "query id is not in queries.jsonl"),
        ("qrels.tsv", tsv([("q0", SECRET, 1)]), "qrels.tsv, line 2", "document id is not in corpus.jsonl"),
        ("qrels.tsv", tsv([("q0", "d0", SECRET)]), "qrels.tsv, line 2", "the score is no whole number"),
        ("qrels.tsv", tsv([("q0", "d0", "inf")]), "qrels.tsv, line 2", "the score is no whole number"),
        ("qrels.tsv", tsv([("q0", "d0", "nan")]), "qrels.tsv, line 2", "the score is no whole number"),
        ("qrels.tsv", tsv([("q0", "d0", "0.5")]), "qrels.tsv, line 2", "the score is no whole number"),
        ("qrels.tsv", tsv([("q0", "d0")], ("q", "d")), "qrels.tsv, line 2", "fewer than three columns"),
        ("qrels.tsv", tsv([("q0", "d0", 1), ("q0", "d0", 0)]), "qrels.tsv, line 3", "judged otherwise in an earlier"),
        ("qrels.tsv", tsv([("q1", "d1", 1)], ("q0", "d0", "1")), "qrels.tsv, line 1", "no header"),
        ("qrels.tsv", tsv([("q0", "d0", 1), ("q0", "d0")]), "qrels.tsv, line 3", "2 cells where the header has 3"),
        ("corpus.jsonl", lines([*CORPUS, {"_id": "d1", "text": SECRET}]), "corpus.jsonl, line 5", "earlier row"),
        ("corpus.jsonl", lines([*CORPUS, {"_id": SECRET, "text": " "}]), "corpus.jsonl, line 5", "no text"),
        ("corpus.jsonl", lines([*CORPUS, {"text": SECRET}]), "corpus.jsonl, line 5", "no _id: every row needs _id"),
        ("corpus.jsonl", lines([*CORPUS, {"_id": "x", "text": [SECRET]}]), "corpus.jsonl, line 5", "holds list"),
        ("corpus.jsonl", lines([*CORPUS, {"_id": "x", "text": SECRET + "\ud800"}]), "corpus.jsonl, line 5", "surrogate"),
        ("corpus.jsonl", lines([{"_id": "x", "title": [3], "text": SECRET}]), "corpus.jsonl, line 1", "'title' holds list"),
        (
            "corpus.jsonl",
            b'{"_id": "d0", "text": "a"}\n{"_id": "' + SECRET.encode(),
            "corpus.jsonl, line 2",
            "not valid JSON",
        ),
        ("corpus.jsonl", b'{"_id": "d0", "text": "\xff"}', "corpus.jsonl, line 1", "not UTF-8"),
        ("queries.jsonl", lines([{"_id": "q0", "text": ""}]), "queries.jsonl, line 1", "no text"),
        ("queries.jsonl", lines([QUERIES[0], QUERIES[0]]), "queries.jsonl, line 2", "earlier row"),
        ("queries.jsonl", lines([{"_id": {SECRET: 1}, "text": "a"}]), "queries.jsonl, line 1", "_id"),
    ],
)
def test_a_bad_row_is_named_and_not_quoted(beir: Path, file: str, content: str | bytes, where: str, said: str) -> None:
    (beir / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RowError, match=said) as caught:
        own_task(beir)
    assert caught.value.where == str(beir / where)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f: (f / "corpus.jsonl").unlink(),
            r"no corpus.jsonl: a retrieval task needs corpus.jsonl \(_id, title, text\)",
        ),
        (lambda f: (f / "queries.jsonl").unlink(), "no queries.jsonl"),
        (lambda f: (f / "qrels.tsv").unlink(), "no qrels.tsv"),
        (lambda f: (f / "qrels.tsv").write_text(""), "no queries or no corpus"),
        (lambda f: (f / "qrels.tsv").write_text(tsv([("q0", "d0", 0)])), "no queries or no corpus"),
        (lambda f: (f / "corpus.jsonl").write_text(""), "document id is not in corpus"),
        (lambda f: (f / "task.yaml").write_text("type: Clustering"), "is a Retrieval task, not Clustering"),
        (lambda f: (f / "task.yaml").write_text(f"nmae: {SECRET}"), "task.yaml: nmae: .*known settings: name, description"),
        (lambda f: (f / "task.yaml").write_text(f"facet: {SECRET}"), "task.yaml: facet"),
        (lambda f: (f / "task.yaml").write_text(f"type: {SECRET}"), "task.yaml: type"),
        (lambda f: (f / "task.yaml").write_text("train: 1.5"), "task.yaml: train: .*less than 1"),
        (lambda f: (f / "task.yaml").write_text("metric: ndcg_at_7"), "metric.*ndcg_at_10"),
        (lambda f: (f / "task.yaml").write_text("metric: v_measure"), "metric.*ndcg_at_10"),
        (lambda f: (f / "task.yaml").write_text("{"), "task.yaml is not valid YAML"),
        (lambda f: (f / "task.yaml").write_text(f"- {SECRET}"), "task.yaml: the file"),
        (lambda f: (f / "task.yaml").write_bytes(b"name: \xff"), "task.yaml is not valid YAML"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(beir: Path, change: Callable[[Path], Any], said: str) -> None:
    change(beir)
    with pytest.raises(SourceError, match=said) as caught:
        own_task(beir)
    assert SECRET not in str(caught.value)


def test_the_yaml_file_is_heeded(beir: Path) -> None:
    (beir / "task.yaml").write_text("name: Ward notes\nmetric: recall_at_10\nfacet: notes\npublic: true\n", "utf-8")
    task = own_task(beir)
    assert (task.name, task.main_score, task.facet, task.public) == ("Ward notes", "recall_at_10", "notes", True)


@pytest.mark.parametrize("name", ["calls.csv", "calls.tsv", "calls.jsonl"])
def test_pairs_of_any_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("jsonl"):
        path.write_bytes(lines(pairs()))
    else:
        table(path, pairs())
    task = own_task(path)
    assert (task.name, task.type, task.main_score) == ("calls", "PairClassification", "similarity_ap")
    assert task.data == {
        "sentence1": [f"one, {i}" for i in range(10)],
        "sentence2": [f"other {i}" for i in range(10)],
        "labels": [1, 0] * 5,
    }


def test_labels_of_pairs_may_be_words(tmp_path: Path) -> None:
    path = table(tmp_path / "calls.csv", pairs(8, ["True", "no", " YES ", "0.0"]))
    assert own_task(path).data["labels"] == [1, 0, 1, 0, 1, 0, 1, 0]


def test_groups_are_kept_only_where_every_row_has_one(tmp_path: Path) -> None:
    rows = [row | {"group": f"patient {i // 2}"} for i, row in enumerate(pairs())]
    assert own_task(table(tmp_path / "a.csv", rows)).groups == [f"patient {i // 2}" for i in range(10)]
    rows[3]["group"] = ""
    assert own_task(table(tmp_path / "b.csv", rows)).groups is None


def test_classification_is_split_by_its_texts_and_not_by_their_order(tmp_path: Path) -> None:
    rows = labelled()
    task = own_task(table(tmp_path / "notes.csv", rows))
    assert (task.type, task.main_score) == ("Classification", "f1")
    train, test = set(task.data["train_texts"]), set(task.data["texts"])
    assert len(train) + len(test) == 200
    assert 0.2 < len(train) / 200 < 0.4
    again = own_task(table(tmp_path / "again.csv", rows[::-1]))
    assert set(again.data["train_texts"]) == train
    (tmp_path / "again.yaml").write_text("train: 0.8\nseed: 1\n", "utf-8")
    other = own_task(tmp_path / "again.csv")
    assert 0.7 < len(other.data["train_texts"]) / 200 < 0.9
    for one in (task, again, other):
        wanted = {row["text"]: row["label"] for row in rows}
        for texts, labels in (("texts", "labels"), ("train_texts", "train_labels")):
            assert [wanted[text] for text in one.data[texts]] == one.data[labels]


def test_a_split_column_is_heeded(tmp_path: Path) -> None:
    rows = labelled(20, split=lambda i: "Train" if i < 8 else "test")
    task = own_task(table(tmp_path / "notes.tsv", rows))
    assert task.data["train_texts"] == [row["text"] for row in rows[:8]]
    assert task.data["texts"] == [row["text"] for row in rows[8:]]


def test_a_group_stays_on_one_side(tmp_path: Path) -> None:
    task = own_task(table(tmp_path / "notes.csv", labelled(200, group=lambda i: f"patient {i // 10}")))
    group = {row["text"]: row["group"] for row in labelled(200, group=lambda i: f"patient {i // 10}")}
    sides = [{group[text] for text in task.data[column]} for column in ("texts", "train_texts")]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert task.groups == [group[text] for text in task.data["texts"]]


@pytest.mark.parametrize("more", [{}, {"group": str}, {"split": lambda i: ("train", "test")[i // 10 % 2]}])
def test_equal_texts_never_stand_on_both_sides(tmp_path: Path, more: dict[str, Callable[[int], str]]) -> None:
    rows = [row | {"text": f"note {i // 2 % 65}{'!' * (i % 2)}"} for i, row in enumerate(labelled(200, **more))]
    task = own_task(table(tmp_path / "notes.csv", rows))
    train, test = ({text_key(text) for text in task.data[column]} for column in ("train_texts", "texts"))
    assert train
    assert test
    assert not train & test
    gone = 200 - len(task.data["train_texts"]) - len(task.data["texts"])
    assert task.counts["train_texts_equal_to_test"] == gone
    assert gone > 0 if more else gone == 0


def test_labels_that_no_training_text_has_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = labelled(20, split=lambda i: "train" if i < 10 else "test")
    rows[15]["label"] = rows[16]["label"] = "c"
    task = own_task(table(tmp_path / "notes.csv", rows))
    assert task.n == 8
    assert task.counts["texts_of_unknown_label"] == 2


def test_clustering_if_the_yaml_file_says_so(tmp_path: Path) -> None:
    path = table(tmp_path / "notes.csv", labelled(20, group=str))
    (tmp_path / "notes.yaml").write_text("type: Clustering\n", "utf-8")
    task = own_task(path)
    assert (task.type, task.main_score, task.n) == ("Clustering", "v_measure", 20)
    assert task.data["sentences"] == [row["text"] for row in labelled(20)]
    assert task.groups == [str(i) for i in range(20)]


@pytest.mark.parametrize("named", ["PairClassification", "Retrieval"])
def test_a_type_that_the_layout_is_not_is_refused(tmp_path: Path, named: str) -> None:
    path = table(tmp_path / "notes.csv", labelled(20))
    (tmp_path / "notes.yaml").write_text(f"type: {named}\n", "utf-8")
    with pytest.raises(SourceError, match=f"not {named}"):
        own_task(path)
    path = table(tmp_path / "calls.csv", pairs())
    (tmp_path / "calls.yaml").write_text("type: Clustering\n", "utf-8")
    with pytest.raises(SourceError, match="not Clustering"):
        own_task(path)


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        (f"sentence1,sentence2,label\na,b,1\n{SECRET},b,perhaps\n", "line 3", "the label of a pair is neither 1 nor 0"),
        (f"sentence1,sentence2,label\na,b,1\n{SECRET},,0\n", "line 3", "sentence2"),
        (f"sentence1,sentence2,label\n' ,b,1\n  ,{SECRET},0\n", "line 3", "sentence1"),
        (f"text,label\na,b\n{SECRET},\n", "line 3", "no label: every row needs label"),
        (f"text,label\na,b\n ,{SECRET}\n", "line 3", "text"),
        (f"text,category\n{SECRET},b\n", "line 2", "no label"),
        (f"text,label,split\na,b,train\n{SECRET},c,dev\n", "line 3", "split is neither train nor test"),
        (f"text,label\na,b\n{SECRET},c,d\n", "line 3", "3 cells where the header has 2"),
    ],
)
def test_a_bad_row_of_a_table_is_named_and_not_quoted(tmp_path: Path, content: str, where: str, said: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(RowError, match=said) as caught:
        own_task(path)
    assert caught.value.where == f"{path}, {where}"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data.csv", "", "has no rows"),
        ("data.csv", "text,label\n", "has no rows"),
        ("data.csv", f"txt,label\n{SECRET},b\n", "has no column text: it needs text,label or sentence1,sentence2,label"),
        ("data.csv", f"text,label\n{SECRET},b\nb,b\n", "data"),
        ("data.csv", f"text,label,split\n{SECRET},a,test\nb,b,test\n", "data"),
        ("data.csv", "sentence1,sentence2,label\na,b,1\nc,d,1\n", "all items have one label"),
        ("data.csv", "text,text\na,b\n", "two columns have the same name"),
        ("data.txt", SECRET, "a task is a CSV or TSV of text,label"),
        ("data.docx", SECRET, "a task is a CSV or TSV of text,label"),
        ("data.csv.gz", "not packed", "damaged or cut-off gzip"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(SourceError, match=said) as caught:
        own_task(tmp_path / name)
    assert SECRET not in str(caught.value)


def test_a_metric_must_be_of_the_type(tmp_path: Path) -> None:
    path = table(tmp_path / "notes.csv", labelled(50))
    for metric, good in (("accuracy", True), ("ndcg_at_10", False)):
        (tmp_path / "notes.yaml").write_text(f"metric: {metric}\n", "utf-8")
        if good:
            assert own_task(path).main_score == metric
        else:
            with pytest.raises(SourceError, match="metric is none of this type"):
                own_task(path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no task at .*nowhere: give a folder in BEIR's layout, or a CSV or TSV file"):
        own_task(tmp_path / "nowhere")


def test_own_tasks_make_a_suite_with_names_fit_for_files(beir: Path, tmp_path: Path) -> None:
    (beir / "task.yaml").write_text("name: ../../Ward notes (May)\n", "utf-8")
    suite = own_suite([beir, table(tmp_path / "calls.csv", pairs())])
    assert (suite.name, suite.mode, [task.name for task in suite.tasks]) == (OWN, "strict", ["Ward-notes-May", "calls"])
    assert suite.inputs.keys() == {"Ward-notes-May", "calls"}
    with pytest.raises(MedloomError, match="two tasks are called calls: set name: in the YAML"):
        own_suite([tmp_path / "calls.csv", table(tmp_path / "calls.tsv", pairs())])


def test_a_suite_of_changed_data_has_another_fingerprint(tmp_path: Path) -> None:
    rows = pairs()
    before = own_suite([table(tmp_path / "calls.csv", rows)])
    rows[0]["sentence1"] = "another sentence"
    after = own_suite([table(tmp_path / "calls.csv", rows)])
    assert before.fingerprint != after.fingerprint
    assert replace(before.tasks[0], data=after.tasks[0].data) == after.tasks[0]
