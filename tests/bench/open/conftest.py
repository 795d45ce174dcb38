"""Terminologies of our own making, large enough for every task."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from medloom.bench.base import BuildRequest
from medloom.bench.open import OpenSuite
from medloom.evaluate.tasks import Task
from medloom.records import Document, Section, Synonym
from medloom.sources.mesh_diseases import BRANCHES

_STARTS = ["bra", "cor", "dul", "fem", "gri", "hol", "jun", "kap", "lor", "mig", "nat", "pol", "quo", "ruv", "sib", "tov"]
_ENDS = ["dax", "fen", "gop", "lim", "mur", "nok", "pil", "rud", "sot", "vek", "wab", "zon"]
WORDS = [start + end for start, end in itertools.product(_STARTS, _ENDS)]
SYSTEMS = ["Abnormality of the front", "Abnormality of the back"]
Documents = dict[str, list[Document]]


def phrase(number: int, salt: int) -> str:
    """Three made-up words, other ones for another number or salt."""
    n = len(WORDS)
    picked = number * 7 + salt * 131
    return " ".join(WORDS[i % n] for i in (picked, picked // n + 53 * salt + 3, number * 3 + 17 * salt + 5))


def _hpo() -> list[Document]:
    root = Document("HP:0000118", "hpo", "Phenotypic abnormality")
    tops = [Document(f"HP:{i}", "hpo", system, parents=(root.id,), categories=(system,)) for i, system in enumerate(SYSTEMS)]
    terms = []
    for i in range(10, 1_200):
        parent = f"HP:{i % 2}" if i < 100 else f"HP:{10 + i % 90}"
        synonyms = (Synonym(phrase(i, 1), lay=True), Synonym(phrase(i, 2)), Synonym(phrase(i, 3), "broad"))
        title = phrase(i, 0)
        text = f"A {phrase(i, 4)} that is defined."
        terms.append(Document(f"HP:{i}", "hpo", title, text, "", (), synonyms, (parent,), (SYSTEMS[i % 2],)))
    return [root, *tops, *terms]


def _icd() -> list[Document]:
    import simple_icd_10_cm as icd

    codes = [c for c in dict.fromkeys(icd.get_all_codes(True)) if icd.is_category(c) or icd.is_subcategory(c)]
    return [
        Document(
            code,
            "icd10cm",
            phrase(i, 10),
            group=code[:3],
            synonyms=(Synonym(phrase(i, 11)),),
            categories=(icd.get_ancestors(code)[-1],),
        )
        for i, code in enumerate(c for c in codes if len(c) <= 5)
    ]


def _mesh(hpo: Sequence[Document]) -> list[Document]:
    branches = list(BRANCHES.values())[:2]
    linked = {i: Synonym(hpo[i].title) for i in range(50, 1_000)}
    return [
        Document(
            f"mesh {i}",
            "mesh_diseases",
            phrase(i, 20),
            synonyms=(Synonym(phrase(i, 21)), *([linked[i]] if i in linked else [])),
            parents=(f"mesh {i % 20}",) if i >= 20 else (),
            categories=(branches[i % 2],),
        )
        for i in range(1_200)
    ]


def _diseases(hpo: Sequence[Document]) -> list[Document]:
    diseases = []
    for i in range(300):
        ours = [hpo[100 + (i * 31 + k * (2 + i % 5)) % 900].title for k in range(12)]
        sections = (Section("Obligate", "; ".join(ours[:6])), Section("Occasional", "; ".join(ours[6:])))
        diseases.append(Document(f"OMIM:{i}", "hpo_diseases", phrase(i, 30), "; ".join(ours), "", sections))
    return diseases


def _named(source: str, salt: int, categories: Sequence[str]) -> list[Document]:
    return [
        Document(
            f"{i:05d}",
            source,
            phrase(i, salt),
            group=f"{i // 3:05d}",
            synonyms=(Synonym(phrase(i, salt + 1)),),
            categories=(categories[i % len(categories)],),
        )
        for i in range(400)
    ]


@pytest.fixture(scope="session")
def documents() -> Documents:
    """Documents by source."""
    hpo = _hpo()
    return {
        "hpo": hpo,
        "icd10cm": _icd(),
        "mesh_diseases": _mesh(hpo),
        "hpo_diseases": _diseases(hpo),
        "drug_names": _named("drug_names", 40, ["Lipids", "Carbohydrates"]),
    }


@pytest.fixture(scope="session")
def ask(documents: Documents) -> Callable[..., BuildRequest]:
    """A request that gives the documents (others in their place by keyword) and names the tasks, all if none."""

    def request(*names: str, seed: int = 0, **other: Callable[[], Sequence[Document]]) -> BuildRequest:
        given: dict[str, Callable[[], Sequence[Document]]] = {
            source: partial(list, ours) for source, ours in documents.items()
        }
        return BuildRequest(seed=seed, documents={**given, **other}, names=frozenset(names) or None)

    return request


@pytest.fixture(scope="session")
def tasks(ask: Callable[..., BuildRequest]) -> dict[str, Task]:
    """The whole suite."""
    left_out: dict[str, str] = {}
    built = {task.name: task for task in OpenSuite().build(ask(), left_out)}
    assert left_out == {}
    return built
