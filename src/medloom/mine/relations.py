"""What is known of two documents before any model looks: equal names, ancestry, one patient."""

from collections.abc import Iterable
from functools import cache
from typing import Literal

from medloom.records import Document
from medloom.text import text_key

Concept = tuple[str, str]
Related = Literal["same_concept", "ancestor_or_descendant"]


class Relations:
    """Names, ancestry and groups of documents, for telling a hard negative from a false one.

    Args:
        documents: The documents of all sources; consumed once, only names, parents and groups are kept.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._names: dict[Concept, frozenset[str]] = {}
        self._parents: dict[Concept, tuple[str, ...]] = {}
        self._groups: dict[Concept, str] = {}
        self._entries: set[Concept] = set()
        for document in documents:
            concept = (document.source, document.id)
            self._names[concept] = frozenset(key for name in document.names() if (key := text_key(name)))
            if document.parents:
                self._parents[concept] = document.parents
            if document.is_concept:
                self._entries.add(concept)
            elif document.group:
                self._groups[concept] = document.group
        self._above = cache(self._ancestors)

    def related(self, a: Concept, b: Concept) -> Related | None:
        """How two concepts are related, or None when one may stand as a negative for the other."""
        if a == b or not self._names.get(a, frozenset()).isdisjoint(self._names.get(b, frozenset())):
            return "same_concept"
        if b in self._above(a) or a in self._above(b):
            return "ancestor_or_descendant"
        return None

    def same_group(self, a: Concept, b: Concept) -> bool:
        """Whether two documents of one source are of one group: one patient's notes, say.

        Entries of a terminology have no group here. Theirs is there for the split, and may be a whole category of diseases,
        in which the best hard negatives are found.
        """
        group = self._groups.get(a)
        return group is not None and a[0] == b[0] and group == self._groups.get(b)

    def is_entry(self, concept: Concept) -> bool:
        """Whether the document is an entry of a terminology rather than prose; a document that is not known is prose."""
        return concept in self._entries

    def is_name(self, text: str, concept: Concept) -> bool:
        """Whether the text is one of the concept's names."""
        return text_key(text) in self._names.get(concept, frozenset())

    def siblings(self, concepts: Iterable[Concept]) -> dict[Concept, list[Concept]]:
        """For each concept the others among ``concepts`` that share a parent with it, in their order."""
        ordered = list(concepts)
        children: dict[Concept, list[Concept]] = {}
        for concept in ordered:
            for parent in self._parents.get(concept, ()):
                children.setdefault((concept[0], parent), []).append(concept)
        return {
            concept: list(
                dict.fromkeys(
                    other
                    for parent in self._parents.get(concept, ())
                    for other in children[concept[0], parent]
                    if self.related(concept, other) is None
                )
            )
            for concept in ordered
        }

    def _ancestors(self, concept: Concept) -> frozenset[Concept]:
        seen: set[Concept] = set()
        todo = [(concept[0], parent) for parent in self._parents.get(concept, ())]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo.extend((one[0], parent) for parent in self._parents.get(one, ()))
        return frozenset(seen)
