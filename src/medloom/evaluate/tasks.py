"""What a model is asked: a task, independent of any benchmark library."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from medloom.errors import StageError
from medloom.evaluate.metrics import K_VALUES
from medloom.identity import digest

TaskType = Literal["Retrieval", "PairClassification", "Clustering", "Classification", "STS", "MinimalPairs"]
Facet = Literal["notes", "literature", "consumer", "trials", "terminology", "exams", "behaviour", "mixed"]
Role = Literal["query", "document", ""]

TASK_TYPES: tuple[TaskType, ...] = get_args(TaskType)
FACETS: tuple[Facet, ...] = get_args(Facet)
METRICS: dict[TaskType, str] = {
    "Retrieval": "ndcg_at_10",
    "PairClassification": "similarity_ap",
    "Clustering": "v_measure",
    "Classification": "f1",
    "STS": "cosine_spearman",
    "MinimalPairs": "accuracy",
}
UNITS: dict[TaskType, str] = {
    "Retrieval": "queries",
    "PairClassification": "pairs",
    "Clustering": "resamples of documents",
    "Classification": "texts",
    "STS": "pairs",
    "MinimalPairs": "minimal pairs",
}
DEEP = 1_000
_AT_K = ("ndcg", "map", "recall", "precision", "mrr", "hit_rate")
_SCORES: dict[TaskType, tuple[str, ...]] = {
    "Retrieval": tuple(f"{name}_at_{k}" for name in _AT_K for k in K_VALUES),
    "PairClassification": ("similarity_ap", "similarity_f1"),
    "Clustering": ("v_measure",),
    "Classification": ("f1", "accuracy"),
    "STS": ("cosine_spearman",),
    "MinimalPairs": ("accuracy",),
}
_COLUMNS: dict[TaskType, tuple[str, ...]] = {
    "Retrieval": ("queries", "corpus", "qrels"),
    "PairClassification": ("sentence1", "sentence2", "labels"),
    "Clustering": ("sentences", "labels"),
    "Classification": ("texts", "labels"),
    "STS": ("sentence1", "sentence2", "labels"),
    "MinimalPairs": ("anchors", "rights", "wrongs"),
}
_ITEMS: dict[TaskType, str] = {
    "Retrieval": "queries",
    "PairClassification": "labels",
    "Clustering": "sentences",
    "Classification": "texts",
    "STS": "labels",
    "MinimalPairs": "anchors",
}


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: Unique in its suite.
        type: mteb's task type, or ``MinimalPairs``, which is ours.
        source: Source of its text.
        description: What the model must do, in a sentence.
        data: By type (every list of one task has the same length):

            - Retrieval: ``queries`` and ``corpus`` (id to text), ``qrels`` (query id to document id to relevance, above 0
              if relevant). With ``candidates`` (query id to document ids) only those are ranked.
            - PairClassification: ``sentence1``, ``sentence2``, ``labels`` (1 or 0).
            - Clustering: ``sentences``, ``labels`` (strings).
            - Classification: ``texts`` and ``labels`` (strings) to judge on, ``train_texts`` and ``train_labels`` to fit on.
            - STS: ``sentence1``, ``sentence2``, ``labels`` (how alike, numbers).
            - MinimalPairs: ``anchors``, ``rights``, ``wrongs``: the right text should be nearer to the anchor.

            ``groups``, one string for each item, is optional: items of one group (the pairs of one question, the names of
            one concept) are not independent, and intervals resample whole groups.
        metric: The main score; the type's own if empty.
        facet: Kind of text, for filters.
        public: Whether the text may be sent to an embedding service elsewhere.
        counts: What was dropped, merged or capped when it was built.
        settings: What scoring depends on beyond the data (clusterings, experiments, ...).
    """

    name: str
    type: TaskType
    source: str
    description: str
    data: dict[str, Any]
    metric: str = ""
    facet: Facet = "mixed"
    public: bool = True
    counts: dict[str, int] = field(default_factory=dict)
    settings: dict[str, int] = field(default_factory=dict)

    @property
    def main_score(self) -> str:
        """Name of the main score."""
        return self.metric or METRICS[self.type]

    @property
    def n(self) -> int:
        """Number of items that the score is over."""
        return len(self.data[_ITEMS[self.type]])

    @property
    def groups(self) -> list[str] | None:
        """Group of each item, or None where items are independent."""
        return self.data.get("groups")

    @property
    def texts(self) -> Iterator[tuple[Role, str]]:
        """Every (role, text) that a model must read; the role is empty where the type has none."""
        if self.type == "Retrieval":
            yield from (("query", text) for text in self.data["queries"].values())
            yield from (("document", text) for text in self.data["corpus"].values())
        else:
            columns = [c for c in (*_COLUMNS[self.type], "train_texts") if c in self.data and c != "labels"]
            yield from (("", text) for column in columns for text in self.data[column])

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that a score depends on: type, metric, settings, texts and what is right."""
        data = dict(self.data)
        if self.type == "Retrieval" and self.groups is not None:
            data["groups"] = dict(zip(data["queries"], self.groups, strict=True))
        return digest({"type": self.type, "metric": self.main_score, "settings": self.settings, "data": _plain(data)})


def check(task: Task) -> Task:
    """The task itself, if it is whole.

    Raises:
        StageError: A column is missing or of another length, an id is unknown, a label stands alone or cannot be read, a
            text is none, or the metric is not one that this type has.
    """
    problem = next(_problems(task), None)
    if problem:
        raise StageError(f"task {task.name} ({task.type}): {problem}")
    return task


def class_numbers(data: Mapping[str, Any]) -> dict[str, int]:
    """Number of each class of a classification task, in the labels' order."""
    return {label: i for i, label in enumerate(sorted({*data["train_labels"], *data["labels"]}))}


