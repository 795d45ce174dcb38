"""Small tasks of every type, a toy model that notes what it reads, and results without a model."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medloom.bench.base import BuildRequest, Entry, Mode
from medloom.bench.results import PROTOCOL, Result
from medloom.bench.store import BuiltSuite
from medloom.evaluate.systems.base import System
from medloom.evaluate.tasks import UNITS, Task, check

PARTS = ["heart", "lung", "liver", "kidney"]
SIGNS = ["pain", "rash", "cough", "fever", "ache"]
MakeSuite = Callable[..., BuiltSuite]
MakeSystem = Callable[..., System]
MakeResult = Callable[..., Result]


def _texts() -> list[tuple[str, str]]:
    """Forty texts and the part that each is about."""
    signs = [*SIGNS, *(f"chronic {s}" for s in SIGNS)]
    return [(f"{sign} of the {part} in case {i}{j}", part) for i, part in enumerate(PARTS) for j, sign in enumerate(signs)]


def every_type() -> list[Task]:
    """One task of each type, two of retrieval: graded with groups, and with candidates."""
    rows = _texts()
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    corpus = {f"d{i}": text for i, text in enumerate(texts)}
    queries = {f"q{i}": f"what helps the {part} number {i}" for i, part in enumerate(PARTS * 3)}
    qrels = {f"q{i}": {f"d{i % 4 * 10}": 2, f"d{i % 4 * 10 + 1}": 1, f"d{(i + 1) % 4 * 10}": 0} for i in range(12)}
    ask = {"queries": queries, "corpus": corpus, "qrels": qrels}
    candidates = {q: list(dict.fromkeys([*(f"d{i * 3 + k}" for k in (5, 0, 3)), *qrels[q]])) for i, q in enumerate(queries)}
    two = {"sentence1": texts[:20], "sentence2": texts[1:20] + texts[:1]}
    counts = {"merged": 3}
    tasks = [
        Task("ask", "Retrieval", "toy", "find", ask | {"groups": [f"g{i % 4}" for i in range(12)]}, counts=counts),
        Task("rerank", "Retrieval", "toy", "order", ask | {"candidates": candidates}, metric="map_at_10", facet="trials"),
        Task(
            "pairs",
            "PairClassification",
            "toy",
            "tell",
            two | {"labels": [1, 0] * 10, "groups": [str(i // 2) for i in range(20)]},
        ),
        Task("sort", "Clustering", "toy", "sort", {"sentences": texts, "labels": labels}, settings={"n_clusters": 4}),
        Task(
            "label",
            "Classification",
            "toy",
            "label",
            {"texts": texts[::2], "labels": labels[::2], "train_texts": texts[1::2], "train_labels": labels[1::2]},
            settings={"n_experiments": 2, "samples_per_label": 3},
            public=False,
        ),
        Task("alike", "STS", "toy", "rate", two | {"labels": [i / 4 for i in range(20)]}),
        Task(
            "order",
            "MinimalPairs",
            "toy",
            "order",
            {"anchors": texts[:10], "rights": texts[10:20], "wrongs": texts[20:30], "groups": list("abcde" * 2)},
        ),
    ]
    return [check(task) for task in tasks]


@pytest.fixture
def tasks() -> list[Task]:
    """See :func:`every_type`."""
    return every_type()


@pytest.fixture
def make_suite() -> MakeSuite:
    """Builds suites in memory, by default of every type."""

    def make(tasks: Sequence[Task] | None = None, name: str = "toy", mode: Mode = "strict", seed: int = 0) -> BuiltSuite:
        found = tuple(every_type() if tasks is None else tasks)
        return BuiltSuite(name, mode, seed, found, {"gone": "needs more"}, {"toy": "a" * 64}, {"medloom": "1"})

    return make


class Toy:
    """An encoder of 8 dimensions whose vectors hang on the text and a seed alone."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.hash = hashlib.sha256(str(seed).encode()).hexdigest()
        self.dimensions = 8
        self.asked: list[str] = []

    def prompt_for(self, role: str) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Any:
        self.asked.extend(texts)
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(-1, 8)

    def _vector(self, text: str) -> Any:
        return np.random.default_rng([self.seed, *text.encode()]).standard_normal(8)


@pytest.fixture
def make_system() -> MakeSystem:
    """Builds dense systems on toy encoders: ``system.encoder.asked`` is what was read."""
    from medloom.evaluate.systems import DenseSystem

    def make(seed: int = 0, name: str = "toy", **attributes: Any) -> System:
        encoder = Toy(seed)
        for key, value in attributes.items():
            setattr(encoder, key, value)
        return DenseSystem(encoder, name=name)

    return make


class FakeSuite:
    """A suite of the toy tasks: one needs documents, one a chat model in compat."""

    name = "toy"
    description = "Toy tasks"
    modes: tuple[Mode, ...] = ("strict", "compat")

    def __init__(self, tasks: Sequence[Task] | None = None) -> None:
        self.tasks = every_type() if tasks is None else list(tasks)

    def entries(self) -> list[Entry]:
        rows = [Entry(t.name, t.type, self.name, t.source, t.main_score, t.facet, t.description) for t in self.tasks]
        more = Entry("hard", "Retrieval", self.name, "notes", "ndcg_at_10", "notes", "find", ("notes",), ("chat model",))
        return [*rows, more]

    def build(self, request: BuildRequest, left_out: dict[str, str]) -> Iterator[Task]:
        by_name = {task.name: task for task in self.tasks}
        for entry in self.entries():
            if not request.wants(entry):
                continue
            if missing := request.missing(entry):
                left_out[entry.name] = f"needs {', '.join(missing)}"
                continue
            if entry.name in by_name:
                yield by_name[entry.name]
                continue
            documents = request.documents["notes"]()
            corpus = {d.id: d.text for d in documents}
            data = {"queries": {d.id: d.title for d in documents}, "corpus": corpus, "qrels": {d: {d: 1} for d in corpus}}
            yield Task("hard", "Retrieval", "notes", "find", data)


@pytest.fixture
def fake_suite(monkeypatch: pytest.MonkeyPatch) -> FakeSuite:
    """The only suite that ``medloom bench`` knows while the test runs."""
    from medloom.bench import registry

    suite = FakeSuite()
    monkeypatch.setattr(registry, "_MAKERS", {"toy": lambda: suite})
    return suite


@pytest.fixture
def make_result() -> MakeResult:
    """Builds results from made-up items, without a model."""
    versions = {"mteb": "2.5.1", "scikit-learn": "1.7.0", "torch": "2.9"}

    def make(
        model: str, task: Task, items: Sequence[float] | np.ndarray, score: float | None = None, **block: Any
    ) -> Result:
        system = {
            "name": model,
            "hash": model * 8,
            "kind": "dense",
            "settings": {"precision": "fp32", "pooling": "mean", "max_length": 64, "prompts": {}},
            "dimensions": 8,
            "parameters": None,
            "size_bytes": None,
        }
        known = {
            "protocol": PROTOCOL,
            "suite": "toy",
            "mode": "strict",
            "seed": 0,
            "suite_fingerprint": "f" * 64,
            "type": task.type,
            "metric": task.main_score,
            "unit": UNITS[task.type],
            "fingerprint": task.fingerprint,
            "versions": versions,
        }
        values = np.asarray(items, dtype=np.float64)
        system |= block.pop("system", {})
        found = float(values.mean()) if score is None else score
        return Result(model, replace(task), known | {"system": system} | block, found, values)

    return make
