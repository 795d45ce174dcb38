"""All 77 tasks of MedTEB from replicas of the services, a MIMIC-shaped folder and small files.

    python -m benchmarks.medteb_replicas [--pages 24] [--mode strict] [--json]

It goes the way of ``medloom bench build --suite medteb-full --source wikipedia,pubmed,...``: the settings are those that
the suite's tasks need, but for address, interval and days. Texts are invented, so scores on these tasks say nothing; the row
counts say that every task builds.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import mimic_shaped
from tests.sources.replicas import clinicaltrials, ncbi, preprints, wikipedia

from medloom.bench.documents import DocumentsInput
from medloom.bench.fetch import fetch_sources
from medloom.bench.medteb import MedtebSuite
from medloom.encode import Encoder
from medloom.sources.collected import How

SUITE = "medteb-full"
_EXAMS = 40


@dataclass(frozen=True)
class Services:
    """Replicas at work.

    Attributes:
        settings: Of each source, what is other than its tasks need.
        asked: How many requests each service has had.
    """

    settings: Mapping[str, Mapping[str, Any]]
    asked: Callable[[], dict[str, int]]


@contextmanager
def services(pages: int) -> Iterator[Services]:
    """Run replicas of all services.

    Args:
        pages: Pages of a category, articles of a term; of preprints and studies four times as many.
    """
    with ExitStack() as stack:
        entrez = stack.enter_context(ncbi.serve(pages))
        wiki = stack.enter_context(wikipedia.serve(pages))
        registry = stack.enter_context(clinicaltrials.serve(4 * pages))
        prints = {name: stack.enter_context(preprints.serve(4 * pages, name, 1)) for name in ("biorxiv", "medrxiv")}
        settings: dict[str, dict[str, Any]] = {
            "wikipedia": {"api": wiki.url + wikipedia.API},
            "pubmed": {"api": entrez.url + ncbi.API},
            "pmc": {"api": entrez.url + ncbi.API},
            "clinicaltrials": {
                "api": registry.url + clinicaltrials.API,
                "terms": ["ALL"],
                "posted_from": None,
                "posted_to": None,
            },
            "biorxiv": {"api": prints["biorxiv"].url, "posted_to": "2018-12-31"},
            "medrxiv": {"api": prints["medrxiv"].url, "posted_from": "2019-07-01", "posted_to": "2020-03-31"},
        }
        for given in settings.values():
            given["interval"] = 0
        running = {"wikipedia": wiki, "pubmed and pmc": entrez, "clinicaltrials": registry, **prints}
        yield Services(settings, lambda: {name: len(service.requests) for name, service in running.items()})


def own_files(folder: Path) -> list[DocumentsInput]:
    """Write what is not fetched here: invented discharge notes, and invented questions in the form of the data sets."""
    mimic_shaped.write(folder / "mimic", sentences=2)
    rows: dict[str, list[dict[str, Any]]] = {"medquad": [], "medmcqa": [], "medqa": []}
    for n in range(_EXAMS):
        answers = [f"Rest for {n + k} days and drink tea {k}" for k in range(4)]
        asked = f"What helps in invented ailment number {n}?"
        rows["medquad"].append({"question": asked, "answer": f"In ailment {n}, {answers[0]}.", "focus": f"ailment {n}"})
        options = dict(zip(("opa", "opb", "opc", "opd"), answers, strict=True))
        rows["medmcqa"].append(
            {"id": f"q{n}", "question": asked, **options, "cop": n % 4, "exp": f"Case {n}: {answers[n % 4]}."}
        )
        letters = dict(zip("ABCD", answers, strict=True))
        rows["medqa"].append({"question": asked, "options": letters, "answer": answers[n % 4], "answer_idx": "ABCD"[n % 4]})
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines), "utf-8")
    return [DocumentsInput("mimic", folder / "mimic"), *(DocumentsInput(n, folder / f"{n}.jsonl") for n in rows)]


def collected(folder: Path, running: Services) -> list[DocumentsInput]:
    """Collect every source that has a replica, as the suite needs it."""
    return fetch_sources(SUITE, list(running.settings), folder, How(), running.settings)


def built(
    data: Sequence[DocumentsInput], mode: str, encoder: Callable[[], Encoder] | None = None
) -> tuple[Any, dict[str, str]]:
    """The tasks, and those that could not be built.

    Args:
        data: Documents of every source.
        mode: ``strict`` or ``compat``; without a language model, which nine tasks of ``compat`` need.
        encoder: Finds neighbours for negatives; all-MiniLM-L6-v2 if not given.
    """
    from medloom.bench.base import BuildRequest

    left_out: dict[str, str] = {}
    request = BuildRequest(mode, 0, {one.source: one.load for one in data})  # type: ignore[arg-type]
    return list(MedtebSuite(SUITE, True, encoder).build(request, left_out)), left_out


def main() -> None:
    """Collect, build, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=24)
    parser.add_argument("--mode", choices=["strict", "compat"], default="strict")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, services(options.pages) as running:
        folder, begun = Path(name), time.perf_counter()
        data = [*collected(folder / "sources", running), *own_files(folder)]
        seconds = time.perf_counter() - begun
        tasks, left_out = built(data, options.mode)
        rows = [{"task": t.name, "type": t.type, "source": t.source, "n": t.n} for t in tasks]
        asked = running.asked()
    if options.json:
        print(json.dumps({"tasks": rows, "left_out": left_out, "requests": asked, "seconds": seconds}, indent=2))
        return
    print("| task | source | rows |\n| --- | --- | --- |")
    print("\n".join(f"| `{row['task']}` | {row['source']} | {row['n']:,} |" for row in rows))
    print(f"\n{len(rows)} tasks built, {len(left_out)} left out; collected in {seconds:.0f} s with these requests: {asked}")
    print("\n".join(f"{name}: {why}" for name, why in left_out.items()))


if __name__ == "__main__":
    main()
