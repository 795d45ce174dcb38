"""What ``medloom encode`` reads text with: the model, and what counts the text that it cuts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from medloom.encode.job import EncodeSettings, Item, document_text
from medloom.encode.parts import CountCut
from medloom.encode.spec import EncoderSpec
from medloom.errors import MedloomError

if TYPE_CHECKING:
    from medloom.encode import Encoder
    from medloom.records import Document

BACKENDS = ("torch", "openvino", "onnx", "auto")
PRECISIONS = ("auto", "fp32", "bf16", "int8")
_ENDPOINT = "openai:"


@dataclass(frozen=True)
class Opening:
    """Loads model and counter in another process.

    Attributes:
        spec: The model.
        settings: Of the vectors.
    """

    spec: EncoderSpec
    settings: EncodeSettings

    def __call__(self) -> "tuple[Encoder, CountCut | None]":
        """Both, loaded once in a process."""
        return _opened(self)


@lru_cache(maxsize=1)
def _opened(opening: Opening) -> "tuple[Encoder, CountCut | None]":
    encoder = opening.spec.open()
    return encoder, reading(encoder, opening.settings)[1]


def is_endpoint(model: str) -> bool:
    """Whether a model is one behind a server."""
    return model.startswith(_ENDPOINT)


def open_encoder(model: str, precision: Any, backend: Any, begun: EncodeSettings | None) -> "Encoder":  # noqa: ANN401
    """The model; what ``auto`` chose for a folder that was begun stays.

    Args:
        model: As the user named it.
        precision: Of the arithmetic.
        backend: What computes.
        begun: How the vectors that are there were made.
    """
    from medloom.encode import load_encoder

    if is_endpoint(model):
        from medloom.encode.endpoint import OpenAIEncoder

        endpoint = OpenAIEncoder(model)
        endpoint.check_allowed(public=False)
        return endpoint
    if begun is not None:
        backend = begun.backend if backend == "auto" and begun.backend in BACKENDS else backend
        precision = begun.precision if precision == "auto" and begun.precision in PRECISIONS else precision
    encoder: Encoder = load_encoder(model, precision, backend)
    return encoder


def settings_for(
    model: str,
    encoder: "Encoder",
    role: Any,  # noqa: ANN401
    dimensions: int | None,
    form: Any,  # noqa: ANN401
    stored: Any,  # noqa: ANN401
    long: str,
) -> EncodeSettings:
    """What the vectors are to be.

    Raises:
        MedloomError: The model's vectors are shorter than asked for.
    """
    if dimensions is not None and dimensions > encoder.dimensions:
        raise MedloomError(f"--dimensions {dimensions}: the model's vectors have {encoder.dimensions}: give that or fewer")
    return EncodeSettings(
        model=model,
        model_hash=encoder.hash,
        backend=str(getattr(encoder, "backend", "")),
        precision=str(getattr(encoder, "precision", "")),
        prompt=None if role == "none" else encoder.prompt_for(role),
        dimensions=dimensions or encoder.dimensions,
        stored=stored,
        form=form,
        long=long,
    )


def reading(encoder: "Encoder", settings: EncodeSettings) -> "tuple[Callable[[Document], Item], CountCut | None]":
    """What makes an item of a document, and what counts the texts that the model cuts; none for an endpoint.

    Raises:
        MedloomError: Long text is to be pooled, and the model does not say how much it reads.
    """
    from medloom.search.chunks import ChunkSettings
    from medloom.search.measure import chunker_for
    from medloom.serve.tokens import TokenCounter

    model: Any = getattr(encoder, "model", None)
    reads = getattr(model, "max_seq_length", None) or 0
    longest = int(reads) if isfinite(reads) else 0
    if not longest:
        if settings.long == "pool":
            raise MedloomError("--long pool: this model does not say how much it reads: give --long cut")
        return lambda document: Item(document.source, document.id, (document_text(document),)), None
    counter, prompt = TokenCounter(model.tokenizer, longest), settings.prompt or ""
    chunker = chunker_for(encoder, ChunkSettings(tokens=max(16, longest), overlap=0))

    def fits(text: str) -> bool:
        return len(text.encode("utf-8", "surrogatepass")) + len(prompt) < longest - 2

    def cut(texts: Sequence[str]) -> list[bool]:
        doubtful = [i for i, text in enumerate(texts) if not fits(text)]
        found = [False] * len(texts)
        if doubtful:
            for i, tokens in zip(doubtful, counter.count([prompt + texts[i] for i in doubtful]), strict=True):
                found[i] = tokens > longest
        return found

    def to_item(document: "Document") -> Item:
        whole = document_text(document)
        if settings.long == "pool" and cut([whole])[0]:
            return Item(document.source, document.id, tuple(chunk.embedded for chunk in chunker(document)))
        return Item(document.source, document.id, (whole,))

    return to_item, lambda texts: sum(cut(texts))
