"""What all suites share: a catalogue of tasks, and how they are built from what is at hand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from medloom.evaluate.tasks import Facet, Task, TaskType
from medloom.records import Document

Mode = Literal["strict", "compat"]
HUB = "hub"
CHAT = "chat model"


@dataclass(frozen=True)
class Entry:
    """One task of a suite's catalogue, built or not.

    Attributes:
        name: Unique in the suite.
        type: mteb's task type, or ``MinimalPairs``; another type of mteb's for tasks that only mteb can score.
        suite: The suite.
        source: Name of the source of documents that it is built from, of the package, or of the hub's data set.
        metric: Main score.
        facet: Kind of text.
        description: What the model must do, in a sentence.
        needs: What a build must be given: names of document sources, :data:`HUB` for a download; nothing if it builds
            anywhere.
        compat_needs: What ``compat`` needs on top, such as :data:`CHAT`.
    """

    name: str
    type: TaskType | str
    suite: str
    source: str
    metric: str
    facet: Facet
    description: str
    needs: tuple[str, ...] = ()
    compat_needs: tuple[str, ...] = ()


class ChatModel(Protocol):
    """Prompt in, text out."""

    name: str

    def complete(self, prompt: str) -> str:
        """The model's answer to one prompt."""


@dataclass(frozen=True)
class BuildRequest:
    """What a suite is built with.

    Attributes:
        mode: ``strict``, or ``compat`` for the original's own way, defects included.
        seed: Of everything that is drawn.
        documents: By source name, a function that gives all its documents.
        names: The tasks wanted; all if None.
        chat: Writes queries in ``compat``; None where the user gave none.
    """

    mode: Mode = "strict"
    seed: int = 0
    documents: Mapping[str, Callable[[], Sequence[Document]]] = field(default_factory=dict)
    names: frozenset[str] | None = None
    chat: ChatModel | None = None

    def wants(self, entry: Entry) -> bool:
        """Whether the task was asked for."""
        return self.names is None or entry.name in self.names

    def missing(self, entry: Entry) -> tuple[str, ...]:
        """What the task needs and the request does not have."""
        needs = (*entry.needs, *(entry.compat_needs if self.mode == "compat" else ()))
        return tuple(n for n in needs if n not in self.documents and not (n == CHAT and self.chat is not None))


class Suite(Protocol):
    """A named set of tasks."""

    name: str
    description: str
    modes: tuple[Mode, ...]

    def entries(self) -> list[Entry]:
        """The catalogue, in the order in which results are shown."""

    def build(self, request: BuildRequest, left_out: dict[str, str]) -> Iterator[Task]:
        """Yield every task of the catalogue that is wanted and can be built.

        Args:
            request: What is at hand.
            left_out: Filled with tasks that were wanted and could not be built, and why.
        """
