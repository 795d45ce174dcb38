"""The application: models, routes, and the guard before them."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from medloom import __version__
from medloom.serve.config import ServeSettings
from medloom.serve.embeddings import embeddings_router
from medloom.serve.errors import answer_errors
from medloom.serve.guard import Guard
from medloom.serve.health import health_router
from medloom.serve.keys import Keys
from medloom.serve.lifecycle import Lifecycle
from medloom.serve.metrics import Metrics
from medloom.serve.models import Models
from medloom.serve.rerank import rerank_router


def create_app(
    models: Models,
    settings: ServeSettings | None = None,
    keys: Keys | None = None,
    routers: Sequence[APIRouter] = (),
    public: Collection[str] = (),
) -> FastAPI:
    """Build the application. It starts and ends the models' threads.

    Further routes come in as ``routers``, made by :func:`~medloom.serve.routes.json_router`, behind the same keys, limits
    and shape of errors (:class:`~medloom.serve.errors.ApiError`). Static files may be mounted on what is returned. Routes
    find ``models``, ``settings``, ``metrics`` and ``lifecycle`` in ``request.app.state``.

    Args:
        models: What is served.
        settings: Limits and times.
        keys: Who may come in; everyone if there are none.
        routers: Further routes.
        public: Paths of these that need no key; one that ends in a slash opens all below it.
    """
    settings = settings or ServeSettings()
    lifecycle = Lifecycle()
    metrics = Metrics(lifecycle)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with models.running(metrics, settings, lifecycle):
            yield

    app = FastAPI(
        title="medloom",
        version=__version__,
        description="Embeddings and reranking by models of medical text.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.models = models
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.lifecycle = lifecycle
    app.add_middleware(Guard, settings=settings, keys=keys or Keys(), lifecycle=lifecycle, metrics=metrics, public=public)
    answer_errors(app)
    for router in (health_router(), embeddings_router(), rerank_router(), *routers):
        app.include_router(router)
    return app
