"""The rows of one cell as arrays of codes and numbers, in target order.

This is the only place where judge reads text. It refuses predictions that are not in target order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.spec import AuScale
from bench.tables import Targets
from bench.tables.action_units import action_units
from bench.tables.targets import AFFECT

if TYPE_CHECKING:
    from bench.judge.sequences import Sequences

__all__ = [
    "DECIDED", "DECODE_ERROR", "EMPTY", "MISSED", "MODEL_ERROR", "OUTCOMES", "UNDECIDED", "Bools", "Floats",
    "Ints", "Rows", "as_codes", "has_labels", "numbers", "positions", "read_rows",
]  # fmt: skip

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

# What became of a row. UNDECIDED has an output but no decision (tied maxima); EMPTY is ok without any output,
# as a hard label left empty; MISSED is no_face or abstained.
DECIDED, UNDECIDED, EMPTY, MISSED, MODEL_ERROR, DECODE_ERROR = range(6)
OUTCOMES = 6


@dataclass(frozen=True)
class Rows:
    """What kernels see of N targets and their predictions.

    ``truth`` (N,) label codes, -1 where the row has no label; ``decision`` (N,) label codes, ``labels``
    (the *none* column) where there is no decision or one outside the label space; ``outcome`` (N,) codes
    above; ``affect`` maps valence, arousal, dominance to (truth, prediction), each (N,), NaN where absent;
    ``outside`` counts decisions outside the label space; ``unsayable`` are the labels of rows that
    predictions made of probabilities have none for. ``probabilities`` holds the columns of the labels in
    their order, None for a label without one, then those outside the label space; () where there are none.
    ``votes`` is the column of the targets; ``action_units`` maps each unit that the targets have to the
    columns of truth and prediction, None where the model lacks it, on ``au_scale``. All of these stay Arrow
    columns until a kernel asks for their numbers. ``sequences`` say which frames follow one another, None
    where nobody asks. ``lost`` (N,) is the stage of the front-end that lost the target: 1 no face, 2 another
    face, 3 a lost track, 4 alignment, 0 none; None where the predictions do not say.
    """

    labels: int
    truth: Ints
    decision: Ints
    outcome: Ints
    affect: dict[str, tuple[Floats, Floats]]
    outside: int = 0
    unsayable: tuple[str, ...] = ()
    probabilities: tuple[pa.ChunkedArray | None, ...] = ()
    votes: pa.ChunkedArray | None = None
    sequences: Sequences | None = None
    action_units: dict[str, tuple[pa.ChunkedArray, pa.ChunkedArray | None]] = field(default_factory=dict)
    au_scale: AuScale = "occurrence"
    lost: Ints | None = None

    @property
    def judged(self) -> Bools:
        """The rows that are not the data's fault: all but decode errors."""
        return np.not_equal(self.outcome, DECODE_ERROR)

    @property
    def graded(self) -> Bools:
        """The rows with probabilities: validated predictions have all of them in every ok row."""
        return np.less_equal(self.outcome, UNDECIDED) & bool(self.probabilities)

    @property
    def correct(self) -> Bools:
        """The rows whose decision is their label; a tie decides nothing."""
        return np.equal(self.decision, self.truth)

    def probability(self, code: int) -> Floats:
        """The probability of one label, (N,), within [0, 1]; 0 for a label without a column."""
        column = self.probabilities[code]
        return np.zeros(len(self.truth)) if column is None else np.clip(numbers(column), 0.0, 1.0)

    @property
    def confidence(self) -> Floats:
        """The largest probability, whatever label has it, (N,)."""
        top = np.zeros(len(self.truth))
        for code in range(len(self.probabilities)):
            np.maximum(top, self.probability(code), out=top)
        return top

    def unit(self, name: str) -> tuple[Floats, Floats]:
        """Truth and prediction of one action unit, (N,) each, NaN where it was not coded or has no output."""
        truth, said = self.action_units[name]
        if said is None:
            return numbers(truth), np.full(len(self.truth), np.nan)
        return numbers(truth), np.where(self.outcome <= EMPTY, numbers(said), np.nan)

    @cached_property
    def highest_unit(self) -> float:
        """The largest prediction of any action unit that the targets have; NaN without one."""
        top = np.nan
        for name in self.action_units:
            top = np.fmax(top, np.fmax.reduce(self.unit(name)[1], initial=np.nan))
        return float(top)

    @property
    def voted(self) -> Bools:
        """The rows with votes, read without a number per label."""
        found = np.zeros(len(self.truth), np.bool_)
        if self.votes is not None:
            column = self.votes.combine_chunks()
            votes = column.flatten().to_numpy().reshape(-1, self.labels)
            found[pc.is_valid(column).to_numpy(zero_copy_only=False)] = votes.any(axis=1)
        return found

    @property
    def ballots(self) -> Floats:
        """The votes for each label, (N, labels), of targets that have some; 0 where a row has none."""
        assert self.votes is not None, "a metric of votes is refused where there are none"
        found = np.zeros((len(self.truth), self.labels))
        cast = pc.is_valid(self.votes).to_numpy()
        found[cast] = self.votes.combine_chunks().flatten().to_numpy().reshape(-1, self.labels)
        return found


