"""From documents to checked training records: ask, parse, check, try, judge."""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.artifacts import read_table, write_table
from medloom.deid.spans import Detector
from medloom.engine import Engine, open_engine
from medloom.errors import StageError
from medloom.generate.calls import CallStore
from medloom.generate.chat import Ask, ChatModel
from medloom.generate.config import TASK_KINDS, GenerateConfig
from medloom.generate.drafts import Reject, shown_text
from medloom.generate.write import Writer, writer_for
from medloom.identity import digest, text_hash
from medloom.progress import bar
from medloom.records import Document, TrainingRecord

if TYPE_CHECKING:
    from medloom.generate.forecast import CallForecast
    from medloom.mine.negatives import VectorFile

GENERATED, REJECTS = "generated.parquet", "rejects.jsonl"
_CANDIDATES, _JUDGED = "candidates.parquet", "judged.parquet"
_SPENT = ("asked", "prompt_tokens", "completion_tokens", "cost", "seconds")
_FATES = ("done", "rejected", "failed", "not_asked")


@dataclass
class Summary:
    """What generating gave.

    Attributes:
        mode: How the queries were written.
        model: What wrote them.
        documents: Documents that queries were to be written for: all end as done, rejected, failed or not asked.
        done: Documents with at least one record.
        rejected: Documents that were answered for, but none of whose queries passed the checks.
        failed: Documents without a record for which a call failed.
        not_asked: Documents left when a limit was reached.
        left_out: Documents that were not to be asked for: too short, or over ``limit``.
        records: Records kept.
        drafts: Queries written, before the checks.
        kinds: Records by source and kind.
        reasons: What the checks dropped, by check; each is a row of the rejects file.
        altered: What was mended or left off without dropping the query, by reason.
        calls: Of the job's calls: answered, failed, tokens, seconds.
        detector: What looked for identifiers in the queries.
    """

    mode: str
    model: str
    documents: int = 0
    done: int = 0
    rejected: int = 0
    failed: int = 0
    not_asked: int = 0
    left_out: int = 0
    records: int = 0
    drafts: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    altered: dict[str, int] = field(default_factory=dict)
    calls: dict[str, Any] = field(default_factory=dict)
    detector: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Of the documents: what became of those without a record."""
        return {name: n for name in _FATES[1:] if (n := int(getattr(self, name)))}


def open_model(config: GenerateConfig) -> ChatModel | None:
    """The model that the settings name; None where they need none.

    Raises:
        StageError: The mode needs a model and none is named.
        MedloomError: The model cannot be opened.
    """
    from medloom.generate.models import open_chat

    if config.mode == "extractive":
        return None
    if config.model is None:
        raise StageError(
            f"generate: mode {config.mode} needs a model: set generate.model to openai:http://HOST/v1#MODEL or gguf:PATH, "
            "or generate.mode to extractive, which needs none"
        )
    return open_chat(config.model, timeout=config.timeout, concurrency=config.concurrency)


def foresee(
    documents: Callable[[], Iterable[Document]], config: GenerateConfig, calls: Path, model: ChatModel | None, seed: int
) -> tuple[Summary, "CallForecast | None"]:
    """Count documents, calls, tokens and cost of :func:`generate` with the same arguments; nothing is asked.

    Returns:
        A summary of which only the documents are known, and the forecast; None where no model is asked.
    """
    from medloom.generate.forecast import forecast

    summary = Summary(config.mode, model.name if model else "extractive")
    chosen = _chosen(documents, config, seed, summary)
    if model is None:
        return summary, None
    asks = writer_for(config, chosen, model, seed, {}).asks()
    if not calls.is_file():
        return summary, forecast(asks, model.name, None, config)
    with CallStore(calls) as store:
        return summary, forecast(asks, model.name, store, config)


def generate(
    documents: Callable[[], Iterable[Document]],
    config: GenerateConfig,
    folder: Path,
    calls: Path,
    model: ChatModel | None,
    seed: int,
    vectors: "Callable[[str], VectorFile] | None" = None,
    retry_failed: bool = False,
) -> Summary:
    """Write queries for documents and keep those that pass every check.

    Answers are kept in ``calls`` as they come, so a killed run asks nothing twice; checking starts anew from the answers,
    which takes seconds. Every dropped query is a row of ``rejects.jsonl`` with the reason.

    Args:
        documents: Yields the documents, already let through the gate; streamed several times.
        config: What to write and what to demand of it.
        folder: Where ``generated.parquet`` and ``rejects.jsonl`` go.
        calls: The table of calls; shared by all runs that ask the same model.
        model: Writes the queries; None for ``extractive``.
        seed: Draws the documents where there are more than ``limit``.
        vectors: For round trips by the base model: gives, for a hash of the texts, what encodes them to disk.
        retry_failed: Ask again where a call had failed for good.

    Raises:
        BudgetReached: A limit was reached and ``on_budget`` says to stop.
        MedloomError: The server refuses, or is gone for longer than ``max_wait``.
    """
    from filelock import FileLock

    from medloom.deid.detect import best_available

    detector = best_available() if config.checks.identifiers else None
    summary = Summary(config.mode, model.name if model else "extractive", detector=detector.name if detector else "")
    chosen = _chosen(documents, config, seed, summary)
    writer = writer_for(config, chosen, model, seed, summary.altered)
    with CallStore(calls) as store:
        if model is not None:
            per_document = sum(config.kinds.values()) if config.mode == "evidence-first" else 1
            _call(writer.asks, model, store, config, summary, retry_failed, summary.documents * per_document)
        with FileLock(calls.with_suffix(".lock")), (folder / REJECTS).open("w", encoding="utf-8") as rejects:
            job = _Job(config, folder, store, writer, detector, summary, _Rejects(rejects, summary))
            with open_engine(config) as engine:
                fates = job.collect(chosen, engine)
            job.try_round_trip(vectors)
            if config.checks.judge and model is not None:
                _call(job.all_asks, model, store, config, summary, retry_failed, None)
            job.finish(model)
    job.settle(fates)
    return summary


class _Rejects:
    """The rejects file, and its counts."""

    def __init__(self, file: Any, summary: Summary) -> None:  # noqa: ANN401
        self._file, self._reasons = file, summary.reasons

    def add(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            self._reasons[reject.reason] = self._reasons.get(reject.reason, 0) + 1
            row = {name: value for name, value in asdict(reject).items() if value}
            self._file.write(json.dumps(row, ensure_ascii=True) + "\n")

    def record(self, record: TrainingRecord, reason: str) -> None:
        kept = Reject(record.doc_id, record.source, reason, record.kind, record.query, record.positives[0], record.prompt)
        self.add([kept])


@dataclass
class _Job:
    """The steps after the calls."""

    config: GenerateConfig
    folder: Path
    store: CallStore
    writer: Writer
    detector: Detector | None
    summary: Summary
    rejects: _Rejects
    kept: set[tuple[str, str]] = field(default_factory=set)

    def collect(self, documents: Callable[[], Iterable[Document]], engine: Engine) -> dict[tuple[str, str], str]:
        """Parse and check what was written for each document; returns what became of each, so far."""
        from medloom.generate.checks import Duplicates
        from medloom.generate.drafting import drafted

        seen: dict[str, Duplicates] = {}
        fates: dict[tuple[str, str], str] = {}
        summary = self.summary
        found = drafted(
            documents(), self.writer, self.store, self.config, self.detector, summary.model, summary.altered, engine
        )

        def records() -> Iterator[TrainingRecord]:
            with bar("checking queries", summary.documents, "documents") as advance:
                for document, one in found:
                    advance()
                    self.rejects.add(one.rejects)
                    summary.drafts += one.drafts
                    duplicates = seen.setdefault(document.source, Duplicates(self.config.checks.near_duplicate))
                    fates[document.source, document.id] = one.fate
                    for record in one.records:
                        if duplicates.is_new(record.query):
                            yield record
                        else:
                            self.rejects.record(record, "near_duplicate")

        write_table(self.folder / _CANDIDATES, records(), TrainingRecord)
        return fates

    def try_round_trip(self, vectors: "Callable[[str], VectorFile] | None") -> None:
        """Drop the queries that do not find their own passage again."""
        from medloom.generate.roundtrip import round_trip

        config = self.config.checks
        records = list(read_table(self.folder / _CANDIDATES, TrainingRecord))
        keep: Sequence[bool] = [True] * len(records)
        if config.round_trip != "off" and records:
            encode = None
            if config.round_trip == "base":
                if vectors is None:
                    raise StageError("generate: checks.round_trip is base, but there is no base model here: set it to bm25")
                encode = vectors(digest([[r.query, r.positives[0]] for r in records]))
            keep = round_trip(records, self.config, encode, self.summary.altered)
        passed = self._with_partners(zip(records, keep, strict=True), "round_trip")
        write_table(self.folder / _JUDGED, passed, TrainingRecord)
        (self.folder / _CANDIDATES).unlink()

    def all_asks(self) -> Iterator[Ask]:
        """The job's calls up to here, and one to the judge for each record: limits count them together."""
        from medloom.generate.judge import judge_ask

        records = read_table(self.folder / _JUDGED, TrainingRecord)
        return chain(self.writer.asks(), (judge_ask(record, self.config) for record in records))

    def finish(self, model: ChatModel | None) -> None:
        """Write what the judge lets pass, or all if there is none."""
        kinds: Counter[str] = Counter()

        def records() -> Iterator[TrainingRecord]:
            judge = model if self.config.checks.judge else None
            asked = read_table(self.folder / _JUDGED, TrainingRecord)
            for record in self._with_partners(((r, judge is None or self._passes(r, judge)) for r in asked), "judge"):
                kinds[record.task] += 1
                self.kept.add((record.source, record.doc_id))
                yield record

        whole = self.folder / f"{GENERATED}.tmp"
        self.summary.records = write_table(whole, records(), TrainingRecord)
        whole.replace(self.folder / GENERATED)
        self.summary.kinds = dict(sorted(kinds.items()))
        (self.folder / _JUDGED).unlink()

    def _with_partners(self, judged: Iterable[tuple[TrainingRecord, bool]], check: str) -> Iterator[TrainingRecord]:
        """The records that pass; one that stands on a question which does not goes with it."""
        lost: set[tuple[str, str, str]] = set()
        for record, passes in judged:
            on = (record.source, record.doc_id, record.positives[0])
            if not passes:
                lost.add((record.source, record.doc_id, record.query))
                self.rejects.record(record, check)
            elif record.kind == TASK_KINDS["absent"] and on in lost:
                self.rejects.record(record, "no_partner")
            else:
                yield record

    def _passes(self, record: TrainingRecord, model: ChatModel) -> bool:
        from medloom.generate.judge import judge_ask, verdict

        answer = self.store.get(judge_ask(record, self.config).key(model.name))
        return answer is not None and verdict(answer)

    def settle(self, fates: dict[tuple[str, str], str]) -> None:
        """Say of every document what became of it: the four add up to all."""
        fates.update(dict.fromkeys(self.kept, "done"))
        totals = Counter(fates.values())
        for name in _FATES:
            setattr(self.summary, name, totals[name])


