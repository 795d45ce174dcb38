"""Whether the server lives, whether it is ready, and its counters."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from medloom.serve.errors import ERRORS, ApiError
from medloom.serve.metrics import CONTENT_TYPE
from medloom.serve.routes import json_router

_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}, "description": "Counters, as Prometheus reads them."},
    **ERRORS,
}


class Status(BaseModel):
    """How the server is."""

    status: str


def health_router() -> APIRouter:
    """Routes ``/health``, ``/ready`` and ``/metrics``."""
    router = json_router()

    @router.get("/health", responses=ERRORS)
    async def health(request: Request) -> Status:
        """Whether the threads of all models live; a server that answers otherwise should be started anew."""
        if not request.app.state.models.alive:
            raise ApiError(503, "a model's thread has ended or hangs: start the server again", code="dead")
        return Status(status="ok")

    @router.get("/ready", responses=ERRORS)
    async def ready(request: Request) -> Status:
        """Whether requests should be sent here: all models are warm, and the server is not shutting down."""
        lifecycle = request.app.state.lifecycle
        if lifecycle.draining:
            raise ApiError(503, "the server is shutting down", code="draining")
        if not lifecycle.warm:
            raise ApiError(503, "the models are warming up: try again in a moment", code="warming", retry_after=1)
        return Status(status="ready")

    @router.get(
        "/metrics",
        responses=_PAGE,
    )
    async def metrics(request: Request) -> Response:
        """Counters of requests, queues, batches and tokens, as Prometheus reads them."""
        return Response(request.app.state.metrics.page(), media_type=CONTENT_TYPE)

    return router
