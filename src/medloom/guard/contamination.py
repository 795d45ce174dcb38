"""Whether a training text is also a test text.

Three tests, strictest first: equal after normalisation; near-duplicate (Jaccard overlap of character 4-grams, for texts
of up to 300 characters); a run of 13 equal words (the decontamination rule of Brown et al. 2020, "Language Models are
Few-Shot Learners", appendix C). A longer near-duplicate shares such a run.

Texts are compared by 64-bit hashes of them and of their runs, and near-duplicates by the hashes of their grams.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from medloom.guard.hash_counts import Counts, HashCounts
from medloom.guard.hash_set import HashSet
from medloom.guard.hashes import Hashes, hashes_of, is_in, run_hashes, unique_within
from medloom.guard.short import ShortSketch, ShortTexts, joined_sketches
from medloom.text import text_key

Reason = Literal["exact", "near_duplicate", "ngram"]
REASONS: tuple[Reason, ...] = ("exact", "near_duplicate", "ngram")

_SHORT = 300
_BATCH = 2_000


@dataclass(frozen=True)
class Sketch:
    """What an index keeps of some texts.

    Attributes:
        texts: A hash for each different text.
        runs: A hash for each different run of words.
        run_counts: How many of the texts hold each of these.
        short: Sketches of the short texts.
        short_texts: A hash for each of the short texts.
    """

    texts: Hashes
    runs: Hashes
    run_counts: Counts
    short: ShortSketch
    short_texts: Hashes


def sketch(texts: Iterable[str], ngram: int, near_duplicate: float, common: Hashes | None = None) -> Sketch:
    """Sketch texts for :meth:`EvaluationTexts.add_sketch`; this part of the work can be done anywhere.

    Args:
        texts: Of the held-out side.
        ngram: As in :class:`EvaluationTexts`.
        near_duplicate: Likewise.
        common: Sorted hashes of texts that are nobody's, and left out.
    """
    keys = list(dict.fromkeys(key for key in map(text_key, texts) if key))
    hashes = hashes_of(keys)
    if common is not None and len(common):
        somebodys = np.flatnonzero(~is_in(hashes, common))
        keys, hashes = [keys[number] for number in somebodys.tolist()], hashes[somebodys]
    near = [number for number, key in enumerate(keys) if len(key) <= _SHORT and near_duplicate <= 1]
    runs, run_counts = _runs(keys, ngram)
    short = ShortSketch.of([keys[number] for number in near], near_duplicate)
    return Sketch(hashes, runs, run_counts, short, hashes[np.array(near, dtype=np.int64)])


class EvaluationTexts:
    """An index of the texts that a model will be judged on.

    Args:
        near_duplicate: Jaccard overlap from which two short texts are near-duplicates; above 1 turns the test off.
        ngram: Words in a run that may not be shared; 0 turns the test off.
        folder: Where what does not fit into memory may lie.
        common: A run that more than so many of the texts hold ("denies fevers, chills, ...") is nobody's; all count if None.
    """

    def __init__(
        self, near_duplicate: float = 0.8, ngram: int = 13, folder: Path | None = None, common: int | None = None
    ) -> None:
        self._threshold = near_duplicate
        self._n = ngram
        self._texts = HashSet(folder and folder / "texts")
        self._run_counts = HashCounts(folder and folder / "runs")
        self._runs: Hashes | None = None
        self._common = common
        self._short: list[ShortSketch] = []
        self._short_texts: list[Hashes] = []
        self._near: ShortTexts | None = None

    def add(self, texts: Iterable[str]) -> None:
        """Index texts; repeated ones cost nothing."""
        self.add_sketch(sketch(texts, self._n, self._threshold))

    def add_sketch(self, part: Sketch) -> None:
        """Index texts that were sketched elsewhere with the same settings."""
        self._texts.add(part.texts)
        self._run_counts.add(part.runs, part.run_counts)
        self._runs = None
        if len(part.short_texts):
            self._short.append(part.short)
            self._short_texts.append(part.short_texts)
            self._near = None

    def __len__(self) -> int:
        return len(self._texts.sorted())

    def reason(self, text: str) -> Reason | None:
        """Why the text may not be trained on, or None when it is clean."""
        return self.reasons([text])[0]

    def reasons(self, texts: Sequence[str]) -> list[Reason | None]:
        """:meth:`reason` of each text; many at once are much faster than one after the other."""
        found: list[Reason | None] = []
        for begin in range(0, len(texts), _BATCH):
            codes = self.codes([text_key(text) for text in texts[begin : begin + _BATCH]])
            found += [REASONS[code] if code < len(REASONS) else None for code in codes.tolist()]
        return found

    def codes(self, keys: Sequence[str]) -> npt.NDArray[np.uint8]:
        """For each normalised text the place of its reason in :data:`REASONS`; 3 where there is none."""
        codes = np.full(len(keys), len(REASONS), dtype=np.uint8)
        codes[is_in(hashes_of(keys), self._texts.sorted())] = 0
        open_ = np.flatnonzero(codes)
        near = [n for n in open_.tolist() if 0 < len(keys[n]) <= _SHORT] if self._threshold <= 1 else []
        codes[np.array(near, dtype=np.int64)[self._short_index().near([keys[n] for n in near])]] = 1
        open_ = open_[codes[open_] > 1]
        if self._n and len(open_):
            runs, owners = run_hashes([keys[n] for n in open_.tolist()], self._n)
            codes[open_[owners[is_in(runs, self._known_runs())]]] = 2
        return codes

    def save(self, folder: Path) -> None:
        """Write the index as files that several processes can read at once."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, hashes in (("texts", self._texts.sorted()), ("runs", self._known_runs())):
            hashes.tofile(folder / name)
        self._short_index().save(folder / "short")

    @classmethod
    def load(cls, folder: Path, near_duplicate: float, ngram: int) -> Self:
        """What :meth:`save` wrote; it stays on the disk until it is needed, and nothing can be added to it."""
        index = cls(near_duplicate, ngram)
        index._texts, index._runs = HashSet.of(folder / "texts"), HashSet.of(folder / "runs").sorted()
        index._near = ShortTexts.load(folder / "short", near_duplicate)
        return index

    def _known_runs(self) -> Hashes:
        if self._runs is None:
            self._runs = self._run_counts.up_to(self._common)
        return self._runs

    def _short_index(self) -> ShortTexts:
        if self._near is None:
            hashes = np.concatenate([np.empty(0, dtype=np.uint64), *self._short_texts])
            first = np.sort(np.unique(hashes, return_index=True)[1])
            short = joined_sketches(self._short, self._threshold).only(first)
            self._short, self._short_texts = [short], [hashes[first]]
            self._near = ShortTexts(short, self._threshold)
        return self._near


def _runs(keys: Sequence[str], n: int) -> tuple[Hashes, Counts]:
    """Each run of ``n`` words of the texts once, sorted, and how many texts hold it."""
    if not n:
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint32)
    hashes, owners = run_hashes(keys, n)
    found, counts = np.unique(unique_within(hashes, owners, len(keys))[0], return_counts=True)
    return found, counts.astype(np.uint32)
