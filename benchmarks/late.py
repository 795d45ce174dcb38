"""Late interaction against one vector a text, and what smaller token vectors cost: nDCG@10 and bytes of a document.

    python -m benchmarks.late --medquad PATH --work /tmp/late

MedQuAD: a consumer's question, to find the answers to it among the answers about all diseases that were held out. The model
is trained on the pairs about other diseases, once as a dense and once as a late-interaction model, from one base. Token
vectors are compared exactly (MaxSim): whole, pooled by two, as int8, and as binary residuals; "top 50" re-ranks what the
base finds. Prints a Markdown table with 95 % intervals of the difference to whole token vectors, or JSON with ``--json``. A
model that is there is used again.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from medloom.encode import Role, resolve_model
from medloom.encode.multivector import Halves, TokenEncoder, load_multivector
from medloom.encode.token_codec import TokenCodec, make_codec
from medloom.evaluate.scored import Scored, score
from medloom.evaluate.statistics import task_interval
from medloom.evaluate.systems import open_system
from medloom.evaluate.systems.base import System
from medloom.evaluate.systems.late import LateInteractionSystem
from medloom.evaluate.tasks import Task
from medloom.records import Document, TrainingRecord
from medloom.sources.base import Rejects
from medloom.sources.medquad import MedQuadSource
from medloom.train import LateConfig, TrainConfig, train_dense, train_late

_DEPTH = 50


class Packed:
    """A late-interaction model whose document vectors are packed and unpacked.

    Args:
        encoder: The model.
        codec: What packs.
    """

    def __init__(self, encoder: TokenEncoder, codec: TokenCodec) -> None:
        self._encoder, self._codec = encoder, codec
        self.hash, self.dimensions, self.precision = encoder.hash, encoder.dimensions, encoder.precision
        self.model, self.max_length, self.pool_factor = encoder.model, encoder.max_length, encoder.pool_factor

    def prompt_for(self, role: Role) -> str | None:
        """The model's."""
        return self._encoder.prompt_for(role)

    def encode(self, texts: Sequence[str], role: Role) -> list[Halves]:
        """Token vectors; those of documents as they come out of the store."""
        found = self._encoder.encode(texts, role)
        if role == "query":
            return found
        packed = [self._codec.pack(one.astype(np.float32)) for one in found]
        return [self._codec.unpack(one).astype(np.float16) for one in packed]


@dataclass
class Row:
    """What is measured of a way to compare."""

    name: str
    scored: Scored
    bytes: float
    seconds: float


