"""One suite for every store; the one in memory computes all by definition."""

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.search.memory_store import MemoryStore

from medloom.errors import SearchError
from medloom.search.chunks import chunk_id
from medloom.search.filters import parse_filter
from medloom.search.qdrant_edge import EdgeStore
from medloom.search.qdrant_remote import RemoteStore, connect
from medloom.search.records import Chunk, Condition, Filter
from medloom.search.store import Floats, StoreSettings, VectorStore

SERVER = os.environ.get("MEDLOOM_QDRANT_SERVER", "")
DIMENSIONS = 8
MakeStore = Callable[..., VectorStore]
TOPICS = (
    "fever in a child",
    "chest pain on exertion",
    "rash after a tablet",
    "pain of a joint at night",
    "high blood sugar",
)


def _remote(settings: StoreSettings) -> RemoteStore:
    from qdrant_client import QdrantClient

    return RemoteStore.create(QdrantClient(":memory:"), "notes", settings)


def _server(settings: StoreSettings) -> RemoteStore:
    return RemoteStore.create(connect(SERVER), f"medloom-test-{uuid.uuid4()}", settings)


@pytest.fixture(params=["memory", "edge", "remote", *(["server"] if SERVER else [])])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    made: list[VectorStore] = []

    def store(**changes: object) -> VectorStore:
        settings = replace(StoreSettings(DIMENSIONS, average_words=6.0), **changes)  # type: ignore[arg-type]
        kinds: dict[str, Callable[[], VectorStore]] = {
            "memory": lambda: MemoryStore(settings),
            "edge": lambda: EdgeStore.create(tmp_path / f"store-{len(made)}", settings),
            "remote": lambda: _remote(settings),
            "server": lambda: _server(settings),
        }
        made.append(kinds[request.param]())
        return made[-1]

    yield store
    for one in made:
        if request.param == "server" and isinstance(one, RemoteStore):
            one._client.delete_collection(one._collection)
        one.close()


def a_chunk(number: int, text: str = "", doc: str = "", **fields: object) -> Chunk:
    doc = doc or f"d{number}"
    facts = (
        ("date", f"20{10 + number % 12:02}-{1 + number % 12:02}-15"),
        ("odd name: x.y", "a|b" if number % 2 else "c"),
        ("patients", str(number * 10)),
        *((("specialty", "cardiology"),) if number % 3 == 0 else ()),
        *((("specialty", "paediatrics"),) if number % 5 == 0 else ()),
    )
    base = Chunk(
        id=chunk_id("notes", doc, number),
        source="notes" if number % 4 else "letters",
        doc_id=doc,
        number=number,
        title=f"Title {number}",
        heading="Plan",
        text=text or TOPICS[number % len(TOPICS)],
        part=0,
        start=0,
        end=5,
        group=f"patient-{number % 3}",
        facts=tuple(sorted(facts, key=lambda f: f[0])),
        digest="d",
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def some_vectors(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, DIMENSIONS)).astype(np.float32)


@pytest.fixture
def filled(make: MakeStore) -> tuple[VectorStore, list[Chunk], Floats]:
    store, chunks, vectors = make(), [a_chunk(i) for i in range(24)], some_vectors(24)
    store.put(chunks[:10], vectors[:10])
    store.put(chunks[10:], vectors[10:])
    store.flush()
    return store, chunks, vectors


Filled = tuple[VectorStore, list[Chunk], Floats]
WHERES = [
    *(
        ["source=letters"],
        ["source!=letters"],
        ["specialty=cardiology"],
        ["specialty!=cardiology"],
        ["source=letters|notes"],
    ),
    *(["date>=2015"], ["date<=2015"], ["date>2015"], ["date<2015-06"], ["date>=2012-03", "date<2018-07-15"]),
    *(["patients>=100"], ["patients<30|>", "source=notes"], ["patients<=100"], ["odd name: x.y=c"], ["group=patient-1"]),
    *(["id=d3|d4"], ["nothing=x"], ["nothing!=x"], ["specialty>=10"], ["date>=2015-06-15T12:00"]),
]


def test_is_a_store(make: MakeStore) -> None:
    assert isinstance(make(), VectorStore)


