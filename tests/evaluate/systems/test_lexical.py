"""BM25 against a naive one and against bm25s's own retrieval."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import bm25s
import numpy as np
import pytest
import Stemmer

from medloom.evaluate.systems.base import System
from medloom.evaluate.systems.lexical import Bm25System
from medloom.mine import bm25 as module

WORDS = ["fever", "fevers", "cough", "heart", "lung", "pain", "pains", "acute", "child", "the", "of", "no", "x", "dose"]
HOSTILE = [
    "",
    " ",
    "the of and",
    "x",
    "?!",
    "\x00",
    "\ud800",
    "é",
    "日本語 テキスト",
    "😀",
    "a" * 10_000,
    "İstanbul ﬁbrosis",
]


def texts(n: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(n)]


def tokens(of: Sequence[str]) -> list[list[str]]:
    stemmer = Stemmer.Stemmer("english")
    found: list[list[str]] = bm25s.tokenize(list(of), stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)
    return found


def naive(query: str, document: str, collection: Sequence[str], k1: float = 1.5, b: float = 0.75) -> float:
    words, n = tokens(collection), len(collection)
    mean = sum(map(len, words)) / n
    (asked,), (found,) = tokens([query]), tokens([document])
    counts = Counter(found)
    total = 0.0
    for word in asked:
        df = sum(word in one for one in words)
        idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
        total += idf * counts[word] / (counts[word] + k1 * (1 - b + b * len(found) / mean)) if counts[word] else 0
    return total


def test_ranks_and_scores_are_those_of_a_naive_bm25(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, corpus = texts(7, 1), texts(40, 2)
    expected = np.array([[naive(q, d, corpus) for d in corpus] for q in queries])
    for scores_per_block in (16_000_000, 90):
        monkeypatch.setattr(module, "_SCORES_PER_BLOCK", scores_per_block)
        numbers, scores = Bm25System().rank(queries, corpus, 40)
        assert (numbers.dtype.name, scores.dtype.name) == ("int64", "float32")
        for row, (found, got) in enumerate(zip(numbers, scores, strict=True)):
            there = found[found >= 0]
            assert set(there) == set(np.flatnonzero(expected[row] > 0))
            np.testing.assert_allclose(got[found >= 0], expected[row, there], rtol=1e-5)
            assert (got[found < 0] == 0).all()
            assert (np.diff(got) <= 0).all()


def test_a_corpus_is_indexed_once_and_never_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = module._tokens

    def counted(of: Sequence[str]) -> list[list[str]]:
        read.append(len(of))
        return real(of)

    monkeypatch.setattr(module, "_tokens", counted)
    system, corpus = Bm25System(), ["cough", "fever", "pain"]
    assert system.rank(["fever"], corpus, 1)[0].tolist() == [[1]]
    assert system.rank(["pain"], list(corpus), 1)[0].tolist() == [[2]]
    corpus.reverse()
    assert system.rank(["pain"], corpus, 1)[0].tolist() == [[0]]
    assert system.rank(["pain"], ["", "the"], 1)[0].tolist() == [[-1]]
    assert read == [3, 1, 1, 3, 1, 2]


def test_scores_are_those_of_bm25s_itself() -> None:
    queries, corpus = texts(20, 3), texts(200, 4)
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(tokens(corpus), show_progress=False)
    _, theirs = index.retrieve(tokens(queries), k=10, show_progress=False)
    _, ours = Bm25System().rank(queries, corpus, 10)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_equal_texts_come_in_the_order_of_their_numbers() -> None:
    corpus = ["cough at night", *["acute fever"] * 6, "fever"]
    numbers, _ = Bm25System().rank(["acute"], corpus, 4)
    assert numbers.tolist() == [[1, 2, 3, 4]]


def test_a_text_without_a_common_word_is_not_found() -> None:
    numbers, scores = Bm25System().rank(["fever", "the", "zebra"], ["fevers", "cough"], 5)
    assert numbers.tolist() == [[0, -1], [-1, -1], [-1, -1]]
    assert scores[0, 0] > 0
    assert scores[1:].tolist() == [[0, 0], [0, 0]]


def test_hostile_texts_do_not_crash() -> None:
    system = Bm25System()
    numbers, scores = system.rank(HOSTILE, [*HOSTILE, "fever"], 3)
    assert numbers.shape == (len(HOSTILE), 3)
    assert np.isfinite(scores).all()
    assert numbers[HOSTILE.index("a" * 10_000), 0] == HOSTILE.index("a" * 10_000)
    assert np.isfinite(system.similarity(HOSTILE, HOSTILE[::-1])).all()


@pytest.mark.parametrize("corpus", [[], ["", "the of"], ["?"]])
def test_a_corpus_without_words_finds_nothing(corpus: list[str]) -> None:
    numbers, scores = Bm25System().rank(["fever", ""], corpus, 3)
    assert numbers.shape == scores.shape == (2, min(3, len(corpus)))
    assert (numbers == -1).all()
    assert not scores.any()
    assert Bm25System().similarity(["", "the"], ["?", "of"]).tolist() == [0, 0]
    assert Bm25System().rank([], ["fever"], 3)[0].shape == (0, 1)


def test_similarity_is_the_mean_of_both_directions_over_all_texts_of_the_call() -> None:
    one, other = texts(15, 5), texts(15, 6)
    collection = list(dict.fromkeys([*one, *other]))
    expected = [(naive(a, b, collection) + naive(b, a, collection)) / 2 for a, b in zip(one, other, strict=True)]
    similar = Bm25System().similarity(one, other)
    assert similar.dtype == np.float64
    np.testing.assert_allclose(similar, expected, rtol=1e-5)
    np.testing.assert_allclose(Bm25System().similarity(other, one), expected, rtol=1e-5)


def test_texts_of_the_same_words_tie() -> None:
    similar = Bm25System().similarity(["left lung", "left lung"], ["fever in lung left", "left fever in lung"])
    assert similar[0] == similar[1] > 0


def test_what_it_says_of_itself() -> None:
    system = Bm25System()
    assert isinstance(system, System)
    assert system.types == {"Retrieval", "PairClassification", "STS", "MinimalPairs"}
    assert (system.info.name, system.info.kind) == ("bm25", "lexical")
    assert (system.info.settings["k1"], system.info.settings["b"], system.info.settings["method"]) == (1.5, 0.75, "lucene")
    assert bm25s.__version__ in system.info.settings["backend"]
    assert Bm25System().info.hash == system.info.hash
    assert Bm25System(k1=1.2).info.hash != system.info.hash
    with pytest.raises(NotImplementedError, match="no vector"):
        system.vectors(["fever"])
