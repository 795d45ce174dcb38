"""Near-duplicates among many short texts."""

import random
from pathlib import Path

import numpy as np
import pytest

from medloom.guard import EvaluationTexts
from medloom.guard.short import ShortSketch, ShortTexts, shape_of, spread
from medloom.text import characters_key


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
def test_bands_find_a_pair_at_the_threshold(threshold: float) -> None:
    rows, bands = shape_of(threshold)
    assert 1 - (1 - threshold**rows) ** bands >= 0.999
    assert rows * bands <= 384


def test_equal_sets_alone_at_a_threshold_of_one() -> None:
    index = ShortTexts(ShortSketch.of(["abcabcabc", "some other text"], 1.0), 1.0)
    assert index.near(["abcabcabcabc", "some other texts", "ab"]).tolist() == [True, False, False]


def _filled(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    words = ["".join(rng.choice("abcdefghijklmnopqrst") for _ in range(5)) for _ in range(2_000)]
    return [
        f"patient number {i * 7 + seed} with {rng.choice(words)} of the {rng.choice(words)} seen here" for i in range(count)
    ]


def test_thousands_of_texts_of_one_form_are_compared_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    original = ShortTexts._verified

    def counted(self: ShortTexts, queries: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        nonlocal compared
        compared += len(queries)
        return original(self, queries, *rest)

    monkeypatch.setattr(ShortTexts, "_verified", counted)
    known, asked = _filled(3_000, 0), _filled(1_000, 1)
    index = ShortTexts(ShortSketch.of(known, 0.8), 0.8)
    near = index.near([*asked, *(text + " x" for text in known[::10])])
    assert near[1_000:].all()
    grams = [characters_key(text) for text in known]
    for text, found in list(zip(asked, near.tolist(), strict=False))[:100]:
        own = characters_key(text)
        assert found == any(len(own & other) >= 0.8 * len(own | other) for other in grams)
    assert compared <= 64 * len(near)


def test_an_index_on_the_disk_answers_as_in_memory(tmp_path: Path) -> None:
    texts = [*_filled(50, 0), "one two three " * 40]
    index = EvaluationTexts()
    index.add(texts)
    index.save(tmp_path)
    asked = [*(text + " x" for text in texts), *_filled(50, 3), texts[0], ""]
    assert EvaluationTexts.load(tmp_path, 0.8, 13).reasons(asked) == index.reasons(asked)
    assert {*index.reasons(asked)} == {"exact", "near_duplicate", "ngram", None}


def test_an_empty_index_on_the_disk(tmp_path: Path) -> None:
    EvaluationTexts().save(tmp_path)
    assert EvaluationTexts.load(tmp_path, 0.8, 13).reasons(["anything", ""]) == [None, None]


def test_ranges_one_after_the_other() -> None:
    assert spread(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert spread(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).tolist() == []
