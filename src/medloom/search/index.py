"""An index that is open: its settings, its store, and the model that its vectors are of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from medloom.encode import Encoder, Role, load_encoder
from medloom.errors import SearchError
from medloom.search.backends import open_store
from medloom.search.generations import generation_folder
from medloom.search.settings import IndexSettings, IndexState
from medloom.search.store import Floats, VectorStore
from medloom.search.tokens import TokenTable


@dataclass(frozen=True)
class Index:
    """An index that can be asked.

    Attributes:
        folder: Where it lies.
        settings: What it was made with.
        store: Its chunks.
        encoder: The model that its vectors are of.
        tokens: The packed vectors of its chunks' tokens; None where the store keeps them whole, or nobody does.
        contains_phi: Whether it holds text about patients who can be told from it; None where nobody has said.
        generation: Which state of it was opened.
    """

    folder: Path
    settings: IndexSettings
    store: VectorStore
    encoder: Encoder
    contains_phi: bool | None = None
    generation: int = 1
    tokens: TokenTable | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether an update has been finished since this was opened: open it again to search what it brought."""
        state = IndexState.read(self.folder)
        return state is not None and state.generation != self.generation

    def embed(self, texts: Sequence[str], role: Role = "query", label: str | None = None) -> Floats:
        """Vectors as the index keeps them, of unit length, float32, shape (n, settings.dimensions)."""
        vectors = self.encoder.encode(texts, prompt=self.encoder.prompt_for(role), label=label)
        return fitted(vectors, self.settings.dimensions)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()
        if self.tokens is not None:
            self.tokens.close()


def open_index(path: str | Path, model: str | Path | Encoder | None = None) -> Index:
    """Open an index for asking; any number of processes may.

    Args:
        path: Its folder.
        model: The model, or an encoder that holds it, where the one that the index names is not to be had under that name.

    Raises:
        SearchError: It is no index, was never finished, is damaged, or is of another model.
        ModelError: The model cannot be loaded.
    """
    folder = Path(path).expanduser()
    state = IndexState.read(folder)
    if state is None:
        raise SearchError(f"{folder} holds no index: make one with `medloom index DOCS --model M --out {folder}`")
    if state.state != "ready":
        raise SearchError(f"the index in {folder} is not finished: give the same `medloom index` command again")
    settings = state.settings
    given = settings.model if model is None else model
    encoder = load_encoder(given, settings.precision) if isinstance(given, str | Path) else given
    check_model(settings, encoder)
    try:
        store, tokens = _open_vectors(folder, state)
    except SearchError:
        newer = IndexState.read(folder)
        if newer is None or newer.generation == state.generation:
            raise
        state = newer
        store, tokens = _open_vectors(folder, newer)
    return Index(folder, settings, store, encoder, state.contains_phi, state.generation, tokens)


def _open_vectors(folder: Path, state: IndexState) -> tuple[VectorStore, TokenTable | None]:
    """The store, and the table of packed token vectors where there is one.

    Raises:
        SearchError: One of them is gone or damaged.
    """
    settings = state.settings
    tokens: TokenTable | None = None
    if settings.late_dimensions and settings.late_stored != "float16":
        generation = generation_folder(folder, state.generation)
        tokens = TokenTable.read(generation, settings.late_dimensions, settings.late_stored)
    try:
        return open_store(folder, state), tokens
    except SearchError:
        if tokens is not None:
            tokens.close()
        raise


def check_model(settings: IndexSettings, encoder: Encoder) -> None:
    """Refuse another model than that of the index.

    Raises:
        SearchError: It is another.
    """
    if encoder.hash != settings.model_hash:
        raise SearchError(
            f"the index is of the model {settings.model} ({settings.model_hash[:12]}), this is another one "
            f"({encoder.hash[:12]}): name that model, or make an index of this one in another folder"
        )


def fitted(vectors: Floats, dimensions: int) -> Floats:
    """Vectors cut to their first dimensions (Matryoshka) and of unit length, float32, shape (n, dimensions)."""
    cut = np.ascontiguousarray(vectors[:, :dimensions], dtype=np.float32)
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    return np.divide(cut, np.where(lengths > 0, lengths, 1), dtype=np.float32)
