"""What generated queries are worth: one base model, tuned on the queries of each writer, judged on queries by people.

    python benchmarks/generated_queries.py NOTES.jsonl.gz --query description --other QA.jsonl.gz \
        --chat gguf:MODEL.gguf [--documents 200] [--out runs/generated] [--json FILE]

Every arm trains on notes of the same set with the same settings and seed; only the writer of the queries differs. The judges
are never trained on: the notes held out of training, asked by their own field ``--query`` (written by people), and another
data set of questions and answers. Arms: ``extractive`` and the language model on the same ``--documents`` notes, and
``extractive`` on four times as many, which costs no call. Each arm is a run of medloom in OUT and is not done twice.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from medloom import Recipe, run
from medloom.artifacts import read_table
from medloom.encode import load_encoder
from medloom.evaluate.compare import compare
from medloom.evaluate.config import EvaluateConfig
from medloom.evaluate.systems import DenseSystem
from medloom.evaluate.tasks import Task
from medloom.identity import text_hash
from medloom.meter import machine
from medloom.pipeline import RunResult
from medloom.records import Document
from medloom.sources import Rejects
from medloom.sources.files import FieldMap, FilesSource
from medloom.text import text_key

KINDS = {"keyword": 1, "question": 1, "treatment": 1, "lay": 1}
SEED, QUERIES, CORPUS, MORE = 7, 500, 1_500, 4


def recipe(name: str, notes: Path, base: str, generate: Mapping[str, Any], train: Mapping[str, Any]) -> Recipe:
    """A run on the notes whose only pairs are generated ones."""
    source = {"type": "files", "path": str(notes.resolve()), "name": "notes", "contains_phi": False}
    return Recipe.parse(
        yaml.safe_dump(
            {
                "name": name,
                "seed": SEED,
                "base": base,
                "sources": [{**source, "fields": {"text": "text", "id": "id"}}],
                "generate": {"kinds": KINDS, **generate},
                "pairs": {"kinds": []},
                "negatives": {"per_query": 1},
                "train": {"batch_size": 32, "max_seq_length": 128, "learning_rate": 2.0e-5, **train},
                "evaluate": {"min_items": 20},
            }
        )
    )


def held_out_task(result: RunResult, queries: Mapping[str, str]) -> Task:
    """The held-out notes, asked for by what people wrote of them."""
    (table,) = (result.folder / "stages").glob("*-guard-*/held_out.parquet")
    documents = {document.id: document for document in read_table(table, Document) if queries.get(document.id)}
    return Task(
        name="notes-held-out",
        type="Retrieval",
        source="notes",
        description=f"find the note from its description among {len(documents):,} held-out notes",
        data={
            "queries": {f"q{i}": queries[i] for i in documents},
            "corpus": {f"d{i}": document.text for i, document in documents.items()},
            "qrels": {f"q{i}": {f"d{i}": 1} for i in documents},
        },
    )


def other_task(path: Path) -> Task:
    """Questions and answers of another data set: the drawn questions among a larger draw of answers."""
    source = FilesSource(path=str(path.resolve()), fields=FieldMap(title="question", text="answer"), on_error="skip")
    distinct = {text_key(d.title): d for d in source.documents(Rejects(None)) if d.title and d.text}
    drawn = sorted(distinct.values(), key=lambda d: text_hash(f"{SEED}|{d.title}"))[:CORPUS]
    answers = {text_key(d.text): d.text for d in drawn}
    ids = {key: f"d{i}" for i, key in enumerate(sorted(answers))}
    asked = drawn[:QUERIES]
    return Task(
        name="other-questions",
        type="Retrieval",
        source=source.name,
        description=f"find the answer among {len(ids):,}",
        data={
            "queries": {f"q{i}": d.title for i, d in enumerate(asked)},
            "corpus": {ids[key]: text for key, text in answers.items()},
            "qrels": {f"q{i}": {ids[text_key(d.text)]: 1} for i, d in enumerate(asked)},
        },
    )


def queries_of(path: Path, field: str) -> dict[str, str]:
    """By id of the note, what people wrote of it."""
    source = FilesSource(path=str(path.resolve()), fields=FieldMap(title=field, text="text", id="id"))
    return {document.id: document.title for document in source.documents(Rejects(None))}


def arms(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Settings of ``generate`` for each arm."""
    found: dict[str, dict[str, Any]] = {"extractive": {"mode": "extractive", "limit": options.documents}}
    if options.chat:
        model = {"model": options.chat, "concurrency": 1, "temperature": 0.3, "max_tokens": 96}
        found["llm"] = {"mode": options.mode, "limit": options.documents, **model}
    found["extractive-more"] = {"mode": "extractive", "limit": MORE * options.documents}
    return found


def main() -> int:
    """Print the table of all arms."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notes", type=Path)
    parser.add_argument("--query", default="description", help="field with a person's words on the note")
    parser.add_argument("--other", type=Path, required=True, help="rows of question and answer")
    parser.add_argument("--chat", help="gguf:PATH or openai:http://HOST/v1#MODEL; without it, extractive alone")
    parser.add_argument("--mode", default="evidence-first", choices=["one-shot", "evidence-first"])
    parser.add_argument("--documents", type=int, default=150)
    parser.add_argument("--base", default="builtin:all-MiniLM-L6-v2")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/generated"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config, rows = EvaluateConfig(examples=0), []
    judges: list[Task] = []
    models: dict[str, DenseSystem] = {"base": DenseSystem(load_encoder(options.base, config.precision), name="base")}
    made: dict[str, Any] = {}
    for name, settings in arms(options).items():
        print(f"{name} ...", file=sys.stderr)
        result = run(recipe(name, options.notes, options.base, settings, {"epochs": options.epochs}), options.out / name)
        made[name] = {k: result.report["generated"][k] for k in ("model", "documents", "drafts", "records", "reasons")}  # type: ignore[index]
        judges = judges or [held_out_task(result, queries_of(options.notes, options.query)), other_task(options.other)]
        models[name] = DenseSystem(load_encoder(str(result.folder / "model"), config.precision), name=name)
    for name, against in versus(list(models)):
        compared = compare(models[against], models[name], judges, config, SEED)
        rows += [{"arm": name, "against": against, **asdict(row)} for row in compared.rows]
    show(rows, made)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "made": made, "rows": rows}, indent=2), "utf-8")
    return 0


def versus(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every arm against the base, and the language model against extractive queries of the same notes."""
    pairs = [(name, "base") for name in names if name != "base"]
    return pairs + ([("llm", "extractive")] if "llm" in names else [])


def show(rows: Sequence[Mapping[str, Any]], made: Mapping[str, Any]) -> None:
    """The two tables, as Markdown."""
    print("| queries | documents | written | kept |\n|---|---|---|---|")
    for name, facts in made.items():
        print(f"| {name} ({facts['model']}) | {facts['documents']:,} | {facts['drafts']:,} | {facts['records']:,} |")
    print("\n| arm | against | task | before | after | difference | 95% interval |\n|---|---|---|---|---|---|---|")
    for row in rows:
        interval = f"{row['ci_low']:+.3f} to {row['ci_high']:+.3f}"
        scores = f"{row['base']:.3f} | {row['tuned']:.3f} | {row['delta']:+.3f}"
        print(f"| {row['arm']} | {row['against']} | {row['name']} (n = {row['n']:,}) | {scores} | {interval} |")


if __name__ == "__main__":
    sys.exit(main())
