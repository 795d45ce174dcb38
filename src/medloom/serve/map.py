"""The map of an index: a sample of its chunks laid out so that what is alike lies together."""

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from medloom.search.filters import facts_of
from medloom.search.records import Chunk
from medloom.search.store import Floats, VectorStore

OTHER = "other"
_LABELS = 7
_AXES = 50
_NEIGHBOURS = 30
_LEAST = 3 * _NEIGHBOURS
_SEED = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Chunks with their places.

    Attributes:
        chunks: They.
        places: float32, shape (n, 2), each axis from -1 to 1.
    """

    chunks: list[Chunk]
    places: Floats

    def to_dict(self, by: str) -> dict[str, Any]:
        """As JSON, labelled by the first value of a fact; values beyond the most frequent are one label."""
        values = [next(iter(facts_of(chunk).get(by, [])), "") or OTHER for chunk in self.chunks]
        counts = Counter(value for value in values if value != OTHER)
        kept = [value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_LABELS]]
        labels = [value if value in kept else OTHER for value in values]
        points = [
            {
                "chunk": chunk.id,
                "x": round(float(x), 4),
                "y": round(float(y), 4),
                "label": label,
                "title": chunk.title or chunk.heading,
                "source": chunk.source,
                "document": chunk.doc_id,
            }
            for chunk, (x, y), label in zip(self.chunks, self.places, labels, strict=True)
        ]
        return {"by": by, "points": points, "labels": [*kept, *([OTHER] if OTHER in labels else [])]}


class Maps:
    """Maps of a store, each drawn once.

    Args:
        store: Whose chunks are drawn.
    """

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._known: dict[int, Layout] = {}
        self._lock = threading.Lock()

    def layout(self, points: int) -> Layout:
        """A map of so many chunks; the same each time."""
        with self._lock:
            if points not in self._known:
                self._known = {points: self._draw(points)}
            return self._known[points]

    def _draw(self, points: int) -> Layout:
        chunks = sample(self._store, points)
        return Layout(chunks, project(self._store.vectors([chunk.id for chunk in chunks])))


def sample(store: VectorStore, n: int) -> list[Chunk]:
    """Chunks of different documents, drawn with a fixed seed (reservoir sampling), in the order of the store."""
    rng = np.random.default_rng(_SEED)
    kept: list[tuple[int, Chunk]] = []
    seen = 0
    for place, chunk in enumerate(store.chunks()):
        if chunk.number:
            continue
        seen += 1
        if len(kept) < n:
            kept.append((place, chunk))
        elif (at := int(rng.integers(seen))) < n:
            kept[at] = (place, chunk)
    return [chunk for _, chunk in sorted(kept, key=lambda one: one[0])]


def project(vectors: Floats) -> Floats:
    """Vectors in the plane: PCA to 50 axes, then t-SNE from there (van der Maaten and Hinton 2008); few by PCA alone.

    Args:
        vectors: float32, shape (n, d).

    Returns:
        float32, shape (n, 2), each axis from -1 to 1.
    """
    axes = principal(vectors, _AXES)
    if len(vectors) >= _LEAST:
        from sklearn.manifold import TSNE

        start = axes[:, :2] / max(float(axes[:, 0].std()), 1e-12) * 1e-4
        drawn = TSNE(perplexity=_NEIGHBOURS, init=start, learning_rate="auto", random_state=_SEED).fit_transform(axes)
        axes = np.asarray(drawn, dtype=np.float32)
    return _fitted(axes[:, :2])


def principal(vectors: Floats, axes: int) -> Floats:
    """Vectors along their principal axes, float32, shape (n, axes); zeros where they have fewer."""
    out = np.zeros((len(vectors), axes), dtype=np.float32)
    if len(vectors) > 1:
        centred = vectors - vectors.mean(axis=0)
        _, _, rows = np.linalg.svd(centred, full_matrices=False)
        signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])[:axes]
        found = centred @ (rows[:axes] * signs[:, None]).T
        out[:, : found.shape[1]] = found
    return out


def _fitted(places: Floats) -> Floats:
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    span = np.where(high > low, high - low, 1)
    fitted: Floats = ((places - (low + high) / 2) / span * 2).astype(np.float32)
    return fitted
