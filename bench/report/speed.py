"""How fast models are, for a report, the terminal and JSON: what a run measured, with its hardware."""

from __future__ import annotations

from typing import Any

from bench.latency import LATENCIES, STAGES, Measured, Quantity, Stage, quantile, rate
from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.results import Results
from bench.report.table import Group, Line, Table

__all__ = ["speed_json", "speed_lines", "speed_table"]

_COLUMNS = (
    "Model", "Median, ms", "95th percentile, ms", "Decoding, ms", "Front-end, ms", "Model, ms", "Calls",
    "Targets a second",
)  # fmt: skip


def speed_table(results: Results) -> Table:
    """Latency from medium to answer and by stage, and throughput, a group per data set and machine."""
    groups: dict[str, list[Line]] = {}
    for one in results.latency:
        own = one.hardware
        threads, cores = fmt.counted(own.threads, "thread"), fmt.counted(own.cores, "core")
        of = f"{one.dataset}, {own.device}, {threads} on {cores}, {one.precision}"
        groups.setdefault(of, []).append(_line(one, results.suite.level))
    lines = tuple(Group(tuple(found), title) for title, found in groups.items())
    return Table("Speed: one target at a time, and many at once", _COLUMNS, lines, _notes(results))


def speed_lines(results: Results) -> list[str]:
    """What was measured of each model and data set, in one line."""
    level = results.suite.level
    lines = []
    for one in results.latency:
        median, tail = (_number(_total(one, name, level)) for name in LATENCIES)
        pace = f"{_number(rate(one.throughput, level))} targets/s ({one.hardware.device})"
        lines.append(f"{one.model} on {one.dataset}: {median} ms a target, 95th percentile {tail} ms; {pace}")
    return lines


def speed_json(results: Results) -> list[dict[str, Any]]:
    """What was measured, by model, data set, stage and quantile; an end that an interval lacks is null."""
    level = results.suite.level
    return [
        {
            "model": one.model, "dataset": one.dataset, "precision": one.precision, "batch": one.batch,
            "hardware": one.hardware.model_dump(mode="json"), "targets": one.targets, "rounds": one.rounds,
            "failed": one.failed,
            "latency_ms": {stage or "total": _by_name(one, stage, level) for stage in (None, *STAGES)},
            "targets_per_second": _record(rate(one.throughput, level)),
        }
        for one in results.latency
    ]  # fmt: skip


def _by_name(one: Measured, stage: Stage | None, level: float) -> dict[str, dict[str, float | int | None]]:
    return {name: _record(quantile(one.times(stage), share, level)) for name, share in LATENCIES.items()}


def _line(one: Measured, level: float) -> Line:
    stages = (quantile(one.times(stage), LATENCIES["latency_p50"], level) for stage in STAGES)
    found = [_total(one, name, level) for name in LATENCIES]
    entries = [Entry(_number(quantity)) for quantity in (*found, *stages)]
    calls = Entry(fmt.count(len(one.calls.failed)))
    return Line(one.model, (*entries, calls, Entry(_number(rate(one.throughput, level)))))


def _total(one: Measured, name: str, level: float) -> Quantity:
    return quantile(one.times(), LATENCIES[name], level)


def _number(found: Quantity) -> str:
    """A quantity with its interval, a dash for an end that it lacks and for what was not gone through."""
    if not found.n:
        return fmt.DASH
    ends = (fmt.DASH if end != end else fmt.measured(end) for end in (found.low, found.high))
    return f"{fmt.measured(found.estimate)} [{', '.join(ends)}]"


def _record(found: Quantity) -> dict[str, float | int | None]:
    names = ("estimate", "low", "high", "n", "n_eff", "level")
    return {name: None if (value := getattr(found, name)) != value else value for name in names}


def _notes(results: Results) -> tuple[str, ...]:
    if not results.latency:
        return ()
    one = results.latency[0]
    return (
        f"{fmt.counted(one.rounds, 'round')} of one target at a time, each after "
        f"{fmt.counted(one.warm_up, 'call')} outside the count; of stages the medians. Intervals "
        f"({fmt.percent(results.suite.level)}) are order statistics, of "
        "fewer calls where rounds differ by more than chance or targets came again; a dash is an end that so "
        "few do not give. Media are read from where the system has them, which after a run is memory.",
    )
