"""``/v1/embeddings`` and ``/v1/models``, as OpenAI's clients speak them."""

import asyncio
import base64
from typing import Literal, cast

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from medloom.serve.config import ServeSettings
from medloom.serve.dense import DenseModel, Embedded, Floats
from medloom.serve.errors import ERRORS, ApiError, answers
from medloom.serve.items import Count, Given, Input, check_ids, check_texts, cut_header, refuse_cut
from medloom.serve.routes import json_answer, json_router


class EmbeddingsRequest(BaseModel):
    """What is to be embedded."""

    model_config = ConfigDict(extra="forbid")

    input: Input
    model: str = Field(max_length=256, description="Name of a model; /v1/models lists them.")
    dimensions: Count | None = Field(
        None,
        description="Keep so many numbers of each vector, from the first on, and bring it back to length one (Matryoshka).",
    )
    encoding_format: Literal["float", "base64"] = Field("float", description="base64: of float32, little-endian.")
    user: str | None = Field(None, description="Not used.")
    input_type: Literal["query", "document"] = Field(
        "document", description="Which of the model's prompts is put before each text. Not of OpenAI."
    )
    truncate: bool = Field(
        True, description="Cut texts to the model's length and say how many; else refuse them. Not of OpenAI."
    )


class Embedding(BaseModel):
    """One vector."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """Vectors, in the order of the input."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage
    truncated: list[int] = Field(description="Numbers of the texts that were cut to the model's length.")


class ModelEntry(BaseModel):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[ModelEntry]


def embeddings_router() -> APIRouter:
    """Routes ``/v1/embeddings`` and ``/v1/models``."""
    router = json_router()

    @router.post("/v1/embeddings", responses=answers(EmbeddingsAnswer))
    async def embeddings(request: Request, asked: EmbeddingsRequest) -> Response:
        """Vectors of texts."""
        settings: ServeSettings = request.app.state.settings
        model: DenseModel = request.app.state.models.dense(asked.model)
        found = await _embed(model, asked, settings)
        vectors = shorten(found.vectors, asked.dimensions)
        content = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": _written(vector, asked.encoding_format)}
                for i, vector in enumerate(vectors)
            ],
            "model": asked.model,
            "usage": {"prompt_tokens": found.tokens, "total_tokens": found.tokens},
            "truncated": found.cut,
        }
        return json_answer(content, cut_header(found.cut))

    @router.get("/v1/models", responses=ERRORS)
    async def models(request: Request) -> ModelList:
        """All models that are served."""
        served = request.app.state.models.served
        return ModelList(object="list", data=[_entry(model.name, model.created) for model in served])

    @router.get("/v1/models/{model:path}", responses=ERRORS)
    async def model(request: Request, model: str) -> ModelEntry:
        """One model."""
        for one in request.app.state.models.served:
            if one.name == model:
                return _entry(one.name, one.created)
        raise ApiError(404, "there is no such model: /v1/models lists them", "model", "model_not_found")

    return router


async def _embed(model: DenseModel, asked: EmbeddingsRequest, settings: ServeSettings) -> Embedded:
    if asked.dimensions is not None and asked.dimensions > model.encoder.dimensions:
        raise ApiError(
            400,
            f"dimensions: the model has {model.encoder.dimensions}: ask for no more",
            "dimensions",
            "too_many_dimensions",
        )
    texts = await _texts(model, asked.input, settings)
    check_texts(texts, settings, "input")
    prompt = model.encoder.prompt_for(asked.input_type)
    if not asked.truncate:
        refuse_cut((await model.measure([(prompt, text) for text in texts]))[1], "input")
    return await model.embed(texts, prompt, settings.timeout_seconds)


async def _texts(model: DenseModel, given: Given, settings: ServeSettings) -> list[str]:
    """The input as texts; token ids are put back into words."""
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], str):
        return given
    lists = cast(list[list[int]], given if isinstance(given[0], list) else [given])
    check_ids(lists, model.counter.vocabulary, settings)
    return await asyncio.to_thread(lambda: [model.counter.text(ids) for ids in lists])


def shorten(vectors: Floats, dimensions: int | None) -> Floats:
    """The first numbers of each vector, brought back to length one (Kusupati and others 2022, Matryoshka).

    Args:
        vectors: float32, shape (n, d).
        dimensions: How many numbers to keep; all, as they are, if none.
    """
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    kept = vectors[:, :dimensions]
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    return np.ascontiguousarray(kept / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)


def _written(vector: Floats, form: str) -> "Floats | str":
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii") if form == "base64" else vector


def _entry(name: str, created: int) -> ModelEntry:
    return ModelEntry(id=name, object="model", created=created, owned_by="medloom")
