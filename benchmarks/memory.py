"""Peak memory of a run over ten times the targets, as a ratio: memory follows the batch, not the data.

Each run is a process of its own over drawn clips of the same kind; the operating system says its peak. A
third run decodes one video ten times as long.

    python benchmarks/memory.py
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.synth.drawn import draw_set


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--subjects", type=int, default=24)
    asked = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for factor, frames in ((1, 8), (10, 8), (1, 80)):
            place = Path(folder) / f"{factor}-{frames}"
            draw_set(place, asked.subjects * factor, frames)
            peaks[factor, frames] = peak(place)
    base = peaks[1, 8]
    print("| run of oracle over the suite demo, 7 conditions | peak memory | ratio |")
    print("|---|---|---|")
    print(f"| {asked.subjects * 7} targets | {base / 1024:.0f} MiB | 1 |")
    print(f"| {asked.subjects * 70} targets | {peaks[10, 8] / 1024:.0f} MiB | {peaks[10, 8] / base:.2f} |")
    print(f"| videos ten times as long | {peaks[1, 80] / 1024:.0f} MiB | {peaks[1, 80] / base:.2f} |")


def peak(place: Path) -> int:
    """The peak resident memory in KiB of one run."""
    words = [
        "run",
        "--model",
        "oracle",
        "--suite",
        "demo",
        "--data",
        f"drawn={place}",
        "--out",
        str(place / "run"),
    ]
    code = "from bench.cli import main; main()"
    command = [sys.executable, "-c", code, *words, "--tracking-uri", "off", "--quiet"]
    process = subprocess.Popen(command, env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the run ended with status {status}")
    assert isinstance(usage, resource.struct_rusage)
    return usage.ru_maxrss


if __name__ == "__main__":
    main()
