"""The page: what was simulated, how to read it, the misses by name, and every table.

Refuses to interpret: it says what was measured, and which goals were missed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy

import bench
from benchmarks import calibration_draws as draws
from benchmarks import calibration_tables as tables
from benchmarks.calibration_alarms import Alarm, Found
from benchmarks.calibration_coverage import GOAL, Cell, Share
from benchmarks.calibration_gates import GAP, PRINTED, Gate
from benchmarks.calibration_joint import ICC, LEVEL, NEAR, REPLICATES, Joint, Ranked
from benchmarks.calibration_pairs import LOSS, Pairing
from benchmarks.calibration_tables import percent, row, rule

__all__ = ["Measured", "write"]

# Before anything is simulated: a run of the tool imports more.
_USED = sorted(name for name in sys.modules if name.startswith("bench.judge."))
_SOURCES = [Path(str(sys.modules[name].__file__)) for name in _USED]


@dataclass(frozen=True)
class Measured:
    """All that was simulated, with ``seed``, ``scale`` and ``draws`` of each test."""

    seed: int
    scale: float
    draws: int
    cells: list[Cell]
    lone: list[Cell]
    pairings: list[Pairing]
    by_group: list[tuple[str, int, float, Share]]
    gates: list[Gate]
    gaps: list[Gate]
    found: list[Found]
    double: list[dict[str, Any]]
    alarms: list[Alarm]
    joint: Joint

    @property
    def judged(self) -> list[Cell | Alarm | Pairing | Ranked | Gate]:
        """What has a goal and is printed by the tool."""
        gates = [gate for gate in self.gates if gate.rule in PRINTED]
        return [*self.cells, *self.lone, *self.pairings, *self.alarms, *self.joint.ranked, *gates]


def write(found: Measured) -> str:
    """The page as Markdown."""
    parts = (_head, _misses, _intervals, _alarms, _planted, _pairs, _gates)
    return "\n\n".join([*(part(found) for part in parts), _joint(found.joint)]) + "\n"


def _head(found: Measured) -> str:
    versions = f"affectbench {bench.__version__}, numpy {np.__version__}, scipy {scipy.__version__}"
    mix = ", ".join(f"{share:g}" for share in draws.MIX)
    return f"""# Calibration

Whether the intervals and tests of affectbench keep what they promise, on simulated clustered data whose
truth is known. Written by `python -m benchmarks.calibration --scale {found.scale:g} --seed {found.seed}` with
{versions}; what it uses of the sources of `bench/judge` had the digest {_digest()}. The nightly workflow
draws anew.

Goals: an interval holds the truth in {100 * GOAL[0]:.0f} to {100 * GOAL[1]:.0f} % of data sets, a test of no
difference alarms in at most 5 %, a model exactly at the margin of a gate passes in at most 5 %. A share
misses its goal where it lies beyond it by more than two Monte Carlo errors and is of 100 data sets at least.
Of hundreds of cells some do so by chance: one in forty where the truth lies on the goal itself. A test of no
difference and a range of ranks that miss are therefore drawn anew with four times the data sets, and these
alone count (`*`).

The data: clusters (persons) of {draws.ROWS} rows each, or of 5 to 40 (geometric, mean 14.7: unequal). Whether
a row is right is beta-binomial with the stated rate and intra-class correlation (ICC). Labels: four classes
with shares {mix} that differ in difficulty; most wrong answers are the first class, a tenth no
answer. Valence: normal, truth and error with the stated ICC, error variance gamma over clusters, bias
{draws.BIAS:g}; its rate is the CCC. Sizes of clusters do not depend on skill."""


def _digest() -> str:
    """The digest of the sources of the judge that simulations use: not of the audit, say."""
    content = b"".join(path.read_bytes() for path in _SOURCES)
    return hashlib.sha256(content).hexdigest()[:12]


def _misses(found: Measured) -> str:
    missed = tables.misses(found.judged)
    text = [f"## Misses without a warning: {len(missed)}", ""]
    text += [
        "Work to do: here the tool prints a reportable number and does not say that it is off. Shares are of",
        "the data sets in which values are reportable; where these are few, that choice is part of the miss.",
        "Of false alarms, the data sets count beside whose tests no caution is printed.",
        "",
    ]
    return "\n".join(text + ([f"- {name}: {share}" for name, share in missed.items()] or ["- none"]))


def _intervals(found: Measured) -> str:
    sizes = {cell.metric: cell.none.of or cell.held.of for cell in found.cells}
    text = [
        f"""## Intervals of one value

