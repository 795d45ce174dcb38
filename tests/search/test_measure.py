"""Counting tokens as the model does."""

import numpy as np
import pytest
from tests.conftest import MakeModel

from medloom.encode import Encoder
from medloom.encode.encoder import TorchEncoder
from medloom.errors import SearchError
from medloom.records import Document
from medloom.search.chunks import ChunkSettings
from medloom.search.measure import chunker_for
from medloom.search.store import Floats


def test_counts_as_the_models_tokenizer_does(tiny_encoder: TorchEncoder) -> None:
    chunker = chunker_for(tiny_encoder, ChunkSettings())
    assert list(chunker.measure(["fever cough", "", "fever.", "fever " * 90])) == [2, 0, 2, 90]
    assert list(chunker.measure([])) == []
    assert chunker.tokens == 48 - 2


def test_a_prompt_takes_its_room(make_model: MakeModel) -> None:
    from medloom.encode import load_encoder

    encoder = load_encoder(make_model(prompts={"document": "the passage "}))
    assert chunker_for(encoder, ChunkSettings()).tokens == 48 - 2 - 2


def test_no_chunk_is_cut_by_the_model(tiny_encoder: TorchEncoder) -> None:
    text = "The patient with acute chronic pain in the head. " * 30
    chunks = chunker_for(tiny_encoder, ChunkSettings())(Document(id="d", source="s", title="High blood sugar", text=text))
    counts = [len(tiny_encoder.model.tokenizer(c.embedded)["input_ids"]) for c in chunks]
    assert max(counts) <= 48
    assert min(counts[:-1]) > 24


class _Plain:
    dimensions = 2
    hash = "h"

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None:
            self.model = _Static(limit)

    def prompt_for(self, role: str) -> str | None:
        return None

    def encode(self, texts: list[str], prompt: str | None = None, label: str | None = None) -> Floats:
        return np.ones((len(texts), 2), dtype=np.float32)


class _Static:
    def __init__(self, limit: int) -> None:
        from tokenizers import Tokenizer, models, pre_tokenizers

        self.tokenizer = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
        self.tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[misc, unused-ignore]
        self.max_seq_length = limit


def test_an_encoder_without_tokenizer_is_estimated() -> None:
    encoder = _Plain()
    assert isinstance(encoder, Encoder)
    chunker = chunker_for(encoder, ChunkSettings(tokens=600))
    assert chunker.tokens == 512
    assert list(chunker.measure(["", "abcdef"])) == [1, 3]


def test_a_bare_tokenizer_counts_too() -> None:
    chunker = chunker_for(_Plain(100), ChunkSettings())  # type: ignore[arg-type]
    assert list(chunker.measure(["a b a", ""])) == [3, 0]
    assert chunker.tokens == 100


def test_a_model_that_reads_next_to_nothing_is_refused() -> None:
    with pytest.raises(SearchError, match="too few"):
        chunker_for(_Plain(5), ChunkSettings())  # type: ignore[arg-type]
