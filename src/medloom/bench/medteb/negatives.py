"""Negatives for pairs: near texts that do not belong."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from medloom.bench.medteb.draw import rank
from medloom.bench.medteb.rows import Pair
from medloom.encode import Encoder
from medloom.mine.topk import Floats, top_k

_AUTHORS_SEED = 42
_DEPTH = 64
_SHOWN_CHARS = 500


class Vectors:
    """Vectors of texts under one encoder, each text encoded once as long as this object lives.

    Args:
        load: Gives the encoder when the first text is asked for.
    """

    def __init__(self, load: Callable[[], Encoder]) -> None:
        self._load = load
        self._encoder: Encoder | None = None
        self._known: dict[str, Floats] = {}

    def __call__(self, texts: Sequence[str]) -> Floats:
        """float32, shape (n, d), rows of unit length."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            if self._encoder is None:
                self._encoder = self._load()
            found = self._encoder.encode(new)
            lengths = np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.finfo(np.float32).tiny)
            self._known.update(zip(new, found / lengths, strict=True))
        return np.stack([self._known[text] for text in texts])

    def forget(self) -> None:
        """Drop the vectors; the encoder stays."""
        self._known.clear()


def authors_negatives(texts: Sequence[str], vectors: Vectors, neighbours: int, other_text: bool) -> list[int]:
    """For each text the number of another, drawn from its nearest ones, as the authors' code does it.

    Copies of the text may be drawn unless ``other_text`` is set: one of the defects that ``compat`` keeps.

    Args:
        texts: Second texts of the pairs, at least two.
        vectors: Of the model that finds neighbours.
        neighbours: How many nearest texts to draw from.
        other_text: Never draw a text that equals this one, where there is another.
    """
    found = vectors(texts)
    chooser = random.Random(_AUTHORS_SEED)
    chosen = []
    for start, _, numbers in top_k(found, found, neighbours + 1):
        for i, near in enumerate(numbers.tolist(), start=start):
            others = [j for j in near if j != i]
            fitting = [j for j in others if not other_text or texts[j] != texts[i]]
            if not fitting:
                fitting = [j for j in range(len(texts)) if j != i and (not other_text or texts[j] != texts[i])]
            chosen.append(chooser.choice(fitting or others))
    return chosen


def mixed_negatives(
    rows: Sequence[tuple[str, str, Pair]],
    answers: Mapping[str, set[str]],
    owners: Mapping[str, set[str]],
    vectors: Vectors,
    salt: str,
    counts: dict[str, int],
) -> list[str | None]:
    """For each pair a text that does not belong to its first one: half found by words (BM25), half by vectors.

    Looked for near the pair's second text, so that no model is asked what it itself finds nearest to the first. Left out:
    texts that any pair gives for the same first text, texts of the same group, and the first text itself. Among the nearest
    that remain the salt decides, so that a rank moved by another machine's arithmetic seldom matters.

    Args:
        rows: Normal form of the first and of the second text, and the pair; distinct.
        answers: For each first text the second texts that belong to it.
        owners: For each second text the groups it occurs in.
        vectors: Of the model that finds half of them.
        salt: Decides among the nearest.
        counts: ``random_negatives`` counts pairs near to which nothing was left, ``without_negative`` those without any.

    Returns:
        The negative of each pair, or None where there is no text at all that does not belong.
    """
    pool = {text: row.text for _, text, row in rows}
    keys = list(pool)
    shown = [pool[key][:_SHOWN_CHARS] for key in keys]
    place = {key: i for i, key in enumerate(keys)}
    wanted = [place[text] for _, text, _ in rows]
    near: list[list[int]] = [[] for _ in rows]
    near[::2] = _by_words([shown[i] for i in wanted[::2]], shown)
    near[1::2] = _by_vectors(wanted[1::2], vectors(shown))
    chosen: list[str | None] = []
    for (query, _, row), candidates in zip(rows, near, strict=True):
        barred = answers[query] | {query}
        order = f"{salt}|{row.id}"
        key = _first_fitting((keys[i] for i in candidates), barred, owners, row.group, order)
        if key is None:
            key = _first_fitting(keys, barred, owners, row.group, order)
            reason = "without_negative" if key is None else "random_negatives"
            counts[reason] = counts.get(reason, 0) + 1
        chosen.append(None if key is None else pool[key])
    return chosen


def _first_fitting(
    keys: Iterable[str], barred: set[str], owners: Mapping[str, set[str]], group: str, salt: str
) -> str | None:
    """The first key in the salt's order that is neither barred nor of the group."""
    fitting = (key for key in keys if key not in barred and group not in owners[key])
    return min(fitting, key=lambda key: rank(salt, key), default=None)


def _by_vectors(wanted: Sequence[int], vectors: Floats) -> list[list[int]]:
    """Numbers of the nearest texts of each wanted one."""
    queries = vectors[list(wanted)]
    return [near for _, _, numbers in top_k(queries, vectors, _DEPTH) for near in numbers.tolist()]


def _by_words(queries: Sequence[str], pool: Sequence[str]) -> list[list[int]]:
    """Numbers of the texts with the best BM25 score for each query, none without a shared word (bm25s: Lù 2024)."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")

    def tokens(texts: Sequence[str]) -> list[list[str]]:
        found = bm25s.tokenize(list(texts), stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)
        return [list(one) for one in found]

    index = bm25s.BM25()
    corpus = tokens(pool)
    if not any(corpus):
        return [[] for _ in queries]
    index.index(corpus, show_progress=False)
    numbers, scores = index.retrieve(
        tokens(queries), k=min(_DEPTH, len(pool)), show_progress=False, backend_selection="numpy"
    )
    return [
        [int(i) for i, score in zip(near, reached, strict=True) if score > 0]
        for near, reached in zip(numbers, scores, strict=True)
    ]
