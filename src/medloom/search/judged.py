"""Queries with judged documents, matched to an index and put to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloom.bench.own import own_queries, own_task
from medloom.errors import SearchError
from medloom.evaluate.metrics import retrieval_metrics
from medloom.progress import bar
from medloom.search.chunks import chunk_id
from medloom.search.filters import parse_filter
from medloom.search.fuse import Ranked
from medloom.search.index import Index
from medloom.search.query import SearchSettings, check_settings, prepare, ways
from medloom.search.store import Scored

Floats = npt.NDArray[np.float64]

METRICS = ("ndcg_at_10", "recall_at_100", "mrr_at_10")
DEPTH = 100
_CANDIDATES = 400
_BLOCK = 64


@dataclass(frozen=True)
class JudgedQueries:
    """Queries whose answers are known.

    Attributes:
        name: What they are called.
        queries: Text by id; each has a relevant document.
        qrels: By query, relevance by document; 0 and less is not relevant.
    """

    name: str
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]

    def only(self, ids: Sequence[str]) -> "JudgedQueries":
        """Some of them."""
        return JudgedQueries(self.name, {i: self.queries[i] for i in ids}, {i: self.qrels[i] for i in ids})


@dataclass(frozen=True)
class Pool:
    """What each way of searching found for each query.

    Attributes:
        rankings: By query, chunks by way of searching.
        texts: By query, the text that was searched.
        documents: Document of each chunk that was found.
    """

    rankings: Mapping[str, Mapping[str, Scored]]
    texts: Mapping[str, str]
    documents: Mapping[str, str]


def read_judged(path: Path) -> JudgedQueries:
    """Read queries and judgements.

    Args:
        path: A folder in BEIR's layout, with or without ``corpus.jsonl``.

    Raises:
        SourceError: It is no such folder, or holds no retrieval task.
        RowError: A row is bad.
    """
    if path.is_dir() and not any((path / name).is_file() for name in ("corpus.jsonl", "corpus.jsonl.gz")):
        queries, qrels = own_queries(path)
        name = path.resolve().name
    else:
        task = own_task(path)
        if task.type != "Retrieval":
            raise SearchError(f"{path} is a {task.type} task: give a folder with queries.jsonl and qrels.tsv")
        name, queries, qrels = task.name, task.data["queries"], task.data["qrels"]
    if not queries:
        raise SearchError(f"{path}: no query has a relevant document")
    return JudgedQueries(name, queries, qrels)


def matched(index: Index, judged: JudgedQueries) -> tuple[JudgedQueries, int]:
    """Judged documents by source and id, as the index knows them.

    Args:
        index: The index.
        judged: Documents by id, or by ``source:id`` where several sources have the id.

    Returns:
        The queries with documents as :func:`document_key` names them, and how many relevant documents the index lacks. Those
        stay judged: nobody can find them, and recall says so.

    Raises:
        SearchError: The index has none of the relevant documents, or several of one id.
    """
    sources = list(index.store.facets("source", limit=1_000))
    wanted = sorted({document for one in judged.qrels.values() for document in one})
    keys: dict[str, str] = {}
    for start in range(0, len(wanted), _BLOCK):
        keys |= _known(index, wanted[start : start + _BLOCK], sources)
    relevant = {document for one in judged.qrels.values() for document, value in one.items() if value > 0}
    missing = sum(document not in keys for document in relevant)
    if missing == len(relevant):
        raise SearchError(
            "the index has none of the relevant documents: are the ids in the judgements those that the documents were "
            "indexed under?"
        )
    qrels = {q: {keys.get(d, f"?:{d}"): value for d, value in one.items()} for q, one in judged.qrels.items()}
    return JudgedQueries(judged.name, judged.queries, qrels), missing


def _known(index: Index, documents: Sequence[str], sources: Sequence[str]) -> dict[str, str]:
    """Those of some documents that the index has."""
    first: dict[str, str] = {}
    for document in documents:
        for source in sources:
            first[chunk_id(source, document, 0)] = document
            if document.startswith(f"{source}:"):
                first[chunk_id(source, document.removeprefix(f"{source}:"), 0)] = document
    found: dict[str, str] = {}
    for chunk in index.store.get(list(first)):
        document, key = first[chunk.id], document_key(chunk.source, chunk.doc_id)
        if found.setdefault(document, key) != key:
            raise SearchError(
                "several sources of the index have a document of one judged id: write source:id in the judgements"
            )
    return found


def document_key(source: str, doc_id: str) -> str:
    """One name for a document of an index."""
    return f"{source}:{doc_id}"


def ask(index: Index, queries: Mapping[str, str], settings: SearchSettings) -> Pool:
    """Put queries to an index, by vectors and by words, once.

    Args:
        index: The index.
        queries: Text by id.
        settings: ``filter``, ``expand``, ``dimensions``, ``quantised`` and ``candidates`` count; at least 400 of these are
            taken, so that 100 documents can be told.
    """
    settings = settings.model_copy(update={"mode": "fused", "candidates": max(settings.candidates, _CANDIDATES)})
    check_settings(index, settings)
    where = parse_filter(settings.filter)
    ids = list(queries)
    rankings: dict[str, dict[str, Scored]] = {}
    texts: dict[str, str] = {}
    documents: dict[str, str] = {}
    with bar("searching", len(ids), "queries") as advance:
        for start in range(0, len(ids), _BLOCK):
            block = ids[start : start + _BLOCK]
            for query, asked in zip(block, prepare(index, [queries[q] for q in block], settings), strict=True):
                texts[query] = asked.text
                rankings[query] = {
                    name: way(settings.candidates) for name, way in ways(index, asked, settings, where).items()
                }
                new = dict.fromkeys(i for scored in rankings[query].values() for i, _ in scored if i not in documents)
                documents |= {c.id: document_key(c.source, c.doc_id) for c in index.store.get(list(new))}
                advance()
    return Pool(rankings, texts, documents)


def documents_of(ranking: Sequence[Ranked], pool: Pool) -> list[str]:
    """The documents of a ranking of chunks, each at the place of its first, 100 at most."""
    return list(dict.fromkeys(pool.documents[one.id] for one in ranking if one.id in pool.documents))[:DEPTH]


def measure(found: Mapping[str, Sequence[str]], judged: JudgedQueries) -> dict[str, Floats]:
    """nDCG@10, recall@100 and MRR@10 of each query, float64, shape (queries,).

    Args:
        found: Documents of each query, best first.
        judged: The queries, in the order of the result.
    """
    ids = list(judged.queries)
    known: dict[str, int] = {}
    for query in ids:
        for document in (*found[query], *judged.qrels[query]):
            known.setdefault(document, len(known))
    numbers = np.full((len(ids), DEPTH), -1, dtype=np.int64)
    for row, query in enumerate(ids):
        numbers[row, : len(found[query])] = [known[document] for document in found[query]]
    every = retrieval_metrics(numbers, ids, list(known), judged.qrels, (10, DEPTH))
    return {name: every[name] for name in METRICS}
