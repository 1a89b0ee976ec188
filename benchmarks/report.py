"""Report: rendering a run of 20 models under 200 conditions, and the audit report of one of them.

Estimates as the judge lays them out, with made-up numbers: 40 perturbations at five severities beside clean
media, five slice values in two attributes, the metrics of labels; gaps and differences of every condition,
as a run has them. One process, one core.

python benchmarks/report.py [MODELS CONDITIONS]
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.audit_report.case import Asked
from bench.audit_report.write import write_audit
from bench.digest import digest_json
from bench.folder import RunFolder, write_json
from bench.report.render import render
from bench.report.results import read_results
from bench.sides import Side
from bench.spec import Condition, DataSource, Facts, Suite
from bench.tables import write_estimates
from bench.tables.estimates import estimates_table

LABELS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
SLICES = {"sex": ("female", "male"), "age": ("<30", "[30, 50)", ">=50")}
METRICS = ("accuracy", "uar", "macro_f1", "coverage")
SEVERITIES = 5
FACTS = Facts(
    name="many",
    labels=LABELS,
    label_space="ekman-7",
    attributes=dict.fromkeys(SLICES, "given"),
    licence="none",
)

Row = dict[str, Any]


def main() -> None:
    """Write the run, render it and print a Markdown table."""
    models, conditions = (int(word) for word in sys.argv[1:] or (20, 200))
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        rows = write(run, models, conditions)
        seconds = {}
        steps = {"read": read_results, "render, with reading": render, "audit report of one model": audit}
        for name, call in steps.items():
            started = time.perf_counter()
            call(run)
            seconds[name] = time.perf_counter() - started
        size = (run / "report.html").stat().st_size
        text = (run / "report.html").read_text(encoding="utf-8")
    print("| what | value |")
    print("|---|---|")
    print(f"| models x conditions | {models} x {conditions} |")
    print(f"| rows of estimates | {rows:,} |")
    for name, taken in seconds.items():
        print(f"| {name} | {taken:.1f} s |")
    print(f"| figures | {text.count('<figure>')} |")
    print(f"| size | {size / 2**20:.1f} MiB |")


def audit(path: Path) -> None:
    """Seal a run and write the audit report of its first model, without a context."""
    RunFolder(path).seal()
    write_audit(Asked(Side("--model", RunFolder(path), "model-00")))


def write(path: Path, models: int, conditions: int) -> int:
    """Write a finished run of made-up numbers; returns how many rows of estimates it has."""
    names = [f"model-{number:02}" for number in range(models)]
    perturbed = [f"perturbation_{number:02}" for number in range(conditions // SEVERITIES)]
    suite = Suite(
        suite="many", data=(DataSource(adapter="manifest"),), slices=tuple(SLICES), metrics=METRICS,
        conditions=tuple(Condition(perturb=name) for name in perturbed),
    ).model_dump(mode="json")  # fmt: skip
    places = [("clean", 0, None)]
    places += [(name, severity, "frame") for name in perturbed for severity in range(1, SEVERITIES + 1)]
    run = RunFolder(path)
    labels = {place: "-".join(map(str, place[:2])) if place[1] else "clean" for place in places}
    run.claim({
        "affectbench": "0.1.0", "kind": "run", "suite": suite, "suite_digest": digest_json(suite),
        "models": [_model(name) for name in names], "device": "cpu", "precision": "fp32",
        "cells": [[name, FACTS.name, labels[place]] for name in names for place in places],
        "datasets": [{"name": FACTS.name, "digest": digest_json("many"), "rows": 7000,
                      "facts": FACTS.model_dump(mode="json")}],
    })  # fmt: skip
    random = np.random.default_rng(0)
    rows: list[Row] = []
    for name, place in itertools.product(names, places):
        rows += _cell_rows(name, place, random)
        folder = run.cell(name, FACTS.name, labels[place])
        write_json(folder.path / "cell.json", {
            "key": digest_json([name, *map(str, place)]), "model": name, "dataset": FACTS.name,
            "condition": place[0], "severity": place[1], "where": place[2],
            "statuses": {"ok": 6900, "no_face": 100}, "environment": {"python": "3.11"},
            "decoding": {"cells": 1, "targets": 7000, "seconds": 1.0, "recalled": 0},
        })  # fmt: skip
    for name, condition in itertools.product(names, perturbed):
        rows += _family_rows(name, condition, random)
    write_estimates(estimates_table(rows), run.estimates)
    return len(rows)


def _model(name: str) -> Row:
    return {
        "name": name, "entry": name, "checkpoint": None, "weights_sha256": [digest_json(name)],
        "double": False, "code_sha256": {"model.py": digest_json(["code", name])},
    }  # fmt: skip


def _base(model: str, place: tuple[str, int | None, str | None], **fields: Any) -> Row:
    return {
        "model": model, "dataset": FACTS.name, "condition": place[0], "severity": place[1], "where": place[2],
        "level": 0.95, "side": "two-sided", "clusters": 90, "cluster_unit": "person", "status": "reportable",
        "role": "exploratory", **fields,
    }  # fmt: skip


def _cell_rows(model: str, place: tuple[str, int, str | None], random: np.random.Generator) -> Iterator[Row]:
    """Values, gaps and contrasts of one cell and, where it is perturbed, what it lost."""
    metrics = (*METRICS, *(f"recall/{label}" for label in LABELS))
    parts = [(None, None), *((name, value) for name, values in SLICES.items() for value in values)]
    for (slice_, value), metric in itertools.product(parts, metrics):
        known = _interval(0.7 - 0.05 * place[1] + 0.05 * float(random.normal()))
        counts = {"n": 3500, "clips": 3500, "n_eff": 900.0, "coverage": 0.98, "method": "jackknife-t"}
        part = {"slice": slice_, "value": value, "metric": metric}
        yield _base(model, place, kind="value", slices_left_out=0, **part, **known, **counts)
    for slice_, metric in itertools.product(SLICES, metrics):
        named, gap = (
            {"slice": slice_, "metric": metric, "family": "440 tests"},
            abs(float(random.normal())) / 20,
        )
        chance = {"p": 0.04, "p_adjusted": 0.2, "null_mean": 0.02, "null_p95": 0.05}
        yield _base(model, place, kind="gap", estimate=gap, slices_left_out=0, **named, **chance)
        yield _base(model, place, kind="spread", estimate=gap / 2, **named)
        for one, other in itertools.combinations((*SLICES[slice_], "rest"), 2):
            found = {**_interval(gap), "p_adjusted": 0.1, "sdd80": 0.06}
            yield _base(model, place, kind="contrast", value=one, reference=other, **named, **found)
    if place[1]:
        yield from _lost_rows(model, place, random)


def _lost_rows(
    model: str, place: tuple[str, int | None, str | None], random: np.random.Generator
) -> Iterator[Row]:
    parts = [(None, None), *((name, value) for name, values in SLICES.items() for value in values)]
    for (slice_, value), metric in itertools.product(parts, ("accuracy", "uar")):
        found = {**_interval(0.1 + 0.02 * float(random.normal())), "p_adjusted": 0.01, "sdd80": 0.03}
        part = {"slice": slice_, "value": value, "metric": metric}
        yield _base(model, place, kind="degradation", **part, **found)
    for slice_, values in SLICES.items():
        for (one, other), metric in itertools.product(itertools.combinations(values, 2), ("accuracy", "uar")):
            part = {"slice": slice_, "value": one, "reference": other, "metric": metric}
            yield _base(
                model,
                place,
                kind="degradation_contrast",
                p_adjusted=0.3,
                sdd80=0.05,
                **part,
                **_interval(0.01),
            )
    for slice_, value in parts:
        part = {"slice": slice_, "value": value, "metric": "stability"}
        yield _base(model, place, kind="stability", **part, **_interval(0.8))


def _family_rows(model: str, condition: str, random: np.random.Generator) -> Iterator[Row]:
    """What is of all severities of one perturbation together."""
    place = (condition, None, "frame")
    yield from _lost_rows(model, place, random)
    for metric in ("accuracy", "uar"):
        yield _base(model, place, kind="area", metric=metric, **_interval(0.6))


def _interval(value: float) -> Row:
    return {"estimate": value, "low": value - 0.03, "high": value + 0.03}


if __name__ == "__main__":
    main()
