"""Ways to write files and to read them as a source."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from medloom.records import Document
from medloom.sources import Rejects
from medloom.sources.files import FilesSource

ReadAll = Callable[..., list[Document]]


@pytest.fixture
def read_all(tmp_path: Path) -> ReadAll:
    """Documents of a files source whose paths are relative to ``tmp_path``."""

    def read(path: Any, rejects: Rejects | None = None, **settings: Any) -> list[Document]:
        source = FilesSource(path=path, **settings).relative_to(tmp_path)
        return list(source.documents(rejects or Rejects(tmp_path / "rejects.jsonl")))

    return read


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows (objects, or raw lines as bytes) to a file below ``tmp_path``."""

    def write(name: str, rows: Iterable[Any]) -> Path:
        lines = (row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
        path = tmp_path / name
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    return write
