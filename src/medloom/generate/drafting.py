"""From answers to checked drafts and records, document by document: the part of generating that any process can do."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice

from medloom.deid.spans import Detector
from medloom.engine import Engine
from medloom.errors import StageError
from medloom.generate.chat import Answer
from medloom.generate.checks import Checker
from medloom.generate.config import GenerateConfig
from medloom.generate.drafts import Draft, Reject, shown_text
from medloom.generate.records import to_records
from medloom.generate.write import Answers, Fate, Writer
from medloom.records import Document, TrainingRecord

_TOGETHER = 32
GetDetector = Callable[[], Detector | None]


@dataclass(frozen=True)
class KnownAnswers:
    """Answers that go to another process with the documents that they are for.

    Attributes:
        answers: By the key of the call.
        failures: Why there is none, likewise.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[str], store: Answers) -> "KnownAnswers":
        """Those of some calls, as a store has them."""
        known = cls()
        for key in keys:
            if (answer := store.get(key)) is not None:
                known.answers[key] = answer
            elif (why := store.failure(key)) is not None:
                known.failures[key] = why
        return known

    def get(self, key: str) -> Answer | None:
        """The answer to a call; None if there is none."""
        return self.answers.get(key)

    def failure(self, key: str) -> str | None:
        """Why a call failed; None if it did not."""
        return self.failures.get(key)


@dataclass(frozen=True)
class Part:
    """Some documents, and the answers that queries for them are made from."""

    documents: list[Document]
    answers: Answers


@dataclass
class Drafted:
    """What came of one document.

    Attributes:
        drafts: Queries written, before the checks.
        rejects: Answers and queries that were dropped.
        records: Those that passed.
        fate: What the document is counted as if none of its records stays.
    """

    drafts: int
    rejects: list[Reject]
    records: list[TrainingRecord]
    fate: Fate


def drafted(
    documents: Iterable[Document],
    writer: Writer,
    store: Answers,
    config: GenerateConfig,
    detector: Detector | None,
    model: str,
    altered: dict[str, int],
    engine: Engine,
) -> Iterator[tuple[Document, Drafted]]:
    """What was written for each document, checked, in the documents' order.

    Args:
        documents: What queries were written for.
        writer: Reads the answers, or writes without a model.
        store: Holds the answers; read in this process alone.
        config: What is demanded.
        detector: Finds identifiers in queries; None where they are not looked for.
        model: Who wrote the queries.
        altered: Increased by what was mended, in place.
        engine: Who shares the work.

    Raises:
        StageError: A worker looks for identifiers in another way than this process does.
    """
    name = detector.name if detector else ""
    find: GetDetector = (lambda: detector) if engine.is_here else partial(_same_detector, name)
    function = partial(draft, writer=writer.alone({}), config=config, find=find, model=model)
    stream = iter(documents)
    waiting: deque[list[Document]] = deque()

    def parts() -> Iterator[Part]:
        while batch := list(islice(stream, _TOGETHER)):
            waiting.append(batch)
            keys = () if engine.is_here else (key for document in batch for key in writer.keys(document))
            yield Part(batch, store if engine.is_here else KnownAnswers.of(keys, store))

    for found, mended in engine.in_order(function, parts()):
        for what, n in mended.items():
            altered[what] = altered.get(what, 0) + n
        yield from zip(waiting.popleft(), found, strict=True)


def draft(
    part: Part, writer: Writer, config: GenerateConfig, find: GetDetector, model: str
) -> tuple[list[Drafted], dict[str, int]]:
    """What was written for some documents, checked; and how often what was mended."""
    altered: dict[str, int] = {}
    own = writer.alone(altered)
    checker = Checker(config, find(), altered)
    found = []
    for document in part.documents:
        written = own.written(document, part.answers)
        good, bad = _checked(document, written.drafts, checker)
        records, lonely = to_records(document, good, model)
        found.append(Drafted(len(written.drafts), [*written.rejects, *bad, *lonely], records, written.fate))
    return found, altered


def _checked(document: Document, drafts: Iterable[Draft], checker: Checker) -> tuple[list[Draft], list[Reject]]:
    shown = shown_text(document)
    good: list[Draft] = []
    bad: list[Reject] = []
    for one in drafts:
        result = checker.check(one, shown)
        if isinstance(result, Draft):
            good.append(result)
        else:
            bad.append(Reject(document.id, document.source, result, one.kind, one.query, one.evidence, one.prompt))
    return good, bad


@cache
def _same_detector(name: str) -> Detector | None:
    """What finds identifiers where this process runs: it must be what it is where the run was started."""
    from medloom.deid.detect import best_available

    if not name:
        return None
    detector = best_available()
    if detector.name != name:
        raise StageError(
            f"generate: identifiers are looked for by {detector.name} where a worker runs, not by {name}: install the same "
            "extras on every machine"
        )
    return detector
