"""People counted per value, true class and decision, against a count by hand."""

from __future__ import annotations

import pyarrow as pa

from bench.judge.few import few_people
from tests.judge.made import LABELS, make_suite, make_targets


def test_few_by_value_by_class_and_by_decision() -> None:
    """A: six persons, all neutral, one also sad twice, four decided as fear; B: three persons."""
    who = [f"a{k}" for k in range(6)] + ["a0", "a0"] + ["b0", "b1", "b2"]
    truth = ["neutral"] * 6 + ["sadness"] * 2 + ["neutral"] * 3
    said = ["fear"] * 4 + ["neutral"] * 7
    columns = {"subject": who, "label": truth, "group": [name[0].upper() for name in who]}
    targets = make_targets(columns, labels=LABELS)
    predictions = pa.table(
        {"target": targets.table["target"], "status": ["ok"] * len(who), "predicted": said}
    )
    suite = make_suite(slices=("group",))
    found = few_people(targets.table, predictions, targets.facts, suite)
    of_decisions = ("precision", "selection_rate", "false_positive_rate")
    of_a = {f"{stem}/sadness" for stem in ("recall", "auroc", *of_decisions)}
    # Neutral is decided of two persons, a4 and a5, beside a0 twice.
    of_a |= {f"{stem}/{label}" for stem in of_decisions for label in ("fear", "neutral")}
    assert {metric for _, value, metric in found if value == "A"} == of_a
    assert ("group", "B", None) in found
    alone = few_people(targets.table, None, targets.facts, suite)
    assert alone == {("group", "B", None)}
