"""What a task is built with, and the checks that all builders share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medloom.bench.base import ChatModel
from medloom.bench.medteb.definition import Definition
from medloom.bench.medteb.negatives import Vectors
from medloom.errors import StageError
from medloom.records import Document

LEAST = 16


@dataclass(frozen=True)
class Material:
    """What is at hand.

    Attributes:
        documents: All documents of the task's source.
        compat: Whether to build as the authors' code does.
        seed: Of everything that is drawn.
        vectors: Finds neighbours for negatives.
        chat: Writes what an LLM wrote for the authors, in ``compat``.
    """

    documents: Sequence[Document]
    compat: bool
    seed: int
    vectors: Vectors
    chat: ChatModel | None = None

    def salt(self, definition: Definition) -> str:
        """Orders what is drawn from a source: the same documents for all of its tasks, so that they share texts."""
        return f"{self.seed}|{definition.source}"

    def about(self, definition: Definition) -> str:
        """Description of the task as built."""
        if not self.compat:
            made = f" Without an LLM, from structure: {definition.stand_in}." if definition.written else ""
        elif definition.written and self.chat is not None:
            made = f" As the authors' code makes it; {definition.written} written by {self.chat.name}."
        else:
            made = " As the authors' code makes it."
        return definition.description + made


def enough(n: int, what: str) -> None:
    """Raise a :class:`StageError` where there are too few rows to score anything."""
    if n < LEAST:
        raise StageError(f"{n} {what}, fewer than {LEAST}: the documents artifact holds too little for this task")


def enough_of_each(definition: Definition, sizes: Mapping[str, int]) -> None:
    """Raise a :class:`StageError` where a class has too few texts: with fewer classes it would be another task."""
    small = [f"{label} ({sizes.get(label, 0)})" for label in definition.labels if sizes.get(label, 0) < LEAST]
    if small:
        raise StageError(f"classes with fewer than {LEAST} texts in the documents artifact: {', '.join(small)}")
