"""Your own data as a task, without code.

A folder in BEIR's layout (``corpus.jsonl``, ``queries.jsonl``, ``qrels.tsv`` or ``qrels/test.tsv``) is a retrieval task; a
CSV or TSV of ``text,label`` is classification (clustering, if you say so); ``sentence1,sentence2,label`` is pair
classification. A small YAML file, ``task.yaml`` in the folder or ``NAME.yaml`` beside the table, may set what
:class:`OwnTask` names.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medloom.errors import RowError, SourceError, StageError
from medloom.evaluate.tasks import Facet, Task, check
from medloom.identity import text_hash
from medloom.sources.formats import readers
from medloom.sources.table import text_of
from medloom.text import clean, text_key

_MAX_CHARS = 1_000_000
_BYTES = 8
_UNIT = 1 << 8 * _BYTES
_BEIR = ("corpus", "queries", "qrels")
_QRELS = "query-id, corpus-id, score, parted by tabs, under a header"
_FIELDS = ("text", "sentence1", "sentence2", "label", "group", "split")
_MEANINGS = {"1": 1, "true": 1, "yes": 1, "1.0": 1, "0": 0, "false": 0, "no": 0, "0.0": 0}

Cells = dict[str, str]
Row = tuple[str, Cells]


class OwnTask(BaseModel):
    """What the YAML file beside your data may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="", description="Name of the task; that of the folder or file if not set.")
    description: str = Field(default="", description="What the model must do, in a sentence.")
    type: Literal["Retrieval", "Classification", "Clustering", "PairClassification"] | None = Field(
        default=None, description="Clustering turns text,label into a clustering task; else the layout says what it is."
    )
    metric: str = Field(default="", description="Main score, such as recall_at_10; the type's own if not set.")
    facet: Facet = Field(default="mixed", description="Kind of text.")
    public: bool = Field(default=False, description="Whether the text may be sent to an embedding service elsewhere.")
    train: float = Field(
        default=0.3, gt=0, lt=1, description="Classification: share to fit on, where the table has no split column."
    )
    seed: int = Field(default=0, description="Draws the split.")


def own_task(path: Path) -> Task:
    """Read a task from a folder in BEIR's layout or from a table.

    Args:
        path: The folder or file.

    Raises:
        SourceError: It is not there, or is none of the layouts.
        RowError: A row is bad; the message says where, and quotes nothing of it.
    """
    if path.is_dir():
        config = _config(path / "task.yaml", path.name)
        task = _beir(path, config)
    elif path.is_file():
        config = _config(path.with_name(f"{path.name.split('.')[0]}.yaml"), path.name.split(".")[0])
        task = _table(path, config)
    else:
        raise SourceError(f"no task at {path}: give a folder in BEIR's layout, or a CSV or TSV file")
    try:
        return check(task)
    except StageError as error:
        raise SourceError(f"{path}: {error}") from error


