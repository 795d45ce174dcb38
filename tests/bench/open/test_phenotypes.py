"""Profiles and made-up patients."""

from collections.abc import Callable

from medloom.bench.base import BuildRequest
from medloom.bench.open import OpenSuite
from medloom.bench.open.phenotypes import LEAST_PHENOTYPES
from medloom.evaluate.tasks import Task
from medloom.records import Document, Section

Documents = dict[str, list[Document]]


def test_a_disease_is_right_for_its_name(documents: Documents, tasks: dict[str, Task]) -> None:
    data = tasks["open-disease-profile"].data
    profiles = {d.title: d.text for d in documents["hpo_diseases"]}
    for query, title in data["queries"].items():
        (right,) = data["qrels"][query]
        assert data["corpus"][right] == profiles[title]


def test_a_patient_shows_phenotypes_of_the_disease_or_what_lies_above_them(
    documents: Documents, tasks: dict[str, Task]
) -> None:
    terms = {d.id: d for d in documents["hpo"]}
    above = {d.title: {terms[p].title for p in d.parents} for d in documents["hpo"]}
    data = tasks["open-patient-disease"].data
    vague = exact = 0
    for (query, told), group in zip(data["queries"].items(), data["groups"], strict=True):
        disease = next(d for d in documents["hpo_diseases"] if f"hpo_diseases:{d.id}" == group)
        shown = disease.text.split("; ")
        general = {name for phenotype in shown for name in above[phenotype]}
        assert disease.text in {data["corpus"][d] for d in data["qrels"][query]}
        assert len(told.split("; ")) <= LEAST_PHENOTYPES
        for one in told.split("; "):
            assert one in shown or one in general
            exact += one in shown
            vague += one not in shown
    assert 0.3 < vague / (vague + exact) < 0.7


def test_frequent_phenotypes_are_seen_more_often(ask: Callable[..., BuildRequest], documents: Documents) -> None:
    flat = [
        Document(d.id, d.source, d.title, d.text, d.group, d.sections, d.synonyms, (), d.categories)
        for d in documents["hpo"]
    ]
    (task,) = OpenSuite().build(ask("open-patient-disease", hpo=lambda: flat), {})
    obligate = {phenotype for d in documents["hpo_diseases"] for phenotype in d.sections[0].text.split("; ")}
    by_group = {f"hpo_diseases:{d.id}": set(d.sections[0].text.split("; ")) for d in documents["hpo_diseases"]}
    told = [
        (group, one)
        for text, group in zip(task.data["queries"].values(), task.data["groups"], strict=True)
        for one in text.split("; ")
    ]
    assert obligate
    assert sum(one in by_group[group] for group, one in told) > 0.75 * len(told)


def test_every_disease_that_has_all_that_a_patient_shows_is_right(
    ask: Callable[..., BuildRequest], documents: Documents
) -> None:
    diseases = documents["hpo_diseases"]
    first = diseases[0]
    wider = Document(
        "OMIM:wider",
        "hpo_diseases",
        "A wider disease",
        f"{first.text}; more",
        "",
        (*first.sections, Section("Rare", "more")),
    )
    (task,) = OpenSuite().build(ask("open-patient-disease", hpo_diseases=lambda: [*diseases, wider]), {})
    data = task.data
    number = data["groups"].index(f"hpo_diseases:{first.id}")
    query = list(data["queries"])[number]
    assert {data["corpus"][d] for d in data["qrels"][query]} >= {first.text, wider.text}


def test_diseases_of_few_phenotypes_are_not_shown(ask: Callable[..., BuildRequest], documents: Documents) -> None:
    short = Document("OMIM:s", "hpo_diseases", "A short one", "x; y", "", (Section("Obligate", "x; y"),))
    (task,) = OpenSuite().build(ask("open-disease-profile", hpo_diseases=lambda: [*documents["hpo_diseases"], short]), {})
    assert "x; y" not in task.data["corpus"].values()
    assert "A short one" not in task.data["queries"].values()