def read_rows(targets: Targets, predictions: pa.Table) -> Rows:
    """Turn the two tables into arrays; ValueError where predictions are not one row per target in order."""
    table = targets.table
    if not predictions["target"].equals(table["target"]):
        raise ValueError("predictions are one row per target, in the order of the targets")
    ok = positions(predictions["status"], ("ok",)) == 0
    labels = targets.space.labels
    truth = positions(table["label"], labels) if "label" in table.column_names else np.full(len(ok), -1)
    decided = ok & pc.is_valid(predictions["predicted"]).to_numpy(zero_copy_only=False)
    decision = np.where(decided, positions(predictions["predicted"], labels), -1)
    affect = {
        name: (numbers(table[name]), np.where(ok, numbers(predictions[name]), np.nan))
        for name in AFFECT
        if name in table.column_names and name in predictions.column_names
    }
    return Rows(
        labels=len(labels),
        truth=truth,
        decision=np.where(decision < 0, len(labels), decision),
        outcome=_outcomes(predictions, ok, decided),
        affect=affect,
        outside=int((decided & (decision < 0)).sum()),
        unsayable=_unsayable(labels, truth, predictions.column_names),
        probabilities=_probabilities(labels, predictions),
        votes=table["votes"] if "votes" in table.column_names else None,
        action_units=_units(table, predictions),
        au_scale=targets.facts.au_scale or "occurrence",
        lost=_lost(predictions),
    )


def _lost(predictions: pa.Table) -> Ints | None:
    if "stage" not in predictions.column_names:
        return None
    found = positions(predictions["stage"], ("not_detected", "wrong_face", "lost_track", "alignment")) + 1
    # Whoever names no stage may still have found no face.
    return np.where(positions(predictions["status"], ("no_face",)) == 0, 1, found)


def _units(
    table: pa.Table, predictions: pa.Table
) -> dict[str, tuple[pa.ChunkedArray, pa.ChunkedArray | None]]:
    said = predictions.column_names
    return {
        name: (table[name], predictions[name] if name in said else None)
        for name in action_units(table.column_names)
        if table[name].null_count < len(table)
    }


def _probabilities(labels: tuple[str, ...], predictions: pa.Table) -> tuple[pa.ChunkedArray | None, ...]:
    columns = {name: predictions[name] for name in predictions.column_names if name.startswith("p_")}
    inside = [columns.pop(f"p_{label}", None) for label in labels]
    return (*inside, *columns.values()) if columns or any(c is not None for c in inside) else ()


def _unsayable(labels: tuple[str, ...], truth: Ints, columns: list[str]) -> tuple[str, ...]:
    if not any(name.startswith("p_") for name in columns):
        return ()
    true = [labels[code] for code in np.unique(truth[truth >= 0])]
    return tuple(label for label in true if f"p_{label}" not in columns)


def has_labels(predictions: pa.Table) -> bool:
    """Whether the model gives labels: it has probabilities, a decision, or no other output at all.

    A table of hard labels in which every row is undecided still counts (as wrong throughout).
    """
    names = predictions.column_names
    others = any(name in AFFECT or name.startswith("au_") for name in names)
    decides = predictions["predicted"].null_count < predictions.num_rows
    return decides or not others or any(name.startswith("p_") for name in names)


def positions(column: pa.ChunkedArray, words: tuple[str, ...]) -> Ints:
    """The position of every value among the words, -1 for null and for any other value; (N,) int64."""
    found = pc.index_in(column, value_set=pa.array(words, pa.string()), skip_nulls=True)
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def as_codes(column: pa.ChunkedArray) -> Ints:
    """Each distinct value as a number, in order of first appearance, -1 for null; (N,) int64."""
    found = pc.index_in(column, value_set=pc.unique(pc.drop_null(column)))
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def numbers(column: pa.ChunkedArray) -> Floats:
    """A column as (N,) float64, NaN for null."""
    return column.cast(pa.float64()).to_numpy()  # type: ignore[no-any-return]


def _outcomes(predictions: pa.Table, ok: Bools, decided: Bools) -> Ints:
    codes = np.full(len(ok), MISSED)
    codes[positions(predictions["status"], ("model_error",)) == 0] = MODEL_ERROR
    codes[positions(predictions["status"], ("decode_error",)) == 0] = DECODE_ERROR
    output = decided.copy()
    for name in predictions.column_names:
        if name in AFFECT or name.startswith(("p_", "au_")):
            output |= np.isfinite(numbers(predictions[name]))
    settled = decided if has_labels(predictions) else output
    codes[ok] = np.where(settled, DECIDED, np.where(output, UNDECIDED, EMPTY))[ok]
    return codes
