"""More like this: the documents nearest to a chunk that was found."""

import time
from uuid import UUID

from medloom.errors import SearchError
from medloom.search.answer import Answer
from medloom.search.candidates import Depth, gather, nearest
from medloom.search.filters import parse_filter
from medloom.search.fuse import alone
from medloom.search.index import Index
from medloom.search.query import SearchSettings, check_settings, one_per_document
from medloom.search.records import Hit
from medloom.search.store import Scored


def more_like(index: Index, chunk: str, settings: SearchSettings | None = None) -> Answer:
    """The chunks of other documents that are nearest to a chunk by its vector.

    Args:
        index: An open index.
        chunk: Id of the chunk.
        settings: ``k``, ``filter``, ``per_document``, ``candidates``, ``dimensions``, ``quantised`` and ``explain`` count.

    Raises:
        SearchError: There is no such chunk.
    """
    settings = settings or SearchSettings()
    where = parse_filter(settings.filter)
    check_settings(index, settings)
    started = time.perf_counter()
    known = index.store.get([chunk]) if _is_uuid(chunk) else []
    if not known:
        raise SearchError("there is no such chunk in the index: give the id of one that was found in it")
    itself, vector = known[0], index.store.vectors([chunk])[0]
    exact = settings.quantised == "none" and index.settings.quantised != "none"

    def dense(n: int) -> Scored:
        return nearest(
            index.store, vector, n, where, exact=exact, dimensions=settings.dimensions, oversample=settings.oversample
        )

    depth = Depth(settings.candidates, settings.k + 1)
    found = gather(index.store, {"dense": dense}, lambda rankings: alone("dense", rankings["dense"]), depth)
    others = [one for one in found if one.document != (itself.source, itself.doc_id)]
    best = one_per_document(others) if settings.per_document else [(one, 0) for one in others]
    hits = tuple(Hit(f.chunk, f.score, f.parts if settings.explain else {}, None, n) for f, n in best[: settings.k])
    return Answer("", "dense", hits, seconds=time.perf_counter() - started)


def _is_uuid(chunk: str) -> bool:
    try:
        return str(UUID(chunk)) == chunk
    except ValueError:
        return False
