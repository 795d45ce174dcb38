"""Base against tuned, task by task, with an interval for every difference."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from medloom.evaluate.config import EvaluateConfig
from medloom.evaluate.scored import Scored, mteb_result, score
from medloom.evaluate.statistics import task_interval
from medloom.evaluate.systems.base import System
from medloom.evaluate.tasks import UNITS, Task, TaskType

Verdict = Literal["better", "worse", "same"]


@dataclass(frozen=True)
class TaskRow:
    """One line of the report: see ``report.json`` in the docs."""

    name: str
    type: TaskType
    metric: str
    base: float
    tuned: float
    delta: float
    ci_low: float
    ci_high: float
    n: int
    unit: str
    source: str
    description: str

    @property
    def verdict(self) -> Verdict:
        """What the interval says of the difference."""
        return "better" if self.ci_low > 0 else "worse" if self.ci_high < 0 else "same"


@dataclass(frozen=True)
class Comparison:
    """Base and tuned model on one suite.

    Attributes:
        rows: A line for each task.
        examples: Queries with what each model ranks first.
        items: By task, the items' scores under base and tuned.
        results: By model, mteb's own results.
    """

    rows: list[TaskRow]
    examples: list[dict[str, Any]]
    items: dict[str, dict[str, list[float]]]
    results: dict[str, list[dict[str, Any]]]

    def to_dict(self) -> dict[str, Any]:
        """What the stage writes as JSON."""
        return {"tasks": [asdict(row) for row in self.rows], "examples": self.examples, "verdict": self.verdict()}

    def verdict(self) -> dict[str, int]:
        """Tasks better, worse and the same."""
        return {word: sum(row.verdict == word for row in self.rows) for word in ("better", "worse", "same")}


def compare(base: System, tuned: System, suite: Sequence[Task], config: EvaluateConfig, seed: int) -> Comparison:
    """Score both models on the suite and put an interval to every difference.

    Args:
        base: The model before training.
        tuned: The model after it.
        suite: Tasks from held-out text.
        config: Resamples and examples.
        seed: Of the bootstrap, and of which examples are shown.
    """
    scores: dict[str, dict[str, Scored]] = {}
    for name, system in (("base", base), ("tuned", tuned)):
        system.prepare(suite)
        scores[name] = {task.name: score(system, task) for task in suite}
    rows = [_row(task, scores["base"][task.name], scores["tuned"][task.name], config, seed) for task in suite]
    return Comparison(
        rows=rows,
        examples=_examples(suite, scores, config.examples, seed),
        items={t.name: {name: s[t.name].items.tolist() for name, s in scores.items()} for t in suite},
        results={name: [mteb_result(t, s[t.name]) for t in suite] for name, s in scores.items()},
    )


def _row(task: Task, base: Scored, tuned: Scored, config: EvaluateConfig, seed: int) -> TaskRow:
    interval = task_interval(task, tuned.items, base.items, config.resamples, seed)
    return TaskRow(
        name=task.name,
        type=task.type,
        metric=task.main_score,
        base=base.score,
        tuned=tuned.score,
        delta=tuned.score - base.score,
        ci_low=interval.low,
        ci_high=interval.high,
        n=base.items.shape[-1],
        unit=UNITS[task.type],
        source=task.source,
        description=task.description,
    )


def _examples(
    suite: Sequence[Task], scores: Mapping[str, Mapping[str, Scored]], wanted: int, seed: int
) -> list[dict[str, Any]]:
    """Queries drawn by seed, from the retrieval tasks in turn: not picked for what they show."""
    tasks = [task for task in suite if task.type == "Retrieval"]

    def rank(task: Task, query: str) -> bytes:
        return hashlib.blake2b(f"{seed}|{task.name}|{query}".encode()).digest()

    orders = {task.name: sorted(task.data["queries"], key=lambda q, t=task: rank(t, q)) for task in tasks}  # type: ignore[misc]
    examples = []
    for number in range(wanted if tasks else 0):
        task = tasks[number % len(tasks)]
        position = number // len(tasks)
        if position < len(orders[task.name]):
            examples.append(_example(task, orders[task.name][position], scores))
    return examples


def _example(task: Task, query: str, scores: Mapping[str, Mapping[str, Scored]]) -> dict[str, Any]:
    corpus = task.data["corpus"]
    right = {document for document, relevance in task.data["qrels"][query].items() if relevance > 0}
    return {
        "task": task.name,
        "query": task.data["queries"][query],
        "relevant": [corpus[i] for i in sorted(right)],
        **{
            name: [
                {"text": corpus[i], "score": score, "relevant": i in right} for i, score in by_task[task.name].ranked[query]
            ]
            for name, by_task in scores.items()
        },
    }