def _call(
    asks: Callable[[], Iterator[Ask]],
    model: ChatModel,
    store: CallStore,
    config: GenerateConfig,
    summary: Summary,
    retry_failed: bool,
    total: int | None,
) -> None:
    from medloom.generate.runner import run_calls

    counts = asdict(run_calls(asks, model, store, config, total, retry_failed=retry_failed))
    for name in _SPENT:
        counts[name] += summary.calls.get(name, 0)
    summary.calls = counts | {"cached": counts["answered"] - counts["asked"]}


def _chosen(
    documents: Callable[[], Iterable[Document]], config: GenerateConfig, seed: int, summary: Summary
) -> Callable[[], Iterator[Document]]:
    """The documents that are long enough, at most ``limit`` of them, drawn by seed whatever order they come in."""
    ranked: list[tuple[int, str, str]] = []
    total = 0
    for document in documents():
        total += 1
        if not _long_enough(document, config):
            continue
        summary.documents += 1
        if config.limit is None:
            continue
        rank = -int.from_bytes(text_hash(f"{seed}|generate|{document.source}|{document.id}"))
        entry = (rank, document.source, document.id)
        if len(ranked) < config.limit:
            heapq.heappush(ranked, entry)
        else:
            heapq.heappushpop(ranked, entry)
    drawn = {(source, id_) for _, source, id_ in ranked} if config.limit is not None else None
    if drawn is not None:
        summary.documents = len(drawn)
    summary.left_out = total - summary.documents
    if not summary.documents:
        raise StageError(
            f"generate: none of {total:,} documents has at least {config.min_words} words of text: check the source's "
            "fields, generate.sources, or lower generate.min_words"
        )

    def wanted() -> Iterator[Document]:
        for document in documents():
            if _long_enough(document, config) and (drawn is None or (document.source, document.id) in drawn):
                yield document

    return wanted


def _long_enough(document: Document, config: GenerateConfig) -> bool:
    return len(shown_text(document).split(None, config.min_words)) >= config.min_words
