"""Controls: fairlearn's control_features, nothing across or over their values, nothing withheld let out."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from pydantic import ValidationError
from sklearn.metrics import accuracy_score

from bench.errors import UserError
from bench.judge.audit import audit
from bench.judge.request import check
from bench.judge.score import judge
from bench.question import Question, reread
from bench.report.results import read_results
from bench.spec import Slicing
from bench.suite import read_suite
from bench.track.names import metric_name
from tests.judge.made import (
    LABELS,
    frame,
    judged,
    make_cell,
    make_suite,
    make_targets,
    people,
    random_cell,
    row,
    values,
)
from tests.judge.scored import change_estimates, faults, finished
from tests.judge.test_fairness import of_kind

FEW: dict[str, Any] = {"clusters": 8, "n_eff": 5, "successes_and_failures": 3, "rows_in_class": 3}
WITHIN = "sex|light"


@pytest.fixture(scope="module")
def cell():
    return random_cell(5, 2000, 60)


@pytest.fixture(scope="module")
def table(cell):
    metrics = ("accuracy", "uar", "equalised_odds/fear")
    return judge([cell], make_suite(slices=("sex",), controls=("light",), metrics=metrics, slice_rule=FEW))


@pytest.fixture(scope="module")
def theirs(cell):
    """fairlearn's frame of accuracy by sex within light."""
    data = frame(cell)
    kept = judged(data, "label") & np.array([value is not None for value in data["light"]])
    truth, said = (data[name][kept].astype(str) for name in ("label", "decision"))
    return MetricFrame(
        metrics=accuracy_score, y_true=truth, y_pred=said,
        sensitive_features=data["sex"][kept].astype(str), control_features=data["light"][kept].astype(str),
    )  # fmt: skip


def test_values_and_gaps_are_fairlearns_within_each_value_of_the_control(table: Any, theirs: Any) -> None:
    for light, sex in theirs.by_group.index:
        mine = row(table, slice=WITHIN, value=f"{sex}|{light}", metric="accuracy")
        assert mine["estimate"] == pytest.approx(theirs.by_group[light, sex], abs=1e-12)
    gaps = {r["value"]: r for r in of_kind(table, "gap", slice=WITHIN, metric="accuracy", reference=None)}
    assert set(gaps) == {"dark", "bright"}
    for light, gap in gaps.items():
        assert gap["estimate"] == pytest.approx(theirs.difference()[light], abs=1e-12)
        assert gap["method"] == "permutation-studentised"
        assert 0 < gap["p"] <= 1


def test_nothing_is_compared_across_or_where_the_control_is_unmeasured(table: Any) -> None:
    shown = {r["value"] for r in values(table) if r["slice"] == WITHIN}
    assert shown == {
        f"{sex}|{light}" for sex in ("female", "male") for light in ("dark", "bright", "unmeasured")
    }
    contrasts = of_kind(table, "contrast", slice=WITHIN, metric="accuracy")
    assert [(r["value"], r["reference"]) for r in contrasts] == [
        ("female|bright", "male|bright"), ("female|dark", "male|dark"),
    ]  # fmt: skip
    assert {r["family"] for r in contrasts} == {f"1 pairs of {WITHIN} within {v}" for v in ("bright", "dark")}
    for kind in ("gap", "spread", "ratio"):
        found = [r["value"] for r in of_kind(table, kind, slice=WITHIN)]
        assert found
        assert not [value for value in found if value is None or "unmeasured" in value]


