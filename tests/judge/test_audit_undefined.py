"""What has no value has none by either path, and a number written where there can be none is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.folder import RunFolder
from bench.judge.audit import Audit, Difference, audit
from bench.judge.score import Cell
from tests.judge.conditions import DARK, NOISE, Made, suite
from tests.judge.made import LABELS, make_cell, make_suite, make_targets
from tests.judge.scored import change_estimates, faults, of_cells

pytestmark = pytest.mark.usefixtures("no_report")

PLACES = (("clean", 0), ("low_light", 1), ("low_light", 3), ("sensor_noise", 2))
HOLDS_LITTLE = {"clusters": 2, "rows_in_class": 1, "n_eff": 1, "successes_and_failures": 0}


def under(made: Made, decision: Any, **fields: Any) -> list[Cell]:
    """The same answers on clean media and under every condition."""
    return [made.cell(decision, condition=name, severity=severity, **fields) for name, severity in PLACES]


def rows_of(run: RunFolder, **names: Any) -> list[dict[str, Any]]:
    found = pq.read_table(run.estimates).to_pylist()
    return [row for row in found if all(row[name] == value for name, value in names.items())]


def write(run: RunFolder, number: float, **names: Any) -> int:
    """Write a number into the rows of these names that have none; how many they are."""
    changed = []

    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            if row["estimate"] is None and all(row[name] == value for name, value in names.items()):
                row["estimate"] = number
                changed.append(row)
        return rows

    change_estimates(run, alter)
    return len(changed)


def invented(found: Audit) -> list[Difference]:
    """The estimates that differ, each of which is a number where the audit has none."""
    wrong = [d for d in found.differences if d.field == "estimate"]
    assert all(d.audited is None and d.size == np.inf for d in wrong)
    return wrong


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("absent", "was not run under every condition"),
        ("flawless", "makes no errors"),
        ("mute", "was not run under every condition"),
    ],
)
def test_a_reference_that_was_not_run_makes_no_errors_or_gives_no_labels(
    tmp_path: Path, reference: str, why: str
) -> None:
    made = Made(1, persons=12)
    cells = [*under(made, made.answers(0.1), model="plain"), *under(made, made.truth, model="flawless")]
    cells += under(made, np.full(len(made.truth), 4), model="mute")  # valence alone
    asked = suite(DARK, NOISE, reference=reference, slices=(), metrics=("accuracy", "coverage"))
    run = of_cells(tmp_path, cells, asked)
    ratios = rows_of(run, model="plain", kind="mce")
    assert {row["condition"] for row in ratios} == {"low_light", "sensor_noise", "all"}
    assert all(row["estimate"] is None and why in row["warning"] for row in ratios)
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert write(run, 1.0, model="plain", kind="mce") == 3
    assert {d.row["condition"] for d in invented(audit(run.path))} == {"low_light", "sensor_noise", "all"}


def test_a_value_of_which_no_row_was_judged_has_rows_of_nothing(tmp_path: Path) -> None:
    """Media of women cannot be decoded at one severity, nor any under noise; valence never varies."""
    made = Made(2, persons=12, attributes_public=True)
    cells = []
    for cell in under(made, made.answers(0.1)):
        lost = {1: made.female, 2: np.full(len(made.female), True)}.get(
            cell.severity, np.zeros_like(made.female)
        )
        said = cell.predictions.to_pydict()
        columns = {
            "status": np.where(lost, "decode_error", "ok"),
            "predicted": [None if gone else word for gone, word in zip(lost, said["predicted"], strict=True)],
            "valence": [None if gone else 0.25 for gone in lost],
        }
        names = {name: getattr(cell, name) for name in ("condition", "severity", "where")}
        cells.append(make_cell(made.targets, columns, **names))
    asked = suite(metrics=("accuracy", "ccc_valence", "rmse_valence"), slice_rule=HOLDS_LITTLE)
    run = of_cells(tmp_path, cells, asked)
    (stable,) = rows_of(run, kind="stability", metric="stability", severity=1, value="female")
    (flips,) = rows_of(run, kind="stability", metric="severity_flips", severity=None, value="female")
    (whole,) = rows_of(run, kind="value", metric="rmse_valence", severity=2, slice=None)
    (constant,) = rows_of(run, kind="value", metric="ccc_valence", severity=0, slice=None)
    assert [row["estimate"] for row in (stable, flips, whole, constant)] == [None] * 4
    assert [row["n"] for row in (stable, flips, whole, constant)] == [0, 0, 0, len(made.truth)]
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert rows_of(run, kind="stability", severity=1, value="male")[0]["estimate"] == 1.0
    count = write(run, 0.5, kind="stability") + write(run, 0.5, kind="value", metric="rmse_valence")
    count += write(run, 0.5, kind="value", metric="ccc_valence")
    assert len(invented(audit(run.path))) == count > 4


def test_numbers_of_what_the_tables_do_not_have_are_found(tmp_path: Path) -> None:
    """A slice that nobody asked for, and a metric of votes where there are none."""
    made = Made(3, persons=12, attributes_public=True)
    asked = suite(metrics=("accuracy",), slice_rule=HOLDS_LITTLE)
    run = of_cells(tmp_path, under(made, made.answers(0.1)), asked)
    assert audit(run.path).agrees
    added: list[dict[str, Any]] = []

    def invent(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        one = {row["kind"] if row["metric"] != "severity_flips" else "flips": row
               for row in rows if row["slice"] == "sex" and row["estimate"] is not None}  # fmt: skip
        kinds = (
            "value",
            "gap",
            "contrast",
            "stability",
            "flips",
            "degradation",
            "degradation_contrast",
            "area",
        )
        added.extend({**one[kind], "slice": "hair"} for kind in kinds)
        added.append({**one["gap"], "slice": "hair", "reference": "base-rate-matched"})
        added.extend({**one["value"], "metric": metric} for metric in ("js", "crowd_agreement"))
        return [*rows, *added]

    change_estimates(run, invent)
    found = audit(run.path)
    names = ("kind", "slice", "metric", "reference")
    wrong = [tuple(d.row[name] for name in names) for d in invented(found)]
    assert sorted(wrong, key=str) == sorted((tuple(row[name] for name in names) for row in added), key=str)
    assert "the plan does not ask for" in str(faults(found)["estimates follow from plan and tables"])


def test_a_gap_is_matched_only_where_every_value_has_every_class_and_every_value_is_defined(
    tmp_path: Path,
) -> None:
    """Of light: none is afraid in the dark. Of sex: a model that says one word to women has no MCC of them."""
    rng = np.random.default_rng(4)
    truth, person = np.tile(np.arange(4), 60), np.repeat(np.arange(40), 6)
    sex = np.array(["female", "male", "other"])[person % 3]
    said = np.where(rng.random(240) < 0.6, truth, rng.integers(0, 4, 240))
    light = np.where((truth == 3) | (rng.random(240) < 0.5), "bright", "dark")
    columns = {
        "subject": [f"s{i:02d}" for i in person],
        "label": [LABELS[k] for k in truth],
        "light": light,
        "sex": sex,
    }
    targets = make_targets(columns, attributes_public=True)
    cell = make_cell(
        targets, {"predicted": [LABELS[0 if s == "female" else k] for s, k in zip(sex, said, strict=True)]}
    )
    asked = make_suite(metrics=("accuracy", "mcc"), slices=("light", "sex"), slice_rule=HOLDS_LITTLE)
    run = of_cells(tmp_path, [cell], asked)
    (lacking,) = rows_of(run, kind="gap", slice="light", metric="accuracy", reference="base-rate-matched")
    assert lacking["estimate"] is None
    assert "no rows of a class" in lacking["warning"]
    (gap,) = rows_of(run, kind="gap", slice="sex", metric="mcc", reference="base-rate-matched")
    assert gap["slices_left_out"] == 1
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert write(run, 0.5, kind="gap", slice="light", metric="accuracy") == 1
    (one,) = invented(audit(run.path))
    assert one.row["slice"] == "light"

    def compare_all(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows as if the value that is undefined had been compared."""
        (undefined,) = [r for r in rows if (r["kind"], r["value"], r["metric"]) == ("value", "female", "mcc")]
        assert (undefined["estimate"], undefined["status"]) == (None, "insufficient")
        undefined["status"] = "reportable"
        return [
            r for r in rows if r["slice"] == "sex" and r["kind"] in ("value", "gap") and r["metric"] == "mcc"
        ]

    change_estimates(run, compare_all)
    wrong = [d for d in audit(run.path).differences if d.row["kind"] == "gap" and d.field == "estimate"]
    assert {(d.row["reference"], d.audited) for d in wrong} == {(None, None), ("base-rate-matched", None)}
    assert gap["estimate"] in [d.found for d in wrong]
