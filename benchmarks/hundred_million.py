"""A hundred million notes on paper: storage, memory of an index, hours on N workers, and what one process holds.

    python benchmarks/hundred_million.py --measure notes.jsonl.gz --field text [--copies 4] [--backend openvino]
    python benchmarks/hundred_million.py [--documents 100000000] [--workers 1 --workers 64] RATES

With ``--measure`` the stages run on the documents of a file, several times over with a number in each copy, shared out to
two processes. What is printed are the rates, as options for the second form: seconds that the workers computed and that
the one process which hands out the work computed, each for 100,000 documents. These are seconds of a core, which other work
on the machine changes less than the clock. The rate of encoding is that of all-MiniLM-L6-v2 with the backend that is named;
``benchmarks/speed.py`` measures it for every backend and length of text.

The second form computes nothing but the tables, from the rates that it is given.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

UNIT = 100_000
DIMENSIONS = (384, 768, 1024)
STORED = {"float16": 16, "int8": 8, "binary": 1}
"""Bits of a number."""
LINKS = 16
"""HNSW's m, as Qdrant and faiss have it: twice as many links on the lowest level, m on each above."""
LINK_BYTES = 4
SAMPLE = 400
SEARCHED = (100_000, 1_000_000, 10_000_000, 100_000_000)

GUARD_KEYS, GUARD_TEXT, GUARD_ALIKE, GUARD_PAIR = 100, 16, 50, 25
"""Bytes that the guard holds in memory: of a document, a text, a document where near-duplicates are looked for, a pair."""
GUARD_FILES = 350
KEY_BYTES = 40
"""What the encoding's index of distinct texts holds in memory for each."""
RECORD_BYTES = 600
"""What a record takes in memory beside its texts, where mining holds all of them at once."""


@dataclass(frozen=True)
class Split:
    """Seconds for 100,000 documents.

    Attributes:
        shared: Computed by the workers, all together.
        alone: Computed by the process that hands out the work.
    """

    shared: float
    alone: float

    @classmethod
    def parse(cls, text: str) -> "Split":
        """``SHARED,ALONE``."""
        shared, alone = map(float, text.split(","))
        return cls(shared, alone)

    def hours(self, documents: float, workers: int) -> float:
        """On so many workers of one core, if the process that hands out never computes while they do."""
        return documents / UNIT / 3600 * (self.shared / workers + self.alone)


def gigabytes(size: float) -> str:
    """A size, of 10**9 bytes."""
    return f"{size / 1e9:,.1f} GB" if size < 100e9 else f"{size / 1e9:,.0f} GB"


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def text_table(documents: float, given: argparse.Namespace) -> str:
    """Bytes of text, and of what the guard keeps beside it."""
    rows = [
        ["text as UTF-8", f"{given.characters:,.0f}", gigabytes(documents * given.characters)],
        ["table of documents (Parquet, zstd)", f"{given.parquet:,.0f}", gigabytes(documents * given.parquet)],
        [
            "table of pairs (Parquet, zstd)",
            f"{given.pairs_parquet:,.0f}",
            gigabytes(documents * given.pairs_parquet),
        ],
        ["files of the guard while it runs", f"{GUARD_FILES}", gigabytes(documents * GUARD_FILES)],
    ]
    return table(("on the disk", "bytes a document", "in all"), rows)


def vector_bytes(dimensions: int, stored: str) -> float:
    """Of one vector."""
    return dimensions * STORED[stored] / 8


def link_bytes() -> float:
    """Of a vector's links in HNSW, those of the levels above shared out among all."""
    return LINK_BYTES * (2 * LINKS + LINKS / (LINKS - 1))


def vector_table(vectors: float) -> str:
    """Storage of the vectors themselves."""
    rows = [
        [f"{dimensions}", *(gigabytes(vectors * vector_bytes(dimensions, stored)) for stored in STORED)]
        for dimensions in DIMENSIONS
    ]
    return table(("dimensions", *STORED), rows)


