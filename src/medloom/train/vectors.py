"""What a fixed model (a guide, a teacher, the base) says of the training texts, computed once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medloom.encode import VectorFolder, load_encoder
from medloom.encode.encoder import Floats, Precision
from medloom.encode.models import ModelRef
from medloom.identity import digest
from medloom.train.pairs import Row

if TYPE_CHECKING:
    from torch import Tensor


class RowVectors:
    """Vectors of the texts of rows, memory-mapped.

    Args:
        queries: float32, shape (distinct queries, d).
        documents: float32, shape (distinct documents, d).
        places: int64, shape (rows, 1 + most documents of a row): where each row's query and documents stand; -1 for none.
    """

    def __init__(self, queries: Floats, documents: Floats, places: np.ndarray) -> None:
        self._tables = (queries, documents)
        self._places = places

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._tables[0].shape[1])

    def take(self, rows: "Tensor", columns: int) -> "list[Tensor]":
        """Unit vectors of the rows' queries, positives, negatives: ``columns`` tensors of shape (rows, d), float32."""
        import torch
        from torch.nn.functional import normalize

        places = self._places[rows.cpu().numpy()]
        return [
            normalize(torch.from_numpy(np.array(self._tables[min(column, 1)][places[:, column]])), dim=-1).to(rows.device)
            for column in range(columns)
        ]


def row_vectors(rows: Sequence[Row], model: ModelRef, folder: Path, max_seq_length: int, precision: Precision) -> RowVectors:
    """Encode each distinct text of the rows once, with the model's own prompts, cut as in training.

    Args:
        rows: The rows.
        model: What to encode with.
        folder: Where the vectors lie; a later call with the same arguments goes on from what is there.
        max_seq_length: Longest text, in tokens.
        precision: Of the arithmetic.
    """
    encoder = load_encoder(model, precision)
    encoder.model.max_seq_length = min(max_seq_length, encoder.model.max_seq_length or max_seq_length)
    queries: dict[str, int] = {}
    documents: dict[str, int] = {}
    places = np.full((len(rows), 1 + max(len(row.documents) for row in rows)), -1, dtype=np.int64)
    for number, row in enumerate(rows):
        places[number, 0] = queries.setdefault(row.query, len(queries))
        for column, text in enumerate(row.documents, start=1):
            places[number, column] = documents.setdefault(text, len(documents))
    what = digest({"rows": [[row.query, *row.documents] for row in rows], "cut": max_seq_length, "precision": precision})
    vectors = VectorFolder(encoder, folder, what)
    return RowVectors(vectors("queries", list(queries), "query"), vectors("documents", list(documents), "document"), places)
