"""Texts a second of one model's weights under every runtime that is installed, with the quality beside each speed.

Each system runs in a process of its own, one after the other, on the same texts: of 20, 60 and 250 words, and of mixed
length, cut from the documents that are given, no text twice. Beside the speed stand nDCG@10 on one task of the suite
``open`` (or another), the time until the first vector, the memory, and the share of what a matrix product reaches in fp32:
above 100% an engine computes in numbers of fewer bits. Ratios are to sentence-transformers' ``encode`` as it comes.

Usage: ``python benchmarks/speed.py --texts FILE.jsonl.gz --field text [--count 200] [--static FOLDER] [--peer-python PATH]``

``--peer-python`` names a Python that has fastembed, which may pin other versions of what medloom uses; fastembed gets the
same weights as an ONNX file of medloom's own and computes them in its own way. ``--only`` names systems to run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]
Arithmetic = Literal["auto", "fp32", "bf16", "int8"]
Backend = Literal["torch", "openvino", "onnx", "auto"]

LENGTHS = {"20 words": 20, "60 words": 60, "250 words": 250}
MIXED = "mixed"
_SHORTEST, _LONGEST = 5, 300
_OPTIONS: dict[str, tuple[Arithmetic, Backend]] = {
    "medloom torch fp32": ("fp32", "torch"),
    "medloom torch auto": ("auto", "torch"),
    "medloom onnx fp32": ("fp32", "onnx"),
    "medloom onnx int8": ("int8", "onnx"),
    "medloom openvino fp32": ("fp32", "openvino"),
    "medloom openvino auto": ("auto", "openvino"),
    "medloom openvino int8": ("int8", "openvino"),
    "medloom auto": ("auto", "auto"),
}
BASE = "sentence-transformers"
PEERS = (BASE, f"{BASE} onnx", f"{BASE} openvino", "fastembed")
STATIC = "static student"
ADVICE = {
    f"{BASE} onnx": "needs optimum-onnx, which does not install beside this transformers",
    f"{BASE} openvino": "needs optimum-intel, which does not install beside this transformers",
}


@dataclass
class Measured:
    """One system.

    Attributes:
        rates: Texts a second, by kind of text.
        per_cpu_second: Texts for each second of a core, mixed; steadier than the rates where other work shares the cores.
        quality: nDCG@10.
        first_seconds: Until the first vector is there, imports included.
        memory_mb: Highest resident memory, in MiB.
        note: What it chose, or why there is nothing.
    """

    rates: dict[str, float] = field(default_factory=dict)
    per_cpu_second: float = float("nan")
    quality: float = float("nan")
    first_seconds: float = float("nan")
    memory_mb: float = float("nan")
    note: str = ""


def texts_of(path: Path, name: str | None, count: int, seed: int = 0) -> dict[str, list[str]]:
    """Distinct texts of each kind, cut from documents; those of fixed length have exactly so many words.

    Raises:
        SystemExit: The documents are too few or too short.
    """
    from medloom.encode.job import document_text
    from medloom.sources.files import FieldMap
    from medloom.sources.opened import OpenedDocuments

    draw = np.random.default_rng(seed)
    documents = OpenedDocuments(path, FieldMap(text=name))()
    words = (document_text(document).split() for document in islice(documents, 40 * count))
    long = [text for text in words if len(text) >= _LONGEST]
    wanted = {**{kind: [n] * count for kind, n in LENGTHS.items()}, MIXED: None}
    found: dict[str, list[str]] = {}
    for kind, lengths in wanted.items():
        sizes = lengths or np.exp(draw.uniform(np.log(_SHORTEST), np.log(_LONGEST), size=count)).astype(int).tolist()
        whole = [long[i % len(long)] for i in range(count)] if long else []
        starts = [int(draw.integers(0, len(text) - n + 1)) for text, n in zip(whole, sizes, strict=False)]
        cut = [" ".join(text[s : s + n]) for text, s, n in zip(whole, starts, sizes, strict=False)]
        found[kind] = list(dict.fromkeys(cut))
    if min(len(texts) for texts in found.values()) < count // 2:
        raise SystemExit(f"{path}: too few documents of {_LONGEST} words for {count} texts: give others, or --count less")
    return found


def open_encode(name: str, model: str, work: Path) -> tuple[Encode, str]:
    """What encodes, and what there is to say of it."""
    if name in _OPTIONS or name == STATIC:
        from medloom.encode import load_encoder

        precision, backend = _OPTIONS.get(name, ("fp32", "torch"))
        encoder = load_encoder(model, precision, backend)
        return encoder.encode, encoder.choice
    if name == "fastembed":
        return _fastembed(work), ""
    from sentence_transformers import SentenceTransformer

    engine: Any = name.removeprefix(BASE).strip() or "torch"
    network = SentenceTransformer(model, device="cpu", backend=engine)
    return lambda texts: np.asarray(network.encode(list(texts), show_progress_bar=False)), ""


def _fastembed(work: Path) -> Encode:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    facts = json.loads((work / "onnx" / "converted.json").read_text("utf-8"))
    TextEmbedding.add_custom_model(
        model="medloom/same-weights",
        pooling=PoolingType.DISABLED,
        normalization=False,
        sources=ModelSource(hf="medloom/same-weights"),
        dim=facts["dimensions"],
        model_file="model.onnx",
    )
    network = TextEmbedding("medloom/same-weights", specific_model_path=str(work / "onnx"))
    return lambda texts: np.stack(list(network.embed(list(texts)))).astype(np.float32)


def child(name: str, work: Path) -> None:
    """Measure one system and print what was found as JSON."""
    started = time.perf_counter()
    job = json.loads((work / "job.json").read_text("utf-8"))
    found = Measured()
    try:
        encode, found.note = open_encode(name, job["static"] if name == STATIC else job["model"], work)
        encode(["fever"])
    except Exception as error:
        found.note = ADVICE.get(name) or f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
    else:
        found.first_seconds = time.perf_counter() - started
        for kind, texts in job["texts"].items():
            encode(texts[: max(1, len(texts) // 10)])
            found.rates[kind], per_core = map(max, zip(*(_rates(encode, texts) for _ in range(job["rounds"])), strict=True))
            found.per_cpu_second = per_core if kind == MIXED else found.per_cpu_second
        found.quality = _quality(encode, job["task"])
    found.memory_mb = _most_memory()
    sys.stdout.write("\n" + json.dumps(asdict(found)) + "\n")


def _most_memory() -> float:
    """Highest resident memory of this process in MiB; what ``getrusage`` says includes the parent's before the start."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _rates(encode: Encode, texts: Sequence[str]) -> tuple[float, float]:
    """Texts for each second of the clock, and for each second of a core."""
    clock, cores = time.perf_counter(), time.process_time()
    encode(texts)
    return len(texts) / (time.perf_counter() - clock), len(texts) / (time.process_time() - cores)


