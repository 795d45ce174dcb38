"""Scores, and those of the single items behind them."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medloom.encode import load_encoder
from medloom.encode.encoder import Floats, TorchEncoder
from medloom.errors import MedloomError, StageError
from medloom.evaluate import EvaluateConfig, Task
from medloom.evaluate.scored import Scored, mteb_result, score
from medloom.evaluate.statistics import statistic_of
from medloom.evaluate.systems.dense import DenseSystem
from medloom.evaluate.systems.lexical import Bm25System
from medloom.evaluate.tasks import TASK_TYPES, TaskType, check

Scores = dict[str, Scored]
Ints = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def more() -> list[Task]:
    """A task of each type that the suite of a recipe does not have."""
    texts = [f"{sign} of the {part} {i}" for part in ("heart", "skin") for sign in ("pain", "ache") for i in range(6)]
    labels = [text.split()[3] for text in texts]
    return [
        Task(
            "toy-labels",
            "Classification",
            "toy",
            "d",
            {"texts": texts[::2], "labels": labels[::2], "train_texts": texts[1::2], "train_labels": labels[1::2]},
            settings={"n_experiments": 3, "samples_per_label": 3},
        ),
        Task(
            "toy-alike",
            "STS",
            "toy",
            "d",
            {"sentence1": texts[:12], "sentence2": texts[12:], "labels": [i % 5 for i in range(12)]},
        ),
        Task("toy-order", "MinimalPairs", "toy", "d", {"anchors": texts[:6], "rights": texts[6:12], "wrongs": texts[12:18]}),
    ]


@pytest.fixture(scope="module")
def scores(tiny_encoder: TorchEncoder, suite: list[Task], more: list[Task]) -> Scores:
    system = DenseSystem(tiny_encoder)
    return {task.name: score(system, task) for task in (*suite, *more)}


def by_type(suite: Sequence[Task], type_: str) -> list[Task]:
    return [task for task in suite if task.type == type_]


def test_every_task_is_scored(scores: Scores, suite: list[Task], more: list[Task], config: EvaluateConfig) -> None:
    assert {task.type for task in (*suite, *more)} == set(TASK_TYPES)
    for task in (*suite, *more):
        found = scores[task.name]
        assert found.score == found.scores[task.main_score]
        assert (-1 if task.type == "STS" else 0) <= found.score <= 1
        assert found.items.dtype == (np.int64 if task.type == "Classification" else np.float64)
        expected = {"Classification": (3, task.n), "Clustering": (config.clusterings,)}.get(task.type, (task.n,))
        assert found.items.shape == expected
        assert found.seconds > 0


def test_items_make_up_the_score(scores: Scores, suite: list[Task], more: list[Task]) -> None:
    """What intervals and tests resample is what was scored: with every item once, the score itself."""
    for task in (*suite, *more):
        statistic, found = statistic_of(task, scores[task.name].items), scores[task.name]
        again = found.items.mean() if statistic is None else statistic(np.ones((1, task.n)))[0]
        assert again == pytest.approx(found.score, abs=1e-6), task.name
        assert task.type != "Clustering" or found.items.std() > 0


def test_results_are_in_mtebs_format(scores: Scores, suite: list[Task], more: list[Task]) -> None:
    from mteb.results import TaskResult

    for task in (*suite, *more):
        read = TaskResult.model_validate(mteb_result(task, scores[task.name]))
        assert (read.task_name, read.dataset_revision) == (task.name, task.fingerprint)
        assert read.get_score() == pytest.approx(scores[task.name].score)
        assert read.evaluation_time == scores[task.name].seconds


# Items


def ranking(encoder: TorchEncoder, task: Task) -> dict[str, dict[str, float]]:
    ids = list(task.data["corpus"])
    corpus = encoder.encode(list(task.data["corpus"].values()), encoder.prompt_for("document"))
    queries = encoder.encode(list(task.data["queries"].values()), encoder.prompt_for("query"))
    similar = queries @ corpus.T
    return {q: dict(zip(ids, map(float, row), strict=True)) for q, row in zip(task.data["queries"], similar, strict=True)}


def test_items_of_retrieval_are_ndcg_by_pytrec_eval(scores: Scores, suite: list[Task], tiny_encoder: TorchEncoder) -> None:
    import pytrec_eval

    for task in by_type(suite, "Retrieval"):
        evaluator = pytrec_eval.RelevanceEvaluator(task.data["qrels"], {"ndcg_cut.10"})
        found = evaluator.evaluate(ranking(tiny_encoder, task))
        expected = [found[q]["ndcg_cut_10"] for q in task.data["queries"]]
        np.testing.assert_allclose(scores[task.name].items, expected, atol=1e-4)
        assert scores[task.name].items.mean() == pytest.approx(scores[task.name].score, abs=1e-4)
        assert len(set(expected)) > 1


def test_items_of_pairs_are_their_cosines(scores: Scores, suite: list[Task], tiny_encoder: TorchEncoder) -> None:
    from sklearn.metrics import average_precision_score

    (task,) = by_type(suite, "PairClassification")
    one, other = (tiny_encoder.encode(task.data[c]) for c in ("sentence1", "sentence2"))
    np.testing.assert_allclose(scores[task.name].items, (one * other).sum(axis=1), atol=1e-5)
    expected = average_precision_score(task.data["labels"], scores[task.name].items)
    assert scores[task.name].score == pytest.approx(expected, abs=1e-4)


def test_items_of_classification_are_what_was_predicted(scores: Scores, more: list[Task]) -> None:
    from sklearn.metrics import f1_score

    (task,) = by_type(more, "Classification")
    names = np.array(sorted(set(task.data["labels"])))
    predicted = names[scores[task.name].items]
    expected = np.mean([f1_score(task.data["labels"], row, average="macro") for row in predicted])
    assert scores[task.name].score == pytest.approx(expected, abs=1e-4)


def test_the_first_hits_are_those_of_the_ranking(scores: Scores, suite: list[Task], tiny_encoder: TorchEncoder) -> None:
    task = by_type(suite, "Retrieval")[0]
    ranked = scores[task.name].ranked
    assert ranked.keys() == task.data["queries"].keys()
    for query, row in ranking(tiny_encoder, task).items():
        assert len(ranked[query]) == 3
        found = [score for _, score in ranked[query]]
        assert found == sorted(found, reverse=True)
        assert found == pytest.approx(sorted(row.values(), reverse=True)[:3], abs=1e-5)
        assert [row[i] for i, _ in ranked[query]] == pytest.approx(found, abs=1e-5)


# Encoding


class Counting:
    """An encoder that notes what it is asked."""

    def __init__(self, encoder: TorchEncoder) -> None:
        self._encoder = encoder
        self.asked: list[tuple[list[str], str | None]] = []

    @property
    def dimensions(self) -> int:
        return self._encoder.dimensions

    @property
    def hash(self) -> str:
        return self._encoder.hash

    def prompt_for(self, role: Any) -> str | None:
        return f"{role}: "

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        self.asked.append((list(texts), prompt))
        return self._encoder.encode(texts, prompt)


def test_each_text_is_encoded_once_for_each_prompt(tiny_encoder: TorchEncoder, suite: list[Task], more: list[Task]) -> None:
    encoder = Counting(tiny_encoder)
    tasks = [*suite, *more, reranking()]
    system = DenseSystem(encoder)
    system.prepare(tasks)
    for task in tasks:
        score(system, task)
    asked = [(prompt, text) for texts, prompt in encoder.asked for text in texts]
    assert len(set(asked)) == len(asked)
    prompts = {"query": "query: ", "document": "document: ", "": None}
    assert set(asked) == {(prompts[role], text) for task in tasks for role, text in task.texts}
    assert len({text for _, text in asked}) < len(asked)


def test_clusterings_are_paired_over_models(
    scores: Scores, tiny_encoder: TorchEncoder, suite: list[Task], make_model: Callable[..., Path]
) -> None:
    (task,) = by_type(suite, "Clustering")
    score(DenseSystem(load_encoder(make_model(seed=5))), task)
    again = score(DenseSystem(tiny_encoder), task)
    np.testing.assert_array_equal(again.items, scores[task.name].items)


def test_nothing_is_left_on_disk(
    tiny_encoder: TorchEncoder, suite: list[Task], more: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for type_ in ("PairClassification", "Clustering", "Classification"):
        score(DenseSystem(tiny_encoder), by_type([*suite, *more], type_)[0])
    assert list(tmp_path.rglob("*")) == []


def test_mteb_may_speak_again_afterwards(tiny_encoder: TorchEncoder, suite: list[Task]) -> None:
    logger = logging.getLogger("mteb")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        score(DenseSystem(tiny_encoder), by_type(suite, "Clustering")[0])
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(before)


# Rankings that are not of the whole corpus


def reranking() -> Task:
    data = {
        "queries": {"q1": "heart pain", "d2": "skin rash"},
        "corpus": {"d1": "acute heart pain", "d2": "skin rash", "d3": "liver", "d4": "acute skin rash", "d5": "heart"},
        "qrels": {"q1": {"d1": 1, "d5": 1}, "d2": {"d4": 1}},
        "candidates": {"q1": ["d3", "d5", "d3"], "d2": ["d2", "d4", "d3", "d1"]},
    }
    return check(Task("toy-candidates", "Retrieval", "toy", "d", data))


def test_only_candidates_are_ranked_each_once() -> None:
    found = score(Bm25System(), reranking())
    assert [document for document, _ in found.ranked["q1"]] == ["d5"]
    assert [document for document, _ in found.ranked["d2"]] == ["d2", "d4"]
    assert found.scores["recall_at_10"] == pytest.approx((1 / 2 + 1) / 2)
    assert found.scores["mrr_at_1000"] == pytest.approx((1 + 1 / 2) / 2)


def test_bm25_weighs_the_words_of_candidates_by_the_whole_corpus() -> None:
    task = reranking()
    numbers, values = Bm25System().rank(list(task.data["queries"].values()), list(task.data["corpus"].values()), 5)
    found = score(Bm25System(), task).ranked["d2"]
    ids = list(task.data["corpus"])
    assert found == [(ids[i], float(v)) for i, v in zip(numbers[1], values[1], strict=True) if ids[i] in ("d2", "d4")]


def test_queries_are_reranked_in_blocks_only_for_memory(tiny_encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score(DenseSystem(tiny_encoder), reranking())
    monkeypatch.setattr("medloom.evaluate.scored._CELLS", 5)
    in_blocks = score(DenseSystem(tiny_encoder), reranking())
    for query, found in whole.ranked.items():
        assert [document for document, _ in in_blocks.ranked[query]] == [document for document, _ in found]
        assert [value for _, value in in_blocks.ranked[query]] == pytest.approx([value for _, value in found], abs=1e-6)
    np.testing.assert_array_equal(in_blocks.items, whole.items)


def test_a_query_that_is_no_document_keeps_the_last_of_a_small_corpus() -> None:
    data = {
        "queries": {"d1": "heart pain", "q2": "skin rash"},
        "corpus": {"d1": "heart pain", "d2": "heart", "d3": "rash of the skin and the heart"},
        "qrels": {"d1": {"d2": 1}, "q2": {"d3": 1}},
    }
    found = score(Bm25System(), Task("t", "Retrieval", "toy", "d", data, settings={"ignore_identical_ids": 1}))
    assert [document for document, _ in found.ranked["d1"]] == ["d2", "d3"]
    assert [document for document, _ in found.ranked["q2"]] == ["d3"]
    assert found.scores["mrr_at_1"] == 1


# Minimal pairs


class Fixed:
    """An encoder whose vectors are written down; a text is told apart by its number alone."""

    hash = "fixed" * 8
    dimensions = 2

    def __init__(self, angles: dict[str, float]) -> None:
        self._angles = angles

    def prompt_for(self, role: Any) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        angles = np.array([self._angles[text] for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def minimal_pairs(*rows: tuple[str, str, str]) -> Task:
    anchors, rights, wrongs = (list(column) for column in zip(*rows, strict=True))
    return check(Task("order", "MinimalPairs", "toy", "d", {"anchors": anchors, "rights": rights, "wrongs": wrongs}))


def test_minimal_pairs_are_right_wrong_or_tied() -> None:
    encoder = Fixed({"anchor": 0.0, "near": 0.2, "far": 1.0, "opposite": -0.2, "nearer": 0.19, "almost": 0.2 + 1e-7})
    task = minimal_pairs(
        ("anchor", "near", "far"),
        ("anchor", "far", "near"),
        ("anchor", "near", "near"),
        ("anchor", "near", "opposite"),
        ("anchor", "almost", "near"),
        ("anchor", "near", "nearer"),
    )
    found = score(DenseSystem(encoder), task)
    assert found.items.tolist() == [1, 0, 0.5, 0.5, 0.5, 0]
    assert found.score == pytest.approx(2.5 / 6)
    assert found.scores == {"accuracy": found.score, "ties": pytest.approx(0.5)}


def test_texts_whose_words_are_the_same_tie() -> None:
    """A mean of word vectors does not see the order, but its rounding does."""
    rng = np.random.default_rng(0)
    names = ["the", "cut", "made", "by", "a", "knife", "on", "left", "hand", "not", "right"]
    words = {name: rng.normal(size=64).astype(np.float32) for name in names}

    class Bag(Fixed):
        dimensions = 64

        def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
            return np.stack([np.add.reduce([words[word] for word in text.split()]) for text in texts])

    orders = [rng.permutation(list(words)) for _ in range(40)]
    task = minimal_pairs(*[("the left hand", " ".join(order), " ".join(reversed(order))) for order in orders])
    system = DenseSystem(Bag({}))
    right, wrong = (system.similarity(task.data["anchors"], task.data[side]) for side in ("rights", "wrongs"))
    assert (right != wrong).any()
    assert score(system, task).items.tolist() == [0.5] * 40


def test_bm25_weighs_right_and_wrong_texts_alike() -> None:
    """In the first pair neither text has more of the anchor's words; what stands in the others must not decide it."""
    task = minimal_pairs(
        ("fever", "fever morning", "fever evening"),
        ("cough", "cough at night", "fever fever fever rash of the skin"),
        ("rash", "rash", "fever and pain"),
    )
    assert score(Bm25System(), task).items.tolist() == [0.5, 1, 1]


