"""The three ways of writing queries: what is asked of the model, and what is made of its answers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, Protocol

from medloom.generate.chat import Answer, Ask, ChatModel
from medloom.generate.config import GenerateConfig, QueryKind
from medloom.generate.drafts import Draft, Passage, Reject, shown_text
from medloom.generate.phrases import PhraseStats
from medloom.progress import bar
from medloom.records import Document

Fate = Literal["rejected", "failed", "not_asked"]


@dataclass
class Written:
    """What was written for one document.

    Attributes:
        drafts: Queries before the checks.
        rejects: Answers that hold no usable query.
        fate: What the document is counted as if none of its drafts passes.
    """

    drafts: list[Draft] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    fate: Fate = "rejected"


class Answers(Protocol):
    """Where the answers are: a :class:`~medloom.generate.calls.CallStore`, say."""

    def get(self, key: str) -> Answer | None:
        """The answer to a call; None if there is none."""

    def failure(self, key: str) -> str | None:
        """Why a call failed; None if it did not."""


class Writer(Protocol):
    """One way of writing queries."""

    def asks(self) -> Iterator[Ask]:
        """All calls of the job, in the documents' order."""

    def keys(self, document: Document) -> list[str]:
        """Keys of the calls that are made for a document."""

    def written(self, document: Document, store: Answers) -> Written:
        """What was written for a document, from the answers in the store."""

    def alone(self, altered: dict[str, int]) -> "Writer":
        """The writer without the documents, fit to travel to another process.

        Args:
            altered: What it increases by what was mended in an answer.
        """


def writer_for(
    config: GenerateConfig,
    documents: Callable[[], Iterable[Document]],
    model: ChatModel | None,
    seed: int,
    altered: dict[str, int],
) -> Writer:
    """The writer of the mode that the settings name.

    Args:
        config: Mode, model and kinds.
        documents: What is written about; streamed several times.
        model: Who is asked; None for ``extractive``.
        seed: Draws the forms of extractive queries.
        altered: Increased by what was mended in an answer, in place.
    """
    if config.mode == "extractive":
        return _Extractive(config, _stats(documents), seed)
    if model is None:
        raise ValueError(f"mode {config.mode} needs a model")
    if config.mode == "one-shot":
        return _OneShot(config, documents, model.name, altered)
    return _EvidenceFirst(config, documents, model.name, _stats(documents))


@dataclass
class _Extractive:
    config: GenerateConfig
    stats: PhraseStats
    seed: int

    def asks(self) -> Iterator[Ask]:
        return iter(())

    def keys(self, document: Document) -> list[str]:
        return []

    def alone(self, altered: dict[str, int]) -> Writer:
        return self

    def written(self, document: Document, store: Answers) -> Written:
        from medloom.generate.extractive import extract

        return Written(extract(document, self.config, self.stats, self.seed))


@dataclass
class _OneShot:
    config: GenerateConfig
    documents: Callable[[], Iterable[Document]]
    model: str
    altered: dict[str, int]

    def asks(self) -> Iterator[Ask]:
        from medloom.generate.prompts import one_shot

        return (one_shot(document, self.config) for document in self.documents())

    def keys(self, document: Document) -> list[str]:
        from medloom.generate.prompts import one_shot

        return [one_shot(document, self.config).key(self.model)]

    def alone(self, altered: dict[str, int]) -> Writer:
        return replace(self, documents=_no_documents, altered=altered)

    def written(self, document: Document, store: Answers) -> Written:
        from medloom.generate.parse import parse_one_shot
        from medloom.generate.prompts import one_shot

        out = Written()
        key = one_shot(document, self.config).key(self.model)
        _read(document, key, store, out, partial(parse_one_shot, key=key, config=self.config, counts=self.altered))
        return out


@dataclass
class _EvidenceFirst:
    config: GenerateConfig
    documents: Callable[[], Iterable[Document]]
    model: str
    stats: PhraseStats

    def asks(self) -> Iterator[Ask]:
        """Kind by kind: calls of one kind begin alike, and an engine reads what it has just read in no time."""
        for kind in [kind for kind, n in self.config.kinds.items() if n]:
            for document in self.documents():
                yield from (ask for _, _, ask in self._plan(document, kind))

    def keys(self, document: Document) -> list[str]:
        return [ask.key(self.model) for _, _, ask in self._plan(document)]

    def alone(self, altered: dict[str, int]) -> Writer:
        return replace(self, documents=_no_documents)

    def written(self, document: Document, store: Answers) -> Written:
        from medloom.generate.parse import parse_query

        out = Written()
        plan = self._plan(document)
        fates = []
        for kind, passage, ask in plan:
            key = ask.key(self.model)
            _read(document, key, store, out, partial(parse_query, key=key, passage=passage, kind=kind, config=self.config))
            fates.append(out.fate)
        out.fate = next((fate for fate in ("failed", "not_asked") if fate in fates), "rejected")
        return out

    def _plan(self, document: Document, only: QueryKind | None = None) -> list[tuple[QueryKind, Passage, Ask]]:
        """Which passage is put to the model for which kind of query, for all kinds or for one."""
        from medloom.generate.evidence import TREATMENT, choose
        from medloom.generate.prompts import evidence_first

        text = shown_text(document)
        kinds: list[QueryKind] = [kind for kind, n in self.config.kinds.items() for _ in range(n)]
        treatments = kinds.count("treatment") if only in (None, "treatment") else 0
        others = len(kinds) - kinds.count("treatment") if only != "treatment" else 0
        passages = {
            False: _repeated(choose(text, others, self.stats) if others else []),
            True: _repeated(choose(text, treatments, self.stats, TREATMENT) if treatments else []),
        }
        plan: list[tuple[QueryKind, Passage, Ask]] = []
        for kind in kinds:
            passage = next(passages[kind == "treatment"], None)
            if passage is not None and only in (None, kind):
                plan.append((kind, passage, evidence_first(document, passage, kind, self.config)))
        return plan


def _repeated(passages: list[Passage]) -> Iterator[Passage]:
    """The passages over and over: a short note has fewer than there are kinds."""
    while passages:
        yield from passages


def _read(document: Document, key: str, store: Answers, out: Written, parse: Callable[[Answer], list[Draft]]) -> None:
    """Add what a call's answer holds; sets the fate of this call."""
    from medloom.generate.parse import BadAnswer

    out.fate = "rejected"
    answer = store.get(key)
    if answer is None:
        why = store.failure(key)
        out.fate = "failed" if why is not None else "not_asked"
        if why is not None:
            out.rejects.append(Reject(document.id, document.source, "call_failed", prompt=key, detail=why))
        return
    try:
        out.drafts += parse(answer)
    except BadAnswer as error:
        out.rejects.append(Reject(document.id, document.source, error.reason, prompt=key))


def _no_documents() -> Iterable[Document]:
    return ()


def _stats(documents: Callable[[], Iterable[Document]]) -> PhraseStats:
    stats = PhraseStats()
    with bar("counting phrases", None, "documents") as advance:
        for document in documents():
            stats.add(shown_text(document))
            advance()
    return stats