def index_table(vectors: float) -> str:
    """Memory of an index whose whole vectors lie on the disk."""
    rows = []
    for dimensions in DIMENSIONS:
        for stored in ("int8", "binary"):
            held = vector_bytes(dimensions, stored)
            rows.append(
                [
                    f"{dimensions}, {stored}",
                    gigabytes(vectors * held),
                    gigabytes(vectors * link_bytes()),
                    gigabytes(vectors * (held + link_bytes())),
                    f"{-(-vectors * (held + link_bytes()) // 50e9):,.0f}",
                ]
            )
    return table(("in memory", "vectors", "HNSW graph", "both", "machines with 50 GB for it"), rows)


def hours_table(documents: float, given: argparse.Namespace) -> str:
    """Hours of each stage by the number of workers."""
    rows = []
    stages: dict[str, Split | None] = {
        "clean": Split(0.0, given.clean),
        "deid": Split(0.0, UNIT / given.deid) if given.deid else None,
        "pairs": Split(0.0, given.pairs),
        "generate, extractive": given.generate,
        "guard": given.guard,
        "guard with near-duplicates": given.guard_alike,
        "encode": Split(UNIT / given.encode, given.encode_alone),
    }
    for name, split in stages.items():
        if split is None:
            continue
        limit = f"{split.shared / split.alone:,.0f}" if split.shared > split.alone else "none"
        rows.append([name, *(f"{split.hours(documents, workers):,.1f}" for workers in given.workers), limit])
    return table(("stage", *(f"{n:,}" for n in given.workers), "shared by alone"), rows)


def mining_table(given: argparse.Namespace) -> str:
    """Hours of the exact search for hard negatives: all queries with all passages."""
    rows = []
    for records in SEARCHED:
        seconds = 2.0 * records**2 * DIMENSIONS[0] / (given.product * 1e9)
        rows.append([f"{records:,}", *(_hours(seconds / 3600 / workers) for workers in given.workers)])
    return table(("records of one source and target", *(f"{n:,}" for n in given.workers)), rows)


def memory_table(documents: float, given: argparse.Namespace) -> str:
    """What the process that hands out the work holds."""
    pairs = documents * given.pairs_of_a_document
    guard = documents * (GUARD_KEYS + GUARD_TEXT * given.texts_of_a_document) + pairs * GUARD_PAIR
    rows = [
        ["encode: hashes of distinct texts", gigabytes(documents * KEY_BYTES)],
        ["guard: keys, ids, hashes of texts, verdicts", gigabytes(guard)],
        ["guard with near-duplicates", gigabytes(guard + documents * GUARD_ALIKE)],
        ["mine: all records, with their texts", gigabytes(pairs * RECORD_BYTES + documents * given.characters)],
    ]
    return table(("in the memory of one process", "size"), rows)


def calls_table(documents: float, given: argparse.Namespace) -> str:
    """Days that a language model takes for one call a document."""
    rows = [
        [f"{rate:,.0f}", f"{documents / rate / 86_400:,.1f}", f"{documents / 100 / rate / 86_400:,.2f}"]
        for rate in given.calls_per_second
    ]
    return table(("calls a second", "days for all documents", "for one in a hundred"), rows)


def _hours(hours: float) -> str:
    return f"{hours:,.2f}" if hours < 10 else f"{hours:,.0f}"


class Nothing:
    """An encoder that computes nothing: what is left is the work of the process that hands out."""

    hash = "nothing"
    dimensions = DIMENSIONS[0]

    def prompt_for(self, role: Any) -> str | None:  # noqa: ANN401
        """None."""
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> npt.NDArray[np.float32]:
        """Zeros."""
        return np.zeros((len(texts), self.dimensions), dtype=np.float32)


def opened() -> Any:  # noqa: ANN401
    """For workers."""
    return Nothing(), None


