"""``/v1/rerank``, as Cohere's and Jina's clients speak it."""

import secrets
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from medloom.serve.config import ServeSettings
from medloom.serve.errors import answers
from medloom.serve.items import Count, Documents, check_texts, cut_header
from medloom.serve.rerankers import Method, Reranker
from medloom.serve.routes import json_answer, json_router


class RerankRequest(BaseModel):
    """A query and what may answer it."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1)
    documents: Documents
    model: str | None = Field(
        None, max_length=256, description="Name of a model; the first reranker if none, else the first dense model's cosine."
    )
    top_n: Count | None = Field(None, description="How many of the best to return; all if none.")
    return_documents: bool = Field(False, description="Whether to send the texts back.")
    user: str | None = Field(None, description="Not used.")


class RerankedText(BaseModel):
    """A document's text."""

    text: str


class Reranked(BaseModel):
    """A document in its place."""

    index: int
    relevance_score: float
    document: RerankedText | None = None


class RerankUsage(BaseModel):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class RerankAnswer(BaseModel):
    """Documents, best first."""

    id: str
    object: Literal["list"]
    model: str
    method: Method = Field(
        description="How the score came about: cross-encoder (0 to 1), late-interaction (mean of the best match of each "
        "query token), cosine (-1 to 1)."
    )
    results: list[Reranked]
    usage: RerankUsage
    truncated: list[int] = Field(description="Numbers of the documents of which not all was read.")


def rerank_router() -> APIRouter:
    """The route ``/v1/rerank``, and the same as ``/v2/rerank``, where Cohere's newer client looks for it."""
    router = json_router()

    @router.post("/v2/rerank", responses=answers(RerankAnswer))
    @router.post("/v1/rerank", responses=answers(RerankAnswer))
    async def rerank(request: Request, asked: RerankRequest) -> Response:
        """Documents by how well they answer a query."""
        settings: ServeSettings = request.app.state.settings
        model: Reranker = request.app.state.models.reranker(asked.model)
        check_texts([asked.query], settings, "query")
        check_texts(asked.documents, settings, "documents")
        scored = await model.score(asked.query, asked.documents, settings.timeout_seconds)
        order = sorted(range(len(scored.scores)), key=lambda i: -scored.scores[i])[: asked.top_n]
        content = {
            "id": secrets.token_hex(8),
            "object": "list",
            "model": model.name,
            "method": model.method,
            "results": [_result(i, scored.scores[i], asked) for i in order],
            "usage": {"prompt_tokens": scored.tokens, "total_tokens": scored.tokens},
            "truncated": scored.cut,
        }
        return json_answer(content, cut_header(scored.cut))

    return router


def _result(index: int, score: float, asked: RerankRequest) -> dict[str, Any]:
    found: dict[str, Any] = {"index": index, "relevance_score": score}
    return found | {"document": {"text": asked.documents[index]}} if asked.return_documents else found
