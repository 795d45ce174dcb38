"""Training records from a file: a table of medloom's, or rows of another's making."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medloom.errors import RowError, SourceError
from medloom.records import TrainingRecord
from medloom.sources.formats import readers

_MAX_CHARS = 1_000_000
_QUERIES = ("query", "anchor")
_POSITIVES = ("positives", "positive", "pos")
_NEGATIVES = ("negatives", "negative", "neg")
_KIND = "query_passage"
_SHOWN, _LONGEST_NAME = 12, 60


def read_records(path: Path) -> Iterator[TrainingRecord]:
    """Stream the records of a file.

    Args:
        path: Parquet, JSONL, CSV or TSV. A row has a ``query`` (or ``anchor``), ``positives`` (``positive``, ``pos``: a text
            or a list) and, if it likes, ``negatives`` (``negative``, ``negative_1``, ..., ``neg``), ``kind``, ``source``,
            ``doc_id``, ``model``, ``prompt`` and ``scores``. Other fields are passed over. Where they are not said, the
            source is the file's stem, the document the row itself, the kind ``query_passage``.

    Raises:
        SourceError: The file is not there, is damaged, or holds no rows.
        RowError: A row lacks a query or a positive, or holds something else than text there.
    """
    if not path.is_file():
        raise SourceError(f"no such file: {path}: give a table of records (pairs.parquet, mined.parquet, ...) or JSONL")
    if readers.is_text(path):
        raise SourceError(
            f"{path} is a text, not records: make pairs or queries of it first (medloom run, medloom generate)"
        )
    number = 0
    for number, (where, row, _) in enumerate(readers.read(path, _MAX_CHARS), start=1):
        if isinstance(row, RowError):
            raise row
        yield _record(row, where, path.name.split(".")[0], number)
    if not number:
        raise SourceError(f"{path} holds no rows: check how it was written")


def _record(row: Mapping[str, Any], where: str, stem: str, number: int) -> TrainingRecord:
    query = next((row[name] for name in _QUERIES if row.get(name) is not None), None)
    positives = _texts(row, _POSITIVES, where)
    if query is None or not positives:
        missing = "query" if query is None else "positives"
        fields = ", ".join(str(name) for name in list(row)[:_SHOWN] if len(str(name)) <= _LONGEST_NAME)
        raise RowError(where, f"there is no {missing!r} in this row, whose fields are: {fields}")
    negatives = _texts(row, _NEGATIVES, where)
    ours = "positives" in row
    return TrainingRecord(
        query=_text(query, "query", where),
        positives=positives,
        kind=_word(row, "kind", where) or _KIND,
        source=_word(row, "source", where) or stem,
        doc_id=_word(row, "doc_id", where) or f"row {number}",
        negatives=negatives,
        scores=_scores(row, 1 + len(negatives), where),
        model=_word(row, "model", where) if ours else "",
        prompt=_word(row, "prompt", where) if ours else "",
    )


def _texts(row: Mapping[str, Any], names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The texts under the first of the names that is there, and under ``NAME_1``, ``NAME_2``, ..."""
    name = next((n for n in names if row.get(n) is not None), None)
    value = row[name] if name else None
    if value is None:
        numbered = [
            n for n in row if any(n.startswith(f"{stem}_") and n.removeprefix(f"{stem}_").isdigit() for stem in names)
        ]
        value = [row[n] for n in numbered if row[n] is not None]
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise RowError(where, f"field {name!r} holds {type(value).__name__}, expected a text or a list of texts")
    return tuple(dict.fromkeys(_text(text, name or names[0], where) for text in value))


def _text(value: object, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise RowError(where, f"field {name!r} holds {type(value).__name__}, expected text")
    if not value.strip():
        raise RowError(where, f"field {name!r} holds an empty text: leave the row out")
    if len(value) > _MAX_CHARS:
        raise RowError(
            where, f"field {name!r} has {len(value):,} characters, more than {_MAX_CHARS:,}: cut it into passages"
        )
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise RowError(where, f"field {name!r} holds half a surrogate pair, which is no text: repair the file")
    return value


def _word(row: Mapping[str, Any], name: str, where: str) -> str:
    """A name or an id; whole numbers count as text."""
    value = row.get(name)
    if value is None or value == "":
        return ""
    return _text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value, name, where)


def _scores(row: Mapping[str, Any], wanted: int, where: str) -> tuple[float, ...]:
    """Scores of the first positive and each negative, where all are there."""
    names = ("scores",) if row.get("scores") is not None else ("pos_scores", "neg_scores")
    parts = [row[name] for name in names if row.get(name) is not None]
    if not all(isinstance(part, list) and all(isinstance(v, int | float) for v in part) for part in parts):
        raise RowError(where, "the scores must be lists of numbers")
    value = [v for part in (parts if len(parts) < 2 else [parts[0][:1], parts[1]]) for v in part]
    return tuple(float(v) for v in value) if len(value) == wanted else ()
