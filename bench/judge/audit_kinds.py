"""The second opinion on every kind of row in the estimates, made of values of one cell or of several.

Each kind is written down a second time from what STATISTICS says of it. Of kinds that rest on draws nothing
is said, and of the rows of a cell that cannot be read neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bench.judge.audit_fairness import matched_gap, of_odds, within
from bench.judge.audit_ranks import rank
from bench.judge.audit_records import Records
from bench.judge.audit_spread import spread
from bench.judge.audit_uncertainty import Uncertainty
from bench.judge.audit_values import CellValues, Value, measured
from bench.judge.planned import PlannedCell
from bench.spec import Condition, Suite

__all__ = ["Recomputed"]

_LOWER_IS_BETTER = (
    "false_positive_rate", "rmse_", "mae_", "ece", "brier", "nll", "aurc", "cross_entropy",
    "soft_brier", "js", "flip_rate", "jitter", "onset_",
)  # fmt: skip
_FLIPS = "severity_flips"
_NOTHING = 1e-12  # what is left of rates that cancel, and no denominator
_UNREAD = "rows of cells that cannot be read"
_COUNTED = ("value", "degradation", "area", "stability", "rank")

Row = Mapping[str, Any]
Key = tuple[Any, ...]


class Recomputed:
    """A run by the plain path: what each row of its estimates should hold.

    ``read`` gives the values of a cell: of its row tables, unless they are to come from elsewhere.
    """

    def __init__(
        self, cells: Iterable[PlannedCell], suite: Suite, rows: Sequence[Row],
        read: Callable[[PlannedCell, Suite, Iterable[str]], CellValues] = CellValues,
    ) -> None:  # fmt: skip
        self.suite = suite
        asked: dict[Key, set[str]] = {}
        self._shown: dict[tuple[Any, ...], list[str]] = {}
        for row in rows:
            asked.setdefault(_key(row), set()).add(row["metric"])
            if row["kind"] == "value" and row["status"] == "reportable" and row["value"] is not None:
                part = self._shown.setdefault((_key(row), row["slice"], row["metric"]), [])
                part += [row["value"]] if measured(row["value"], row["slice"]) else []
        planned = list(cells)
        self._runs = {cell.name[:2] for cell in planned}
        self._media = {cell.name[1]: cell.facts.media_kind for cell in planned}
        self._cells = {c.key: read(c, suite, asked.get(c.key, ())) for c in planned if c.joins}
        self._kinds: dict[str, Callable[[Row], Value | None]] = {
            "value": self._value, "gap": self._gap, "contrast": self._contrast, "ratio": self._ratio,
            "degradation": self._degradation, "degradation_contrast": self._degradation_contrast,
            "area": self._area, "worst": self._worst, "stability": self._stability,
            "mce": self._corruption_error, "relative_mce": self._corruption_error, "rank": self._rank,
            "spread": self._spread,
        }  # fmt: skip
        self.uncertainty = Uncertainty(self._cells, suite, rows, self._shares)

    def audits(self, kind: str) -> bool:
        """Whether rows of the kind are looked at."""
        return kind in self._kinds

    def unaudited(self, row: Row) -> str | None:
        """Why a row cannot be audited, None where it can."""
        if not self.audits(row["kind"]):
            return f"kind {row['kind']}"
        if row["kind"] == "rank" and row["estimate"] is None:
            return "kind rank, not ranked"
        needed = [self._cells.get(key) for key in self._needed(row)]
        if not needed or None in needed:
            return _UNREAD
        metrics = of_odds(row["metric"]) or (row["metric"],)
        unknown = [m for m in metrics for cell in needed if cell and not cell.knows(m)]
        if row["kind"] != "stability" and unknown:
            return str(row["metric"])
        if not all(cell.reads(m) for m in metrics for cell in needed if cell):
            return _UNREAD
        if row["kind"] == "spread" and not self.uncertainty.affordable(row):
            return "kind spread, beyond the sample"
        return None

    def value(self, row: Row) -> Value | None:
        """What the row should hold; None where its cells cannot give the metric."""
        return self._kinds[row["kind"]](row)

    def fields(self, row: Row) -> tuple[str, ...]:
        """Which numbers of a row are compared: counts where it is of one set of rows."""
        if row["kind"] == "spread" and row["reference"] is None:
            return ("estimate", "clusters")
        return ("estimate", "n", "clusters") if row["kind"] in _COUNTED else ("estimate",)

    def release(self, key: Key) -> None:
        """Let go of the rows of a cell."""
        if key in self._cells:
            self._cells[key].release()
            self.uncertainty.release(key)

    def _needed(self, row: Row) -> list[Key]:
        """The cells that a row is made of."""
        key, kind = _key(row), row["kind"]
        if kind in ("value", "gap", "contrast", "ratio", "rank", "spread"):
            return [key]
        everywhere = row["condition"] == "all" or kind == "worst"
        asked = self.suite.conditions if everywhere else self._conditions(row)
        if row["metric"] == _FLIPS:
            return self._steps(row)
        models = [row["model"]]
        if kind.endswith("mce") and (row["reference"], row["dataset"]) in self._runs:
            models.append(row["reference"])
        keys = [k for model in models for c in asked for k in self._severities(row, model, c)]
        if row["severity"] is not None and kind != "worst":
            keys = [key]
        return [_clean(row, model) for model in models] + keys

    def _conditions(self, row: Row) -> list[Condition]:
        place, media = (row["condition"], row["where"]), self._media[row["dataset"]]
        return [c for c in self.suite.conditions if (c.perturb, c.acts_on(media)) == place]

    def _severities(self, row: Row, model: str, condition: Condition) -> list[Key]:
        where = condition.acts_on(self._media[row["dataset"]])
        return [(model, row["dataset"], condition.perturb, s, where) for s in condition.severities]

    def _value(self, row: Row) -> Value | None:
        return self._cells[_key(row)].value(row["slice"], row["value"], row["metric"])

    def _gap(self, row: Row) -> Value | None:
        """The largest less the smallest of the reportable values, as they are or with one mix of classes."""
        if parts := of_odds(row["metric"]):
            gaps = [self._gap({**row, "metric": part}) for part in parts]
            known = [value for value in gaps if value is not None]
            return max(known, key=lambda value: value.estimate) if len(known) == len(gaps) else None
        if row["reference"] is not None:
            return self._matched(row)
        known = self._reportable(row)
        if len(known) < 2:
            return None
        numbers = [value.estimate for value in known]
        return Value(float(np.ptp(numbers)), bound=2 * max(value.bound for value in known))

    def _matched(self, row: Row) -> Value | None:
        cell, shown = self._cells[_key(row)], self._values_of(row)
        groups = cell.groups(row["slice"])
        if groups is None or len(shown) < 2:
            return None
        return Value(matched_gap(cell.frame, groups[groups.isin(shown)], row["metric"], cell.facts.labels))

    def _contrast(self, row: Row) -> Value | None:
        """A value less another, or less that of the rows of all others."""
        if row["reference"] == "rest":
            rest = self._cells[_key(row)].rest(row["slice"], row["value"], row["metric"])
            return _sum([self._value(row), rest], [1, -1])
        return _sum([self._value(row), self._value({**row, "value": row["reference"]})], [1, -1])

    def _ratio(self, row: Row) -> Value | None:
        """The smallest over the largest of the reportable rates, or of their error rates as NIST has it."""
        values = [value for value in self._reportable(row) if np.isfinite(value.estimate)]
        if len(values) < 2:
            return None
        if row["reference"] == "min/max":
            rates = [value.estimate for value in values]
            return Value(min(rates) / max(rates) if max(rates) > 0 else np.nan)
        wrong = row["metric"].startswith(_LOWER_IS_BETTER)
        errors = [round(v.n * (v.estimate if wrong else 1 - v.estimate)) for v in values]
        rates = [(x + 0.5) / (value.n + 1) for x, value in zip(errors, values, strict=True)]
        return Value(float(max(rates) / np.exp(np.mean(np.log(rates)))))

    def _rank(self, row: Row) -> Value | None:
        sign = -1 if row["metric"].startswith(_LOWER_IS_BETTER) else 1
        return rank(_key(row), row["metric"], self._cells, sign)

    def _reportable(self, row: Row) -> list[Value]:
        """The reportable values of a slice, none where one of them cannot be had."""
        values = [self._value({**row, "value": value}) for value in self._values_of(row)]
        return [] if None in values else [value for value in values if value is not None]

    def _values_of(self, row: Row) -> list[str]:
        """The reportable values that are compared, all within the row's value of a control, if it has one."""
        shown = self._shown.get((_key(row), row["slice"], row["metric"]), [])
        return [value for value in shown if row["value"] in (None, within(row["slice"], value))]

    def _degradation(self, row: Row) -> Value | None:
        """Clean less the mean of the conditions, or the reverse where less is better."""
        clean, *others = self._along(row)
        sign = -1 if row["metric"].startswith(_LOWER_IS_BETTER) else 1
        return _sum([clean, *others], [sign, *[-sign / len(others)] * len(others)])

    def _degradation_contrast(self, row: Row) -> Value | None:
        return _sum([self._degradation(row), self._degradation({**row, "value": row["reference"]})], [1, -1])

    def _area(self, row: Row) -> Value | None:
        """The mean height along severity, clean at 0, of straight lines from each to the next."""
        at = [0, *self._conditions(row)[0].severities]
        units = np.eye(len(at))
        return _sum(self._along(row), [float(np.trapezoid(unit, at)) / at[-1] for unit in units])

    def _worst(self, row: Row) -> Value | None:
        """The largest degradation over all rows at any severity."""
        found = []
        for condition in self.suite.conditions:
            for key in self._severities(row, row["model"], condition):
                one = self._degradation({**row, **dict(zip(PlannedCell.KEY, key, strict=True))})
                found += [one] if one is not None and np.isfinite(one.estimate) else []
        return max(found, key=lambda value: value.estimate, default=None)

    def _along(self, row: Row) -> list[Value | None]:
        """The value on clean media, then of every severity of the row in its order."""
        keys = [_key(row)]
        if row["severity"] is None:
            keys = [key for c in self._conditions(row) for key in self._severities(row, row["model"], c)]
        cells = [self._cells[key] for key in (_clean(row, row["model"]), *keys)]
        return [cell.value(row["slice"], row["value"], row["metric"]) for cell in cells]

    def _stability(self, row: Row) -> Value | None:
        """The mean share of rows of which the decision is the same, or of flips, of steps that change it."""
        found = self._shares(row)
        if found is None or found.hits is None:
            return None
        if not len(found.hits):
            return Value(np.nan)
        return Value(float(found.hits.mean()), len(found.hits), len(set(found.cluster)))

    def _shares(self, row: Row) -> Records | None:
        """The rows judged in all cells of a row: whether the decision, of which none is one, is the same.

        Of flips, at how many of the steps from one severity to the next it is another.
        """
        flips = row["metric"] == _FLIPS
        keys = self._steps(row) if flips else [_clean(row, row["model"]), _key(row)]
        cells = [self._cells[key] for key in keys]
        groups = cells[-1].groups(row["slice"])
        if groups is None:
            return None
        frame, inside = cells[-1].frame, groups == (row["value"] or "")
        rows = frame.loc[inside, ["target", "said/cluster"]].set_index("target")
        for cell in cells:
            rows = rows[rows.index.isin(cell.decisions.index)]
        said = [cell.decisions[rows.index].to_numpy() for cell in cells]
        changes = np.mean([one != other for one, other in pairwise(said)], axis=0)
        cluster, hits = rows["said/cluster"].to_numpy(), changes if flips else 1.0 - changes
        return Records(rows.index.to_numpy(), cluster, np.any, np.any, hits=hits)

    def _spread(self, row: Row) -> Value | None:
        """How far the reportable values lie apart beyond their errors, or what is left of one of them."""
        one = row["reference"] is not None
        inside = {**row, "value": within(row["slice"], row["value"])} if one else row
        found = {text: self.uncertainty.of({**row, "kind": "value", "value": text})
                 for text in self._values_of(inside)}  # fmt: skip
        made = spread({text: interval for text, interval in found.items() if interval is not None})
        if one:
            return Value(made.shrunken.get(row["value"], np.nan))
        return Value(made.estimate, clusters=made.clusters)

    def _steps(self, row: Row) -> list[Key]:
        """The cells along the severities of a row, or those of the one step that it is of."""
        keys = [key for c in self._conditions(row) for key in self._severities(row, row["model"], c)]
        keys.sort(key=lambda key: int(key[3]))
        if row["severity"] is None:
            return keys
        at = keys.index(_key(row))
        return keys[at - 1 : at + 1]

    def _corruption_error(self, row: Row) -> Value | None:
        """The mean over conditions of errors by those of the reference model, or of errors beyond clean."""
        asked = self.suite.conditions if row["condition"] == "all" else self._conditions(row)
        if (row["reference"], row["dataset"]) not in self._runs:
            return None
        ratios = []
        for condition in asked:
            mine, theirs = (self._errors(row, m, condition) for m in (row["model"], row["reference"]))
            if mine is None or theirs is None or not theirs > _NOTHING:
                return None
            ratios.append(mine / theirs)
        return Value(float(np.mean(ratios)))

    def _errors(self, row: Row, model: str, condition: Condition) -> float | None:
        at = [_clean(row, model), *self._severities(row, model, condition)]
        found = [self._cells[key].value(None, None, "accuracy") for key in at]
        accuracy = [value.estimate for value in found if value is not None]
        if len(accuracy) < len(at):
            return None
        errors = float(np.mean([1 - each for each in accuracy[1:]]))
        return errors if row["kind"] == "mce" else float(np.mean(np.subtract(accuracy[0], accuracy[1:])))


def _key(row: Row) -> Key:
    return tuple(row[name] for name in PlannedCell.KEY)


def _clean(row: Row, model: str) -> Key:
    return (model, row["dataset"], "clean", 0, None)


def _sum(values: Sequence[Value | None], weights: Sequence[float]) -> Value | None:
    """The weighted sum; of its counts the smallest."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return Value(
        float(np.dot(weights, [value.estimate for value in known])),
        min(value.n for value in known),
        min(value.clusters for value in known),
        float(np.dot(np.abs(weights), [value.bound for value in known])),
    )
