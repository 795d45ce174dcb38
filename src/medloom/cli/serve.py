"""``medloom serve``: models over HTTP."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from medloom.errors import MedloomError

Precision = Literal["auto", "fp32", "bf16"]
Backend = Literal["torch", "openvino", "onnx", "auto"]


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(help="An embedding model: builtin:NAME, a folder or a hub id, or NAME=one of these. Repeatable."),
    ] = None,
    reranker: Annotated[
        list[str] | None,
        typer.Option(help="A cross-encoder or late-interaction model: a folder or a hub id, or NAME=one. Repeatable."),
    ] = None,
    index: Annotated[
        list[str] | None,
        typer.Option(help="An index to search over HTTP and from the page at /: a folder, or NAME=FOLDER. Repeatable."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own demands keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 lets the system choose.")] = 8000,
    api_keys: Annotated[
        Path | None, typer.Option(help="File of API keys, one a line. MEDLOOM_API_KEYS holds more, between commas.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Of the arithmetic; auto takes bf16 where the processor computes in it.")
    ] = "fp32",
    backend: Annotated[
        Backend,
        typer.Option(help="What computes embeddings; auto takes the fastest of those installed (extras openvino, onnx)."),
    ] = "auto",
    access_log: Annotated[
        bool, typer.Option("--access-log/--no-access-log", help="Log each request: method, route, status, time; never text.")
    ] = True,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: timeout_seconds=20, threads=4. Repeatable.")
    ] = None,
) -> None:
    """Serve embeddings as OpenAI does and reranking as Cohere and Jina do, until SIGTERM or Ctrl-C."""
    from medloom.recipe import settings_of

    try:
        from medloom.serve.config import ServeSettings
        from medloom.serve.keys import load_keys
        from medloom.serve.models import load_models
        from medloom.serve.run import demand_keys
        from medloom.serve.run import serve as run_server
    except ImportError as error:
        raise MedloomError(f"serve needs {error.name}: pip install 'medloom[serve]'") from error

    settings = settings_of(ServeSettings, {"host": host, "port": port}, set_ or [], "serve")
    keys = load_keys(api_keys)
    demand_keys(settings, keys)
    logging.getLogger("medloom.serve").setLevel(logging.INFO)
    logging.getLogger("medloom.serve.access").setLevel(logging.INFO if access_log else logging.WARNING)
    if not index:
        run_server(load_models(model or [], reranker or [], precision, backend), settings, keys)
        return
    from medloom.serve.indexes import models_of, open_indexes
    from medloom.serve.search import search_router
    from medloom.serve.static import PUBLIC, page_router

    models = load_models(model or models_of(index), reranker or [], precision, backend)
    indexes = open_indexes(index, models)
    try:
        run_server(models, settings, keys, [search_router(indexes), page_router()], PUBLIC)
    finally:
        indexes.close()
