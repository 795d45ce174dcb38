"""Re-ranking: which model is which, and MaxSim by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.encode.test_cross import build
from tests.encode.test_multivector import build_multivector
from tests.search.asked import chunk, index_of

from medloom.encode.cross import load_cross_encoder
from medloom.encode.maxsim import max_sim
from medloom.encode.multivector import load_multivector
from medloom.errors import ModelError
from medloom.search.query import SearchSettings, search
from medloom.search.rerank import LateReranker, kind_of, load_reranker

CHUNKS = [chunk(f"d{n}", text) for n, text in enumerate(["heart pain", "fever in a child", "rash on skin", "pain at night"])]


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    return build(tmp_path_factory.mktemp("cross") / "model", tiny_model)


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    out = tmp_path_factory.mktemp("late") / "model"
    build_multivector(tiny_model, out)
    return out


def test_the_kind_is_read_off_the_model(cross: Path, late: Path) -> None:
    assert kind_of(str(cross)) == "cross"
    assert kind_of(str(late)) == "late"
    assert kind_of("nobody/nothing") == "cross"


def test_a_cross_encoder_scores_as_it_does_alone(cross: Path) -> None:
    index = index_of(CHUNKS)
    settings = SearchSettings(mode="dense", rerank="cross", rerank_model=str(cross), explain=True)
    answer = search(index, "pain", settings)
    expected = load_cross_encoder(cross)([("pain", hit.chunk.embedded) for hit in answer.hits])
    np.testing.assert_allclose([hit.score for hit in answer.hits], expected, atol=1e-6)
    assert list(expected) == sorted(expected, reverse=True)
    assert "rerank" in answer.parts


def test_late_interaction_from_the_store_and_on_the_spot_agree(late: Path) -> None:
    encoder = load_multivector(late)
    tokens = [one.astype(np.float32) for one in encoder.encode([c.embedded for c in CHUNKS], "document")]
    kept = index_of(CHUNKS, tokens, late=str(late), late_hash=encoder.hash, late_dimensions=encoder.dimensions)
    by_store = load_reranker(kept, "late", None)("pain of a child", CHUNKS)
    on_the_spot = LateReranker(encoder)("pain of a child", CHUNKS)
    np.testing.assert_allclose(by_store, on_the_spot, atol=2e-3)
    assert len(set(np.round(by_store, 3))) == len(CHUNKS)


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError):
        load_reranker(index_of(CHUNKS), "cross", "./nowhere")


def test_max_sim_by_hand() -> None:
    query = np.array([[1, 0], [0, 2]], dtype=np.float32)
    texts = [np.array(t, dtype=np.float32).reshape(-1, 2) for t in ([[3, 0]], [], [[1, 1], [0, 1]])]
    found = max_sim(query, texts)
    np.testing.assert_allclose(found, [1.0, -np.inf, np.sqrt(0.5) + 1.0], rtol=1e-6)
    assert max_sim(np.empty((0, 2), np.float32), texts).tolist() == [-np.inf] * 3
    assert max_sim(query, []).shape == (0,)


@given(seed=st.integers(0, 1_000), sizes=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_max_sim_is_the_sum_of_best_cosines(seed: int, sizes: list[int]) -> None:
    draw = np.random.default_rng(seed)
    query = draw.normal(size=(3, 5)).astype(np.float32)
    texts = [draw.normal(size=(size, 5)).astype(np.float32) for size in sizes]
    for score, text in zip(max_sim(query, texts), texts, strict=True):
        cosines = [[q @ t / np.linalg.norm(q) / np.linalg.norm(t) for t in text] for q in query]
        assert score == pytest.approx(sum(map(max, cosines)), abs=1e-4) if len(text) else score == -np.inf
