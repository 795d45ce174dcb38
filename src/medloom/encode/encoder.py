"""A model with one method: texts in, vectors out."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, overload, runtime_checkable

import numpy as np
import numpy.typing as npt

from medloom.encode.models import ModelRef, load_model, read_length, resolve_model
from medloom.errors import ModelError
from medloom.progress import Advance, bar

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sentence_transformers import SentenceTransformer

    from medloom.encode.compiled import CompiledEncoder

Precision = Literal["auto", "fp32", "bf16"]
Arithmetic = Literal["auto", "fp32", "bf16", "int8"]
Backend = Literal["torch", "openvino", "onnx", "auto"]
Role = Literal["query", "document"]
Floats = npt.NDArray[np.float32]

_TOKENS_PER_BATCH = 2_048
_TOKENS_LOOKED_UP = 262_144
"""In a batch of a model without a transformer: it costs so little a token that calls would cost more."""
_CHARS_PER_TOKEN = 4
_LONGEST = 512


@runtime_checkable
class Encoder(Protocol):
    """Texts in, vectors out."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def hash(self) -> str:
        """Content hash of the model behind it."""

    def prompt_for(self, role: Role) -> str | None:
        """What the model wants before every query or document, or None."""

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        """Vectors of the texts, float32, shape (n, d), in the texts' order."""


@overload
def load_encoder(
    model: str | Path | ModelRef, precision: Precision = "fp32", backend: Literal["torch"] = "torch"
) -> "TorchEncoder": ...


@overload
def load_encoder(
    model: str | Path | ModelRef, precision: Arithmetic = "fp32", backend: Backend = "torch"
) -> "TorchEncoder | CompiledEncoder": ...


def load_encoder(
    model: str | Path | ModelRef, precision: Arithmetic = "fp32", backend: Backend = "torch"
) -> "TorchEncoder | CompiledEncoder":
    """Load a model for encoding.

    Args:
        model: ``builtin:NAME``, a SentenceTransformer folder, a hub id, a resolved reference, or an export of
            ``medloom publish``.
        precision: Of the arithmetic; ``auto`` takes bf16 where the processor computes in it, else fp32. ``int8`` changes
            vectors a little and needs another backend than torch.
        backend: What computes: ``torch``; ``openvino`` or ``onnx``, for which the model is converted on the first call and
            kept below the user's cache; or ``auto``, the fastest of those installed, measured on about a second of real
            text. ``auto`` falls back to torch for a model that cannot be converted.

    Returns:
        An encoder whose ``encode(list[str])`` gives float32 of shape (n, d), with rows of unit length if the model has a
        Normalize module.

    Raises:
        ModelError: The model is missing, damaged, unsafe to load, not an encoder, or not to be computed as asked for.
        ImportError: The backend is not installed.

    Example:
        >>> load_encoder("builtin:all-MiniLM-L6-v2").encode(["fever"]).shape
        (1, 384)
    """
    if not isinstance(model, ModelRef):
        from medloom.encode.converted import is_converted

        if is_converted(Path(model)):
            from medloom.encode.choose import load_export

            return load_export(Path(model), precision, backend)
    ref = model if isinstance(model, ModelRef) else resolve_model(str(model))
    if backend == "torch":
        return TorchEncoder(load_model(ref), ref.hash, resolve_precision(precision))
    from medloom.encode.choose import load_compiled, load_fastest

    return load_fastest(ref, precision) if backend == "auto" else load_compiled(ref, backend, precision)


class TorchEncoder:
    """A SentenceTransformer behind the :class:`Encoder` protocol.

    Equal texts are encoded once, texts are sorted by length, and a batch holds a budget of tokens, so that short texts do
    not wait on long ones.
    """

    backend: Literal["torch"] = "torch"
    choice = ""

    def __init__(self, model: "SentenceTransformer", model_hash: str, precision: Precision = "fp32") -> None:
        self.model = model.eval()
        self._hash = model_hash
        self.precision: Literal["fp32", "bf16"] = resolve_precision(precision)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.model.get_embedding_dimension() or 0)

    @property
    def pooling(self) -> str:
        """How token vectors become one: ``mean``, ``cls``, ...; ``unknown`` where the model does not say."""
        return next((str(module.pooling_mode) for module in self.model if hasattr(module, "pooling_mode")), "unknown")

    @property
    def hash(self) -> str:
        """Content hash of the model."""
        return self._hash

    def prompt_for(self, role: Role) -> str | None:
        """What the model's own settings put before every query or document, or None."""
        return self.model.prompts.get(role) or None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        """Encode texts.

        Args:
            texts: What to encode; an empty text is encoded as the model does it.
            prompt: Put before every text, as the model was trained to expect.
            label: Name of a progress bar; none if not given.

        Returns:
            float32, shape (n, d), row i for text i; (0, d) for no texts.

        Raises:
            TypeError: ``texts`` is one string, or holds something else than strings.
        """
        distinct, inverse = distinct_texts(texts)
        vectors = np.empty((len(distinct), self.dimensions), dtype=np.float32)
        with encoding_bar(label, len(distinct)) as advance, self._arithmetic():
            for batch in _batches(distinct, *self._batch_size):
                vectors[batch] = self.model.encode(
                    [distinct[i] for i in batch], batch_size=len(batch), prompt=prompt or "", show_progress_bar=False
                ).astype(np.float32)
                advance(len(batch))
        return vectors[inverse]

    @property
    def _batch_size(self) -> tuple[int, int]:
        """Tokens that are read of a text, at most, and tokens of a batch."""
        if hasattr(self.model[0], "auto_model"):
            return read_length(self.model) or _LONGEST, _TOKENS_PER_BATCH
        return _TOKENS_LOOKED_UP, _TOKENS_LOOKED_UP

    def _arithmetic(self) -> "AbstractContextManager[object]":
        import torch

        if self.precision == "bf16":
            return torch.autocast(self.model.device.type, dtype=torch.bfloat16)
        return nullcontext()


def distinct_texts(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Each text once, in the order in which they come, and which of them each text is: int64, shape (n,).

    Raises:
        TypeError: ``texts`` is one string, or holds something else than strings.
    """
    if isinstance(texts, str) or not all(isinstance(t, str) for t in texts):
        raise TypeError("encode takes a list of strings")
    rows: dict[str, int] = {}
    inverse = np.fromiter((rows.setdefault(t, len(rows)) for t in texts), dtype=np.int64, count=len(texts))
    return list(rows), inverse


def resolve_precision(precision: Arithmetic) -> Literal["fp32", "bf16"]:
    """What ``auto`` means for torch on this machine: bf16 where the processor has instructions for it.

    Raises:
        ModelError: int8 was asked for.
    """
    if precision == "int8":
        raise ModelError("no int8 with the backend torch: give the backend openvino, onnx or auto")
    if precision != "auto":
        return precision
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def encoding_bar(label: str | None, total: int) -> "AbstractContextManager[Advance]":
    """A progress bar over texts, if it has a label."""
    return bar(label, total, "texts") if label else nullcontext(lambda n=1: None)


def _batches(texts: Sequence[str], max_tokens: int, budget: int) -> Iterator[list[int]]:
    """Numbers of texts of like length, longest first, each batch within the budget of tokens."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    batch: list[int] = []
    width = 0
    for i in order:
        if batch and width * (len(batch) + 1) > budget:
            yield batch
            batch = []
        if not batch:
            width = min(max_tokens, len(texts[i]) // _CHARS_PER_TOKEN + 3)
        batch.append(i)
    if batch:
        yield batch
