"""The stages on text: documents in, clean pairs out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace

from medloom.artifacts import read_table, write_table
from medloom.errors import StageError
from medloom.recipe import Recipe
from medloom.records import Document, TrainingRecord
from medloom.stages.base import DOCUMENTS, GENERATED, HELD_OUT, PAIRS, TEST, TRAIN, Outcome, Work
from medloom.stages.gate import Open, count_open


def collect(work: Work) -> Outcome:
    """Read every source, once."""
    from medloom.sources import Rejects
    from medloom.sources.base import stricter

    rejects_file = work.folder / "rejects.jsonl"
    rejects = Rejects(rejects_file)
    outcome = Outcome()
    kept: Counter[str] = Counter()

    def documents() -> Iterator[Document]:
        for source in work.recipe.sources:
            for document in source.documents(rejects):
                outcome.rows_in += 1
                if document.title or document.text or document.sections:
                    kept[source.name] += 1
                    marked = stricter(document.contains_phi, source.contains_phi)
                    yield document if marked == document.contains_phi else replace(document, contains_phi=marked)

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
    outcome.notes = {
        "sources": [{**asdict(s.release()), "source": s.name, "documents": kept[s.name]} for s in work.recipe.sources],
        "open": left_open,
    }
    return outcome


def pairs(work: Work) -> Outcome:
    """Form the pairs that the documents' structure gives, and add those that were generated."""
    from medloom.mine import pairs_of

    outcome = Outcome()
    kinds: Counter[str] = Counter()

    def records() -> Iterator[TrainingRecord]:
        for document in read_table(work.documents, Document):
            outcome.rows_in += 1
            for record in pairs_of(document, work.recipe.pairs, outcome.counts):
                kinds[record.task] += 1
                yield record
        if "generate" in work.inputs:
            for record in read_table(work.inputs["generate"] / GENERATED, TrainingRecord):
                kinds[record.task] += 1
                yield record

    outcome.rows_out = write_table(work.folder / PAIRS, records(), TrainingRecord)
    if not outcome.rows_out:
        raise StageError(
            "pairs: the documents give no pair of texts: they need a title with a text, headed sections, several "
            "paragraphs, or synonyms; check the source's fields and pairs.kinds, or add generate: to the recipe"
        )
    outcome.notes = {"pairs": dict(sorted(kinds.items()))}
    return outcome


def guard(work: Work) -> Outcome:
    """Split by concept, clean and cap the training side."""
    from medloom.guard import GuardCounts, guard

    documents = work.documents
    pairs = work.inputs["pairs"] / PAIRS
    counts = GuardCounts()
    held_out, test, train = guard(
        lambda: read_table(documents, Document),
        lambda: read_table(pairs, TrainingRecord),
        work.recipe.guard,
        work.recipe.seed,
        counts,
    )
    write_table(work.folder / HELD_OUT, held_out, Document)
    write_table(work.folder / TEST, test, TrainingRecord)
    write_table(work.folder / TRAIN, train, TrainingRecord)
    for side, n in (("training", counts.train), ("held-out", counts.test)):
        if not n:
            raise StageError(
                f"guard: no {side} pair is left ({counts.train} for training, {counts.test} held out, dropped: "
                f"{counts.reasons or 'none'}): give more documents, or change guard.holdout"
            )
    reasons = dict(sorted(counts.reasons.items()))
    return Outcome(
        rows_in=counts.train + counts.test + sum(reasons.values()),
        rows_out=counts.train,
        counts={**reasons, "held_out_for_evaluation": counts.test},
        notes={
            "held_out_documents": counts.held_out,
            "evaluation_texts": counts.evaluation_texts,
            "largest_tie": counts.largest_tie,
            "negatives_removed": counts.negatives,
        },
    )


def source_hashes(recipe: Recipe) -> dict[str, str]:
    """Content hashes of what the sources read."""
    return {f"{source.name}/{name}": value for source in recipe.sources for name, value in source.inputs().items()}
