"""Late interaction and static students through the whole house: trained, judged, described, benchmarked, indexed, served."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from medloom import Recipe, load_encoder, run
from medloom.encode.maxsim import max_sim
from medloom.encode.multivector import load_multivector
from medloom.evaluate.systems import open_system
from medloom.pipeline import RunResult
from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.models import load_models

pytestmark = pytest.mark.e2e
Command = Callable[..., subprocess.CompletedProcess[str]]
SETTINGS = {
    "late-interaction": "dimensions: 16, query_length: 16, epochs: 2, batch_size: 8, learning_rate: 0.002",
    "static": "dimensions: 16, epochs: 2, batch_size: 8, learning_rate: 0.01",
}


def _run(kind: str, workplace: Path, folder: Path) -> RunResult:
    text = (workplace / "small.yaml").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("train:"))
    recipe = workplace / f"{kind}.yaml"
    train = f"train: {{kind: {kind}, {SETTINGS[kind]}, precision: fp32, checkpoint_steps: 2}}"
    recipe.write_text(text.replace(line, train).replace("name: small", f"name: {kind}"), "utf-8")
    return run(Recipe.load(recipe), folder)


@pytest.fixture(scope="module")
def late(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return _run("late-interaction", workplace, tmp_path_factory.mktemp("late"))


@pytest.fixture(scope="module")
def static(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return _run("static", workplace, tmp_path_factory.mktemp("static"))


@pytest.fixture(scope="module")
def indexed(
    workplace: Path, late: RunResult, static: RunResult, tmp_path_factory: pytest.TempPathFactory, medloom: Command
) -> Path:
    """An index by the static student's vectors, with the late-interaction model's token vectors beside it."""
    out = tmp_path_factory.mktemp("index") / "idx"
    made = medloom(
        *("index", workplace / "data" / "qa.jsonl", "--out", out, "--model", static.folder / "model", "--no-phi"),
        *("--title", "question", "--text", "answer", "--late", late.folder / "model", "--late-stored", "int8"),
        *("--late-pool", "2", "--json"),
    )
    assert made.returncode == 0, made.stderr
    return out


def test_the_report_compares_base_and_late_interaction(late: RunResult) -> None:
    assert late.report
    assert late.report["model"]["kind"] == "late-interaction"
    assert (late.report["model"]["dimensions"], late.report["model"]["pooling"]) == (16, "none")
    tasks = {task["type"] for task in late.report["tasks"]}
    assert "Retrieval" in tasks and "Clustering" not in tasks
    retrieval = next(task for task in late.report["tasks"] if task["type"] == "Retrieval")
    assert retrieval["tuned"] > retrieval["base"]
    assert load_multivector(late.folder / "model").hash == late.report["model"]["hash"]


def test_the_report_compares_base_and_static_student(static: RunResult) -> None:
    assert static.report
    model = static.report["model"]
    assert (model["kind"], model["dimensions"], model["max_seq_length"]) == ("static", 16, None)
    retrieval = next(task for task in static.report["tasks"] if task["type"] == "Retrieval")
    assert retrieval["tuned"] > retrieval["base"]
    assert load_encoder(static.folder / "model").hash == model["hash"]


@pytest.mark.parametrize(
    ("kind", "said", "tag"),
    [
        ("late-interaction", "16 numbers for each of its tokens out, compared by MaxSim", "colbert"),
        ("static", "A static embedding model for medical text, distilled from", "static-embeddings"),
    ],
)
def test_the_card_names_the_kind(kind: str, said: str, tag: str, late: RunResult, static: RunResult) -> None:
    from huggingface_hub import ModelCard

    folder = {"late-interaction": late, "static": static}[kind].folder
    card = ModelCard.load(folder / "model" / "README.md")
    assert said in " ".join(card.content.split())
    assert tag in card.data.tags
    shown = (folder / "report.html").read_text("utf-8")
    assert ("for each token" in shown) and ("None" not in shown.partition("<dt>Embeddings")[2].partition("</dd>")[0])


def test_both_are_benchmarked_as_the_library_scores_them(late: RunResult, static: RunResult) -> None:
    from sentence_transformers import MultiVectorEncoder, SentenceTransformer

    queries, corpus = ["what helps with pain of the heart"], ["The heart shows pain", "The skin", "itching of the brain"]
    plain = SentenceTransformer(str(static.folder / "model"), device="cpu")
    several = MultiVectorEncoder(str(late.folder / "model"), device="cpu")
    expected = {
        "dense": plain.similarity(plain.encode(queries), plain.encode(corpus)),
        "late-interaction": several.similarity(several.encode_query(queries), several.encode_document(corpus)),
    }
    for result, kind in ((late, "late-interaction"), (static, "dense")):
        system = open_system(str(result.folder / "model"), "fp32")
        assert system.info.kind == kind
        numbers, scores = system.rank(queries, corpus, 3)
        np.testing.assert_allclose(scores[0], expected[kind].numpy()[0, numbers[0]], rtol=1e-2)
        assert sorted(numbers[0]) == [0, 1, 2]
        json.dumps(system.info.settings, allow_nan=False)


def test_an_index_keeps_packed_tokens_and_search_reranks_by_them(indexed: Path, late: RunResult, medloom: Command) -> None:
    settings = json.loads((indexed / "index.json").read_text("utf-8"))["settings"]
    assert (settings["late_stored"], settings["late_pool"]) == ("int8", 2.0)
    query = "what helps with pain of the heart"
    answers: dict[str, Any] = {}
    for rerank in ("late", None):
        more = ("--rerank", rerank) if rerank else ()
        asked = medloom("search", indexed, query, "--mode", "dense", "-k", "5", *more, "--json")
        assert asked.returncode == 0, asked.stderr
        answers[str(rerank)] = json.loads(asked.stdout)
    encoder = load_multivector(late.folder / "model", pool_factor=2)
    asked_tokens = encoder.encode([query], "query")[0].astype(np.float32)
    for hit in answers["late"]["results"]:
        tokens = encoder.encode([f"{hit['title']}\n{hit['text']}"], "document")[0].astype(np.float32)
        assert hit["score"] == pytest.approx(float(max_sim(asked_tokens, [tokens])[0]), rel=0.02)
    orders = [[hit["document"] for hit in answers[name]["results"]] for name in ("late", "None")]
    assert len(orders[0]) == 5 and orders[0] != orders[1]


def test_other_settings_of_the_tokens_are_refused(
    indexed: Path, workplace: Path, tmp_path: Path, medloom: Command, tiny_model: Path
) -> None:
    rows = workplace / "data" / "qa.jsonl"
    other = medloom("index", rows, "--out", indexed, "--update", "--late-stored", "binary", "--text", "answer", "--no-phi")
    assert other.returncode == 2 and "the index was begun with --late-stored int8, not binary" in other.stderr
    alone = medloom("index", rows, "--out", tmp_path / "i", "--model", tiny_model, "--late-pool", "2", "--text", "answer")
    assert alone.returncode == 2 and "give --late MODEL too" in alone.stderr


def test_both_are_served(late: RunResult, static: RunResult) -> None:
    models = load_models([f"static={static.folder / 'model'}"], [f"late={late.folder / 'model'}"])
    with TestClient(create_app(models, ServeSettings(threads=1)), base_url="http://127.0.0.1") as client:
        found = client.post("/v1/embeddings", json={"model": "static", "input": ["fever", "word " * 700]})
        assert found.status_code == 200, found.text
        assert len(found.json()["data"][1]["embedding"]) == 16
        documents = ["The skin", "The heart shows pain"]
        ranked = client.post("/v1/rerank", json={"model": "late", "query": "pain of the heart", "documents": documents})
        assert ranked.json()["method"] == "late-interaction"
        encoder = load_multivector(late.folder / "model")
        query = encoder.encode(["pain of the heart"], "query")[0].astype(np.float32)
        exact = max_sim(query, [one.astype(np.float32) for one in encoder.encode(documents, "document")]) / len(query)
        given = {one["index"]: one["relevance_score"] for one in ranked.json()["results"]}
        np.testing.assert_allclose([given[0], given[1]], exact, atol=5e-3)
