"""A static student of a dense model: a vector for each token, averaged (Model2Vec, Tulkens and van Dongen 2024).

Model2Vec sends each token of the vocabulary through the teacher alone, keeps the principal components of what comes out, and
weights each token by how rare it is (SIF, Arora et al. 2017). Where text is at hand, more is done here: words that it uses
often get vectors of their own, rarity is counted, and all vectors are fitted so that their mean over a text comes near the
teacher's vector of it. The mean is linear in the vectors, so the best fit is a ridge regression around the distilled ones:
there is one, found without a learning rate.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medloom.encode.encoder import TorchEncoder
from medloom.errors import ModelError
from medloom.progress import bar

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]

_BATCH = 1_024
_WORD = re.compile(r"[^\W\d_](?:[\w'-]*\w)?")
_LEAST_TEXTS = 3
_STEPS, _CLOSE = 60, 1e-4


@dataclass(frozen=True)
class Taught:
    """Texts with what the teacher makes of them.

    Attributes:
        texts: The texts.
        vectors: The teacher's vectors of them, float32, shape (n, d).
        length: Tokens that the teacher read of each.
    """

    texts: Sequence[str]
    vectors: Floats
    length: int


def distil(
    teacher: TorchEncoder,
    dimensions: int | None = 256,
    sif: float = 1e-4,
    words: int = 10_000,
    ridge: float = 0.01,
    taught: Taught | None = None,
) -> "SentenceTransformer":
    """Make a static student.

    Args:
        teacher: The model to learn from.
        dimensions: Of the student's vectors; as many as the teacher's if None or more.
        sif: A token that makes up a share p of all text counts sif / (sif + p).
        words: At most how many of the words that the texts use most, and that the teacher reads in pieces, get a vector.
        ridge: How hard the distilled vectors hold against the fit to the texts.
        taught: Texts at hand; without them rarity is guessed by Zipf's law, and nothing is fitted.

    Returns:
        A SentenceTransformer of a StaticEmbedding and a Normalize module, without prompts.

    Raises:
        ModelError: The teacher has no tokenizer that could be taken over, or is static itself.
    """
    tokenizer = _tokenizer_of(teacher)
    own = tokenizer.get_vocab_size()
    if taught is not None and words:
        _add_words(tokenizer, taught.texts, words)
    vectors = _token_vectors(teacher, tokenizer, own)
    spoken = np.linalg.norm(vectors, axis=1) > 0
    counts = _counts(tokenizer, taught) if taught is not None else None
    weights = _rarity(counts, len(vectors), sif)
    keep = min(dimensions or vectors.shape[1], vectors.shape[1])
    if taught is None or counts is None:
        centred = vectors[spoken] - vectors[spoken].mean(axis=0)
        return student_of(tokenizer, weights[:, None] * _projected(vectors, spoken, _directions(centred, keep)))
    directions = _directions(taught.vectors, keep)
    start: Floats = weights[:, None] * _projected(vectors, spoken, directions)
    return student_of(tokenizer, fit(counts, start, taught.vectors @ directions, ridge))


def student_of(tokenizer: "Tokenizer", vectors: Floats) -> "SentenceTransformer":
    """A static model.

    Args:
        tokenizer: Its tokenizer.
        vectors: Of each token, float32, shape (tokens, d).
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    embedding = StaticEmbedding(tokenizer, embedding_weights=np.ascontiguousarray(vectors, dtype=np.float32))
    return SentenceTransformer(modules=[embedding, Normalize()], device="cpu")


def fit(counts: "csr_array", start: Floats, target: Floats, ridge: float) -> Floats:
    """Vectors whose means over texts are nearest to given ones: a ridge regression around where they start.

    Args:
        counts: Share of each token in each text, shape (texts, tokens).
        start: Vectors to start from, float32, shape (tokens, d); they are scaled first, all by one number.
        target: What the mean over each text should be, float32, shape (texts, d).
        ridge: Weight of a vector's squared distance from its start, against the texts' squared errors.

    Returns:
        float32, shape (tokens, d), found by conjugate gradients (Hestenes and Stiefel 1952) on all columns at once.
    """
    means = counts @ start
    scale = float((means * target).sum() / max(float((means * means).sum()), 1e-12))
    start = start * np.float32(scale)
    transposed = counts.T.tocsr()
    moved = np.zeros_like(start)
    residual = transposed @ (target - counts @ start)
    direction = residual.copy()
    before = np.square(residual).sum(axis=0)
    enough = _CLOSE**2 * np.maximum(before, 1e-30)
    with bar("fitting", _STEPS, "steps") as advance:
        for _ in range(_STEPS):
            pushed = transposed @ (counts @ direction) + ridge * direction
            step = before / np.maximum((direction * pushed).sum(axis=0), 1e-30)
            moved += step * direction
            residual -= step * pushed
            now = np.square(residual).sum(axis=0)
            advance()
            if bool((now <= enough).all()):
                break
            direction = residual + (now / np.maximum(before, 1e-30)) * direction
            before = now
    fitted: Floats = (start + moved).astype(np.float32)
    return fitted


