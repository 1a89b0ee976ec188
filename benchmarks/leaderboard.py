"""How long a leaderboard of 20 models under 200 conditions takes; the goal is 20 seconds.

    python benchmarks/leaderboard.py [--models 20] [--conditions 200]

Predictions under clean media are drawn with a fixed seed and judged as any; estimates under conditions are
written as a run writes them: 11 metrics over all rows, and accuracy by two attributes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.digest import digest_json
from bench.folder import RunFolder, write_json
from bench.leaderboard.assemble import assemble
from bench.leaderboard.site import write_site
from bench.question import Question
from bench.spec import Facts, Suite
from bench.tables import read_table, validate_targets, write_estimates, write_table
from bench.tables.estimates import estimates_table
from bench.workflow import finish, score

LABELS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
ROWS, PEOPLE, RUNS = 2_000, 100, 4


def targets(rng: np.random.Generator) -> pa.Table:
    """Rows of a hundred people, each of one sex and age."""
    person = np.arange(ROWS) % PEOPLE
    return pa.table(
        {
            "target": [f"t{row}" for row in range(ROWS)],
            "subject": [f"s{p}" for p in person],
            "label": [LABELS[k] for k in rng.integers(0, 7, ROWS)],
            "sex": ["fm"[p % 2] for p in person],
            "age": ["young" if p % 3 else "old" for p in person],
        }
    )


def plant(folder: Path, models: int, conditions: int) -> list[Path]:
    """Runs of equally many models: clean media judged, conditions added as copies that lost something."""
    rng = np.random.default_rng(0)
    table = targets(rng)
    facts = Facts(name="planted", labels=LABELS, label_space="ekman-7", attributes_public=True)
    held = validate_targets(table, facts, "planted")
    suite = Suite(
        suite="planted", slices=("sex", "age"), metrics=("accuracy", "uar", "macro_f1", "recall", "coverage")
    )
    found, each = [], models // RUNS
    for run in range(RUNS):
        files = {}
        for model in range(each):
            right = rng.random(ROWS) < 0.5 + 0.02 * (run * each + model)
            other = [LABELS[k] for k in rng.integers(0, 7, ROWS)]
            said = [a if r else b for a, b, r in zip(table["label"].to_pylist(), other, right, strict=True)]
            path = folder / f"model-{run}-{model}.parquet"
            write_table(pa.table({"target": table["target"], "predicted": said}), path)
            files[path.stem] = path
        question = Question(suite, {"planted": held}, lambda kind, name: f"{kind} {name}")
        made = score(question, files, {}, folder / f"run-{run}")
        finish(made)
        worsen(made, conditions)
        found.append(made.path)
    return found


def worsen(run: RunFolder, conditions: int) -> None:
    """Add the rows and cells of conditions: 40 perturbations of five severities each, or fewer."""
    rows = read_table(run.estimates).to_pylist()
    values = [row for row in rows if row["kind"] == "value"]
    plan = run.plan
    harms = [(f"harm_{number // 5:02d}", number % 5 + 1) for number in range(conditions - 1)]
    cells = [cell for cell in plan["cells"] if cell[2] == "clean"]
    for name, severity in harms:
        moved = {"condition": name, "severity": severity, "where": "crop"}
        for row in values:
            if row["slice"] is not None and row["metric"] != "accuracy":
                continue
            known = {
                key: row[key] * (1 - 0.1 * severity)
                for key in ("estimate", "low", "high")
                if row[key] is not None
            }
            rows.append({**row, **moved, **known})
            if row["slice"] is None and row["estimate"] is not None:
                lost = row["estimate"] * 0.1 * severity
                rows.append({**row, **moved, "kind": "degradation", "reference": "clean", "estimate": lost,
                             "low": lost - 0.01, "high": lost + 0.01, "p_adjusted": 0.001})  # fmt: skip
        for model, data, _ in cells:
            facts = {**(run.cell(model, data, "clean").facts or {}), **moved}
            facts |= {"key": digest_json([model, name, severity]), "predictions_sha256": None}
            write_json(run.cell(model, data, f"{name}-{severity}-crop").path / "cell.json", facts)
            plan["cells"].append([model, data, f"{name}-{severity}-crop"])
    write_json(run.path / "run.json", plan)
    write_estimates(estimates_table(rows), run.estimates)
    run.seal()


def main() -> None:
    """Plant, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--conditions", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = plant(folder, asked.models, asked.conditions)
        began = time.perf_counter()
        found = assemble(runs)
        read = time.perf_counter()
        write_site(found, folder / "site")
        ended = time.perf_counter()
        size = sum(path.stat().st_size for path in (folder / "site").rglob("*") if path.is_file())
    print("| what | value |")
    print("|---|---|")
    print(f"| models x conditions | {asked.models} x {asked.conditions} |")
    print(f"| assemble | {read - began:.1f} s |")
    print(f"| write the site | {ended - read:.1f} s |")
    print(f"| both | {ended - began:.1f} s |")
    print(f"| size of the site | {size / 2**20:.0f} MiB |")


if __name__ == "__main__":
    main()
