"""Chunks in a folder: Qdrant's engine inside this process."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from medloom.errors import SearchError
from medloom.search import payload as layout
from medloom.search.generations import copy_folder
from medloom.search.lexical import Words, missing_extra
from medloom.search.records import Chunk, Filter
from medloom.search.store import Floats, Scored, StoreSettings

if TYPE_CHECKING:
    from qdrant_edge import EdgeConfig, EdgeShard, Point, QuantizationConfigType

_PAGE = 1_000
_FACETS = 1_000
_SHARD = "shard"


class EdgeStore:
    """A :class:`medloom.search.store.VectorStore` in a folder.

    There is no write-ahead log: what is put outlives the process once :meth:`flush` has returned. So any number of processes
    can open a folder that none of them writes to.

    Args:
        shard: An open shard.
        folder: Where it lies, for errors.
        settings: What it was made for.
        copy: The temporary folder that the shard lies in, if it is a copy.
    """

    def __init__(
        self,
        shard: "EdgeShard",
        folder: Path,
        settings: StoreSettings,
        copy: "tempfile.TemporaryDirectory[str] | None" = None,
    ) -> None:
        self._shard, self._folder, self._settings, self._copy = shard, folder, settings, copy
        self._words = Words(settings.average_words)
        self._indexed = set(shard.info().payload_schema)

    @classmethod
    def create(cls, folder: Path, settings: StoreSettings) -> Self:
        """Make an empty store, in place of what a killed try has left.

        Raises:
            SearchError: The extra ``search`` is not installed, or the folder cannot be written.
        """
        edge = _library()
        path = folder / _SHARD
        shutil.rmtree(path, ignore_errors=True)
        with _engine_errors(folder):
            path.mkdir(parents=True)
            return cls(edge.EdgeShard.create(str(path), _config(settings)), folder, settings)

    @classmethod
    def open(cls, folder: Path, settings: StoreSettings) -> Self:
        """Open a store. The engine wants to write where it reads: of a folder that is read-only, a copy is opened.

        Raises:
            SearchError: The extra ``search`` is not installed, or the store is gone or damaged.
        """
        edge = _library()
        path = folder / _SHARD
        if not path.is_dir():
            raise SearchError(f"the store in {folder} is gone: index the documents again into another folder")
        copy: tempfile.TemporaryDirectory[str] | None = None
        with _engine_errors(folder):
            if not os.access(path, os.W_OK):
                copy = tempfile.TemporaryDirectory(prefix="medloom-index-")
                copy_folder(path, Path(copy.name) / _SHARD)
                path = Path(copy.name) / _SHARD
            return cls(edge.EdgeShard.load(str(path)), folder, settings, copy)

    @property
    def settings(self) -> StoreSettings:
        """What it was made for."""
        return self._settings

    def put(self, chunks: Sequence[Chunk], vectors: Floats, tokens: Sequence[Floats] | None = None) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        edge = _library()
        with _engine_errors(self._folder):
            for field, numeric in layout.indexed_fields(chunks).items():
                if field not in self._indexed:
                    kind = edge.PayloadSchemaType.Float if numeric else edge.PayloadSchemaType.Keyword
                    self._shard.update(edge.UpdateOperation.create_field_index(field, kind))
                    self._indexed.add(field)
            points = [
                self._point(chunk, vectors[i], None if tokens is None else tokens[i]) for i, chunk in enumerate(chunks)
            ]
            if points:
                self._shard.update(edge.UpdateOperation.upsert_points(points))

    def delete(self, ids: Sequence[str]) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        with _engine_errors(self._folder):
            if ids:
                self._shard.update(_library().UpdateOperation.delete_points(list(ids)))

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
        edge = _library()
        quantised = edge.QuantizationSearchParams(ignore=exact, rescore=rescore, oversampling=oversample)
        params = edge.SearchParams(exact=exact, quantization=quantised if self._settings.quantised != "none" else None)
        return self._nearest(vector.tolist(), layout.DENSE, k, _filter(where), params)

    def lexical(self, query: str, k: int, where: Filter = ()) -> Scored:
        """See :class:`medloom.search.store.VectorStore`."""
        sparse = self._words.query(query)
        if not sparse.indices:
            return []
        return self._nearest(_library().SparseVector(sparse.indices, sparse.values), layout.WORDS, k, _filter(where))

    def late(self, tokens: Floats, ids: Sequence[str]) -> Scored:
        """See :class:`medloom.search.store.VectorStore`."""
        edge = _library()
        if self._settings.token_dimensions is None:
            raise SearchError("the index keeps no vectors of tokens: make it with --late MODEL")
        if not ids:
            return []
        among = edge.Filter(must=[edge.HasIdCondition(set(ids))])
        return self._nearest(tokens.tolist(), layout.TOKENS, len(ids), among, edge.SearchParams(exact=True))

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        """See :class:`medloom.search.store.VectorStore`."""
        with _engine_errors(self._folder):
            found = self._shard.retrieve([*layout.chunk_ids(ids)], with_payload=True, with_vector=False)
        chunks = {str(r.id): layout.chunk_of(str(r.id), r.payload or {}) for r in found}
        return [chunks[i] for i in ids if i in chunks]

    def chunks(self, where: Filter = ()) -> Iterator[Chunk]:
        """See :class:`medloom.search.store.VectorStore`."""
        edge = _library()
        offset: Any = None
        wanted = _filter(where)
        while True:
            with _engine_errors(self._folder):
                page, offset = self._shard.scroll(
                    edge.ScrollRequest(offset=offset, limit=_PAGE, filter=wanted, with_payload=True)
                )
            yield from (layout.chunk_of(str(r.id), r.payload or {}) for r in page)
            if offset is None:
                return

    def vectors(self, ids: Sequence[str]) -> Floats:
        """See :class:`medloom.search.store.VectorStore`."""
        with _engine_errors(self._folder):
            found = self._shard.retrieve([*layout.chunk_ids(ids)], with_payload=False, with_vector=[layout.DENSE])
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
        request = _library().FacetRequest(field, limit=max(limit, _FACETS), exact=True, filter=_filter(where))
        with _engine_errors(self._folder):
            hits = [(str(hit.value), int(hit.count)) for hit in self._shard.facet(request)]
        return dict(sorted(((v, n) for v, n in hits if n), key=lambda item: (-item[1], item[0]))[:limit])

    def count(self, where: Filter = ()) -> int:
        """See :class:`medloom.search.store.VectorStore`."""
        with _engine_errors(self._folder):
            return self._shard.count(_library().CountRequest(exact=True, filter=_filter(where)))

    def flush(self) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        with _engine_errors(self._folder):
            self._shard.flush()

    def optimise(self) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        with _engine_errors(self._folder):
            self._shard.optimize()
            self._shard.flush()

    def close(self) -> None:
        """See :class:`medloom.search.store.VectorStore`."""
        with _engine_errors(self._folder):
            self._shard.close()
            if self._copy is not None:
                self._copy.cleanup()

    def _point(self, chunk: Chunk, vector: Floats, tokens: Floats | None) -> "Point":
        edge = _library()
        sparse = self._words.document(chunk.embedded)
        vectors: dict[str, Any] = {
            layout.DENSE: vector.tolist(),
            layout.WORDS: edge.SparseVector(sparse.indices, sparse.values),
        }
        if tokens is not None:
            vectors[layout.TOKENS] = tokens.tolist()
        point: Point = edge.Point(chunk.id, vectors, layout.payload_of(chunk))
        return point

    def _nearest(self, query: Any, using: str, k: int, where: Any, params: Any = None) -> Scored:  # noqa: ANN401
        edge = _library()
        request = edge.QueryRequest(
            limit=k, query=edge.Query.Nearest(query, using=using), filter=where, params=params, with_payload=False
        )
        with _engine_errors(self._folder):
            found = [(str(point.id), float(point.score)) for point in self._shard.query(request)]
        return sorted(found, key=lambda item: (-item[1], item[0]))


def _config(settings: StoreSettings) -> "EdgeConfig":
    edge = _library()
    quantised: QuantizationConfigType | None = None
    if settings.quantised == "int8":
        quantised = edge.ScalarQuantizationConfig(edge.ScalarType.Int8, memory=edge.Memory.Pinned)
    elif settings.quantised == "binary":
        quantised = edge.BinaryQuantizationConfig(memory=edge.Memory.Pinned)
    vectors = {layout.DENSE: edge.EdgeVectorParams(settings.dimensions, edge.Distance.Cosine, quantization_config=quantised)}
    if settings.token_dimensions is not None:
        vectors[layout.TOKENS] = edge.EdgeVectorParams(
            settings.token_dimensions,
            edge.Distance.Cosine,
            multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
            datatype=edge.VectorStorageDatatype.Float16,
            hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10),
        )
    words = {layout.WORDS: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}
    config: EdgeConfig = edge.EdgeConfig(vectors=vectors, sparse_vectors=words, wal_enabled=False)
    return config


def _filter(where: Filter) -> Any:  # noqa: ANN401
    """Conditions as the engine's filter; None for none."""
    edge = _library()
    must: list[Any] = []
    must_not: list[Any] = []
    for clause in layout.clauses_of(where):
        if isinstance(clause, layout.OneOf):
            condition = edge.FieldCondition(clause.key, match=edge.MatchAny(list(clause.values)))
            (must_not if clause.negated else must).append(condition)
        else:
            must.append(edge.Filter(should=[_sized(option) for option in clause.options]))
    return edge.Filter(must=must or None, must_not=must_not or None) if where else None


def _sized(option: layout.Sized) -> Any:  # noqa: ANN401
    edge = _library()
    name = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}[option.operator]
    return edge.FieldCondition(option.key, range=edge.RangeFloat(**{name: option.value}))


def _library() -> Any:  # noqa: ANN401
    try:
        import qdrant_edge
    except ImportError as error:
        raise missing_extra() from error
    return qdrant_edge


@contextmanager
def _engine_errors(folder: Path) -> Iterator[None]:
    """Turn what the engine raises, which is always a bare ``Exception``, into our error, without its words.

    Raises:
        SearchError: The engine failed.
    """
    try:
        yield
    except SearchError:
        raise
    except Exception as error:
        if type(error) is not Exception and not isinstance(error, OSError | ValueError):
            raise
        raise SearchError(
            f"the store in {folder} cannot be read or written: is the disk full, or the folder damaged? If it is, index the "
            "documents again into another folder"
        ) from error
