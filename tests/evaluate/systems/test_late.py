"""MaxSim in blocks against the library's own, and every text encoded once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.encode import Role
from medloom.encode.cache import VectorCache
from medloom.encode.multivector import TokenEncoder, load_multivector
from medloom.evaluate.systems import late as module
from medloom.evaluate.systems.base import System
from medloom.evaluate.systems.late import LateInteractionSystem
from medloom.evaluate.tasks import Task

QUERIES = ["fever", "heart pain in a child", "acute kidney", "what is a rash of the skin", ""]
CORPUS = [
    *("heart pain", "fever at night", "high blood pressure in an adult with a chronic cough", "skin", "", "fever"),
    *("liver and kidney", "a rash", "dose of a tablet", "acute pain of the bone and the joint with fever", "fever"),
]


@pytest.fixture(scope="module")
def encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> TokenEncoder:
    import torch
    from sentence_transformers import MultiVectorEncoder, SentenceTransformer
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from sentence_transformers.sentence_transformer.modules import Normalize

    with torch.random.fork_rng():
        torch.manual_seed(1)
        dense = Dense(32, 16, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings")
    first: Any = SentenceTransformer(str(tiny_model), device="cpu")[0]
    first.query_expansion = {"strategy": "fixed", "attend": False, "length": 10}
    modules = [first, dense, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]
    model = MultiVectorEncoder(modules=modules, prompts={"query": "query "}, device="cpu")
    out = tmp_path_factory.mktemp("late") / "model"
    model.save_pretrained(str(out), create_model_card=False)
    return load_multivector(out)


class Toy:
    """Token vectors of 4 dimensions, one for each letter, none for a dot; no unit length."""

    def __init__(self) -> None:
        self.hash, self.dimensions, self.precision, self.model = "toy", 4, "fp32", None
        self.max_length = {"query": 8, "document": 8}
        self.asked: list[str] = []

    def prompt_for(self, role: Role) -> str | None:
        return None

    def encode(self, texts: Sequence[str], role: Role) -> list[Any]:
        self.asked.extend(f"{role[0]}:{t}" for t in texts)
        return [self.tokens(text, role).astype(np.float16) for text in texts]

    def tokens(self, text: str, role: Role) -> Any:
        letters = [c for c in text if c != "."]
        return np.array([np.random.default_rng([ord(c), len(role)]).standard_normal(4) for c in letters]).reshape(-1, 4)


def maxsim(query: Any, document: Any) -> float:
    return float((query @ document.T).max(axis=1).sum()) if len(query) and len(document) else -np.inf


def toy_scores(queries: Sequence[str], corpus: Sequence[str]) -> Any:
    toy = Toy()
    asked, found = [toy.tokens(t, "query") for t in queries], [toy.tokens(t, "document") for t in corpus]
    return np.array([[maxsim(q.astype(np.float16), d.astype(np.float16)) for d in found] for q in asked])


def system(toy: Toy, cache: VectorCache | None = None) -> LateInteractionSystem:
    return LateInteractionSystem(toy, cache)  # type: ignore[arg-type]


def test_scores_are_those_of_the_library(encoder: TokenEncoder) -> None:
    model = encoder.model
    asked, found = (
        model.encode_query(QUERIES, show_progress_bar=False),
        model.encode_document(CORPUS, show_progress_bar=False),
    )
    expected = model.similarity(asked, found).numpy()
    numbers, scores = LateInteractionSystem(encoder).rank(QUERIES, CORPUS, len(CORPUS))
    np.testing.assert_allclose(scores, np.take_along_axis(expected, numbers, axis=1), atol=0.01)
    assert [sorted(row) for row in numbers.tolist()] == [list(range(len(CORPUS)))] * len(QUERIES)
    assert numbers[0].tolist().index(5) + 1 == numbers[0].tolist().index(10)


def test_pairs_are_compared_both_ways_by_the_mean_over_tokens(encoder: TokenEncoder) -> None:
    model = encoder.model
    one, other = CORPUS[:6], CORPUS[5:]
    a, b = (model.encode_document(texts, show_progress_bar=False) for texts in (one, other))
    expected = (
        model.similarity_pairwise(a, b, length_normalize=True) + model.similarity_pairwise(b, a, length_normalize=True)
    ) / 2
    late = LateInteractionSystem(encoder)
    similar = late.similarity(one, other)
    assert similar.dtype == np.float64
    np.testing.assert_allclose(similar, expected.numpy(), atol=2e-3)
    np.testing.assert_allclose(late.similarity(other, one), similar, atol=1e-6)
    np.testing.assert_allclose(late.similarity(one, one), 1, atol=2e-3)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    letters = list("abcdefgh")
    queries, corpus = (["".join(rng.choice(letters, rng.integers(1, 9))) for _ in range(n)] for n in (9, 40))
    expected = toy_scores(queries, corpus)
    for query_tokens, text_tokens in ((1_024, 16_384), (10, 20), (1, 1)):
        monkeypatch.setattr(module, "_QUERY_TOKENS", query_tokens)
        monkeypatch.setattr(module, "_TEXT_TOKENS", text_tokens)
        for k in (1, 5, 40, 99):
            numbers, scores = system(Toy()).rank(queries, corpus, k)
            assert (numbers.dtype.name, scores.dtype.name) == ("int64", "float32")
            np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :k], atol=0.02)
            np.testing.assert_allclose(np.take_along_axis(expected, numbers, axis=1), scores, atol=0.02)


def test_equal_texts_come_in_the_order_of_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TEXT_TOKENS", 5)
    numbers, _ = system(Toy()).rank(["ab"], ["ab", "abcd", "ab", "ba", "ab", "ab"], 3)
    scores = toy_scores(["ab"], ["ab", "abcd"])[0]
    assert numbers.tolist() == ([[1, 0, 2]] if scores[1] > scores[0] else [[0, 1, 2]])


def test_texts_without_tokens_are_not_found() -> None:
    late = system(Toy())
    numbers, scores = late.rank(["ab", "."], ["..", "a", ".", "b"], 4)
    assert sorted(numbers[0, :2].tolist()) == [1, 3]
    assert numbers[0, 2:].tolist() == [-1, -1]
    assert numbers[1].tolist() == [-1] * 4
    assert scores[0, 2:].tolist() == [0, 0]
    assert late.similarity(["ab", ".", "."], [".", "a", ".."]).tolist() == [0, 0, 0]
    assert [part.shape for part in late.rank([], ["a"], 2)] == [(0, 1), (0, 1)]
    assert [part.shape for part in late.rank(["a"], [], 2)] == [(1, 0), (1, 0)]


def test_every_text_is_encoded_once_for_all_tasks_and_runs(tmp_path: Path) -> None:
    data = {"queries": {"q": "ab"}, "corpus": {"d": "ab", "e": "cd"}, "qrels": {"q": {"d": 1}}}
    pairs = {"sentence1": ["cd", "ef"], "sentence2": ["ab", "cd"], "labels": [1, 0]}
    tasks = [
        Task("ask", "Retrieval", "toy", "find", data),
        Task("pairs", "PairClassification", "toy", "tell", pairs),
        Task("groups", "Clustering", "toy", "group", {"sentences": ["gh", "ij"], "labels": ["x", "y"]}),
    ]
    toy = Toy()
    late = system(toy, VectorCache(tmp_path))
    late.prepare(tasks)
    assert sorted(toy.asked) == ["d:ab", "d:cd", "d:ef", "q:ab"]
    first = late.rank(["ab"], ["ab", "cd"], 2)
    late.similarity(["cd", "ef"], ["ab", "cd"])
    assert len(toy.asked) == 4
    late.close()
    again = Toy()
    second = system(again, VectorCache(tmp_path))
    second.prepare(tasks)
    np.testing.assert_array_equal(second.rank(["ab"], ["ab", "cd"], 2), first)
    assert again.asked == []
    assert (second.counters.distinct, second.counters.cached) == (4, 4)
    second.close()


def test_what_it_says_of_itself(encoder: TokenEncoder) -> None:
    late = LateInteractionSystem(encoder, name="late", size_bytes=5)
    assert isinstance(late, System)
    assert late.types == {"Retrieval", "PairClassification", "STS", "MinimalPairs"}
    info = late.info
    assert (info.name, info.kind, info.hash, info.dimensions, info.size_bytes) == (
        *("late", "late-interaction", encoder.hash),
        *(16, 5),
    )
    assert info.settings["prompts"] == {"query": "query "}
    assert info.settings["max_length"] == {"query": 10, "document": 48}
    assert info.parameters == sum(p.numel() for p in encoder.model.parameters())
    with pytest.raises(NotImplementedError, match="no single vector"):
        late.vectors(["fever"])
