"""Search over HTTP: what it answers, what it refuses, and that it says nothing of texts."""

import asyncio
import logging
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.search.memory_store import MemoryStore
from tests.serve.corpus import an_app, an_index, chunks
from typer.testing import CliRunner

from medloom.cli import app as cli
from medloom.encode import Encoder
from medloom.records import Document
from medloom.search.build import Wanted, build_index
from medloom.search.chunks import chunk_id
from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.errors import ServeError
from medloom.serve.indexes import Indexes, open_indexes
from medloom.serve.keys import Keys
from medloom.serve.map import Maps, project, sample
from medloom.serve.models import load_models
from medloom.serve.search import search_router


class TiedEncoder:
    """Another model than the served one."""

    dimensions, hash = 4, "other"

    def prompt_for(self, role: str) -> str | None:
        return None

    def encode(self, texts: Any, prompt: str | None = None, label: str | None = None) -> Any:
        return np.array([[len(t), t.count("e"), t.count("a"), 1] for t in texts], dtype=np.float32).reshape(-1, 4)


@pytest.fixture(scope="module")
def client(tiny_model: Path, tiny_encoder: Encoder) -> Iterator[TestClient]:
    with TestClient(
        an_app(tiny_model, {"main": an_index(tiny_encoder), "other": an_index(TiedEncoder())}, chars=1_000)
    ) as client:
        yield client


def found(client: TestClient, **asked: object) -> dict[str, Any]:
    answer = client.post("/v1/search", json=asked)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_finds_by_words_with_evidence_and_facts(client: TestClient) -> None:
    answer = found(client, query="fever in a child", mode="lexical", explain=True)
    first = answer["results"][0]
    assert (first["rank"], first["title"], first["document"]) == (1, "Fever in a child", "d/0")
    assert (first["date"], first["url"]) == ("2020-03-01", "https://example.org/0")
    assert first["facts"]["specialty"] == ["paediatrics"]
    assert first["parts"]["lexical"]["rank"] == 1
    sentences = ("High fever in a child at night.", "The child has a rash and a cough.", "Give a tablet daily.")
    assert first["text"][first["evidence"]["start"] : first["evidence"]["end"]] in sentences
    assert answer["total"] is None


@pytest.mark.parametrize("index", ["main", "other"])
@pytest.mark.parametrize("mode", ["dense", "fused"])
def test_every_index_answers_in_every_mode(client: TestClient, index: str, mode: str) -> None:
    results = found(client, query="pain", index=index, mode=mode, k=3)["results"]
    assert [one["rank"] for one in results] == [1, 2, 3]
    assert results[0]["parts"] == {}


def test_get_answers_as_post(client: TestClient) -> None:
    got = client.get(
        "/v1/search", params={"q": "pain", "mode": "lexical", "filter": ["source=letters", "date>=2022"]}
    ).json()
    posted = found(client, query="pain", mode="lexical", filter=["source=letters", "date>=2022"])
    assert got["results"] == posted["results"]
    assert {one["source"] for one in got["results"]} == {"letters"}


def test_nothing_found_says_how_many_the_filter_leaves(client: TestClient) -> None:
    assert found(client, query="fever", filter=["source=nowhere"])["total"] == 0
    assert found(client, query="unheard", mode="lexical", filter=["source=letters"])["total"] == 3


