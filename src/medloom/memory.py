"""Settings of the allocator and of oneDNN that keep memory flat in long work on a CPU.

Texts come in many lengths, so tensors come in many shapes. oneDNN keeps a compiled kernel for each shape (1,024 of them by
default: more than a gigabyte), and glibc raises the size above which it hands freed memory back. Both are held down here.
Results do not change.
"""

import ctypes
import os

_KERNELS = "64"
_M_MMAP_THRESHOLD = -3
_LARGE = 1 << 20


def spare_memory() -> None:
    """Hold both down for this process; does nothing where there is no glibc, and leaves what the user has set."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS)
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
    except (AttributeError, OSError, TypeError):
        return
