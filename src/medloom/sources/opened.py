"""Documents that a user names by path: an artifact, a finished run, or a file of rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from medloom.artifacts import read_manifest, read_table
from medloom.errors import SourceError
from medloom.folders import check_is_file_system
from medloom.identity import digest, file_digest
from medloom.records import Document, marked
from medloom.sources.base import Rejects
from medloom.sources.files import FieldMap, FilesSource

TABLE = "documents.parquet"
_COLUMNS = {"id", "source", "title", "text", "group", "sections", "synonyms", "parents", "categories"}


def documents_table(path: Path) -> Path | None:
    """The table of documents at a path: a Parquet file of ours, an artifact, or a run's last table of documents."""
    if path.is_file():
        return path if path.suffix == ".parquet" and is_documents_table(path) else None
    stages = (
        sorted(path.glob(f"stages/*-{stage}-*/{TABLE}"), key=lambda p: p.stat().st_mtime)
        for stage in ("deid", "clean", "collect")
    )
    candidates = [path / TABLE, *(table for found in stages for table in reversed(found))]
    return next((c for c in candidates if c.is_file() and read_manifest(c.parent) is not None), None)


class OpenedDocuments:
    """Documents of a path, streamed anew at each call.

    Args:
        path: A documents artifact, a run's folder, a Parquet table of documents, or what the source ``files`` reads.
        fields: Which field plays which part, for files of rows.
        contains_phi: What the user says of the text; a document's own mark as patient text stays.
        on_error: Whether a bad row stops the reading or is left out.

    Raises:
        SourceError: There is nothing that could be read.
        MedloomError: The path is an address of object storage.
    """

    def __init__(
        self,
        path: Path,
        fields: FieldMap | None = None,
        contains_phi: bool | None = None,
        on_error: Literal["fail", "skip"] = "fail",
    ) -> None:
        check_is_file_system(path)
        self._path, self._fields, self._contains_phi, self._on_error = path, fields or FieldMap(), contains_phi, on_error
        self.table = documents_table(path)
        if self.table is None:
            self._files().inputs()

    def __call__(self, rejects: Rejects | None = None) -> Iterator[Document]:
        """Yield every document once, in order.

        Args:
            rejects: Keeps bad rows where ``on_error`` is ``skip``; they are only counted if not given.
        """
        if self.table is not None:
            return marked(read_table(self.table, Document), self._contains_phi)
        return self._files().documents(rejects or Rejects(None))

    def hash(self) -> str:
        """Content hash of what is read."""
        return file_digest(self.table) if self.table is not None else digest(self._files().inputs())

    def _files(self) -> FilesSource:
        path = str(self._path.expanduser())
        return FilesSource(path=path, fields=self._fields, contains_phi=self._contains_phi, on_error=self._on_error)


def is_documents_table(path: Path) -> bool:
    """Whether a Parquet file has the columns of a table of documents.

    Raises:
        SourceError: It is no readable Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return set(pq.read_schema(path).names) >= _COLUMNS
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} is not readable Parquet: write it anew") from error
