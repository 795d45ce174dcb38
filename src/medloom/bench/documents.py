"""Documents for a build, by the name of their source: from an artifact, a finished run, or a file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from medloom.artifacts import read_table
from medloom.errors import SourceError
from medloom.identity import digest, file_digest
from medloom.records import Document
from medloom.sources.opened import documents_table


@dataclass(frozen=True)
class DocumentsInput:
    """Where the documents of one source come from.

    Attributes:
        source: Name of the source, as the tasks call it.
        path: A documents artifact (or the run that holds one), or a file that the source of that name can read.
    """

    source: str
    path: Path

    def load(self) -> Sequence[Document]:
        """All documents of the source, in the artifact's or file's order.

        Raises:
            SourceError: Nothing is there, no source of that name reads files, or the artifact holds none of its documents.
        """
        table = documents_table(self.path)
        if table is None:
            return self._read()
        documents = list(read_table(table, Document))
        names = {document.source for document in documents}
        if self.source not in names and len(names) > 1:
            raise SourceError(
                f"{table} holds documents of {', '.join(sorted(names))}, none of {self.source}: name the source as the "
                "recipe that collected it did"
            )
        return [d for d in documents if d.source == self.source] if self.source in names else documents

    def hash(self) -> str:
        """Content hash of what is read."""
        table = documents_table(self.path)
        if table is not None:
            return file_digest(table)
        files = [self.path] if self.path.is_file() else sorted(p for p in self.path.rglob("*") if p.is_file())
        return digest([file_digest(path) for path in files])

    def _read(self) -> Sequence[Document]:
        from medloom.sources import Rejects, known_sources

        kind = known_sources().get(self.source)
        if not self.path.exists():
            raise SourceError(f"--data {self.source}: no file or folder {self.path}")
        if kind is None or "path" not in kind.model_fields:
            raise SourceError(
                f"--data {self.source}: medloom reads no files of a source of that name: give a documents artifact "
                "(the collect stage of a run)"
            )
        try:
            source = kind.model_validate({"path": str(self.path)})
        except ValidationError as error:
            raise SourceError(f"--data {self.source}: {error.errors()[0]['msg']}") from error
        rejects = Rejects(Path(os.devnull))
        return [document for document in source.documents(rejects)]
