"""How fast documents come from replicas of the services, and what each source takes in code and tests.

    python -m benchmarks.sources [--documents 2000] [--only pubmed]

The replicas of the tests run on loopback, in this process, without rate limits: the figures are what medloom and the replica
cost together, not what a service gives. They say whether collecting keeps up with any rate that a service allows.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.replica import Replica
from tests.sources.replicas import clinicaltrials, ncbi, preprints, wikipedia

from medloom.meter import machine
from medloom.sources import known_sources
from medloom.sources.collected import How, collect_source

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Trial:
    """A source to try.

    Attributes:
        type: Its type.
        serve: Runs a replica with so many documents.
        settings: Of the source, for that replica.
        code: Names of its modules, as patterns.
        tests: Names of its test files, as patterns.
    """

    type: str
    serve: Callable[[int], Any]
    settings: Callable[[Replica], Mapping[str, Any]]
    code: str
    tests: str


@contextmanager
def _preprints(n: int) -> Iterator[Replica]:
    with preprints.serve(n, per_day=40) as running:
        yield running


def _at(path: str, **settings: object) -> Callable[[Replica], Mapping[str, Any]]:
    return lambda service: {"api": service.url + path, "interval": 0, **settings}


TRIALS = (
    Trial("pubmed", ncbi.serve, _at(ncbi.API, terms=["medicine"]), "pubmed|medline_xml|ncbi.*", "pubmed.*|medline.*|ncbi.*"),
    Trial("pmc", ncbi.serve, _at(ncbi.API, terms=["medicine"]), "pmc|jats.*|ncbi.*", "pmc.*|jats.*|ncbi.*"),
    Trial(
        "clinicaltrials",
        clinicaltrials.serve,
        _at(clinicaltrials.API, terms=["ALL"]),
        "clinicaltrials.*|json_records",
        "clinicaltrials.*",
    ),
    Trial(
        "wikipedia",
        lambda n: wikipedia.serve(n // 2),
        _at(wikipedia.API, categories=["Fever"]),
        "wikipedia.*|mediawiki",
        "wikipedia.*|mediawiki.*",
    ),
    Trial(
        "biorxiv",
        _preprints,
        _at("", posted_from="2018-01-01", posted_to="2022-12-20"),
        "biorxiv|medrxiv|preprints.*",
        "preprints.*|biorxiv.*|medrxiv.*",
    ),
)


def main() -> None:
    """Try the sources and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2_000)
    parser.add_argument("--only", action="append", choices=[trial.type for trial in TRIALS])
    options = parser.parse_args()
    print("| source | documents | requests | seconds | documents/s | lines of code | test functions |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for trial in TRIALS:
        if not options.only or trial.type in options.only:
            print(_row(trial, options.documents), flush=True)
    print(f"\nMachine: {machine()}.")


def _row(trial: Trial, documents: int) -> str:
    kind = known_sources()[trial.type]
    with trial.serve(documents) as service, tempfile.TemporaryDirectory() as folder:
        source = kind.model_validate({"type": trial.type, **trial.settings(service)})
        begun = time.perf_counter()
        result = collect_source(source, Path(folder), How())
        seconds = time.perf_counter() - begun
        asked = len(service.requests)
    code = sum(len(path.read_text("utf-8").splitlines()) for path in _files("src/medloom/sources", trial.code))
    tests = sum(
        len(re.findall(r"^def test_", path.read_text("utf-8"), re.MULTILINE))
        for path in _files("tests/sources", f"test_(?:{trial.tests})")
    )
    rate = result.documents / seconds
    return f"| `{trial.type}` | {result.documents:,} | {asked:,} | {seconds:.1f} | {rate:,.0f} | {code:,} | {tests:,} |"


def _files(folder: str, pattern: str) -> list[Path]:
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if re.fullmatch(pattern, path.stem)]


if __name__ == "__main__":
    main()
