"""Published figures, as they stand in their sources."""

import pytest

from medloom.bench.hub import MEDEMBED
from medloom.bench.published import Reference, references


def one(suite: str, model: str) -> Reference:
    (found,) = [row for row in references([suite]) if row.model == model]
    return found


@pytest.mark.parametrize(
    ("model", "task", "metric", "value"),
    [
        ("abhinand/MedEmbed-small-v0.1", "TRECCOVID", "ndcg_at_10", 0.77813),
        ("abhinand/MedEmbed-small-v0.1", "ArguAna", "map_at_10", 0.53378),
        ("abhinand/MedEmbed-base-v0.1", "MedicalQARetrieval", "recall_at_10", 0.87598),
        ("BAAI/bge-small-en-v1.5", "NFCorpus", "mrr_at_10", 0.52836),
        ("sentence-transformers/all-MiniLM-L12-v2", "PublicHealthQA", "ndcg_at_10", 0.76402),
    ],
)
def test_some_values(model: str, task: str, metric: str, value: float) -> None:
    assert one("medembed", model).tasks[task, metric] == value


def test_every_row_says_where_it_is_from_and_every_value_is_a_share() -> None:
    rows = references(["medembed", "medteb", "toy"])
    assert len(rows) == 27
    for row in rows:
        assert "github.com" in row.source
        assert row.note
        values = [*row.tasks.values(), *row.types.values()]
        assert values
        assert all(0 < value < 1 for value in values)
        assert {task for task, _ in row.tasks} <= set(MEDEMBED)


def test_only_the_suites_that_are_asked_for() -> None:
    assert references([]) == references(["open", "checks"]) == []
    assert one("medteb", "thenlper/gte-base").types == {
        "Classification": 0.70,
        "Clustering": 0.28,
        "PairClassification": 0.69,
        "Retrieval": 0.41,
    }
    assert all(not row.tasks for row in references(["medteb"]))
