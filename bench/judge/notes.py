"""Notes: what a reader must know beside a number, as short sentences for the ``warning`` column."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from bench.judge.action_units import LEVEL, of_units, present, unit_of
from bench.judge.metrics import FUNNEL, Metric
from bench.judge.rows import DECODE_ERROR, EMPTY, MODEL_ERROR, UNDECIDED, Rows
from bench.judge.slices import Slice
from bench.judge.stages import stages
from bench.judge.sums import Sums
from bench.judge.temporal import COUNTED
from bench.tables import Targets

__all__ = ["cell_notes", "dataset_notes", "notes", "place_notes"]

# STATISTICS, Misses: the share of faults up to which cells are compared as if there were none.
_FAULTS = 0.01
_WANTED = {"raters": "two votes", **dict.fromkeys(COUNTED, "successive frames")}
_ON_DECISIONS = ("confusion", "agreement", "calibration", "selective")


def dataset_notes(targets: Targets) -> list[str]:
    """What every number of a data set must say."""
    said = []
    if targets.facts.cluster_unit == "clip":
        said.append("independence of clips is assumed")
    if (
        "weight" in targets.table.column_names
        and pc.count_distinct(targets.table["weight"], mode="all").as_py() > 1
    ):
        said.append("row weights are not used")
    return said


def cell_notes(rows: Rows) -> list[str]:
    """What every number of a cell must say: decode errors above 1 %, and answers that no frames stand behind.

    Frames are looked at only where a metric follows them, and said to lack only where some rows have them.
    """
    said = []
    faults = 1 - float(rows.judged.mean()) if len(rows.judged) else 0.0
    if faults > _FAULTS:
        said.append(f"decode errors: {faults:.2%} of all rows left out, compare only where the same rows are")
    found = rows.sequences
    if found is not None and not found.of_rows and len(found.row):
        answered = rows.outcome <= UNDECIDED
        unseen = answered & (np.bincount(found.row, minlength=found.rows) == 0)
        if unseen.any():
            share = f"{unseen.sum()} of {answered.sum()} rows with an answer"
            said.append(f"{share} have no frames: temporal metrics leave them out")
    return said


def notes(metric: Metric, sums: Sums, one: Slice, labels: tuple[str, ...]) -> list[list[str]]:
    """What became of rows that are not plainly right or wrong, for every value of a slice."""
    fates, with_truth = sums.fates(one), sums.with_truth(metric.key, one)
    judged = fates[:, :DECODE_ERROR].sum(axis=-1)
    said: list[list[str]] = []
    unmoved = metric.of_labels and metric.misses != "left out"
    of_all = metric.name == "funnel_decoded"
    wanted = _WANTED.get(metric.key.kernel, metric.key.column or "label")
    if of_units(metric.key):
        wanted = metric.key.column  # over all units rows leave in parts: see _unit_notes
    for fate, rows, unlabelled in zip(fates, judged, judged - with_truth, strict=True):
        ties = fate[UNDECIDED] + fate[EMPTY] if metric.key.kernel in _ON_DECISIONS else 0
        said.append(
            [
                text
                for count, text in (
                    (
                        ties,
                        f"no decision (tie or empty): {ties / max(rows, 1):.2%} of rows, counted as wrong",
                    ),
                    (
                        0 if unmoved else fate[MODEL_ERROR],
                        f"{_rows(fate[MODEL_ERROR])} with a model error, counted as missing",
                    ),
                    (
                        0 if of_all else fate[DECODE_ERROR],
                        f"{_rows(fate[DECODE_ERROR])} with a decode error left out",
                    ),
                    (unlabelled if wanted else 0, f"{_rows(unlabelled)} without {wanted} left out"),
                )
                if count
            ]
        )
    if metric.key.kernel in COUNTED and not one.attributes:
        said[0].append(f"n counts {COUNTED[metric.key.kernel]}")
    if metric.key.kernel == "confusion":
        _label_notes(metric, sums, one, labels, said)
    if of_units(metric.key):
        _unit_notes(metric, sums, one, said)
    if metric.bound is not None:
        for bound, texts in zip(metric.bound(sums.total(metric.key, one)), said, strict=True):
            # Rounded up: a bound that is rounded down is none.
            texts.extend([f"binned: within {np.ceil(bound * 1e4) / 1e4:.4f} of exact"] if bound > 0 else [])
    return said


def place_notes(metric: Metric, sums: Sums, one: Slice, targets: Targets) -> list[list[str]]:
    """Of steps that go by a given box or points: how many rows of each value have none and so passed."""
    column = FUNNEL.get(metric.name, "label")
    if column in ("", "label") or column not in targets.table.column_names:
        return [[] for _ in one.values]
    value = one.of_stratum[sums.strata.of_row]
    took = stages(sums.rows).column % (len(FUNNEL) + 1) > list(FUNNEL).index(metric.name)
    lacking = pc.is_null(targets.table[column]).to_numpy() & (value >= 0) & took
    counts = np.bincount(value[lacking], minlength=len(one.values))
    return [[f"{_rows(count)} without {column}, counted as passed"] if count else [] for count in counts]


def _label_notes(
    metric: Metric, sums: Sums, one: Slice, labels: tuple[str, ...], said: list[list[str]]
) -> None:
    if metric.kind == "rate":
        for counts, texts in zip(sums.total(metric.key, one).sum(axis=-1), said, strict=True):
            absent = [label for label, count in zip(labels, counts, strict=True) if not count]
            texts.extend([f"classes without rows: {', '.join(absent)}"] if absent else [])
    if sums.rows.outside and not one.attributes:
        said[0].append(f"{_rows(sums.rows.outside)} predicted outside the label space, counted as wrong")
    if sums.rows.unsayable and not one.attributes:
        said[0].append(f"no probability for {', '.join(sums.rows.unsayable)}: can never be predicted")


def _unit_notes(metric: Metric, sums: Sums, one: Slice, said: list[list[str]]) -> None:
    """In how many rows action units were coded, which no row has, which the model lacks or never reaches."""
    units = unit_of(metric.key, sums.rows)
    if not metric.key.column:
        every = sums.fates(one)[:, :DECODE_ERROR].sum(axis=-1) * len(units)
        for coded, wanted, texts in zip(sums.with_truth(metric.key, one), every, said, strict=True):
            texts.extend([f"{wanted - coded} of {wanted} codes of units unknown"] if coded < wanted else [])
    known = metric.in_classes(sums.total(metric.key, one)).reshape(len(said), len(units), -1)
    for counts, texts in zip(known, said, strict=True):
        absent = [unit for unit, rows in zip(units, counts, strict=True) if not rows[-1]]
        texts.extend([f"units without rows that have them: {', '.join(absent)}"] if absent else [])
    lacking = [unit for unit in units if sums.rows.action_units[unit][1] is None]
    if lacking and not one.attributes:
        said[0].append(f"no output for {', '.join(lacking)}: missed in every row")
    if not one.attributes and _never_present(sums.rows):
        said[0].append(
            f"no score of any action unit reaches {LEVEL['intensity']:g} of 5, from which a unit counts as "
            "present: are the predictions on the occurrence scale?"
        )


def _never_present(rows: Rows) -> bool:
    """Whether no predicted intensity is of a unit that is present, though some rows have one."""
    below = rows.au_scale == "intensity" and rows.highest_unit < LEVEL[rows.au_scale]
    return below and any(present(rows, unit).any() for unit in rows.action_units)


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"
