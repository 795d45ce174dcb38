"""Every shipped recipe loads, and its smoke form runs to the end on a tiny model, without network."""

import json
from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.pipeline import run
from medloom.recipe import Recipe, shipped_recipes
from medloom.smoke import shrunk

pytestmark = pytest.mark.e2e

FETCHED = {
    "medembed-small": {"base", "asclepius", "language model", "mteb:"},
    "medembed-base": {"base", "asclepius", "language model", "mteb:"},
    "medembed-large": {"base", "asclepius", "language model", "mteb:"},
    "medte-base": {"base", "pubmed", "wikipedia", "clinicaltrials", "medrxiv", "biorxiv", "medquad"},
    "quickstart": set(),
}
"""What each recipe has from the network; a smoke run replaces it, and says so."""


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_recipe_loads_and_says_what_it_is_for(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    text = shipped_recipes()[name].read_text("utf-8")
    assert text.startswith("# ") and "/work" not in text
    if FETCHED.get(name):
        assert f"medloom run {name} --smoke" in text and "Needs:" in text


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_the_smoke_form_runs(name: str, tiny_model: Path, tmp_path: Path) -> None:
    overrides = [f"base={tiny_model}", "train.precision=fp32", "evaluate.precision=fp32"]
    told = " ".join(shrunk(Recipe.load(name), tmp_path / "told").smoke)
    assert all(word in told for word in FETCHED[name])
    small = shrunk(Recipe.load(name, overrides), tmp_path / "invented")
    result = run(small, tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert report["smoke"] == list(small.smoke) and report["name"] == f"{name}-smoke"
    assert report["tasks"] and (tmp_path / "run" / "model" / "model.safetensors").is_file()
    assert [step.name for step in result.steps][-1] == "publish"
    assert ("merge" in report) == (small.merge is not None)
    assert "SMOKE RUN" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "SMOKE RUN" in (tmp_path / "run" / "model" / "README.md").read_text("utf-8")


def test_without_smoke_the_network_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="HF_HUB_OFFLINE"):
        run(Recipe.load("medembed-small"), tmp_path)
