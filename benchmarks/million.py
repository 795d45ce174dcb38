"""Time and memory of collect, clean, pairs and guard on very many invented documents.

    python benchmarks/million.py [--documents 100000 --documents 1000000] [--workers 2] [--duplicates drop]
        [--folder DIR] [--csv FILE] [--svg FILE]

The documents are made of invented words, from a seed: two sources of JSONL files, 100 to 220 words each. Of a hundred, three
are equal to an earlier one in all but the id, five differ from an earlier one in a few words, two are one form filled in
differently, and ten share a group. Each number of documents is a run of its own through the stages of a recipe. Its line
says how many seconds each stage took for 100,000 documents, how many its processes computed (which other work on the machine
hardly changes), and the highest resident memory of all its processes together; pages that they share are counted for each.
"""

import argparse
import json
import random
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import psutil

from medloom import Recipe, pipeline
from medloom.meter import machine

STAGES = ("collect", "clean", "pairs", "guard")
UNIT = 100_000
FILE_ROWS = 50_000
INTERVAL = 0.5
SEED = 11
WORDS = 40_000
EXACT, NEAR, FORM, GROUPED = 0.03, 0.05, 0.02, 0.10
_ONSETS = (
    "card",
    "hep",
    "neur",
    "gastr",
    "derm",
    "oste",
    "pulm",
    "ren",
    "thym",
    "vas",
    "lymph",
    "my",
    "cyt",
    "bronch",
    "ot",
)
_MIDDLES = ("o", "i", "al", "ent", "or", "ul", "at", "er", "opl", "amin", "ost", "yl")
_ENDS = ("itis", "osis", "algia", "emia", "pathy", "oma", "ectomy", "ine", "ol", "ide", "ate", "ic", "ous", "ia")


class Texts:
    """Documents by number: the same number gives the same document, whatever was made before."""

    def __init__(self, seed: int = SEED) -> None:
        self._seed = seed
        rng = random.Random(seed)
        words: dict[str, None] = {}
        while len(words) < WORDS:
            middle = "".join(rng.choice(_MIDDLES) for _ in range(rng.randint(1, 4)))
            words[rng.choice(_ONSETS) + middle + rng.choice(_ENDS)] = None
        self._words = list(words)
        self._weights = list(accumulate(1 / (place + 20) ** 0.8 for place in range(WORDS)))
        self._form = self._drawn(random.Random(f"{seed} form"), 60)

    def row(self, number: int) -> dict[str, str]:
        """The row of a document."""
        rng = random.Random(f"{self._seed} kind {number}")
        kind = rng.random()
        title, text = self._original(number)
        if number and kind < EXACT + NEAR:
            title, text = self._original(rng.randrange(number))
            if kind >= EXACT:
                text = self._changed(text, rng, 3)
        elif kind < EXACT + NEAR + FORM:
            text = self._changed(" ".join(self._form), rng, 8)
        group = f"patient {rng.randrange(number + 1) // 20}" if rng.random() < GROUPED else ""
        return {"id": f"d{number}", "title": title, "text": text, "group": group}

    def _original(self, number: int) -> tuple[str, str]:
        rng = random.Random(f"{self._seed} text {number}")
        paragraphs = [self._drawn(rng, rng.randint(40, 70)) for _ in range(rng.randint(2, 3))]
        return " ".join(self._drawn(rng, 8)), "\n\n".join(" ".join(words) + "." for words in paragraphs)

    def _changed(self, text: str, rng: random.Random, count: int) -> str:
        words = text.split(" ")
        for word in self._drawn(rng, count):
            words[rng.randrange(len(words))] = word
        return " ".join(words)

    def _drawn(self, rng: random.Random, count: int) -> list[str]:
        return rng.choices(self._words, cum_weights=self._weights, k=count)


def write_files(folder: Path, count: int) -> None:
    """Write the documents to JSONL files, every other file of another source."""
    texts = Texts()
    for part, begin in enumerate(range(0, count, FILE_ROWS)):
        place = folder / f"source-{part % 2}"
        place.mkdir(parents=True, exist_ok=True)
        with (place / f"part-{part:04d}.jsonl").open("w", encoding="utf-8") as f:
            f.writelines(json.dumps(texts.row(n)) + "\n" for n in range(begin, min(count, begin + FILE_ROWS)))


def recipe(folder: Path, count: int, workers: int, duplicates: str) -> Recipe:
    """A recipe on the first so many documents."""
    parts = [sorted(folder.glob(f"source-{source}/*.jsonl"))[: _files(count, source)] for source in (0, 1)]
    lines = [
        "name: million",
        "sources:",
        *(
            line
            for source, files in enumerate(parts)
            if files
            for line in (
                f"  - {{type: files, name: source-{source}, contains_phi: false,",
                "     fields: {id: id, title: title, text: text, group: group},",
                f"     path: {json.dumps([str(p) for p in files])}}}",
            )
        ),
        "clean: {}",
        f"guard: {{workers: {workers}, duplicates: '{duplicates}'}}",
    ]
    return Recipe.parse("\n".join(lines), "million")


