"""Run every benchmark and write what it printed, with machine and date, to benchmarks/RESULTS.md.

python -m benchmarks [NAME ...]
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("startup", "throughput", "memory", "mlflow_logging", "bootstrap", "ten_million", "report")
STILLS = "ferplus/data/FER2013Test"
REAL = (("intel_samples",), (STILLS, "--aligned"), (STILLS, "--aligned", "--threads", "1"))
"""Real media under AFFECTBENCH_SHARED/data, and how to read them."""


def main() -> None:
    """Run the named benchmarks, or all, and write the page."""
    today = datetime.datetime.now(datetime.UTC).date()
    about = "Ratios are of one run on one machine; seconds are not portable."
    parts = [f"# Measured\n\n{machine()}. {today}. {about}\n"]
    for name in sys.argv[1:] or NAMES:
        script = FOLDER / f"{name}.py"
        print(f"running {script.name}", flush=True)
        paragraphs = script.read_text(encoding="utf-8").split('"""')[1].strip().split("\n\n")
        purpose = "\n\n".join(part for part in paragraphs if "python benchmarks" not in part)
        tables = [table(script, *words) for words in ([], *real_media(name))]
        parts.append("\n".join([f"## {name}\n", f"{purpose}\n", *tables]))
    (FOLDER / "RESULTS.md").write_text("\n".join(parts), encoding="utf-8")


def table(script: Path, *words: str) -> str:
    """What a script prints."""
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def real_media(name: str) -> list[list[str]]:
    """The words that make the throughput benchmark read real media, where there are any."""
    data = Path(os.environ.get("AFFECTBENCH_SHARED", "nowhere")) / "data"
    there = [["--media", str(data / place), *words] for place, *words in REAL if (data / place).is_dir()]
    return there if name == "throughput" else []


def machine() -> str:
    """Processor, cores and versions, as one sentence without the machine's name."""
    import torch

    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Python {platform.python_version()}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