def spent(work: Callable[[], Any], documents: int) -> Split:
    """Seconds that processes which ended meanwhile, and this one, computed."""
    before = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    work()
    after = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    seconds = [a.ru_utime + a.ru_stime - b.ru_utime - b.ru_stime for a, b in zip(after, before, strict=True)]
    return Split(*(one * UNIT / documents for one in seconds))


def product_rate() -> float:
    """Billions of multiplications and additions a second in a matrix product of mining's blocks, on one core."""
    import torch

    torch.set_num_threads(1)
    queries, candidates = torch.rand(1_024, DIMENSIONS[0]), torch.rand(DIMENSIONS[0], 16_384)
    best = 1e9
    for _ in range(5):
        start = time.process_time()
        (queries @ candidates).topk(64, dim=1)
        best = min(best, time.process_time() - start)
    return 2 * 1_024 * 16_384 * DIMENSIONS[0] / best / 1e9


def encode_rate(texts: Sequence[str], backend: Any) -> float:  # noqa: ANN401
    """Documents a second of a core."""
    from medloom import load_encoder

    encoder = load_encoder("builtin:all-MiniLM-L6-v2", "auto", backend)
    encoder.encode(texts[: len(texts) // 10])
    return UNIT / spent(lambda: encoder.encode(texts), len(texts)).alone


def measure(file: Path, field: str, copies: int, backend: str) -> Iterator[str]:
    """The rates as options."""
    from medloom.artifacts import read_table, write_table
    from medloom.clean import CleanConfig, CleanCounts, clean_documents
    from medloom.encode.job import EncodeSettings, Item, document_text, encode_documents
    from medloom.engine import LocalEngine
    from medloom.generate.config import GenerateConfig
    from medloom.generate.run import generate
    from medloom.guard import GuardConfig, GuardTables, guard
    from medloom.mine import PairsConfig, pairs_of
    from medloom.records import Document, TrainingRecord
    from medloom.sources.files import FieldMap
    from medloom.sources.opened import OpenedDocuments

    def documents() -> Iterator[Document]:
        for copy in range(copies):
            for document in OpenedDocuments(file, FieldMap(text=field), contains_phi=False)():
                text = document.text.replace(". ", f" {copy}. ") if copy else document.text
                yield replace(document, id=f"{document.id}-{copy}", text=text, group="")

    def written(of: type[Any], rows: Iterator[Any]) -> Path:
        write_table(folder / f"{of.__name__}.parquet", rows, of)
        return folder / f"{of.__name__}.parquet"

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notes = written(Document, documents())
        count = sum(1 for _ in read_table(notes, Document))
        characters = sum(len(document_text(d).encode()) for d in read_table(notes, Document))
        kept: dict[str, int] = {}
        every = partial(read_table, notes, Document)
        yield f"--characters {characters / count:.0f} --parquet {notes.stat().st_size / count:.0f}"
        cleaned = spent(lambda: sum(1 for _ in clean_documents(every(), CleanConfig(), CleanCounts())), count)
        yield f"--clean {cleaned.alone:.1f}"
        paired = spent(
            lambda: written(TrainingRecord, (r for d in every() for r in pairs_of(d, PairsConfig(), kept))), count
        )
        pairs = folder / "TrainingRecord.parquet"
        records = sum(1 for _ in read_table(pairs, TrainingRecord))
        yield f"--pairs {paired.alone:.1f} --pairs-parquet {pairs.stat().st_size / count:.0f}"
        yield f"--pairs-of-a-document {records / count:.2f} --texts-of-a-document {1 + records / count:.2f}"
        into = GuardTables(*(folder / f"{side}.parquet" for side in ("held", "test", "train")))
        for option, duplicates in (("guard", "off"), ("guard-alike", "drop")):
            config = GuardConfig.model_validate({"workers": 2, "duplicates": duplicates})
            part = spent(partial(guard, notes, pairs, into, config, 7), count)
            yield f"--{option} {part.shared:.1f},{part.alone:.1f}"
        settings = GenerateConfig.model_validate({"mode": "extractive", "workers": 2, "checks": {"round_trip": "off"}})
        part = spent(lambda: generate(every, settings, folder, folder / "calls.sqlite", None, 7), count)
        yield f"--generate {part.shared:.1f},{part.alone:.1f}"
        items = (Item(d.source, d.id, (document_text(d),)) for d in every())
        vectors = EncodeSettings.model_validate(
            {name: "" for name in ("model", "model_hash", "backend", "precision")}
            | {"prompt": None, "dimensions": DIMENSIONS[0], "stored": "float16", "form": "npy", "long": "cut"}
        )
        part = spent(
            lambda: encode_documents(items, Nothing(), folder / "v", vectors, engine=LocalEngine(2), opener=opened), count
        )
        yield f"--encode-alone {part.alone:.1f}"
        some = [document_text(d) for d in islice(every(), SAMPLE)]
        yield f"--encode {encode_rate(some, backend):.1f}"
    yield f"--product {product_rate():.0f}"


def main() -> None:
    """Measure, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, metavar="FILE", help="measure the rates on these documents")
    parser.add_argument("--field", default="text", help="of a row, that holds the text")
    parser.add_argument("--copies", type=int, default=4, help="how often the documents are taken")
    parser.add_argument("--backend", default="openvino", help="that is measured: torch, openvino, onnx or auto")
    parser.add_argument("--documents", type=float, default=100_000_000, help="how many the tables are of")
    parser.add_argument("--workers", type=int, action="append", help="cores; may be given several times")
    parser.add_argument("--characters", type=float, help="bytes of a document's text")
    parser.add_argument("--parquet", type=float, help="bytes of a document in a table")
    parser.add_argument("--pairs-parquet", type=float, help="bytes of a document's pairs in a table")
    parser.add_argument("--pairs-of-a-document", type=float, help="pairs that are formed of it")
    parser.add_argument("--texts-of-a-document", type=float, help="texts that the guard looks at")
    parser.add_argument("--clean", type=float, help="seconds for 100,000 documents")
    parser.add_argument("--deid", type=float, help="documents a second of one process; left out if not given")
    parser.add_argument("--pairs", type=float, help="seconds for 100,000 documents")
    parser.add_argument("--generate", type=Split.parse, help="extractive; as --guard, and left out if not given")
    parser.add_argument("--guard", type=Split.parse, help="seconds for 100,000 documents: SHARED,ALONE")
    parser.add_argument("--guard-alike", type=Split.parse, help="the same, with near-duplicates dropped")
    parser.add_argument("--encode", type=float, help="documents a second on one core")
    parser.add_argument("--encode-alone", type=float, help="seconds for 100,000 documents of the process that hands out")
    parser.add_argument("--product", type=float, help="billions of operations a second in mining's search, on one core")
    parser.add_argument("--calls-per-second", type=float, action="append", help="of a language model; several times")
    given = parser.parse_args()
    if given.measure:
        for line in measure(given.measure, given.field, given.copies, given.backend):
            print(line, flush=True)
        return
    given.workers = given.workers or [1, 16, 64, 256]
    given.calls_per_second = given.calls_per_second or [1, 10, 100, 1_000]
    optional = ("measure", "deid", "generate")
    absent = [name for name, value in vars(given).items() if value is None and name not in optional]
    if absent:
        parser.error(f"not given: {', '.join(absent)} (--measure prints them)")
    print(text_table(given.documents, given), vector_table(given.documents), sep="\n\n", end="\n\n")
    print(index_table(given.documents), hours_table(given.documents, given), sep="\n\n", end="\n\n")
    print(mining_table(given), memory_table(given.documents, given), calls_table(given.documents, given), sep="\n\n")


if __name__ == "__main__":
    main()