def own_queries(folder: Path) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Read the queries and judgements of a folder in BEIR's layout, for a corpus that lies elsewhere.

    Args:
        folder: With ``queries.jsonl`` and ``qrels.tsv`` or ``qrels/test.tsv``.

    Returns:
        Text of each query that has a relevant document, and its judgements by document id.

    Raises:
        SourceError: A file is missing or damaged.
        RowError: A row is bad.
    """
    queries = _texts(_find(folder, "queries"))
    qrels = _qrels(_find(folder, "qrels"), queries, None)
    asked = _asked(queries, qrels)
    return asked, {query: qrels[query] for query in asked}


def _config(path: Path, name: str) -> OwnTask:
    if not path.is_file():
        return OwnTask(name=name)
    try:
        raw = yaml.safe_load(path.read_text("utf-8")) or {}
        config = OwnTask.model_validate(raw)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is not valid YAML: mend it, or remove it") from error
    except ValidationError as error:
        first = error.errors()[0]
        known = ", ".join(OwnTask.model_fields)
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SourceError(f"{path}: {where}: {first['msg']} (known settings: {known})") from error
    return config if config.name else config.model_copy(update={"name": name})


def _rows(path: Path, fields: tuple[str, ...], needed: tuple[str, ...]) -> Iterator[Row]:
    """Where each row stands, and its fields as clean text; numbers and truth values count as text."""
    for where, row, _ in readers.read(path, _MAX_CHARS):
        if isinstance(row, RowError):
            raise row
        plain = {field: str(row[field]) if isinstance(row[field], int | float) else row[field] for field in row}
        cells = {field: text_of(plain, (field,), where) for field in fields if field in row}
        if missing := [field for field in needed if not cells.get(field)]:
            raise RowError(where, f"no {missing[0]}: every row needs {', '.join(needed)}")
        yield where, cells


def _beir(folder: Path, config: OwnTask) -> Task:
    paths = {name: _find(folder, name) for name in _BEIR}
    if config.type not in (None, "Retrieval"):
        raise SourceError(f"{folder}: a folder in BEIR's layout is a Retrieval task, not {config.type}")
    corpus = _texts(paths["corpus"])
    queries = _texts(paths["queries"])
    qrels = _qrels(paths["qrels"], queries, corpus)
    asked = _asked(queries, qrels)
    return Task(
        name=config.name,
        type="Retrieval",
        source=config.name,
        description=config.description or f"{config.name}: find the relevant among {len(corpus):,} texts",
        data={"queries": asked, "corpus": corpus, "qrels": {q: qrels[q] for q in asked}},
        metric=config.metric,
        facet=config.facet,
        public=config.public,
        counts={"queries_without_relevant": len(queries) - len(asked)},
    )


def _qrels(path: Path, queries: Mapping[str, str], corpus: Mapping[str, str] | None) -> dict[str, dict[str, int]]:
    """Relevance by query and document; documents may be any where there is no corpus."""
    qrels: dict[str, dict[str, int]] = {}
    for where, (query, document, relevance) in _judgements(path):
        if query not in queries:
            raise RowError(where, "its query id is not in queries.jsonl")
        if corpus is not None and document not in corpus:
            raise RowError(where, "its document id is not in corpus.jsonl")
        if qrels.setdefault(query, {}).setdefault(document, relevance) != relevance:
            raise RowError(where, "the same query and document were judged otherwise in an earlier row")
    return qrels


def _asked(queries: Mapping[str, str], qrels: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """The queries that have a relevant document."""
    return {q: text for q, text in queries.items() if any(v > 0 for v in qrels.get(q, {}).values())}


def _find(folder: Path, name: str) -> Path:
    endings = ("tsv", "test.tsv") if name == "qrels" else ("jsonl", "jsonl.gz")
    candidates = [folder / f"{name}.{ending}" for ending in endings]
    if name == "qrels":
        candidates.append(folder / "qrels" / "test.tsv")
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise SourceError(
            f"{folder} has no {candidates[0].name}: a retrieval task needs corpus.jsonl (_id, title, text), queries.jsonl "
            "(_id, text) and qrels.tsv (query-id, corpus-id, score)"
        )
    return found


def _texts(path: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    for where, row in _rows(path, ("_id", "title", "text"), ("_id",)):
        if row["_id"] in texts:
            raise RowError(where, "its _id stands in an earlier row too")
        text = " ".join(row[part] for part in ("title", "text") if row.get(part))
        if not text:
            raise RowError(where, "no text")
        texts[row["_id"]] = text
    return texts


def _judgements(path: Path) -> Iterator[tuple[str, tuple[str, str, int]]]:
    for where, row, _ in readers.read(path, _MAX_CHARS):
        if isinstance(row, RowError):
            raise row
        names, cells = list(row), [clean(cell) for cell in row.values()]
        if len(names) < 3:
            raise RowError(where, f"fewer than three columns: {_QRELS}")
        if _relevance(names[2]) is not None:
            raise RowError(f"{path}, line 1", f"no header: {_QRELS}")
        relevance = _relevance(cells[2])
        if relevance is None:
            raise RowError(where, "the score is no whole number")
        yield where, (cells[0], cells[1], relevance)


def _relevance(cell: str) -> int | None:
    """A whole number, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _table(path: Path, config: OwnTask) -> Task:
    if not readers.supported(path) or readers.is_text(path):
        raise SourceError(f"{path}: a task is a CSV or TSV of text,label or sentence1,sentence2,label")
    rows = list(_rows(path, _FIELDS, ("label",)))
    if not rows:
        raise SourceError(f"{path} has no rows")
    paired = {"sentence1", "sentence2"} <= rows[0][1].keys()
    if not paired and "text" not in rows[0][1]:
        raise SourceError(f"{path} has no column text: it needs text,label or sentence1,sentence2,label")
    fitting = ("PairClassification",) if paired else ("Classification", "Clustering")
    if config.type not in (None, *fitting):
        raise SourceError(f"{path}: a table with these columns is a {' or '.join(fitting)} task, not {config.type}")
    return _pairs(config, rows) if paired else _labelled(config, rows)


