"""Freed memory is kept: large temporary arrays do not come as new pages every time."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Eight blocks of 1 MiB are held and freed together, sixty times: 2048 pages a round, once or every time.
_ROUNDS, _PAGES = 60, 2048
_COUNT = f"""
import ctypes, resource
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({_ROUNDS}):
    held = [libc.malloc(1 << 20) for _ in range(8)]
    for address in held:
        ctypes.memset(address, 1, 1 << 20)
    for address in held:
        libc.free(address)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
_AS_A_LIBRARY = "from bench.memory import keep_freed_memory"
_MAIN = """
import sys
from bench.cli import main
sys.argv = ["affectbench", "--version"]
try:
    main()
except SystemExit:
    pass
"""


def faults(before: str) -> int:
    done = subprocess.run([sys.executable, "-c", before + _COUNT], capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


@pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's"
)
def test_every_command_keeps_what_it_freed_and_a_library_does_not() -> None:
    pages = _PAGES
    assert faults(_AS_A_LIBRARY) > _ROUNDS * pages / 2
    assert faults(f"{_AS_A_LIBRARY}\nkeep_freed_memory()\n") < 3 * pages
    assert faults(_MAIN) < 3 * pages
