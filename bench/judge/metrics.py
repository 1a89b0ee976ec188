"""Metrics: functions of summed statistics, one record each.

The formulas are in ``bench.judge.formulas`` and, on probabilities and votes, ``bench.judge.probabilistic``.

``finish`` takes statistics with any leading axes and gives NaN, never 0, where a value is undefined. A miss
(no face, abstained, model error, tie) is wrong for label metrics, and in no denominator of precision, which
stands beside coverage; valence, arousal and dominance score it as the suite's constant and stand beside their
``_covered`` form; metrics of probabilities are of the rows that have them, beside coverage. What is no
function of sums is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from bench.judge import action_units, clips, formulas, probabilistic, temporal
from bench.judge.formulas import Stats, divide
from bench.judge.kernels import Kernel, Key, Misses
from bench.judge.raters import label_agreement
from bench.judge.rows import Bools, Floats
from bench.judge.stages import FUNNEL, reached
from bench.spec import members
from bench.tables.targets import AFFECT

__all__ = ["FUNNEL", "METRICS", "Metric", "expand", "of_label", "of_unit"]


@dataclass(frozen=True)
class Metric:
    """One metric: which statistics it needs, its formula, and how to read its number.

    ``formula`` of a proportion gives (successes, trials), of every other kind the value. ``kind`` decides the
    interval; ``direction`` says which way is better: up, down, towards zero, or neither way; ``undefined``
    says when a value is NaN; ``per_label`` metrics have a value per label and are asked for as ``recall`` or
    ``recall/fear``; ``headline`` ones are reported where a suite names no metrics, others when named.
    ``biased`` ones grow or shrink with the number of rows, so that groups are compared against chance alone
    (arXiv 2505.03992); those of action units are over all of them, ``au_f1``, or of one, ``au_f1/au_12``;
    ``bound`` says how far a histogram can have moved the value. ``of_labels`` ones are
    of the targets alone: no prediction moves them.
    """

    name: str
    key: Key
    formula: Callable[[Stats], Any]
    kind: Literal["proportion", "rate", "correlation", "agreement", "plain", "root", "signed"]
    undefined: str
    direction: Literal["higher", "lower", "zero", "neither"] = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    per_label: bool = False
    headline: bool = True
    biased: bool = False
    bound: Callable[[Stats], Floats] | None = None
    of_labels: bool = False

    @property
    def misses(self) -> Misses:
        """How a row without a prediction counts."""
        return self.key.misses

    @property
    def about(self) -> str:
        """Formula, convention and source."""
        return str(self.formula.__doc__)

    def finish(self, stats: Stats) -> Floats:
        """The value for statistics (..., *shape): (...), with a last axis of labels where per_label."""
        if self.kind == "proportion":
            return divide(*self.formula(stats))
        value: Floats = self.formula(stats)
        return value

    def count(self, stats: Stats) -> Floats:
        """The rows in the denominator."""
        if self.kind == "proportion":
            return np.asarray(self.formula(stats)[1], np.float64)
        if action_units.of_units(self.key):
            return action_units.count(self.key, stats)
        if self.key.kernel in _HISTOGRAMS:
            return np.asarray(stats.sum(axis=(-1, -2)), np.float64)
        rows = stats[..., 0].sum(axis=-1) if self.key.kernel == "calibration" else stats[..., 0]
        return np.asarray(rows, np.float64)

    def in_classes(self, stats: Stats) -> Floats:
        """The rows of each class, (..., K), of ranking others and own, (..., 2); else (..., 1), all rows.

        Of action units as ``action_units.in_classes``.
        """
        if action_units.of_units(self.key):
            return action_units.in_classes(self.key, stats)
        of_classes = self.key.kernel in ("confusion", "ranking")
        return np.asarray(stats.sum(axis=-1) if of_classes else self.count(stats)[..., None])

    def present(self, stats: Stats) -> Bools:
        """Which classes have a row, (..., K) as ``in_classes``."""
        return np.asarray(self.in_classes(stats) > 0)


def expand(names: Sequence[str], labels: tuple[str, ...]) -> list[Metric]:
    """The metrics of the names, ``recall`` as one metric per label; ``check`` has refused unknown names.

    Those of a criterion of fairness are the metrics whose gaps it is (``bench.spec.members``).
    """
    found: dict[str, Metric] = {}
    for name in (each for asked in names for each in members(asked)):
        stem, _, label = name.partition("/")
        metric = METRICS[stem]
        if not metric.per_label:
            found[name] = of_unit(metric, label) if label else metric
            continue
        for each in (label,) if label else labels:
            found[f"{stem}/{each}"] = of_label(metric, each, labels.index(each))
    return list(found.values())


def of_label(metric: Metric, label: str, code: int) -> Metric:
    """The metric of one label: ``recall/fear``."""
    if metric.key.kernel == "ranking":
        return replace(
            metric, name=f"{metric.name}/{label}", key=metric.key._replace(label=code), per_label=False
        )

    def formula(stats: Stats) -> tuple[Stats, Stats]:
        successes, trials = metric.formula(stats)
        return successes[..., code], trials[..., code]

    formula.__doc__ = metric.about
    return replace(metric, name=f"{metric.name}/{label}", formula=formula, per_label=False)


def of_unit(metric: Metric, unit: str) -> Metric:
    """The metric of one action unit, of one over all of them: ``au_f1/au_12``."""
    one, bound = action_units.OF_ONE, metric.bound and action_units.OF_ONE[metric.bound]
    key, name = metric.key._replace(column=unit), f"{metric.name}/{unit}"
    return replace(metric, name=name, key=key, formula=one[metric.formula], bound=bound)


_HISTOGRAMS = ("confusion", "selective", "ranking")
_CONFUSION, _NO_ROWS = Key("confusion", misses="wrong"), "no rows"
_FLAT = "no rows, or truth or predictions are constant"
_NEVER, _NO_OTHERS = "no rows are predicted as it", "no rows of other classes"
_ONE = "no rows, or truth and predictions are all one class"
_ALIKE = "no rows, or all rows have one truth or one decision"
_NO_PAIRS = "no rows with probabilities of the label, or none of others"
_NO_GRADES, _NO_VOTES = "no rows with probabilities", "no rows with votes"
_SIGNED, _ERROR, _ANY = (-1.0, 1.0), (0.0, np.inf), (-np.inf, np.inf)


def _affect(column: str, misses: Misses) -> list[Metric]:
    key, end = Key("moments", column, misses), "" if misses == "constant" else "_covered"
    return [
        Metric(f"ccc_{column}{end}", key, formulas.ccc, "correlation", _FLAT, range=_SIGNED),
        Metric(f"pcc_{column}{end}", key, formulas.pcc, "correlation", _FLAT, range=_SIGNED),
        Metric(f"rmse_{column}{end}", key, formulas.rmse, "root", _NO_ROWS, "lower", _ERROR),
        Metric(f"mae_{column}{end}", key, formulas.mae, "plain", _NO_ROWS, "lower", _ERROR, headline=False),
        Metric(f"bias_{column}{end}", key, formulas.bias, "signed", _NO_ROWS, "zero", _ANY, headline=False),
        Metric(f"sagr_{column}{end}", key, formulas.sagr, "rate", _NO_ROWS, headline=False),
        Metric(
            f"label_sd_{column}{end}", key, formulas.label_sd, "root", _NO_ROWS, "neither", _ERROR,
            headline=False, of_labels=True,
        ),
    ]  # fmt: skip


_HEADLINES = (
    Metric("accuracy", _CONFUSION, formulas.accuracy, "proportion", _NO_ROWS),
    Metric("uar", _CONFUSION, formulas.uar, "rate", _NO_ROWS),
    Metric("macro_f1", _CONFUSION, formulas.macro_f1, "rate", _NO_ROWS, biased=True),
    Metric("recall", _CONFUSION, formulas.recall, "proportion", _NO_ROWS, per_label=True),
    Metric("coverage", Key("outcomes"), formulas.coverage, "proportion", _NO_ROWS),
)
_NAMED = (
    Metric("weighted_f1", _CONFUSION, formulas.weighted_f1, "rate", _NO_ROWS, biased=True),
    Metric("kappa", _CONFUSION, formulas.kappa, "agreement", _ONE, range=_SIGNED),
    Metric("mcc", _CONFUSION, formulas.mcc, "agreement", _ALIKE, range=_SIGNED, biased=True),
    Metric("precision", _CONFUSION, formulas.precision, "proportion", _NEVER, per_label=True, biased=True),
    Metric(
        "false_positive_rate", _CONFUSION, formulas.false_positive_rate, "proportion", _NO_OTHERS, "lower",
        per_label=True,
    ),
    Metric(
        "selection_rate", _CONFUSION, formulas.selection_rate, "proportion", _NO_ROWS, "neither",
        per_label=True,
    ),
)  # fmt: skip


def _left_out(kernel: Kernel, column: str = "") -> Key:
    return Key(kernel, column, "left out")


_TWO = (0.0, 2.0)
_SOFT, _AGREEMENT = _left_out("soft_scores", "votes"), Key("agreement", "votes", "wrong")
_ON_PROBABILITIES = (
    Metric("ece", _left_out("calibration"), probabilistic.ece, "rate", _NO_GRADES, "lower", biased=True),
    Metric("brier", _left_out("scores"), probabilistic.brier, "plain", _NO_GRADES, "lower", _TWO),
    Metric("nll", _left_out("scores"), probabilistic.nll, "plain", _NO_GRADES, "lower", _ERROR),
    Metric(
        "aurc", _left_out("selective"), probabilistic.aurc, "rate", _NO_GRADES, "lower",
        bound=probabilistic.aurc_bound,
    ),
    Metric(
        "auroc", _left_out("ranking"), probabilistic.auroc, "rate", _NO_PAIRS, per_label=True,
        bound=probabilistic.auroc_bound,
    ),
    Metric("cross_entropy", _SOFT, probabilistic.cross_entropy, "plain", _NO_GRADES, "lower", _ERROR),
    Metric("soft_brier", _SOFT, probabilistic.soft_brier, "plain", _NO_GRADES, "lower", _TWO),
    Metric("js", _SOFT, probabilistic.js, "rate", _NO_GRADES, "lower"),
    Metric("crowd_agreement", _AGREEMENT, probabilistic.crowd_agreement, "rate", _NO_VOTES),
    Metric(
        "label_agreement", Key("raters", "votes"), label_agreement, "rate", "no rows with two votes",
        "neither", of_labels=True,
    ),
)  # fmt: skip

_STEPS, _ONSETS, _SEGMENTS = _left_out("steps"), Key("onsets", "", "wrong"), Key("segments", "", "wrong")
_NO_STEPS, _NO_ONSETS, _CONSTANT = "no steps between frames", "no changes of the label", f"{_FLAT} there"


def _moving(column: str) -> list[Metric]:
    inside, across = _left_out("within", column), _left_out("between", column)
    steps = _left_out("steps", column)
    return [
        Metric(f"jitter_{column}", steps, temporal.jitter, "plain", _NO_STEPS, "lower", _ERROR),
        Metric(f"ccc_within_{column}", inside, clips.ccc_within, "correlation", _CONSTANT, range=_SIGNED),
        Metric(f"pcc_within_{column}", inside, clips.pcc_within, "correlation", _CONSTANT, range=_SIGNED),
        Metric(f"ccc_between_{column}", across, clips.ccc_between, "correlation", _CONSTANT, range=_SIGNED),
        Metric(f"pcc_between_{column}", across, clips.pcc_between, "correlation", _CONSTANT, range=_SIGNED),
    ]


_ON_SEQUENCES = (
    Metric("flip_rate", _STEPS, temporal.flip_rate, "proportion", _NO_STEPS, "lower"),
    Metric("jitter", _left_out("steps", "probabilities"), temporal.jitter, "rate", _NO_STEPS, "lower"),
    Metric("onset_lag", _ONSETS, temporal.onset_lag, "plain", _NO_ONSETS, "lower", _ERROR),
    Metric("onset_missed", _ONSETS, temporal.onset_missed, "proportion", _NO_ONSETS, "lower"),
    Metric("segment_agreement", _SEGMENTS, temporal.segment_agreement, "rate", "no segments"),
    *(metric for column in AFFECT for metric in _moving(column)),
)

_OF_UNITS = (
    Metric(
        "au_f1", Key("au_decisions", misses="wrong"), action_units.mean_f1, "rate",
        "no action unit is present in any row", biased=True,
    ),
    Metric(
        "au_auroc", _left_out("au_ranking"), action_units.mean_auroc, "rate",
        "no action unit has rows with it and rows without it", bound=action_units.mean_auroc_bound,
    ),
    Metric(
        "au_icc", _left_out("au_intensities"), action_units.mean_icc, "correlation",
        "no rows, or the truth is constant", range=_SIGNED,
    ),
)  # fmt: skip

_OF_STAGES = tuple(
    Metric(name, Key("stages", column), reached(name), "proportion", _NO_ROWS)
    for name, column in FUNNEL.items()
)

METRICS = {
    metric.name: metric
    for metric in (
        *_HEADLINES,
        *(
            replace(metric, headline=False)
            for metric in (*_NAMED, *_OF_UNITS, *_ON_PROBABILITIES, *_ON_SEQUENCES, *_OF_STAGES)
        ),
        *(
            metric
            for column in AFFECT
            for misses in ("constant", "left out")
            for metric in _affect(column, misses)
        ),
    )
}
