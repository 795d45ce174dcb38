"""Chunks in a Qdrant cluster, for those who outgrow one machine."""

import ipaddress
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import numpy as np

from medloom.errors import SearchError
from medloom.search import payload as layout
from medloom.search.lexical import Words, missing_extra
from medloom.search.records import Chunk, Filter
from medloom.search.store import Floats, Scored, StoreSettings

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

KEY = "QDRANT_API_KEY"
"""Variable of the environment with the key to the cluster; it is never written down."""
_PAGE = 1_000
_FACETS = 1_000
_TIMEOUT = 120
_POLL = 2.0
_PATIENCE = 3_600.0


class RemoteStore:
    """A :class:`medloom.search.store.VectorStore` in a collection of a Qdrant cluster.

    Args:
        client: Connected to the cluster.
        collection: Name of the collection.
        settings: What it was made for.
    """

    def __init__(self, client: "QdrantClient", collection: str, settings: StoreSettings) -> None:
        self._client, self._collection, self._settings = client, collection, settings
        self._words = Words(settings.average_words)
        with _cluster_errors(collection):
            self._indexed = set(client.get_collection(collection).payload_schema)

    @classmethod
    def create(cls, client: "QdrantClient", collection: str, settings: StoreSettings) -> Self:
        """Make an empty collection.

        Raises:
            SearchError: The cluster has one of that name, cannot be reached, or refuses.
        """
        refuse_taken(client, collection)
        with _cluster_errors(collection):
            client.create_collection(collection, **_config(settings))
        return cls(client, collection, settings)

    @classmethod
    def open(cls, address: str, collection: str, settings: StoreSettings) -> Self:
        """Open a collection.

        Raises:
            SearchError: It is not there, or the cluster cannot be reached or refuses.
        """
        client = connect(address)
        with _cluster_errors(collection):
            if not client.collection_exists(collection):
                raise SearchError(f"the cluster has no collection {collection!r}: index the documents again")
        return cls(client, collection, settings)

    @property
    def settings(self) -> StoreSettings:
        """What it was made for."""
        return self._settings

    def put(self, chunks: Sequence[Chunk], vectors: Floats, tokens: Sequence[Floats] | None = None) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        models = _models()
        with _cluster_errors(self._collection):
            for field, numeric in layout.indexed_fields(chunks).items():
                if field not in self._indexed:
                    kind = models.PayloadSchemaType.FLOAT if numeric else models.PayloadSchemaType.KEYWORD
                    self._client.create_payload_index(self._collection, field, field_schema=kind, wait=True)
                    self._indexed.add(field)
            points = [
                self._point(chunk, vectors[i], None if tokens is None else tokens[i]) for i, chunk in enumerate(chunks)
            ]
            if points:
                self._client.upsert(self._collection, points, wait=True)

    def delete(self, ids: Sequence[str]) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        with _cluster_errors(self._collection):
            if ids:
                self._client.delete(self._collection, _models().PointIdsList(points=list(ids)), wait=True)

    def dense(
        self,
        vector: Floats,
        k: int,
        where: Filter = (),
        *,
        exact: bool = False,
        rescore: bool = True,
        oversample: float = 2.0,
    ) -> Scored:
        """See :class:`medloom.search.store.VectorStore`."""
        models = _models()
        quantised = models.QuantizationSearchParams(ignore=exact, rescore=rescore, oversampling=oversample)
        params = models.SearchParams(exact=exact, quantization=quantised if self._settings.quantised != "none" else None)
        return self._nearest(vector.tolist(), layout.DENSE, k, _filter(where), params)

    def lexical(self, query: str, k: int, where: Filter = ()) -> Scored:
        """See :class:`medloom.search.store.VectorStore`."""
        sparse = self._words.query(query)
        if not sparse.indices:
            return []
        vector = _models().SparseVector(indices=sparse.indices, values=sparse.values)
        return self._nearest(vector, layout.WORDS, k, _filter(where))

    def late(self, tokens: Floats, ids: Sequence[str]) -> Scored:
        """See :class:`medloom.search.store.VectorStore`."""
        models = _models()
        if self._settings.token_dimensions is None:
            raise SearchError("the index keeps no vectors of tokens: make it with --late MODEL")
        if not ids:
            return []
        among = models.Filter(must=[models.HasIdCondition(has_id=list(dict.fromkeys(ids)))])
        return self._nearest(tokens.tolist(), layout.TOKENS, len(ids), among, models.SearchParams(exact=True))

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        """See :class:`medloom.search.store.VectorStore`."""
        with _cluster_errors(self._collection):
            found = self._client.retrieve(self._collection, layout.chunk_ids(ids), with_payload=True, with_vectors=False)
        chunks = {str(r.id): layout.chunk_of(str(r.id), r.payload or {}) for r in found}
        return [chunks[i] for i in ids if i in chunks]

    def chunks(self, where: Filter = ()) -> Iterator[Chunk]:
        """See :class:`medloom.search.store.VectorStore`."""
        offset: Any = None
        wanted = _filter(where)
        while True:
            with _cluster_errors(self._collection):
                page, offset = self._client.scroll(
                    self._collection, wanted, limit=_PAGE, offset=offset, with_payload=True, with_vectors=False
                )
            yield from (layout.chunk_of(str(r.id), r.payload or {}) for r in page)
            if offset is None:
                return

    def vectors(self, ids: Sequence[str]) -> Floats:
        """See :class:`medloom.search.store.VectorStore`."""
        with _cluster_errors(self._collection):
            found = self._client.retrieve(
                self._collection, layout.chunk_ids(ids), with_payload=False, with_vectors=[layout.DENSE]
            )
        rows: dict[str, Any] = {str(r.id): r.vector[layout.DENSE] for r in found if isinstance(r.vector, dict)}
        if any(i not in rows for i in ids):
            raise SearchError("a chunk is not in the index: was it changed or deleted since it was found?")
        return np.array([rows[i] for i in ids], dtype=np.float32).reshape(len(ids), self._settings.dimensions)

    def names(self) -> list[str]:
        """See :class:`medloom.search.store.VectorStore`."""
        return layout.fact_names(self._indexed)

    def facets(self, name: str, where: Filter = (), limit: int = 50) -> dict[str, int]:
        """See :class:`medloom.search.store.VectorStore`."""
        field = layout.field_of(name)
        if field not in self._indexed:
            return {}
        with _cluster_errors(self._collection):
            answer = self._client.facet(
                self._collection, field, facet_filter=_filter(where), limit=max(limit, _FACETS), exact=True
            )
        found = ((str(hit.value), hit.count) for hit in answer.hits if hit.count)
        return dict(sorted(found, key=lambda item: (-item[1], item[0]))[:limit])

    def count(self, where: Filter = ()) -> int:
        """See :class:`medloom.search.store.VectorStore`."""
        with _cluster_errors(self._collection):
            return self._client.count(self._collection, _filter(where), exact=True).count

    def flush(self) -> None:
        """Nothing to do: the cluster answers a write once it is in its log."""

    def optimise(self) -> None:
        """Wait, for an hour at most, until the cluster has built its graphs; it goes on by itself."""
        models = _models()
        deadline = time.monotonic() + _PATIENCE
        with _cluster_errors(self._collection):
            while time.monotonic() < deadline:
                if self._client.get_collection(self._collection).status != models.CollectionStatus.YELLOW:
                    return
                time.sleep(_POLL)

    def close(self) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        self._client.close()

    def _point(self, chunk: Chunk, vector: Floats, tokens: Floats | None) -> Any:  # noqa: ANN401
        models = _models()
        sparse = self._words.document(chunk.embedded)
        vectors: dict[str, Any] = {
            layout.DENSE: vector.tolist(),
            layout.WORDS: models.SparseVector(indices=sparse.indices, values=sparse.values),
        }
        if tokens is not None:
            vectors[layout.TOKENS] = tokens.tolist()
        return models.PointStruct(id=chunk.id, vector=vectors, payload=layout.payload_of(chunk))

    def _nearest(self, query: Any, using: str, k: int, where: Any, params: Any = None) -> Scored:  # noqa: ANN401
        with _cluster_errors(self._collection):
            answer = self._client.query_points(
                self._collection, query, using=using, query_filter=where, search_params=params, limit=k, with_payload=False
            )
        return sorted(((str(p.id), float(p.score)) for p in answer.points), key=lambda item: (-item[1], item[0]))


