"""How fast documents are cleaned, and in how much memory: invented documents of 100 words.

    python benchmarks/clean.py [--documents 100000] [--json FILE]

Of each hundred documents, 90 are plain ASCII, 5 hold signs such as µ and ±, 2 hold a wrong decoding, 2 end with a notice of
copyright, and one is German. Speed is in documents a second on one process, loading of libraries apart; the whole way is
from a table of documents to a table of documents, as the stage and the command go it. Memory is the highest of this process.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from medloom.artifacts import read_table, write_table
from medloom.clean import CleanConfig
from medloom.clean.run import clean_to
from medloom.meter import machine, measured
from medloom.records import Document
from medloom.text.boilerplate import strip_boilerplate
from medloom.text.language import language_of
from medloom.text.repair import repair

WORDS = 100
TIMED = 20_000
_ENGLISH = """
    the patient was seen in clinic and reported improvement of her cough after treatment with an inhaled steroid while blood
    pressure remained high so that a second drug for hypertension had to be added by our team before she went home again
    """
_GERMAN = """
    der patient wurde wegen starker schmerzen in der brust aufgenommen und nach drei tagen mit einer neuen therapie wieder
    nach hause entlassen weil sich die werte deutlich besserten und kein fieber mehr bestand
    """


def documents(count: int) -> Iterator[Document]:
    """Invented documents, the same at every call."""
    generator, english, german = random.Random(7), _ENGLISH.split(), _GERMAN.split()
    for number in range(count):
        kind = number % 100
        words = generator.choices(german if kind == 0 else english, k=WORDS - 10)
        text = f"{' '.join(words)} until visit {number} of the study by the same team."
        if kind in range(1, 6):
            text += " Dose: 5 µg ± 2."
        elif kind in (6, 7):
            text += " Temperature: 39 Â°C."
        elif kind in (8, 9):
            text += " © 2020 The Authors. All rights reserved."
        yield Document(str(number), "invented", f"Visit {number}", text)


def rate(texts: list[str], work: Callable[[str], object]) -> float:
    """Texts a second, the best of three rounds."""
    work(texts[0])
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        for text in texts:
            work(text)
        best = max(best, len(texts) / (time.perf_counter() - start))
    return best


def whole_way(folder: Path, count: int, config: CleanConfig) -> dict[str, Any]:
    """Time and memory from table to table."""
    language_of(_ENGLISH)
    repair("39 Â°C")
    with measured() as meter:
        counts = clean_to(folder / "clean.parquet", read_table(folder / "documents.parquet", Document), config)
    return {
        "documents": count,
        "seconds": round(meter.seconds, 1),
        "per_second": round(count / meter.seconds),
        "peak_mb": round(meter.peak_rss_mb),
        "counts": counts.by_reason,
    }


def main(arguments: list[str]) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    texts = [document.text for document in documents(TIMED)]
    steps = {name: round(rate(texts, work)) for name, work in _STEPS.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "documents.parquet", documents(given.documents), Document)
        ways = {label: whole_way(folder, given.documents, config) for label, config in _WAYS.items()}
    print(f"{machine()}\n\n| step | documents/s | seconds for {given.documents:,} | peak MiB |\n| --- | --- | --- | --- |")
    for step, speed in steps.items():
        print(f"| {step} | {speed:,} | | |")
    for label, way in ways.items():
        print(f"| {label} | {way['per_second']:,} | {way['seconds']} | {way['peak_mb']:,} |")
    if given.json:
        given.json.write_text(json.dumps({"steps": steps, "ways": ways}, indent=2), "utf-8")
    return 0


_STEPS: dict[str, Callable[[str], object]] = {
    "repair": repair,
    "boilerplate": strip_boilerplate,
    "language": language_of,
}
_WAYS = {
    "table to table": CleanConfig(),
    "table to table, with languages": CleanConfig(languages=("en",)),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
