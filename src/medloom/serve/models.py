"""The models of a server, by name."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from medloom.encode import Precision, load_encoder
from medloom.encode.encoder import Backend
from medloom.encode.models import BUILTIN, hub_model, read_length
from medloom.serve.batcher import Turns
from medloom.serve.config import ServeSettings
from medloom.serve.dense import DenseModel
from medloom.serve.errors import ApiError, ServeError
from medloom.serve.lifecycle import Lifecycle
from medloom.serve.metrics import Metrics
from medloom.serve.rerankers import CosineReranker, CrossReranker, LateReranker, Reranker
from medloom.serve.served import Served
from medloom.serve.tokens import TokenCounter

_LOG = logging.getLogger("medloom.serve")
_LONGEST = 512
_UNCUT = 100_000
_WANTED = ("README.md", "*.json", "*.safetensors", "*.txt", "*.model", "*.metadata", "1_*/*", "2_*/*")


class Models:
    """Dense models and rerankers.

    Args:
        dense: The dense models; the first is taken where a request to rerank names none and there is no reranker.
        rerankers: The rerankers; the first is taken where a request names none.

    Raises:
        ServeError: There is no model, or two have one name.
    """

    def __init__(self, dense: Sequence[DenseModel], rerankers: Sequence[CrossReranker | LateReranker] = ()) -> None:
        self._dense = {model.name: model for model in dense}
        self._served: list[Served] = [*dense, *rerankers]
        self._rerankers: dict[str, Reranker] = {model.name: model for model in rerankers}
        self._rerankers |= {model.name: CosineReranker(model) for model in dense}
        if not self._served:
            raise ServeError("no model to serve: name one with --model")
        if len(self._rerankers) < len(self._served):
            raise ServeError("two models have one name: write one of them as NAME=MODEL")

    @property
    def names(self) -> list[str]:
        """Names of all models."""
        return [model.name for model in self._served]

    @property
    def served(self) -> list[Served]:
        """All models."""
        return list(self._served)

    @property
    def alive(self) -> bool:
        """Whether the threads of all models work."""
        return all(model.alive for model in self._served)

    def dense(self, name: str) -> DenseModel:
        """A dense model.

        Raises:
            ApiError: There is none of that name.
        """
        if name not in self._dense:
            raise _unknown("embeds", list(self._dense))
        return self._dense[name]

    def reranker(self, name: str | None) -> Reranker:
        """A reranker; the first of all if none is named.

        Raises:
            ApiError: There is none of that name.
        """
        if name is None:
            return next(iter(self._rerankers.values()))
        if name not in self._rerankers:
            raise _unknown("reranks", list(self._rerankers))
        return self._rerankers[name]

    @asynccontextmanager
    async def running(self, metrics: Metrics, settings: ServeSettings, lifecycle: Lifecycle) -> AsyncIterator[None]:
        """Start the models' threads and warm them up; end them when the block ends.

        Args:
            metrics: Told of batches and tokens.
            settings: Sizes and times.
            lifecycle: Told when all are warm.
        """
        turns = Turns()
        for model in self._served:
            model.start(settings, turns, metrics)
        warming = asyncio.ensure_future(self._warm(settings.timeout_seconds, lifecycle))
        try:
            yield
        finally:
            warming.cancel()
            for model in self._served:
                await asyncio.to_thread(model.close)

    async def _warm(self, timeout: float, lifecycle: Lifecycle) -> None:
        for model in self._served:
            try:
                await model.warm(timeout)
            except ApiError as error:
                _LOG.error("model %s does not warm up: %s", model.name, error.message)
                return
        lifecycle.warm = True
        _LOG.info("all models are warm")


def load_models(
    models: Sequence[str], rerankers: Sequence[str] = (), precision: Precision = "fp32", backend: Backend = "torch"
) -> Models:
    """Load models for serving.

    Args:
        models: Dense models: ``builtin:NAME``, folders, hub ids; each may be written ``NAME=MODEL``. The name is else what
            follows ``builtin:``, the folder's name, or the hub id.
        rerankers: Cross-encoders and late-interaction models: folders or hub ids.
        precision: Of the arithmetic of dense and late-interaction models.
        backend: What computes dense models; see :func:`~medloom.encode.load_encoder`.

    Raises:
        ModelError: A model is missing, damaged, unsafe to load, or of another kind.
        ServeError: There is no model, or two have one name.
    """
    return Models(
        [_load_dense(*_split(one), precision, backend) for one in models],
        [_load_reranker(*_split(one), precision) for one in rerankers],
    )


def _load_dense(name: str, model: str, precision: Precision, backend: Backend) -> DenseModel:
    encoder = load_encoder(model, precision, backend)
    _LOG.info("model %s: %s", name, encoder.choice or f"{encoder.backend} {encoder.precision}")
    return DenseModel(name, encoder, _counter(encoder.model))


def _load_reranker(name: str, model: str, precision: Precision) -> CrossReranker | LateReranker:
    from medloom.encode.cross import load_cross_encoder
    from medloom.encode.multivector import is_multivector, load_multivector

    folder = Path(model).expanduser()
    if not folder.is_dir() and model.count("/") == 1 and not model.startswith((".", "/", "~")):
        folder = Path(hub_model(model, _WANTED, lambda name, path: None).location)
    if is_multivector(folder):
        encoder = load_multivector(model, precision)
        return LateReranker(name, encoder, _counter(encoder.model))
    scorer = load_cross_encoder(model)
    return CrossReranker(name, scorer, _counter(scorer.model))


def _counter(model: Any) -> TokenCounter:  # noqa: ANN401
    longest = read_length(model) or (_UNCUT if getattr(model, "max_seq_length", None) else _LONGEST)
    return TokenCounter(model.tokenizer, longest)


def _split(spec: str) -> tuple[str, str]:
    """Name and model of ``NAME=MODEL``, or of a model alone."""
    name, equals, model = spec.partition("=")
    if equals and name and model and not Path(spec).exists():
        return name, model
    if spec.startswith(BUILTIN):
        return spec.removeprefix(BUILTIN), spec
    folder = Path(spec).expanduser()
    return folder.resolve().name if folder.is_dir() else spec, spec


def _unknown(does: str, names: list[str]) -> ApiError:
    return ApiError(404, f"there is no such model that {does}: there is {', '.join(names)}", "model", "model_not_found")
