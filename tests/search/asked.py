"""A small index in memory whose vectors can be read: one number for each of a few words."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tests.search.memory_store import MemoryStore

from medloom.encode import Role
from medloom.search.chunks import chunk_id
from medloom.search.index import Index, fitted
from medloom.search.records import Chunk
from medloom.search.settings import IndexSettings
from medloom.search.store import Floats
from medloom.text.normalise import words

WORDS = ("heart", "pain", "fever", "child", "rash", "tablet", "sugar", "joint")
SAME = {"cardiac": "heart", "ache": "pain", "hot": "fever", "toddler": "child", "pill": "tablet", "glucose": "sugar"}


class WordEncoder:
    """Counts words; some words mean the same, which BM25 does not know."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    @property
    def dimensions(self) -> int:
        return len(WORDS)

    @property
    def hash(self) -> str:
        return "words"

    def prompt_for(self, role: Role) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        self.encoded += texts
        counts = np.zeros((len(texts), len(WORDS)), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in words(text):
                if (known := SAME.get(word, word)) in WORDS:
                    counts[row, WORDS.index(known)] += 1
        return counts


def chunk(doc: str, text: str, number: int = 0, source: str = "notes", title: str = "", **facts: str) -> Chunk:
    return Chunk(
        id=chunk_id(source, doc, number), source=source, doc_id=doc, number=number, title=title, heading="", text=text,
        part=-1, start=0, end=len(text), group=doc, facts=tuple(sorted(facts.items())),
    )  # fmt: skip


def index_of(chunks: Iterable[Chunk], tokens: Sequence[Floats] | None = None, **settings: object) -> Index:
    """An open index of chunks."""
    encoder = WordEncoder()
    made = IndexSettings(
        model="words", model_hash="words", dimensions=len(WORDS), full_dimensions=len(WORDS), average_words=6.0, **settings
    )
    store = MemoryStore(made.for_store())
    found = list(chunks)
    store.put(found, fitted(encoder.encode([one.embedded for one in found]), made.dimensions), tokens)
    encoder.encoded.clear()
    return Index(Path("none"), made, store, encoder)
