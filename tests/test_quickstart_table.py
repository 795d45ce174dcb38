import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def tool() -> ModuleType:
    path = Path(__file__).parents[1] / "tools" / "quickstart_table.py"
    spec = importlib.util.spec_from_file_location("quickstart_table", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REPORT = {
    "stages": [{"seconds": 90.0, "peak_rss_mb": 1024.0}, {"seconds": 30.0, "peak_rss_mb": 2048.0}],
    "environment": {"machine": "an abacus"},
    "tasks": [
        {
            "name": "t",
            "metric": "m",
            "base": 0.5,
            "tuned": 0.6251,
            "delta": 0.1251,
            "ci_low": 0.1,
            "ci_high": 0.15,
            "n": 1000,
            "unit": "queries",
        }
    ],
}


def test_the_block_replaces_what_stood_between_the_markers(tool: ModuleType) -> None:
    readme = f"above\n{tool.BEGIN}\nold\n{tool.END}\nbelow\n"
    new = tool.put(readme, REPORT)
    assert new.startswith("above\n") and new.endswith("below\n")
    assert "old" not in new
    assert "| t | m | 0.500 | 0.625 | +0.125 | +0.100 to +0.150 | 1,000 queries |" in new
    assert "2.0 minutes" in new and "2.0 GiB" in new and "an abacus" in new
    assert tool.put(new, REPORT) == new


def test_a_readme_without_markers_is_refused(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match="lacks"):
        tool.put("no markers", REPORT)


def test_the_readme_of_the_project_has_the_markers(tool: ModuleType) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert tool.block(REPORT) in tool.put(readme, REPORT)
