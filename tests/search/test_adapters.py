"""medloom inside LangChain and LlamaIndex; skipped where they are not installed."""

import asyncio
import importlib
import sys

import numpy as np
import pytest
from tests.search.asked import WordEncoder, chunk, index_of

from medloom.search.answer import metadata_of
from medloom.search.index import Index
from medloom.search.query import SearchSettings
from medloom.search.records import Hit

SETTINGS = SearchSettings(k=1)


@pytest.fixture
def index() -> Index:
    return index_of(
        [chunk("f", "A child has fever.", title="Fever", specialty="paediatrics"), chunk("h", "Pain of the heart.")]
    )


@pytest.mark.parametrize(("name", "library"), [("langchain", "langchain_core"), ("llamaindex", "llama_index")])
def test_without_the_library_the_extra_is_named(name: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [m for m in sys.modules if m.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"medloom.search.{name}", raising=False)
    with pytest.raises(ImportError, match=rf"medloom\[{name}\]"):
        importlib.import_module(f"medloom.search.{name}")


def test_metadata_say_where_a_chunk_is_from() -> None:
    found = chunk("f", "A child has fever.", title="Fever", specialty="paediatrics")
    several = metadata_of(Hit(found, 0.5, evidence=(0, 18)))
    assert several["specialty"] == "paediatrics"
    assert (several["source"], several["document"], several["evidence"], several["score"]) == ("notes", "f", [0, 18], 0.5)


def test_langchain_embeds_and_retrieves(index: Index) -> None:
    pytest.importorskip("langchain_core", reason="the extra langchain is not installed")
    from medloom.search.langchain import MedloomEmbeddings, MedloomRetriever

    encoder = WordEncoder()
    embeddings = MedloomEmbeddings(encoder)
    assert embeddings.embed_query("fever") == encoder.encode(["fever"])[0].tolist()
    assert np.array_equal(embeddings.embed_documents(["fever", "pain"]), encoder.encode(["fever", "pain"]))
    retriever = MedloomRetriever(index=index, settings=SETTINGS)
    for found in (retriever.invoke("a hot toddler"), asyncio.run(retriever.ainvoke("a hot toddler"))):
        assert [(d.page_content, d.metadata["document"]) for d in found] == [("A child has fever.", "f")]
        assert found[0].id == next(c.id for c in index.store.chunks() if c.doc_id == "f")


def test_llamaindex_embeds_and_retrieves(index: Index) -> None:
    pytest.importorskip("llama_index.core", reason="the extra llamaindex is not installed")
    from medloom.search.llamaindex import MedloomEmbedding, MedloomRetriever

    encoder = WordEncoder()
    embedding = MedloomEmbedding(encoder, embed_batch_size=2)
    assert embedding.get_query_embedding("fever") == encoder.encode(["fever"])[0].tolist()
    texts = ["fever", "pain", "rash"]
    assert np.array_equal(embedding.get_text_embedding_batch(texts), encoder.encode(texts))
    assert asyncio.run(embedding.aget_query_embedding("pain")) == encoder.encode(["pain"])[0].tolist()
    retriever = MedloomRetriever(index, SETTINGS)
    for found in (retriever.retrieve("a hot toddler"), asyncio.run(retriever.aretrieve("a hot toddler"))):
        assert [(n.text, n.metadata["title"]) for n in found] == [("A child has fever.", "Fever")]
        assert found[0].score is not None
