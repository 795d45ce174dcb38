"""How long it takes to index documents, what that takes on the disk, and how fast the index answers.

    python benchmarks/index.py DOCS --model builtin:all-MiniLM-L6-v2 --out idx [--id FIELD] [--text FIELD] [--limit 30000]
        [--ask-titles FOLDER | --task FOLDER]

DOCS is whatever ``medloom index`` reads. The queries are titles of the documents, or a task's. With ``--ask-titles`` titles
are not indexed, and 1,000 of them become a task in that folder: find the document of a title. ``medloom search eval idx
--task FOLDER`` judges the index by it. A run that was killed goes on when it is given again; its rate is then that of the
last try alone.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from medloom.meter import machine, measured
from medloom.records import Document
from medloom.search.build import Wanted, build_index
from medloom.search.index import Index, open_index
from medloom.sources.files import FieldMap
from medloom.sources.opened import OpenedDocuments


def main() -> None:
    """Index, ask, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path)
    parser.add_argument("--model", default="builtin:all-MiniLM-L6-v2")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--id", help="Field of the documents' ids.")
    parser.add_argument("--text", help="Field of the documents' text.")
    asking = parser.add_mutually_exclusive_group()
    asking.add_argument("--task", type=Path, help="Folder with queries.jsonl.")
    asking.add_argument("--ask-titles", type=Path, help="Folder for a task of titles, which are then not indexed.")
    parser.add_argument("--limit", type=int, help="Index the first so many documents.")
    parser.add_argument("--tokens", type=int, help="Longest chunk.")
    parser.add_argument("--quantised", choices=["none", "int8", "binary"])
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--backend", choices=["torch", "openvino", "onnx", "auto"], default="torch")
    parser.add_argument("--queries", type=int, default=200)
    args = parser.parse_args()

    from rich.console import Console

    from medloom.progress import shown_on

    opened = OpenedDocuments(args.documents, FieldMap(id=args.id, text=args.text))

    def documents() -> Iterator[Document]:
        for document in islice(opened(), args.limit):
            yield replace(document, title="") if args.ask_titles else document

    wanted = Wanted(args.model, args.precision, tokens=args.tokens, quantised=args.quantised, backend=args.backend)
    console = Console(stderr=True)
    computed = time.process_time()
    with shown_on(console) if console.is_terminal else nullcontext(), measured() as used:
        summary = build_index(documents(), args.out, wanted, update=True, total=args.limit)
    computed = time.process_time() - computed
    if args.ask_titles:
        write_task(islice(opened(), args.limit), args.ask_titles)
    if task := args.task or args.ask_titles:
        lines = (task / "queries.jsonl").read_text("utf-8").splitlines()
        known = [str(json.loads(line)["text"]) for line in lines]
    else:
        known = [d.title for d in islice(documents(), 20 * args.queries) if d.title]
    asked = random.Random(13).sample(known, min(args.queries, len(known)))
    with open_index(args.out) as index:
        result = {
            "machine": machine(),
            "index": asdict(summary),
            "computing_seconds": round(computed),
            "peak_rss_mb": round(used.peak_rss_mb),
            "queries": len(asked),
            "milliseconds": latencies(index, asked),
        }
    print(json.dumps(result, indent=2))


def write_task(documents: Iterable[Document], folder: Path, n: int = 1_000, seed: int = 13) -> None:
    """Write queries.jsonl and qrels.tsv: titles of ``n`` documents, each to find its document."""
    titled = [(d.id, d.title) for d in documents if d.title]
    drawn = random.Random(seed).sample(titled, min(n, len(titled)))
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"_id": id_, "text": title}, ensure_ascii=False) + "\n" for id_, title in drawn)
    (folder / "queries.jsonl").write_text("".join(lines), "utf-8")
    judged = ["query-id\tcorpus-id\tscore\n", *(f"{id_}\t{id_}\t1\n" for id_, _ in drawn)]
    (folder / "qrels.tsv").write_text("".join(judged), "utf-8")


def latencies(index: Index, queries: list[str]) -> dict[str, Any]:
    """Milliseconds of each step of a search, one query at a time: half and 95 % of the queries take no longer."""
    vectors = index.embed(queries)
    steps: dict[str, Callable[[int], object]] = {
        "embed the query": lambda i: index.embed([queries[i]]),
        "dense, 10": lambda i: index.store.dense(vectors[i], 10),
        "dense, 10, exact": lambda i: index.store.dense(vectors[i], 10, exact=True),
        "lexical, 10": lambda i: index.store.lexical(queries[i], 10),
        "fetch 10 chunks": lambda i: index.store.get([id_ for id_, _ in index.store.dense(vectors[i], 10)]),
    }
    return {name: _timed(step, len(queries)) for name, step in steps.items()}


def _timed(step: Callable[[int], object], n: int) -> dict[str, float]:
    step(0)
    seconds = []
    for i in range(n):
        started = time.perf_counter()
        step(i)
        seconds.append(time.perf_counter() - started)
    return {"p50": round(1_000 * median(seconds), 2), "p95": round(1_000 * quantiles(seconds, n=20)[-1], 2)}


if __name__ == "__main__":
    main()
