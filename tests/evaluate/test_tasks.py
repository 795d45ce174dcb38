"""A task: what it reads, what it is, and whether it is whole."""

import re
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from medloom.errors import StageError
from medloom.evaluate.tasks import METRICS, TASK_TYPES, UNITS, Task, TaskType, check, class_numbers

DATA: dict[TaskType, dict[str, Any]] = {
    "Retrieval": {
        "queries": {"q1": "hot", "q2": "cold"},
        "corpus": {"d1": "fever", "d2": "chill", "d3": "rash"},
        "qrels": {"q1": {"d1": 2, "d3": 0}, "q2": {"d2": 1}},
        "candidates": {"q1": ["d1", "d2"], "q2": ["d3"]},
        "groups": ["a", "b"],
    },
    "PairClassification": {
        "sentence1": ["hot", "cold", "itch"],
        "sentence2": ["fever", "fever", "rash"],
        "labels": [1, 0, 1],
        "groups": ["a", "a", "b"],
    },
    "Clustering": {"sentences": ["heart", "lung", "rash"], "labels": ["organ", "organ", "sign"]},
    "Classification": {
        "texts": ["heart", "rash"],
        "labels": ["organ", "sign"],
        "train_texts": ["lung", "fever", "cough"],
        "train_labels": ["organ", "sign", "sign"],
    },
    "STS": {"sentence1": ["hot", "cold"], "sentence2": ["fever", "fever"], "labels": [4.5, 0]},
    "MinimalPairs": {"anchors": ["no fever", "fever"], "rights": ["cool", "hot"], "wrongs": ["hot", "cool"]},
}
N = {"Retrieval": 2, "PairClassification": 3, "Clustering": 3, "Classification": 2, "STS": 2, "MinimalPairs": 2}


def task(type_: TaskType, **changes: Any) -> Task:
    data = deepcopy(DATA[type_]) | changes.pop("data", {})
    return Task("t", type_, "toy", "d", data, **changes)


def changed(value: Any) -> Any:
    """The same kind of value, but another."""
    if isinstance(value, Mapping):
        first, *rest = value.items()
        return {first[0]: changed(first[1]), **dict(rest)}
    if isinstance(value, list):
        return [changed(value[0]), *value[1:]]
    return f"{value} more" if isinstance(value, str) else value + 1


@pytest.mark.parametrize("type_", TASK_TYPES)
def test_whole_tasks_pass(type_: TaskType) -> None:
    whole = task(type_)
    assert check(whole) is whole
    assert whole.n == N[type_]
    assert whole.main_score == METRICS[type_]
    assert type_ in UNITS
    assert whole.groups == DATA[type_].get("groups")


def test_the_metric_can_be_chosen() -> None:
    assert task("Retrieval", metric="recall_at_20").main_score == "recall_at_20"
    assert check(task("Retrieval", metric="recall_at_20")).metric == "recall_at_20"
    assert check(task("Retrieval", metric="map_at_1000")).metric == "map_at_1000"


@pytest.mark.parametrize("type_", TASK_TYPES)
def test_every_text_is_read(type_: TaskType) -> None:
    expected = {
        "Retrieval": [
            *[("query", text) for text in ("hot", "cold")],
            *[("document", text) for text in ("fever", "chill", "rash")],
        ],
        "PairClassification": [("", text) for text in ("hot", "cold", "itch", "fever", "fever", "rash")],
        "Clustering": [("", text) for text in ("heart", "lung", "rash")],
        "Classification": [("", text) for text in ("heart", "rash", "lung", "fever", "cough")],
        "STS": [("", text) for text in ("hot", "cold", "fever", "fever")],
        "MinimalPairs": [("", text) for text in ("no fever", "fever", "cool", "hot", "hot", "cool")],
    }
    assert Counter(task(type_).texts) == Counter(expected[type_])


def test_classes_are_numbered_in_their_order() -> None:
    assert class_numbers({"train_labels": ["b", "c", "b"], "labels": ["a", "b"]}) == {"a": 0, "b": 1, "c": 2}


# Fingerprints


def backwards(value: Any) -> Any:
    """The same with every mapping in the opposite order."""
    if isinstance(value, Mapping):
        return {key: backwards(value[key]) for key in reversed(value)}
    return value


