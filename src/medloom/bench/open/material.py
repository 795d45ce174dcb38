"""The documents that the tasks are made of, without anything that the quickstart's model was trained on."""

import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

from medloom.bench.base import BuildRequest
from medloom.bench.open.draw import draw
from medloom.bench.open.names import Names
from medloom.guard.split import split_sides, texts_of
from medloom.mine.relations import Relations
from medloom.records import Document
from medloom.sources import Rejects, known_sources
from medloom.sources.formats.names import name_key
from medloom.text import text_key

SPLIT_SOURCES = ("hpo", "icd10cm")
SPLIT_SEED = 7
SPLIT_SHARE = 0.2
TERMINOLOGIES = ("hpo", "icd10cm", "mesh_diseases", "hpo_diseases")
VAGUE_BRANCHES = frozenset(
    {"Pathological Conditions, Signs and Symptoms", "Animal Diseases", "Disorders of Environmental Origin"}
)
_DISEASES = 6_000


class Material:
    """Documents by source, each read once.

    Of HPO and ICD-10-CM only the concepts are given that the quickstart holds out, and whose side is drawn as there: by
    :func:`~medloom.guard.split.split_sides` over exactly these two sources, with a recipe's default share and seed. Of
    every source, a name that is also a name of a concept on the training side (in any word order or number) is left out
    with the concepts that it is the title of; so is a text that equals one of that side.

    Args:
        request: Gives documents in place of an installed package's, by name of the source, and the seed of the draws.
    """

    def __init__(self, request: BuildRequest) -> None:
        self.seed = request.seed
        self._request = request
        self._dropped: dict[str, dict[str, int]] = {}
        self.every = cache(self._every)
        self.usable = cache(self._usable)
        self.relations = cache(self._relations)
        self._trained = cache(self._trained_texts)
        self._sides = cache(self._split)

    def salt(self, name: str) -> str:
        """What the draws of one task depend on."""
        return f"{self.seed}|{name}"

    def counts(self, sources: Iterable[str]) -> dict[str, int]:
        """What was left out of the sources, by reason, over all of them."""
        total: dict[str, int] = {}
        for source in sources:
            self.usable(source)
            for reason, n in self._dropped[source].items():
                total[reason] = total.get(reason, 0) + n
        return total

    def trained_on(self, text: str) -> bool:
        """Whether a text is one of the training side's, or another form of one of its names."""
        texts, names = self._trained()
        return text_key(text) in texts or name_key(text) in names

    @cached_property
    def names(self) -> Names:
        """The names of every terminology in one corpus: distractors of one are those of all."""
        others = [d for source in TERMINOLOGIES if source != "hpo_diseases" for d in self.usable(source)]
        return Names([*others, *self.diseases], self.salt("names"))

    @cached_property
    def diseases(self) -> list[Document]:
        """The rare diseases that tasks use, drawn once for all tasks; each name once."""
        by_title = {text_key(d.title): d for d in reversed(self.usable("hpo_diseases"))}
        return draw(by_title.values(), _DISEASES, self.salt("diseases"), lambda d: d.id)

    def _every(self, source: str) -> tuple[Document, ...]:
        """All documents of a source, under its own name: the split depends on it.

        Raises:
            SourceError: The package that carries them is not installed, or is damaged.
        """
        if source in self._request.documents:
            given = self._request.documents[source]()
            return tuple(d if d.source == source else replace(d, source=source) for d in given)
        return tuple(known_sources()[source]().documents(Rejects(Path(os.devnull))))  # type: ignore[call-arg]

    def _usable(self, source: str) -> tuple[Document, ...]:
        """The documents of a source that tasks may show, without texts that were trained on."""
        dropped = self._dropped.setdefault(source, {})
        kept = []
        for document in self.every(source):
            if not document.title or (source in SPLIT_SOURCES and not self._sides()[document.split_key]):
                continue
            if self.trained_on(document.title):
                dropped["title_trained_on"] = dropped.get("title_trained_on", 0) + 1
                continue
            kept.append(self._without_trained(document, dropped))
        return tuple(kept)

    def _without_trained(self, document: Document, dropped: dict[str, int]) -> Document:
        synonyms = tuple(s for s in document.synonyms if not self.trained_on(s.text))
        text = "" if document.text and text_key(document.text) in self._trained()[0] else document.text
        for reason, n in (
            ("synonym_trained_on", len(document.synonyms) - len(synonyms)),
            ("text_trained_on", int(text != document.text)),
        ):
            if n:
                dropped[reason] = dropped.get(reason, 0) + n
        return replace(document, synonyms=synonyms, text=text)

    def _relations(self, source: str) -> Relations:
        return Relations(self.every(source))

    def _trained_texts(self) -> tuple[frozenset[str], frozenset[str]]:
        """Keys of every text of the training side, and of its names in any form."""
        sides = self._sides()
        training = [d for source in SPLIT_SOURCES for d in self.every(source) if not sides[d.split_key]]
        texts = {text_key(text) for document in training for text in texts_of(document)}
        names = {name_key(name) for document in training for name in document.names()}
        return frozenset(texts - {""}), frozenset(names - {""})

    def _split(self) -> dict[str, bool]:
        documents = (d for source in SPLIT_SOURCES for d in self.every(source) if d.title or d.text or d.sections)
        return split_sides(documents, SPLIT_SHARE, SPLIT_SEED)[0]
