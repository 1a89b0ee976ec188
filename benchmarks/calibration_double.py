"""The double ``planted_bias`` through the whole tool: drawn faces, run, judged, the planted loss read back.

It answers wrongly exactly as often as was asked, to one row, so the estimate must be the planted loss to one
row of a group, whatever the seed. Refuses a run that does not end well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench.synth.drawn import draw_set

__all__ = ["LOSSES", "double"]

LOSSES = (0.0, 0.1, 0.2)
_SUITE = """\
suite: planted
data:
  - adapter: manifest
    name: drawn
    targets: targets.csv
    labels: ekman-7
    attributes_public: true
slices: [tint, shape]
metrics: [accuracy, uar]
"""


def double(subjects: int = 48) -> Iterator[dict[str, Any]]:
    """The contrast cool - warm of accuracy and UAR, and the p of their gap, for every planted loss."""
    with tempfile.TemporaryDirectory() as folder:
        place, out = Path(folder) / "drawn", Path(folder) / "run"
        place.mkdir()
        draw_set(place, subjects, frames=1)
        suite = Path(folder) / "planted.yaml"
        suite.write_text(_SUITE, encoding="utf-8")
        names = [f"planted_bias@tint=cool,loss={loss:g},accuracy=0.8" for loss in LOSSES]
        models = [word for name in names for word in ("--model", name)]
        words = ["run", *models, "--suite", suite, "--data", f"drawn={place}", "--out", out]
        code = "from bench.cli import main; main()"
        command = [sys.executable, "-c", code, *map(str, words), "--tracking-uri", "off", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
        if done.returncode:
            raise SystemExit(done.stderr)
        rows = pq.read_table(out / "estimates.parquet").to_pylist()
    for name, loss in zip(names, LOSSES, strict=True):
        for metric in ("accuracy", "uar"):
            yield _found(rows, name, loss, metric)


def _found(rows: list[dict[str, Any]], model: str, loss: float, metric: str) -> dict[str, Any]:
    mine = [
        row for row in rows if row["model"] == model and row["metric"] == metric and row["slice"] == "tint"
    ]
    (contrast,) = (row for row in mine if row["kind"] == "contrast")
    (gap,) = (row for row in mine if row["kind"] == "gap")
    sign = 1 if contrast["value"] == "cool" else -1
    low, high = sorted((sign * contrast["low"], sign * contrast["high"]))
    return {
        "metric": metric, "loss": loss, "estimate": sign * contrast["estimate"], "low": low, "high": high,
        "p": gap["p"],
    }  # fmt: skip
