"""What a process does with memory that it freed: a setting of the allocator, never of a result."""

from __future__ import annotations

import ctypes
import platform
import sys

__all__ = ["keep_freed_memory"]

# glibc's mallopt(3), in bytes: what may lie free at the top of the heap; what is asked for at once (of the
# heaps of a thread, 64 MiB each, an empty one then stays); what is mapped on its own.
_MALLOPT = {-1: 1 << 28, -2: 1 << 26, -3: 1 << 25}


def keep_freed_memory() -> None:
    """Let glibc keep 256 MiB of freed memory, and the heaps of threads, for this process; nothing without it.

    By default every large array goes back to the system and the next one comes as pages that it must clear:
    of judging 340 000 rows that is two fifths (benchmarks/RESULTS.md).
    """
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        for option, size in _MALLOPT.items():
            ctypes.CDLL(None).mallopt(option, size)
