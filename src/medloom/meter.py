"""Wall time and peak memory of a piece of work."""

import ctypes
import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass
class Measured:
    """What was measured; complete once the work has ended.

    Attributes:
        seconds: Wall time.
        peak_rss_mb: Highest resident memory of this process, MiB. Where the system cannot reset its mark (anything but
            Linux), the peak since the process began.
    """

    seconds: float = 0.0
    peak_rss_mb: float = 0.0


@contextmanager
def measured() -> Iterator[Measured]:
    """Measure the work inside."""
    result = Measured()
    _release()
    _reset_peak()
    started = time.monotonic()
    try:
        yield result
    finally:
        result.seconds = time.monotonic() - started
        result.peak_rss_mb = _peak_mb()


def _release() -> None:
    """Give back what earlier work has freed, so that it is not counted again (malloc_trim(3), where there is glibc)."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return


def _reset_peak() -> None:
    """Set Linux's high-water mark back to the present use (proc(5), clear_refs, value 5)."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def _peak_mb() -> float:
    try:
        line = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024


def machine() -> str:
    """The machine in a line, without its name."""
    import os
    import platform

    import psutil

    model = next(
        (
            line.partition(":")[2].strip()
            for path in [Path("/proc/cpuinfo")]
            if path.is_file()
            for line in path.read_text("utf-8", "replace").splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    gigabytes = psutil.virtual_memory().total / 2**30
    return f"{platform.system()} {platform.machine()}, {model}, {os.cpu_count()} cores, {gigabytes:.0f} GiB memory"
