"""Our scores against plain ``mteb.evaluate`` with a plain model: every score that both have, to 1e-4."""

import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.encode import load_encoder
from medloom.evaluate import Task
from medloom.evaluate.mteb_tasks import to_mteb
from medloom.evaluate.scored import Scored, score
from medloom.evaluate.systems.dense import DenseSystem
from medloom.evaluate.tasks import check

PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head"]
SIGNS = ["pain", "rash", "cough", "fever", "ache"]
KINDS = ["acute", "chronic", "daily night"]
CORPUS = {f"{p}-{s}-{k}": f"{k} {s} of the {p}" for p in PARTS for s in SIGNS for k in KINDS}
PROMPTS = {"query": "query: ", "document": "passage find: "}


class Plain:
    """The plainest model that mteb takes: no cache, no order, one batch after another."""

    def __init__(self, folder: Path) -> None:
        from mteb.models.model_meta import ModelMeta
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(folder), device="cpu")
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": f"plain/{folder.parent.name}", "revision": "1"})

    def encode(self, inputs: Any, *, prompt_type: Any = None, **settings: Any) -> Any:
        role = getattr(prompt_type, "value", prompt_type)
        prompt = self.model.prompts.get(role or "") or None
        texts = [text for batch in inputs for text in batch["text"]]
        return self.model.encode(texts, prompt=prompt, show_progress_bar=False)

    def similarity(self, a: Any, b: Any) -> Any:
        return self.model.similarity(a, b)

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        return self.model.similarity_pairwise(a, b)


@cache
def plain(folder: Path) -> Plain:
    return Plain(folder)


def by_mteb(folder: Path, task: Any) -> dict[str, Any]:
    import mteb

    result = mteb.evaluate(plain(folder), task, cache=None, co2_tracker=False, show_progress_bar=False)
    return dict(result.task_results[0].scores["test"][0])


def by_us(folder: Path, task: Task) -> Scored:
    return score(DenseSystem(load_encoder(folder, "fp32")), check(task))


def assert_alike(folder: Path, task: Task, fewest: int) -> Scored:
    """Every number of ours is mteb's."""
    ours, theirs = by_us(folder, task), by_mteb(folder, to_mteb(task))
    numbers = {name: value for name, value in ours.scores.items() if isinstance(value, float)}
    assert len(numbers) >= fewest
    for name, value in numbers.items():
        assert value == pytest.approx(theirs[name], abs=1e-4, nan_ok=True), name
    assert ours.score == pytest.approx(theirs["main_score"], abs=1e-4)
    assert 0 < ours.score < 1
    return ours


def retrieval(queries: dict[str, tuple[str, str, str]], corpus: dict[str, str] = CORPUS, **changes: Any) -> Task:
    """Queries by id, with the part and sign that they ask for: 3 if both are right, 1 if one is, 0 judged for the rest."""
    data: dict[str, Any] = {
        "queries": {q: text for q, (text, _, _) in queries.items()},
        "corpus": corpus,
        "qrels": {
            q: {d: 3 if part in d and sign in d else int(part in d) for d in corpus if part in d or "acute" in d}
            for q, (_, part, sign) in queries.items()
        },
    }
    return Task("find", "Retrieval", "toy", "d", data | changes.pop("more", {}), **changes)


ASKED = {
    f"q{i}": (f"what is {sign} in a {part} {i}", part, sign)
    for i, (part, sign) in enumerate((part, sign) for part in PARTS for sign in SIGNS[:3])
}
OWN = {id_: (text, id_.split("-")[0], id_.split("-")[1]) for id_, text in list(CORPUS.items())[::9]} | {
    "elsewhere": ("high blood pressure with acute pain of the heart", "heart", "pain")
}


@pytest.fixture(scope="module")
def prompted(make_model: Callable[..., Path]) -> Path:
    return make_model(prompts=PROMPTS)


