"""The stages on patient text: identifiers go, queries come."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from medloom.artifacts import read_table, write_table
from medloom.deid.gate import checked
from medloom.engine import HOW_ONLY
from medloom.errors import StageError
from medloom.recipe import Recipe
from medloom.records import Document
from medloom.stages.base import DOCUMENTS, Outcome, Work, base_hash
from medloom.stages.gate import Open, count_open

if TYPE_CHECKING:
    from medloom.mine.negatives import VectorFile

_KEY, _CALLS, _VECTORS = "deid.key", "calls.sqlite", "vectors"
_HOW_ONLY = {"concurrency", "timeout", "retries", "max_wait", *HOW_ONLY}


def key_hash(recipe: Recipe) -> dict[str, str]:
    """Fingerprint of the secret key, where the recipe names one."""
    from medloom.deid.keys import key_fingerprint, load_key

    if recipe.deid is None or recipe.deid.key_file is None:
        return {}
    return {"key": key_fingerprint(load_key(recipe.folder / recipe.deid.key_file.expanduser()))}


def deid(work: Work) -> Outcome:
    """Replace the identifiers of every document that may hold any."""
    from medloom.deid.detect import load_detector
    from medloom.deid.keys import key_fingerprint, load_key
    from medloom.deid.replace import Deidentifier

    config = work.recipe.deid
    if config is None:
        raise StageError("deid: the recipe has no deid: section")
    named = config.key_file.expanduser() if config.key_file else None
    key = load_key(work.recipe.folder / named if named else work.home / _KEY)
    deidentifier = Deidentifier(config, load_detector(config.detector), key)
    outcome = Outcome()
    kinds: Counter[str] = Counter()

    def documents() -> Iterator[Document]:
        source = read_table(work.documents, Document)
        for run_of, needs in _runs(source):
            if not needs:
                yield from run_of
                continue
            for document, parts in deidentifier.many(run_of):
                outcome.counts["deidentified"] = outcome.counts.get("deidentified", 0) + 1
                kinds.update(span.kind for part in parts for span in part.spans)
                yield document

    left_open: Open = {}
    outcome.rows_out = write_table(work.folder / DOCUMENTS, count_open(documents(), left_open), Document)
    outcome.rows_in = outcome.rows_out
    outcome.notes = {
        "mark": deidentifier.mark,
        "spans": dict(sorted(kinds.items())),
        "key": key_fingerprint(key),
        "open": left_open,
    }
    return outcome


def _runs(documents: Iterator[Document]) -> Iterator[tuple[Iterator[Document], bool]]:
    """Stretches of documents that need de-identification, and stretches that do not."""
    from itertools import groupby

    for needs, run_of in groupby(documents, key=lambda d: d.contains_phi is not False and not d.deidentified):
        yield run_of, needs


def generate_settings(recipe: Recipe) -> dict[str, Any]:
    """What generated records depend on; how fast and how patiently is left out."""
    if recipe.generate is None:
        return {}
    by_base = recipe.generate.checks.round_trip == "base"
    precision = {"precision": recipe.evaluate.precision} if by_base else {}
    return recipe.generate.model_dump(mode="json", exclude=_HOW_ONLY) | {"seed": recipe.seed} | precision


def model_hash(recipe: Recipe) -> dict[str, str]:
    """Content hash of a language model that runs here, and of the base model where it checks round trips."""
    from medloom.generate.chat import LOCAL
    from medloom.generate.models import open_chat

    config = recipe.generate
    if config is None:
        return {}
    local = {"model": open_chat(config.model).name} if config.model and config.model.startswith(LOCAL) else {}
    return local | (base_hash(recipe) if config.checks.round_trip == "base" else {})


def generate(work: Work) -> Outcome:
    """Write queries for the documents, check them, and keep what passes."""
    from medloom.generate.run import generate as generate_records
    from medloom.generate.run import open_model

    config = work.recipe.generate
    if config is None:
        raise StageError("generate: the recipe has no generate: section")
    model = open_model(config)
    host = model.host if model else None

    def documents() -> Iterator[Document]:
        wanted = (d for d in read_table(work.documents, Document) if d.source in (config.sources or (d.source,)))
        return checked(wanted, host, work.recipe.allow_phi_to, "generate")

    summary = generate_records(
        documents,
        config,
        work.folder,
        work.home / _CALLS,
        model,
        work.recipe.seed,
        lambda what: _vectors(work, what),
    )
    shutil.rmtree(work.folder / _VECTORS, ignore_errors=True)
    return Outcome(
        rows_in=summary.documents,
        rows_out=summary.records,
        counts=summary.counts,
        notes=asdict(summary) | {"host": host, "allow_phi_to": list(work.recipe.allow_phi_to)},
    )


def _vectors(work: Work, what: str) -> "VectorFile":
    from medloom.encode import VectorFolder, load_encoder, resolve_model

    encoder = load_encoder(resolve_model(work.recipe.base, work.recipe.folder), work.recipe.evaluate.precision)
    return VectorFolder(encoder, work.folder / _VECTORS, what)
