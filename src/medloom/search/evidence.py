"""The sentence of a chunk that answers a query best."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from medloom.search.index import Index
from medloom.search.lexical import Words
from medloom.search.store import Floats
from medloom.text.sentences import sentence_spans

Span = tuple[int, int]
How = Literal["model", "words", "none"]

_USUAL_SENTENCE = 12.0
_MOST_SENTENCES = 40


def by_model(index: Index, vector: Floats, texts: Sequence[str]) -> list[Span | None]:
    """Of each text the sentence whose vector is nearest to the query's, by the index's own model.

    Args:
        index: Whose model.
        vector: The query's, float32, shape (index.settings.dimensions,).
        texts: Of chunks; the first 40 sentences of each are looked at.

    Returns:
        Start and end in characters of each text; None where there is no sentence.
    """
    spans = _spans(texts)
    several = [number for number, one in enumerate(spans) if len(one) > 1]
    sentences = [texts[number][start:end] for number in several for start, end in spans[number]]
    scores = (index.embed(sentences, "document") @ vector).tolist() if sentences else []
    best: list[Span | None] = [one[0] if one else None for one in spans]
    first = 0
    for number in several:
        last = first + len(spans[number])
        best[number] = spans[number][int(np.argmax(scores[first:last]))]
        first = last
    return best


def by_words(query: str, texts: Sequence[str]) -> list[Span | None]:
    """Of each text the sentence that scores best by BM25; words that fewer sentences hold count more.

    Args:
        query: What was asked.
        texts: Of chunks; the first 40 sentences of each are looked at.

    Returns:
        Start and end in characters of each text; None where no sentence shares a word with the query.
    """
    words = Words(_USUAL_SENTENCE)
    asked = set(words.query(query).indices)
    spans = _spans(texts)
    weights = [
        [_shared(words, text[start:end], asked) for start, end in found] for text, found in zip(texts, spans, strict=True)
    ]
    number = sum(map(len, weights))
    counts = Counter(word for one in weights for sentence in one for word in sentence)
    idf = {word: math.log(1 + (number - count + 0.5) / (count + 0.5)) for word, count in counts.items()}
    best: list[Span | None] = []
    for found, sentences in zip(spans, weights, strict=True):
        scores = [sum(idf[word] * weight for word, weight in sentence.items()) for sentence in sentences]
        best.append(found[int(np.argmax(scores))] if any(scores) else None)
    return best


def _spans(texts: Sequence[str]) -> list[list[Span]]:
    return [sentence_spans(text)[:_MOST_SENTENCES] for text in texts]


def _shared(words: Words, sentence: str, asked: set[int]) -> dict[int, float]:
    sparse = words.document(sentence)
    return {word: weight for word, weight in zip(sparse.indices, sparse.values, strict=True) if word in asked}
