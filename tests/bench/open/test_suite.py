"""The whole suite, on terminologies of our own making."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import yaml

from medloom.bench.base import BuildRequest
from medloom.bench.open import OpenSuite
from medloom.bench.open.material import SPLIT_SEED, SPLIT_SHARE, SPLIT_SOURCES
from medloom.errors import SourceError
from medloom.evaluate.tasks import METRICS, Task
from medloom.guard import GuardConfig
from medloom.guard.split import split_sides, texts_of
from medloom.records import Document
from medloom.sources.formats.names import name_key
from medloom.text import text_key

Ask = Callable[..., BuildRequest]
Documents = dict[str, list[Document]]


def _build(request: BuildRequest) -> dict[str, Task]:
    return {task.name: task for task in OpenSuite().build(request, {})}


def test_the_catalogue() -> None:
    entries = OpenSuite().entries()
    assert len({e.name for e in entries}) == len(entries) >= 14
    assert set(Counter(e.type for e in entries)) == {"Retrieval", "PairClassification", "Clustering", "Classification"}
    assert min(Counter(e.type for e in entries).values()) >= 3
    for entry in entries:
        assert entry.name.startswith("open-")
        assert (entry.suite, entry.facet, entry.needs, entry.compat_needs) == ("open", "terminology", (), ())
        assert entry.metric == METRICS[entry.type]  # type: ignore[index]
    assert OpenSuite.modes == ("strict",)


def test_every_task_is_built_as_the_catalogue_says(tasks: dict[str, Task]) -> None:
    entries = OpenSuite().entries()
    assert list(tasks) == [e.name for e in entries]
    for entry in entries:
        task = tasks[entry.name]
        assert (task.type, task.source, task.description) == (entry.type, entry.source, entry.description)
        assert task.groups is not None
        assert task.public
    assert tasks["open-drug-class"].settings == {"n_experiments": 10, "samples_per_label": 8}
    assert tasks["open-hpo-systems"].settings == {"n_clusters": 30}


def test_the_order_of_documents_does_not_matter_and_the_seed_does(
    ask: Ask, documents: Documents, tasks: dict[str, Task]
) -> None:
    turned = {source: (lambda ours=ours: ours[::-1]) for source, ours in documents.items()}
    assert {n: t.fingerprint for n, t in _build(ask(**turned)).items()} == {n: t.fingerprint for n, t in tasks.items()}
    other = _build(ask("open-mesh-synonym", "open-drug-class", "open-patient-disease", "open-parent-pairs", seed=1))
    assert all(task.fingerprint != tasks[name].fingerprint for name, task in other.items())
    assert len(other) == 4


def test_no_text_of_the_training_side_is_shown(documents: Documents, tasks: dict[str, Task]) -> None:
    both = [d for source in ("hpo", "icd10cm") for d in documents[source]]
    sides, _ = split_sides(both, 0.2, 7)
    training = {text_key(text) for d in both if not sides[d.split_key] for text in texts_of(d)}
    held = [d for d in documents["hpo"] if sides[d.split_key]]
    assert 100 < len(held) < len(documents["hpo"]) - 500
    for task in tasks.values():
        assert [text for _, text in task.texts if text_key(text) in training] == []


def test_the_split_is_the_quickstarts() -> None:
    recipe = yaml.safe_load((Path(__file__).parents[3] / "recipes" / "quickstart.yaml").read_text("utf-8"))
    assert recipe["seed"] == SPLIT_SEED
    assert recipe["guard"].get("holdout", GuardConfig().holdout) == SPLIT_SHARE
    assert [source["type"] for source in recipe["sources"]] == list(SPLIT_SOURCES)


def test_names_trained_on_are_dropped_in_any_form_and_counted(
    ask: Ask, documents: Documents, tasks: dict[str, Task]
) -> None:
    both = [d for source in ("hpo", "icd10cm") for d in documents[source]]
    sides, _ = split_sides(both, 0.2, 7)
    trained = next(d for d in both if not sides[d.split_key] and len(d.title.split()) == 3)
    inverted = ", ".join(reversed(trained.title.split())).upper()
    mesh = documents["mesh_diseases"]
    extra = Document("extra", "mesh_diseases", inverted, categories=mesh[0].categories)
    task = _build(ask("open-lay-term", mesh_diseases=lambda: [*mesh, extra]))["open-lay-term"]
    assert name_key(inverted) not in {name_key(text) for text in task.data["corpus"].values()}
    assert task.counts["title_trained_on"] == tasks["open-lay-term"].counts["title_trained_on"] + 1


def test_a_missing_package_leaves_out_all_that_needs_it_and_says_so(ask: Ask, tasks: dict[str, Task]) -> None:
    def missing() -> NoReturn:
        raise SourceError("source mesh_diseases needs the package x: pip install x")

    left_out: dict[str, str] = {}
    built = {task.name: task for task in OpenSuite().build(ask(mesh_diseases=missing), left_out)}
    assert built.keys() | left_out.keys() == tasks.keys()
    assert {"open-lay-term", "open-mesh-branch", "open-parent-pairs"} <= left_out.keys()
    assert set(left_out.values()) == {"source mesh_diseases needs the package x: pip install x"}
    assert {"open-hpo-systems", "open-drug-name", "open-icd-blocks", "open-patient-disease"} <= built.keys()
    assert all(task.fingerprint == tasks[name].fingerprint for name, task in built.items())


def test_too_little_text_is_left_out(ask: Ask, documents: Documents) -> None:
    left_out: dict[str, str] = {}
    names = ("open-drug-name", "open-drug-pairs", "open-drug-class", "open-disease-profile")
    few = {source: (lambda ours=documents[source][:20]: ours) for source in ("drug_names", "hpo_diseases")}
    assert list(OpenSuite().build(ask(*names, **few), left_out)) == []
    assert left_out.keys() == set(names)
    assert all("too little text" in reason for reason in left_out.values())


def test_only_wanted_tasks_are_built(ask: Ask, documents: Documents) -> None:
    read = []

    def drugs() -> list[Document]:
        read.append("drug_names")
        return documents["drug_names"]

    assert list(_build(ask("open-hpo-systems", drug_names=drugs))) == ["open-hpo-systems"]
    assert read == []


def test_on_the_packages_that_medloom_itself_needs() -> None:
    wanted = frozenset({"open-hpo-systems", "open-icd-blocks", "open-definition-system", "open-hpo-synonym-pairs"})
    tasks = _build(BuildRequest(names=wanted))
    assert tasks.keys() == wanted
    assert tasks["open-hpo-systems"].n > 1_500
    assert len(set(tasks["open-icd-blocks"].data["labels"])) > 30
    assert "Abnormality of the eye" in tasks["open-definition-system"].data["labels"]
    assert tasks["open-hpo-synonym-pairs"].n == 3_000


def test_the_split_does_not_follow_the_requests_seed(ask: Ask, tasks: dict[str, Task]) -> None:
    other = _build(ask("open-hpo-systems", seed=5))["open-hpo-systems"]
    assert set(other.data["sentences"]) == set(tasks["open-hpo-systems"].data["sentences"])


def test_documents_collected_under_another_name_give_the_same_tasks(
    ask: Ask, documents: Documents, tasks: dict[str, Task]
) -> None:
    named = [replace(d, source="mine") for d in documents["hpo"]]
    other = _build(ask("open-hpo-systems", "open-hpo-synonym-pairs", hpo=lambda: named))
    assert {name: task.fingerprint for name, task in other.items()} == {name: tasks[name].fingerprint for name in other}
    assert len(other) == 2
