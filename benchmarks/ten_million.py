"""Ten million rows, tables to estimates, and the peak memory that the operating system saw.

Accuracy, UAR and macro-F1 with intervals over all rows and two slices (8 groups of persons, 5 lights of
rows), gaps and contrasts included. A first process writes targets and predictions as Parquet; a second reads
them and judges, and its peak is what is printed; the goal is 2 GiB. Beside the tables (text, 70 to
80 bytes a row) and what reading them leaves, most of it is codes of rows, 8 bytes each, while targets are cut
into strata and slices and rows are read; atoms and resampling add little.

    python benchmarks/ten_million.py
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KINDS = {"person": "5,000 persons", "clip": "every row its own cluster"}
LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
GOAL = 2048


def main() -> None:
    """Measure and print a Markdown table; the words write and judge are what its own processes do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--draws", type=int, default=999, help="random draws a test takes")
    parser.add_argument("--step", nargs=3, metavar=("STEP", "KIND", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        step, kind, place = asked.step
        write(kind, Path(place), asked.rows) if step == "write" else judge(Path(place), asked.draws)
        return
    print(f"| {asked.rows:,} rows | tables | peak once read | peak | seconds to judge | peak / 2 GiB |")
    print("|---|---|---|---|---|---|")
    for kind, name in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            words = [f"--rows={asked.rows}", f"--draws={asked.draws}"]
            apart([*words, "--step", "write", kind, folder])
            printed, peak = apart([*words, "--step", "judge", kind, folder])
        held, read, seconds = printed.split()
        print(f"| {name} | {held} MiB | {read} MiB | {peak} MiB | {seconds} | {peak / GOAL:.2f} |")


def apart(words: list[str]) -> tuple[str, int]:
    """What a process of its own prints, and its peak resident memory in MiB."""
    process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"a step ended with status {status}")
    return printed, usage.ru_maxrss // 1024


def write(kind: str, place: Path, rows: int) -> None:
    """Write the two tables, in the order and types in which a run folder holds them."""
    import numpy as np
    import pyarrow as pa

    from bench.spec import Facts
    from bench.tables import Targets, write_table

    rng = np.random.default_rng(1)
    subject, truth = rng.integers(0, 5000, rows), rng.integers(0, len(LABELS), rows)
    right = rng.random(rows) < rng.uniform(0.4, 0.9, 5000)[subject]
    decision = np.where(right, truth, rng.integers(0, len(LABELS) + 1, rows))

    def texts(codes: np.ndarray, words: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes), words).cast(pa.string())

    target = pa.array(np.char.mod("%08d", np.arange(rows)))
    columns = {
        "target": target,
        "label": texts(truth, list(LABELS)),
        "group": texts(subject % 8, [f"group {i}" for i in range(8)]),
        "light": texts(rng.integers(0, 5, rows), [f"light {i}" for i in range(5)]),
    }
    if kind == "person":
        columns["subject"] = texts(subject, [f"s{i:04d}" for i in range(5000)])
    facts = Facts(name="made", labels=LABELS, label_space="made-7", cluster_unit=kind)
    Targets(pa.table(columns), facts).write(place / "targets.parquet")
    predicted = pa.DictionaryArray.from_arrays(
        pa.array(decision, mask=decision == len(LABELS)), list(LABELS)
    ).cast(pa.string())
    status = texts(np.where(decision == len(LABELS), 1, 0), ["ok", "abstained"])
    predictions = {"target": target, "status": status, "predicted": predicted}
    write_table(pa.table(predictions), place / "predictions.parquet")


def judge(place: Path, draws: int) -> None:
    """Read and judge; print the MiB of the tables, the peak after reading, and the seconds of judging."""
    from bench.judge.score import Cell
    from bench.judge.score import judge as judge_cells
    from bench.spec import Suite
    from bench.tables import Targets, read_table
    from bench.tables.targets import carried_facts

    table = read_table(place / "targets.parquet")
    targets = Targets(table, carried_facts(table, place / "targets.parquet"))
    predictions = read_table(place / "predictions.parquet")
    held = (table.nbytes + predictions.nbytes) >> 20
    read = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    suite = Suite(
        suite="made", data=({"adapter": "manifest"},), metrics=("accuracy", "uar", "macro_f1"),
        slices=("group", "light"), draws=draws,
    )  # fmt: skip
    cell = Cell("m", "made", "clean", 0, None, targets, predictions)
    started = time.perf_counter()
    estimates = judge_cells([cell], suite)
    seconds = time.perf_counter() - started
    if estimates.num_rows < 3 * (1 + 8 + 5):
        raise SystemExit("estimates are missing")
    print(held, read, f"{seconds:.1f}")


if __name__ == "__main__":
    main()
