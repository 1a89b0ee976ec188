"""The tables of the page, in Markdown, with their marks, and a list of every miss.

A share misses its goal where it lies beyond it by more than two Monte Carlo errors. A miss is warned of where
the tool calls such values insufficient or prints a caution beside the test; the misses without a warning are
listed by name. Refuses to hide a cell: every one of the grid is in a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from bench.spec import SliceRule
from benchmarks.calibration_alarms import ALPHA, Alarm, Found
from benchmarks.calibration_coverage import CLUSTERS, GOAL, ICCS, RATES, SIZES, Cell, Share
from benchmarks.calibration_gates import Gate
from benchmarks.calibration_joint import LEVEL, Percentile, Ranked
from benchmarks.calibration_pairs import Pairing

__all__ = [
    "alarm_table", "bound_table", "coverage_table", "found_table", "gate_table", "misses", "pair_table",
    "percent", "percentile_table", "rank_table", "row", "rule", "verdict",
]  # fmt: skip


def percent(share: Share) -> str:
    """A share in percent to one decimal, or a dash of none."""
    return f"{100 * share.value:.1f}" if share.of else "-"


def verdict(cell: Cell) -> str:
    """``miss``, ``warned``, ``wide`` or nothing."""
    if cell.trusted.below(GOAL[0]):
        return "miss"
    if cell.held.below(GOAL[0]):
        return "warned"
    return "wide" if cell.held.above(GOAL[1]) else ""


def coverage_table(cells: Sequence[Cell]) -> str:
    """Coverage of one metric over the grid, in percent; clusters by rate and ICC."""
    found = {(c.design.clusters, c.design.sizes, c.design.rate, c.design.icc): c for c in cells}
    columns = list(product(RATES, ICCS))
    lines = [row("clusters, sizes", *(f"{rate:g}, {icc:g}" for rate, icc in columns)), rule(len(columns) + 1)]
    for clusters, sizes in product(CLUSTERS, SIZES):
        marked = [_marked(found[clusters, sizes, rate, icc]) for rate, icc in columns]
        lines.append(row(f"{clusters}, {sizes}", *marked))
    return "\n".join(lines)


def _marked(cell: Cell) -> str:
    text = percent(cell.held)
    if cell.metric == "naive":
        return text
    text = {"miss": f"**{text}**", "warned": f"{text} !", "wide": f"{text} +", "": text}[verdict(cell)]
    return f"{text} ({percent(cell.none)} none)" if cell.none.value > 0.01 else text


def bound_table(cells: Iterable[Cell]) -> str:
    """The share of intervals wholly better than the truth: median and worst cell by number of clusters."""
    cells = [cell for cell in cells if cell.metric != "naive"]
    names = list(dict.fromkeys(cell.metric for cell in cells))
    lines = [row("clusters", *(f"`{name}`" for name in names)), rule(len(names) + 1)]
    for clusters in CLUSTERS:
        worst = []
        for name in names:
            some = [c.passed for c in cells if c.metric == name and c.design.clusters == clusters]
            middle = float(np.median([share.value for share in some]))
            most = max(some, key=lambda share: share.value)
            text = f"**{percent(most)}**" if most.above(ALPHA) else percent(most)
            worst.append(f"{100 * middle:.1f} to {text}")
        lines.append(row(str(clusters), *worst))
    return "\n".join(lines)


def alarm_table(found: Sequence[Alarm]) -> str:
    """False alarms in percent: over all groups; in brackets over reportable ones, and unwarned of these."""
    tests = list(dict.fromkeys(alarm.test for alarm in found))
    lines = [row("groups", "what differs", "metric, rate", *tests, "compared"), rule(4 + len(tests))]
    trials: dict[tuple[str, ...], dict[str, Alarm]] = {}
    for one in found:
        trial = one.trial
        named: tuple[str, ...] = (
            str(trial.layout.groups),
            trial.design + " *" * trial.anew,
            f"`{trial.metric}`, {trial.rate:g}",
        )
        trials.setdefault(named, {})[one.test] = one
    for named, by_test in trials.items():
        texts = [_alarmed(by_test[test]) if test in by_test else "" for test in tests]
        lines.append(row(*named, *texts, f"{next(iter(by_test.values())).compared:.1f}"))
    return "\n".join(lines)


def _alarmed(alarm: Alarm) -> str:
    every, ruled = (
        percent(share) + (" !" if share.above(ALPHA) else "") for share in (alarm.every, alarm.ruled)
    )
    unwarned = percent(alarm.unwarned)
    return f"{every} ({ruled}, {f'**{unwarned}**' if alarm.unwarned.above(ALPHA) else unwarned})"


def found_table(found: Sequence[Found]) -> str:
    """What was found of planted losses."""
    titles = ("groups", "what differs", "loss", "bias of group - rest", "all pairs hold", "gap test", "named")
    lines = [row(*titles), rule(len(titles))]
    for one in found:
        bias = f"{one.bias:+.4f} ± {2 * one.error:.4f}"
        shares = (percent(one.held), percent(one.power), percent(one.named))
        lines.append(row(str(one.trial.layout.groups), one.trial.design, f"{one.loss:g}", bias, *shares))
    return "\n".join(lines)


def pair_table(found: Sequence[Pairing]) -> str:
    """Coverage of paired differences over the grid, in percent."""
    nothing = Share(0, 0)
    cells = [
        Cell(one.design, one.metric, one.held, one.held if trusted(one) else nothing, one.none, nothing)
        for one in found
    ]
    return coverage_table(cells)


def trusted(one: Pairing) -> bool:
    """Whether the tool would call a paired difference of so many clusters reportable."""
    return one.design.clusters >= SliceRule().clusters


def gate_table(found: Sequence[Gate]) -> str:
    """Pass rates at the margin in percent: the median and the largest over rate, ICC and sizes."""
    rules = list(dict.fromkeys(gate.rule for gate in found))
    lines = [row("clusters", *rules), rule(len(rules) + 1)]
    for clusters in dict.fromkeys(gate.design.clusters for gate in found):
        texts = []
        for name in rules:
            some = [g for g in found if g.rule == name and g.design.clusters == clusters]
            values = [gate.passed.value for gate in some]
            worst = max(some, key=lambda gate: gate.passed.value)
            where = f"{worst.design.rate:g}, {worst.design.icc:g}, {worst.design.sizes}"
            most = f"**{percent(worst.passed)}**" if worst.passed.above(ALPHA) else percent(worst.passed)
            texts.append(f"{100 * float(np.median(values)):.1f} to {most} ({where})")
        lines.append(row(str(clusters), *texts))
    return "\n".join(lines)


def rank_table(found: Sequence[Ranked]) -> str:
    """How often the ranges of all ranks held, in percent."""
    titles = ("metric, rate", "clusters", "models", "truth", "all ranks held", "by draws", "width")
    lines = [row(*titles), rule(len(titles))]
    for one in found:
        kept, cell = percent(one.kept), one.rivals
        if one.kept.below(LEVEL):
            kept = f"**{kept}**" if one.missed() else f"{kept} !"
        named = (f"`{cell.metric}`, {cell.rate:g}", str(cell.clusters), str(len(cell.losses)), cell.truth)
        lines.append(row(*named, kept + " *" * one.anew, percent(one.drawn), f"{100 * one.width:.0f}"))
    return "\n".join(lines)


def percentile_table(found: Sequence[Percentile]) -> str:
    """Coverage of percentile intervals in percent."""
    lines = [row("metric", "clusters", "sizes", "rate, ICC", "held"), rule(5)]
    for one in found:
        d = one.design
        held = f"**{percent(one.held)}**" if one.held.below(GOAL[0]) else percent(one.held)
        lines.append(row(f"`{one.metric}`", str(d.clusters), d.sizes, f"{d.rate:g}, {d.icc:g}", held))
    return "\n".join(lines)


def misses(found: Iterable[Cell | Alarm | Pairing | Ranked | Gate], errors: float = 2) -> dict[str, str]:
    """Every miss without a warning by more than so many Monte Carlo errors: its name, and the share."""
    missed = {}
    for one in found:
        if isinstance(one, Alarm):
            t = one.trial
            where = f"{t.layout.groups} groups {t.kind} clusters, {t.design}, `{t.metric}` {t.rate:g}"
            if one.unwarned.above(ALPHA, errors):
                missed[f"false alarms of {one.test}, {where}"] = (
                    f"{percent(one.unwarned)} % of {one.unwarned.of:,} data sets"
                )
            continue
        if isinstance(one, Ranked):
            if one.missed(errors):
                missed[f"ranks of {one.rivals.name}"] = f"{percent(one.kept)} % of {one.kept.of:,} data sets"
            continue
        if isinstance(one, Gate):
            missed |= _passed(one, errors)
            continue
        d, pair = one.design, isinstance(one, Pairing)
        where = f"{d.clusters} clusters, {d.sizes}, rate {d.rate:g}, ICC {d.icc:g}"
        share = one.trusted if isinstance(one, Cell) else one.held
        if share.below(GOAL[0], errors) and (isinstance(one, Cell) or trusted(one)):
            what = "a paired difference of " if pair else ""
            missed[f"coverage of {what}`{one.metric}`, {where}"] = (
                f"{percent(share)} % of {share.of:,} reportable ones"
            )
    return missed


def _passed(one: Gate, errors: float) -> dict[str, str]:
    """A gate of values that the tool calls reportable, if it passes at its margin too often."""
    d = one.design
    if d.clusters < SliceRule().clusters or not one.passed.above(ALPHA, errors):
        return {}
    where = f"{d.clusters} clusters, {d.sizes}, rate {d.rate:g}, ICC {d.icc:g}"
    return {f"passes at the margin of `{one.rule}`, {where}": f"{percent(one.passed)} %"}


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def rule(columns: int) -> str:
    """The line below the head of a Markdown table."""
    return "|" + "---|" * columns