class Reranked:
    """The best of one system, ordered anew by another."""

    def __init__(self, first: System, second: LateInteractionSystem) -> None:
        self._first, self._second = first, second
        self.info, self.types = second.info, second.types

    def prepare(self, tasks: Sequence[Task]) -> None:
        """Both read the texts."""
        self._first.prepare(tasks)
        self._second.prepare(tasks)

    def rank(
        self, queries: Sequence[str], corpus: Sequence[str], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The first system's best, by MaxSim, and what follows them as the first system has it."""
        found, scores = self._first.rank(queries, corpus, k)
        for row, query in enumerate(queries):
            best = found[row, :_DEPTH]
            numbers, values = self._second.rank([query], [corpus[i] for i in best], len(best))
            found[row, :_DEPTH] = best[numbers[0]]
            scores[row, :_DEPTH] = values[0]
            scores[row, _DEPTH:] = values.min() - 1 - np.arange(scores.shape[1] - len(best))
        return found, scores


def main() -> None:
    """Train, rank, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medquad", type=Path, required=True, help="As the source medquad reads it.")
    parser.add_argument("--work", type=Path, required=True, help="Folder for the models.")
    parser.add_argument("--base", default="builtin:all-MiniLM-L6-v2")
    parser.add_argument("--pairs", type=int, default=1_500, help="To train on.")
    parser.add_argument("--queries", type=int, default=500, help="To judge by.")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    records, task = split(args.medquad, args.pairs, args.queries, args.seed)
    seconds = {kind: trained(kind, records, args) for kind in ("dense", "late-interaction")}
    rows = measured(task, args.base, args.work, args.seed)
    results = [
        {
            "system": row.name,
            "ndcg_at_10": round(row.scored.score, 4),
            "difference": [round(x, 4) for x in against(task, row, rows, args.seed)],
            "bytes_per_document": round(row.bytes),
            "seconds": round(row.seconds, 1),
        }
        for row in rows
    ]
    if args.json:
        print(json.dumps({"training_seconds": seconds, "documents": len(task.data["corpus"]), "rows": results}, indent=2))
    else:
        print(table(results, len(records), task, seconds))


def split(path: Path, pairs: int, queries: int, seed: int) -> tuple[list[TrainingRecord], Task]:
    """Pairs to train on, and a task on other diseases."""
    groups: dict[str, list[Document]] = {}
    for document in MedQuadSource(path=path).documents(Rejects(None)):
        groups.setdefault(document.group or document.id, []).append(document)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    held: list[Document] = []
    while order and len(held) < queries:
        held += groups[order.pop(0)]
    left = [document for group in order for document in groups[group]][:pairs]
    records = [TrainingRecord(d.title, (d.text,), "title_text", "medquad", d.id) for d in left]
    asked: dict[str, dict[str, int]] = {}
    for document in held:
        asked.setdefault(document.title, {})[document.id] = 1
    task = Task(
        name="medquad",
        type="Retrieval",
        source="medquad",
        description="find the answer from the question",
        data={
            "queries": {f"q{n}": query for n, query in enumerate(asked)},
            "corpus": {d.id: d.text for d in held},
            "qrels": {f"q{n}": asked[query] for n, query in enumerate(asked)},
        },
    )
    return records, task


def trained(kind: str, records: list[TrainingRecord], args: argparse.Namespace) -> float:
    """Seconds of a training whose model then lies in the folder; 0 if it was there."""
    out = args.work / kind
    if (out / "model").is_dir():
        return 0.0
    started = time.perf_counter()
    base = resolve_model(args.base)
    if kind == "dense":
        train_dense(records, base, out, TrainConfig(epochs=args.epochs, batch_size=32, learning_rate=2e-5), args.seed)
    else:
        config = LateConfig(kind="late-interaction", epochs=args.epochs, learning_rate=5e-5)
        train_late(records, base, out, config, args.seed)
    return round(time.perf_counter() - started, 1)


def measured(task: Task, base: str, work: Path, seed: int) -> list[Row]:
    """A row for each way to compare."""
    first = open_system(base, shown="dense base")
    dense = open_system(str(work / "dense" / "model"), shown="dense, tuned")
    whole = load_multivector(work / "late-interaction" / "model", "auto")
    halved = load_multivector(work / "late-interaction" / "model", "auto", pool_factor=2)
    corpus = list(task.data["corpus"].values())
    sample = random.Random(seed).sample(corpus, min(300, len(corpus)))
    packings: tuple[Literal["int8", "binary"], ...] = ("int8", "binary")
    systems: list[tuple[str, System, float]] = [
        ("dense base, float32", first, 4.0 * (first.info.dimensions or 0)),
        ("dense tuned, float32", dense, 4.0 * (dense.info.dimensions or 0)),
    ]
    for label, encoder in (("late", whole), ("late, pooled by 2", halved)):
        vectors = [one.astype(np.float32) for one in encoder.encode(sample, "document")]
        tokens = float(np.mean([len(one) for one in vectors]))
        system = LateInteractionSystem(encoder)
        systems.append((f"{label}, float16", system, tokens * 2 * encoder.dimensions))
        if label == "late":
            systems.append((f"late, float16, top {_DEPTH} of dense base", cast(System, Reranked(first, system)), -1))
        for stored in packings:
            codec = make_codec(stored, encoder.dimensions, vectors)
            packed = LateInteractionSystem(cast(TokenEncoder, Packed(encoder, codec)))
            systems.append((f"{label}, {stored}", packed, tokens * codec.bytes_per_token))
    rows = []
    for name, one, size in systems:
        started = time.perf_counter()
        one.prepare([task])
        rows.append(Row(name, score(one, task), size, time.perf_counter() - started))
    return rows


def against(task: Task, row: Row, rows: list[Row], seed: int) -> tuple[float, float, float]:
    """Difference of nDCG@10 to whole token vectors, with its 95 % interval."""
    whole = next(one for one in rows if one.name == "late, float16")
    interval = task_interval(task, row.scored.items, whole.scored.items, 2_000, seed)
    return row.scored.score - whole.scored.score, interval.low, interval.high


def table(results: list[dict[str, Any]], pairs: int, task: Task, seconds: dict[str, float]) -> str:
    """The rows as Markdown."""
    lines = [
        f"{pairs:,} training pairs ({', '.join(f'{kind} {s:.0f} s' for kind, s in seconds.items())}); "
        f"{len(task.data['queries']):,} queries, {len(task.data['corpus']):,} documents",
        "",
        "| System | nDCG@10 | difference to late, float16 | bytes of a document | seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in results:
        difference, low, high = row["difference"]
        size = f"{row['bytes_per_document']:,}" if row["bytes_per_document"] >= 0 else "both"
        shown = "" if row["system"] == "late, float16" else f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        lines.append(f"| {row['system']} | {row['ndcg_at_10']:.3f} | {shown} | {size} | {row['seconds']:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
