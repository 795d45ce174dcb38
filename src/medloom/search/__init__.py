"""Index and query: dense, lexical, fused, re-ranked, with the evidence marked."""

from medloom.search.answer import Answer
from medloom.search.index import Index, open_index
from medloom.search.like import more_like
from medloom.search.query import SearchSettings, search, search_many
from medloom.search.records import Chunk, Hit

__all__ = ["Answer", "Chunk", "Hit", "Index", "SearchSettings", "more_like", "open_index", "search", "search_many"]
