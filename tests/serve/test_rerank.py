"""``/v1/rerank``: by a cross-encoder, by late interaction, by cosine; the answer says which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.encode.test_cross import build
from tests.encode.test_multivector import build_multivector
from tests.serve.fakes import WordCounter

from medloom.encode.cross import load_cross_encoder
from medloom.encode.encoder import TorchEncoder
from medloom.encode.multivector import load_multivector
from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.errors import ServeError
from medloom.serve.models import load_models
from medloom.serve.rerankers import LateReranker

DOCUMENTS = ["cough and fever in a child", "high blood pressure", "joint pain", "cough and fever in a child"]


@pytest.fixture(scope="module")
def folders(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rerankers")
    build_multivector(tiny_model, folder / "late")
    return {"dense": tiny_model, "cross": build(folder / "cross", tiny_model), "late": folder / "late"}


@pytest.fixture(scope="module")
def reranking(folders: dict[str, Path]) -> Iterator[TestClient]:
    models = load_models([f"dense={folders['dense']}"], [str(folders["cross"]), str(folders["late"])])
    with TestClient(create_app(models, ServeSettings(threads=1, items=8)), base_url="http://127.0.0.1") as one:
        yield one


def post(client: TestClient, **body: Any) -> Any:
    answer = client.post("/v1/rerank", json={"query": "fever", "documents": DOCUMENTS, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def scores(answer: Any) -> list[float]:
    found = [one["relevance_score"] for one in answer["results"]]
    assert found == sorted(found, reverse=True)
    return [score for _, score in sorted((one["index"], one["relevance_score"]) for one in answer["results"])]


def test_a_cross_encoder_is_asked_first(reranking: TestClient, folders: dict[str, Path]) -> None:
    answer = post(reranking)
    assert (answer["model"], answer["method"], answer["object"]) == ("cross", "cross-encoder", "list")
    expected = load_cross_encoder(folders["cross"])([("fever", text) for text in DOCUMENTS])
    np.testing.assert_allclose(scores(answer), expected, atol=1e-5)
    assert answer["usage"]["total_tokens"] == (3 + 8 - 1) * 2 + (3 + 5 - 1) + (3 + 4 - 1)


def test_late_interaction(reranking: TestClient, folders: dict[str, Path]) -> None:
    answer = post(reranking, model="late", query="what is fever")
    assert answer["method"] == "late-interaction"
    encoder = load_multivector(folders["late"])
    query = encoder.encode(["what is fever"], "query")[0].astype(np.float32)
    documents = [one.astype(np.float32) for one in encoder.encode(DOCUMENTS, "document")]
    np.testing.assert_allclose(scores(answer), [(query @ one.T).max(1).mean() for one in documents], atol=1e-2)


def test_late_interaction_with_nothing_left_of_a_document() -> None:
    class Bare:
        def encode(self, texts: list[str], role: str) -> list[Any]:
            return [np.ones((len(text), 2), dtype=np.float16) for text in texts]

    reranker = LateReranker("bare", cast(Any, Bare()), WordCounter())
    assert reranker.compute([("ab", ""), ("ab", "c"), ("", "c")]) == [0.0, 2.0, 0.0]


def test_a_dense_models_cosine(reranking: TestClient, tiny_encoder: TorchEncoder) -> None:
    answer = post(reranking, model="dense")
    assert answer["method"] == "cosine"
    expected = tiny_encoder.encode(DOCUMENTS) @ tiny_encoder.encode(["fever"])[0]
    np.testing.assert_allclose(scores(answer), expected, atol=1e-5)


def test_the_best_with_their_texts(reranking: TestClient) -> None:
    answer = post(reranking, top_n=2, return_documents=True, documents=[{"text": text} for text in DOCUMENTS])
    assert len(answer["results"]) == 2
    assert all(one["document"] == {"text": DOCUMENTS[one["index"]]} for one in answer["results"])
    assert "document" not in post(reranking, top_n=50)["results"][0]


def test_cohere_s_newer_path(reranking: TestClient) -> None:
    asked = {"query": "fever", "documents": DOCUMENTS, "model": "cross", "top_n": 2}
    old, new = (reranking.post(f"/{version}/rerank", json=asked).json()["results"] for version in ("v1", "v2"))
    assert old == new


@pytest.mark.parametrize("model", ["cross", "late", "dense"])
def test_what_is_cut_is_said(reranking: TestClient, model: str) -> None:
    long = "fever " * 100
    assert post(reranking, model=model, documents=["rash", long, "rash"])["truncated"] == [1]
    assert post(reranking, model=model, query=long, documents=["rash", "cough"])["truncated"] == [0, 1]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"documents": []}, 400, "documents"),
        ({"documents": ["a", ""]}, 400, "documents"),
        ({"documents": [{"title": "a"}]}, 400, "documents"),
        ({"documents": "a"}, 400, "documents"),
        ({"documents": ["a"] * 9}, 400, "documents"),
        ({"query": ""}, 400, "query"),
        ({"query": ["a"]}, 400, "query"),
        ({"top_n": 0}, 400, "top_n"),
        ({"model": "none"}, 404, "model"),
    ],
)
def test_refusals(reranking: TestClient, body: dict[str, object], status: int, param: str) -> None:
    answer = reranking.post("/v1/rerank", json={"query": "fever", "documents": DOCUMENTS, **body})
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_a_reranker_does_not_embed(reranking: TestClient) -> None:
    answer = reranking.post("/v1/embeddings", json={"model": "cross", "input": "fever"})
    assert answer.status_code == 404
    assert [one["id"] for one in reranking.get("/v1/models").json()["data"]] == ["dense", "cross", "late"]


def test_a_name_is_given_once(folders: dict[str, Path]) -> None:
    with pytest.raises(ServeError, match="two models have one name"):
        load_models([f"one={folders['dense']}"], [f"one={folders['cross']}"])