# What cannot be scored


@pytest.mark.parametrize("type_", ["Clustering", "Classification"])
def test_a_system_that_cannot_do_a_type(suite: list[Task], more: list[Task], type_: TaskType) -> None:
    (task,) = by_type([*suite, *more], type_)
    with pytest.raises(StageError, match=rf"^bm25 \(lexical\) cannot do tasks of type {type_}$"):
        score(Bm25System(), task)


class Broken(DenseSystem):
    """A system of which one answer in each call is no number."""

    value = np.nan

    def rank(self, queries: Sequence[str], corpus: Sequence[str], k: int) -> tuple[Ints, Floats]:
        numbers, scores = super().rank(queries, corpus, k)
        scores[-1, 0] = self.value
        return numbers, scores

    def similarity(self, one: Sequence[str], other: Sequence[str]) -> npt.NDArray[np.float64]:
        scores = super().similarity(one, other)
        scores[-1] = self.value
        return scores

    def vectors(self, texts: Sequence[str]) -> Floats:
        vectors = super().vectors(texts).copy()
        vectors[-1, 3] = self.value
        return vectors


@pytest.mark.parametrize("type_", TASK_TYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_answers_that_are_not_numbers(
    tiny_encoder: TorchEncoder, suite: list[Task], more: list[Task], type_: TaskType, value: float
) -> None:
    system = Broken(tiny_encoder, name="broken")
    system.value = value
    for task in (by_type([*suite, *more], type_)[0], *([reranking()] if type_ == "Retrieval" else [])):
        with pytest.raises(StageError, match=rf"^task {task.name}: broken gave scores that are not numbers"):
            score(system, task)


def test_vectors_that_are_not_numbers(tiny_encoder: TorchEncoder, suite: list[Task]) -> None:
    class Damaged(Counting):
        def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
            return np.full((len(texts), self.dimensions), np.nan, dtype=np.float32)

    for task in suite:
        with pytest.raises(MedloomError, match="weights may be damaged"):
            score(DenseSystem(Damaged(tiny_encoder)), task)


def test_a_system_that_tells_nothing_apart_scores_nothing_in_sts(more: list[Task]) -> None:
    (task,) = by_type(more, "STS")
    found = score(DenseSystem(Fixed(dict.fromkeys((text for _, text in task.texts), 0.5))), task)
    assert found.score == 0
