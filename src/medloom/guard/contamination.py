"""Whether a training text is also a test text.

Three tests, strictest first: equal after normalisation; near-duplicate (Jaccard overlap of character 4-grams, for texts
of up to 300 characters); a run of 13 equal words (the decontamination rule of Brown et al. 2020, "Language Models are
Few-Shot Learners", appendix C). A longer near-duplicate shares such a run.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from medloom.text import characters_key, text_key, words

Reason = Literal["exact", "near_duplicate", "ngram"]

_SHORT = 300


class EvaluationTexts:
    """An index of the texts that a model will be judged on.

    Args:
        near_duplicate: Jaccard overlap, at least 0.6, from which two short texts are near-duplicates; above 1 turns the
            test off.
        ngram: Words in a run that may not be shared; 0 turns the test off.
    """

    def __init__(self, near_duplicate: float = 0.8, ngram: int = 13) -> None:
        from rensa import RMinHashLSH

        self._threshold = near_duplicate
        self._n = ngram
        self._keys: set[str] = set()
        self._runs = np.empty(0, dtype=np.int64)
        self._new_runs = array("q")
        self._short: list[set[str]] = []
        self._width, bands = _sketch(near_duplicate)
        self._lsh: Any = RMinHashLSH(threshold=min(1.0, near_duplicate), num_perm=self._width, num_bands=bands)

    def add(self, texts: Iterable[str]) -> None:
        """Index texts; repeated ones cost nothing."""
        for text in texts:
            key = text_key(text)
            if not key or key in self._keys:
                continue
            self._keys.add(key)
            self._new_runs.extend(self._run_hashes(text))
            if len(key) <= _SHORT and self._threshold <= 1:
                grams = characters_key(text)
                self._lsh.insert(len(self._short), _minhash(grams, self._width))
                self._short.append(grams)

    def __len__(self) -> int:
        return len(self._keys)

    def reason(self, text: str) -> Reason | None:
        """Why the text may not be trained on, or None when it is clean."""
        key = text_key(text)
        if key in self._keys:
            return "exact"
        if len(key) <= _SHORT and self._threshold <= 1 and self._near(text):
            return "near_duplicate"
        return "ngram" if self._shares_run(text) else None

    def _shares_run(self, text: str) -> bool:
        """Whether a run of words of the text is indexed; runs are a sorted array, 8 bytes each."""
        if self._new_runs:
            fresh = np.frombuffer(self._new_runs, dtype=np.int64)
            self._runs = np.union1d(self._runs, fresh)
            self._new_runs = array("q")
        runs = np.fromiter(self._run_hashes(text), dtype=np.int64)
        if not len(runs) or not len(self._runs):
            return False
        places = np.minimum(np.searchsorted(self._runs, runs), len(self._runs) - 1)
        return bool((self._runs[places] == runs).any())

    def _near(self, text: str) -> bool:
        grams = characters_key(text)
        return any(
            len(grams & other) >= self._threshold * len(grams | other)
            for other in (self._short[i] for i in self._lsh.query(_minhash(grams, self._width)))
        )

    def _run_hashes(self, text: str) -> Iterator[int]:
        if self._n:
            tokens = words(text)
            for i in range(len(tokens) - self._n + 1):
                yield hash(" ".join(tokens[i : i + self._n]))


def _sketch(threshold: float) -> tuple[int, int]:
    """Length and bands of a sketch that finds a pair at the threshold with a chance of at least 0.999."""
    return (128, 32) if threshold >= 0.7 else (126, 42)


def _minhash(grams: set[str], width: int) -> Any:  # noqa: ANN401
    from rensa import RMinHash

    sketch = RMinHash(num_perm=width, seed=42)
    sketch.update(sorted(grams))
    return sketch
