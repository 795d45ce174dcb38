"""What is asked, and what is right."""

from collections.abc import Callable

from medloom.bench.base import BuildRequest
from medloom.bench.open import OpenSuite, icd
from medloom.bench.open.names import Names
from medloom.evaluate.tasks import Task
from medloom.records import Document, Synonym
from medloom.sources.formats.names import name_key
from medloom.text import characters_key, text_key

Documents = dict[str, list[Document]]
RETRIEVAL = [entry.name for entry in OpenSuite().entries() if entry.type == "Retrieval"]


def _one(request: BuildRequest, name: str) -> Task:
    (task,) = OpenSuite().build(request, {})
    assert task.name == name
    return task


def _right(task: Task) -> dict[str, set[str]]:
    data = task.data
    return {data["queries"][q]: {data["corpus"][d] for d in judged} for q, judged in data["qrels"].items()}


def test_concepts_that_share_an_exact_name_are_both_right() -> None:
    documents = [
        Document("1", "a", "Cor magnum", synonyms=(Synonym("cardiomegaly"), Synonym("heart thing", "broad"))),
        Document("2", "b", "Large heart", synonyms=(Synonym("Cardiomegalies"),)),
        Document("3", "b", "Heart thing"),
        Document("4", "c", "cor  MAGNUM"),
    ]
    names = Names(documents, "0")
    assert names.texts == {"cor magnum": "Cor magnum", "large heart": "Large heart", "heart thing": "Heart thing"}
    assert names.sources["cor magnum"] == {"a", "c"}
    assert names.right(documents[0]) == {"cor magnum", "large heart"}
    assert names.right(documents[2]) == {"heart thing"}
    assert names.right(documents[2], "large hearts") == {"heart thing", "large heart"}
    assert names.titled("magnum, cor") == {"cor magnum"}


def test_queries_are_not_in_their_corpus(tasks: dict[str, Task]) -> None:
    for name in RETRIEVAL:
        data = tasks[name].data
        corpus = {name_key(text) for text in data["corpus"].values()}
        assert [q for q in data["queries"].values() if name_key(q) in corpus] == [], name
        assert len({text_key(q) for q in data["queries"].values()}) == len(data["queries"])


def test_lay_phrases_find_their_term_and_its_counterpart_in_mesh(documents: Documents, tasks: dict[str, Task]) -> None:
    right = _right(tasks["open-lay-term"])
    asked = {s.text: (d, i) for i, d in enumerate(documents["hpo"]) for s in d.synonyms if s.lay}
    for query, texts in right.items():
        term, number = asked[query]
        assert term.title in texts
        if (
            50 <= number < 1_000
            and documents["mesh_diseases"][number].title in tasks["open-lay-term"].data["corpus"].values()
        ):
            assert documents["mesh_diseases"][number].title in texts
    assert any(len(texts) > 1 for texts in right.values())


def test_all_terminologies_are_distractors(documents: Documents, tasks: dict[str, Task]) -> None:
    corpus = set(tasks["open-synonym-term"].data["corpus"].values())
    for source in ("hpo", "icd10cm", "mesh_diseases", "hpo_diseases"):
        assert len(corpus & {d.title for d in documents[source]}) > 100, source
    assert tasks["open-lay-term"].data["corpus"] == tasks["open-definition-term"].data["corpus"]


def test_cross_terminology_asks_for_a_heading_that_is_worded_otherwise(documents: Documents, tasks: dict[str, Task]) -> None:
    mesh = {d.title for d in documents["mesh_diseases"]}
    for query, texts in _right(tasks["open-cross-terminology"]).items():
        assert query not in mesh
        assert texts & mesh
        assert name_key(query) not in {name_key(text) for text in texts}


def test_a_definition_that_names_its_term_is_not_asked(
    ask: Callable[..., BuildRequest], documents: Documents, tasks: dict[str, Task]
) -> None:
    asked = set(tasks["open-definition-term"].data["queries"].values())
    named = next(d for d in documents["hpo"] if d.text in asked)
    telling = [
        Document(d.id, d.source, d.title, f"A {d.title.upper()} indeed.", "", (), d.synonyms, d.parents, d.categories)
        if d.id == named.id
        else d
        for d in documents["hpo"]
    ]
    task = _one(ask("open-definition-term", hpo=lambda: telling), "open-definition-term")
    assert len(task.data["queries"]) == len(asked) - 1


def test_drug_names_look_unlike_the_drug(
    ask: Callable[..., BuildRequest], documents: Documents, tasks: dict[str, Task]
) -> None:
    alike = Document("alike", "drug_names", "Bradaxim", synonyms=(Synonym("bradaximum"),), categories=("Lipids",))
    unclassed = Document("unclassed", "drug_names", "Oak pollen", synonyms=(Synonym("tree dust"),))
    drugs = [*documents["drug_names"], alike, unclassed]
    task = _one(ask("open-drug-name", drug_names=lambda: drugs), "open-drug-name")
    assert set(task.data["queries"].values()) == set(tasks["open-drug-name"].data["queries"].values())
    assert {"Bradaxim", "Oak pollen"} <= set(task.data["corpus"].values())
    for query, texts in _right(task).items():
        for text in texts:
            grams, others = characters_key(query), characters_key(text)
            assert len(grams & others) < 0.5 * len(grams | others)


def test_phrases_of_exclusion_notes_lead_to_the_code_that_they_name() -> None:
    found = icd.references({"O24.4", "E08"})
    assert ("gestational diabetes", "O24.4") in found
    assert {code for _, code in found} == {"O24.4", "E08"}
    assert all(len(text.split()) > 1 for text, _ in found)


def test_notes_and_blocks() -> None:
    assert ("high blood pressure", "I10") in icd.included(["I10", "not a code"])
    assert icd.blocks(["E11.65", "E11", "nothing"]) == {"E11.65": "E08-E13", "E11": "E08-E13"}
    assert icd.names_a_code("conditions classifiable to G00-G99")
    assert not icd.names_a_code("type 2 diabetes of a 12 year old")
