"""What a model is asked: a task, independent of any benchmark library."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from medloom.errors import StageError
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
_COLUMNS: dict[TaskType, tuple[str, ...]] = {
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
        return digest({"type": self.type, "metric": self.main_score, "settings": self.settings, "data": _plain(self.data)})


def check(task: Task) -> Task:
    """The task itself, if it is whole.

    Raises:
        StageError: A column is missing or of another length, an id is unknown, a label stands alone.
    """
    problem = _problem(task)
    if problem:
        raise StageError(f"task {task.name} ({task.type}): {problem}")
    return task


def class_numbers(data: Mapping[str, Any]) -> dict[str, int]:
    """Number of each class of a classification task, in the labels' order."""
    return {label: i for i, label in enumerate(sorted({*data["train_labels"], *data["labels"]}))}


def _problem(task: Task) -> str | None:
    if task.groups is not None and len(task.groups) != task.n:
        return f"{len(task.groups)} groups for {task.n} items"
    return _retrieval_problem(task.data) if task.type == "Retrieval" else _columns_problem(task)


def _retrieval_problem(data: Mapping[str, Any]) -> str | None:
    if not data["queries"] or not data["corpus"]:
        return "no queries or no corpus"
    unjudged = [q for q in data["queries"] if not any(v > 0 for v in data["qrels"].get(q, {}).values())]
    if unjudged:
        return f"{len(unjudged)} queries without a relevant document, such as {unjudged[0]}"
    unknown = [d for judged in data["qrels"].values() for d in judged if d not in data["corpus"]]
    if unknown:
        return f"{len(unknown)} judged documents are not in the corpus, such as {unknown[0]}"
    return None


def _columns_problem(task: Task) -> str | None:
    lengths = {column: len(task.data[column]) for column in _COLUMNS[task.type]}
    if len(set(lengths.values())) != 1 or not task.n:
        return f"columns of unlike or no length: {lengths}"
    if "labels" in task.data and len(set(task.data["labels"])) < 2:
        return "all items have one label"
    if task.type == "Classification":
        if len(task.data["train_texts"]) != len(task.data["train_labels"]):
            return "train_texts and train_labels differ in length"
        if missing := set(task.data["labels"]) - set(task.data["train_labels"]):
            return f"{len(missing)} labels have no training text"
    return None


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Mappings as sorted lists of pairs, so that the order of ids does not matter."""
    if isinstance(value, Mapping):
        return [[key, _plain(value[key])] for key in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value