def test_retrieval_with_graded_relevance(tiny_model: Path) -> None:
    assert_alike(tiny_model, retrieval(ASKED), fewest=36)


def test_retrieval_with_prompts(prompted: Path, tiny_model: Path) -> None:
    with_prompts = assert_alike(prompted, retrieval(ASKED), fewest=36)
    without = by_us(tiny_model, retrieval(ASKED))
    assert not np.array_equal(with_prompts.items, without.items)


def test_retrieval_by_another_metric(tiny_model: Path) -> None:
    task = retrieval(ASKED, metric="recall_at_20")
    found = assert_alike(tiny_model, task, fewest=36)
    assert found.score == found.scores["recall_at_20"] == pytest.approx(found.items.mean())


def test_retrieval_among_few(tiny_model: Path) -> None:
    """Fewer texts than the deepest metric looks at."""
    few = {id_: text for id_, text in CORPUS.items() if "chronic" in id_}
    assert_alike(tiny_model, retrieval(ASKED, few), fewest=36)


@pytest.mark.parametrize("size", [120, 25])
def test_a_query_does_not_find_itself(tiny_model: Path, size: int) -> None:
    """Most queries are texts of the corpus; those that are not lose nothing, in a small corpus too."""
    corpus = {id_: CORPUS[id_] for id_ in [*[q for q in OWN if q in CORPUS], *[d for d in CORPUS if d not in OWN]][:size]}
    task = retrieval(OWN, corpus, settings={"ignore_identical_ids": 1})
    ours = assert_alike(tiny_model, task, fewest=36)
    assert ours.score < by_us(tiny_model, retrieval(OWN, corpus)).score
    assert all(document != query for query, found in ours.ranked.items() for document, _ in found)


def candidates(queries: Sequence[str], size: int) -> dict[str, list[str]]:
    return {q: random.Random(f"{q}|{size}").sample(list(CORPUS), size) for q in queries}


@pytest.mark.parametrize("ignoring", [0, 1])
def test_reranking(tiny_model: Path, prompted: Path, ignoring: int) -> None:
    """Only each query's own candidates are ranked, with the prompts of retrieval; mteb's deepest metric is there too."""
    own = candidates(list(OWN), 20)
    own = {q: list(dict.fromkeys([*found, *([q] if q in CORPUS else [])])) for q, found in own.items()}
    settings = {"ignore_identical_ids": ignoring}
    task = retrieval(OWN, metric="map_at_1000", more={"candidates": own}, settings=settings)
    for folder in (tiny_model, prompted):
        ours = assert_alike(folder, task, fewest=42)
        for query, found in ours.ranked.items():
            assert len(found) == 3
            assert {document for document, _ in found} <= set(own[query])
            assert not (ignoring and query in dict(found))
    assert by_us(tiny_model, task).score != by_us(prompted, task).score


def test_reranking_with_as_many_candidates_as_each_query_has(tiny_model: Path) -> None:
    own = {q: found[: 1 + i % 9] for i, (q, found) in enumerate(candidates(list(ASKED), 12).items())}
    ours = assert_alike(tiny_model, retrieval(ASKED, more={"candidates": own}), fewest=42)
    assert [len(ours.ranked[q]) for q in ASKED] == [min(3, len(own[q])) for q in ASKED]


def pairs() -> dict[str, list[Any]]:
    rng = random.Random(1)
    rows = [(f"{s} in {p}", f"{k} {s} of the {p}", 1) for p in PARTS for s in SIGNS for k in KINDS[:2]]
    rows += [(a, rng.choice(list(CORPUS.values())), 0) for a, _, _ in rows]
    return {"sentence1": [a for a, _, _ in rows], "sentence2": [b for _, b, _ in rows], "labels": [v for _, _, v in rows]}


@pytest.mark.parametrize("metric", ["similarity_ap", "similarity_f1"])
def test_pairs(tiny_model: Path, metric: str) -> None:
    assert_alike(tiny_model, Task("tell", "PairClassification", "toy", "d", pairs(), metric=metric), fewest=5)


