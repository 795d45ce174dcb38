"""Splits that tear no concept apart.

Documents go to a side by group (concept, patient, trial, focus), and groups that share an equal text, in whatever source,
go together. A group's side depends on the seed and on its members alone, never on the order of the documents.
"""

from collections.abc import Iterable, Iterator

from medloom.identity import text_hash
from medloom.records import Document
from medloom.text import text_key

_UNIT = 1 << 64


class _Groups:
    """Disjoint sets of split keys (union by smallest key, path halving)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, key: str) -> str:
        parent = self._parent
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    def join(self, a: str, b: str) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self._parent[max(a, b)] = min(a, b)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parent)


def split_sides(documents: Iterable[Document], holdout: float, seed: int) -> tuple[dict[str, bool], int]:
    """Which groups are held out.

    Args:
        documents: All documents of all sources; consumed once, none is kept.
        holdout: Share of the groups to hold out, 0 to 1.
        seed: The recipe's seed.

    Returns:
        For each :attr:`Document.split_key` whether it is held out, and the size in documents of the largest set of groups
        that equal texts tie together (a large one makes the share uneven).
    """
    groups = _Groups()
    owner: dict[int, str] = {}
    sizes: dict[str, int] = {}
    for document in documents:
        key = document.split_key
        groups.find(key)
        sizes[key] = sizes.get(key, 0) + 1
        for text in texts_of(document):
            if words := text_key(text):
                groups.join(key, owner.setdefault(_hash(words), key))
    sides = {key: _hash(f"{seed}|{groups.find(key)}") < holdout * _UNIT for key in groups}
    tied: dict[str, int] = {}
    for key, size in sizes.items():
        root = groups.find(key)
        tied[root] = tied.get(root, 0) + size
    return sides, max(tied.values(), default=0)


def texts_of(document: Document) -> Iterator[str]:
    """Every text of a document that a pair or a task could show."""
    yield from document.names()
    if document.text:
        yield document.text
    for section in document.sections:
        yield section.text


def _hash(text: str) -> int:
    """64 bits of BLAKE2b: the same in every process."""
    return int.from_bytes(text_hash(text, 8))