Coverage in percent of 95 % intervals. Columns: rate, ICC. **Bold**: too low among values that the tool
calls reportable. `!`: too low, and the values the tool calls `insufficient` (fewer than 20 clusters, 50
effective rows, 10 rows of a class, 10 right or wrong) make it so. `+`: above {100 * GOAL[1]:.0f}, wider than
need be. Below five clusters there is no interval. In brackets: data sets in which the tool refused an
interval and said why; they are in neither count."""
    ]
    for name, kinds in _kinds(found.cells).items():
        cells = [cell for cell in found.cells if cell.metric == name]
        title = "Wilson on rows: what not to print" if name == "naive" else f"`{name}`: {kinds}"
        error = 100 * Share(0, sizes[name]).error(0.95)
        trusted = [c.trusted.value for c in cells if c.trusted.of >= sizes[name] / 2]
        about = f"{sizes[name]:,} data sets a cell, Monte Carlo error {error:.2f}"
        if trusted:
            low, high = 100 * min(trusted), 100 * max(trusted)
            about += f"; of reportable values {low:.1f} to {high:.1f}, median {100 * np.median(trusted):.1f}"
        text += ["", f"### {title}", "", f"{about}.", "", tables.coverage_table(cells)]
    text += ["", "### Rows without persons, each its own cluster", "", _lone(found.lone)]
    return "\n".join(text)


def _kinds(cells: Sequence[Cell]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for cell in cells:
        found.setdefault(cell.metric, set()).update(cell.methods)
    return {name: ", ".join(sorted(kinds)) for name, kinds in found.items()}


def _lone(cells: Sequence[Cell]) -> str:
    lines = [row("metric", "rate", "rows", "coverage", "of reportable ones", "none"), rule(6)]
    for cell in cells:
        shares = (percent(cell.held), percent(cell.trusted), percent(cell.none))
        lines.append(row(f"`{cell.metric}`", f"{cell.design.rate:g}", str(cell.design.clusters), *shares))
    return "\n".join(lines)


def _alarms(found: Measured) -> str:
    text = [
        f"""## False alarms

Percent of data sets in which a test finds a difference at 5 % and there is none; {found.draws} draws a test.
First over all groups; then in brackets over those alone that the default rule calls reportable, which is what
a report compares; then over those of these data sets whose tests stand without a caution: - where all have
one, as RMSE of different persons has, values that expect fewer than ten errors, values that differ twofold in
clusters and in rows a cluster, and values some of whose like are not reportable for other reasons than few
clusters. But for the last, cautions rest on counts, for a standard error that came out too small both alarms
and looks like the others; what is reportable goes by effective rows, an estimate, so that the last chooses
among data sets as that rule does. `compared` says how many of the
groups are reportable on average. `!`: too often; over all groups takes a suite that lowers the thresholds.
**Bold**: too often where no caution stands, in 100 data sets at least. Monte Carlo error: 0.7 for two groups
(1,000 data sets at scale 1), 1.0 for more (500), half of that where drawn anew.

*gap*: the p of max - min. *all pairs*, *group - rest*: some simultaneous 95 % interval leaves out 0, so 100
minus their joint coverage. Groups have 24 clusters of about 15 rows and ICC .1 but for what differs: 20 to 61
clusters, 5 to 40 rows, ICC .02 to .3, opposite class mixes; with all of these the smallest group has the
largest clusters and ICC. Small: 8 clusters a group, or 7 to 61."""
    ]
    for kind, about in (
        ("between", "Attributes of persons: clusters dealt anew"),
        (
            "within",
            "Attributes that vary within a person: signs of clusters (30 persons; 144 for thirty groups)",
        ),
    ):
        text += [
            "",
            f"### {about}",
            "",
            tables.alarm_table([a for a in found.alarms if a.trial.kind == kind]),
        ]
    return "\n".join(text)


def _planted(found: Measured) -> str:
    loss = found.found[0].loss
    lines = [row("metric", "planted loss", "cool - warm", "95 % interval", "p of the gap"), rule(5)]
    for one in found.double:
        interval = f"{one['low']:+.3f} to {one['high']:+.3f}"
        lines.append(
            row(
                f"`{one['metric']}`",
                f"{one['loss']:g}",
                f"{one['estimate']:+.4f}",
                interval,
                f"{one['p']:.4f}",
            )
        )
    return f"""## Planted gaps

