"""A small index in memory, behind an application."""

from pathlib import Path

from fastapi import FastAPI
from tests.search.memory_store import MemoryStore

from medloom.encode import Encoder
from medloom.search.chunks import chunk_id
from medloom.search.index import Index, fitted
from medloom.search.records import Chunk
from medloom.search.settings import IndexSettings
from medloom.search.store import StoreSettings
from medloom.serve.app import create_app
from medloom.serve.config import ServeSettings
from medloom.serve.indexes import Indexes
from medloom.serve.keys import Keys
from medloom.serve.models import load_models
from medloom.serve.search import search_router
from medloom.serve.static import PUBLIC, page_router

HOSTILE = "</p><script>window.ran = 1</script><img src=x onerror='window.ran = 2'> fever \U0001f912 of the joint. A rash."
_TEXTS = (
    ("notes", "Fever in a child", "High fever in a child at night. The child has a rash and a cough. Give a tablet daily."),
    ("notes", "Chest pain", "Acute pain in the heart. The patient is an adult. Blood pressure is high."),
    ("letters", "Joint pain", "Chronic pain of the joint. A bone ache at night. No fever."),
    ("letters", "Sugar", "High blood sugar in an adult. The dose of the tablet is low."),
    ("letters", "Kidney", "The kidney and the liver. Chronic low pressure."),
    ("web", "<b>Bold</b> & hostile", HOSTILE),
)


def chunks() -> list[Chunk]:
    """Six documents; the first has two chunks that share a sentence."""
    made = []
    for i, (source, title, text) in enumerate(_TEXTS):
        specialty = ("specialty", "paediatrics" if i == 0 else "cardiology" if i == 1 else "other <i>")
        facts = (
            ("date", f"202{i}-03-01"),
            specialty,
            ("url", "javascript:alert(1)" if i == 5 else f"https://example.org/{i}"),
        )
        made.append(_chunk(source, f"d/{i}", 0, title, text, 0, facts))
    first = made[0]
    start = first.text.index("Give a")
    more = "Give a tablet daily. Find the lung."
    return [*made, _chunk(first.source, first.doc_id, 1, first.title, more, start, first.facts)]


def _chunk(
    source: str, doc: str, number: int, title: str, text: str, start: int, facts: tuple[tuple[str, str], ...]
) -> Chunk:
    end = start + len(text)
    return Chunk(chunk_id(source, doc, number), source, doc, number, title, "Plan", text, 0, start, end, facts=facts)


def an_index(encoder: Encoder, of: list[Chunk] | None = None) -> Index:
    """An index of chunks."""
    store = MemoryStore(StoreSettings(encoder.dimensions, average_words=8.0))
    made = chunks() if of is None else of
    store.put(made, fitted(encoder.encode([c.embedded for c in made]), encoder.dimensions))
    sizes = {"dimensions": encoder.dimensions, "full_dimensions": encoder.dimensions}
    settings = IndexSettings(model="/models/tiny", model_hash=encoder.hash, **sizes)
    return Index(Path("unused"), settings, store, encoder)


def an_app(model: Path, indexes: dict[str, Index], keys: Keys | None = None, **settings: object) -> FastAPI:
    """The server with search and page."""
    given = ServeSettings.model_validate({"allowed_hosts": ("testserver", "127.0.0.1"), **settings})
    return create_app(load_models([str(model)]), given, keys, [search_router(Indexes(indexes)), page_router()], PUBLIC)
