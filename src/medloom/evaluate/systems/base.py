"""What a task can be put to: anything that ranks texts or says how near two are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from medloom.evaluate.tasks import Task, TaskType

Kind = Literal["dense", "late-interaction", "lexical", "endpoint"]


@dataclass(frozen=True)
class SystemInfo:
    """What a system is, for results and leaderboards.

    Attributes:
        name: As the user wrote it, or a short form of it.
        hash: Content hash: two systems of one hash give one result.
        kind: How it compares texts.
        settings: What its scores depend on beyond the hash: prompts, pooling, max_length, precision, backend.
        dimensions: Length of a vector (of each token's vector, in late interaction); None where there is none.
        parameters: Number of weights; None where there are none or none are known.
        size_bytes: Size of the weights on disk; None where unknown.
    """

    name: str
    hash: str
    kind: Kind
    settings: dict[str, Any] = field(default_factory=dict)
    dimensions: int | None = None
    parameters: int | None = None
    size_bytes: int | None = None


@runtime_checkable
class System(Protocol):
    """Anything that tasks can be put to."""

    @property
    def info(self) -> SystemInfo:
        """What it is."""

    @property
    def types(self) -> frozenset[TaskType]:
        """Types of task that it can do."""

    def prepare(self, tasks: Sequence[Task]) -> None:
        """Read every text of the tasks once, so that the calls below only look up; may do nothing."""

    def rank(
        self, queries: Sequence[str], corpus: Sequence[str], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The k best texts of the corpus for each query, best first.

        Returns:
            Numbers in the corpus, int64, and scores, float32, both of shape (queries, min(k, len(corpus))). A number of -1
            stands where fewer were found.
        """

    def similarity(self, one: Sequence[str], other: Sequence[str]) -> npt.NDArray[np.float64]:
        """How near each text is to its counterpart, float64, shape (n,)."""

    def vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of the texts, float32, shape (n, d).

        Raises:
            NotImplementedError: The system has no single vector for a text.
        """