def _quality(encode: Encode, task: dict[str, Any]) -> float:
    """Mean nDCG@10 of the queries; kept to numpy, since a peer's Python need not have medloom."""
    documents, queries = list(task["corpus"]), list(task["queries"])
    vectors = [
        _unit(encode([task[side][one] for one in ids])) for side, ids in (("corpus", documents), ("queries", queries))
    ]
    best = np.argsort(-(vectors[1] @ vectors[0].T), axis=1, kind="stable")[:, :10]
    discount = 1 / np.log2(np.arange(2, 12))
    scores = []
    for query, rows in zip(queries, best, strict=True):
        gains = np.array([task["qrels"][query].get(documents[row], 0) for row in rows], dtype=float)
        ideal = np.array(sorted(task["qrels"][query].values(), reverse=True)[:10], dtype=float)
        scores.append(float(gains @ discount[: len(gains)] / (ideal @ discount[: len(ideal)])))
    return float(np.mean(scores))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def peak_flops() -> float:
    """Floating-point operations a second of a large fp32 matrix product, the best of some."""
    import torch

    side = 2_048
    left, right = torch.randn(side, side), torch.randn(side, side)
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def flops_of(model: str, texts: dict[str, list[str]]) -> dict[str, float]:
    """Floating-point operations that one text of each kind takes on average, padding left out."""
    import torch

    from medloom.encode import load_encoder

    encoder = load_encoder(model)
    network: Any = encoder.model[0].auto_model
    config = network.config
    weights = sum(int(one.weight.numel()) for one in network.encoder.modules() if isinstance(one, torch.nn.Linear))
    found = {}
    for kind, some in texts.items():
        ids = encoder.model.tokenizer(some, truncation=True, max_length=encoder.model.max_seq_length)["input_ids"]
        lengths = np.array([len(one) for one in ids], dtype=float)
        attention = 4 * lengths**2 * config.hidden_size * config.num_hidden_layers
        found[kind] = float((2 * weights * lengths + attention).mean())
    return found


