"""``/v1/search`` and what the page needs beside it: facets, documents, the map. All of it runs in threads."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from medloom.errors import SearchError
from medloom.search.answer import Answer
from medloom.search.expand import Kind
from medloom.search.filters import OWN, facts_of, parse_filter
from medloom.search.index import Index
from medloom.search.like import more_like
from medloom.search.query import Mode, SearchSettings, search
from medloom.search.records import Chunk, Condition, Filter
from medloom.search.rerank import Reranker
from medloom.serve.config import ServeSettings
from medloom.serve.dense import DenseModel
from medloom.serve.errors import ApiError, answers
from medloom.serve.indexes import Indexes, QueuedReranker, ServedIndex
from medloom.serve.items import check_texts
from medloom.serve.models import Models
from medloom.serve.routes import json_answer, json_router

T = TypeVar("T")
_FILTER_HELP = (
    "filter: each is name=value, with =, !=, <, <=, > or >=, and | between values that will do; only numbers and dates "
    "(2020, 2020-05 or 2020-05-01) compare by size"
)
_CHUNKS_SHOWN = 2_000
Conditions = Annotated[list[Annotated[str, Field(max_length=2_000)]], Field(max_length=32)]
IndexName = Annotated[str | None, Field(max_length=256, description="Name of an index; the first if none.")]


class SearchRequest(BaseModel):
    """A query and how to search."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, description="What is asked.")
    k: int = Field(10, ge=1, le=100, description="How many results.")
    mode: Mode = Field("fused", description="By vectors, by words (BM25), or both.")
    filter: Conditions = Field([], description="Conditions that must all hold: specialty=cardiology, date>=2020.")
    rerank: str = Field("none", max_length=256, description="none, late, or a reranker that /v1/indexes names.")
    expand: list[Kind] = Field([], max_length=2, description="Add other names of abbreviations, of lay words, or both.")
    per_document: bool = Field(True, description="The best chunk of each document only.")
    explain: bool = Field(False, description="Say of each result how it came about.")
    index: IndexName = None


class Span(BaseModel):
    """A stretch of a result's text, in characters."""

    start: int
    end: int


class Part(BaseModel):
    """What a way of searching made of a result."""

    rank: int
    score: float


class Result(BaseModel):
    """A chunk that was found."""

    rank: int
    score: float
    chunk: str
    source: str
    document: str
    title: str
    heading: str
    text: str
    part: int
    start: int
    end: int
    further: int = Field(description="Further chunks of its document among those that were looked at.")
    evidence: Span | None
    url: str | None
    date: str | None
    facts: dict[str, list[str]]
    parts: dict[str, Part]


class Expanded(BaseModel):
    """What was added to the query."""

    model_config = ConfigDict(populate_by_name=True)

    term: str
    added: list[str]
    from_: str = Field(alias="from")


class SearchAnswer(BaseModel):
    """Results, best first."""

    query: str
    mode: str
    seconds: float
    expanded: list[Expanded]
    total: int | None = Field(description="Chunks that meet the filter; counted only where nothing was found.")
    results: list[Result]


class Facet(BaseModel):
    """A value of a fact."""

    value: str
    n: int


class FacetsAnswer(BaseModel):
    """Facts of at most 50 values, and the names of all."""

    facets: dict[str, list[Facet]]
    names: list[str]


class IndexInfo(BaseModel):
    """An index that can be searched."""

    name: str
    model: str
    dimensions: int
    chunks: int
    rerank: list[str]
    contains_phi: bool | None


class IndexesAnswer(BaseModel):
    """The indexes of this server."""

    indexes: list[IndexInfo]


class Point(BaseModel):
    """A chunk on the map."""

    chunk: str
    x: float
    y: float
    label: str
    title: str
    source: str
    document: str


class MapAnswer(BaseModel):
    """The map."""

    by: str
    points: list[Point]
    labels: list[str]


class Section(BaseModel):
    """A section as far as it is in the index."""

    part: int
    heading: str
    start: int = Field(description="Place of the text's first character in the section.")
    text: str


class Place(BaseModel):
    """Where a chunk stands."""

    chunk: str
    number: int
    part: int
    start: int
    end: int


class DocumentAnswer(BaseModel):
    """A document as far as it is in the index."""

    source: str
    document: str
    title: str
    url: str | None
    date: str | None
    facts: dict[str, list[str]]
    sections: list[Section]
    chunks: list[Place]


