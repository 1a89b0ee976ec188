"""Start-up: how long ``affectbench --help`` takes as a process, against an empty Python process.

python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 9
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "affectbench --help": ["-c", "from bench.cli import main; main()", "--help"],
    "affectbench run --help": ["-c", "from bench.cli import main; main()", "run", "--help"],
    "affectbench zoo list": ["-c", "from bench.cli import main; main()", "zoo", "list"],
}


def main() -> None:
    """Measure in turn and print a Markdown table."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, words in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            taken[name].append(time.perf_counter() - started)
    print("| process | median seconds | fastest |")
    print("|---|---|---|")
    for name, times in taken.items():
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} |")


if __name__ == "__main__":
    main()
