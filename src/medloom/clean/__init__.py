"""Documents of every source made fit for use: repaired, rid of boilerplate, and only those that are wanted."""

from medloom.clean.config import CleanConfig
from medloom.clean.documents import CleanCounts, clean_documents

__all__ = ["CleanConfig", "CleanCounts", "clean_documents"]
