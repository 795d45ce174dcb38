"""How well and how fast identifiers are found: invented notes and queries whose identifiers are known.

    python benchmarks/deid.py NOTES.jsonl.gz QUERIES.jsonl.gz
        [--detector rules+ner] [--half even|odd] [--show-misses] [--json FILE]

NOTES holds a line a note: text, spans [start, end, label], traps [start, end, label] (words that look like identifiers and
are none). QUERIES: text, phi [{identifier_type, value}]. An identifier is found if every word or number of it is covered;
a trap is hit if any of its words is. Speed is in notes of 300 words a second of CPU time of this process, loading apart.
"""

import argparse
import gzip
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medloom.deid.detect import load_detector
from medloom.deid.spans import Detector, Span
from medloom.meter import machine

TARGETS = {"notes": (0.99, 0.01, 0.01), "queries": (0.97, 0.01, 0.01)}
WORDS = 300
RESAMPLES = 2000
SHOWN = 40
_TOKEN = re.compile(r"\w+")
_Row = dict[str, Any]


@dataclass
class Count:
    """What was found in one text.

    Attributes:
        identifiers: How many there are, by kind.
        missed: How many of them were not found, by kind.
        others: Words and numbers that belong to no identifier.
        touched: How many of these were covered.
        traps: How many there are, by kind.
        hit: How many of these were hit.
        shown: Misses and false alarms in their context, for the user's eyes.
    """

    identifiers: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    others: int = 0
    touched: int = 0
    traps: Counter[str] = field(default_factory=Counter)
    hit: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)