class Desk:
    """Answers requests about indexes.

    Args:
        indexes: They.
    """

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    async def search(self, request: Request, asked: SearchRequest) -> Response:
        """Search an index."""
        state = request.app.state
        check_texts([asked.query], state.settings, "query")
        if not asked.query.strip():
            raise ApiError(400, "query: say what to search for", "query", "empty_query")
        served, where = await self._indexes.get(asked.index), _conditions(asked.filter)
        timeout = state.settings.timeout_seconds
        kind, reranker = _reranker(asked.rerank, served.index, state.models, timeout)
        settings = SearchSettings(
            k=asked.k,
            mode=asked.mode,
            filter=tuple(asked.filter),
            rerank=kind,
            expand=tuple(asked.expand),
            per_document=asked.per_document,
            explain=asked.explain,
        )
        index = served.for_request(state.models, timeout)

        def work() -> dict[str, Any]:
            return _content(search(index, asked.query, settings, reranker), served, where)

        return json_answer(await self._indexes.run(work, timeout))

    async def more_like(self, request: Request, chunk: str, k: int, conditions: list[str], index: str | None) -> Response:
        """What is like a chunk."""
        served, where = await self._indexes.get(index), _conditions(conditions)
        settings = SearchSettings(k=k, filter=tuple(conditions), explain=True)

        def work() -> dict[str, Any]:
            if not served.index.store.get([chunk]):
                raise ApiError(404, "there is no such chunk in the index", "chunk", "chunk_not_found")
            return _content(more_like(served.index, chunk, settings), served, where)

        return json_answer(await self._run(request, work))

    async def facets(self, request: Request, index: str | None) -> Response:
        """The facts that filters can ask for."""
        served = await self._indexes.get(index)
        return json_answer(await self._run(request, lambda: {"facets": served.facets, "names": served.fact_names}))

    async def map(self, request: Request, points: int, by: str, index: str | None) -> Response:
        """The map of an index."""
        served = await self._indexes.get(index)
        return json_answer(await self._run(request, lambda: served.maps.layout(points).to_dict(by)))

    async def document(self, request: Request, source: str, document: str, index: str | None) -> Response:
        """A document."""
        served = await self._indexes.get(index)
        return json_answer(await self._run(request, partial(_document, served.index, source, document)))

    async def indexes(self, request: Request) -> Response:
        """The indexes."""
        rerankers = [model.name for model in request.app.state.models.served if not isinstance(model, DenseModel)]
        served = [await self._indexes.get(one.name) for one in self._indexes.served]

        def work() -> dict[str, Any]:
            return {"indexes": [_info(one, rerankers) for one in served]}

        return json_answer(await self._run(request, work))

    async def _run(self, request: Request, work: Callable[[], T]) -> T:
        settings: ServeSettings = request.app.state.settings
        return await self._indexes.run(work, settings.timeout_seconds)


