"""The texts that recipes/ablation.yaml trains on and is judged by, from sets of medical text in one folder.

    python benchmarks/ablation_texts.py DATA OUT
    medloom ablate recipes/ablation.yaml --texts OUT --out runs/ablation

DATA holds NAME/NAME.jsonl.gz for medquad, clinicaltrials, trial_abstracts, clinical_cases, question_entailment,
plain_language and transcribed_notes. What judges is never what is trained on: of MedQuAD, two institutes judge and three
train; the other sets are on one side whole. The general task, what tuning must not cost, asks the documentation of Python's
standard library: a function's first sentence, to find the rest of it.
"""

import argparse
import gzip
import importlib
import inspect
import json
import random
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from medloom.text import text_key

SEED = 5
QUERIES = 400
CORPUS = 1_000
JUDGING_INSTITUTES = ("MPlusHealthTopics", "NINDS")
_LONG, _SHORT = 200, 25
_SENTENCE = re.compile(r"(?<=[.!?])\s+")

Row = dict[str, Any]
Pair = tuple[str, str]


def main() -> None:
    """Write OUT/train/NAME.jsonl and OUT/judges/NAME."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()

    def read(name: str) -> Iterator[Row]:
        with gzip.open(given.data / name / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)

    medquad = list(read("medquad"))
    sides = {True: [], False: []}  # type: dict[bool, list[Row]]
    for row in medquad:
        sides[row["source"] in JUDGING_INSTITUTES].append(row)
    training: dict[str, Iterable[Row]] = {
        "medquad": ({k: row[k] for k in ("question", "answer", "focus")} for row in sides[False]),
        "clinicaltrials": read("clinicaltrials"),
        "trial_abstracts": (
            {"title": row["title"], "text": " ".join(part["text"] for part in row["abstract"])}
            for row in read("trial_abstracts")
        ),
        "clinical_cases": ({"text": row["text"]} for row in read("clinical_cases")),
    }
    for name, rows in training.items():
        write_rows(given.out / "train" / f"{name}.jsonl", rows)
    judges = {
        "health-questions": [(row["question"], row["answer"]) for row in sides[True]],
        "consumer-questions": [(row["chq"], row["faq"]) for row in read("question_entailment") if row["label"] == "true"],
        "plain-language": [(row["plain"], row["technical"]) for row in read("plain_language")],
        "note-descriptions": [(row["description"], row["text"]) for row in read("transcribed_notes")],
        "python-docs": list(docstrings()),
    }
    for name, pairs in judges.items():
        write_task(given.out / "judges" / name, pairs)
        sys.stdout.write(f"{name}: {len(pairs):,} pairs\n")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Rows as JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_task(folder: Path, pairs: Iterable[Pair]) -> None:
    """A retrieval task: pairs drawn by seed, equal texts once, a query relevant to each text it stands beside."""
    relevant: dict[str, dict[str, None]] = {}
    texts: dict[str, str] = {}
    for query, text in pairs:
        if query.strip() and text.strip():
            texts.setdefault(text_key(text), text)
            relevant.setdefault(query.strip(), {})[text_key(text)] = None
    drawn = random.Random(SEED).sample(sorted(relevant), min(QUERIES, len(relevant)))
    wanted = dict.fromkeys(key for query in drawn for key in relevant[query])
    others = [key for key in sorted(texts) if key not in wanted]
    random.Random(SEED).shuffle(others)
    numbers = {key: f"d{n}" for n, key in enumerate([*wanted, *others[: max(0, CORPUS - len(wanted))]])}
    write_rows(folder / "corpus.jsonl", ({"_id": number, "text": texts[key]} for key, number in numbers.items()))
    write_rows(folder / "queries.jsonl", ({"_id": f"q{n}", "text": query} for n, query in enumerate(drawn)))
    lines = (f"q{n}\t{numbers[key]}\t1\n" for n, query in enumerate(drawn) for key in relevant[query])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines), "utf-8")


def docstrings() -> Iterator[Pair]:
    """First sentence and rest of what the standard library says of its functions and classes."""
    warnings.simplefilter("ignore")
    for name in sorted(sys.stdlib_module_names):
        if name.startswith("_") or name in ("antigravity", "this", "idlelib", "turtledemo", "lib2to3"):
            continue
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        for _, member in sorted(
            inspect.getmembers(module, lambda m: inspect.isclass(m) or inspect.isroutine(m)), key=_first
        ):
            text = inspect.getdoc(member) or ""
            head, rest = (*_SENTENCE.split(" ".join(text.split()), maxsplit=1), "")[:2]
            if getattr(member, "__module__", "") == name and len(head) >= _SHORT and len(rest) >= _LONG:
                yield head, rest


def _first(member: tuple[str, object]) -> str:
    return member[0]


if __name__ == "__main__":
    main()