def _pairs(config: OwnTask, rows: list[Row]) -> Task:
    for where, row in rows:
        if row["label"].lower() not in _MEANINGS:
            raise RowError(where, "the label of a pair is neither 1 nor 0")
        if not row.get("sentence1") or not row.get("sentence2"):
            raise RowError(where, "sentence1 or sentence2 is empty")
    return Task(
        name=config.name,
        type="PairClassification",
        source=config.name,
        description=config.description or f"{config.name}: tell {len(rows):,} true from false pairs",
        data={
            "sentence1": [row["sentence1"] for _, row in rows],
            "sentence2": [row["sentence2"] for _, row in rows],
            "labels": [_MEANINGS[row["label"].lower()] for _, row in rows],
            **_groups([row for _, row in rows]),
        },
        metric=config.metric,
        facet=config.facet,
        public=config.public,
    )


def _labelled(config: OwnTask, rows: list[Row]) -> Task:
    for where, row in rows:
        if not row.get("text"):
            raise RowError(where, "text is empty")
    counts: dict[str, int] = {}
    if config.type == "Clustering":
        found = [row for _, row in rows]
        data: dict[str, Any] = {**_columns(found, "sentences", "labels"), **_groups(found)}
        settings = {"n_clusters": 30}
    else:
        train, test = _split(config, rows, counts)
        data = {**_columns(test, "texts", "labels"), **_columns(train, "train_texts", "train_labels"), **_groups(test)}
        settings = {"n_experiments": 10, "samples_per_label": 8}
    return Task(
        name=config.name,
        type=config.type or "Classification",
        source=config.name,
        description=config.description or f"{config.name}: sort {len(rows):,} texts by label",
        data=data,
        metric=config.metric,
        facet=config.facet,
        public=config.public,
        counts=counts,
        settings=settings,
    )


def _split(config: OwnTask, rows: list[Row], counts: dict[str, int]) -> tuple[list[Cells], list[Cells]]:
    """Rows to fit on and rows to judge on, without texts of both sides and labels of one; what is dropped is counted."""
    sides = [_side(where, row, config) for where, row in rows]
    train, test = ([row for (_, row), side in zip(rows, sides, strict=True) if side == s] for s in ("train", "test"))
    judged = {text_key(row["text"]) for row in test}
    fitted = [row for row in train if text_key(row["text"]) not in judged]
    known = {row["label"] for row in fitted}
    kept = [row for row in test if row["label"] in known]
    counts |= {"train_texts_equal_to_test": len(train) - len(fitted), "texts_of_unknown_label": len(test) - len(kept)}
    return fitted, kept


def _side(where: str, row: Cells, config: OwnTask) -> str:
    """Train or test: as the table says, else by hash of the group, so that equal texts and groups stay together."""
    if row.get("split"):
        side = row["split"].lower()
        if side not in ("train", "test"):
            raise RowError(where, "split is neither train nor test")
        return side
    key = f"{config.seed}|{row.get('group') or text_key(row['text'])}"
    share = int.from_bytes(text_hash(key, _BYTES)) / _UNIT
    return "train" if share < config.train else "test"


def _columns(rows: list[Cells], texts: str, labels: str) -> dict[str, list[str]]:
    return {texts: [row["text"] for row in rows], labels: [row["label"] for row in rows]}


def _groups(rows: list[Cells]) -> dict[str, list[str]]:
    grouped = all(row.get("group") for row in rows)
    return {"groups": [row["group"] for row in rows]} if grouped and rows else {}
