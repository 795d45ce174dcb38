"""From an index's settings to its store."""

from pathlib import Path

from medloom.search.settings import IndexState
from medloom.search.store import VectorStore


def generation_folder(folder: Path, number: int) -> Path:
    """Where a generation of an index's chunks lies."""
    return folder / f"generation-{number}"


def open_store(folder: Path, state: IndexState) -> VectorStore:
    """The store of a finished index, for asking.

    Raises:
        SearchError: The store is gone, damaged, or the extra ``search`` is not installed.
    """
    if state.settings.store:
        from medloom.search.qdrant_remote import RemoteStore

        return RemoteStore.open(state.settings.store, state.settings.collection, state.settings.for_store())
    from medloom.search.qdrant_edge import EdgeStore

    return EdgeStore.open(generation_folder(folder, state.generation), state.settings.for_store())
