"""Scores: mteb's own, and those of the single items behind them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.encode import load_encoder
from medloom.encode.encoder import Floats, TorchEncoder
from medloom.errors import StageError
from medloom.evaluate import EvaluateConfig, SuiteTask
from medloom.evaluate.mteb_tasks import METRICS, to_mteb
from medloom.evaluate.scored import Scored, score_suite

Scores = dict[str, Scored]


@pytest.fixture(scope="module")
def scores(tiny_encoder: TorchEncoder, suite: list[SuiteTask], config: EvaluateConfig) -> Scores:
    return score_suite(tiny_encoder, suite, config, "base", "r1")


def by_type(suite: Sequence[SuiteTask], type_: str) -> list[SuiteTask]:
    return [task for task in suite if task.type == type_]


def test_every_task_is_scored(scores: Scores, suite: list[SuiteTask], config: EvaluateConfig) -> None:
    assert list(scores) == [t.name for t in suite]
    for task in suite:
        found = scores[task.name]
        assert 0 <= found.score <= 1
        assert found.items.dtype == np.float64
        expected = {
            "Retrieval": len(task.data.get("queries", ())),
            "PairClassification": len(task.data.get("labels", ())),
            "Clustering": config.clusterings,
        }
        assert found.items.shape == (expected[task.type],)
        assert found.result["task_name"] == task.name


def ranking(encoder: TorchEncoder, task: SuiteTask) -> dict[str, dict[str, float]]:
    ids = list(task.data["corpus"])
    corpus = encoder.encode(list(task.data["corpus"].values()), encoder.prompt_for("document"))
    queries = encoder.encode(list(task.data["queries"].values()), encoder.prompt_for("query"))
    similar = queries @ corpus.T
    return {q: dict(zip(ids, map(float, row), strict=True)) for q, row in zip(task.data["queries"], similar, strict=True)}


def test_items_of_retrieval_are_ndcg_by_pytrec_eval(
    scores: Scores, suite: list[SuiteTask], tiny_encoder: TorchEncoder
) -> None:
    import pytrec_eval

    for task in by_type(suite, "Retrieval"):
        qrels = {q: dict.fromkeys(ids, 1) for q, ids in task.data["qrels"].items()}
        evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"})
        found = evaluator.evaluate(ranking(tiny_encoder, task))
        expected = [found[q]["ndcg_cut_10"] for q in task.data["queries"]]
        np.testing.assert_allclose(scores[task.name].items, expected, atol=1e-4)
        assert scores[task.name].items.mean() == pytest.approx(scores[task.name].score, abs=1e-4)
        assert len(set(expected)) > 1


def test_items_of_pairs_are_their_cosines(scores: Scores, suite: list[SuiteTask], tiny_encoder: TorchEncoder) -> None:
    from sklearn.metrics import average_precision_score

    (task,) = by_type(suite, "PairClassification")
    one, other = (tiny_encoder.encode(task.data[c]) for c in ("sentence1", "sentence2"))
    np.testing.assert_allclose(scores[task.name].items, (one * other).sum(axis=1), atol=1e-5)
    expected = average_precision_score(task.data["labels"], scores[task.name].items)
    assert scores[task.name].score == pytest.approx(expected, abs=1e-4)


def test_items_of_clustering_average_to_the_score(scores: Scores, suite: list[SuiteTask]) -> None:
    (task,) = by_type(suite, "Clustering")
    assert scores[task.name].items.mean() == pytest.approx(scores[task.name].score, abs=1e-4)
    assert scores[task.name].items.std() > 0


def test_the_first_hits_are_those_of_the_ranking(scores: Scores, suite: list[SuiteTask], tiny_encoder: TorchEncoder) -> None:
    task = by_type(suite, "Retrieval")[0]
    ranked = scores[task.name].ranked
    assert ranked.keys() == task.data["queries"].keys()
    for query, row in ranking(tiny_encoder, task).items():
        assert len(ranked[query]) == 3
        found = [score for _, score in ranked[query]]
        assert found == sorted(found, reverse=True)
        assert found == pytest.approx(sorted(row.values(), reverse=True)[:3], abs=1e-5)
        assert [row[i] for i, _ in ranked[query]] == pytest.approx(found, abs=1e-5)


class Naive:
    """The plainest model that mteb takes: no cache, no order, one batch after another."""

    def __init__(self, folder: Path, name: str) -> None:
        from mteb.models.model_meta import ModelMeta
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(folder), device="cpu")
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": f"naive/{name}", "revision": "1"})

    def encode(self, inputs: Any, *, prompt_type: Any = None, **settings: Any) -> Any:
        role = getattr(prompt_type, "value", prompt_type)
        prompt = self.model.prompts.get(role or "") or None
        texts = [text for batch in inputs for text in batch["text"]]
        return self.model.encode(texts, prompt=prompt, show_progress_bar=False)

    def similarity(self, a: Any, b: Any) -> Any:
        return self.model.similarity(a, b)

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        return self.model.similarity_pairwise(a, b)


def naive_score(folder: Path, task: SuiteTask, config: EvaluateConfig) -> float:
    import mteb

    result = mteb.evaluate(
        Naive(folder, folder.parent.name),
        to_mteb(task, config, "r1"),
        cache=None,
        co2_tracker=False,
        show_progress_bar=False,
    )
    return float(result.task_results[0].scores["test"][0][METRICS[task.type]])


def test_parity_with_plain_mteb(scores: Scores, suite: list[SuiteTask], config: EvaluateConfig, tiny_model: Path) -> None:
    for task in suite:
        if task.name in ("toy-lay-name", "toy-synonym-pairs", "toy-categories"):
            assert scores[task.name].score == pytest.approx(naive_score(tiny_model, task, config), abs=1e-4), task.name


def test_parity_with_prompts(suite: list[SuiteTask], config: EvaluateConfig, make_model: Callable[..., Path]) -> None:
    folder = make_model(prompts={"query": "query: ", "document": "passage find: "})
    tasks = [t for t in suite if t.name in ("toy-lay-name", "toy-synonym-pairs")]
    found = score_suite(load_encoder(folder), tasks, config, "base", "r1")
    for task in tasks:
        assert found[task.name].score == pytest.approx(naive_score(folder, task, config), abs=1e-4)


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


def test_each_text_is_encoded_once_for_each_prompt(
    tiny_encoder: TorchEncoder, suite: list[SuiteTask], config: EvaluateConfig
) -> None:
    encoder = Counting(tiny_encoder)
    score_suite(encoder, suite, config, "base", "r1")
    assert {prompt for _, prompt in encoder.asked} == {"query: ", "document: ", None}
    for texts, prompt in encoder.asked:
        assert len(set(texts)) == len(texts)
        role = {"query: ": "query", "document: ": "document", None: ""}[prompt]
        assert set(texts) == {text for task in suite for r, text in task.texts if r == role}


def test_clusterings_are_paired_over_models(
    scores: Scores, tiny_encoder: TorchEncoder, suite: list[SuiteTask], config: EvaluateConfig
) -> None:
    tasks = by_type(suite, "Clustering")
    again = score_suite(tiny_encoder, tasks, config, "again", "r1")
    np.testing.assert_array_equal(again[tasks[0].name].items, scores[tasks[0].name].items)


def test_nothing_is_left_on_disk(
    tiny_encoder: TorchEncoder,
    suite: list[SuiteTask],
    config: EvaluateConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    score_suite(tiny_encoder, by_type(suite, "PairClassification"), config, "base", "r1")
    assert list(tmp_path.rglob("*")) == []


def test_items_that_do_not_add_up_are_an_error(
    tiny_encoder: TorchEncoder, suite: list[SuiteTask], config: EvaluateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medloom.evaluate.scored._ndcg_at_10", lambda task, _: dict.fromkeys(task.data["queries"], 0.99))
    with pytest.raises(StageError, match=r"the queries of toy-lay-name average 0\.99000, mteb says"):
        score_suite(tiny_encoder, by_type(suite, "Retrieval")[:1], config, "base", "r1")
