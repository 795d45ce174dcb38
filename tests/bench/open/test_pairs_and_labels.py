"""Pairs with confusable wrong names; labels, and sides that share no group."""

from collections import Counter
from collections.abc import Callable

import pytest

from medloom.bench.base import BuildRequest
from medloom.bench.open import OpenSuite
from medloom.bench.open.draw import draw, share
from medloom.bench.open.pairs import LexicalNeighbours
from medloom.evaluate.tasks import Task
from medloom.mine.relations import Relations
from medloom.records import Document

Documents = dict[str, list[Document]]
ENTRIES = OpenSuite().entries()
PAIRS = [e.name for e in ENTRIES if e.type == "PairClassification"]
CLASSIFICATION = [e.name for e in ENTRIES if e.type == "Classification"]
CLUSTERING = [e.name for e in ENTRIES if e.type == "Clustering"]


def test_neighbours_are_the_names_that_look_most_alike() -> None:
    titles = ["Broad thumb", "Broad thumbs", "Narrow thumb", "Large heart"]
    neighbours = LexicalNeighbours(Document(t, "s", t) for t in titles)
    assert [d.title for d in neighbours.of("Broad thumb")] == ["Broad thumb", "Broad thumbs", "Narrow thumb"]
    assert list(neighbours.of("zzzz")) == []


@pytest.mark.parametrize("name", PAIRS)
def test_each_right_pair_stands_beside_a_wrong_one(name: str, tasks: dict[str, Task]) -> None:
    data = tasks[name].data
    assert data["labels"] == [1, 0] * (len(data["labels"]) // 2)
    assert data["sentence1"][::2] == data["sentence1"][1::2]
    assert data["groups"][::2] == data["groups"][1::2]
    assert not set(zip(data["sentence1"][::2], data["sentence2"][::2], strict=True)) & set(
        zip(data["sentence1"][1::2], data["sentence2"][1::2], strict=True)
    )


@pytest.mark.parametrize(
    ("name", "source"), [("open-hpo-synonym-pairs", "hpo"), ("open-mesh-synonym-pairs", "mesh_diseases")]
)
def test_wrong_names_are_of_unrelated_concepts(name: str, source: str, documents: Documents, tasks: dict[str, Task]) -> None:
    relations = Relations(documents[source])
    by_title = {d.title: d for d in documents[source]}
    data = tasks[name].data
    for right, wrong, first in zip(data["sentence2"][::2], data["sentence2"][1::2], data["sentence1"][::2], strict=True):
        one, other = by_title[right], by_title[wrong]
        assert first in one.names()
        assert relations.related((source, one.id), (source, other.id)) is None


def test_parents_are_right_and_what_is_below_them_is_no_wrong_answer(documents: Documents, tasks: dict[str, Task]) -> None:
    by_title = {(d.source, d.title): d for source in ("hpo", "mesh_diseases") for d in documents[source]}
    relations = {source: Relations(documents[source]) for source in ("hpo", "mesh_diseases")}
    data = tasks["open-parent-pairs"].data
    for i in range(0, len(data["labels"]), 2):
        source = data["groups"][i].partition(":")[0]
        child = by_title[source, data["sentence1"][i]]
        parent, wrong = (by_title[source, data["sentence2"][j]] for j in (i, i + 1))
        assert parent.id in child.parents
        assert all(relations[source].related((source, one.id), (source, wrong.id)) is None for one in (child, parent))


def test_a_parent_in_vague_branches_alone_is_not_asked(ask: Callable[..., BuildRequest], documents: Documents) -> None:
    vague = [
        Document(d.id, d.source, d.title, synonyms=d.synonyms, parents=d.parents, categories=("Animal Diseases",))
        if d.id == "mesh 3"
        else d
        for d in documents["mesh_diseases"]
    ]
    (task,) = OpenSuite().build(ask("open-parent-pairs", mesh_diseases=lambda: vague), {})
    title = next(d.title for d in vague if d.id == "mesh 3")
    assert title not in task.data["sentence2"][::2]


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_training_and_test_share_no_text(name: str, tasks: dict[str, Task]) -> None:
    data = tasks[name].data
    assert not set(data["texts"]) & set(data["train_texts"])
    sizes = Counter(data["train_labels"])
    assert set(data["labels"]) == set(sizes)
    assert all(15 <= n <= 60 for n in sizes.values())


@pytest.mark.parametrize("name", CLUSTERING)
def test_clusters_have_a_least_size_and_texts_stand_once(name: str, tasks: dict[str, Task]) -> None:
    data = tasks[name].data
    assert min(Counter(data["labels"]).values()) >= 15
    assert len(set(data["sentences"])) == len(data["sentences"])


def test_a_text_under_two_labels_is_left_out(
    ask: Callable[..., BuildRequest], documents: Documents, tasks: dict[str, Task]
) -> None:
    shown = tasks["open-mesh-branches"].data
    twin = Document("twin", "mesh_diseases", shown["sentences"][0].upper(), categories=("Eye Diseases",))
    (task,) = OpenSuite().build(ask("open-mesh-branches", mesh_diseases=lambda: [*documents["mesh_diseases"], twin]), {})
    assert set(shown["sentences"]) - set(task.data["sentences"]) == {shown["sentences"][0]}


def test_draws_depend_on_salt_and_item_alone() -> None:
    items = [f"item {i}" for i in range(200)]
    drawn = draw(items, 20, "salt")
    assert drawn == draw(items[::-1], 20, "salt")
    assert len(drawn) == 20
    assert drawn != draw(items, 20, "other")
    assert set(draw(items[:100], 20, "salt")) >= set(drawn) & set(items[:100])
    assert draw(items, -1, "salt") == []
    shares = [share("salt", item) for item in items]
    assert all(0 <= one < 1 for one in shares)
    assert 60 < sum(one < 0.5 for one in shares) < 140