def connect(address: str) -> "QdrantClient":
    """A client of the cluster at an address, with the key from the environment.

    Raises:
        SearchError: The extra ``search`` is not installed, or the address is none.
    """
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        raise missing_extra() from error
    if not address.startswith(("http://", "https://")):
        raise SearchError("--store: give the address of a Qdrant cluster, such as http://localhost:6333")
    key = os.environ.get(KEY) or None
    try:
        return QdrantClient(url=address, api_key=key, timeout=_TIMEOUT, check_compatibility=False)
    except ValueError as error:
        raise SearchError("--store: give the address of a Qdrant cluster, such as http://localhost:6333") from error


def is_safe(address: str) -> bool:
    """Whether text that may be about patients can go to an address: it is encrypted, or does not leave this machine."""
    host = urlsplit(address).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return local or address.startswith("https://")


def refuse_taken(client: "QdrantClient", collection: str) -> None:
    """Refuse a collection's name that the cluster has already.

    Raises:
        SearchError: It has, or it cannot be reached.
    """
    with _cluster_errors(collection):
        if client.collection_exists(collection):
            raise SearchError(
                f"the cluster has a collection {collection!r} already, which is not of this index: give another --collection"
            )


def remove(client: "QdrantClient", collection: str) -> None:
    """Take a collection out of the cluster, if it is there.

    Raises:
        SearchError: The cluster cannot be reached, or refuses.
    """
    with _cluster_errors(collection):
        client.delete_collection(collection)


