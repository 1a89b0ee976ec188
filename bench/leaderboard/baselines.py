"""Baselines: what answering without looking, and one of the people who labelled, would have.

Computed from the targets alone, exactly, in closed form: nothing is drawn, and there is no interval. They
are over the rows that have a label, and a baseline answers every one of them.

- chance: each label equally often. Expected accuracy and UAR are 1 / K of K labels; the expectation of a
  ratio such as F1 has no such form, and none is given.
- majority: always the most frequent label (the first of equally frequent ones). UAR is 1 / C of C classes.
- one rater, where votes are whole counts: the expected score of a rater drawn from those of each row. Where
  labels are the majority of the same votes, the rater is held against the majority of the others
  (leave-one-out), and a vote whose others have no single majority is left out; elsewhere against the label.

Refuses votes given as shares: nobody can be taken out of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from bench.judge.rows import Floats, Ints
from bench.report import format as fmt
from bench.tables import Targets

__all__ = ["Baseline", "baselines"]

_CHANCE, _MAJORITY, _RATER = "baseline: chance", "baseline: majority", "baseline: one rater"


@dataclass(frozen=True)
class Baseline:
    """A baseline: its name, the value of each metric that it has a closed form for, and on how many rows."""

    name: str
    about: str
    values: dict[str, float]
    rows: int


def baselines(targets: Targets) -> tuple[Baseline, ...]:
    """The baselines of a data set with labels, none of one without."""
    names = targets.facts.labels
    if not names or "label" not in targets.table.column_names:
        return ()
    code = {name: k for k, name in enumerate(names)}
    truth = np.array([code.get(label, -1) for label in targets.table["label"].to_pylist()], np.int64)
    count = np.bincount(truth[truth >= 0], minlength=len(names))
    if not count.sum():
        return ()
    rater = _rater(targets, truth)
    return (_chance(count), _majority(count, names), *([rater] if rater is not None else []))


def _chance(count: Ints) -> Baseline:
    share = 1 / len(count)
    about = f"Each of the {len(count)} labels equally often, whatever is shown; the expected value."
    return Baseline(_CHANCE, about, {"accuracy": share, "uar": share, "coverage": 1.0}, int(count.sum()))


def _majority(count: Ints, names: tuple[str, ...]) -> Baseline:
    rows, classes = int(count.sum()), int((count > 0).sum())
    most = float(count.max()) / rows
    f1 = 2 * most / (1 + most)
    values = {"accuracy": most, "uar": 1 / classes, "macro_f1": f1 / classes, "coverage": 1.0}
    about = f"Always {names[int(count.argmax())]}, the most frequent label."
    return Baseline(_MAJORITY, about, values, rows)


def _rater(targets: Targets, truth: Ints) -> Baseline | None:
    """One rater, None where there are no votes in whole numbers, or no row with a vote to hold."""
    votes = _votes(targets)
    if votes is None or (votes != np.floor(votes)).any():
        return None
    kept = (truth >= 0) & (votes.sum(axis=1) > 0)
    votes, truth = votes[kept], truth[kept]
    if not len(truth):
        return None
    of_votes = bool((_winner(votes) == truth).all())
    hits, held = (_against_others if of_votes else _against_label)(votes, truth)
    if not held.sum() > 0:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = hits.sum(axis=0) / held.sum(axis=0)
    values = {
        "accuracy": float(hits.sum() / held.sum()),
        "uar": float(np.nanmean(recall)),
        "coverage": 1.0,
    }
    rows = fmt.counted(len(truth), "row", "")
    if not of_votes:
        about = (
            f"A rater drawn from those of each of {rows}, held against the row's label; the expected value."
        )
        return Baseline(_RATER, about, values, len(truth))
    about = (
        f"A rater drawn from those of each of {rows}, held against the single most frequent vote "
        f"of the others (leave-one-out); {1 - held.sum() / len(truth):.1%} of draws have none such and are "
        "left out; the expected value."
    )
    return Baseline(_RATER, about, values, len(truth))


def _against_others(votes: Floats, _: Ints) -> tuple[Floats, Floats]:
    """Of each row and class of the others' majority: how likely a drawn rater agrees, and is held, (N, K)."""
    share = votes / votes.sum(axis=1, keepdims=True)
    hits, held = np.zeros((2, *votes.shape))
    for k in range(votes.shape[1]):
        voted = np.flatnonzero(votes[:, k] > 0)
        others = votes[voted].copy()
        others[:, k] -= 1
        winner = _winner(others)
        decided = winner >= 0
        rows, classes = voted[decided], winner[decided]
        held[rows, classes] += share[rows, k]
        hits[rows, classes] += np.where(classes == k, share[rows, k], 0.0)
    return hits, held


def _against_label(votes: Floats, truth: Ints) -> tuple[Floats, Floats]:
    """Of each row and label: how likely a drawn rater votes for it, and 1, (N, K)."""
    hits, held = np.zeros((2, *votes.shape))
    rows = np.arange(len(truth))
    hits[rows, truth] = votes[rows, truth] / votes.sum(axis=1)
    held[rows, truth] = 1.0
    return hits, held


def _winner(votes: Floats) -> Ints:
    """The label with more votes than any other, -1 where there is none, (N,)."""
    most = votes.max(axis=1, initial=0.0)
    alone = ((votes == most[:, None]).sum(axis=1) == 1) & (most > 0)
    return np.where(alone, votes.argmax(axis=1), -1)


def _votes(targets: Targets) -> Floats | None:
    """The votes, (N, K), rows without any as 0; None where the targets have none."""
    if "votes" not in targets.table.column_names:
        return None
    column = targets.table["votes"].combine_chunks()
    found = np.zeros((len(column), len(targets.facts.labels)))
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
    if valid.any():
        found[valid] = column.flatten().to_numpy().reshape(-1, found.shape[1])
    return found
