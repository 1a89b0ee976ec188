"""A cell as a pandas frame and as fairlearn's MetricFrame: the plain second path to its numbers.

Targets and predictions are joined by name, decisions are taken from the probabilities again, and STATISTICS,
Misses, is written down a second time, so that the audit shares no code with what it audits. Refuses a join
that is not one to one. pandas, fairlearn and scikit-learn load when a function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench.spec import Facts, Suite

if TYPE_CHECKING:
    import pandas as pd
    from fairlearn.metrics import MetricFrame

__all__ = [
    "CLUSTER", "gives_labels", "grouped", "joined", "label_metrics", "labelled", "metric_frame", "outputs",
]  # fmt: skip

CLUSTER = {"person": "subject", "video": "clip", "clip": "target"}
"""The column of targets that names the cluster, by the unit that is one."""
_AFFECT = ("valence", "arousal", "dominance")
_UNMEASURED = "unmeasured"


def joined(targets: pa.Table, predictions: pa.Table, facts: Facts) -> pd.DataFrame:
    """One row per target: its own columns, those of its prediction as ``said/<column>``, and what follows.

    ``said/cluster``; ``said/truth`` and ``said/decision`` as positions in the labels, -1 for none;
    ``said/judged``, all but decode errors; ``said/covered``, with any output. Raises pandas' MergeError
    unless every target is there once on both sides, ValueError where an attribute is called ``said/...``.
    """
    import pandas as pd

    left = targets.to_pandas()
    if any(str(name).startswith("said/") for name in left.columns):
        raise ValueError("a column of the targets begins with 'said/'")
    right = predictions.to_pandas().add_prefix("said/")
    right = right.rename(columns={"said/target": "target"})
    frame = left.merge(right, on="target", how="outer", validate="one_to_one", indicator="said/side")
    if not (frame["said/side"] == "both").all():
        raise pd.errors.MergeError("a target stands on one side alone")
    ok = frame["said/status"] == "ok"
    frame["said/cluster"] = frame[CLUSTER[facts.cluster_unit]]
    frame["said/judged"] = frame["said/status"] != "decode_error"
    frame["said/covered"] = ok & _has_output(frame, predictions.column_names)
    codes = {label: code for code, label in enumerate(facts.labels)}
    truth = frame["label"] if "label" in frame else pd.Series([None] * len(frame), index=frame.index)
    frame["said/truth"] = truth.map(codes).fillna(-1).astype(int)
    decision = _decisions(frame, predictions.column_names).where(ok)
    frame["said/decision"] = decision.map(codes).fillna(-1).astype(int)
    for name in set(_AFFECT) & set(predictions.column_names):
        frame[f"said/{name}"] = frame[f"said/{name}"].where(ok)
    return frame


def outputs(columns: Sequence[str]) -> list[str]:
    """The columns of predictions that hold numbers a model gives."""
    return [name for name in columns if name in _AFFECT or name.startswith(("p_", "au_"))]


def gives_labels(predictions: pa.Table) -> bool:
    """Whether a model decides: it has probabilities, or stated a label, or has no other output at all."""
    numbers = outputs(predictions.column_names)
    stated = predictions["predicted"].null_count < len(predictions)
    return stated or not numbers or any(name.startswith("p_") for name in numbers)


def grouped(
    targets: pd.DataFrame, attributes: Sequence[str], control: str | None, suite: Suite
) -> pd.Series[str]:
    """The slice value of every row, such as ``Asian&Male|<30``; numbers cut at the suite's bins."""
    texts = [_texts(targets[name], suite.bins.get(name)) for name in attributes]
    value = texts[0]
    for text in texts[1:]:
        value = value + "&" + text
    return value if control is None else value + "|" + _texts(targets[control], suite.bins.get(control))


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that label metrics judge: with a label, and no fault of the data."""
    return frame[frame["said/judged"] & (frame["said/truth"] >= 0)]


def label_metrics(labels: Sequence[str]) -> dict[str, Callable[..., float]]:
    """Functions (truth, decision) of label positions on scikit-learn; a decision of -1 is a miss, and wrong.

    Averages are over the classes with a row (UAR is balanced accuracy); a recall without rows is NaN.
    """
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    def over_present(score: Callable[..., float]) -> Callable[..., float]:
        def value(truth: Any, decision: Any) -> float:
            return float(score(truth, decision, labels=np.unique(truth), average="macro", zero_division=0.0))

        return value

    def recall_of(code: int) -> Callable[..., float]:
        def value(truth: Any, decision: Any) -> float:
            options = {"labels": [code], "average": "macro", "zero_division": np.nan}
            return float(recall_score(truth, decision, **options))

        return value

    return {
        "accuracy": accuracy_score,
        "uar": over_present(recall_score),
        "macro_f1": over_present(f1_score),
        **{f"recall/{label}": recall_of(code) for code, label in enumerate(labels)},
    }


def metric_frame(
    rows: pd.DataFrame, groups: pd.Series[str], metrics: dict[str, Callable[..., float]],
    columns: tuple[str, str] = ("said/truth", "said/decision"),
) -> MetricFrame:  # fmt: skip
    """A MetricFrame over rows of ``joined``; ``columns`` are truth and prediction."""
    from fairlearn.metrics import MetricFrame

    truth, said = (rows[name].to_numpy() for name in columns)
    return MetricFrame(metrics=metrics, y_true=truth, y_pred=said, sensitive_features=groups[rows.index])


def _has_output(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series[bool]:
    found = frame["said/predicted"].notna()
    for name in outputs(columns):
        found = found | np.isfinite(frame[f"said/{name}"].astype(float))
    return found


def _decisions(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series[Any]:
    """The label of the one largest probability, else the stated one; tied maxima decide nothing."""
    import pandas as pd

    names = [name for name in columns if name.startswith("p_")]
    if not names:
        return frame["said/predicted"].astype(object)
    ranked = frame[[f"said/{name}" for name in names]].astype(float)
    top = ranked.eq(ranked.max(axis="columns"), axis="index")
    alone = (top.sum(axis="columns") == 1) & ranked.notna().all(axis="columns")
    words = np.array([name.removeprefix("p_") for name in names], object)
    return pd.Series(words[top.to_numpy().argmax(axis=1)], index=frame.index).where(alone)


def _texts(column: pd.Series[Any], edges: Sequence[float] | None) -> pd.Series[str]:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.astype(object).where(column.notna(), _UNMEASURED).astype(str)
    if edges is None:
        return column.map(lambda number: _UNMEASURED if not np.isfinite(number) else f"{number:.15g}")
    names = [f"{edge:.15g}" for edge in edges]
    between = [f"[{low}, {high})" for low, high in pairwise(names)]
    bins = pd.cut(
        column, [-np.inf, *edges, np.inf], right=False, labels=[f"<{names[0]}", *between, f">={names[-1]}"]
    )
    return bins.astype(object).where(np.isfinite(column), _UNMEASURED).astype(str)
