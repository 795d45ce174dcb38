"""Pair classification: whether two names mean one thing, against the most confusable wrong name."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from medloom.bench.open.draw import draw
from medloom.bench.open.material import VAGUE_BRANCHES, Material
from medloom.bench.open.names import exact_names
from medloom.evaluate.tasks import Task
from medloom.records import Document
from medloom.sources.formats.names import name_key
from medloom.text import characters_key

MOST_PAIRS = 3_000
LEAST_PAIRS = 60
_TRIED = 40
_COMMON_GRAM = 0.1


@dataclass(frozen=True)
class Couple:
    """Two texts that belong together, and the concepts that they are of, to none of which a wrong one may be related."""

    first: str
    second: str
    concepts: tuple[Document, ...]

    @property
    def source(self) -> str:
        """The terminology."""
        return self.concepts[0].source

    @property
    def group(self) -> str:
        """What the two pairs made of it share with others about the concept."""
        return f"{self.source}:{self.concepts[0].id}"


class LexicalNeighbours:
    """Names by how many character 4-grams they share with another, those in over a tenth of all names left aside.

    Args:
        documents: The concepts whose titles are searched.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = sorted(documents, key=lambda d: (d.title, d.source, d.id))
        self._grams = [characters_key(d.title) for d in self._documents]
        self._holders: dict[str, list[int]] = {}
        for number, grams in enumerate(self._grams):
            for gram in sorted(grams):
                self._holders.setdefault(gram, []).append(number)

    def of(self, text: str) -> Iterator[Document]:
        """The concepts with the titles nearest to a text by Jaccard overlap, nearest first, at most 40."""
        grams = characters_key(text)
        shared: dict[int, int] = {}
        for gram in sorted(grams):
            holders = self._holders.get(gram, ())
            if len(holders) <= max(_TRIED, _COMMON_GRAM * len(self._documents)):
                for number in holders:
                    shared[number] = shared.get(number, 0) + 1
        near = sorted(shared, key=lambda number: (-shared[number] / len(grams | self._grams[number]), number))
        for number in near[:_TRIED]:
            yield self._documents[number]


def synonym_pairs(source: str) -> Callable[[Material, str], Task | str]:
    """Builder of: a synonym with its term, against the other term whose name looks most like the right one."""

    def build(material: Material, name: str) -> Task | str:
        documents = material.usable(source)
        couples = [
            Couple(synonym, d.title, (d,))
            for d in documents
            for synonym in exact_names(d)[1:]
            if name_key(synonym) != name_key(d.title)
        ]
        return _task(material, name, source, couples, {source: documents})

    return build


def parent_pairs(material: Material, name: str) -> Task | str:
    """A term with the more general one above it, against the term, related to neither, that looks most like the latter."""
    by_source = {source: material.usable(source) for source in ("hpo", "mesh_diseases")}
    couples = []
    for documents in by_source.values():
        telling = {d.id: d for d in documents if set(d.categories) - VAGUE_BRANCHES}
        for document in documents:
            above = next((telling[parent] for parent in document.parents if parent in telling), None)
            if above:
                couples.append(Couple(document.title, above.title, (document, above)))
    return _task(material, name, "mesh_diseases", couples, by_source)


def _task(
    material: Material, name: str, source: str, couples: list[Couple], by_source: dict[str, tuple[Document, ...]]
) -> Task | str:
    neighbours = {one: LexicalNeighbours(documents) for one, documents in by_source.items()}
    rows: list[tuple[str, str, int, str]] = []
    without = 0
    for couple in draw(couples, MOST_PAIRS, material.salt(name), lambda c: f"{c.group}|{c.first}|{c.second}"):
        if len(rows) == MOST_PAIRS:
            break
        wrong = _wrong(material, couple, neighbours[couple.source])
        if wrong is None:
            without += 1
        else:
            rows += [(couple.first, couple.second, 1, couple.group), (couple.first, wrong, 0, couple.group)]
    if len(rows) < LEAST_PAIRS:
        return f"{len(rows)} pairs, fewer than {LEAST_PAIRS}: the packages hold too little text that was not trained on"
    return Task(
        name=name,
        type="PairClassification",
        source=source,
        description="",
        data={
            "sentence1": [row[0] for row in rows],
            "sentence2": [row[1] for row in rows],
            "labels": [row[2] for row in rows],
            "groups": [row[3] for row in rows],
        },
        counts=material.counts(by_source) | {"without_a_wrong_name": without},
    )


def _wrong(material: Material, couple: Couple, neighbours: LexicalNeighbours) -> str | None:
    """The title nearest to the couple's second text that means something else and is not related, or None."""
    own = {name_key(name) for d in couple.concepts for name in d.names()} | {name_key(couple.first)}
    relations = material.relations(couple.source)
    ours = [(couple.source, d.id) for d in couple.concepts]
    for other in neighbours.of(couple.second):
        if not own.isdisjoint(name_key(name) for name in other.names()):
            continue
        if all(relations.related(one, (other.source, other.id)) is None for one in ours):
            return other.title
    return None
