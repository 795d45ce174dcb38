"""Forward passes without padding waste.

A batch of texts is padded to its longest one; most of what the model then computes is padding. Here the rows are sorted by
length and sent through the model in pieces of about equal tokens, each as wide as its own longest row. Loss and gradients
are the same up to dropout's random numbers, and the pieces' smaller tensors are reused by the allocator.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import Tensor, cat, nn

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CPU_TOKENS = 1_024
GPU_TOKENS = 16_384


class LengthSorted(nn.Module):
    """A SentenceTransformer whose forward pass sorts its rows by length.

    Args:
        model: The model; its parameters stay its own.
        tokens: Rows times width of a piece.
    """

    def __init__(self, model: "SentenceTransformer", tokens: int = CPU_TOKENS) -> None:
        super().__init__()
        self.model = model
        self.tokens = tokens

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Everything but the forward pass is the model's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def __getitem__(self, place: int) -> nn.Module:
        """A module of the model, by its place."""
        return self.model[place]

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Tensor]:  # noqa: ANN401
        """Sentence embeddings, float, shape (rows, d), in the rows' order.

        Args:
            features: What the model's tokeniser gave: ``input_ids`` and ``attention_mask`` of shape (rows, width).
            kwargs: Passed to the model.
        """
        mask = features.get("attention_mask")
        if not isinstance(mask, Tensor) or mask.ndim != 2 or not bool(mask[:, 0].all()):
            return self.model(features, **kwargs)  # type: ignore[no-any-return]
        lengths = mask.sum(dim=1)
        order = lengths.argsort(descending=True)
        pieces = [
            self.model(_rows(features, order[start:stop], width), **kwargs)["sentence_embedding"]
            for start, stop, width in _pieces(lengths[order].tolist(), self.tokens)
        ]
        return {"sentence_embedding": cat(pieces)[order.argsort()]}


def _pieces(lengths: list[int], tokens: int) -> Iterator[tuple[int, int, int]]:
    """Start, stop and width of consecutive pieces of rows sorted by falling length."""
    start = 0
    while start < len(lengths):
        width = max(1, lengths[start])
        stop = min(len(lengths), start + max(1, tokens // width))
        yield start, stop, width
        start = stop


def _rows(features: dict[str, Any], rows: Tensor, width: int) -> dict[str, Any]:
    """The features of some rows, cut to their width; what is not per token is passed on."""
    return {
        key: value[rows, :width] if isinstance(value, Tensor) and value.ndim == 2 else value
        for key, value in features.items()
    }