def test_within_a_value_the_numbers_are_those_of_a_run_of_its_rows_alone(cell: Any, table: Any) -> None:
    """But for the draws, which are as many and of the same seed: gap, null, p, contrast and criterion."""
    dark = np.flatnonzero([light == "dark" for light in cell.targets.table["light"].to_pylist()])
    columns = {n: cell.targets.table[n].take(dark) for n in cell.targets.table.column_names if n != "target"}
    said = {n: cell.predictions[n].take(dark) for n in ("status", "predicted")}
    alone = judge(
        [make_cell(make_targets(columns), said)],
        make_suite(slices=("sex",), metrics=("accuracy", "uar", "equalised_odds/fear"), slice_rule=FEW),
    )
    names = ("estimate", "null_mean", "null_p95", "p", "clusters", "low", "high", "sdd80", "df")
    for kind in ("gap", "contrast", "spread", "ratio"):
        here = [r for r in of_kind(table, kind, slice=WITHIN) if str(r["value"]).endswith("dark")]
        there = of_kind(alone, kind, slice="sex")
        assert len(here) == len(there) > 0
        for one, other in zip(here, there, strict=True):
            assert (one["metric"], one["kind"]) == (other["metric"], other["kind"])
            for name in names:
                if other[name] is None:
                    assert one[name] is None
                else:
                    assert one[name] == pytest.approx(other[name], rel=1e-9)


def test_the_test_within_is_a_test_of_its_own(table: Any, cell: Any) -> None:
    gaps = [r for r in of_kind(table, "gap") if r["p"] is not None]
    assert {r["family"] for r in gaps} == {f"{len(gaps)} gaps of m"}
    suite = make_suite(slices=("sex",), controls=("light",), metrics=("accuracy",), slice_rule=FEW,
                       primary=(f"gap/accuracy/{WITHIN}",))  # fmt: skip
    roles = [(r["slice"], r["role"]) for r in of_kind(judge([cell], suite), "gap", reference=None)]
    assert roles == [("sex", "exploratory"), (WITHIN, "confirmatory"), (WITHIN, "confirmatory")]


