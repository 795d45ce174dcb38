"""A query in, the best chunks out: dense, lexical or both, re-ranked, grouped by document, with the evidence marked."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from medloom.errors import SearchError
from medloom.search.answer import Answer
from medloom.search.candidates import Depth, Found, gather, nearest
from medloom.search.evidence import How, Span, by_model, by_words
from medloom.search.expand import Expansion, Kind, packaged, written_out
from medloom.search.filters import parse_filter
from medloom.search.fuse import Ranked, alone, check_weights, fuse
from medloom.search.index import Index
from medloom.search.records import Chunk, Filter, Hit
from medloom.search.rerank import Reranker, load_reranker
from medloom.search.store import Floats, Quantised, Scored

WAYS = ("dense", "lexical")
Mode = Literal["dense", "lexical", "fused"]
_HALF = re.compile("[\ud800-\udfff]")


class SearchSettings(BaseModel):
    """How to search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: int = Field(default=10, ge=1, le=1_000, description="How many results.")
    mode: Mode = Field(default="fused", description="By vectors, by words (BM25), or both, fused by their ranks.")
    filter: tuple[str, ...] = Field(
        default=(), description="Conditions that must all hold, such as source=pubmed|pmc, specialty!=surgery, date>=2020."
    )
    weights: dict[str, float] = Field(
        default_factory=dict, description="What dense and lexical count when they are fused; 1 each if not set."
    )
    candidates: int = Field(default=100, ge=1, le=10_000, description="Chunks that each way of searching gives.")
    rerank: Literal["none", "cross", "late"] = Field(
        default="none", description="What orders the best candidates anew: a cross-encoder, or late interaction."
    )
    rerank_model: str | None = Field(
        default=None, description="The model that does, a folder or hub id; for late that of the index if not set."
    )
    depth: int = Field(default=50, ge=1, le=1_000, description="How many are re-ranked; there are no results beyond them.")
    per_document: bool = Field(default=True, description="Show the best chunk of each document only.")
    expand: tuple[Kind, ...] = Field(
        default=(), description="Add other names of what the query names: of abbreviations, of lay words, or both."
    )
    quantised: Quantised | None = Field(
        default=None, description="int8 or binary: search the smaller copies first; none: leave them; not set: as indexed."
    )
    oversample: float = Field(
        default=3.0,
        ge=1,
        le=100,
        description="How many times more candidates are taken from smaller vectors and scored again.",
    )
    dimensions: int | None = Field(
        default=None, ge=1, description="Compare by the first so many numbers of each vector (Matryoshka); all if not set."
    )
    evidence: How = Field(
        default="words", description="What finds the sentence that answers best: words (BM25), the model (slower), or none."
    )
    explain: bool = Field(default=False, description="Say of each result how it came about.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.rerank_model and self.rerank == "none":
            raise ValueError("rerank_model is named, and rerank is none: set rerank to cross or late")
        return self


@dataclass
class Steps:
    """Seconds of each step of a search."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def done(self, step: str) -> None:
        """Note that a step has ended and the next begins."""
        now = time.perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._since
        self._since = now


@dataclass(frozen=True)
class Asked:
    """A query that is ready to be searched.

    Attributes:
        query: As the user put it.
        text: As it is searched, with what was added.
        expanded: What was added.
        vector: Its vector, float32, shape (dimensions,); None where none is needed.
    """

    query: str
    text: str
    expanded: tuple[Expansion, ...] = ()
    vector: Floats | None = None


def search(index: Index, query: str, settings: SearchSettings | None = None, reranker: Reranker | None = None) -> Answer:
    """Search an index.

    Args:
        index: An open one; any number of threads may search it at once.
        query: What is asked.
        settings: How; a fused search for ten documents if not given.
        reranker: What re-ranks, where it is loaded already.

    Raises:
        SearchError: The query is empty, a filter says nothing, or the index lacks what the settings ask for.
        ModelError: The model that re-ranks cannot be loaded.

    Example:
        >>> with open_index("trials.index") as index:  # doctest: +SKIP
        ...     search(index, "chest pain on exertion", SearchSettings(filter=("date>=2020",))).hits[0].chunk.title
    """
    return search_many(index, [query], settings, reranker)[0]


def search_many(
    index: Index, queries: Sequence[str], settings: SearchSettings | None = None, reranker: Reranker | None = None
) -> list[Answer]:
    """Search for several queries, which are embedded together; see :func:`search`."""
    settings = settings or SearchSettings()
    where = parse_filter(settings.filter)
    check_settings(index, settings)
    if settings.rerank != "none" and reranker is None:
        reranker = load_reranker(index, settings.rerank, settings.rerank_model)
    started = time.perf_counter()
    asked = prepare(index, queries, settings)
    share = (time.perf_counter() - started) / max(1, len(asked))
    return [_answer(index, one, settings, where, reranker, share) for one in asked]


def check_settings(index: Index, settings: SearchSettings) -> None:
    """Refuse what the index cannot do.

    Raises:
        SearchError: It has fewer dimensions, or no smaller copies of its vectors of that kind.
    """
    check_weights(settings.weights, WAYS)
    has = index.settings
    if settings.dimensions is not None and settings.dimensions > has.dimensions:
        raise SearchError(f"dimensions {settings.dimensions}: the index has {has.dimensions}: give that or fewer")
    if settings.quantised not in (None, "none", has.quantised):
        raise SearchError(
            f"quantised {settings.quantised}: the index keeps no such copies ({has.quantised}): make it with --quantised "
            f"{settings.quantised}"
        )


def prepare(index: Index, queries: Sequence[str], settings: SearchSettings) -> list[Asked]:
    """Expand queries and embed them.

    Raises:
        SearchError: One is empty, or no valid text.
    """
    for number, query in enumerate(queries, start=1):
        which = f"query {number}" if len(queries) > 1 else "the query"
        if not query.strip():
            raise SearchError(f"{which} is empty: say what to search for")
        if _HALF.search(query):
            raise SearchError(f"{which} is no valid Unicode text: it holds half a character")
    expanded = [tuple(packaged().expand(query, settings.expand)) if settings.expand else () for query in queries]
    texts = [written_out(query, added) for query, added in zip(queries, expanded, strict=True)]
    needed = settings.mode != "lexical" or settings.evidence == "model"
    vectors = index.embed(texts) if needed and texts else None
    return [
        Asked(query, text, added, None if vectors is None else vectors[i])
        for i, (query, text, added) in enumerate(zip(queries, texts, expanded, strict=True))
    ]


def ways(index: Index, asked: Asked, settings: SearchSettings, where: Filter) -> Mapping[str, Callable[[int], Scored]]:
    """The ways of searching that the mode asks for: from how many chunks are wanted to chunks with scores."""

    def dense(n: int) -> Scored:
        assert asked.vector is not None
        exact = settings.quantised == "none" and index.settings.quantised != "none"
        return nearest(
            index.store, asked.vector, n, where, exact=exact, dimensions=settings.dimensions, oversample=settings.oversample
        )

    def lexical(n: int) -> Scored:
        return index.store.lexical(asked.text, n, where)

    known = {"dense": dense, "lexical": lexical}
    return known if settings.mode == "fused" else {settings.mode: known[settings.mode]}


def ranked(rankings: Mapping[str, Scored], settings: SearchSettings) -> list[Ranked]:
    """The ways' rankings as one."""
    if settings.mode == "fused":
        return fuse(rankings, settings.weights)
    return alone(settings.mode, rankings[settings.mode])


def reranked(text: str, found: Sequence[Found], depth: int, reranker: Reranker) -> list[Found]:
    """The first candidates in the order of another model; those beyond ``depth`` are dropped, those without a score last."""
    best = list(found[:depth])
    given = np.asarray(reranker(text, [one.chunk for one in best]) if best else [], dtype=np.float32)
    known = np.isfinite(given)
    scores = np.where(known, given, given[known].min(initial=0.0)).tolist()
    order = sorted(range(len(best)), key=lambda i: (not known[i], -scores[i], i))
    return [
        Found(best[i].chunk, scores[i], {**best[i].parts, "rerank": (rank, scores[i])})
        for rank, i in enumerate(order, start=1)
    ]


def _answer(
    index: Index, asked: Asked, settings: SearchSettings, where: Filter, reranker: Reranker | None, share: float
) -> Answer:
    started = time.perf_counter()
    steps = Steps({"prepare": share})
    depth = Depth(settings.candidates, settings.k if settings.per_document and reranker is None else None)
    found = gather(index.store, ways(index, asked, settings, where), lambda r: ranked(r, settings), depth, steps.done)
    if settings.mode == "fused":
        found = [Found(f.chunk, f.score, {**f.parts, "fused": (i, f.score)}) for i, f in enumerate(found, start=1)]
    if reranker is not None:
        found = reranked(asked.text, found, settings.depth, reranker)
        steps.done("rerank")
    best = one_per_document(found)[: settings.k] if settings.per_document else [(f, 0) for f in found[: settings.k]]
    spans = _evidence(index, asked, settings, [f.chunk for f, _ in best])
    steps.done("evidence")
    hits = tuple(
        Hit(f.chunk, f.score, f.parts if settings.explain else {}, span, further)
        for (f, further), span in zip(best, spans, strict=True)
    )
    return Answer(asked.query, settings.mode, hits, asked.expanded, share + time.perf_counter() - started, steps.seconds)


def one_per_document(found: Sequence[Found]) -> list[tuple[Found, int]]:
    """The best chunk of each document, with the number of its further ones."""
    first: dict[tuple[str, str], Found] = {}
    further: dict[tuple[str, str], int] = {}
    for one in found:
        first.setdefault(one.document, one)
        further[one.document] = further.get(one.document, -1) + 1
    return [(one, further[key]) for key, one in first.items()]


def _evidence(index: Index, asked: Asked, settings: SearchSettings, chunks: Sequence[Chunk]) -> list[Span | None]:
    texts = [chunk.text for chunk in chunks]
    if settings.evidence == "model":
        assert asked.vector is not None
        return by_model(index, asked.vector, texts)
    return by_words(asked.text, texts) if settings.evidence == "words" else [None] * len(texts)