def test_re_ranks_by_a_model_of_the_server_only(client: TestClient) -> None:
    answer = found(client, query="pain", rerank=_served_name(client), explain=True)
    assert "rerank" in answer["results"][0]["parts"]
    refused = client.post("/v1/search", json={"query": "pain", "rerank": "/etc/model"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    assert client.post("/v1/search", json={"query": "pain", "rerank": "late"}).status_code == 400


def _served_name(client: TestClient) -> str:
    name: str = client.app.state.models.names[0]  # type: ignore[attr-defined]
    return name


def test_more_like_leaves_out_the_document_itself(client: TestClient) -> None:
    answer = client.get(
        f"/v1/more-like/{chunk_id('notes', 'd/0', 0)}", params={"k": 3, "filter": "source=letters|notes"}
    ).json()
    assert len(answer["results"]) == 3
    assert "d/0" not in [one["document"] for one in answer["results"]]
    missing = client.get("/v1/more-like/6f2c6f9e-0000-4000-8000-000000000000")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "chunk_not_found")


def test_facets_are_facts_of_few_values(client: TestClient) -> None:
    answer = client.get("/v1/facets").json()
    assert answer["facets"]["source"] == [
        {"value": "letters", "n": 3},
        {"value": "notes", "n": 3},
        {"value": "web", "n": 1},
    ]
    assert "id" not in answer["facets"]
    assert "group" not in answer["facets"]
    assert set(answer["names"]) >= {"date", "specialty", "id", "source"}


def test_a_document_is_put_together_from_its_chunks(client: TestClient) -> None:
    answer = client.get("/v1/document/notes/d%2F0").json()
    whole = chunks()[0].text + " Find the lung."
    assert answer["sections"] == [{"part": 0, "heading": "Plan", "start": 0, "text": whole}]
    assert [one["number"] for one in answer["chunks"]] == [0, 1]
    for place, chunk in zip(answer["chunks"], (chunks()[0], chunks()[-1]), strict=True):
        assert whole[place["start"] : place["end"]] == chunk.text
    assert client.get("/v1/document/notes/none").json()["error"]["code"] == "document_not_found"


def test_indexes_are_named_without_their_paths(client: TestClient) -> None:
    answer = client.get("/v1/indexes").json()["indexes"]
    assert [one["name"] for one in answer] == ["main", "other"]
    assert answer[0] == {
        "name": "main",
        "model": "tiny",
        "dimensions": 32,
        "chunks": 7,
        "rerank": ["none"],
        "contains_phi": None,
    }


def test_the_map_has_a_point_for_each_document_and_is_the_same_each_time(client: TestClient) -> None:
    answer = client.get("/v1/map", params={"points": 50, "by": "specialty"}).json()
    assert len(answer["points"]) == 6
    assert answer["labels"] == ["other <i>", "cardiology", "paediatrics"]
    assert all(-1 <= one[axis] <= 1 for one in answer["points"] for axis in "xy")
    assert client.get("/v1/map", params={"points": 50, "by": "specialty"}).json() == answer
    assert len(client.get("/v1/map", params={"points": 2}).json()["points"]) == 2
    assert client.get("/v1/map", params={"by": "unknown"}).json()["labels"] == ["other"]


def test_what_is_alike_lies_together() -> None:
    rng = np.random.default_rng(3)
    vectors = np.concatenate([rng.normal(m, 0.1, (60, 12)) for m in (-1, 1)]).astype(np.float32)
    places = project(vectors)
    inner = np.linalg.norm(places[:60] - places[:60].mean(axis=0), axis=1).max()
    assert np.linalg.norm(places[:60].mean(axis=0) - places[60:].mean(axis=0)) > inner
    np.testing.assert_array_equal(project(vectors), places)
    assert project(vectors[:1]).shape == (1, 2)
    assert project(vectors[:0]).shape == (0, 2)


def test_a_sample_is_of_different_documents(tiny_encoder: Encoder) -> None:
    many = [replace(chunks()[1], id=chunk_id("notes", str(i), 0), doc_id=str(i)) for i in range(40)]
    store = an_index(tiny_encoder, [*many, *chunks()]).store
    drawn = sample(store, 10)
    assert len({chunk.doc_id for chunk in drawn}) == 10
    assert drawn == sample(store, 10)
    assert len(Maps(store).layout(100).chunks) == 46


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": "   "}, "query"),
        ({"query": "x" * 2_000}, "query"),
        ({"query": "x", "k": 0}, "k"),
        ({"query": "x", "k": 101}, "k"),
        ({"query": "x", "mode": "guess"}, "mode"),
        ({"query": "x", "filter": ["nonsense patient"]}, "filter"),
        ({"query": "x", "filter": ["secretname>soon"]}, "filter"),
        ({"query": "x", "filter": ["a=b"] * 33}, "filter"),
        ({"query": "x", "index": "nowhere"}, "index"),
        ({"query": "x", "surprise": 1}, None),
    ],
)
def test_refuses_what_it_cannot_do_without_quoting_it(client: TestClient, asked: dict[str, Any], param: str | None) -> None:
    answer = client.post("/v1/search", json=asked)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["param"] == param
    assert not any(word in answer.text for word in ("nonsense", "secretname", "nowhere", "surprise"))


