"""One vector a text: exact ranks, cosines, and every text encoded once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medloom.encode import Role, load_encoder
from medloom.encode.cache import VectorCache
from medloom.encode.encoder import TorchEncoder
from medloom.evaluate.systems import dense as module
from medloom.evaluate.systems.base import System
from medloom.evaluate.systems.dense import DenseSystem
from medloom.evaluate.tasks import Task
from medloom.mine.topk import best_columns


class Toy:
    """An encoder of 8 dimensions whose vectors are set by prompt and text, and are not of unit length."""

    def __init__(self, prompts: dict[str, str] | None = None, name: str = "toy") -> None:
        self.prompts = prompts or {}
        self.hash = name * 8
        self.dimensions = 8
        self.asked: list[str] = []

    def prompt_for(self, role: Role) -> str | None:
        return self.prompts.get(role)

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Any:
        self.asked.extend((prompt or "") + t for t in texts)
        return np.array([toy_vector((prompt or "") + t) for t in texts], dtype=np.float32).reshape(-1, 8)


def toy_vector(text: str) -> Any:
    if not text:
        return np.zeros(8)
    rng = np.random.default_rng(list(text.encode()))
    return rng.standard_normal(8) * rng.uniform(0.1, 10)


def cosines(queries: Sequence[str], corpus: Sequence[str]) -> Any:
    a, b = (np.array([toy_vector(t) for t in texts]) for texts in (queries, corpus))
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return np.divide(a @ b.T, norms, out=np.zeros_like(norms), where=norms > 0)


def retrieval(queries: Sequence[str], corpus: Sequence[str]) -> Task:
    data = {
        "queries": {f"q{i}": t for i, t in enumerate(queries)},
        "corpus": {f"d{i}": t for i, t in enumerate(corpus)},
        "qrels": {f"q{i}": {"d0": 1} for i in range(len(queries))},
    }
    return Task("ask", "Retrieval", "toy", "find", data)


def pairs(one: Sequence[str], other: Sequence[str]) -> Task:
    labels = [i % 2 for i in range(len(one))]
    return Task("pairs", "PairClassification", "toy", "tell", {"sentence1": one, "sentence2": other, "labels": labels})


def test_ranks_are_those_of_all_cosines_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, corpus = [f"q{i}" for i in range(11)], [f"d{i}" for i in range(57)]
    expected = cosines(queries, corpus)
    for query_block, corpus_block in ((1_024, 16_384), (3, 10), (1, 1), (11, 57)):
        monkeypatch.setattr(module, "QUERY_BLOCK", query_block)
        monkeypatch.setattr(module, "CORPUS_BLOCK", corpus_block)
        system = DenseSystem(Toy())
        for k in (1, 7, 57, 100):
            numbers, scores = system.rank(queries, corpus, k)
            assert (numbers.dtype.name, scores.dtype.name) == ("int64", "float32")
            np.testing.assert_array_equal(numbers, np.argsort(-expected, axis=1)[:, :k])
            np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :k], atol=1e-5)


def test_equal_texts_come_in_the_order_of_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CORPUS_BLOCK", 4)
    corpus = ["far", "near", "near", "other", "near", "near", "far", "near", "near"]
    numbers, scores = DenseSystem(Toy()).rank(["near"], corpus, 4)
    assert numbers.tolist() == [[1, 2, 4, 5]]
    np.testing.assert_allclose(scores, 1, atol=1e-6)


def test_nothing_to_rank() -> None:
    system = DenseSystem(Toy())
    assert [part.shape for part in system.rank([], ["a"], 3)] == [(0, 1), (0, 1)]
    assert [part.shape for part in system.rank(["a"], [], 3)] == [(1, 0), (1, 0)]
    assert system.similarity([], []).shape == (0,)


@given(
    st.integers(1, 6).flatmap(
        lambda m: st.tuples(st.lists(st.lists(st.integers(-2, 2), min_size=m, max_size=m), min_size=1), st.integers(0, 8))
    )
)
def test_the_best_columns_are_those_of_a_stable_sort(case: tuple[list[list[int]], int]) -> None:
    rows, k = case
    scores = torch.tensor(rows, dtype=torch.float32)
    columns, values = best_columns(scores, k)
    expected = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(columns.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(scores.numpy(), expected, axis=1))


def test_similarity_is_the_cosine_of_each_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAIR_BLOCK", 2)
    one, other = ["a", "b", "c", "", "a"], ["b", "b", "d", "a", "c"]
    similar = DenseSystem(Toy()).similarity(one, other)
    assert similar.dtype == np.float64
    np.testing.assert_allclose(similar, np.diag(cosines(one, other)), atol=1e-6)
    assert similar[3] == 0


def test_vectors_are_the_models_own() -> None:
    np.testing.assert_allclose(DenseSystem(Toy()).vectors(["a", "b", "a"]), [toy_vector(t) for t in "aba"], rtol=1e-6)


def test_each_role_is_read_with_its_own_prompt() -> None:
    toy = Toy({"query": "Q: ", "document": "D: "})
    system = DenseSystem(toy)
    assert isinstance(system, System)
    queries, corpus = ["a", "b"], ["a", "c", "b"]
    numbers, _ = system.rank(queries, corpus, 3)
    expected = cosines([f"Q: {t}" for t in queries], [f"D: {t}" for t in corpus])
    np.testing.assert_array_equal(numbers, np.argsort(-expected, axis=1))
    np.testing.assert_allclose(system.similarity(["a"], ["b"]), cosines(["a"], ["b"])[0], atol=1e-6)
    assert system.info.settings["prompts"] == {"query": "Q: ", "document": "D: "}


@pytest.mark.parametrize("cached", [True, False])
def test_every_distinct_text_is_encoded_once_for_all_tasks(tmp_path: Path, cached: bool) -> None:
    toy = Toy({"query": "Q: "})
    system = DenseSystem(toy, VectorCache(tmp_path) if cached else None)
    tasks = [retrieval(["a", "b"], ["a", "c", "d"]), retrieval(["b"], ["d", "e"]), pairs(["c", "f"], ["a", "a"])]
    system.prepare(tasks)
    assert sorted(toy.asked) == ["Q: a", "Q: b", "a", "c", "d", "e", "f"]
    counters = system.counters
    assert (counters.texts, counters.distinct, counters.encoded, counters.cached) == (12, 7, 7, 0)
    system.rank(["a", "b"], ["a", "c", "d"], 2)
    system.similarity(["c", "f"], ["a", "a"])
    assert len(toy.asked) == 7
    assert system.counters == counters
    system.vectors(["new"])
    assert toy.asked[7:] == ["new"]
    system.close()


def test_a_second_system_finds_the_vectors_of_the_first(tmp_path: Path) -> None:
    tasks = [retrieval(["a", "b"], ["c", "d"])]
    first = DenseSystem(Toy(), VectorCache(tmp_path))
    first.prepare(tasks)
    ranked = first.rank(["a", "b"], ["c", "d"], 2)
    first.close()
    toy = Toy()
    second = DenseSystem(toy, VectorCache(tmp_path))
    second.prepare(tasks)
    np.testing.assert_array_equal(second.rank(["a", "b"], ["c", "d"], 2), ranked)
    assert toy.asked == []
    assert (second.counters.encoded, second.counters.cached) == (0, 4)
    second.close()


def test_another_model_prompt_or_setting_has_vectors_of_its_own(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    precise = Toy()
    precise.precision = "bf16"  # type: ignore[attr-defined]
    for toy in (Toy(), Toy(name="other"), Toy({"query": "Q: "}), precise):
        system = DenseSystem(toy, cache)
        system.rank(["a"], ["b"], 1)
        assert toy.asked[0] == f"{toy.prompts.get('query', '')}a"
        system.close()


def test_a_system_that_is_let_go_closes_its_cache(tmp_path: Path) -> None:
    system = DenseSystem(Toy(), VectorCache(tmp_path))
    system.vectors(["a"])
    assert list(tmp_path.rglob("*.user"))
    del system
    assert not list(tmp_path.rglob("*.user"))


def test_what_a_real_model_says_of_itself(tiny_model: Path, tiny_encoder: TorchEncoder) -> None:
    system = DenseSystem(tiny_encoder, None, "tiny", size_bytes=7)
    info = system.info
    assert (info.name, info.hash, info.kind, info.dimensions, info.size_bytes) == ("tiny", tiny_encoder.hash, "dense", 32, 7)
    expected = {"prompts": {}, "pooling": "mean", "max_length": 48, "precision": "fp32", "backend": "torch"}
    assert info.settings == expected
    assert info.parameters == sum(p.numel() for p in tiny_encoder.model.parameters())
    assert system.is_local
    assert system.types == {"Retrieval", "PairClassification", "Clustering", "Classification", "STS", "MinimalPairs"}
    np.testing.assert_allclose(
        system.vectors(["fever", "cough"]), load_encoder(tiny_model).encode(["fever", "cough"]), atol=1e-5
    )


def test_a_remote_model_says_so() -> None:
    toy = Toy()
    toy.is_local, toy.backend = False, "openai"  # type: ignore[attr-defined]
    system = DenseSystem(toy, kind="endpoint")
    assert not system.is_local
    assert (system.info.kind, system.info.settings["backend"], system.info.name) == ("endpoint", "openai", toy.hash[:12])
