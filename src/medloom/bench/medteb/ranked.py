"""Builds retrieval tasks."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from medloom.bench.medteb.chat import written_pairs
from medloom.bench.medteb.definition import Definition
from medloom.bench.medteb.draw import draw, sample
from medloom.bench.medteb.material import Material, enough
from medloom.bench.medteb.rows import Pair, carriers, keyed, pairs
from medloom.evaluate.tasks import Task

_AUTHORS_TITLE = "No title"


def build_ranked(definition: Definition, material: Material) -> Task:
    """Build a retrieval task.

    Raises:
        StageError: There are too few queries.
    """
    counts: dict[str, int] = {}
    data = (_authors_data if material.compat else _strict_data)(definition, material, counts)
    enough(len(data["queries"]), "queries")
    return Task(
        name=definition.name,
        type=definition.type,
        source=definition.source,
        description=material.about(definition),
        data=data,
        metric=definition.metric,
        facet=definition.facet,
        public=definition.source != "mimic",
        counts=counts,
    )


def _authors_data(definition: Definition, material: Material, counts: dict[str, int]) -> dict[str, Any]:
    """Each row a query and a document of its own; only the same row is right; every document is called "No title"."""
    rows = _authors_rows(definition, material, counts)
    ids = [str(number) for number in range(len(rows))]
    return {
        "queries": {f"q_{i}": row.query for i, row in zip(ids, rows, strict=True)},
        "corpus": {f"doc_{i}": f"{_AUTHORS_TITLE} {row.text}" for i, row in zip(ids, rows, strict=True)},
        "qrels": {f"q_{i}": {f"doc_{i}": 1} for i in ids},
        "groups": [row.group for row in rows],
    }


def _authors_rows(definition: Definition, material: Material, counts: dict[str, int]) -> Sequence[Pair]:
    salt = material.salt(definition)
    found = carriers(definition, material.documents)
    taken = found[: definition.fetched or len(found)]
    if definition.written and material.chat is not None:
        asked = sample(taken, lambda d: d.id, definition.cap, salt)
        counts |= {"documents_found": len(found), "capped": len(found) - len(asked)}
        return written_pairs(definition, asked, material.chat, counts)
    rows = pairs(definition, taken)
    kept = sample(rows, lambda row: row.id, definition.cap, salt)
    counts |= {"pairs_found": len(rows), "capped": len(rows) - len(kept)}
    return kept


def _strict_data(definition: Definition, material: Material, counts: dict[str, int]) -> dict[str, Any]:
    """Equal texts are one document, equal queries one query with all its answers."""
    rows = pairs(definition, carriers(definition, material.documents))
    counts["pairs_found"] = len(rows)
    usable = list(keyed(rows, counts))
    drawn = draw(usable, lambda one: one[2].id, definition.cap, material.salt(definition))
    queries: dict[str, str] = {}
    corpus: dict[str, str] = {}
    right: dict[str, set[str]] = defaultdict(set)
    groups: dict[str, set[str]] = defaultdict(set)
    for query, text, row in drawn:
        queries.setdefault(query, row.query)
        corpus.setdefault(text, row.text)
        right[query].add(text)
        groups[query].add(row.group)
    counts |= {
        "capped": len(usable) - len(drawn),
        "equal_queries": len(drawn) - len(queries),
        "equal_documents": len(drawn) - len(corpus),
    }
    query_ids = {key: f"q{i}" for i, key in enumerate(queries)}
    document_ids = {key: f"d{i}" for i, key in enumerate(corpus)}
    return {
        "queries": {query_ids[key]: text for key, text in queries.items()},
        "corpus": {document_ids[key]: text for key, text in corpus.items()},
        "qrels": {query_ids[key]: {document_ids[text]: 1 for text in sorted(right[key])} for key in queries},
        "groups": [min(groups[key]) for key in queries],
    }
