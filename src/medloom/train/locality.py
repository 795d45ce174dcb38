"""Batches of neighbours: queries are clustered by the model as it is, and batches drawn within clusters."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloom.encode.encoder import Floats
from medloom.train.config import LocalityConfig

Labels = npt.NDArray[np.int64]


class Clusters:
    """The order of the rows of each epoch: cluster by cluster, near clusters after one another.

    An epoch's clusters are kept in a file until training ends: a resumed epoch goes on with those it began with.

    Args:
        queries: Query of each row, by the row's number.
        encode: Texts to float32 vectors, shape (n, d), by the model as it is.
        config: Settings.
        batch: Rows of a batch.
        seed: Of the clustering.
        folder: Where the clusters of an epoch are kept.
        shared: Gives every process what the first one has; called by all of them.
    """

    def __init__(
        self,
        queries: Sequence[str],
        encode: Callable[[Sequence[str]], Floats],
        config: LocalityConfig,
        batch: int,
        seed: int,
        folder: Path,
        shared: Callable[[Callable[[], Labels]], Labels],
    ) -> None:
        self._queries = queries
        self._encode = encode
        self._config = config
        self._batch = batch
        self._seed = seed
        self._folder = folder
        self._shared = shared

    def __call__(self, rows: Sequence[int], shuffled: Sequence[int], epoch: int) -> list[int] | None:
        """Places in ``rows``, clusters together, at random within each; None where all is to stay at random."""
        count = round(len(rows) / (self._batch * self._config.batches))
        if epoch < self._config.from_epoch or count < 2:
            return None
        ranks = self._shared(lambda: self._kept(rows, count, epoch))
        places = np.asarray(shuffled)
        return places[np.argsort(ranks[places], kind="stable")].tolist()  # type: ignore[no-any-return]

    def _kept(self, rows: Sequence[int], count: int, epoch: int) -> Labels:
        path = self._folder / f"{epoch}-{rows[0]}.npy"
        if path.is_file():
            return np.load(path)  # type: ignore[no-any-return]
        ranks = cluster_ranks(self._encode([self._queries[row] for row in rows]), count, self._seed + epoch)
        self._folder.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half.npy")
        np.save(half, ranks)
        half.replace(path)
        return ranks


def cluster_ranks(vectors: Floats, count: int, seed: int) -> Labels:
    """K-means on the sphere; clusters are numbered so that each lies near the one before.

    Args:
        vectors: float32, shape (n, d).
        count: Number of clusters.
        seed: Of the first centres.

    Returns:
        int64, shape (n,): number of each row's cluster.
    """
    from sklearn.cluster import MiniBatchKMeans

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    fitted = MiniBatchKMeans(count, random_state=seed, n_init=3, batch_size=4_096).fit(unit)
    near = fitted.cluster_centers_ @ fitted.cluster_centers_.T
    ranks = np.full(count, -1, dtype=np.int64)
    here = 0
    for rank in range(count):
        ranks[here] = rank
        near[:, here] = -np.inf
        here = int(near[here].argmax())
    return ranks[fitted.labels_]  # type: ignore[no-any-return]