def _problems(task: Task) -> Iterator[str]:
    training = ("train_texts", "train_labels") if task.type == "Classification" else ()
    if missing := [column for column in (*_COLUMNS[task.type], *training) if column not in task.data]:
        yield f"its data have no {missing[0]}"
    yield from _retrieval_problems(task.data) if task.type == "Retrieval" else _columns_problems(task)
    if task.groups is not None and len(task.groups) != task.n:
        yield f"{len(task.groups)} groups for {task.n} items"
    if textless := sum(not isinstance(text, str) for _, text in task.texts):
        yield f"{textless} texts are no text"
    deep = tuple(f"{name}_at_{DEEP}" for name in _AT_K) if "candidates" in task.data else ()
    if task.main_score not in (known := (*_SCORES[task.type], *deep)):
        yield f"its metric is none of this type: choose one of {', '.join(known)}"


def _retrieval_problems(data: Mapping[str, Any]) -> Iterator[str]:
    queries, corpus, qrels = (data[column] for column in _COLUMNS["Retrieval"])
    if not queries or not corpus:
        yield "no queries or no corpus"
    unjudged = [q for q in queries if not any(v > 0 for v in qrels.get(q, {}).values())]
    if unjudged:
        yield f"{len(unjudged)} queries without a relevant document, such as {unjudged[0]}"
    strange = [q for q in qrels if q not in queries]
    if strange:
        yield f"{len(strange)} judged queries are not asked, such as {strange[0]}"
    unknown = [d for judged in qrels.values() for d in judged if d not in corpus]
    if unknown:
        yield f"{len(unknown)} judged documents are not in the corpus, such as {unknown[0]}"
    if "candidates" in data:
        yield from _candidate_problems(data)


def _candidate_problems(data: Mapping[str, Any]) -> Iterator[str]:
    without = [q for q in data["queries"] if not data["candidates"].get(q)]
    if without:
        yield f"{len(without)} queries without candidates, such as {without[0]}"
    unknown = [d for found in data["candidates"].values() for d in found if d not in data["corpus"]]
    if unknown:
        yield f"{len(unknown)} candidates are not in the corpus, such as {unknown[0]}"


def _columns_problems(task: Task) -> Iterator[str]:
    lengths = {column: len(task.data[column]) for column in _COLUMNS[task.type]}
    if len(set(lengths.values())) != 1 or not task.n:
        yield f"columns of unlike or no length: {lengths}"
    if "labels" not in task.data:
        return
    labels = task.data["labels"]
    if unread := sum(not _is_label(task.type, label) for label in labels):
        meant = {"PairClassification": "1 or 0", "STS": "numbers"}.get(task.type, "strings")
        yield f"{unread} labels are not {meant}"
    if len(set(labels)) < 2:
        yield "all items have one label"
    if task.type == "Classification":
        if len(task.data["train_texts"]) != len(task.data["train_labels"]):
            yield "train_texts and train_labels differ in length"
        if missing := set(labels) - set(task.data["train_labels"]):
            yield f"{len(missing)} labels have no training text"


def _is_label(type_: TaskType, label: Any) -> bool:  # noqa: ANN401
    if type_ == "PairClassification":
        return label in (0, 1)
    if type_ == "STS":
        return isinstance(label, int | float) and math.isfinite(label)
    return isinstance(label, str)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Mappings as sorted lists of pairs, so that the order of ids does not matter."""
    if isinstance(value, Mapping):
        return [[key, _plain(value[key])] for key in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value
