"""``/v1/embeddings`` and ``/v1/models``: what OpenAI's clients send, and what they get."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from medloom.encode.encoder import TorchEncoder, load_encoder

TEXTS = ["fever and cough", "high blood pressure", "fever and cough", "\x00 \U0001f912 ñ"]


def post(client: TestClient, **body: Any) -> Any:
    answer = client.post("/v1/embeddings", json={"model": "tiny", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def vectors(answer: Any) -> Any:
    assert [one["index"] for one in answer["data"]] == list(range(len(answer["data"])))
    return np.array([one["embedding"] for one in answer["data"]], dtype=np.float32)


def refusal(client: TestClient, status: int, **body: Any) -> Any:
    answer = client.post("/v1/embeddings", json={"model": "tiny", "input": "fever", **body})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_vectors_are_the_encoders(client: TestClient, tiny_encoder: TorchEncoder) -> None:
    answer = post(client, input=TEXTS, user="someone")
    np.testing.assert_allclose(vectors(answer), tiny_encoder.encode(TEXTS), atol=1e-6)
    assert (answer["object"], answer["model"]) == ("list", "tiny")
    assert {one["object"] for one in answer["data"]} == {"embedding"}


def test_one_string_is_one_text(client: TestClient, tiny_encoder: TorchEncoder) -> None:
    answer = post(client, input="fever")
    np.testing.assert_allclose(vectors(answer), tiny_encoder.encode(["fever"]), atol=1e-6)
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_usage_counts_equal_texts_each_time(client: TestClient) -> None:
    assert post(client, input=["fever", "fever", "high blood pressure"])["usage"]["total_tokens"] == 3 + 3 + 5


def test_base64_is_little_endian_float32(client: TestClient) -> None:
    floats = vectors(post(client, input=TEXTS))
    coded = [base64.b64decode(one["embedding"]) for one in post(client, input=TEXTS, encoding_format="base64")["data"]]
    np.testing.assert_array_equal(np.array([np.frombuffer(one, "<f4") for one in coded]), floats)


@pytest.mark.parametrize("model", ["tiny", "prompted"])
def test_dimensions_cut_and_renormalise(client: TestClient, model: str) -> None:
    whole = vectors(post(client, input=TEXTS, model=model))
    cut = vectors(post(client, input=TEXTS, model=model, dimensions=8))
    assert cut.shape == (4, 8)
    np.testing.assert_allclose(cut, whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(vectors(post(client, input=TEXTS, model=model, dimensions=32)), whole)


def test_token_ids_are_the_models_own(client: TestClient, tiny_encoder: TorchEncoder) -> None:
    tokenizer = tiny_encoder.model.tokenizer
    ids = [tokenizer(text)["input_ids"] for text in ("fever and cough", "rash")]
    expected = tiny_encoder.encode(["fever and cough", "rash"])
    np.testing.assert_allclose(vectors(post(client, input=ids)), expected, atol=1e-6)
    np.testing.assert_allclose(vectors(post(client, input=ids[0])), expected[:1], atol=1e-6)


def test_input_type_chooses_the_prompt(client: TestClient, prompted_model: Path) -> None:
    encoder = load_encoder(prompted_model)
    for given, prompt in (({}, "passage "), ({"input_type": "document"}, "passage "), ({"input_type": "query"}, "query ")):
        found = vectors(post(client, input=["fever"], model="prompted", **given))
        np.testing.assert_allclose(found, encoder.encode(["fever"], prompt), atol=1e-5)


def test_what_is_cut_is_said(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"model": "tiny", "input": ["fever", "fever " * 60, "fever " * 46]})
    assert answer.json()["truncated"] == [1]
    assert answer.headers["x-medloom-truncated"] == "1"
    assert answer.json()["usage"]["total_tokens"] == 3 + 48 + 48
    error = refusal(client, 400, input=["fever " * 60], truncate=False)
    assert (error["param"], error["code"]) == ("input", "text_too_long")


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            [],
            [""],
            ["a", ""],
            [1, "a"],
            ["a", 1],
            [[]],
            [["a"]],
            [[1], "a"],
            [True],
            [1.0],
            [-1],
            [[1, None]],
            None,
            7,
            {},
        ),
        *([{"text": "a"}], [[[1]]], [2**31]),
    ],
)
def test_wrong_input(client: TestClient, wrong: object) -> None:
    error = refusal(client, 400, input=wrong)
    assert error["param"] == "input"
    assert error["type"] == "invalid_request_error"
    assert "give a string" in error["message"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "other"}, 404, "model_not_found"),
        ({"model": None}, 400, "string_type"),
        ({"dimensions": 33}, 400, "too_many_dimensions"),
        ({"dimensions": 0}, 400, "greater_than_equal"),
        ({"dimensions": True}, 400, "value_error"),
        ({"encoding_format": "hex"}, 400, "literal_error"),
        ({"input_type": "passage"}, 400, "literal_error"),
        ({"input": ["a"] * 65}, 400, "too_many_items"),
        ({"input": [[1]] * 65}, 400, "too_many_items"),
        ({"input": "a" * 2_001}, 400, "text_too_long"),
        ({"input": [5] * 2_001}, 400, "text_too_long"),
        ({"input": [1_000]}, 400, "bad_token"),
        ({"secret": "x"}, 400, "unknown_field"),
    ],
)
def test_refusals(client: TestClient, body: dict[str, object], status: int, code: str) -> None:
    assert refusal(client, status, **body)["code"] == code


def test_models(client: TestClient) -> None:
    found = client.get("/v1/models").json()
    assert [one["id"] for one in found["data"]] == ["tiny", "prompted"]
    assert client.get("/v1/models/prompted").json() == found["data"][1]
    assert client.get("/v1/models/a/b").status_code == 404
