"""Every shipped recipe loads, and its smoke form runs to the end on a tiny model, without network."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.pipeline import run
from medloom.recipe import Recipe, shipped_recipes
from medloom.records import Document
from medloom.smoke import shrunk
from medloom.sources.base import Rejects
from medloom.sources.hpo import HpoSource
from medloom.sources.icd10cm import Icd10CmSource

pytestmark = pytest.mark.e2e

FETCHED: dict[str, set[str]] = {
    "late-interaction": set(),
    "medembed-base": {"base", "asclepius", "language model", "mteb:"},
    "medembed-large": {"base", "asclepius", "language model", "mteb:"},
    "medembed-small": {"base", "asclepius", "language model", "mteb:"},
    "medte-base": {"base", "pubmed", "wikipedia", "clinicaltrials", "medrxiv", "biorxiv", "medquad"},
    "quickstart": set(),
    "static": set(),
}
"""What each recipe has from the network; a smoke run replaces it, and says so."""
ALIKE = {"medembed-base": "medembed-small", "medembed-large": "medembed-small"}
"""Recipes of one smoke form."""


@pytest.fixture
def few_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packaged terminologies, every twentieth entry."""
    for source in (HpoSource, Icd10CmSource):
        whole = source.documents

        def some(self: object, rejects: Rejects, whole: object = whole) -> Iterator[Document]:
            return islice(whole(self, rejects), 0, None, 20)  # type: ignore[operator, no-any-return, unused-ignore]

        monkeypatch.setattr(source, "documents", some)


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_recipe_loads_and_says_what_it_is_for(name: str, tmp_path: Path) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    text = shipped_recipes()[name].read_text("utf-8")
    assert text.startswith("# ")
    told = " ".join(shrunk(recipe, tmp_path).smoke)
    assert all(word in told for word in FETCHED[name])
    if FETCHED[name]:
        assert f"medloom run {name} --smoke" in text and "Needs:" in text


@pytest.mark.parametrize("name", sorted(ALIKE))
def test_sizes_of_one_recipe_have_one_smoke_form(name: str, tmp_path: Path) -> None:
    forms = [shrunk(Recipe.load(one), tmp_path).settings() for one in (name, ALIKE[name])]
    assert forms[0] | {"name": ""} == forms[1] | {"name": ""}


@pytest.mark.usefixtures("few_terms")
@pytest.mark.parametrize("name", sorted(set(FETCHED) - set(ALIKE)))
def test_the_smoke_form_runs(name: str, tiny_model: Path, tmp_path: Path) -> None:
    overrides = [f"base={tiny_model}", "train.precision=fp32", "evaluate.precision=fp32"]
    if name == "late-interaction":
        overrides.append("train.dimensions=16")
    small = shrunk(Recipe.load(name, overrides), tmp_path / "invented")
    result = run(small, tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert report["smoke"] == list(small.smoke) and report["name"] == f"{name}-smoke"
    assert report["tasks"] and list((tmp_path / "run" / "model").rglob("model.safetensors"))
    assert [step.name for step in result.steps][-1] == "publish"
    assert ("merge" in report) == (small.merge is not None)
    assert "SMOKE RUN" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "SMOKE RUN" in (tmp_path / "run" / "model" / "README.md").read_text("utf-8")


def test_without_smoke_the_network_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="HF_HUB_OFFLINE"):
        run(Recipe.load("medembed-small"), tmp_path)
