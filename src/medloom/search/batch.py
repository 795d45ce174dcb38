"""Many queries from a file, their answers into another; a killed run goes on where it stopped."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medloom.artifacts import disk_errors, write_json
from medloom.errors import RowError, RunLockedError, SearchError
from medloom.identity import digest, file_digest
from medloom.progress import bar
from medloom.search.index import Index
from medloom.search.query import SearchSettings, search_many
from medloom.search.rerank import Reranker, load_reranker
from medloom.sources.formats import readers
from medloom.sources.table import text_of

_BLOCK = 32
_MAX_CHARS = 100_000
_IDS = ("_id", "id", "query_id")
_TEXTS = ("text", "query", "question")


@dataclass(frozen=True)
class BatchSummary:
    """What came of it.

    Attributes:
        out: The file of answers.
        queries: Queries in the file.
        searched: Those that this run has searched for.
        kept: Those whose answers an earlier run had written.
    """

    out: str
    queries: int
    searched: int
    kept: int


def read_queries(path: Path) -> list[tuple[str, str]]:
    """Queries with their ids.

    Args:
        path: JSONL, CSV, TSV or Parquet with a field ``text`` (or ``query``, ``question``) and perhaps ``_id`` (or ``id``,
            ``query_id``); or ``.txt``, a query a line. Without an id, a query's number is its id.

    Raises:
        SourceError: The file cannot be read.
        RowError: A row has no text, or the id of another.
    """
    queries: dict[str, str] = {}
    for where, id_, text in _lines(path) if readers.is_text(path) else _rows(path):
        if id_ in queries:
            raise RowError(where, "its id stands in an earlier row too")
        queries[id_] = text
    if not queries:
        raise SearchError(f"{path} holds no queries")
    return list(queries.items())


def search_file(
    index: Index, path: Path, out: Path, settings: SearchSettings | None = None, reranker: Reranker | None = None
) -> BatchSummary:
    """Search for every query of a file.

    Args:
        index: An open index.
        path: The queries; see :func:`read_queries`.
        out: JSONL, a line for each query in their order: its ``id`` and what :meth:`Answer.to_dict` gives. A file
            ``OUT.settings.json`` beside it says what it was made with.
        settings: How to search.
        reranker: What re-ranks, where it is loaded already.

    Raises:
        SearchError: ``out`` was made from other queries, with other settings, or from another state of the index.
        RunLockedError: Another run writes to it.
    """
    settings = settings or SearchSettings()
    queries = read_queries(path)
    if settings.rerank != "none" and reranker is None:
        reranker = load_reranker(index, settings.rerank, settings.rerank_model)
    with disk_errors(out.parent), _held(out):
        _check_same(out, _made_with(index, path, settings))
        done = _written(out)
        if done > len(queries):
            raise SearchError(f"{out} holds more answers than there are queries: give another file")
        with out.open("a", encoding="utf-8") as file, bar("searching", len(queries), "queries") as advance:
            advance(done)
            for start in range(done, len(queries), _BLOCK):
                block = queries[start : start + _BLOCK]
                answers = search_many(index, [text for _, text in block], settings, reranker)
                for (id_, _), answer in zip(block, answers, strict=True):
                    file.write(json.dumps({"id": id_, **answer.to_dict()}, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
                advance(len(block))
    return BatchSummary(str(out), len(queries), len(queries) - done, done)


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, (where, row, _) in enumerate(readers.read(path, _MAX_CHARS), start=1):
        if isinstance(row, RowError):
            raise row
        plain = {name: str(value) if isinstance(value, int) else value for name, value in row.items()}
        yield where, text_of(plain, _IDS, where) or str(number), text_of(plain, _TEXTS, where, required=True)


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    """The lines of a text file that are not blank, by their numbers."""
    with readers.unpacked(path) as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            try:
                text = line.decode("utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise RowError(where, "not UTF-8") from error
            if text:
                yield where, str(number), text


def _made_with(index: Index, path: Path, settings: SearchSettings) -> dict[str, Any]:
    return {
        "queries": file_digest(path),
        "settings": settings.model_dump(mode="json"),
        "index": {"made_with": digest(index.settings.model_dump(mode="json")), "generation": index.generation},
    }


def _check_same(out: Path, made_with: dict[str, Any]) -> None:
    beside = out.with_name(f"{out.name}.settings.json")
    if not out.is_file():
        write_json(beside, made_with)
        return
    try:
        known = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError):
        known = None
    if known != made_with:
        raise SearchError(
            f"{out} was not made from these queries with these settings on this state of the index: give another file, or "
            "remove it"
        )


def _written(out: Path) -> int:
    """Answers that are whole; half a line of a killed run is cut off."""
    if not out.is_file():
        return 0
    with out.open("rb+") as file:
        whole = size = 0
        for line in file:
            if line.endswith(b"\n"):
                whole, size = whole + 1, size + len(line)
        file.truncate(size)
    return whole


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Keep other runs from writing to the file of answers."""
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out.with_name(f".{out.name}.lock"), timeout=0):
            yield
    except Timeout:
        raise RunLockedError(out) from None
