"""An index in a cluster, which here is in memory or refuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
from tests.search.conftest import LetterEncoder

from medloom.errors import SearchError
from medloom.records import Document
from medloom.search import qdrant_remote
from medloom.search.build import Summary, Wanted, build_index
from medloom.search.index import open_index
from medloom.search.qdrant_remote import connect, is_safe

ADDRESS = "http://cluster.example:6333"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantClient]:
    client = QdrantClient(":memory:")
    with monkeypatch.context() as patched:
        patched.setattr(client, "close", lambda: None)
        patched.setattr(qdrant_remote, "connect", lambda _: client)
        yield client
    client.close()


def note(number: int, contains_phi: bool = False) -> Document:
    return Document(id=f"n{number}", source="notes", text=f"Fever for {number} days.", contains_phi=contains_phi)


def build(folder: Path, encoder: LetterEncoder, *numbers: int, update: bool = False, **fields: str) -> Summary:
    wanted = Wanted(encoder, **({"store": ADDRESS} | fields))  # type: ignore[arg-type]
    return build_index([note(i) for i in numbers], folder, wanted, update=update)


def test_an_index_in_a_cluster_is_made_followed_up_and_opened(
    tmp_path: Path, encoder: LetterEncoder, cluster: QdrantClient
) -> None:
    build(tmp_path / "i", encoder, 0, 1, 2)
    summary = build(tmp_path / "i", encoder, 1, 2, 3, update=True)
    assert (summary.added, summary.deleted, summary.unchanged) == (1, 1, 2)
    with open_index(tmp_path / "i", encoder) as index:
        assert {c.doc_id for c in index.store.chunks()} == {"n1", "n2", "n3"}
        assert index.settings.collection == "i"
    assert cluster.count("i").count == 3
    assert not list((tmp_path / "i").glob("generation-1/shard"))


def test_a_collection_of_somebody_else_is_left_alone(tmp_path: Path, encoder: LetterEncoder, cluster: QdrantClient) -> None:
    build(tmp_path / "a" / "i", encoder, 0)
    with pytest.raises(SearchError, match="give another --collection"):
        build(tmp_path / "b" / "i", encoder, 5)
    assert cluster.count("i").count == 1
    build(tmp_path / "c" / "i", encoder, 5, collection="mine")
    assert cluster.count("mine").count == 1


def test_a_collection_that_a_kill_cut_off_is_made_again(
    tmp_path: Path, encoder: LetterEncoder, cluster: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(qdrant_remote.RemoteStore, "__init__", killed)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "i", encoder, 0)
    assert cluster.collection_exists("i")
    assert build(tmp_path / "i", encoder, 0).documents == 1


def test_a_collection_that_is_gone_says_so(tmp_path: Path, encoder: LetterEncoder, cluster: QdrantClient) -> None:
    build(tmp_path / "i", encoder, 0)
    cluster.delete_collection("i")
    with pytest.raises(SearchError, match="no collection 'i'"):
        open_index(tmp_path / "i", encoder)


def test_patient_text_leaves_the_machine_encrypted_only(
    tmp_path: Path, encoder: LetterEncoder, cluster: QdrantClient
) -> None:
    with pytest.raises(SearchError, match="use https"):
        build_index([note(0, contains_phi=True)], tmp_path / "i", Wanted(encoder, store=ADDRESS))
    assert cluster.count("i").count == 0
    assert [
        is_safe(a) for a in ("http://127.0.0.1:6333", "http://localhost", "http://[::1]:1", "https://a.b", "http://10.0.0.1")
    ] == [*(True, True, True, True, False)]


def test_the_key_is_taken_from_the_environment_and_never_written(
    tmp_path: Path, encoder: LetterEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "s3cret")
    given: dict[str, object] = {}

    def client(**options: object) -> QdrantClient:
        given.update(options)
        return QdrantClient(":memory:")

    monkeypatch.setattr("qdrant_client.QdrantClient", client)
    connect("https://cluster.example:6333")
    assert given["api_key"] == "s3cret"
    monkeypatch.undo()
    with pytest.raises(SearchError, match="address of a Qdrant cluster"):
        connect("cluster:6333")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UnexpectedResponse(401, "no", b"text of a note", httpx.Headers()), "answers 401 .* set QDRANT_API_KEY"),
        (UnexpectedResponse(500, "no", b"text of a note", httpx.Headers()), "answers 500"),
        (ResponseHandlingException(OSError("text of a note")), "cannot be reached"),
    ],
)
def test_what_the_cluster_refuses_is_told_without_the_text(
    tmp_path: Path,
    encoder: LetterEncoder,
    cluster: QdrantClient,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cluster, "upsert", refuse)
    with pytest.raises(SearchError, match=message) as caught:
        build(tmp_path / "i", encoder, 0)
    assert "note" not in str(caught.value)
    monkeypatch.undo()


def test_no_cluster_there_is_a_clear_error(tmp_path: Path, encoder: LetterEncoder) -> None:
    with pytest.raises(SearchError, match="cannot be reached"):
        build(tmp_path / "i", encoder, 0, store="http://127.0.0.1:9")
    assert json.loads((tmp_path / "i" / "index.json").read_text())["state"] == "building"