def _config(settings: StoreSettings) -> dict[str, Any]:
    models = _models()
    quantised: Any = None
    if settings.quantised == "int8":
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        quantised = models.ScalarQuantization(scalar=scalar)
    elif settings.quantised == "binary":
        quantised = models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    cosine = models.Distance.COSINE
    vectors = {layout.DENSE: models.VectorParams(size=settings.dimensions, distance=cosine, quantization_config=quantised)}
    if settings.token_dimensions is not None:
        vectors[layout.TOKENS] = models.VectorParams(
            size=settings.token_dimensions,
            distance=cosine,
            multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
            datatype=models.Datatype.FLOAT16,
            hnsw_config=models.HnswConfigDiff(m=0),
        )
    words = {layout.WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)}
    return {"vectors_config": vectors, "sparse_vectors_config": words}


def _filter(where: Filter) -> Any:  # noqa: ANN401
    """Conditions as the cluster's filter; None for none."""
    models = _models()
    must: list[Any] = []
    must_not: list[Any] = []
    for clause in layout.clauses_of(where):
        if isinstance(clause, layout.OneOf):
            condition = models.FieldCondition(key=clause.key, match=models.MatchAny(any=list(clause.values)))
            (must_not if clause.negated else must).append(condition)
        else:
            must.append(models.Filter(should=[_sized(option) for option in clause.options]))
    return models.Filter(must=must or None, must_not=must_not or None) if where else None


def _sized(option: layout.Sized) -> Any:  # noqa: ANN401
    models = _models()
    name = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}[option.operator]
    return models.FieldCondition(key=option.key, range=models.Range(**{name: option.value}))


def _models() -> Any:  # noqa: ANN401
    try:
        from qdrant_client import models
    except ImportError as error:
        raise missing_extra() from error
    return models


@contextmanager
def _cluster_errors(collection: str) -> Iterator[None]:
    """Turn what the client raises into our error, without its words: they may quote what was sent.

    Raises:
        SearchError: The cluster cannot be reached, or refuses.
    """
    import httpx
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

    try:
        yield
    except UnexpectedResponse as error:
        hint = f": set {KEY}" if error.status_code in (401, 403) else ""
        raise SearchError(f"the cluster answers {error.status_code} for the collection {collection!r}{hint}") from error
    except (ApiException, QdrantException, httpx.HTTPError) as error:
        raise SearchError(
            "the Qdrant cluster cannot be reached or does not answer: is it running, and is --store its address? What was "
            "indexed is kept: give the same command again"
        ) from error
