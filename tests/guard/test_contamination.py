"""Whether a training text is also a test text."""

import random

import pytest

from medloom.guard import EvaluationTexts
from medloom.text import characters_key, text_key

RNG = random.Random(5)
VOCABULARY = ["".join(RNG.choice("abcdefghijklmnop") for _ in range(RNG.randint(3, 9))) for _ in range(400)]


def sentence(words: int, rng: random.Random = RNG) -> str:
    return " ".join(rng.choice(VOCABULARY) for _ in range(words))


def index(*texts: str, near_duplicate: float = 0.8, ngram: int = 13) -> EvaluationTexts:
    found = EvaluationTexts(near_duplicate, ngram)
    found.add(texts)
    return found


def jaccard(a: str, b: str) -> float:
    one, other = characters_key(a), characters_key(b)
    return len(one & other) / len(one | other)


@pytest.mark.parametrize("text", ["What is fever?", "what is FEVER", "What  is: fever", "Whát is fever"])
def test_equal_texts(text: str) -> None:
    assert index("What is fever?").reason(text) == "exact"


def test_clean_texts() -> None:
    found = index(*(sentence(8) for _ in range(50)))
    assert [found.reason(sentence(8)) for _ in range(50)] == [None] * 50
    assert index().reason("anything") is None
    assert index("What is fever?").reason("") is None


def test_a_near_duplicate_just_above_and_just_below() -> None:
    base = "abcdefgh ijklmnop qrstuvwx yzabcdef ghijklmn"
    above, below = base + " xy", base + " xyzuvw12 34"
    assert 0.8 <= jaccard(base, above) < 1
    assert 0.6 < jaccard(base, below) < 0.8
    assert index(base).reason(above) == "near_duplicate"
    assert index(base).reason(below) is None
    assert index(base, near_duplicate=0.6).reason(below) == "near_duplicate"


def test_exactly_at_the_threshold() -> None:
    base = "abcdefghijk"
    other = "abcdefghijkxy"
    assert jaccard(base, other) == 0.8
    assert index(base).reason(other) == "near_duplicate"
    assert index(base, near_duplicate=0.801).reason(other) is None


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
def test_parity_with_brute_force(threshold: float) -> None:
    rng = random.Random(3)
    tests = [sentence(rng.randint(2, 10), rng) for _ in range(100)]
    train = []
    for text in tests:
        for changed in range(1, 5):
            words = text.split()
            for _ in range(changed):
                words[rng.randrange(len(words))] = rng.choice(VOCABULARY)
            train.append(" ".join(words))
            train.append(text[: len(text) - changed * rng.randint(1, 4)])
    found = index(*tests, near_duplicate=threshold, ngram=50)
    grams = [characters_key(text) for text in tests]
    keys = {text_key(text) for text in tests}
    wrong = []
    for text in train:
        own = characters_key(text)
        near = any(len(own & other) >= threshold * len(own | other) for other in grams)
        expected = "exact" if text_key(text) in keys else "near_duplicate" if near else None
        if found.reason(text) != expected:
            wrong.append((text, expected))
    assert wrong == []


def test_the_near_duplicate_test_can_be_turned_off() -> None:
    base = "abcdefgh ijklmnop qrstuvwx yzabcdef"
    assert index(base, near_duplicate=1.01).reason(base + " z") is None
    assert index(base, near_duplicate=1.01).reason(base.upper()) == "exact"


def test_a_run_of_thirteen_words() -> None:
    run = sentence(13)
    found = index(f"{sentence(40)} {run} {sentence(40)}")
    assert found.reason(f"{sentence(30)} {run.upper().replace(' ', ', ')} {sentence(30)}") == "ngram"
    twelve = " ".join(run.split()[:12])
    assert found.reason(f"{sentence(30)} {twelve} {sentence(30)}") is None
    assert found.reason(twelve) is None
    assert found.reason(run) == "ngram"


@pytest.mark.parametrize("n", [3, 5])
def test_the_length_of_a_run_can_be_set(n: int) -> None:
    run = [f"word{i}" for i in range(n)]
    found = index(f"{sentence(60)} {' '.join(run)} {sentence(60)}", ngram=n)
    assert found.reason(f"x {' '.join(run)} y") == "ngram"
    assert found.reason(f"x {' '.join(run[:-1])} y") is None


def test_runs_can_be_turned_off() -> None:
    long = sentence(100)
    assert index(long, ngram=0).reason(long + " more") is None
    assert index(long).reason(long + " more") == "ngram"


def test_long_texts_are_compared_by_runs_alone() -> None:
    long = sentence(80)
    assert len(long) > 300
    words = long.split()
    broken = " ".join(word if i % 10 else "zzz" for i, word in enumerate(words))
    assert jaccard(long, broken) > 0.7
    assert index(long, near_duplicate=0.5).reason(broken) is None
    assert index(long).reason(" ".join(words[5:])) == "ngram"


def test_the_strictest_reason_is_given() -> None:
    text = " ".join(VOCABULARY[:15])
    found = index(text)
    assert found.reason(text) == "exact"
    assert found.reason(text + " s") == "near_duplicate"
    assert found.reason(text + " " + sentence(60)) == "ngram"


def test_repeats_and_texts_without_words_are_not_indexed() -> None:
    found = index("Fever", "fever!", "FEVER", "???", "")
    assert len(found) == 1
    assert found.reason("!!!") is None
    found.add(["cough"])
    assert len(found) == 2
    assert found.reason("Cough") == "exact"
