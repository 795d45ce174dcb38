"""Which backend computes a model: the one asked for, or the fastest of those that are here."""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medloom.artifacts import disk_errors, publish_folder
from medloom.encode.compiled import CompiledEncoder
from medloom.encode.convert import convert, versions
from medloom.encode.converted import is_converted, open_converted, read_facts
from medloom.encode.encoder import Arithmetic, TorchEncoder, resolve_precision
from medloom.encode.models import ModelRef, load_model
from medloom.encode.runtimes import RUNTIMES, Runtime, Stored, is_installed, settle_precision
from medloom.encode.sample import sample_texts
from medloom.errors import ModelError
from medloom.folders import cache_folder
from medloom.identity import digest
from medloom.progress import bar

_SECONDS = 0.4
_SAMPLE = 48
_LEAST_TEXTS = 8

logger = logging.getLogger(__name__)


def load_compiled(ref: ModelRef, runtime: Runtime, precision: Arithmetic = "auto") -> CompiledEncoder:
    """A model computed by another runtime; converted on the first call, and kept below the user's cache.

    Args:
        ref: The model.
        runtime: What computes it.
        precision: Of the arithmetic; ``auto`` takes bf16 where the processor computes in it, else fp32.

    Raises:
        ModelError: The model cannot be converted, or the precision is not to be had.
        ImportError: The runtime, or what converts for it, is not installed.
    """
    computed = settle_precision(runtime, precision)
    stored: Stored = "int8" if computed == "int8" else "fp32"
    kind = f"{ref.hash[:32]}-{runtime}-{stored}"
    folder = cache_folder() / "converted" / f"{kind}-{digest(versions(runtime))[:12]}"
    with _held(folder):
        if is_converted(folder):
            try:
                return open_converted(folder, computed)
            except ModelError as error:
                logger.warning("a converted model in the cache is damaged and is made anew (%s)", error)
        with disk_errors(folder), bar(f"converting for {runtime}"):
            for old in folder.parent.glob(f"{kind}-*/"):
                shutil.rmtree(old, ignore_errors=True)
            partial = folder.with_name(folder.name + ".partial")
            partial.mkdir()
            try:
                convert(ref, runtime, stored, partial)
                publish_folder(partial, folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return open_converted(folder, computed)


def load_fastest(ref: ModelRef, precision: Arithmetic) -> TorchEncoder | CompiledEncoder:
    """Measure the backends that are installed on real text, and take the fastest.

    Args:
        ref: The model.
        precision: Of the arithmetic. int8 is never taken unasked: it changes the vectors.

    Returns:
        The encoder; its ``choice`` says what was measured.

    Raises:
        ModelError: int8 was asked for and nothing here computes it.
    """
    torch_only = _torch_only()
    found: list[TorchEncoder | CompiledEncoder] = []
    notes: list[str] = [torch_only] if torch_only else []
    for runtime in RUNTIMES if not torch_only else ():
        if not is_installed(runtime):
            notes.append(f"{runtime}: not installed")
            continue
        try:
            found.append(load_compiled(ref, runtime, precision))
        except (ModelError, ImportError) as error:
            notes.append(f"{runtime}: {error}")
    if precision != "int8":
        found.append(TorchEncoder(load_model(ref), ref.hash, resolve_precision(precision)))
    if not found:
        raise ModelError(f"nothing here computes {ref.name} in int8: {'; '.join(notes)}")
    rates = [_rate(one) if len(found) > 1 else 0.0 for one in found]
    best = max(range(len(found)), key=lambda i: rates[i])
    measured = [f"{one.backend} {one.precision} {rate:,.0f} texts/s" for one, rate in zip(found, rates, strict=True) if rate]
    chosen = found[best]
    chosen.choice = f"{chosen.backend} {chosen.precision}" + (
        f" ({'; '.join([*measured, *notes])})" if measured or notes else ""
    )
    logger.info("backend for %s: %s", ref.name, chosen.choice)
    return chosen


def load_export(folder: Path, precision: Arithmetic, backend: str) -> CompiledEncoder:
    """An export of ``medloom publish``.

    Raises:
        ModelError: It is of another backend, or damaged.
    """
    facts = read_facts(folder)
    if backend not in ("auto", facts.runtime):
        raise ModelError(f"{folder} is an export for {facts.runtime}: give that backend or auto, not {backend}")
    return open_converted(folder, precision)


def _torch_only() -> str:
    """Why nothing but torch comes into question here; empty if other backends do."""
    import torch

    return "torch: there is a GPU" if torch.cuda.is_available() else ""


def _rate(encoder: TorchEncoder | CompiledEncoder) -> float:
    """Texts per second on real text, after a warm-up: about half a second for each backend."""
    texts = sample_texts(_SAMPLE)
    encoder.encode(texts[:_LEAST_TEXTS])
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < _SECONDS:
        first = done % _SAMPLE
        done += len(encoder.encode(texts[first : first + _SAMPLE // 2]))
    return done / (time.perf_counter() - start)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Only one process converts for a folder; the others wait and find it done."""
    from filelock import FileLock

    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        yield