def test_gives_back_what_was_put(filled: Filled) -> None:
    store, chunks, vectors = filled
    ids = [c.id for c in chunks]
    assert store.get(ids[::-1]) == chunks[::-1]
    assert store.get(["00000000-0000-0000-0000-000000000000", ids[3]]) == [chunks[3]]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert store.vectors(ids[:4]).dtype == np.float32
    np.testing.assert_allclose(store.vectors(ids[4:9]), unit[4:9], atol=1e-6)
    assert store.vectors([]).shape == (0, DIMENSIONS)
    assert store.count() == 24
    assert list(store.chunks()) == sorted(chunks, key=lambda c: c.id)
    with pytest.raises(SearchError, match="not in the index"):
        store.vectors([ids[0], str(uuid.uuid4())])


@pytest.mark.parametrize("odd", ["", "7", "no id at all", str(uuid.UUID(int=1)), "0" * 32])
def test_an_id_that_no_chunk_has_is_left_out(filled: Filled, odd: str) -> None:
    store, chunks, _ = filled
    assert store.get([odd, chunks[0].id]) == [chunks[0]]
    with pytest.raises(SearchError, match="not in the index"):
        store.vectors([odd])


def test_context_that_was_cut_is_kept(make: MakeStore) -> None:
    store, chunk = make(), a_chunk(1, context="Tit")
    store.put([chunk], some_vectors(1))
    assert store.get([chunk.id])[0].embedded.startswith("Tit\n")


@pytest.mark.parametrize("exact", [False, True])
def test_dense_is_by_cosine(filled: Filled, exact: bool) -> None:
    store, chunks, vectors = filled
    query = some_vectors(1, seed=5)[0]
    scores = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    found = store.dense(query, 5, exact=exact)
    assert [i for i, _ in found] == [chunks[i].id for i in np.argsort(-scores)[:5]]
    np.testing.assert_allclose([s for _, s in found], np.sort(scores)[::-1][:5], atol=1e-5)


@pytest.mark.parametrize("quantised", ["int8", "binary"])
def test_quantised_copies_are_scored_again(make: MakeStore, quantised: str) -> None:
    store, chunks, vectors = make(quantised=quantised), [a_chunk(i) for i in range(24)], some_vectors(24)
    store.put(chunks, vectors)
    store.optimise()
    found = store.dense(vectors[7], 3, oversample=8.0)
    assert found[0][0] == chunks[7].id
    assert found[0][1] == pytest.approx(1.0, abs=1e-5)
    assert len(store.dense(vectors[7], 3, rescore=False)) == 3
    assert dict(store.dense(vectors[7], 3, exact=True)) == {i: pytest.approx(s, abs=1e-5) for i, s in found}


def reference(chunks: list[Chunk], vectors: Floats) -> MemoryStore:
    store = MemoryStore(StoreSettings(DIMENSIONS, average_words=6.0))
    store.put(chunks, vectors)
    return store


@pytest.mark.parametrize("query", ["pain", "pains of the chest", "the of", "", "sugar rash fever", "unheard"])
@pytest.mark.parametrize("where", [[], ["source=letters"]])
def test_lexical_is_bm25_on_every_store(filled: Filled, query: str, where: list[str]) -> None:
    store, chunks, vectors = filled
    found = dict(store.lexical(query, 50, parse_filter(where)))
    expected = dict(reference(chunks, vectors).lexical(query, 50, parse_filter(where)))
    assert found == {i: pytest.approx(s, rel=1e-4) for i, s in expected.items()}


@pytest.mark.parametrize("written", WHERES, ids=" and ".join)
def test_filters_mean_the_same_everywhere(filled: Filled, written: list[str]) -> None:
    store, chunks, vectors = filled
    where = tuple(c for w in written for c in parse_filter([w.replace("|>", "")]))
    expected = reference(chunks, vectors)
    assert store.count(where) == expected.count(where)
    assert list(store.chunks(where)) == list(expected.chunks(where))
    assert {i for i, _ in store.dense(vectors[0], 24, where)} == {c.id for c in expected.chunks(where)}


