"""The tool that puts the benchmark's figures into the pages."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def tool() -> ModuleType:
    path = Path(__file__).parents[1] / "tools" / "bench_table.py"
    spec = importlib.util.spec_from_file_location("bench_table", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def score(model: str, task: str, value: float | None, share: float | None = None) -> dict[str, Any]:
    overlap = None if share is None else {"share": share}
    return {"model": model, "task": task, "score": value, "ci_low": 0.1, "ci_high": 0.9, "rank": 1, "overlap": overlap}


BOARD: dict[str, Any] = {
    "machine": "an abacus",
    "models": [
        {"id": "a-1", "name": "a", "reference": None},
        {"id": "b-1", "name": "b", "reference": None},
        {"id": "p", "name": "published", "reference": {"source": "x"}},
    ],
    "tasks": [
        {"name": "t1", "suite": "s", "type": "Retrieval", "metric": "ndcg_at_10", "n": 1200},
        {"name": "t2", "suite": "s", "type": "Retrieval", "metric": "ndcg_at_10", "n": 10},
        {"name": "t3", "suite": "s", "type": "Clustering", "metric": "v_measure", "n": 30},
    ],
    "scores": [
        *(score("a-1", "t1", 0.5, 0.0), score("a-1", "t2", 0.7, 0.25), score("a-1", "t3", 0.4)),
        *(score("b-1", "t1", 0.2), score("b-1", "t2", 0.1), score("b-1", "t3", None)),
    ],
    "pairs": [{"a": "a-1", "b": "b-1", "tasks": [{"task": "t1", "verdict": "better"}, {"task": "t2", "verdict": "same"}]}],
}


def test_means_are_by_suite_and_type_and_blank_where_a_task_is_missing(tool: ModuleType) -> None:
    text = tool.summary(BOARD)
    assert "| s | Retrieval, ndcg_at_10 | 2 | 0.600 | 0.150 |" in text
    assert "| s | Clustering, v_measure | 1 | 0.400 |  |" in text
    assert "a against b: s: better on 1, worse on 0, same on 1" in text
    assert "published" not in text and "an abacus" in text


def test_the_full_table_has_intervals_and_overlap(tool: ModuleType) -> None:
    text = tool.full(BOARD)
    assert "| t1 | ndcg_at_10 | 1,200 | 0.500 (0.100 to 0.900) [1] |" in text
    assert "none in 1 of 2 tasks, at most 25.0% (t2)" in text


def test_a_page_without_markers_is_refused(tool: ModuleType) -> None:
    page = f"above\n{tool.BEGIN}\nold\n{tool.END}\nbelow\n"
    assert tool.put(page, "new") == f"above\n{tool.BEGIN}\nnew\n{tool.END}\nbelow\n"
    with pytest.raises(ValueError, match="lacks"):
        tool.put("no markers", "new")


def test_the_pages_have_the_markers(tool: ModuleType) -> None:
    for name in tool.PAGES:
        page = (tool.ROOT / name).read_text("utf-8")
        assert tool.BEGIN in page and tool.END in page
