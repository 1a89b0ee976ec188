"""The second opinion on action units, held against the judge on both scales and against numbers by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bench.judge.audit import audit
from bench.judge.audit_action_units import few_of_units, gives, knows, on_units
from bench.judge.score import judge
from bench.tables.frame import joined
from tests.judge.coded import UNITS, coded_cell
from tests.judge.made import make_suite, row
from tests.judge.scored import change_estimates, faults, of_cells


@pytest.mark.parametrize("scale", ["occurrence", "intensity"])
@pytest.mark.parametrize("lacking", [None, "au_04"])
def test_both_ways_agree_on_value_rows_and_clusters(scale, lacking):
    cell = coded_cell(scale, lacking=lacking)
    stems = ("au_f1", "au_auroc", *(["au_icc"] if scale == "intensity" else []))
    names = [f"{stem}{end}" for stem in stems for end in ("", *(f"/{unit}" for unit in UNITS))]
    found = judge([cell], make_suite(metrics=tuple(names), slices=("sex",)))
    targets, predictions, facts = cell.targets.table, cell.predictions, cell.targets.facts
    frame = joined(targets, predictions, facts)
    for name in names:
        assert knows(name)
        given = gives(name, targets, predictions)
        assert given == (lacking is None or name == "au_f1" or (name[-2:] in ("01", "12")))
        for sex in (None, "female") if given else ():
            one = row(found, metric=name, slice=sex and "sex", value=sex)
            again = on_units(
                frame if sex is None else frame[frame["sex"] == sex], name, facts.au_scale, targets
            )
            assert (again.n, again.clusters) == (one["n"], one["clusters"])
            assert abs(again.value - one["estimate"]) <= again.bound + 1e-12
            assert (again.bound > 0) == ("auroc" in name)


def test_a_run_of_units_is_agreed_with_and_one_changed_number_is_found(tmp_path: Path, no_report: None):
    """In every slice; of a unit that the model lacks, and of all units at once for it, there is none."""
    cell = coded_cell("occurrence", count=400, lacking="au_04")
    names = ("au_f1", "au_auroc", "au_f1/au_12", "au_f1/au_04")
    run = of_cells(tmp_path, [cell], make_suite(metrics=names, slices=("sex", "light")))
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert {name: found.compared.get(name, 0) for name in names} == {
        "au_f1": 6, "au_f1/au_12": 6, "au_auroc": 0, "au_f1/au_04": 0,
    }  # fmt: skip
    assert found.undefined == 12

    def alter(rows):
        for one in rows:
            if (one["kind"], one["value"], one["metric"]) == ("value", "male", "au_f1/au_12"):
                one["estimate"] += 1e-6
                one["clusters"] -= 1
            if (one["kind"], one["value"], one["metric"]) == ("value", "male", "au_auroc"):
                one["estimate"] = 0.5
        return rows

    change_estimates(run, alter)
    wrong = [(d.row["value"], d.row["metric"], d.field) for d in audit(run.path).differences]
    assert sorted(wrong) == [
        ("male", "au_auroc", "estimate"), ("male", "au_f1/au_12", "clusters"), ("male", "au_f1/au_12", "estimate"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "names"),
    [
        ("occurrence", ("au_f1", "au_auroc", "au_auroc/au_12")),
        ("intensity", ("au_auroc", "au_icc", "au_icc/au_12")),
    ],
)
def test_intervals_of_units_are_made_again(tmp_path: Path, no_report: None, scale, names):
    """AUROC on bins of its own, which are those of the judge."""
    run = of_cells(tmp_path, [coded_cell(scale, count=400)], make_suite(metrics=names, slices=("sex",)))
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    methods = {"au_icc": "jackknife-atanh"}
    for method in {methods.get(name.partition("/")[0], "jackknife-logit") for name in names}:
        checked, count = found.intervals[method]
        assert checked == count >= 3

    def widen(rows):
        for one in rows:
            if one["kind"] == "value" and one["value"] is None and one["low"] is not None:
                one["low"] -= 1e-6
        return rows

    change_estimates(run, widen)
    wrong = {(d.row["metric"], d.field) for d in audit(run.path).differences}
    assert wrong == {(name, "low") for name in names}


def frame_of(truth, said, status=None):
    n = len(truth)
    return pd.DataFrame(
        {
            "au_12": truth, "said/au_12": said, "said/status": status or ["ok"] * n, "said/judged": [True] * n,
            "said/cluster": range(n),
        }
    )  # fmt: skip


TARGETS = pa.table({"au_12": [1.0, None]})


def test_misses_and_ties_are_wrong_by_hand():
    rows = frame_of(
        [1.0, 1, 1, 0, 0, 0], [0.9, 0.5, 0.9, 0.5, None, 0.1], ["ok", "ok", "no_face", "ok", "ok", "ok"]
    )
    assert on_units(rows, "au_f1/au_12", "occurrence", TARGETS) == (pytest.approx(2 / (2 + 2 + 2)), 6, 6, 0.0)
    # Covered: .9 and .5 against .5 and .1; one tie among four pairs, in one bin with itself.
    found = on_units(rows, "au_auroc/au_12", "occurrence", TARGETS)
    assert found == (pytest.approx(3.5 / 4), 4, 4, pytest.approx(0.5 / 4))


def test_undefined_is_nan_and_not_0():
    rows = frame_of([0.0, 0, 0], [0.1, 0.2, 0.9])
    for name in ("au_f1", "au_f1/au_12", "au_auroc"):
        found = on_units(rows, name, "occurrence", TARGETS)
        assert np.isnan(found.value)
        assert found.n == 3
    assert np.isnan(on_units(rows, "au_icc", "intensity", TARGETS).value)
    assert np.isnan(on_units(frame_of([1.0, 0], [None, None]), "au_auroc", "occurrence", TARGETS).value)


def test_what_it_does_not_know_and_who_is_few():
    assert not any(map(knows, ("au_f1/smile", "au_accuracy", "auroc/fear", "f1", "au_f1/au_1")))
    rows = frame_of([3.0, 1, 0, 5, None], [1.0] * 5)
    value = pd.Series(["a", "a", "a", "b", "b"])
    found = set(few_of_units(rows, value, "intensity", 2))
    assert found == {(text, f"{stem}{end}") for text in ("a", "b") for stem in ("au_f1", "au_auroc", "au_icc")
                     for end in ("", "/au_12")}  # fmt: skip
    assert {text for text, _ in few_of_units(rows, value, "occurrence", 2)} == {"a", "b"}
    assert not list(few_of_units(rows, value, "intensity", 1))