def tokens(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Places of the words and numbers of a part of a text."""
    return [m.span() for m in _TOKEN.finditer(text, start, end)]


def places(row: _Row) -> list[tuple[int, int, str]]:
    """Where a row's identifiers stand; of a query's values, where each first occurs."""
    if "spans" in row:
        return [(start, end, label) for start, end, label in row["spans"]]
    found = []
    for one in row["phi"]:
        at = row["text"].find(one["value"])
        if at < 0:
            continue
        found.append((at, at + len(one["value"]), one["identifier_type"]))
    return found


def count(row: _Row, spans: Sequence[Span]) -> Count:
    """Compare the spans of a text with what it holds."""
    text, result = row["text"], Count()
    covered, owned = bytearray(len(text)), bytearray(len(text))
    for span in spans:
        covered[span.start : span.end] = b"\1" * (span.end - span.start)
    for start, end, label in places(row):
        owned[start:end] = b"\1" * (end - start)
        result.identifiers[label] += 1
        if not all(all(covered[a:b]) for a, b in tokens(text, start, end)):
            result.missed[label] += 1
            result.shown.append(f"missed {label}: {around(text, start, end)}")
    for start, end, label in row.get("traps", ()):
        result.traps[label] += 1
        result.hit[label] += any(any(covered[a:b]) for a, b in tokens(text, start, end))
    for a, b in tokens(text, 0, len(text)):
        if not any(owned[a:b]):
            result.others += 1
            if any(covered[a:b]):
                result.touched += 1
                result.shown.append(f"touched: {around(text, a, b)}")
    return result


def around(text: str, start: int, end: int) -> str:
    """A part of a text in its context."""
    return f"{text[max(0, start - 30) : start]}[{text[start:end]}]{text[end : end + 20]}".replace("\n", " | ")


def interval(counts: Sequence[Count], seed: int = 0) -> tuple[float, float]:
    """95% interval of the recall: percentile bootstrap over texts (Efron and Tibshirani 1993)."""
    total = np.array([c.identifiers.total() for c in counts])
    found = total - np.array([c.missed.total() for c in counts])
    drawn = np.random.default_rng(seed).integers(0, len(counts), (RESAMPLES, len(counts)))
    low, high = np.quantile(found[drawn].sum(1) / np.maximum(1, total[drawn].sum(1)), (0.025, 0.975))
    return float(low), float(high)


def summary(rows: Sequence[_Row], detector: Detector) -> tuple[dict[str, Any], list[str]]:
    """Figures over all rows, and the lines to show on request."""
    started = time.process_time()
    found = [texts[0] for texts in detector.find_many([row["text"]] for row in rows)]
    seconds = time.process_time() - started
    counts = [count(row, spans) for row, spans in zip(rows, found, strict=True)]
    kinds: Counter[str] = sum((c.identifiers for c in counts), Counter())
    missed: Counter[str] = sum((c.missed for c in counts), Counter())
    traps: Counter[str] = sum((c.traps for c in counts), Counter())
    hit: Counter[str] = sum((c.hit for c in counts), Counter())
    words = sum(len(row["text"].split()) for row in rows)
    figures = {
        "texts": len(rows),
        "identifiers": kinds.total(),
        "recall": 1 - missed.total() / max(1, kinds.total()),
        "interval": interval(counts),
        "touched": sum(c.touched for c in counts) / max(1, sum(c.others for c in counts)),
        "traps": hit.total() / max(1, traps.total()),
        "notes_per_cpu_second": words / WORDS / seconds,
        "recall_by_kind": {kind: 1 - missed[kind] / n for kind, n in sorted(kinds.items())},
        "missed_by_kind": dict(sorted((+missed).items())),
        "traps_hit_by_kind": dict(sorted((+hit).items())),
    }
    return figures, [line for c in counts for line in c.shown]


def read(path: Path, half: str) -> list[_Row]:
    """The rows of a file, or every other of them."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in raw.decode().splitlines()]
    return {"all": rows, "even": rows[::2], "odd": rows[1::2]}[half]


def table(results: dict[str, dict[str, dict[str, Any]]]) -> Iterable[str]:
    """A Markdown table."""
    yield "| detector | set | recall (95%) | other tokens touched | traps hit | notes/CPU-s |"
    yield "|---|---|---|---|---|---|"
    for detector, sets in results.items():
        for name, f in sets.items():
            low, high = f["interval"]
            yield (
                f"| {detector} | {name} | {f['recall']:.4f} ({low:.4f}-{high:.4f}) | {f['touched']:.2%} | {f['traps']:.2%} "
                f"| {f['notes_per_cpu_second']:.0f} |"
            )


def within(name: str, figures: dict[str, Any]) -> bool:
    """Whether the figures of a set reach the targets."""
    recall, touched, traps = TARGETS[name]
    return bool(figures["recall"] >= recall and figures["touched"] <= touched and figures["traps"] <= traps)


def main() -> int:
    """Print the table; exit 1 if the best detector asked for misses a target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notes", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--detector", action="append", choices=["cues", "rules", "rules+ner"])
    parser.add_argument("--half", choices=["all", "even", "odd"], default="all")
    parser.add_argument("--show-misses", action="store_true", help="print misses and false alarms in their context")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    sets = {"notes": read(asked.notes, asked.half), "queries": read(asked.queries, asked.half)}
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for which in asked.detector or ["cues", "rules", "rules+ner"]:
        started = time.process_time()
        detector = load_detector(which)
        list(detector.find_many([["Mr. Invented was seen."]]))
        loading = time.process_time() - started
        results[detector.name] = {}
        for name, rows in sets.items():
            figures, lines = summary(rows, detector)
            results[detector.name][name] = figures | {"loading_cpu_s": loading}
            print(f"{detector.name} {name}: missed {figures['missed_by_kind']}, traps {figures['traps_hit_by_kind']}")
            for line in lines[: SHOWN * 4] if asked.show_misses else ():
                print("   ", line)
    print("\n".join(table(results)))
    print(machine())
    if asked.json:
        asked.json.write_text(json.dumps(results | {"half": asked.half, "machine": str(machine())}, indent=2))
    return int(not all(within(name, figures) for name, figures in list(results.values())[-1].items()))


if __name__ == "__main__":
    sys.exit(main())