A loss of {loss:g} from a rate of .8 in the first group, {found.found[0].held.of} data sets a row. Bias of
the contrast group - rest with two Monte Carlo errors; how often the intervals of all pairs hold together
(95), the gap test finds it, and group - rest names the group.

{tables.found_table(found.found)}

The double `planted_bias` through `affectbench run`: 48 drawn persons with seven rows each, half of them cool.
It is exact to one row (1/168 = 0.006), so the interval must hold the loss.

{chr(10).join(lines)}"""


def _pairs(found: Measured) -> str:
    sets = found.pairings[0].none.of
    text = [
        f"""## Paired differences

Two sets of answers to the same targets, the new ones worse by {LOSS:g}. Coverage in percent of the interval
of new - old over the same grid and with the same marks, below 20 clusters taken to be insufficient; {sets}
data sets a cell, Monte Carlo error {100 * Share(0, sets).error(0.95):.1f}."""
    ]
    for metric in dict.fromkeys(one.metric for one in found.pairings):
        some = [one for one in found.pairings if one.metric == metric]
        text += ["", f"### `{metric}`", "", tables.pair_table(some)]
    lines = [row("groups", "what differs", "rate", "false alarms"), rule(4)]
    for design, groups, rate, share in found.by_group:
        lines.append(row(str(groups), design, f"{rate:g}", percent(share)))
    title = "### Differences of paired differences between groups (robustness x fairness)"
    about = (
        f"All groups lose {LOSS:g}; some pair of groups seems to lose differently, in percent of data sets."
    )
    return "\n".join([*text, "", title, "", about, "", *lines])


def _gates(found: Measured) -> str:
    return f"""## Gates at the margin

Percent of data sets in which a model that is exactly as bad as the margin forbids passes: the median, and the
largest with its rate, ICC and sizes; at most 5 is the goal. **Bold**: the largest lies above. Non-inferiority
is what `compare --margin` and `gate` say; gaps and bounds are decided by the rules of `gate`, which are
computed here by formulas of their own. Below 20 clusters nothing passes, for values are then insufficient; it
is shown what would.

### Non-inferiority: {LOSS:g} worse than the baseline on the same targets

{tables.gate_table(found.gates)}

### Gap at most {GAP:g}, by the clusters of the smallest group

{tables.gate_table(found.gaps)}

### Bounds: intervals wholly better than the truth

A gate of a bound takes the 95 % interval that is printed, so that the number beside the verdict decides it.

{tables.bound_table(found.cells)}"""


def _joint(found: Joint) -> str:
    error = 100 * Share(0, found.sets).error(LEVEL)
    return f"""## Ranks of models

Percent of data sets in which the ranges hold the true ranks of all models at once; {100 * LEVEL:g} or more is
the goal. {found.sets} data sets a cell, Monte Carlo error {error:.1f}. Models answer
about the same clusters of 5 to 40 rows, with the skill that all share in half of the clusters and one of
their own in the others (ICC {ICC:g}). Near ties: worse than the best by {", ".join(map(str, NEAR))}. *By
draws*: ranged by shared draws, the others by contrasts; *width*: how much of all ranks a range leaves
possible, in percent. Data sets in which no two models can be compared have no range and do not count.
**Bold**: too rarely. `!`: too rarely, and the tool calls so few clusters insufficient. {REPLICATES:,}
replicates, where the tool takes 2,000.

{tables.rank_table(found.ranked)}

### Percentile intervals

Coverage in percent of bootstrap percentile intervals, which the tool prints nowhere. **Bold**: below
{100 * GOAL[0]:.0f} by more than two Monte Carlo errors.

{tables.percentile_table(found.percentiles)}"""
