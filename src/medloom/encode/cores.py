"""How many cores there are to compute on."""

import os
from pathlib import Path

THREADS = "OMP_NUM_THREADS"
"""The variable by which a process is told how many threads it may compute with: by a cluster, or by whoever starts it."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Cores that this process may use: those it is bound to, within a container's quota, each physical core once.

    No more than ``OMP_NUM_THREADS`` says, where it is set.
    """
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = min(cores, psutil.cpu_count(logical=False) or cores)
    try:
        quota, period = _QUOTA.read_text("ascii").split()
        allowed = cores if quota == "max" else round(int(quota) / int(period))
    except (OSError, ValueError):
        allowed = cores
    told = os.environ.get(THREADS, "")
    return max(1, min(cores, allowed, int(told) if told.isdigit() else cores))
