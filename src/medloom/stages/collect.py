"""The stage that reads every source, or fetches it."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from medloom.artifacts import LOCKS, read_table, write_table
from medloom.collect.job import DIFFERENCES, REJECTS
from medloom.collect.lock import LOCK
from medloom.collect.shown import shown
from medloom.errors import StageError
from medloom.recipe import Recipe
from medloom.records import Document, marked
from medloom.sources import Rejects, SourceConfig
from medloom.sources.fetched import FetchedSource
from medloom.stages.base import DOCUMENTS, Outcome, Work
from medloom.stages.gate import Open, count_open

_FETCHED = "fetched"


def collect(work: Work) -> Outcome:
    """Read every source, once; what is fetched stays in the folder of a killed try, and is gone on with."""
    rejects_file = work.folder / "rejects.jsonl"
    rejects_file.unlink(missing_ok=True)
    rejects = Rejects(rejects_file)
    outcome = Outcome()
    kept: Counter[str] = Counter()
    facts: dict[str, dict[str, Any]] = {}

    def documents() -> Iterator[Document]:
        for source in work.recipe.sources:
            for document in marked(_read(source, work, rejects, facts), source.contains_phi):
                outcome.rows_in += 1
                if document.title or document.text or document.sections:
                    kept[source.name] += 1
                    yield document

    left_open: Open = {}
    outcome.rows_out = write_table(work.folder / DOCUMENTS, count_open(documents(), left_open), Document)
    rejected = sum(rejects.counts.values())
    outcome.rows_in += rejected
    empty = outcome.rows_in - rejected - outcome.rows_out
    outcome.counts = {name: n for name, n in (("rejected", rejected), ("empty", empty)) if n}
    if outcome.rows_out < 2:
        raise StageError(
            f"collect: the sources hold {outcome.rows_out} document(s) with text ({rejected} rejected, {empty} empty): "
            "at least two are needed; check the paths, the fields and the rejects"
        )
    _keep_locks(work)
    outcome.notes = {
        "sources": [
            {**asdict(s.release()), "source": s.name, "documents": kept[s.name], **facts.get(s.name, {})}
            for s in work.recipe.sources
        ],
        "open": left_open,
    }
    return outcome


def source_hashes(recipe: Recipe) -> dict[str, str]:
    """Content hashes of what the sources read."""
    return {f"{source.name}/{name}": value for source in recipe.sources for name, value in source.inputs().items()}


def _read(source: SourceConfig, work: Work, rejects: Rejects, facts: dict[str, dict[str, Any]]) -> Iterator[Document]:
    """The documents of a source; what is known of a fetched one is noted in ``facts``."""
    if not isinstance(source, FetchedSource):
        yield from source.documents(rejects)
        return
    folder = work.folder / _FETCHED / source.name
    with shown(source.name) as tell:
        result = source.fetch(folder, tell)
    rejects.add_all(folder / REJECTS)
    last = result.rounds[-1]
    facts[source.name] = {
        "collected": last["started"],
        **({"version": last["service"]} if last["service"] else {}),
        **({"passed_over": result.counts} if result.counts else {}),
        **({"lock": result.differences.as_row()} if result.differences else {}),
    }
    yield from read_table(result.table, Document)


def _keep_locks(work: Work) -> None:
    """Move the locks of what was fetched to where they stay, and drop the rest of it."""
    fetched = work.folder / _FETCHED
    for source in work.recipe.sources:
        if isinstance(source, FetchedSource):
            place = work.folder / LOCKS / source.name
            place.mkdir(parents=True, exist_ok=True)
            for name in (LOCK, DIFFERENCES):
                if (fetched / source.name / name).is_file():
                    (fetched / source.name / name).replace(place / name)
    shutil.rmtree(fetched, ignore_errors=True)