def search_router(indexes: Indexes) -> APIRouter:
    """Routes ``/v1/search``, ``/v1/more-like``, ``/v1/facets``, ``/v1/map``, ``/v1/document`` and ``/v1/indexes``."""
    router, desk = json_router(), Desk(indexes)
    repeated = Annotated[Conditions, Query(alias="filter", description="Conditions that must all hold.")]

    @router.post("/v1/search", responses=answers(SearchAnswer))
    async def post_search(request: Request, asked: SearchRequest) -> Response:
        """The chunks that answer a query best, with the evidence marked."""
        return await desk.search(request, asked)

    @router.get("/v1/search", responses=answers(SearchAnswer))
    async def get_search(
        request: Request,
        q: Annotated[str, Query(min_length=1, description="What is asked.")],
        conditions: repeated = [],  # noqa: B006
        k: Annotated[int, Query(ge=1, le=100)] = 10,
        mode: Mode = "fused",
        index: IndexName = None,
    ) -> Response:
        """The same by the parameters of an address; use POST for what must not stand in logs of proxies."""
        return await desk.search(request, SearchRequest(query=q, k=k, mode=mode, filter=conditions, index=index))

    @router.get("/v1/more-like/{chunk}", responses=answers(SearchAnswer))
    async def get_more_like(
        request: Request,
        chunk: str,
        conditions: repeated = [],  # noqa: B006
        k: Annotated[int, Query(ge=1, le=100)] = 10,
        index: IndexName = None,
    ) -> Response:
        """The documents nearest to a chunk."""
        return await desk.more_like(request, chunk, k, conditions, index)

    @router.get("/v1/facets", responses=answers(FacetsAnswer))
    async def get_facets(request: Request, index: IndexName = None) -> Response:
        """What filters can ask for."""
        return await desk.facets(request, index)

    @router.get("/v1/map", responses=answers(MapAnswer))
    async def get_map(
        request: Request,
        points: Annotated[int, Query(ge=1, le=5_000, description="Documents on it.")] = 2_000,
        by: Annotated[str, Query(min_length=1, max_length=256, description="The fact that labels them.")] = "source",
        index: IndexName = None,
    ) -> Response:
        """A sample of the documents in the plane: what is alike lies together. The first call takes seconds."""
        return await desk.map(request, points, by, index)

    @router.get("/v1/document/{source}/{document:path}", responses=answers(DocumentAnswer))
    async def get_document(request: Request, source: str, document: str, index: IndexName = None) -> Response:
        """A document as far as it is in the index."""
        return await desk.document(request, source, document, index)

    @router.get("/v1/indexes", responses=answers(IndexesAnswer))
    async def get_indexes(request: Request) -> Response:
        """The indexes of this server, and what can re-rank their results."""
        return await desk.indexes(request)

    return router


def _conditions(written: Sequence[str]) -> Filter:
    try:
        return parse_filter(written)
    except SearchError as error:
        raise ApiError(400, _FILTER_HELP, "filter", "bad_filter") from error


def _reranker(
    name: str, index: Index, models: Models, timeout: float
) -> tuple[Literal["none", "cross", "late"], Reranker | None]:
    """How to re-rank. Only models that the server was started with: a client may not make it load others."""
    if name == "none":
        return "none", None
    if name == "late":
        if not index.settings.late:
            raise ApiError(400, "rerank: the index keeps no vectors of tokens: /v1/indexes says what it has", "rerank")
        return "late", None
    return "cross", QueuedReranker(models.reranker(name), timeout)


def _content(answer: Answer, served: ServedIndex, where: Filter) -> dict[str, Any]:
    return answer.to_dict() | {"total": None if answer.hits else served.index.store.count(where)}


def _info(served: ServedIndex, rerankers: Sequence[str]) -> dict[str, Any]:
    settings = served.index.settings
    return {
        "name": served.name,
        "model": settings.model.rstrip("/").rpartition("/")[2].removeprefix("builtin:"),
        "dimensions": settings.dimensions,
        "chunks": served.size,
        "rerank": ["none", *(["late"] if settings.late else []), *rerankers],
        "contains_phi": served.index.contains_phi,
    }


def _document(index: Index, source: str, document: str) -> dict[str, Any]:
    where = (Condition("source", "=", (source,)), Condition("id", "=", (document,)))
    chunks = sorted(index.store.chunks(where), key=lambda chunk: chunk.number)[:_CHUNKS_SHOWN]
    if not chunks:
        raise ApiError(404, "there is no such document in the index", "document", "document_not_found")
    facts = {name: values for name, values in facts_of(chunks[0]).items() if name not in OWN}
    return {
        "source": source,
        "document": document,
        "title": chunks[0].title,
        "url": _first(facts, "url"),
        "date": _first(facts, "date"),
        "facts": facts,
        "sections": _sections(chunks),
        "chunks": [{"chunk": c.id, "number": c.number, "part": c.part, "start": c.start, "end": c.end} for c in chunks],
    }


def _first(facts: Mapping[str, Sequence[str]], name: str) -> str | None:
    return next(iter(facts.get(name, [])), None)


def _sections(chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
    """Chunks put together again: what they share once, and blanks for what lies between them."""
    sections: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        new = {"part": chunk.part, "heading": chunk.heading, "start": chunk.start, "text": ""}
        section = sections.setdefault(chunk.part, new)
        end = section["start"] + len(section["text"])
        gap = max(0, chunk.start - end)
        blank = "\n" * min(gap, 2) + " " * (gap - min(gap, 2))
        section["text"] += blank + chunk.text[max(0, end - chunk.start) :]
    return list(sections.values())