@pytest.mark.parametrize("type_", TASK_TYPES)
def test_the_order_of_ids_and_columns_is_nothing(type_: TaskType) -> None:
    one = task(type_, settings={"a": 1, "b": 2})
    data = backwards(one.data)
    if type_ == "Retrieval":
        data["groups"] = one.data["groups"][::-1]
        assert list(data["queries"]) != list(one.data["queries"])
    other = replace(one, data=data, settings={"b": 2, "a": 1})
    assert other.fingerprint == one.fingerprint
    assert re.fullmatch("[0-9a-f]{64}", one.fingerprint)


@pytest.mark.parametrize(("type_", "column"), [(t, column) for t in TASK_TYPES for column in DATA[t]])
def test_any_other_text_label_or_id_is_another_task(type_: TaskType, column: str) -> None:
    one = task(type_)
    other = task(type_, data={column: changed(one.data[column])})
    assert other.data[column] != one.data[column]
    assert other.fingerprint != one.fingerprint


def test_every_part_of_a_retrieval_task_counts() -> None:
    one = task("Retrieval")
    others = [
        {"queries": {"q3": "hot", "q2": "cold"}},
        {"corpus": DATA["Retrieval"]["corpus"] | {"d4": "cough"}},
        {"qrels": {"q1": {"d1": 2, "d3": 0}, "q2": {"d3": 1}}},
        {"qrels": {"q1": {"d1": 2}, "q2": {"d2": 1}}},
        {"candidates": {"q1": ["d1", "d2"], "q2": ["d2"]}},
        {"groups": ["a", "a"]},
        {"groups": ["b", "a"]},
    ]
    assert len({one.fingerprint, *(task("Retrieval", data=other).fingerprint for other in others)}) == 1 + len(others)


def test_the_order_of_items_counts_where_they_have_no_ids() -> None:
    one = task("Clustering")
    turned = {column: values[::-1] for column, values in one.data.items()}
    assert task("Clustering", data=turned).fingerprint != one.fingerprint


def test_settings_and_metric_count_and_names_do_not() -> None:
    one = task("Classification", settings={"n_experiments": 10})
    assert replace(one, settings={"n_experiments": 9}).fingerprint != one.fingerprint
    assert replace(one, settings={}).fingerprint != one.fingerprint
    assert replace(one, metric="accuracy").fingerprint != one.fingerprint
    assert replace(one, metric="f1").fingerprint == one.fingerprint
    same = replace(one, name="u", source="v", description="w", facet="notes", public=False, counts={"dropped": 1})
    assert same.fingerprint == one.fingerprint


def test_texts_cannot_run_into_each_other() -> None:
    one = task("Clustering", data={"sentences": ["a b", "c", "d"]})
    assert one.fingerprint != task("Clustering", data={"sentences": ["a", "b c", "d"]}).fingerprint


# Damage

