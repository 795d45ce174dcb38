"""What is asked, of what, and what is right."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from medloom.evaluate import EvaluateConfig, Task, build_suite
from medloom.evaluate.tasks import check
from medloom.mine import PairsConfig, pairs_of
from medloom.records import Document, Section, Synonym, TrainingRecord
from medloom.text import text_key


def build(
    documents: Sequence[Document], records: Sequence[TrainingRecord] | None = None, seed: int = 1, **settings: Any
) -> tuple[dict[str, Task], dict[str, str]]:
    if records is None:
        records = [r for d in documents for r in pairs_of(d, PairsConfig(), {})]
    left_out: dict[str, str] = {}
    config = EvaluateConfig(**({"min_items": 2} | settings))
    tasks = build_suite(documents, iter(records), config, seed, left_out)
    assert len({t.name for t in tasks}) == len(tasks)
    return {t.name: t for t in tasks}, left_out


def pair(query: str, positive: str, doc_id: str, kind: str = "lay_name", source: str = "s") -> TrainingRecord:
    return TrainingRecord(query, (positive,), kind, source, doc_id)


def right(task: Task, query: str) -> set[str]:
    """Texts that answer a query."""
    (found,) = (q for q, text in task.data["queries"].items() if text == query)
    return {task.data["corpus"][i] for i in task.data["qrels"][found]}


def test_every_type_is_built(suite: list[Task]) -> None:
    assert [(t.name, t.type) for t in suite] == [
        ("toy-lay-name", "Retrieval"),
        ("toy-name-definition", "Retrieval"),
        ("toy-synonym-name", "Retrieval"),
        ("toy-synonym-pairs", "PairClassification"),
        ("toy-categories", "Clustering"),
    ]
    assert {t.source for t in suite} == {"toy"}
    assert all(t.description for t in suite)


def test_every_query_has_an_answer_in_the_corpus(suite: list[Task]) -> None:
    for task in suite:
        if task.type == "Retrieval":
            assert len(task.data["queries"]) == 30
            assert task.data["queries"].keys() == task.data["qrels"].keys()
            assert all(judged and judged.keys() <= task.data["corpus"].keys() for judged in task.data["qrels"].values())
            assert {v for judged in task.data["qrels"].values() for v in judged.values()} == {1}
            assert len({text_key(t) for t in task.data["corpus"].values()}) == len(task.data["corpus"]) == 80


def test_only_the_types_asked_for(concepts: list[Document]) -> None:
    tasks, left_out = build(concepts, types=("Clustering",))
    assert list(tasks) == ["toy-categories"]
    assert left_out == {}


def test_tasks_of_two_sources_are_apart() -> None:
    documents = [Document(str(i), s, f"{s} title {i}", f"{s} text {i}") for s in ("a", "b") for i in range(3)]
    tasks, _ = build(documents)
    assert list(tasks) == ["a-title-text", "b-title-text"]
    assert all(text.startswith("a ") for text in tasks["a-title-text"].data["corpus"].values())


def test_answers_of_one_query_are_merged() -> None:
    documents = [Document(str(i), "s", name) for i, name in enumerate(["Fever", "Heat", "Chill"])]
    records = [pair("Feeling hot?", "Fever", "0"), pair("feeling HOT", "Heat", "1"), pair("cold", "Chill", "2")]
    task = build(documents, records)[0]["s-lay-name"]
    assert sorted(task.data["queries"].values()) == ["Feeling hot?", "cold"]
    assert right(task, "Feeling hot?") == {"Fever", "Heat"}
    assert right(task, "cold") == {"Chill"}


def test_equal_texts_are_one_entry_of_the_corpus() -> None:
    documents = [Document(str(i), "s", name) for i, name in enumerate(["Fever", "FEVER!", "fever", "Chill"])]
    records = [pair("hot", "Fever", "0"), pair("cold", "Chill", "3")]
    task = build(documents, records)[0]["s-lay-name"]
    assert sorted(task.data["corpus"].values()) == ["Chill", "Fever"]


def test_a_text_equal_to_the_query_is_right_too() -> None:
    """What a model finds for a query that is itself a term must not count as wrong."""
    documents = [Document(str(i), "s", name) for i, name in enumerate(["Fever", "Pyrexia", "Chill"])]
    records = [pair("pyrexia", "Fever", "0"), pair("cold", "Chill", "2")]
    task = build(documents, records)[0]["s-lay-name"]
    assert right(task, "pyrexia") == {"Fever", "Pyrexia"}


def test_the_corpus_is_all_held_out_documents() -> None:
    documents = [Document(str(i), "s", f"title {i}", f"text {i}") for i in range(6)]
    records = [pair(f"q{i}", f"title {i}", str(i)) for i in range(2)]
    assert len(build(documents, records)[0]["s-lay-name"].data["corpus"]) == 6
    records = [pair(f"q{i}", f"text {i}", str(i), "name_definition") for i in range(2)]
    corpus = build(documents, records)[0]["s-name-definition"].data["corpus"]
    assert sorted(corpus.values()) == [f"text {i}" for i in range(6)]


def test_parts_are_searched_among_parts() -> None:
    documents = [
        Document(str(i), "s", f"title {i}", sections=(Section("Dose", f"dose {i}"), Section("Use", f"use {i}")))
        for i in range(3)
    ]
    task = build(documents)[0]["s-heading-section"]
    assert sorted(task.data["corpus"].values()) == [f"{part} {i}" for part in ("dose", "use") for i in range(3)]
    assert right(task, "title 1: Dose") == {"dose 1"}


def test_a_long_text_is_not_in_the_corpus_twice() -> None:
    """A positive is cut; the whole text of its own document must not stand beside it as a wrong answer."""
    documents = [Document(str(i), "s", f"title {i}", f"text {i} " + "word " * 100) for i in range(3)]
    records = [r for d in documents for r in pairs_of(d, PairsConfig(max_chars=60), {})]
    assert len(build(documents, records)[0]["s-title-text"].data["corpus"]) == 3


def test_documents_of_which_only_some_pairs_are_drawn_stay_in_the_corpus_as_they_are() -> None:
    documents = [Document(str(i), "s", f"title {i}") for i in range(30)]
    records = [pair(f"q{i}", f"title {i}", str(i)) for i in range(20)]
    task = build(documents, records, max_queries=5)[0]["s-lay-name"]
    assert len(task.data["queries"]) == 5
    assert len(task.data["corpus"]) == 30


def test_caps_keep_what_answers_a_query() -> None:
    documents = [Document(str(i), "s", f"title {i}") for i in range(50)]
    records = [pair(f"q{i}", f"title {i}", str(i)) for i in range(20)]
    task = build(documents, records, max_corpus=30)[0]["s-lay-name"]
    assert len(task.data["corpus"]) == 30
    assert {f"title {i}" for i in range(20)} <= set(task.data["corpus"].values())
    task = build(documents, records, max_corpus=3)[0]["s-lay-name"]
    assert sorted(task.data["corpus"].values()) == sorted(f"title {i}" for i in range(20))
    assert all(task.data["qrels"].values())


def test_draws_depend_on_the_seed_and_not_on_the_order() -> None:
    documents = [Document(str(i), "s", f"title {i}") for i in range(50)]
    records = [pair(f"q{i}", f"title {i}", str(i)) for i in range(50)]

    def drawn(seed: int, order: int) -> tuple[set[str], set[str]]:
        task = build(documents[::order], records[::order], seed, max_queries=10, max_corpus=20)[0]["s-lay-name"]
        return set(task.data["queries"].values()), set(task.data["corpus"].values())

    assert drawn(1, 1) == drawn(1, -1)
    assert drawn(1, 1) != drawn(2, 1)


def test_tasks_that_are_too_small_are_left_out_and_said_so(concepts: list[Document]) -> None:
    tasks, left_out = build(concepts[:3], min_items=50)
    assert tasks == {}
    assert left_out["toy-lay-name"] == "3 held-out queries, fewer than evaluate.min_items (50)"
    assert left_out["toy-synonym-pairs"].startswith("3 held-out synonyms") or "6 held-out" in left_out["toy-synonym-pairs"]
    assert "evaluate.min_items" in left_out["toy-synonym-pairs"]
    assert left_out["toy-categories"] == "fewer than two categories with 10 held-out documents"


def test_prose_has_neither_synonyms_nor_categories_to_leave_out() -> None:
    documents = [Document(str(i), "s", f"title {i}", f"text {i}") for i in range(3)]
    tasks, left_out = build(documents)
    assert list(tasks) == ["s-title-text"]
    assert left_out == {}


# Synonyms against siblings


def family() -> list[Document]:
    return [
        Document("up", "s", "Up"),
        *(
            Document(n, "s", f"Name {n}", synonyms=(Synonym(f"alias {n}"), Synonym(f"wide {n}", "broad")), parents=("up",))
            for n in "abc"
        ),
        Document("only", "s", "Only child", synonyms=(Synonym("lonely"),), parents=("a",)),
    ]


def test_a_synonym_with_its_own_name_and_a_siblings() -> None:
    task = build(family())[0]["s-synonym-pairs"]
    rows = list(zip(task.data["sentence1"], task.data["sentence2"], task.data["labels"], strict=True))
    true = {(a, b) for a, b, label in rows if label == 1}
    false = {(a, b) for a, b, label in rows if label == 0}
    assert true == {(f"alias {n}", f"Name {n}") for n in "abc"}
    assert {a for a, _ in false} == {f"alias {n}" for n in "abc"}
    assert all(b in {f"Name {n}" for n in "abc"} and b[-1] != a[-1] for a, b in false)
    assert Counter(task.data["labels"]) == {1: 3, 0: 3}


def test_a_siblings_name_that_is_the_synonym_is_no_negative() -> None:
    documents = [
        Document("a", "s", "Name a", synonyms=(Synonym("Name b"), Synonym("alias a")), parents=("up",)),
        Document("b", "s", "Name b", synonyms=(Synonym("alias b"),), parents=("up",)),
        Document("c", "s", "Name c", synonyms=(Synonym("alias c"),), parents=("up",)),
    ]
    task = build(documents)[0]["s-synonym-pairs"]
    for a, b, label in zip(task.data["sentence1"], task.data["sentence2"], task.data["labels"], strict=True):
        if label == 0:
            assert text_key(a) != text_key(b)


def test_pairs_are_capped_by_positives() -> None:
    task = build(family(), max_queries=2)[0]["s-synonym-pairs"]
    assert Counter(task.data["labels"]) == {1: 2, 0: 2}


# Categories


def test_clusters_are_of_documents_with_one_category() -> None:
    documents = [Document(f"{c}{i}", "s", f"{c} {i}", categories=(c,)) for c in ("x", "y") for i in range(12)]
    documents += [Document(f"z{i}", "s", f"z {i}", categories=("z",)) for i in range(9)]
    documents += [Document("both", "s", "both", categories=("x", "y")), Document("none", "s", "none")]
    task = build(documents)[0]["s-categories"]
    assert Counter(task.data["labels"]) == {"x": 12, "y": 12}
    assert all(s[0] == label for s, label in zip(task.data["sentences"], task.data["labels"], strict=True))


def test_clusters_are_capped() -> None:
    documents = [Document(f"{c}{i}", "s", f"{c} {i}", categories=(c,)) for c in ("x", "y") for i in range(50)]
    task = build(documents, max_documents=60)[0]["s-categories"]
    assert len(task.data["sentences"]) == 60


def test_what_is_to_encode(suite: list[Task]) -> None:
    by_name = {t.name: t for t in suite}
    retrieval = by_name["toy-lay-name"]
    assert Counter(role for role, _ in retrieval.texts) == {"query": 30, "document": 80}
    pairs_ = by_name["toy-synonym-pairs"]
    assert list(pairs_.texts) == [("", t) for t in pairs_.data["sentence1"] + pairs_.data["sentence2"]]
    clusters = by_name["toy-categories"]
    assert list(clusters.texts) == [("", t) for t in clusters.data["sentences"]]


def test_what_is_built_is_whole(suite: list[Task], config: EvaluateConfig) -> None:
    for task in suite:
        assert check(task) is task
    (clusters,) = (t for t in suite if t.type == "Clustering")
    assert clusters.settings == {"n_clusters": config.clusterings}


@pytest.mark.parametrize("bad", [{"max_queries": 0}, {"resamples": 5}, {"clusterings": 1}, {"types": ("STS",)}])
def test_settings_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        EvaluateConfig(**bad)
