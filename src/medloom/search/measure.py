"""How long a text is for a model: in its own tokens where it has a tokenizer."""

from collections.abc import Sequence
from typing import Any

from medloom.encode import Encoder
from medloom.errors import SearchError
from medloom.search.chunks import Chunker, ChunkSettings, Measure

_CHARS_PER_TOKEN = 3
_UNKNOWN_LIMIT = 512
_NO_LIMIT = 1_000_000
_LEAST = 12


def chunker_for(encoder: Encoder, settings: ChunkSettings) -> Chunker:
    """What cuts documents for an encoder.

    Args:
        encoder: Its tokenizer counts; without one, a token is taken to be three characters, and 512 of them to be read.
        settings: How to cut.

    Raises:
        SearchError: The model reads too little for a chunk.
    """
    measure, limit = _tokenizer_of(getattr(encoder, "model", None))
    prompt = encoder.prompt_for("document")
    limit -= measure([prompt])[0] if prompt else 0
    if limit < _LEAST:
        raise SearchError(f"the model reads {limit} tokens of a text, too few for a chunk: index with another model")
    return Chunker(settings, measure, limit)


def _tokenizer_of(model: Any) -> tuple[Measure, int]:  # noqa: ANN401
    """What counts tokens, and how many of them the model reads, its own left out."""
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        return _estimate, _UNKNOWN_LIMIT
    limit = getattr(model, "max_seq_length", None)
    longest = int(limit) if limit and limit < _NO_LIMIT else _NO_LIMIT
    if hasattr(tokenizer, "encode_batch"):

        def count(texts: Sequence[str]) -> list[int]:
            return [len(one.ids) for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

        return count, longest - int(tokenizer.num_special_tokens_to_add(False))

    def measure(texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        options = {"add_special_tokens": False, "truncation": False, "padding": False, "verbose": False}
        return [len(ids) for ids in tokenizer(list(texts), return_attention_mask=False, **options)["input_ids"]]

    return measure, longest - int(tokenizer.num_special_tokens_to_add())


def _estimate(texts: Sequence[str]) -> list[int]:
    return [len(text) // _CHARS_PER_TOKEN + 1 for text in texts]
