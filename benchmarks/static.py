"""A static student beside its teacher: quality, speed on a CPU, and size.

    python -m benchmarks.static --medquad PATH --work /tmp/static

The task is that of ``benchmarks.late``. Three students of one teacher: of its vocabulary alone (Model2Vec); fitted to its
vectors of the training pairs' texts; and trained on the pairs as well. Speed is texts a second through ``load_encoder``, all
in this run, the best of several calls, on the documents of the task, cut to the tokens that the teacher reads. Prints a
Markdown table, or JSON with ``--json``. A student that is there is used again.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.late import split

from medloom.encode import Encoder, load_encoder, resolve_model
from medloom.encode.models import read_length
from medloom.evaluate.scored import score
from medloom.evaluate.systems.dense import DenseSystem
from medloom.evaluate.tasks import Task
from medloom.records import TrainingRecord
from medloom.train import StaticConfig, train_static
from medloom.train.static import save_student, taught_student, texts_of

_SECONDS = 3.0
_CALLS = 3


def main() -> None:
    """Distil, rank, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medquad", type=Path, required=True, help="As the source medquad reads it.")
    parser.add_argument("--work", type=Path, required=True, help="Folder for the students.")
    parser.add_argument("--teacher", default="builtin:all-MiniLM-L6-v2")
    parser.add_argument("--pairs", type=int, default=1_500, help="To fit to and train on.")
    parser.add_argument("--queries", type=int, default=500, help="To judge by.")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    records, task = split(args.medquad, args.pairs, args.queries, args.seed)
    teacher = resolve_model(args.teacher)
    students(records, args)
    names = {
        "teacher, fp32": (load_encoder(teacher, "fp32"), Path(teacher.location)),
        "teacher, auto": (load_encoder(teacher, "auto"), Path(teacher.location)),
        **{
            f"student, {name}": (load_encoder(args.work / name / "model"), args.work / name / "model")
            for name in ("vocabulary", "fitted", "trained")
        },
    }
    texts = cut(list(task.data["corpus"].values()), names["teacher, fp32"][0])
    rows = [row(name, encoder, folder, task, texts) for name, (encoder, folder) in names.items()]
    for one in rows:
        one["quality"] = round(one["ndcg_at_10"] / rows[0]["ndcg_at_10"], 3)
        one["speed"] = round(one["texts_per_second"] / rows[0]["texts_per_second"], 1)
    print(json.dumps(rows, indent=2) if args.json else table(rows, len(records), task))


def students(records: list[TrainingRecord], args: argparse.Namespace) -> None:
    """Make those that are not there; the teacher reads the texts once for both students that learn from them."""
    teacher = resolve_model(args.teacher)
    config = StaticConfig(kind="static", epochs=args.epochs)
    queries, documents = texts_of(records)
    parts = {"vocabulary": ([], [], args.work / "vocabulary"), "fitted": (queries, documents, args.work / "trained")}
    for name, (asked, found, place) in parts.items():
        if not (args.work / name / "model").is_dir():
            save_student(taught_student(teacher, asked, found, config, place / "vectors"), args.work / name / "model")
    if not (args.work / "trained" / "model").is_dir():
        train_static(records, teacher, args.work / "trained", config, args.seed)


def cut(texts: Sequence[str], teacher: Any) -> list[str]:  # noqa: ANN401
    """Texts without what the teacher would not read."""
    tokenizer, longest = teacher.model.tokenizer, read_length(teacher.model) or 512
    spans = tokenizer(list(texts), return_offsets_mapping=True, truncation=True, max_length=longest)["offset_mapping"]
    return [text[: max(end for _, end in span)] for text, span in zip(texts, spans, strict=True)]


def row(name: str, encoder: Encoder, folder: Path, task: Task, texts: list[str]) -> dict[str, Any]:
    """Quality, speed and size of one model."""
    system = DenseSystem(encoder, name=name)
    system.prepare([task])
    return {
        "model": name,
        "ndcg_at_10": round(score(system, task).score, 4),
        "texts_per_second": round(texts_per_second(encoder, texts), 1),
        "megabytes": round(sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 1e6, 1),
        "dimensions": encoder.dimensions,
    }


def texts_per_second(encoder: Encoder, texts: list[str]) -> float:
    """The best of several calls, on as many of the texts as take about as long as is wanted."""
    encoder.encode(texts[:8])
    started = time.perf_counter()
    encoder.encode(texts[:32])
    wanted = max(32, int(32 * _SECONDS / (time.perf_counter() - started)))
    many = [f"{texts[i % len(texts)]} {i // len(texts)}" for i in range(min(wanted, 40 * len(texts)))]
    best = 0.0
    for _ in range(_CALLS):
        started = time.perf_counter()
        encoder.encode(many)
        best = max(best, len(many) / (time.perf_counter() - started))
    return best


def table(rows: list[dict[str, Any]], pairs: int, task: Task) -> str:
    """The rows as Markdown."""
    lines = [
        f"{pairs:,} training pairs; {len(task.data['queries']):,} queries, {len(task.data['corpus']):,} documents; "
        f"{os.cpu_count()} cores",
        "",
        "| Model | nDCG@10 | of the teacher's | texts a second | times the teacher's | MB | dimensions |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['model']} | {r['ndcg_at_10']:.3f} | {r['quality']:.0%} | {r['texts_per_second']:,.0f} | {r['speed']:.1f} | "
        f"{r['megabytes']:.0f} | {r['dimensions']} |"
        for r in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