def _files(count: int, source: int) -> int:
    whole = -(-count // FILE_ROWS)
    return whole - whole // 2 if source == 0 else whole // 2


@dataclass
class Curve:
    """Resident memory of this process and its children over time.

    Attributes:
        points: Seconds since the start, stage, MiB.
    """

    points: list[tuple[float, str, float]] = field(default_factory=list)
    stage: str = ""
    _end: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Take a point every half second until :meth:`stop`."""
        this, started = psutil.Process(), time.monotonic()
        while not self._end.wait(INTERVAL):
            total = 0
            for process in (this, *this.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.points.append((time.monotonic() - started, self.stage, total / 2**20))

    def stop(self) -> None:
        """Take no more points."""
        self._end.set()

    def peak(self, stage: str) -> float:
        """The highest point of a stage, MiB."""
        return max((mb for _, name, mb in self.points if name == stage), default=0.0)


def computed() -> float:
    """Seconds that this process and its children that have ended spent in computing."""
    return sum(
        used.ru_utime + used.ru_stime for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measure(folder: Path, count: int, workers: int, duplicates: str) -> tuple[dict[str, tuple[float, float]], Curve]:
    """Run the stages; seconds of each by the clock and of computing, and the memory curve."""
    curve = Curve()
    thread = threading.Thread(target=curve.watch, daemon=True)
    thread.start()
    out = folder / f"run-{count}"

    began_at: dict[str, float] = {}

    def began(stage: str, _: str) -> None:
        curve.stage = stage
        began_at[stage] = computed()

    try:
        result = pipeline.run(recipe(folder, count, workers, duplicates), out, until=STAGES[-1], on_step=began)
    finally:
        curve.stop()
        thread.join()
    ends = dict(zip(STAGES, [*(began_at[stage] for stage in STAGES[1:]), computed()], strict=True))
    seconds = {
        step.name: (step.manifest.seconds, ends[step.name] - began_at[step.name]) for step in result.steps if step.manifest
    }
    shutil.rmtree(out)
    return seconds, curve


def table(rows: Sequence[tuple[int, dict[str, tuple[float, float]], Curve]]) -> Iterator[str]:
    """A Markdown table: for 100,000 documents, seconds by the clock / of computing, and the highest memory."""
    yield "| documents | " + " | ".join(STAGES) + " | total, s | highest memory, MiB |"
    yield "|---" * (len(STAGES) + 3) + "|"
    for count, seconds, curve in rows:
        cells = [
            f"{wall * UNIT / count:.1f} / {cpu * UNIT / count:.1f} ({curve.peak(stage):.0f} MiB)"
            for stage, (wall, cpu) in ((stage, seconds[stage]) for stage in STAGES)
        ]
        peak = max(curve.peak(stage) for stage in STAGES)
        yield f"| {count:,} | " + " | ".join(cells) + f" | {sum(wall for wall, _ in seconds.values()):.0f} | {peak:.0f} |"


def svg(curve: Curve, width: int = 720, height: int = 260) -> str:
    """The memory curve as a drawing, with the stages below."""
    last, top = curve.points[-1][0], max(2048.0, *(mb for _, _, mb in curve.points))
    left, base = 50, height - 30

    def x(seconds: float) -> float:
        return left + seconds / last * (width - left - 10)

    def y(mb: float) -> float:
        return base - mb / top * (base - 10)

    line = " ".join(f"{x(seconds):.1f},{y(mb):.1f}" for seconds, _, mb in curve.points)
    marks = []
    for stage in STAGES:
        begin = next((seconds for seconds, name, _ in curve.points if name == stage), 0.0)
        marks.append(f'<line x1="{x(begin):.1f}" y1="10" x2="{x(begin):.1f}" y2="{base}" stroke="#bbb"/>')
        marks.append(f'<text x="{x(begin) + 3:.1f}" y="{height - 15}">{stage} (from {begin:.0f} s)</text>')
    for mb in (512, 1024, 2048):
        marks.append(f'<line x1="{left}" y1="{y(mb):.1f}" x2="{width - 10}" y2="{y(mb):.1f}" stroke="#ddd"/>')
        marks.append(f'<text x="2" y="{y(mb) + 4:.1f}">{mb} MiB</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" '
        f'fill="#444">{"".join(marks)}<polyline points="{line}" fill="none" stroke="#06c" stroke-width="1.5"/></svg>\n'
    )


def main() -> None:
    """Make the documents, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, action="append", help="how many; may be given several times")
    parser.add_argument("--workers", type=int, default=1, help="processes of the guard")
    parser.add_argument("--duplicates", choices=("off", "tie", "drop"), default="drop", help="the guard's setting")
    parser.add_argument("--folder", type=Path, help="where documents and runs lie meanwhile; the documents stay there")
    parser.add_argument("--csv", type=Path, help="where the memory curve of the last run goes")
    parser.add_argument("--svg", type=Path, help="where its drawing goes")
    given = parser.parse_args()
    counts = given.documents or [UNIT]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        files = folder / str(max(counts))
        if not files.is_dir():
            write_files(files, max(counts))
        print(machine(), f"{given.workers} worker(s)", sep=", ")
        rows = [(count, *measure(files, count, given.workers, given.duplicates)) for count in counts]
    print("\n".join(table(rows)))
    curve = rows[-1][2]
    if given.csv:
        lines = (f"{seconds:.1f},{stage},{mb:.0f}\n" for seconds, stage, mb in curve.points)
        given.csv.write_text("seconds,stage,mib\n" + "".join(lines), "utf-8")
    if given.svg:
        given.svg.write_text(svg(curve), "utf-8")


if __name__ == "__main__":
    main()