def test_a_search_that_fails_or_takes_too_long_is_an_error_and_no_text_is_logged(
    tiny_model: Path, tiny_encoder: Encoder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, go_on = an_index(tiny_encoder), threading.Event()

    def fail(self: MemoryStore, query: str, k: int, where: object = ()) -> Any:
        if query == "slowly":
            go_on.wait(5)
        raise RuntimeError("patient Jane Roe")

    monkeypatch.setattr(MemoryStore, "lexical", fail)
    with caplog.at_level(logging.DEBUG), TestClient(an_app(tiny_model, {"main": index}, timeout_seconds=0.3)) as client:
        broken = client.post("/v1/search", json={"query": "Jane Roe has fever", "mode": "lexical"})
        slow = client.post("/v1/search", json={"query": "slowly", "mode": "lexical"})
        alive = client.get("/health")
        go_on.set()
    assert (broken.status_code, broken.json()["error"]["type"]) == (500, "server_error")
    assert (slow.status_code, slow.json()["error"]["code"]) == (504, "timeout")
    assert alive.status_code == 200
    said = "".join(record.getMessage() for record in caplog.records if record.name.startswith("medloom"))
    assert "Jane" not in said + broken.text
    assert "fever" not in said


def test_the_page_needs_no_key_but_the_data_do(tiny_model: Path, tiny_encoder: Encoder) -> None:
    with TestClient(an_app(tiny_model, {"main": an_index(tiny_encoder)}, Keys(["a-long-enough-key-0123456789"]))) as client:
        assert client.get("/").status_code == 200
        assert client.get("/page/app.js").status_code == 200
        for path in ("/v1/indexes", "/v1/facets", "/v1/map", "/v1/search?q=fever"):
            assert client.get(path).status_code == 401
        assert client.get("/v1/indexes", headers={"x-api-key": "a-long-enough-key-0123456789"}).status_code == 200


def test_the_page_is_cached_by_its_content_and_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    assert client.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    assert client.get("/page/style.css").headers["content-type"].startswith("text/css")
    assert client.get("/page/%2e%2e%2fapp.py").status_code == 404
    folder = Path(__file__).parents[2] / "src/medloom/serve/page"
    for file in folder.iterdir():
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text
        assert "innerHTML" not in text
        assert "style=" not in text


def test_opens_indexes_by_name(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "trials"
    build_index([Document("d1", "notes", "Fever", "High fever in a child.")], folder, Wanted(tiny_model))
    models = load_models([str(tiny_model)])
    opened = open_indexes([str(folder)], models)
    assert [one.name for one in opened.served] == ["trials"]
    assert opened.served[0].size == 1
    assert opened.served[0].index.encoder is models.dense(models.names[0]).encoder
    opened.close()
    served: list[tuple[Any, ...]] = []
    monkeypatch.setattr("medloom.serve.run.serve", lambda *given: served.append(given))
    told = CliRunner().invoke(cli, ["serve", "--index", f"named={folder}"])
    assert told.exit_code == 0, told.output
    served_models, _, _, routers, public = served[0]
    assert served_models.names == [tiny_model.name]
    assert {"/", "/v1/search", "/v1/map"} <= {getattr(route, "path", "") for router in routers for route in router.routes}
    assert "/" in public
    with pytest.raises(ServeError, match="one name"):
        open_indexes([str(folder), f"trials={folder}"], models)
    with pytest.raises(ServeError, match="no index"):
        Indexes({})


class Updated:
    """A served index in a folder, and what brings it up to date."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        self.write("High fever in a child.")
        models = load_models([str(model)])
        self.indexes = open_indexes([str(folder)], models)
        self.app = create_app(models, ServeSettings(allowed_hosts=("testserver",)), None, [search_router(self.indexes)])

    def write(self, *texts: str) -> None:
        documents = [Document(f"d{i}", "notes", "", text) for i, text in enumerate(texts)]
        build_index(documents, self.folder, Wanted(self.model), update=True)


@pytest.fixture
def updated(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Updated:
    monkeypatch.setattr("medloom.serve.indexes._LOOK_SECONDS", 0.0)
    return Updated(tmp_path / "i", tiny_model)


def test_an_update_is_searched_without_a_restart(updated: Updated) -> None:
    with TestClient(updated.app) as client:
        assert [r["text"] for r in found(client, query="fever")["results"]] == ["High fever in a child."]
        updated.write("Chronic pain of the joint.", "A rash.")
        assert {r["text"] for r in found(client, query="joint")["results"]} == {"Chronic pain of the joint.", "A rash."}
        assert client.get("/v1/indexes").json()["indexes"][0]["chunks"] == 2
    updated.indexes.close()


def test_what_is_replaced_is_closed_when_nothing_works_on_it(updated: Updated, monkeypatch: pytest.MonkeyPatch) -> None:
    old = updated.indexes.served[0].index
    closed: list[object] = []
    monkeypatch.setattr(type(old.store), "close", lambda store: closed.append(store))
    held, release = threading.Event(), threading.Event()

    def work() -> int:
        held.set()
        release.wait(30)
        return old.store.count()

    async def both() -> int:
        served = await updated.indexes.get(None)
        slow = asyncio.create_task(updated.indexes.run(work, 30))
        await asyncio.to_thread(held.wait, 30)
        await asyncio.to_thread(updated.write, "A rash.", "A cough.")
        closed.clear()
        assert await updated.indexes.get(None) is not served
        assert closed == []
        release.set()
        return await slow

    assert asyncio.run(both()) == 1
    assert closed == [old.store]


def test_an_update_that_cannot_be_opened_leaves_what_is_open(updated: Updated, caplog: pytest.LogCaptureFixture) -> None:
    updated.write("A rash.")
    for path in updated.folder.glob("generation-*"):
        shutil.rmtree(path)
    with TestClient(updated.app) as client, caplog.at_level(logging.ERROR, "medloom.serve"):
        assert [r["text"] for r in found(client, query="fever")["results"]] == ["High fever in a child."]
    assert "cannot be opened" in caplog.text
    updated.indexes.close()