def test_pairs_with_prompts(prompted: Path) -> None:
    assert_alike(prompted, Task("tell", "PairClassification", "toy", "d", pairs()), fewest=5)


def test_how_alike(tiny_model: Path) -> None:
    rng = np.random.default_rng(1)
    data = pairs()
    labels = [float(label * 2 + noise) for label, noise in zip(data["labels"], rng.integers(0, 4, 160), strict=True)]
    assert_alike(tiny_model, Task("alike", "STS", "toy", "d", data | {"labels": labels}), fewest=1)


def test_clusters(tiny_model: Path) -> None:
    data = {"sentences": list(CORPUS.values()), "labels": [id_.split("-")[0] for id_ in CORPUS]}
    settings = {"n_clusters": 6, "max_documents_per_cluster": 70}
    task = Task("group", "Clustering", "toy", "d", data, settings=settings)
    ours = assert_alike(tiny_model, task, fewest=1)
    theirs = by_mteb(tiny_model, to_mteb(task))["v_measures"]["Level 0"]
    assert ours.items.tolist() == pytest.approx(theirs, abs=1e-4)
    assert ours.items.shape == (6,)


def test_clusters_of_documents_that_mteb_drew_itself(tiny_model: Path) -> None:
    """As a task of mteb's own, which draws documents first and resamples after from the same generator."""
    sentences, labels = list(CORPUS.values()), [id_.split("-")[0] for id_ in CORPUS]
    everything = Task("group", "Clustering", "toy", "d", {"sentences": sentences, "labels": labels})
    settings = {"n_clusters": 4, "max_documents_per_cluster": 50}
    native = to_mteb(Task("group", "Clustering", "toy", "d", everything.data, settings=settings))
    native.max_document_to_embed = 60
    drawn = type(native)().rng_state.sample(range(120), k=60)
    ours = Task(
        "group",
        "Clustering",
        "toy",
        "d",
        {"sentences": [sentences[i] for i in drawn], "labels": [labels[i] for i in drawn]},
        settings=settings | {"sampled_from": 120},
    )
    expected = by_mteb(tiny_model, native)["v_measures"]["Level 0"]
    assert by_us(tiny_model, ours).items.tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("metric", ["f1", "accuracy"])
def test_classification(tiny_model: Path, metric: str) -> None:
    texts, labels = list(CORPUS.values()), [id_.split("-")[1] for id_ in CORPUS]
    data = {"texts": texts[::2], "labels": labels[::2], "train_texts": texts[1::2], "train_labels": labels[1::2]}
    settings = {"n_experiments": 3, "samples_per_label": 4}
    task = Task("sort", "Classification", "toy", "d", data, metric=metric, settings=settings)
    ours = assert_alike(tiny_model, task, fewest=2)
    assert ours.items.shape == (3, 60)
    share = [one["accuracy"] for one in ours.scores["scores_per_experiment"]]
    numbers = [sorted(set(labels)).index(label) for label in task.data["labels"]]
    assert (ours.items == numbers).mean(axis=1).tolist() == pytest.approx(share)


def test_a_fresh_task_for_each_model() -> None:
    """A used clustering task has advanced its generator; the next model must see the same resamples."""
    task = Task("group", "Clustering", "toy", "d", {"sentences": ["a", "b"], "labels": ["x", "y"]})
    one, other = to_mteb(task), to_mteb(task)
    one.load_data()
    assert one is not other
    first = one.rng_state.sample(range(1_000), 5)
    assert other.rng_state.sample(range(1_000), 5) == first


def test_minimal_pairs_are_unknown_to_mteb() -> None:
    with pytest.raises(KeyError, match="MinimalPairs"):
        to_mteb(Task("order", "MinimalPairs", "toy", "d", {"anchors": ["a"], "rights": ["b"], "wrongs": ["c"]}))