def test_a_filter_picks_out_what_it_says(filled: Filled) -> None:
    store = filled[0]
    both = parse_filter(["specialty=cardiology", "specialty=paediatrics"])
    assert {c.number for c in store.chunks(both)} == {0, 15}
    assert {c.number for c in store.chunks(parse_filter(["date>=2020-01-01"]))} == {10, 11, 22, 23}
    assert {c.number for c in store.chunks(parse_filter(["patients<25"]))} == {0, 1, 2}
    assert {c.number for c in store.chunks((Condition("odd name: x.y", "=", ("a|b",)),))} == set(range(1, 24, 2))


def test_what_no_filter_can_mean_is_refused(filled: Filled) -> None:
    bad: Filter = (Condition("date", ">", ("soon",)),)
    with pytest.raises(SearchError, match="compares by size"):
        filled[0].dense(some_vectors(1)[0], 3, bad)


def test_facets_count_values(filled: Filled) -> None:
    store, chunks, vectors = filled
    expected = reference(chunks, vectors)
    for name in ("source", "specialty", "odd name: x.y", "group", "patients", "unknown"):
        assert list(store.facets(name).items()) == list(expected.facets(name).items())
        assert store.facets(name, limit=1) == expected.facets(name, limit=1)
    where = parse_filter(["source=letters"])
    assert store.facets("specialty", where) == expected.facets("specialty", where)
    assert store.names() == ["date", "group", "id", "odd name: x.y", "patients", "source", "specialty"]


def test_putting_again_replaces(filled: Filled) -> None:
    store, chunks, _ = filled
    changed = replace(chunks[3], text="sepsis", facts=(("specialty", "surgery"),), digest="e")
    store.put([changed], some_vectors(1, seed=9))
    store.flush()
    assert store.count() == 24
    assert store.get([changed.id]) == [changed]
    assert [i for i, _ in store.lexical("sepsis", 5)] == [changed.id]
    assert changed.id not in {i for i, _ in store.lexical("pain", 30)}
    assert store.dense(some_vectors(1, seed=9)[0], 1)[0][0] == changed.id
    assert store.facets("specialty")["surgery"] == 1


def test_deleted_chunks_are_gone(filled: Filled) -> None:
    store, chunks, vectors = filled
    store.delete([chunks[0].id, chunks[5].id, str(uuid.uuid4())])
    store.delete([])
    store.flush()
    assert store.count() == 22
    assert store.get([chunks[0].id]) == []
    assert chunks[5].id not in {i for i, _ in store.dense(vectors[5], 24)}
    assert chunks[5].id not in {i for i, _ in store.lexical("fever", 24)}


def test_late_interaction_sums_the_best_of_each_token(make: MakeStore) -> None:
    store, chunks, rng = make(token_dimensions=4), [a_chunk(i) for i in range(6)], np.random.default_rng(3)
    tokens = [rng.standard_normal((3 + i, 4)).astype(np.float32) for i in range(6)]
    tokens = [t / np.linalg.norm(t, axis=1, keepdims=True) for t in tokens]
    store.put(chunks, some_vectors(6), tokens)
    query = tokens[2][:2]
    found = store.late(query, [chunks[i].id for i in (4, 2, 0)])
    expected = {chunks[i].id: float((query @ tokens[i].T).max(axis=1).sum()) for i in (4, 2, 0)}
    assert dict(found) == {i: pytest.approx(s, abs=5e-3) for i, s in expected.items()}
    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
    assert found[0][0] == chunks[2].id
    assert store.late(query, []) == []


def test_without_token_vectors_late_interaction_is_refused(make: MakeStore) -> None:
    with pytest.raises(SearchError, match="no vectors of tokens"):
        make().late(some_vectors(2), ["00000000-0000-0000-0000-000000000000"])


def test_an_empty_store_answers(make: MakeStore) -> None:
    store = make()
    store.put([], np.empty((0, DIMENSIONS), dtype=np.float32))
    assert store.dense(some_vectors(1)[0], 3) == []
    assert store.lexical("fever", 3) == []
    assert list(store.chunks()) == []
    assert store.count() == 0
    assert store.facets("source") == {}