def _tokenizer_of(teacher: TorchEncoder) -> "Tokenizer":
    """A copy of the teacher's tokenizer that neither cuts nor pads."""
    from tokenizers import Tokenizer

    backend = getattr(getattr(teacher.model, "tokenizer", None), "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            "the model to distil has no fast tokenizer, or is static itself: give a transformer whose folder has a "
            "tokenizer.json"
        )
    copy: Tokenizer = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _add_words(tokenizer: "Tokenizer", texts: Sequence[str], most: int) -> None:
    """Make single tokens of the words that most texts use and that the tokenizer reads in pieces."""
    from tokenizers import AddedToken

    normalise = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    used: Counter[str] = Counter()
    for text in texts:
        used.update(set(_WORD.findall(normalise(text))))
    often = sorted((word for word, n in used.items() if n >= _LEAST_TEXTS), key=lambda word: (-used[word], word))
    pieces = tokenizer.encode_batch(often, add_special_tokens=False)
    whole = [word for word, found in zip(often, pieces, strict=True) if len(found.ids) > 1][:most]
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in whole])


def _token_vectors(teacher: TorchEncoder, tokenizer: "Tokenizer", own: int) -> Floats:
    """What the teacher makes of each token alone, float32, shape (tokens, d); zeros for those that stand for no text.

    Args:
        teacher: The model.
        tokenizer: With added words behind the teacher's own tokens.
        own: Number of the teacher's tokens.
    """
    import torch

    model: Any = teacher.model
    before, after = _marks(model.tokenizer)
    silent = set(model.tokenizer.all_special_ids)
    ids = [n for n in range(own) if n not in silent and tokenizer.id_to_token(n) is not None]
    vectors = np.zeros((tokenizer.get_vocab_size(), teacher.dimensions), dtype=np.float32)
    with bar("distilling", len(ids), "tokens") as advance, torch.inference_mode():
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            rows = torch.tensor([[*before, n, *after] for n in part], device=model.device)
            features = {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
            vectors[part] = model(features)["sentence_embedding"].float().cpu().numpy()
            advance(len(part))
    added = [str(tokenizer.id_to_token(n)) for n in range(own, len(vectors))]
    vectors[own:] = teacher.encode(added, label="distilling words" if added else None)
    return vectors


def _marks(tokenizer: Any) -> tuple[list[int], list[int]]:  # noqa: ANN401
    """Ids that the tokenizer puts before and after a text."""
    found = tokenizer.backend_tokenizer.encode("a")
    marks = [n for n, special in enumerate(found.special_tokens_mask) if not special]
    first, last = (marks[0], marks[-1]) if marks else (len(found.ids), len(found.ids) - 1)
    return list(found.ids[:first]), list(found.ids[last + 1 :])


def _counts(tokenizer: "Tokenizer", taught: Taught) -> "csr_array":
    """Share of each token in each text, float32, shape (texts, tokens), as far as the teacher read it."""
    from scipy.sparse import csr_array

    encoded = tokenizer.encode_batch(list(taught.texts), add_special_tokens=False)
    rows = [one.ids[: taught.length] for one in encoded]
    lengths = np.array([len(row) for row in rows])
    values = np.repeat((1 / np.maximum(lengths, 1)).astype(np.float32), lengths)
    columns = np.array([n for row in rows for n in row], dtype=np.int64)
    place = np.repeat(np.arange(len(rows)), lengths)
    found = csr_array((values, (place, columns)), shape=(len(rows), tokenizer.get_vocab_size()))
    found.sum_duplicates()
    return found


def _rarity(counts: "csr_array | None", tokens: int, sif: float) -> Floats:
    """What each token counts, float32, shape (tokens,): by the texts, or by its place in the vocabulary without any."""
    shares = 1 / np.arange(2, tokens + 2) if counts is None else np.asarray(counts.sum(axis=0)).ravel() + 1 / tokens
    shares = shares / shares.sum()
    weights: Floats = (sif / (sif + shares)).astype(np.float32)
    return weights


def _directions(vectors: Floats, keep: int) -> Floats:
    """Principal directions of vectors that are not centred, so that their cosines are kept; float32, shape (d, keep)."""
    _, found = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(found[:, ::-1][:, :keep], dtype=np.float32)


def _projected(vectors: Floats, spoken: npt.NDArray[np.bool_], directions: Floats) -> Floats:
    """Token vectors less their mean, in the directions given; zeros stay zeros."""
    centred: Floats = np.where(spoken[:, None], vectors - vectors[spoken].mean(axis=0), np.float32(0))
    projected: Floats = centred @ directions
    return projected
