"""One corpus of the names of several terminologies, in which one concept may stand under several names."""

from collections.abc import Iterable

from medloom.bench.open.draw import draw
from medloom.records import Document
from medloom.sources.formats.names import name_key
from medloom.text import text_key

_MOST_NAMES = 30_000


class Names:
    """Titles of concepts as a corpus; equal titles are one text.

    Args:
        documents: The concepts.
        salt: Draws from them if they have more than 30,000 titles.
    """

    def __init__(self, documents: Iterable[Document], salt: str) -> None:
        by_title: dict[str, list[Document]] = {}
        for document in documents:
            if key := text_key(document.title):
                by_title.setdefault(key, []).append(document)
        kept = sorted(draw(by_title, _MOST_NAMES, f"{salt}|names"))
        self.texts = {key: min(d.title for d in by_title[key]) for key in kept}
        self.sources = {key: frozenset(d.source for d in by_title[key]) for key in kept}
        self._titled: dict[str, set[str]] = {}
        self._named: dict[str, set[str]] = {}
        for key in kept:
            self._titled.setdefault(name_key(self.texts[key]), set()).add(key)
            for document in by_title[key]:
                for name in exact_names(document):
                    self._named.setdefault(name_key(name), set()).add(key)

    def titled(self, name: str) -> set[str]:
        """Keys of the texts that are a name in any word order or number."""
        return self._titled.get(name_key(name), set())

    def right(self, document: Document, query: str = "") -> set[str]:
        """Keys of the texts that mean the concept: those of every concept that shares an exact name with it or the query."""
        names = {name_key(name) for name in (*exact_names(document), query)} - {""}
        return {key for name in names for key in self._named.get(name, ())}


def exact_names(document: Document) -> list[str]:
    """The title and the synonyms that mean just the same."""
    return [document.title, *(s.text for s in document.synonyms if s.scope == "exact")]
