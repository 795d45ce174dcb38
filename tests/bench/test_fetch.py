"""What a suite needs is collected from its services, once."""

from pathlib import Path

import pytest
from tests.sources.replicas.clinicaltrials import API, serve

from medloom.bench.build import build
from medloom.bench.fetch import fetch_sources
from medloom.bench.medteb import DEFINITIONS, MedtebSuite
from medloom.bench.medteb.needs import settings_for
from medloom.errors import MedloomError
from medloom.sources import known_sources
from medloom.sources.collected import How

ANY_DAY = {"posted_from": None, "posted_to": None}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_every_source_of_the_suite_takes_what_its_tasks_need() -> None:
    needs = MedtebSuite("medteb-full", full=True).needs
    assert set(needs) == {d.source for d in DEFINITIONS}
    for source, settings in needs.items():
        if source != "mimic":
            known_sources()[source].model_validate({"type": source, **settings})


def test_the_most_that_any_task_takes_of_a_term_is_collected() -> None:
    terms = settings_for("pubmed", DEFINITIONS)["terms"]
    assert (terms["hypertension"], terms["medicine"], len(terms)) == (2_000, 16_384, 18)
    clustering = [d for d in DEFINITIONS if d.type == "Clustering"]
    assert set(settings_for("pubmed", clustering)["terms"].values()) == {1_000}


def test_categories_are_walked_as_deep_as_the_tasks_say() -> None:
    wanted = settings_for("wikipedia", DEFINITIONS)
    assert wanted["depth"]["Diseases and disorders by system"] == 2
    assert set(wanted["depth"].values()) == {1, 2}
    assert wanted["most"]["Therapy"] == 1_000
    assert tuple(wanted["depth"]) == tuple(wanted["most"]) == wanted["categories"]


def test_documents_are_collected_once_and_built_from(tmp_path: Path) -> None:
    told: list[str] = []
    with serve(60) as service:
        settings = {"clinicaltrials": {"api": service.url + API, "interval": 0, "terms": ["ALL"], **ANY_DAY}}
        fetch_sources("medteb", ["clinicaltrials"], tmp_path, How(), settings, told.append)
        asked = len(service.requests)
        data = fetch_sources("medteb", ["clinicaltrials"], tmp_path, How(), settings, told.append)
        assert len(service.requests) == asked
    assert told == [f"clinicaltrials: 60 documents in {tmp_path / 'clinicaltrials'}"] * 2
    names = [d.name for d in DEFINITIONS if d.source == "clinicaltrials" and d.type == "Retrieval"]
    built = build("medteb", tmp_path / "suite", data=data, only=names)
    assert sorted(task.name for task in built.tasks) == sorted(names)
    assert all(task.n > 16 for task in built.tasks)
    assert set(built.inputs) == {"clinicaltrials"}


@pytest.mark.parametrize(
    ("suite", "source", "settings", "problem"),
    [
        ("medteb", "mimic", {}, r"mimic is given to you alone .* --data mimic=PATH"),
        ("medteb", "wikpedia", {}, r"needs no source 'wikpedia': it needs wikipedia, pmc"),
        ("open", "pubmed", {}, "is built from packages or the hub alone"),
        ("medteb", "pubmed", {"pubmed": {"trems": 1}}, r"source pubmed: trems: Extra inputs"),
        ("medteb", "pubmed", {"pmc": {"api": "http://127.0.0.1"}}, "give --source pmc too"),
    ],
)
def test_what_cannot_be_collected_is_said(
    tmp_path: Path, suite: str, source: str, settings: dict[str, dict[str, object]], problem: str
) -> None:
    with pytest.raises(MedloomError, match=problem):
        fetch_sources(suite, [source], tmp_path, How(), settings)