def read_task(name: str) -> dict[str, Any]:
    """A retrieval task, small enough to be encoded by every system."""
    from medloom.merge.tasks import capped, read_tasks

    (task,) = read_tasks([name])
    data = capped(task, seed=0, queries=300, corpus=2_000).data
    return {
        "queries": dict(data["queries"]),
        "corpus": dict(data["corpus"]),
        "qrels": {q: {d: int(v) for d, v in found.items()} for q, found in data["qrels"].items()},
    }


def measure(name: str, work: Path, python: Path) -> Measured:
    """Run one system in a process of its own."""
    command = [str(python), __file__, "--child", name, "--work", str(work)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return Measured(note=(done.stderr.strip().splitlines() or ["ended without a word"])[-1][:160])
    return Measured(**json.loads(lines[-1]))


def rows(found: dict[str, Measured], flops: dict[str, float], peak: float) -> Iterator[str]:
    """The table, in Markdown."""
    kinds = [*LENGTHS, MIXED]
    base = found[BASE]
    heads = [
        "system",
        *kinds,
        "× on mixed",
        "mixed a core second",
        "nDCG@10",
        "loss",
        "of fp32 peak",
        "first vector s",
        "MiB",
    ]
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for name, one in found.items():
        if not one.rates:
            yield f"| {name} | {one.note} |" + " |" * (len(heads) - 2)
            continue
        rates = " | ".join(f"{one.rates[kind]:,.1f}" for kind in kinds)
        share = "" if name == STATIC else f"{one.rates[MIXED] * flops[MIXED] / peak:.0%}"
        loss = f"{1 - one.quality / base.quality:.2%}"
        yield (
            f"| {name} | {rates} | {one.rates[MIXED] / base.rates[MIXED]:.2f} "
            f"| {one.per_cpu_second:,.1f} | {one.quality:.4f} | {loss} | {share} "
            f"| {one.first_seconds:.1f} | {one.memory_mb:,.0f} |"
        )


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, help="documents, as medloom index reads them")
    parser.add_argument("--field", help="field that holds the text")
    parser.add_argument("--model", default="builtin:all-MiniLM-L6-v2", help="a SentenceTransformer folder or builtin:NAME")
    parser.add_argument("--task", default="open:open-definition-term", help="retrieval task beside each speed")
    parser.add_argument("--count", type=int, default=200, help="texts of each kind")
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many counts")
    parser.add_argument("--static", help="folder of a static student of the model")
    parser.add_argument("--peer-python", type=Path, help="a Python that has fastembed")
    parser.add_argument("--only", nargs="*", help="systems to run beside sentence-transformers")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.work)
        return
    if given.texts is None:
        parser.error("--texts: give documents")
    from medloom.encode import load_encoder, resolve_model
    from medloom.encode.convert import convert
    from medloom.meter import machine

    ref = resolve_model(given.model)
    texts = texts_of(given.texts, given.field, given.count)
    flops, peak = flops_of(given.model, texts), peak_flops()
    names = [*PEERS, *_OPTIONS, *([STATIC] if given.static else [])]
    wanted = [name for name in names if not given.only or name in given.only or name == BASE]
    found: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        job = {"model": ref.location, "static": given.static, "texts": texts, "task": read_task(given.task)}
        (work / "job.json").write_text(json.dumps({**job, "rounds": given.rounds}), "utf-8")
        if "fastembed" in wanted:
            (work / "onnx").mkdir()
            convert(ref, "onnx", "fp32", work / "onnx")
            for path in Path(ref.location).glob("*.json"):
                if not (work / "onnx" / path.name).exists():
                    (work / "onnx" / path.name).write_bytes(path.read_bytes())
        for name in wanted:
            if name in _OPTIONS and "torch" not in name:
                load_encoder(ref, *_OPTIONS[name])
            python = given.peer_python if name == "fastembed" and given.peer_python else Path(sys.executable)
            found[name] = measure(name, work, python)
            peak = max(peak, peak_flops())
            print(f"{name}: {found[name].rates.get(MIXED, float('nan')):,.1f} mixed texts a second {found[name].note}")
    print(f"\n{machine()}; fp32 matrix product {peak / 1e9:,.0f} GFLOP/s; {given.count} texts of each kind, {given.task}")
    print("\n" + "\n".join(rows(found, flops, peak)))
    if given.json:
        given.json.write_text(json.dumps({name: asdict(one) for name, one in found.items()}, indent=2), "utf-8")


if __name__ == "__main__":
    main()