def test_an_intersection_within_a_control_and_every_control_alone() -> None:
    suite = make_suite(slices=("a", ("a", "b")), controls=("b", "c"))
    assert [cut.name for cut in suite.slicings] == ["a", "a&b", "a|b", "a|c", "a&b|c"]
    assert suite.slicings[-1] == Slicing(("a", "b"), "c")
    cell = people({"x&u&p": 9, "y&u&p": 9, "x&v&q": 9, "y&v&q": 9})
    table = judge([cell], make_suite(slices=(("a", "b"),), controls=("c",), metrics=("accuracy",)))
    assert {r["value"] for r in values(table) if r["slice"] == "a&b|c"} == {
        "x&u|p",
        "y&u|p",
        "x&v|q",
        "y&v|q",
    }


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"controls": ("age",)}, "control 'age' controls nothing"),
        ({"slices": ("age",), "controls": ("age",)}, "control 'age' controls nothing"),
        ({"slices": ("sex",), "controls": ("age", "age")}, "control 'age' is there twice"),
        ({"slices": ("sex",), "primary": ("gap/uar/sex|age",)}, "which is no slice of the suite"),
    ],
)
def test_a_suite_refuses(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make_suite(**asked)
    assert words in str(caught.value)


def test_a_control_that_is_no_attribute_or_would_read_like_another_is_refused() -> None:
    targets = make_targets(
        {"subject": ["a", "b"], "label": ["fear"] * 2, "sex": ["x|y", "z"], "age": [1.0, 2.0]}
    )
    for suite, words in (
        (make_suite(slices=("sex",), controls=("agee",)), "control:agee: slice 'agee' is not an attribute"),
        (make_suite(slices=("age",), controls=("sex",)), "control:sex: control 'sex' of made has an '|'"),
        (make_suite(slices=("sex",), controls=("age",)), "slice:sex: slice 'sex' of made has an '|'"),
    ):
        with pytest.raises(UserError) as caught:
            check(suite, targets, lambda kind, name: f"{kind}:{name}")
        assert str(caught.value).startswith(words), caught.value
    check(make_suite(slices=("sex", "age")), targets, lambda kind, name: f"{kind}:{name}")


def hidden(table: Any, name: str) -> set[str]:
    return {r["value"] for r in values(table) if r["slice"] == name and r["status"] == "suppressed"}


def test_a_small_value_within_a_control_is_withheld_with_what_gives_it() -> None:
    """Two persons of x|q: with x shown whole and x|p beside it, x|q would be their difference."""
    cell = people({"x&p": 20, "y&p": 20, "x&q": 2, "y&q": 20})
    table = judge([cell], make_suite(slices=("a",), controls=("b",), metrics=("accuracy",)))
    assert "x|q" in hidden(table, "a|b")
    assert "x|p" in hidden(table, "a|b") or "x" in hidden(table, "a")
    for r in table.to_pylist():
        if r["slice"] == "a|b" and r["kind"] != "value":
            named = {r["value"], r["reference"]}
            assert not named & hidden(table, "a|b")
    gap = next(r for r in of_kind(table, "gap", slice="a|b") if r["value"] == "q")
    assert (gap["estimate"], gap["status"]) == (None, "insufficient")


def member(r: dict[str, Any], cells: list[str]) -> list[float]:
    """Which combinations of a and b lie in a value."""
    wanted = dict(zip(r["slice"].split("|"), r["value"].split("|"), strict=True))
    return [float(all(c.split("&")["ab".index(k)] == v for k, v in wanted.items())) for c in cells]


def test_withheld_values_do_not_follow_from_any_sums_of_what_is_shown() -> None:
    """Whatever the sizes: no small value's rows are a combination of shown values' rows and of all rows."""
    rng, seen = np.random.default_rng(4), 0
    for _ in range(25):
        sizes = {f"{a}&{b}": int(rng.choice([0, 2, 6, 9, 20])) for a in "xyz" for b in "pq"}
        cells = [name for name, n in sizes.items() if n]
        cell = people({name: sizes[name] for name in cells})
        table = judge([cell], make_suite(slices=("a", "b"), controls=("b",), metrics=("accuracy",)))
        cut = [r for r in values(table) if r["slice"]]
        known = [[1.0] * len(cells), *(member(r, cells) for r in cut if r["status"] != "suppressed")]
        rank = np.linalg.matrix_rank(np.array(known))
        for r in (r for r in cut if r["status"] == "suppressed"):
            mine = member(r, cells)
            if sum(sizes[c] for c, m in zip(cells, mine, strict=True) if m) < 5:
                assert np.linalg.matrix_rank(np.array([*known, mine])) == rank + 1, (sizes, r["value"])
                seen += 1
    assert seen > 20


def test_no_rest_within_a_control_where_a_value_there_is_withheld() -> None:
    """All rows within q are shown nowhere: with the rests of y and z they would be, and x within q too."""
    sizes = {f"{a}&{b}": 24 for a in "wyz" for b in "pq"} | {"x&p": 24, "x&q": 3, "v&p": 24, "v&q": 3}
    cell = people(sizes)
    rng = np.random.default_rng(0)
    said = [label if rng.random() < 0.6 else "neutral" for label in cell.targets.table["label"].to_pylist()]
    cell = make_cell(cell.targets, {"predicted": said})
    asked = make_suite(slices=("a",), controls=("b",), metrics=("accuracy",), slice_rule={"n_eff": 10})
    table = judge([cell], asked)
    assert {"x|q", "v|q"} <= hidden(table, "a|b")
    rests = {str(r["value"]) for r in of_kind(table, "contrast", slice="a|b", reference="rest")}
    assert not [value for value in rests if value.endswith("|q")]
    gap = next(r for r in of_kind(table, "gap", slice="a|b", reference=None) if r["value"] == "q")
    assert gap["estimate"] is not None
    assert "no contrast with the rest" in gap["warning"]
    public = make_cell(make_targets(
        {n: cell.targets.table[n].to_pylist() for n in ("subject", "label", "a", "b")}, attributes_public=True
    ), {"predicted": said})  # fmt: skip
    shown = judge([public], asked)
    rests = {str(r["value"]) for r in of_kind(shown, "contrast", slice="a|b", reference="rest")}
    assert [value for value in rests if value.endswith("|q")]


@pytest.mark.usefixtures("no_report")
def test_an_audit_agrees_and_finds_values_compared_across(tmp_path: Path) -> None:
    run = finished(tmp_path, controls=("light",), slice_rule=FEW,
                   metrics=("accuracy", "equalised_odds/fear", "ece"))  # fmt: skip
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))

    def across(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        mine = [r for r in rows if (r["slice"], r["metric"]) == ("race|light", "accuracy")]
        for gap in (r for r in mine if r["kind"] == "gap" and r["estimate"] and r["reference"] is None):
            shown = [r["estimate"] for r in mine if r["kind"] == "value" and r["status"] == "reportable"
                     and r["model"] == gap["model"]]  # fmt: skip
            gap["estimate"] = max(shown) - min(shown)
        return rows

    change_estimates(run, across)
    assert {d.row["slice"] for d in audit(run.path).differences} == {"race|light"}


@pytest.mark.usefixtures("no_report")
def test_an_analyst_gets_the_control_as_fairlearn_has_it(tmp_path: Path) -> None:
    run = finished(tmp_path, controls=("light",), slice_rule=FEW, metrics=("accuracy", "uar"))
    results = read_results(run.path)
    theirs = results.metric_frame("race|light", model="hard")
    assert theirs.control_levels == ["light"]
    assert theirs.sensitive_levels == ["race"]
    rows = [
        r for r in results.rows if (r["slice"], r["model"], r["metric"]) == ("race|light", "hard", "accuracy")
    ]
    for r in rows:
        race, light = r["value"].split("|")
        number = theirs.by_group["accuracy"][light, race]
        if r["status"] == "suppressed":
            assert np.isnan(number)
        else:
            assert number == pytest.approx(r["estimate"], abs=1e-12)
    assert any(r["status"] == "suppressed" for r in rows)
    assert theirs.overall["accuracy"].isna().all(), "all races of one light are no value of the estimates"


def test_names_for_mlflow_differ(table: Any) -> None:
    names = [metric_name(r) for r in table.to_pylist()]
    for one, other in combinations(sorted(names), 2):
        assert one != other
    assert {"gap/uar/sex.given.light/dark", "uar/sex.given.light/male.given.dark"} <= set(names)


def test_degradation_is_compared_within_alone() -> None:
    rng = np.random.default_rng(3)
    cell = people({f"{a}&{b}": 24 for a in "xyz" for b in "pq"})
    labels = cell.targets.table["label"].to_pylist()

    def at(severity: int) -> Any:
        said = [label if rng.random() < 0.75 - 0.25 * severity else LABELS[0] for label in labels]
        condition = {"condition": "blur", "severity": severity, "where": "frame"} if severity else {}
        return make_cell(cell.targets, {"predicted": said}, **condition)

    suite = make_suite(slices=("a",), controls=("b",), metrics=("accuracy",), slice_rule={"n_eff": 10},
                       conditions=({"perturb": "blur", "severities": (1,)},))  # fmt: skip
    table = judge([at(0), at(1)], suite)
    found = of_kind(table, "degradation_contrast", slice="a|b", severity=1)
    assert len(found) == 6
    assert all(r["value"][-2:] == r["reference"][-2:] for r in found)


def test_a_flag_adds_controls_to_those_of_a_suite(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "suite: s\ndata:\n  - adapter: manifest\nslices: [sex]\ncontrols:\n  - age\nbins:\n  age: [30]\n"
    )
    plan = read_suite(tmp_path / "s.yaml")
    assert plan.place("control", "age") == f"{tmp_path / 's.yaml'}:6"
    question = Question(plan.suite, {}, plan.place)
    assert [cut.name for cut in reread(question, [], [], {}).suite.slicings] == ["sex", "sex|age"]
    more = reread(question, [], [], {}, ["light", "age"])
    assert more.suite.controls == ("age", "light")
    assert more.place("control", "light") == "--control"
    with pytest.raises(UserError) as caught:
        reread(question, [], [], {}, ["sex"])
    assert str(caught.value).startswith("--control: control 'sex' controls nothing")
