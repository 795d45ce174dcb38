"""CURE: passages for clinicians' questions in ten disciplines, the corpus of a retrieval benchmark.

For: title - text, passages by discipline. Reads the folder of the data set (``<discipline>/corpus.jsonl``), or the hub's
own (clinia/CUREv1). The passages are English; the queries (English, Spanish, French) give no documents. Licence: CC BY-NC
4.0. A benchmark of MTEB with a test split alone: every document is marked as test, and a warning says so.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from medloom.errors import SourceError
from medloom.identity import text_hash
from medloom.records import Document
from medloom.sources.base import Rejects, Release
from medloom.sources.beir import BeirSource
from medloom.sources.formats import readers
from medloom.sources.published import Part
from medloom.sources.table import digests, rows_of


class CureSource(BeirSource):
    """Passages with their discipline as category; one that stands in several disciplines comes once, with the first."""

    type: Literal["cure"] = "cure"
    DATASET: ClassVar[str] = "clinia/CUREv1"
    LICENCE: ClassVar[str] = "CC BY-NC 4.0"
    WHOLE: ClassVar[str] = "test"

    path: Path | None = Field(default=None, description="The data set's folder, with a folder for each discipline.")
    disciplines: tuple[str, ...] = Field(
        default=(), description="Disciplines to read (dermatology, genetics, ...); all if not set."
    )

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per passage."""
        seen: set[bytes] = set()
        for document in super().documents(rejects):
            key = text_hash(f"{document.id.partition('#')[0]}\n{document.title}\n{document.text}")
            if key not in seen:
                seen.add(key)
                yield document

    def release(self) -> Release:
        """Licence and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="CURE v1, a benchmark",
            version=self._stated(),
            licence="CC BY-NC 4.0",
            citation=(
                "Athar Sheikh N, Buades Marcos D, Jousse AL, Oladipo A, Rousseau O, Lin J. CURE: a dataset for clinical "
                "understanding and retrieval evaluation. Proceedings of the 31st ACM SIGKDD Conference 2025."
            ),
            url="https://huggingface.co/datasets/clinia/CUREv1",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of each discipline's passages, or the commit on the hub."""
        if self.hub:
            return super().inputs()
        return {name: next(iter(digests([path]).values())) for name, path in self._by_discipline().items()}

    def count(self) -> int | None:
        """Not known beforehand: passages repeat."""
        return None

    def _parts(self) -> Iterator[tuple[Part, Iterator[readers.Row]]]:
        if self.hub:
            for found, rows in self._hub.parts(self.disciplines):
                yield Part(found.split, ""), rows
        else:
            for name, path in self._by_discipline().items():
                yield Part(name, "", path), rows_of(path)

    def _by_discipline(self) -> dict[str, Path]:
        folder = self._folder / (self.path or Path()).expanduser()
        found = {path.parent.name: path for path in sorted(folder.glob("*/corpus.jsonl"))}
        wanted = self.disciplines or tuple(found)
        if not found or not set(wanted) <= set(found):
            missing = ", ".join(name for name in wanted if name not in found) or "any discipline"
            raise SourceError(f"source {self.name}: no corpus.jsonl of {missing} in {folder}: give the data set's folder")
        return {name: found[name] for name in wanted}

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document:
        document = super()._document(row, where, part, number)
        return replace(document, categories=(part.name,), metadata=(("language", "en"), *document.metadata))
