"""Retrieval: the name, code, profile or drug that a text means, in a corpus of many like it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from medloom.bench.open import icd
from medloom.bench.open.draw import draw
from medloom.bench.open.material import TERMINOLOGIES, Material
from medloom.bench.open.names import Names, exact_names
from medloom.evaluate.tasks import Task
from medloom.records import Document
from medloom.sources.formats.names import name_key
from medloom.text import characters_key, text_key

MOST_QUERIES = 1_500
LEAST_QUERIES = 30
_OVERLAP = 0.5
_DRUGS = 6_000
_CODES = 6_000
Question = tuple[str, Document]


@dataclass
class Asked:
    """One query: its text, the concept it is about, and the keys of the texts that answer it."""

    text: str
    group: str
    right: set[str]


def retrieval(
    name: str, source: str, asked: dict[str, Asked], corpus: dict[str, str], salt: str, counts: dict[str, int]
) -> Task | str:
    """The task, or why there is none.

    Args:
        name: Of the task.
        source: Where the queries come from.
        asked: Queries by key.
        corpus: Texts by key.
        salt: Draws queries where there are more than 1,500.
        counts: What was left out.
    """
    drawn = draw(asked, MOST_QUERIES, f"{salt}|queries")
    if len(drawn) < LEAST_QUERIES:
        return f"{len(drawn)} queries, fewer than {LEAST_QUERIES}: the packages hold too little text that was not trained on"
    ids = {key: f"d{number:05d}" for number, key in enumerate(sorted(corpus))}
    queries = {f"q{number:04d}": asked[key] for number, key in enumerate(drawn)}
    return Task(
        name=name,
        type="Retrieval",
        source=source,
        description="",
        data={
            "queries": {q: one.text for q, one in queries.items()},
            "corpus": {ids[key]: corpus[key] for key in ids},
            "qrels": {q: {ids[key]: 1 for key in sorted(one.right)} for q, one in queries.items()},
            "groups": [one.group for one in queries.values()],
        },
        counts=counts | {"queries_not_drawn": len(asked) - len(drawn)},
    )


def name_queries(questions: Iterable[Question], names: Names, counts: dict[str, int]) -> dict[str, Asked]:
    """Queries for a concept's name, equal ones merged with the answers of both.

    Left out and counted: queries that are a text of the corpus themselves, or the wanted name in another form, and those
    whose concept is not in the corpus.
    """
    asked: dict[str, Asked] = {}
    for query, document in questions:
        key = text_key(query)
        right = names.right(document, query)
        if not key or names.titled(query) or name_key(query) == name_key(document.title):
            counts["query_in_corpus"] = counts.get("query_in_corpus", 0) + 1
        elif right:
            one = asked.setdefault(key, Asked(query, concept(document), set()))
            one.right |= right
    return asked


def concept(document: Document) -> str:
    """What items about one concept share."""
    return f"{document.source}:{document.id}"


def lay_term(material: Material, name: str) -> Task | str:
    """A layperson's phrase to the term."""
    questions = ((s.text, d) for d in material.usable("hpo") for s in d.synonyms if s.lay and s.scope == "exact")
    return _among_all(material, name, "hpo", questions)


def synonym_term(material: Material, name: str) -> Task | str:
    """A professional synonym to the term."""
    questions = ((s.text, d) for d in material.usable("hpo") for s in d.synonyms if not s.lay and s.scope == "exact")
    return _among_all(material, name, "hpo", questions)


def mesh_synonym(material: Material, name: str) -> Task | str:
    """An entry term to its heading."""
    return _among_all(material, name, "mesh_diseases", _unlike_names(material.usable("mesh_diseases")))


def icd_inclusion(material: Material, name: str) -> Task | str:
    """An inclusion term, or a term that a category says it includes, to the code's description."""
    documents = {d.id: d for d in material.usable("icd10cm")}
    listed = [(s.text, d) for d in documents.values() for s in d.synonyms]
    included = [(text, documents[code]) for text, code in icd.included(documents) if not material.trained_on(text)]
    worded = ((text, d) for text, d in (*listed, *included) if not icd.names_a_code(text))
    return _among_all(material, name, "icd10cm", worded)


def icd_reference(material: Material, name: str) -> Task | str:
    """How the notes of other codes refer to a code, to that code's description."""
    documents = {d.id: d for d in material.usable("icd10cm")}
    referred = ((text, documents[code]) for text, code in icd.references(documents) if not material.trained_on(text))
    return _among_all(material, name, "icd10cm", referred)


def definition_term(material: Material, name: str) -> Task | str:
    """A definition that does not name its term, to the term."""

    def questions() -> Iterator[Question]:
        for document in material.usable("hpo"):
            defined = f" {text_key(document.text)} "
            if document.text and not any(f" {text_key(n)} " in defined for n in document.names()):
                yield document.text, document

    return _among_all(material, name, "hpo", questions())


def cross_terminology(material: Material, name: str) -> Task | str:
    """A term's name in one terminology to its name, worded otherwise, in MeSH."""
    names = material.names
    asked: dict[str, Asked] = {}
    for source in ("hpo", "hpo_diseases", "icd10cm"):
        for document in material.usable(source):
            key = text_key(document.title)
            if names.titled(document.title) != {key} or "mesh_diseases" in names.sources[key]:
                continue
            right = names.right(document) - {key}
            if any("mesh_diseases" in names.sources[one] for one in right):
                asked[key] = Asked(document.title, concept(document), right)
    corpus = {key: text for key, text in names.texts.items() if key not in asked}
    answerable = {key: Asked(one.text, one.group, one.right & corpus.keys()) for key, one in asked.items()}
    return retrieval(name, "mesh_diseases", answerable, corpus, material.salt(name), material.counts(TERMINOLOGIES))


def drug_name(material: Material, name: str) -> Task | str:
    """A brand name or synonym to the drug, of those that MeSH files under a chemical class: not pollen and food extracts."""
    documents = material.usable("drug_names")
    named = [d for d in documents if d.synonyms and d.categories]
    others = draw((d for d in documents if not d.categories), _DRUGS - len(named), material.salt(name), lambda d: d.id)
    names = Names([*named, *others], material.salt(name))
    counts = material.counts(["drug_names"])
    asked = name_queries(_unlike_names(named), names, counts)
    return retrieval(name, "drug_names", asked, names.texts, material.salt(name), counts)


def _among_all(material: Material, name: str, source: str, questions: Iterable[Question]) -> Task | str:
    names = material.names
    counts = material.counts(TERMINOLOGIES)
    asked = name_queries(questions, names, counts)
    return retrieval(name, source, asked, names.texts, material.salt(name), counts)


def _unlike_names(documents: Iterable[Document]) -> Iterator[Question]:
    """Exact synonyms that share less than half of their character 4-grams with the title."""
    for document in documents:
        title = characters_key(document.title)
        for synonym in exact_names(document)[1:]:
            grams = characters_key(synonym)
            if len(grams & title) < _OVERLAP * len(grams | title):
                yield synonym, document
