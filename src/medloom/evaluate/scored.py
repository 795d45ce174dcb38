"""One system on one task: the score, and the single items behind it."""

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.errors import StageError
from medloom.evaluate.metrics import K_VALUES, pair_metrics, retrieval_metrics, spearman
from medloom.evaluate.mteb_tasks import to_mteb
from medloom.evaluate.systems.base import System
from medloom.evaluate.tasks import DEEP, Task, class_numbers

_TOP = 3
_CELLS = 8_000_000
_NOISE = 1e-6


@dataclass(frozen=True)
class Scored:
    """A system's result on one task.

    Attributes:
        score: The main score.
        scores: Every score, by mteb's names.
        items: What intervals and tests are computed from. Retrieval: the main score of each query. Pairs (with STS):
            similarity of each pair. MinimalPairs: 1, 0.5 (a tie, up to a millionth for rounding) or 0 for each.
            Classification: the predicted class of each text in each experiment, int64, shape (experiments, n). Clustering:
            V-measure of each resample. float64, shape (n,), but for classification.
        ranked: For retrieval, the first ids and scores of each query, best first.
        seconds: Wall time of scoring, without encoding.
    """

    score: float
    scores: dict[str, Any]
    items: npt.NDArray[Any]
    seconds: float
    ranked: dict[str, list[tuple[str, float]]] = field(default_factory=dict)


def score(system: System, task: Task) -> Scored:
    """Put one task to one system.

    Retrieval, pairs and minimal pairs are scored here, with the metrics of trec_eval and mteb; clustering and
    classification by mteb itself, from the system's vectors.

    Args:
        system: Prepared for the task, or it encodes now.
        task: What to ask.

    Raises:
        StageError: The system cannot do tasks of this type, or gave scores that are not numbers.
    """
    if task.type not in system.types:
        raise StageError(f"{system.info.name} ({system.info.kind}) cannot do tasks of type {task.type}")
    started = time.perf_counter()
    forms = {"Retrieval": _retrieval, "PairClassification": _pairs, "STS": _sts, "MinimalPairs": _minimal_pairs}
    scores, items, ranked = forms[task.type](system, task) if task.type in forms else _by_mteb(system, task)
    main = float(scores[task.main_score])
    return Scored(main, scores, items, time.perf_counter() - started, ranked)


def mteb_result(task: Task, scored: Scored) -> dict[str, Any]:
    """A result in mteb's own format (``TaskResult``), as JSON."""
    from mteb import __version__
    from mteb.results import TaskResult

    subset = {**scored.scores, "main_score": scored.score, "hf_subset": "default", "languages": ["eng-Latn"]}
    return TaskResult(
        dataset_revision=task.fingerprint,
        task_name=task.name,
        mteb_version=__version__,
        scores={"test": [subset]},
        evaluation_time=scored.seconds,
    ).model_dump(mode="json")


Parts = tuple[dict[str, Any], npt.NDArray[Any], dict[str, list[tuple[str, float]]]]


def _retrieval(system: System, task: Task) -> Parts:
    queries, corpus = task.data["queries"], task.data["corpus"]
    ids = list(corpus)
    rank = _rerank if "candidates" in task.data else _rank
    numbers, found = rank(system, task, ids)
    if not np.isfinite(found).all():
        raise _not_numbers(system, task)
    k_values = (*K_VALUES, DEEP) if "candidates" in task.data else K_VALUES
    by_query = retrieval_metrics(numbers, list(queries), ids, task.data["qrels"], k_values)
    ranked = {
        query: [(ids[i], float(s)) for i, s in zip(row[:_TOP], values[:_TOP], strict=True) if i >= 0]
        for query, row, values in zip(queries, numbers.tolist(), found.tolist(), strict=True)
    }
    return {name: float(values.mean()) for name, values in by_query.items()}, by_query[task.main_score], ranked


Ranking = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


