"""One model on one suite: mteb's scores, and the score of every single item behind them."""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.encode import Encoder, Role
from medloom.errors import StageError
from medloom.evaluate.config import EvaluateConfig
from medloom.evaluate.mteb_tasks import METRICS, to_mteb
from medloom.evaluate.suite import SuiteTask

_TOLERANCE = 1e-4
_TOP = 3


@dataclass(frozen=True)
class Scored:
    """A model's result on one task.

    Attributes:
        score: The main metric, as mteb computed it.
        items: float64, shape (n,): nDCG@10 of each query, similarity of each pair, or V-measure on each resample.
        ranked: For retrieval, the first ids and scores of each query, best first.
        result: mteb's own result.
    """

    score: float
    items: npt.NDArray[np.float64]
    ranked: dict[str, list[tuple[str, float]]]
    result: dict[str, Any]


def score_suite(
    encoder: Encoder, suite: Sequence[SuiteTask], config: EvaluateConfig, name: str, revision: str
) -> dict[str, Scored]:
    """Score a model on every task.

    Each distinct text is encoded once, whatever number of tasks it is in. mteb's result cache is not used: it takes two
    local models for one.

    Args:
        encoder: The model.
        suite: What to score it on.
        config: Settings.
        name: What the progress bar calls the model.
        revision: Hash of the suite's data.

    Raises:
        StageError: The items do not add up to mteb's score.
    """
    import mteb

    model = _CachedModel(encoder, suite, name)
    scores = {}
    for task in suite:
        with tempfile.TemporaryDirectory() as folder, _quiet():
            result = mteb.evaluate(
                model,
                to_mteb(task, config, revision),
                cache=None,
                co2_tracker=False,
                show_progress_bar=False,
                prediction_folder=folder,
            ).task_results[0]
            predictions = json.loads(next(Path(folder).rglob("*_predictions.json")).read_text("utf-8"))
        scores[task.name] = _scored(task, result, predictions["default"]["test"])
    return scores


def _scored(task: SuiteTask, result: Any, predictions: Any) -> Scored:  # noqa: ANN401
    main = float(result.scores["test"][0][METRICS[task.type]])
    ranked: dict[str, list[tuple[str, float]]] = {}
    if task.type == "Retrieval":
        per_query = _ndcg_at_10(task, predictions)
        items = np.array([per_query[q] for q in task.data["queries"]])
        ranked = {q: sorted(found.items(), key=lambda hit: -hit[1])[:_TOP] for q, found in predictions.items()}
        if abs(float(items.mean()) - main) > _TOLERANCE:
            raise StageError(f"evaluate: the queries of {task.name} average {items.mean():.5f}, mteb says {main:.5f}")
    elif task.type == "PairClassification":
        items = np.array(predictions["similarity_scores"], dtype=np.float64)
    else:
        items = np.array(result.scores["test"][0]["v_measures"]["Level 0"], dtype=np.float64)
    return Scored(main, items, ranked, result.model_dump(mode="json"))


def _ndcg_at_10(task: SuiteTask, predictions: dict[str, dict[str, float]]) -> dict[str, float]:
    """nDCG@10 of each query, by pytrec_eval, as mteb averages it."""
    import pytrec_eval

    qrels = {q: dict.fromkeys(ids, 1) for q, ids in task.data["qrels"].items()}
    found = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(predictions)
    return {query: float(found[query]["ndcg_cut_10"]) for query in task.data["queries"]}


class _CachedModel:
    """An encoder as mteb's EncoderProtocol, every text of the suite encoded before the first task asks."""

    def __init__(self, encoder: Encoder, suite: Sequence[SuiteTask], name: str) -> None:
        from mteb.models.model_meta import ModelMeta

        self._prompts: dict[str, str | None] = {role: encoder.prompt_for(role) for role in _roles()}
        wanted: dict[str | None, dict[str, int]] = {}
        for role, text in (pair for task in suite for pair in task.texts):
            texts = wanted.setdefault(self._prompts.get(role), {})
            texts.setdefault(text, len(texts))
        self._rows = wanted
        self._vectors = {p: encoder.encode(list(texts), p, label=f"encoding ({name})") for p, texts in wanted.items()}
        self.mteb_model_meta = ModelMeta.create_empty(
            overwrites={"name": f"medloom/{name}", "revision": encoder.hash, "embed_dim": encoder.dimensions}
        )

    def encode(self, inputs: Any, *, prompt_type: Any = None, **kwargs: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401
        """Vectors of the batches' texts, float32, shape (n, d)."""
        prompt = self._prompts.get(getattr(prompt_type, "value", prompt_type) or "")
        rows = self._rows[prompt]
        return self._vectors[prompt][[rows[text] for batch in inputs for text in batch["text"]]]

    def similarity(self, a: Any, b: Any) -> Any:  # noqa: ANN401
        """Cosine of every a with every b, shape (n, m)."""
        from sentence_transformers.util import cos_sim

        return cos_sim(a, b)

    def similarity_pairwise(self, a: Any, b: Any) -> Any:  # noqa: ANN401
        """Cosine of each a with its b, shape (n,)."""
        from sentence_transformers.util import pairwise_cos_sim

        return pairwise_cos_sim(a, b)


def _roles() -> tuple[Role, ...]:
    return ("query", "document")


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
