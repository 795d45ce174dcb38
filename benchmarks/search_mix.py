"""Which mix of searching wins: vectors, words, both, with weights that were learnt, with names added, re-ranked.

    python benchmarks/search_mix.py --medquad PATH --abstracts PATH --work /tmp/mix --documents 2000

MedQuAD: a consumer's question, to find the answers to it. Abstracts (JSONL with ``title`` and ``abstract``, a text or a
list of {heading, text}): the title of an article, to find its abstract. Neither is in what is indexed. Prints a Markdown
table for each with 95 % intervals, or JSON with ``--json``. An index that is there is used again.
"""

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medloom.records import Document, Section
from medloom.search.build import Wanted, build_index
from medloom.search.evaluate import Report, evaluate
from medloom.search.index import open_index
from medloom.search.judged import METRICS, JudgedQueries
from medloom.search.query import SearchSettings
from medloom.search.rerank import kind_of
from medloom.sources.base import Rejects
from medloom.sources.medquad import MedQuadSource
from medloom.text import text_key

Task = tuple[list[Document], JudgedQueries]


def main() -> None:
    """Index, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medquad", type=Path, help="As the source medquad reads it.")
    parser.add_argument("--abstracts", type=Path, help="JSONL of articles, also with .gz.")
    parser.add_argument("--work", type=Path, required=True, help="Folder for the indexes.")
    parser.add_argument("--model", default="builtin:all-MiniLM-L6-v2")
    parser.add_argument("--documents", type=int, default=2_000, help="How many of each are drawn.")
    parser.add_argument("--queries", type=int, default=500, help="How many of each are drawn.")
    parser.add_argument("--learn", type=float, default=0.4, help="Share of the queries to learn weights on.")
    parser.add_argument("--rerank", help="A cross-encoder or multi-vector model.")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    tasks: dict[str, Task] = {}
    if args.medquad:
        tasks["medquad"] = medquad(args.medquad, args.documents, args.seed)
    if args.abstracts:
        tasks["abstracts"] = abstracts(args.abstracts, args.documents, args.seed)
    reports: dict[str, Any] = {}
    for name, (documents, judged) in tasks.items():
        folder = args.work / f"{name}-{args.documents}-{args.seed}"
        build_index(documents, folder, Wanted(args.model), update=True, total=len(documents))
        drawn = random.Random(args.seed).sample(sorted(judged.queries), min(args.queries, len(judged.queries)))
        reranking = {"rerank": kind_of(args.rerank), "rerank_model": args.rerank} if args.rerank else {}
        found = {}
        with open_index(folder) as index:
            for label, expand in (("", ()), (" + names added", ("abbreviations", "lay"))):
                settings = SearchSettings.model_validate({"expand": expand, **({} if expand else reranking)})
                found[label] = evaluate(index, judged.only(drawn), settings, learn=args.learn, seed=args.seed)
        reports[name] = {"documents": len(documents)} | {label or "plain": one.to_dict() for label, one in found.items()}
        if not args.json:
            print(table(name, len(documents), found))
    if args.json:
        print(json.dumps(reports, indent=2))


def medquad(path: Path, count: int, seed: int) -> Task:
    """Answers as documents, questions as queries; a question that is asked twice has both answers."""
    every = list(MedQuadSource(path=path).documents(Rejects(None)))
    drawn = random.Random(seed).sample(every, min(count, len(every)))
    documents = [Document(d.id, "medquad", text=d.text, contains_phi=False) for d in drawn]
    return documents, _judged("medquad", [(d.id, d.title) for d in drawn])


def abstracts(path: Path, count: int, seed: int) -> Task:
    """Abstracts as documents, titles as queries."""
    every = list(_articles(path))
    drawn = random.Random(seed).sample(every, min(count, len(every)))
    return [document for document, _ in drawn], _judged("abstracts", [(d.id, title) for d, title in drawn])


def _articles(path: Path) -> Iterator[tuple[Document, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for number, row in enumerate(rows):
        if not row.get("title") or not row.get("abstract"):
            continue
        parts = row["abstract"] if isinstance(row["abstract"], list) else [{"heading": "", "text": row["abstract"]}]
        sections = tuple(Section(part.get("heading") or "", part["text"]) for part in parts)
        yield Document(str(number), "abstracts", sections=sections, contains_phi=False), row["title"]


def _judged(name: str, asked: Sequence[tuple[str, str]]) -> JudgedQueries:
    queries: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for document, text in asked:
        queries.setdefault(text_key(text), text)
        qrels.setdefault(text_key(text), {})[document] = 1
    return JudgedQueries(name, queries, qrels)


def table(name: str, documents: int, found: dict[str, Report]) -> str:
    """The scores as Markdown."""
    plain = found[""]
    lines = [
        f"{name}: {documents:,} documents, {plain.queries:,} queries; weights {plain.weights}, learnt on "
        f"{plain.dev_queries:,} others",
        "",
        "| System | nDCG@10 | recall@100 | MRR@10 |",
        "| --- | --- | --- | --- |",
    ]
    for label, report in found.items():
        for system in report.systems:
            scores = [system.scores[metric] for metric in METRICS]
            cells = " | ".join(f"{s.score:.3f} [{s.low:.3f}, {s.high:.3f}]" for s in scores)
            lines.append(f"| {system.name}{label} | {cells} |")
    lines += ["", "| nDCG@10 | Difference | p (Holm) |", "| --- | --- | --- |"]
    for d in plain.differences:
        lines.append(f"| {d.one} - {d.other} | {d.difference:+.3f} [{d.low:+.3f}, {d.high:+.3f}] | {d.p:.4f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
