"""Our scores against plain ``mteb.evaluate``, and how much faster they come: same tasks, same model, one run.

    python benchmarks/parity.py [--model builtin:all-MiniLM-L6-v2] [--suite FOLDER] [--task NAME ...] [--json FILE]

Plain mteb gets the SentenceTransformer itself, as its documentation shows, in fp32, with its default batch of 32. Ours
runs in fp32 too, for the scores, and once more with ``auto``, for the speed that users get. The order is: ours, plain, ours
again; the two times of ours are averaged, so that a machine that slows down or speeds up favours neither.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medloom.bench.build import build
from medloom.bench.store import SUITE, read_suite
from medloom.encode.cache import VectorCache
from medloom.encode.models import load_model, resolve_model
from medloom.evaluate.mteb_tasks import to_mteb
from medloom.evaluate.scored import score
from medloom.evaluate.systems import open_system
from medloom.evaluate.tasks import Task
from medloom.meter import machine

TASKS = ("open-lay-term", "open-icd-inclusion", "open-hpo-synonym-pairs", "open-hpo-systems", "open-icd-chapter")
TOLERANCE = 1e-4


def ours(model: str, tasks: Sequence[Task], precision: Any) -> tuple[dict[str, float], float]:  # noqa: ANN401
    """Scores by task, and seconds without loading, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        system = open_system(model, precision, VectorCache(Path(folder)))
        started = time.perf_counter()
        system.prepare(tasks)
        return {task.name: score(system, task).score for task in tasks}, time.perf_counter() - started


def plain(model: str, tasks: Sequence[Task]) -> tuple[dict[str, float], float]:
    """The same by ``mteb.evaluate`` alone."""
    import mteb

    loaded = load_model(resolve_model(model))
    scores = {}
    started = time.perf_counter()
    for task in tasks:
        result = mteb.evaluate(loaded, to_mteb(task), cache=None, co2_tracker=False, show_progress_bar=False)
        scores[task.name] = float(result.task_results[0].scores["test"][0][task.main_score])
    return scores, time.perf_counter() - started


def main() -> int:
    """Print the table; exit 1 if a score differs by more than 1e-4."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="builtin:all-MiniLM-L6-v2")
    parser.add_argument("--suite", type=Path, default=Path("runs/bench/suites/open-strict-0"))
    parser.add_argument("--task", action="append")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    suite = read_suite(asked.suite) if (asked.suite / SUITE).is_file() else build("open", asked.suite)
    tasks = [task for task in suite.tasks if task.name in (asked.task or TASKS)]
    read = sum(1 for task in tasks for _ in task.texts)
    distinct = len({pair for task in tasks for pair in task.texts})

    first, before = ours(asked.model, tasks, "fp32")
    theirs, reference = plain(asked.model, tasks)
    again, after = ours(asked.model, tasks, "fp32")
    auto, fastest = ours(asked.model, tasks, "auto")

    print("| task | plain mteb | medloom fp32 | difference | medloom auto |\n|---|---|---|---|---|")
    for task in tasks:
        a, b = theirs[task.name], first[task.name]
        print(f"| {task.name} | {a:.5f} | {b:.5f} | {b - a:+.6f} | {auto[task.name]:.5f} |")
    mean = (before + after) / 2
    worst = max(abs(first[t] - theirs[t]) for t in theirs)
    print(f"\n{read:,} texts in {len(tasks)} tasks, {distinct:,} of them distinct")
    print(
        f"plain mteb {reference:.0f} s; medloom fp32 {before:.0f} s and {after:.0f} s: {reference / mean:.1f} times as fast"
    )
    print(f"medloom auto {fastest:.0f} s: {reference / fastest:.1f} times as fast")
    print(f"largest difference in fp32: {worst:.1e}; {machine()}")
    if asked.json:
        figures = {"texts": read, "distinct": distinct, "plain_s": reference, "fp32_s": [before, after], "auto_s": fastest}
        asked.json.write_text(json.dumps(figures | {"plain": theirs, "fp32": first, "auto": auto, "worst": worst}, indent=2))
    return int(worst > TOLERANCE or again != first)


if __name__ == "__main__":
    sys.exit(main())
