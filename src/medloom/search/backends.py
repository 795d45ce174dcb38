"""From an index's settings to its store."""

from pathlib import Path

from medloom.search.generations import generation_folder
from medloom.search.journal import Journal
from medloom.search.settings import IndexSettings, IndexState
from medloom.search.store import VectorStore

_MAKING, _MADE = "making", "made"


def open_store(folder: Path, state: IndexState) -> VectorStore:
    """The store of a finished index, for asking.

    Raises:
        SearchError: The store is gone, damaged, or the extra ``search`` is not installed.
    """
    settings = state.settings
    if settings.store:
        from medloom.search.qdrant_remote import RemoteStore

        return RemoteStore.open(settings.store, settings.collection, settings.for_store())
    from medloom.search.qdrant_edge import EdgeStore

    return EdgeStore.open(generation_folder(folder, state.generation), settings.for_store())


def open_for_writing(generation: Path, settings: IndexSettings, journal: Journal) -> VectorStore:
    """The store that a generation's documents go into; made if it has not been.

    Raises:
        SearchError: It cannot be made or opened.
    """
    made = journal.info("store") == _MADE
    if settings.store:
        store: VectorStore = _remote(settings, journal, made)
    else:
        from medloom.search.qdrant_edge import EdgeStore

        store = (EdgeStore.open if made else EdgeStore.create)(generation, settings.for_store())
    journal.note("store", _MADE)
    return store


def settle(generation: Path, settings: IndexSettings) -> None:
    """Leave a written and closed store as readers want it: the first to open one tidies up behind the writer."""
    if not settings.store:
        from medloom.search.qdrant_edge import EdgeStore

        EdgeStore.open(generation, settings.for_store()).close()


def _remote(settings: IndexSettings, journal: Journal, made: bool) -> VectorStore:
    from medloom.search.qdrant_remote import RemoteStore, connect, refuse_taken, remove

    if made:
        return RemoteStore.open(settings.store, settings.collection, settings.for_store())
    client = connect(settings.store)
    if journal.info("store") == _MAKING:
        remove(client, settings.collection)
    refuse_taken(client, settings.collection)
    journal.note("store", _MAKING)
    return RemoteStore.create(client, settings.collection, settings.for_store())
