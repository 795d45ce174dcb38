"""medloom as LlamaIndex's embedding and retriever (extra ``llamaindex``)."""

from collections.abc import Sequence
from typing import Any

from pydantic import PrivateAttr

from medloom.encode import Encoder
from medloom.search.answer import metadata_of
from medloom.search.index import Index
from medloom.search.query import SearchSettings, search
from medloom.search.records import Hit

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ImportError as error:
    raise ImportError("LlamaIndex's classes need the extra llamaindex: pip install 'medloom[llamaindex]'") from error


class MedloomEmbedding(BaseEmbedding):
    """An encoder as LlamaIndex's embedding; queries and documents get the prompts that the model was trained with.

    Args:
        encoder: From :func:`medloom.encode.load_encoder`.
        settings: LlamaIndex's own, such as ``embed_batch_size``.
    """

    _encoder: Encoder = PrivateAttr()

    def __init__(self, encoder: Encoder, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**{"model_name": f"medloom {encoder.hash[:12]}", **settings})
        self._encoder = encoder

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._encoder.encode([query], prompt=self._encoder.prompt_for("query"))[0].tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: Sequence[str]) -> list[list[float]]:
        prompt = self._encoder.prompt_for("document")
        vectors: list[list[float]] = self._encoder.encode(list(texts), prompt=prompt).tolist()
        return vectors


class MedloomRetriever(BaseRetriever):
    """An open index as LlamaIndex's retriever.

    Each node is a chunk that was found: its text, its id, and as metadata source, document, title, heading, place, evidence
    and the document's facts.

    Args:
        index: From :func:`medloom.search.open_index`.
        settings: How to search.
        others: LlamaIndex's own, such as ``callback_manager``.
    """

    def __init__(self, index: Index, settings: SearchSettings | None = None, **others: Any) -> None:  # noqa: ANN401
        super().__init__(**others)
        self._index, self._settings = index, settings or SearchSettings()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in search(self._index, query_bundle.query_str, self._settings).hits]


def _node(hit: Hit) -> NodeWithScore:
    metadata = metadata_of(hit)
    node = TextNode(id_=hit.chunk.id, text=hit.chunk.text, metadata=metadata)
    return NodeWithScore(node=node, score=hit.score)
