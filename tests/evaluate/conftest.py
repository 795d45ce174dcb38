"""A small suite with a task of each type, and torch on one thread."""

import pytest

from medloom.evaluate import EvaluateConfig, Task, build_suite
from medloom.mine import PairsConfig, pairs_of
from medloom.records import Document, Synonym

PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head"]
SIGNS = ["pain", "rash", "cough", "fever", "acute ache"]


@pytest.fixture(scope="session")
def concepts() -> list[Document]:
    """Concepts with two names, a definition, siblings and a category."""
    return [
        Document(
            f"{part}-{sign}",
            "toy",
            f"{part} {sign}",
            f"{sign} of the {part} in a child {i}{j}",
            synonyms=(Synonym(f"{sign} in {part}"), Synonym(f"{part[:3]} {sign} what", lay=True)),
            parents=(part,),
            categories=(part,),
        )
        for i, part in enumerate(PARTS)
        for j, sign in enumerate([*SIGNS, *(f"{s} chronic" for s in SIGNS)])
    ]


@pytest.fixture(scope="session")
def config() -> EvaluateConfig:
    """Small and quick."""
    return EvaluateConfig(max_queries=30, resamples=100, clusterings=5, min_items=5, examples=4, precision="fp32")


@pytest.fixture(scope="session")
def suite(concepts: list[Document], config: EvaluateConfig) -> list[Task]:
    """Three retrieval tasks, pair classification and clustering."""
    records = [r for d in concepts for r in pairs_of(d, PairsConfig(), {})]
    left_out: dict[str, str] = {}
    built = build_suite(concepts, records, config, 1, left_out)
    assert not left_out
    return built
