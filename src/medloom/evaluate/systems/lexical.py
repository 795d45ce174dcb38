"""BM25 as a system that tasks are put to."""

from collections.abc import Sequence

from medloom.evaluate.systems.base import SystemInfo
from medloom.evaluate.systems.dense import Floats
from medloom.evaluate.tasks import Task, TaskType
from medloom.identity import digest
from medloom.mine.bm25 import Bm25


class Bm25System(Bm25):
    """:class:`~medloom.mine.bm25.Bm25` on any task that needs no single vector for a text."""

    @property
    def info(self) -> SystemInfo:
        """What it is."""
        return SystemInfo("bm25", digest(self.settings), "lexical", self.settings)

    @property
    def types(self) -> frozenset[TaskType]:
        """Types of task that it can do: those that need no single vector for a text."""
        return frozenset({"Retrieval", "PairClassification", "STS", "MinimalPairs"})

    def prepare(self, tasks: Sequence[Task]) -> None:
        """Do nothing: a corpus is indexed when it is first asked."""

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Nothing: words are no vector.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("BM25 has no vector for a text")
