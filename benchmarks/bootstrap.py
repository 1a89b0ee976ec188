"""2,000 cluster-bootstrap replicates of accuracy, UAR and macro-F1 over 50 slice values, against two peers.

A million rows of 5,000 subjects, 7 classes and misses; 10 groups of subjects x 5 lights of rows. All start
from the same arrays of codes, in one run, in turn. The least of the rounds counts; ratios are of processor
time (of all threads), which other work on the machine moves less than seconds on the wall. affectbench:
strata, atoms, tallies of the 50 values and of the whole, draws, values. fairlearn: what
``MetricFrame(n_boot=R)`` takes beyond the same frame without bootstrap, over R, with scikit-learn's metrics
and again with the fastest metric functions that it can be given (one bincount each). numpy: rows drawn with
replacement, one bincount, the formulas of affectbench. Both peers draw rows, not subjects, so their intervals
are too narrow here; their time for all replicates is extrapolated from R (``--peers``; numpy 10 R). The
values on the data itself must agree to 1e-12.

    python benchmarks/bootstrap.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from sklearn.metrics import accuracy_score, f1_score, recall_score

from bench.judge.atoms import gather, stratify
from bench.judge.bootstrap import Draws, replicate
from bench.judge.kernels import confusion
from bench.judge.metrics import METRICS
from bench.judge.rows import DECIDED, Rows

LABELS, GROUPS, LIGHTS, SUBJECTS = 7, 10, 5, 5000
SIZE = LABELS * (LABELS + 1)
Times = tuple[float, float]  # seconds on the wall and of the processor
OWN = "affectbench, clusters drawn"
NAMES = ("accuracy", "uar", "macro_f1")
ASKED = [METRICS[name] for name in NAMES]


@dataclass(frozen=True)
class Data:
    """Codes (N,) of the subject, the truth, the decision, the group of the subject, the light of the row."""

    subject: np.ndarray
    truth: np.ndarray
    decision: np.ndarray
    group: np.ndarray
    light: np.ndarray

    @property
    def value(self) -> np.ndarray:
        """The slice value of every row."""
        return self.group * LIGHTS + self.light


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--peers", type=int, default=2, help="how many replicates a peer really makes")
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    data = make_data(asked.rows)
    require_agreement(data)
    peers: dict[str, Callable[[], Times]] = {
        "fairlearn MetricFrame, scikit-learn's metrics": lambda: frames(data, sklearn_metrics(), asked.peers),
        "fairlearn MetricFrame, one bincount a metric": lambda: frames(data, fast_metrics(), asked.peers),
        "numpy, rows drawn, one bincount": lambda: draw_rows(data, 10 * asked.peers),
    }
    taken: dict[str, list[Times]] = {name: [] for name in (OWN, *peers)}
    for _ in range(asked.rounds):
        # Ours three times a round: it is short, so the rest of the machine disturbs it more.
        taken[OWN] += [bootstrap(data, asked.replicates) for _ in range(3)]
        for name, measure in peers.items():
            taken[name].append(measure())
    best = min(busy for _, busy in taken[OWN])
    head = f"{asked.replicates:,} replicates, {asked.rows:,} rows"
    print(f"| {head} | seconds for all | ms a replicate | processor ms a replicate | ratio |")
    print("|---|---|---|---|---|")
    for name, times in taken.items():
        each, busy = (min(column) for column in zip(*times, strict=True))
        whole = f"{each * asked.replicates:,.1f} | {1000 * each:,.2f}"
        print(f"| {name} | {whole} | {1000 * busy:,.2f} | {busy / best:,.0f} |")


def clock() -> np.ndarray:
    """Seconds on the wall, and of the processor in all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def make_data(rows: int) -> Data:
    """Rows of subjects who differ in how well they are read; a tenth of the wrong answers are misses."""
    rng = np.random.default_rng(1)
    subject, truth = rng.integers(0, SUBJECTS, rows), rng.integers(0, LABELS, rows)
    right = rng.random(rows) < rng.uniform(0.4, 0.9, SUBJECTS)[subject]
    decision = np.where(right, truth, rng.integers(0, LABELS + 1, rows))
    return Data(subject, truth, decision, subject % GROUPS, rng.integers(0, LIGHTS, rows))


