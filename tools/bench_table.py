"""Put the benchmark's figures into README.md and docs/benchmark.md, between their markers.

Usage: ``medloom bench compare --json > board.json && python tools/bench_table.py board.json``
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
PAGES = {"README.md": "summary", "docs/benchmark.md": "full"}


def summary(board: dict[str, Any]) -> str:
    """Means by suite and type, and who beats whom on how many tasks of each suite."""
    models, names = _models(board)
    groups: dict[tuple[str, str, str], list[str]] = {}
    for task in board["tasks"]:
        groups.setdefault((task["suite"], task["type"], task["metric"]), []).append(task["name"])
    scores = _scores(board)
    rows = []
    for (suite, type_, metric), tasks in sorted(groups.items()):
        means = [_mean([scores.get((model, task)) for task in tasks]) for model in models]
        rows.append([suite, f"{type_}, {metric}", str(len(tasks)), *means])
    lines = _table(["suite", "tasks", "n", *names], rows)
    return "\n".join([*lines, "", *(f"- {line}" for line in _duels(board)), "", f"Machine: {board['machine']}."])


def full(board: dict[str, Any]) -> str:
    """Every task with its interval, rank in brackets, and the measured overlap with training text."""
    models, names = _models(board)
    by_key = {(row["model"], row["task"]): row for row in board["scores"]}
    rows = [
        [task["name"], task["metric"], f"{task['n']:,}", *(_cell(by_key.get((model, task["name"]))) for model in models)]
        for task in board["tasks"]
    ]
    lines = _table(["task", "metric", "n", *names], rows)
    return "\n".join(
        [*lines, "", *(f"- {line}" for line in _duels(board)), *_overlaps(board), "", f"Machine: {board['machine']}."]
    )


def put(page: str, block: str) -> str:
    """The page with this block between its markers.

    Raises:
        ValueError: The page lacks a marker.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def _models(board: dict[str, Any]) -> tuple[list[str], list[str]]:
    measured = [model for model in board["models"] if not model["reference"]]
    return [model["id"] for model in measured], [model["name"] for model in measured]


def _scores(board: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(row["model"], row["task"]): row["score"] for row in board["scores"] if row["score"] is not None}


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if len(known) == len(values) else ""


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or row["score"] is None:
        return ""
    return f"{row['score']:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f}) [{row['rank']}]"


def _duels(board: dict[str, Any]) -> Iterable[str]:
    suites = {task["name"]: task["suite"] for task in board["tasks"]}
    names = dict(zip(*_models(board), strict=True))
    for pair in board["pairs"]:
        counts: dict[str, dict[str, int]] = {}
        for delta in pair["tasks"]:
            found = counts.setdefault(suites[delta["task"]], dict.fromkeys(("better", "worse", "same"), 0))
            found[delta["verdict"]] += 1
        parts = [
            f"{suite}: better on {n['better']}, worse on {n['worse']}, same on {n['same']}" for suite, n in counts.items()
        ]
        yield f"{names[pair['a']]} against {names[pair['b']]}: {'; '.join(parts)}"


def _overlaps(board: dict[str, Any]) -> list[str]:
    names = dict(zip(*_models(board), strict=True))
    lines = []
    for model, name in names.items():
        shares = {r["task"]: r["overlap"]["share"] for r in board["scores"] if r["model"] == model and r["overlap"]}
        if shares:
            worst = max(shares, key=shares.__getitem__)
            clean = sum(share == 0 for share in shares.values())
            lines.append(
                f"- Texts of a task that {name} was trained on, equal or nearly: none in {clean} of {len(shares)} tasks, at "
                f"most {shares[worst]:.1%} ({worst})"
            )
    return lines


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *rows)]


def main() -> None:
    """Rewrite the pages from the board that is named."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: medloom bench compare --json > board.json && python tools/bench_table.py board.json")
    board = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    for name, kind in PAGES.items():
        page = ROOT / name
        block = summary(board) if kind == "summary" else full(board)
        page.write_text(put(page.read_text("utf-8"), block), "utf-8")


if __name__ == "__main__":
    main()
