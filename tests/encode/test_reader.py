"""Texts become batches of token ids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from medloom.encode.encoder import TorchEncoder
from medloom.encode.reader import Reader


@pytest.fixture(scope="module")
def reader(tiny_encoder: TorchEncoder) -> Reader:
    tokenizer = tiny_encoder.model.tokenizer
    return Reader(tokenizer.backend_tokenizer, 48, tokenizer.pad_token_id)


def test_ids_are_those_of_the_model(reader: Reader, tiny_encoder: TorchEncoder) -> None:
    texts = ["fever", "", "Heart PAIN in a child", "heart " * 100]
    expected = tiny_encoder.model.tokenizer(texts, truncation=True, max_length=48)["input_ids"]
    assert reader.read(texts) == expected
    assert [len(ids) for ids in reader.read(texts)][-1] == 48


def test_the_public_tokenizer_cuts_nothing(reader: Reader) -> None:
    assert len(reader.tokenizer.encode("heart " * 100).ids) == 102


def test_the_tokenizer_given_is_left_alone(tiny_model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    before = tokenizer.to_str()
    Reader(tokenizer, 8)
    assert tokenizer.to_str() == before


@settings(max_examples=40)
@given(st.lists(st.integers(0, 300), max_size=80), st.integers(1, 3_000))
def test_every_text_is_in_one_batch_whole_and_within_the_budget(reader: Reader, lengths: Sequence[int], budget: int) -> None:
    ids = [[7] * length for length in lengths]
    batches = list(reader.batches(ids, budget))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(ids)))
    for batch in batches:
        assert batch.ids.shape == batch.mask.shape == (len(batch.rows), max(1, len(ids[batch.rows[0]])))
        assert len(batch.rows) == 1 or batch.ids.size <= budget
        assert batch.mask.sum(axis=1).tolist() == [len(ids[row]) for row in batch.rows]
        assert (batch.ids[batch.mask == 1] == 7).all()
        assert (batch.ids[batch.mask == 0] == reader.pad_id).all()
    widths = [batch.ids.shape[1] for batch in batches]
    assert widths == sorted(widths, reverse=True)


def test_little_is_padded_once_batches_are_full(reader: Reader) -> None:
    lengths = np.random.default_rng(0).integers(5, 256, size=4_000)
    batches = list(reader.batches([[7] * int(n) for n in lengths], 2_048))
    padded = sum(batch.ids.size for batch in batches) / lengths.sum()
    assert padded < 1.02
    assert len(batches) < 1.3 * lengths.sum() / 2_048


def test_padding_stands_where_the_model_wants_it(tiny_encoder: TorchEncoder) -> None:
    left = Reader(tiny_encoder.model.tokenizer.backend_tokenizer, 48, 0, pads_left=True)
    (batch,) = left.batches([[5, 6, 7], [8]], 100)
    assert batch.ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert batch.mask.tolist() == [[1, 1, 1], [0, 0, 1]]
