"""Which way of searching finds most: matching of ids, metrics, weights, differences."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.search.asked import chunk, index_of

from medloom.errors import RowError, SearchError, SourceError
from medloom.search.evaluate import evaluate
from medloom.search.index import Index
from medloom.search.judged import JudgedQueries, matched, measure, read_judged
from medloom.search.query import SearchSettings
from medloom.search.records import Chunk
from medloom.search.store import Floats
from medloom.search.weights import learn_weights, split

SYMPTOMS = ("heart", "pain", "fever", "child", "rash", "tablet", "sugar", "joint")
COUNT = 60


def a_text(n: int) -> str:
    one, other = SYMPTOMS[n % 8], SYMPTOMS[(n // 8) % 8]
    return f"{one} {one} {other} code{n}"


@pytest.fixture(scope="module")
def index() -> Index:
    """Documents that only a word tells apart, which the vectors do not know: BM25 must win."""
    return index_of([chunk(f"d{n}", a_text(n)) for n in range(COUNT)])


@pytest.fixture(scope="module")
def judged() -> JudgedQueries:
    queries = {f"q{n}": f"{SYMPTOMS[n % 8]} code{n}" for n in range(COUNT)}
    return JudgedQueries("codes", queries, {f"q{n}": {f"d{n}": 1} for n in range(COUNT)})


def write_task(folder: Path, judged: JudgedQueries) -> Path:
    folder.mkdir()
    lines = [json.dumps({"_id": q, "text": text}) for q, text in judged.queries.items()]
    (folder / "queries.jsonl").write_text("\n".join(lines), "utf-8")
    rows = [f"{q}\t{d}\t{value}" for q, one in judged.qrels.items() for d, value in one.items()]
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]), "utf-8")
    return folder


def test_systems_are_judged_on_the_same_queries_with_intervals(index: Index, judged: JudgedQueries) -> None:
    report = evaluate(index, judged, resamples=500)
    scores = {s.name: s.scores for s in report.systems}
    assert list(scores) == ["dense", "lexical", "fused"]
    assert (report.queries, report.dev_queries, report.missing, report.weights) == (COUNT, 0, 0, {})
    assert scores["lexical"]["ndcg_at_10"].score == scores["lexical"]["mrr_at_10"].score == 1.0
    assert scores["dense"]["ndcg_at_10"].score < scores["fused"]["ndcg_at_10"].score < 1.0
    for score in (one for by_metric in scores.values() for one in by_metric.values()):
        assert score.low <= score.score <= score.high
    worse = next(d for d in report.differences if (d.one, d.other) == ("dense", "lexical"))
    assert worse.high < 0
    assert worse.p < 0.05
    assert worse.difference == pytest.approx(scores["dense"]["ndcg_at_10"].score - 1.0)
    json.dumps(report.to_dict())


def test_weights_are_learnt_on_some_queries_and_judged_on_the_others(index: Index, judged: JudgedQueries) -> None:
    report = evaluate(index, judged, learn=0.4, resamples=500)
    scores = {s.name: s.scores["ndcg_at_10"].score for s in report.systems}
    assert report.queries + report.dev_queries == COUNT
    assert report.weights["lexical"] > 0.5
    assert scores["fused-weighted"] > scores["fused"]


def test_learnt_weights_say_what_they_are_worth_on_other_queries(index: Index, judged: JudgedQueries) -> None:
    learnt = learn_weights(index, judged.queries, judged.qrels, dev=0.5, resamples=500)
    assert sum(learnt.weights.values()) == pytest.approx(1.0)
    assert learnt.dev >= learnt.dev_equal
    assert learnt.held_out > learnt.equal
    assert learnt.difference.low <= learnt.held_out - learnt.equal <= learnt.difference.high
    assert learnt.p < 0.05
    assert learnt.dev_queries + learnt.held_out_queries == COUNT
    assert learn_weights(index, judged.queries, judged.qrels, dev=0.5, resamples=500) == learnt


def test_equal_queries_fall_on_one_side() -> None:
    queries = {f"q{n}": f"text {n // 2}" for n in range(200)}
    learning, judging = split(JudgedQueries("n", queries, {q: {"d": 1} for q in queries}), 0.3, seed=1)
    assert not set(learning.queries.values()) & set(judging.queries.values())
    assert 20 < len(learning.queries) < 100
    with pytest.raises(SearchError, match="give more queries"):
        split(JudgedQueries("n", {"q": "text"}, {"q": {"d": 1}}), 0.5, seed=1)


class Oracle:
    """Knows which document has the code that is asked for."""

    def __call__(self, query: str, chunks: list[Chunk]) -> Floats:
        return np.array([query.split()[-1] == one.text.split()[-1] for one in chunks], dtype=np.float32)


def test_a_reranker_is_judged_on_what_fusion_found(index: Index, judged: JudgedQueries) -> None:
    report = evaluate(index, judged, SearchSettings(depth=20), reranker=Oracle(), resamples=500)  # type: ignore[arg-type]
    scores = {s.name: s.scores for s in report.systems}
    assert scores["re-ranked"]["ndcg_at_10"].score == 1.0 > scores["fused"]["ndcg_at_10"].score
    assert scores["re-ranked"]["recall_at_100"] == scores["fused"]["recall_at_100"]


def test_documents_that_the_index_lacks_count_as_not_found(index: Index) -> None:
    judged = JudgedQueries("n", {"q": "heart code0"}, {"q": {"d0": 1, "gone": 1}})
    known, missing = matched(index, judged)
    assert missing == 1
    assert known.qrels == {"q": {"notes:d0": 1, "?:gone": 1}}
    report = evaluate(index, judged, resamples=100)
    assert report.systems[1].scores["recall_at_100"].score == 0.5
    with pytest.raises(SearchError, match="none of the relevant documents"):
        matched(index, JudgedQueries("n", {"q": "heart"}, {"q": {"gone": 1}}))


def test_an_id_of_two_sources_needs_its_source() -> None:
    index = index_of([chunk("d", "heart", source="a"), chunk("d", "pain", source="b")])
    with pytest.raises(SearchError, match="source:id"):
        matched(index, JudgedQueries("n", {"q": "pain"}, {"q": {"d": 1}}))
    known, missing = matched(index, JudgedQueries("n", {"q": "pain"}, {"q": {"b:d": 1}}))
    assert (known.qrels, missing) == ({"q": {"b:d": 1}}, 0)


def test_metrics_by_hand() -> None:
    judged = JudgedQueries("n", {"a": "x", "b": "y"}, {"a": {"1": 1, "2": 1}, "b": {"3": 1, "1": 0}})
    found = measure({"a": ["9", "1"], "b": []}, judged)
    assert found["mrr_at_10"].tolist() == [0.5, 0.0]
    assert found["recall_at_100"].tolist() == [0.5, 0.0]
    best = 1 + 1 / np.log2(3)
    assert found["ndcg_at_10"] == pytest.approx([(1 / np.log2(3)) / best, 0.0])


def test_tasks_are_read_with_and_without_a_corpus(tmp_path: Path, judged: JudgedQueries) -> None:
    folder = write_task(tmp_path / "codes", judged)
    assert read_judged(folder) == judged
    lines = [json.dumps({"_id": f"d{n}", "text": a_text(n)}) for n in range(COUNT)]
    (folder / "corpus.jsonl").write_text("\n".join(lines), "utf-8")
    assert read_judged(folder) == judged


def test_what_is_no_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no task"):
        read_judged(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="queries"):
        read_judged(tmp_path)
    folder = write_task(tmp_path / "one", JudgedQueries("n", {"q": "x"}, {"q": {"d": 0}}))
    with pytest.raises(SearchError, match="no query has a relevant document"):
        read_judged(folder)
    folder = write_task(tmp_path / "two", JudgedQueries("n", {"q": "x"}, {"p": {"d": 1}}))
    with pytest.raises(RowError, match=r"its query id is not in queries\.jsonl"):
        read_judged(folder)
    table = tmp_path / "pairs.csv"
    table.write_text("sentence1,sentence2,label\nheart,cardiac,1\nheart,rash,0\n", "utf-8")
    with pytest.raises(SearchError, match="PairClassification task"):
        read_judged(table)
