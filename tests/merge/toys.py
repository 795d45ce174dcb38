"""A small set of judged queries."""

import json
from pathlib import Path

from medloom.evaluate.tasks import Task

PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone", "joint", "head"]
SIGNS = ["pain", "rash", "cough", "fever"]


def toy_task(name: str, shift: int = 0) -> Task:
    """Find a text of two words by the same words in another order."""
    texts = [f"{part} {sign}" for part in PARTS for sign in SIGNS]
    return Task(
        name=name,
        type="Retrieval",
        source=name,
        description="find",
        data={
            "queries": {f"q{i}": " ".join(reversed(texts[(i + shift) % len(texts)].split())) for i in range(12)},
            "corpus": {f"d{i}": text for i, text in enumerate(texts)},
            "qrels": {f"q{i}": {f"d{(i + shift) % len(texts)}": 1} for i in range(12)},
        },
    )


def write_beir(folder: Path, task: Task) -> Path:
    """A task as a folder in BEIR's layout."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("corpus", "queries"):
        rows = [json.dumps({"_id": key, "text": text}) for key, text in task.data[name].items()]
        (folder / f"{name}.jsonl").write_text("\n".join(rows), "utf-8")
    judged = [f"{q}\t{d}\t{v}" for q, found in task.data["qrels"].items() for d, v in found.items()]
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]), "utf-8")
    return folder