def bootstrap(data: Data, replicates: int) -> Times:
    """What a replicate takes, everything included."""
    started = clock()
    strata = stratify(data.subject, [data.group, data.light])
    atoms = gather(confusion(rows_of(data)), strata)
    draws = Draws(np.ones(SUBJECTS, np.int64), np.arange(SUBJECTS), 1, replicates)
    for value, count in ((data.value[strata.first], GROUPS * LIGHTS), (np.zeros_like(strata.first), 1)):
        found = replicate(ASKED, atoms.tally(value, count), draws)
        if np.isnan(found).any():
            raise SystemExit("a replicate is undefined")
    wall, busy = (clock() - started) / replicates
    return float(wall), float(busy)


def frames(data: Data, metrics: dict[str, Callable[..., Any]], replicates: int) -> Times:
    """What fairlearn takes for a replicate beyond the frame itself."""

    def timed(**boot: Any) -> np.ndarray:
        started = clock()
        frame(data, metrics, **boot)
        return clock() - started

    plain = timed()
    wall, busy = (timed(n_boot=replicates, ci_quantiles=[0.5], random_state=1) - plain) / replicates
    return float(wall), float(busy)


def frame(data: Data, metrics: dict[str, Callable[..., Any]], **boot: Any) -> MetricFrame:
    """The fairlearn frame of the 50 values."""
    features = pd.DataFrame({"group": data.group, "light": data.light})
    return MetricFrame(
        metrics=metrics, y_true=data.truth, y_pred=data.decision, sensitive_features=features, **boot
    )


def draw_rows(data: Data, replicates: int) -> Times:
    """What a replicate of rows takes, by numpy."""
    rng = np.random.default_rng(2)
    started = clock()
    cell = (data.value * LABELS + data.truth) * (LABELS + 1) + data.decision
    for _ in range(replicates):
        picked = cell[rng.integers(0, len(cell), len(cell))]
        counts = np.bincount(picked, minlength=GROUPS * LIGHTS * SIZE).reshape(-1, LABELS, LABELS + 1)
        for metric in ASKED:
            metric.finish(counts), metric.finish(counts.sum(axis=0))
    wall, busy = (clock() - started) / replicates
    return float(wall), float(busy)


def sklearn_metrics() -> dict[str, Callable[..., Any]]:
    """The three metrics of scikit-learn; a miss is a decision that is none of the classes."""
    classes = {"labels": list(range(LABELS)), "average": "macro", "zero_division": 0}
    return {
        "accuracy": accuracy_score,
        "uar": lambda truth, decision: recall_score(truth, decision, **classes),
        "macro_f1": lambda truth, decision: f1_score(truth, decision, **classes),
    }


def fast_metrics() -> dict[str, Callable[..., Any]]:
    """The three metrics as one bincount each, without the checks of a library."""

    def fast(name: str) -> Callable[..., float]:
        def metric(truth: Any, decision: Any) -> float:
            cell = np.asarray(truth) * (LABELS + 1) + np.asarray(decision)
            counts = np.bincount(cell, minlength=SIZE).reshape(LABELS, LABELS + 1)
            return float(METRICS[name].finish(counts))

        return metric

    return {name: fast(name) for name in NAMES}


def rows_of(data: Data) -> Rows:
    """The rows as kernels see them."""
    outcome = np.full(len(data.truth), DECIDED)
    return Rows(LABELS, data.truth, data.decision, outcome, {})


def require_agreement(data: Data) -> None:
    """All measure the same: the values of fairlearn and of affectbench are equal."""
    strata = stratify(data.subject, [data.group, data.light])
    tally = gather(confusion(rows_of(data)), strata).tally(data.value[strata.first], GROUPS * LIGHTS)
    own = np.stack([metric.finish(tally.total) for metric in ASKED], axis=1)
    for metrics in (sklearn_metrics(), fast_metrics()):
        theirs = frame(data, metrics).by_group.sort_index().to_numpy(float)
        if not np.allclose(own, theirs, rtol=0, atol=1e-12):
            raise SystemExit("the values differ")


if __name__ == "__main__":
    main()
