"""medloom as LangChain's embeddings and retriever (extra ``langchain``).

LangChain sends what passes through it to LangSmith where the environment turns tracing on (``LANGSMITH_TRACING``): leave it
off for text about patients.
"""

from pydantic import Field, InstanceOf

from medloom.encode import Encoder
from medloom.search.answer import metadata_of
from medloom.search.index import Index
from medloom.search.query import SearchSettings, search
from medloom.search.records import Hit

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
except ImportError as error:
    raise ImportError("LangChain's classes need the extra langchain: pip install 'medloom[langchain]'") from error


class MedloomEmbeddings(Embeddings):
    """An encoder as LangChain's ``Embeddings``; queries and documents get the prompts that the model was trained with.

    Args:
        encoder: From :func:`medloom.encode.load_encoder`.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each document."""
        prompt = self._encoder.prompt_for("document")
        vectors: list[list[float]] = self._encoder.encode(texts, prompt=prompt).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        vector: list[float] = self._encoder.encode([text], prompt=self._encoder.prompt_for("query"))[0].tolist()
        return vector


class MedloomRetriever(BaseRetriever):
    """An open index as LangChain's retriever.

    Each document is a chunk that was found: its text, its id, and as metadata source, document, title, heading, place,
    evidence, score and the document's facts.
    """

    index: InstanceOf[Index] = Field(description="The index, from open_index.")
    settings: SearchSettings = Field(default_factory=SearchSettings, description="How to search.")

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [_document(hit) for hit in search(self.index, query, self.settings).hits]


def _document(hit: Hit) -> Document:
    return Document(id=hit.chunk.id, page_content=hit.chunk.text, metadata=metadata_of(hit))
