"""Diseases and the phenotypes seen in them: profiles, made-up patients, organ systems."""

from collections import Counter

from medloom.bench.open.draw import draw, share
from medloom.bench.open.material import Material
from medloom.bench.open.retrieval import Asked, concept, retrieval
from medloom.evaluate.tasks import Task
from medloom.records import Document
from medloom.sources.hpo_diseases import FREQUENCIES
from medloom.text import text_key

LEAST_PHENOTYPES = 5
_MOST_IN_PROFILE = 40
_CHANCES = dict(zip(FREQUENCIES, (1.0, 0.9, 0.55, 0.17, 0.025, 0.5), strict=True))
_VAGUE = 0.5
_MAIN_SHARE = 0.5


def disease_profile(material: Material, name: str) -> Task | str:
    """A disease's name to its phenotypes."""
    asked = {d.id: Asked(d.title, concept(d), {_profile_key(d)}) for d in _profiled(material)}
    return _among_profiles(material, name, asked)


def patient_disease(material: Material, name: str) -> Task | str:
    """A patient's few phenotypes to the profile of the disease that they were drawn from.

    As Köhler et al. (Clinical diagnostics in human genetics with semantic similarity searches in ontologies, American
    Journal of Human Genetics 2009) simulate patients: each phenotype of the disease is seen with its frequency, and may be
    told vaguely, by a more general term. Any disease in which all five were seen is right.
    """
    general = _more_general(material)
    salt = material.salt(name)
    profiled = _profiled(material)
    having: dict[str, set[str]] = {}
    for document in profiled:
        for phenotype in _phenotypes(document):
            having.setdefault(phenotype, set()).add(_profile_key(document))
    asked = {}
    for document in profiled:
        seen = _seen(document, salt)
        if len(seen) < LEAST_PHENOTYPES:
            continue
        told = [_told(phenotype, general, f"{salt}|{document.id}") for phenotype in seen]
        right = set.intersection(*(having[phenotype] for phenotype in seen))
        asked[document.id] = Asked("; ".join(dict.fromkeys(told)), concept(document), right)
    return _among_profiles(material, name, asked)


def main_systems(material: Material) -> list[tuple[str, str, str]]:
    """Name, organ system and concept of each disease with over half of its phenotypes in one system."""
    systems = {d.title: d.categories for d in material.every("hpo")}
    found = []
    for document in _profiled(material):
        phenotypes = _phenotypes(document)
        counts = Counter(system for phenotype in phenotypes for system in systems.get(phenotype, ()))
        if counts and (top := max(counts.items(), key=lambda item: (item[1], item[0])))[1] > _MAIN_SHARE * len(phenotypes):
            found.append((document.title, top[0], concept(document)))
    return found


def _among_profiles(material: Material, name: str, asked: dict[str, Asked]) -> Task | str:
    corpus = {_profile_key(d): "; ".join(_phenotypes(d)) for d in reversed(_profiled(material))}
    return retrieval(name, "hpo_diseases", asked, corpus, material.salt(name), material.counts(["hpo_diseases"]))


def _profiled(material: Material) -> list[Document]:
    """Diseases with phenotypes enough: fewer could be a text that a model was trained on."""
    return [d for d in material.diseases if len(_phenotypes(d)) >= LEAST_PHENOTYPES]


def _profile_key(document: Document) -> str:
    """Equal for two diseases that show one profile."""
    return text_key("; ".join(sorted(_phenotypes(document))))


def _phenotypes(document: Document) -> list[str]:
    return [phenotype for phenotype, _ in _with_frequency(document)]


def _with_frequency(document: Document) -> list[tuple[str, str]]:
    """The most frequent phenotypes, up to 40, each with its frequency."""
    pairs = [(phenotype, section.heading) for section in document.sections for phenotype in section.text.split("; ")]
    return pairs[:_MOST_IN_PROFILE]


def _seen(document: Document, salt: str) -> list[str]:
    """The five phenotypes of one patient, or fewer if the patient shows fewer."""
    seen = [
        phenotype
        for phenotype, frequency in _with_frequency(document)
        if share(f"{salt}|{document.id}|seen", phenotype) < _CHANCES.get(frequency, 0.0)
    ]
    return draw(seen, LEAST_PHENOTYPES, f"{salt}|{document.id}")


def _told(phenotype: str, general: dict[str, str], salt: str) -> str:
    vague = phenotype in general and share(f"{salt}|vague", phenotype) < _VAGUE
    return general[phenotype] if vague else phenotype


def _more_general(material: Material) -> dict[str, str]:
    """The name of the first parent of each term that has one below an organ system."""
    terms = {d.id: d for d in material.every("hpo")}
    return {
        term.title: terms[above[0]].title
        for term in terms.values()
        if (above := [p for p in term.parents if p in terms and terms[p].categories and terms[p].parents])
    }
