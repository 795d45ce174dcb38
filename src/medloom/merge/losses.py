"""Weights from losses on a few examples: LM-Cocktail's own rule."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloom.encode.encoder import Encoder, Precision, load_encoder
from medloom.errors import MedloomError, ModelError
from medloom.evaluate.tasks import Task
from medloom.merge.parents import Parent
from medloom.progress import bar

LOSS_TEMPERATURE = 0.05
NEGATIVES = 7


@dataclass(frozen=True)
class Example:
    """A query, what answers it, and texts that do not."""

    query: str
    positive: str
    negatives: tuple[str, ...]


def examples_of(tasks: Sequence[Task], wanted: int, seed: int, negatives: int = NEGATIVES) -> list[Example]:
    """Examples drawn from retrieval tasks in turn, by seed.

    Raises:
        MedloomError: No task is a retrieval task with enough texts.
    """
    fit = [t for t in tasks if t.type == "Retrieval" and len(t.data["corpus"]) > negatives]
    if not fit:
        raise MedloomError(f"examples need a retrieval task with more than {negatives} texts: give --dev")
    draw = random.Random(seed)
    orders = [draw.sample(sorted(task.data["queries"]), len(task.data["queries"])) for task in fit]
    examples: list[Example] = []
    for turn in range(max(map(len, orders))):
        for task, order in zip(fit, orders, strict=True):
            if turn < len(order) and len(examples) < wanted:
                examples.append(_example(task, order[turn], negatives, draw))
    return examples


def _example(task: Task, query: str, negatives: int, draw: random.Random) -> Example:
    corpus, judged = task.data["corpus"], task.data["qrels"][query]
    right = [document for document, relevance in judged.items() if relevance > 0]
    wrong = sorted(document for document in corpus if document not in right)
    taken = draw.sample(wrong, min(negatives, len(wrong)))
    return Example(task.data["queries"][query], corpus[right[0]], tuple(corpus[document] for document in taken))


def contrastive_loss(encoder: Encoder, examples: Sequence[Example]) -> float:
    """Mean cross-entropy of each query's positive among the texts of all examples, cosines over 0.05.

    This is LM-Cocktail's loss of an embedder with all examples in one batch, but for its pooling and prompts: they are the
    model's own, not always the first token's and none.
    """
    queries = _unit(encoder.encode([one.query for one in examples], encoder.prompt_for("query")))
    texts = [text for one in examples for text in (one.positive, *one.negatives)]
    scores = queries @ _unit(encoder.encode(texts, encoder.prompt_for("document"))).T / LOSS_TEMPERATURE
    places = np.cumsum([0, *(1 + len(one.negatives) for one in examples)])[:-1]
    highest = scores.max(axis=1)
    logs = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return float((logs - scores[np.arange(len(examples)), places]).mean())


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    wide = rows.astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return wide


def weights_of(losses: Sequence[float], temperature: float) -> tuple[float, ...]:
    """``softmax(-loss / temperature)``, as LM-Cocktail (Xiao et al. 2023) weighs models.

    Raises:
        ModelError: A loss is not a number.
    """
    if not all(map(math.isfinite, losses)):
        raise ModelError("the loss of one of the models is not a number: try --precision fp32, and check its weights")
    lowest = min(losses)
    raw = [math.exp((lowest - loss) / temperature) for loss in losses]
    return tuple(value / sum(raw) for value in raw)


def found_losses(parents: Sequence[Parent], examples: Sequence[Example], precision: Precision = "auto") -> list[float]:
    """Loss of each model on the examples."""
    losses = []
    with bar("losses", len(parents), "models") as advance:
        for parent in parents:
            losses.append(contrastive_loss(load_encoder(parent.ref, precision), examples))
            advance()
    return losses