def _rank(system: System, task: Task, ids: list[str]) -> Ranking:
    """Each query's nearest texts of the corpus; without the one of its own id, if the task says so."""
    queries, corpus = task.data["queries"], task.data["corpus"]
    depth = max(K_VALUES)
    if not task.settings.get("ignore_identical_ids"):
        return system.rank(list(queries.values()), list(corpus.values()), depth)
    numbers, scores = system.rank(list(queries.values()), list(corpus.values()), depth + 1)
    number = {id_: i for i, id_ in enumerate(ids)}
    itself = numbers == np.array([number.get(query, len(ids)) for query in queries])[:, None]
    order = np.argsort(itself, axis=1, kind="stable")[:, :depth]
    numbers, scores = np.where(itself, -1, numbers), np.where(itself, np.float32(0), scores)
    return np.take_along_axis(numbers, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _rerank(system: System, task: Task, ids: list[str]) -> Ranking:
    """Each query's own candidates in the order in which the whole corpus is ranked, down to the 1,000th; -1 for none."""
    queries, corpus, candidates = (task.data[key] for key in ("queries", "corpus", "candidates"))
    number = {id_: i for i, id_ in enumerate(ids)}
    asked, texts = list(queries), list(corpus.values())
    own_too = not task.settings.get("ignore_identical_ids")
    numbers = np.full((len(asked), DEEP), -1, dtype=np.int64)
    scores = np.zeros((len(asked), DEEP), dtype=np.float32)
    size = max(1, _CELLS // len(texts))
    for start in range(0, len(asked), size):
        block = asked[start : start + size]
        found, values = system.rank([queries[query] for query in block], texts, len(texts))
        for row, query in enumerate(block, start):
            wanted = [number[id_] for id_ in candidates[query] if own_too or id_ != query]
            kept = np.flatnonzero(np.isin(found[row - start], wanted))[:DEEP]
            numbers[row, : len(kept)] = found[row - start, kept]
            scores[row, : len(kept)] = values[row - start, kept]
    return numbers, scores


def _pairs(system: System, task: Task) -> Parts:
    similar = _similar(system, task, task.data["sentence1"], task.data["sentence2"])
    return dict(pair_metrics(similar, np.asarray(task.data["labels"], dtype=np.int64))), similar, {}


def _sts(system: System, task: Task) -> Parts:
    similar = _similar(system, task, task.data["sentence1"], task.data["sentence2"])
    labels = np.asarray(task.data["labels"], dtype=np.float64)
    return {"cosine_spearman": float(spearman(similar, labels, np.ones((1, task.n)))[0])}, similar, {}


def _minimal_pairs(system: System, task: Task) -> Parts:
    """Both texts of each pair in one call: some systems weigh words by all texts at hand."""
    anchors = task.data["anchors"]
    similar = _similar(system, task, [*anchors, *anchors], [*task.data["rights"], *task.data["wrongs"]])
    right, wrong = similar[: task.n], similar[task.n :]
    tied = np.isclose(right, wrong, rtol=_NOISE, atol=0)
    items = np.where(tied, 0.5, (right > wrong).astype(np.float64))
    return {"accuracy": float(items.mean()), "ties": float(tied.mean())}, items, {}


def _similar(system: System, task: Task, one: list[str], other: list[str]) -> npt.NDArray[np.float64]:
    similar = np.asarray(system.similarity(one, other), dtype=np.float64)
    if not np.isfinite(similar).all():
        raise _not_numbers(system, task)
    return similar


def _not_numbers(system: System, task: Task) -> StageError:
    return StageError(
        f"task {task.name}: {system.info.name} gave scores that are not numbers: its vectors hold NaN or infinity; "
        "try --precision fp32, and check the model's weights"
    )


def _by_mteb(system: System, task: Task) -> Parts:
    import mteb

    with tempfile.TemporaryDirectory() as folder, _quiet():
        result = mteb.evaluate(
            _Vectors(system, task),
            to_mteb(task),
            cache=None,
            co2_tracker=False,
            show_progress_bar=False,
            prediction_folder=folder if task.type == "Classification" else None,
        ).task_results[0]
        scores = dict(result.scores["test"][0])
        predicted = _predictions(Path(folder)) if task.type == "Classification" else None
    for key in ("main_score", "hf_subset", "languages", "mteb_version"):
        scores.pop(key, None)
    if predicted is None:
        return scores, np.array(scores["v_measures"]["Level 0"], dtype=np.float64), {}
    if not 0 <= predicted.min(initial=0) <= predicted.max(initial=0) < len(class_numbers(task.data)):
        raise StageError(f"task {task.name}: mteb predicted a class that the task does not have")
    return scores, predicted, {}


def _predictions(folder: Path) -> npt.NDArray[np.int64]:
    """What mteb predicted: class of each text in each experiment, shape (experiments, n)."""
    (path,) = folder.rglob("*_predictions.json")
    return np.asarray(json.loads(path.read_text("utf-8"))["default"]["test"], dtype=np.int64)


class _Vectors:
    """A system's vectors as mteb's EncoderProtocol.

    mteb's result cache is never used: it takes two local models for one.
    """

    def __init__(self, system: System, task: Task) -> None:
        from mteb.models.model_meta import ModelMeta

        self._system, self._task = system, task
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": "medloom/system", "revision": system.info.hash, "embed_dim": system.info.dimensions}
        )

    def encode(self, inputs: Any, **kwargs: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401
        """Vectors of the batches' texts, float32, shape (n, d)."""
        vectors = self._system.vectors([text for batch in inputs for text in batch["text"]])
        if not np.isfinite(vectors).all():
            raise _not_numbers(self._system, self._task)
        return vectors

    def similarity(self, a: Any, b: Any) -> Any:  # noqa: ANN401
        """Cosine of every a with every b, shape (n, m)."""
        from sentence_transformers.util import cos_sim

        return cos_sim(a, b)

    def similarity_pairwise(self, a: Any, b: Any) -> Any:  # noqa: ANN401
        """Cosine of each a with its b, shape (n,)."""
        from sentence_transformers.util import pairwise_cos_sim

        return pairwise_cos_sim(a, b)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep mteb's and datasets' chatter out of the log."""
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    logger = logging.getLogger("mteb")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