DAMAGE: list[tuple[TaskType, dict[str, Any], str]] = [
    ("Retrieval", {"queries": {}}, "no queries or no corpus"),
    ("Retrieval", {"corpus": {}}, "no queries or no corpus"),
    ("Retrieval", {"qrels": {"q1": {"d1": 1}}}, "1 queries without a relevant document, such as q2"),
    ("Retrieval", {"qrels": {"q1": {"d1": 1}, "q2": {"d2": 0}}}, "1 queries without a relevant document, such as q2"),
    ("Retrieval", {"qrels": {"q1": {"d1": 1}, "q2": {"d2": -1}}}, "1 queries without a relevant document, such as q2"),
    ("Retrieval", {"qrels": {"q1": {"d1": 1, "d9": 1}, "q2": {"d2": 1}}}, "1 judged documents .* such as d9"),
    ("Retrieval", {"qrels": {"q1": {"d1": 1, "d9": 0}, "q2": {"d2": 1}}}, "1 judged documents .* such as d9"),
    ("Retrieval", {"qrels": DATA["Retrieval"]["qrels"] | {"q9": {"d1": 1}}}, "1 judged queries are not asked, such as q9"),
    ("Retrieval", {"candidates": {"q1": ["d1"]}}, "1 queries without candidates, such as q2"),
    ("Retrieval", {"candidates": {"q1": ["d1"], "q2": []}}, "1 queries without candidates, such as q2"),
    ("Retrieval", {"candidates": {"q1": ["d1"], "q2": ["d9"]}}, "1 candidates are not in the corpus, such as d9"),
    ("Retrieval", {"groups": ["a"]}, "1 groups for 2 items"),
    ("Retrieval", {"queries": {"q1": None, "q2": "cold"}}, "1 texts are no text"),
    ("PairClassification", {"sentence1": ["hot", "cold"]}, "columns of unlike or no length"),
    ("PairClassification", {"labels": [1, 0]}, "columns of unlike or no length"),
    ("PairClassification", {"labels": [1, 1, 1]}, "all items have one label"),
    ("PairClassification", {"labels": [1, 0, 2]}, "1 labels are not 1 or 0"),
    ("PairClassification", {"labels": ["1", "0", "1"]}, "3 labels are not 1 or 0"),
    ("PairClassification", {"groups": ["a", "b"]}, "2 groups for 3 items"),
    ("PairClassification", {"sentence2": ["fever", 3, "rash"]}, "1 texts are no text"),
    ("PairClassification", {"sentence1": [], "sentence2": [], "labels": []}, "columns of unlike or no length"),
    ("Clustering", {"labels": ["organ"] * 3}, "all items have one label"),
    ("Clustering", {"labels": ["organ", "organ", 1]}, "1 labels are not strings"),
    ("Clustering", {"sentences": ["heart"]}, "columns of unlike or no length"),
    ("Classification", {"train_labels": ["organ", "sign"]}, "train_texts and train_labels differ in length"),
    ("Classification", {"train_labels": ["organ"] * 3}, "1 labels have no training text"),
    ("Classification", {"labels": ["sign", "sign"]}, "all items have one label"),
    ("Classification", {"texts": []}, "columns of unlike or no length"),
    ("Classification", {"train_texts": ["lung", None, "cough"]}, "1 texts are no text"),
    ("STS", {"labels": [1.0, 1.0]}, "all items have one label"),
    ("STS", {"labels": [1.0, float("nan")]}, "1 labels are not numbers"),
    ("STS", {"labels": [1.0, float("inf")]}, "1 labels are not numbers"),
    ("STS", {"labels": ["a", "b"]}, "2 labels are not numbers"),
    ("STS", {"sentence2": ["fever"]}, "columns of unlike or no length"),
    ("MinimalPairs", {"wrongs": ["hot"]}, "columns of unlike or no length"),
    ("MinimalPairs", {"anchors": [], "rights": [], "wrongs": []}, "columns of unlike or no length"),
    ("MinimalPairs", {"groups": ["a"]}, "1 groups for 2 items"),
]


@pytest.mark.parametrize(("type_", "damage", "message"), DAMAGE)
def test_damage_is_found(type_: TaskType, damage: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError, match=rf"^task t \({type_}\): .*{message}"):
        check(task(type_, data=damage))


@pytest.mark.parametrize(
    ("type_", "column"), [(t, column) for t in TASK_TYPES for column in DATA[t] if column not in ("groups", "candidates")]
)
def test_a_missing_column_is_named(type_: TaskType, column: str) -> None:
    data = {key: value for key, value in DATA[type_].items() if key != column}
    with pytest.raises(StageError, match=f"its data have no {column}$"):
        check(Task("t", type_, "toy", "d", data))


@pytest.mark.parametrize(
    ("type_", "metric"),
    [
        ("Retrieval", "ndcg_at_7"),
        ("Retrieval", "similarity_ap"),
        ("PairClassification", "similarity_accuracy"),
        ("Classification", "f1_weighted"),
        ("Clustering", "ami"),
        ("STS", "cosine_pearson"),
        ("MinimalPairs", "ties"),
    ],
)
def test_a_metric_that_has_no_interval_is_refused(type_: TaskType, metric: str) -> None:
    with pytest.raises(StageError, match=rf"its metric is none of this type: choose one of .*{METRICS[type_]}"):
        check(task(type_, metric=metric))


def test_deep_metrics_are_for_candidates_only() -> None:
    data = {key: value for key, value in DATA["Retrieval"].items() if key != "candidates"}
    with pytest.raises(StageError, match="its metric is none of this type"):
        check(Task("t", "Retrieval", "toy", "d", data, metric="map_at_1000"))


def test_messages_quote_no_text() -> None:
    for type_, damage, _ in DAMAGE:
        with pytest.raises(StageError) as error:
            check(task(type_, data=damage))
        assert not re.search(r"\b(hot|cold|fever|rash|heart|lung|organ|sign)\b", str(error.value))
