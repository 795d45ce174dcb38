"""Your own data as a task, without code.

A folder in BEIR's layout (``corpus.jsonl``, ``queries.jsonl``, ``qrels.tsv`` or ``qrels/test.tsv``) is a retrieval task; a
CSV or TSV of ``text,label`` is classification (clustering, if you say so); ``sentence1,sentence2,label`` is pair
classification. A small YAML file, ``task.yaml`` in the folder or ``NAME.yaml`` beside the table, may set what
:class:`OwnTask` names.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medloom.errors import RowError, SourceError, StageError
from medloom.evaluate.tasks import Facet, Task, check
from medloom.sources import readers
from medloom.text import text_key

_MAX_CHARS = 1_000_000
_UNIT = 1 << 64
_BEIR = ("corpus", "queries", "qrels")


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


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, row, _ in readers.read(path, _MAX_CHARS):
        if isinstance(row, RowError):
            raise row
        missing = [field for field in needed if row.get(field) in (None, "")]
        if missing:
            raise RowError(where, f"no {missing[0]}: every row needs {', '.join(needed)}")
        yield where, row


def _beir(folder: Path, config: OwnTask) -> Task:
    paths = {name: _find(folder, name) for name in _BEIR}
    if config.type not in (None, "Retrieval"):
        raise SourceError(f"{folder}: a folder in BEIR's layout is a Retrieval task, not {config.type}")
    corpus = _texts(paths["corpus"])
    queries = _texts(paths["queries"])
    qrels: dict[str, dict[str, int]] = {}
    for where, row in _judgements(paths["qrels"]):
        query, document, relevance = row
        for kind, id_, known in (("query", query, queries), ("document", document, corpus)):
            if id_ not in known:
                raise RowError(where, f"its {kind} id is not in {'queries' if kind == 'query' else 'corpus'}.jsonl")
        qrels.setdefault(query, {})[document] = relevance
    asked = {q: text for q, text in queries.items() if any(v > 0 for v in qrels.get(q, {}).values())}
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
    for where, row in _rows(path, ("_id",)):
        id_ = str(row["_id"])
        if id_ in texts:
            raise RowError(where, "its _id stands in an earlier row too")
        text = " ".join(str(row[part]) for part in ("title", "text") if row.get(part))
        if not text.strip():
            raise RowError(where, "no text")
        texts[id_] = text.strip()
    return texts


def _judgements(path: Path) -> Iterator[tuple[str, tuple[str, str, int]]]:
    for where, row in _rows(path, ()):
        values = [str(value) for value in row.values()]
        if len(values) < 3:
            raise RowError(where, "fewer than three columns: query-id, corpus-id, score, parted by tabs, under a header")
        try:
            yield where, (values[0], values[1], int(float(values[2])))
        except ValueError as error:
            raise RowError(where, "the score is not a number") from error


def _table(path: Path, config: OwnTask) -> Task:
    if not readers.supported(path) or readers.is_text(path):
        raise SourceError(f"{path}: a task is a CSV or TSV of text,label or sentence1,sentence2,label")
    rows = list(_rows(path, ("label",)))
    if not rows:
        raise SourceError(f"{path} has no rows")
    columns = set(rows[0][1])
    if {"sentence1", "sentence2"} <= columns:
        return _pairs(config, rows)
    if "text" not in columns:
        raise SourceError(f"{path} has no column text: it needs text,label or sentence1,sentence2,label")
    return _labelled(config, rows)


def _pairs(config: OwnTask, rows: list[tuple[str, dict[str, Any]]]) -> Task:
    meanings = {"1": 1, "true": 1, "yes": 1, "1.0": 1, "0": 0, "false": 0, "no": 0, "0.0": 0}
    for where, row in rows:
        if str(row["label"]).strip().lower() not in meanings:
            raise RowError(where, "the label of a pair is neither 1 nor 0")
        if not row.get("sentence1") or not row.get("sentence2"):
            raise RowError(where, "sentence1 or sentence2 is empty")
    return Task(
        name=config.name,
        type="PairClassification",
        source=config.name,
        description=config.description or f"{config.name}: tell {len(rows):,} true from false pairs",
        data={
            "sentence1": [str(row["sentence1"]) for _, row in rows],
            "sentence2": [str(row["sentence2"]) for _, row in rows],
            "labels": [meanings[str(row["label"]).strip().lower()] for _, row in rows],
            **_groups(rows),
        },
        metric=config.metric,
        facet=config.facet,
        public=config.public,
    )


def _labelled(config: OwnTask, rows: list[tuple[str, dict[str, Any]]]) -> Task:
    for where, row in rows:
        if not row.get("text"):
            raise RowError(where, "text is empty")
    if config.type == "Clustering":
        data: dict[str, Any] = {
            "sentences": [str(row["text"]) for _, row in rows],
            "labels": [str(row["label"]) for _, row in rows],
            **_groups(rows),
        }
        settings = {"n_clusters": 30}
    else:
        sides = [_side(where, row, config) for where, row in rows]
        train, test = ([pair[1] for pair, side in zip(rows, sides, strict=True) if side == s] for s in ("train", "test"))
        known = {str(row["label"]) for row in train}
        kept = [row for row in test if str(row["label"]) in known]
        data = {
            "texts": [str(row["text"]) for row in kept],
            "labels": [str(row["label"]) for row in kept],
            "train_texts": [str(row["text"]) for row in train],
            "train_labels": [str(row["label"]) for row in train],
            **_groups([("", row) for row in kept]),
        }
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
        settings=settings,
    )


def _side(where: str, row: dict[str, Any], config: OwnTask) -> str:
    """Train or test: as the table says, else by hash of the group, so that equal texts and groups stay together."""
    if row.get("split"):
        side = str(row["split"]).strip().lower()
        if side not in ("train", "test"):
            raise RowError(where, "split is neither train nor test")
        return side
    key = f"{config.seed}|{row.get('group') or text_key(str(row['text']))}".encode("utf-8", "surrogatepass")
    share = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) / _UNIT
    return "train" if share < config.train else "test"


def _groups(rows: list[tuple[str, dict[str, Any]]]) -> dict[str, list[str]]:
    grouped = all(row.get("group") for _, row in rows)
    return {"groups": [str(row["group"]) for _, row in rows]} if grouped and rows else {}
