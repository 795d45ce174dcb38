"""What a model reads of a text: token ids, cut to its length, in batches of like length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = npt.NDArray[np.int64]

_FULL_ENOUGH = 512
_MOST_PADDING = 1 / 16


@dataclass(frozen=True)
class Batch:
    """Texts for one call of a model.

    Attributes:
        rows: Which texts.
        ids: Token ids, int64, shape (texts, width).
        mask: 1 where there is a token, 0 where there is padding; int64, same shape.
    """

    rows: list[int]
    ids: Ints
    mask: Ints


class Reader:
    """A model's fast tokenizer, beside what it needs to know of the model.

    Safe to use in several threads, unlike transformers' own wrapper.

    Args:
        tokenizer: It; a copy is made, so that it cuts and pads nothing.
        max_seq_length: Tokens that the model reads of a text, the marks of its ends included.
        pad_id: Token of padding.
        pads_left: Whether padding stands before the text.
    """

    def __init__(self, tokenizer: "Tokenizer", max_seq_length: int, pad_id: int = 0, pads_left: bool = False) -> None:
        self.max_seq_length, self.pad_id, self.pads_left = max_seq_length, pad_id, pads_left
        self.tokenizer = _copy(tokenizer)
        self._cutting = _copy(tokenizer)
        self._cutting.enable_truncation(max_seq_length)

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, cut to the model's length."""
        return [one.ids for one in self._cutting.encode_batch_fast(list(texts))]

    def batches(self, ids: Sequence[Sequence[int]], budget: int) -> Iterator[Batch]:
        """Texts of like length together, longest first.

        A batch ends where the budget does, or where, being full enough to keep the processor busy, it would be padded by
        more than a sixteenth of its width.

        Args:
            ids: Token ids of each text.
            budget: Tokens of a batch, padding included; a longer text is a batch of its own.
        """
        rows: list[int] = []
        width = 0
        for row in sorted(range(len(ids)), key=lambda i: -len(ids[i])):
            full = (len(rows) + 1) * width > budget
            uneven = len(rows) * width >= _FULL_ENOUGH and width - len(ids[row]) > width * _MOST_PADDING
            if rows and (full or uneven):
                yield self._padded(rows, ids, width)
                rows = []
            width = width if rows else max(1, len(ids[row]))
            rows.append(row)
        if rows:
            yield self._padded(rows, ids, width)

    def _padded(self, rows: list[int], ids: Sequence[Sequence[int]], width: int) -> Batch:
        block = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        mask = np.zeros_like(block)
        for number, row in enumerate(rows):
            length = len(ids[row])
            where = slice(width - length, width) if self.pads_left else slice(0, length)
            block[number, where] = ids[row]
            mask[number, where] = 1
        return Batch(rows, block, mask)


def _copy(tokenizer: "Tokenizer") -> "Tokenizer":
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
