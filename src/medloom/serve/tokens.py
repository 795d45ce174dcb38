"""How many tokens a text has for a model, counted beside the model's own thread."""

import copy
from collections.abc import Sequence
from typing import Any


class TokenCounter:
    """A copy of a model's tokenizer that cuts nothing; a tokenizer is no good in two threads at once.

    Args:
        tokenizer: Of the model: transformers' or tokenizers' own.
        longest: Tokens that the model reads of a text.
    """

    def __init__(self, tokenizer: Any, longest: int) -> None:  # noqa: ANN401
        self._tokenizer = copy.deepcopy(tokenizer)
        self._raw = not callable(self._tokenizer)
        if self._raw:
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
        self.longest = longest

    @property
    def vocabulary(self) -> int:
        """Ids that there are."""
        return int(self._tokenizer.get_vocab_size()) if self._raw else len(self._tokenizer)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, those that mark its ends included, as if the model read it whole."""
        if self._raw:
            return [len(one.ids) for one in self._tokenizer.encode_batch(list(texts))]
        found = self._tokenizer(list(texts), truncation=False, padding=False, return_attention_mask=False, verbose=False)
        return [len(ids) for ids in found["input_ids"]]

    def text(self, ids: Sequence[int]) -> str:
        """The text that token ids stand for, without marks of its ends."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))
