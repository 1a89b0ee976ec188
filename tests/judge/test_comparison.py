"""Two models on the same targets: scipy's paired t-test, a jackknife by hand, verdicts, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import false_discovery_control, ttest_rel

from bench.errors import UserError
from bench.judge.comparison import compare
from tests.judge.made import LABELS, frame, judged, make_cell, make_suite, make_targets, random_cell
from tests.judge.student import freedom


def answers(targets, right, model):
    """Predictions that are right where ``right`` says so, and the next label elsewhere."""
    truth = [LABELS.index(label) for label in targets.table["label"].to_pylist()]
    said = [LABELS[k if good else (k + 1) % 4] for k, good in zip(truth, right, strict=True)]
    return make_cell(targets, {"predicted": said}, model=model)


def people_of(clusters, clips):
    subject = np.repeat(np.arange(clusters), clips)
    return make_targets({
        "subject": [f"s{s:03d}" for s in subject],
        "label": [LABELS[i % 4] for i in range(len(subject))],
        "sex": np.array(["female", "male"])[subject % 2],
    })  # fmt: skip


def only(found, metric="accuracy", value=None):
    (one,) = [e for e in found if e.row["metric"] == metric and e.row["value"] == value]
    return one


def test_accuracy_with_equal_clusters_is_the_paired_t_test():
    rng = np.random.default_rng(1)
    targets = people_of(30, 8)
    skill = rng.uniform(0.3, 0.9, 30).repeat(8)
    new, old = rng.random(240) < skill + 0.05, rng.random(240) < skill
    found = only(compare([(answers(targets, new, "n"), answers(targets, old, "o"))], make_suite()))
    means = [right.reshape(30, 8).mean(axis=1) for right in (new, old)]
    expected = ttest_rel(*means)
    interval = expected.confidence_interval(0.95)
    assert (found.new, found.old) == pytest.approx((new.mean(), old.mean()), abs=1e-15)
    row = found.row
    assert row["estimate"] == pytest.approx(new.mean() - old.mean(), abs=1e-15)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert row["p"] == pytest.approx(expected.pvalue, rel=1e-10)
    assert (row["kind"], row["model"], row["reference"], row["df"]) == ("difference", "n", "o", 29)


def test_every_metric_and_slice_against_a_jackknife_by_hand():
    new, old = random_cell(3, 700, 40), random_cell(3, 700, 40)
    rng = np.random.default_rng(5)
    column = old.predictions["predicted"].to_pylist()
    worse = [LABELS[rng.integers(0, 4)] if c and rng.random() < 0.3 else c for c in column]
    status = old.predictions["status"].to_pylist()
    old = make_cell(
        new.targets, {"status": status, "predicted": worse, "valence": old.predictions["valence"]}
    )
    suite = make_suite(slices=("sex", "light"), metrics=("uar",))
    found = only(compare([(new, replace(old, model="o"))], suite), "uar", "male")

    sides = [frame(cell) for cell in (new, old)]
    keep = judged(sides[0], "label") & (sides[0]["sex"] == "male")

    def value(side, mask):
        truth = side["label"][mask].astype(str)
        said = np.array([d or "none" for d in side["decision"][mask]])
        return float(np.mean([np.mean(said[truth == c] == c) for c in np.unique(truth)]))

    assert (found.new, found.old) == pytest.approx([value(side, keep) for side in sides], abs=1e-12)
    people = np.unique(sides[0]["subject"][keep])
    left = [keep & (sides[0]["subject"] != person) for person in people]
    d = np.array([value(sides[0], mask) - value(sides[1], mask) for mask in left])
    se = np.sqrt((len(d) - 1) / len(d) * ((d - d.mean()) ** 2).sum())
    row = found.row
    assert row["estimate"] == pytest.approx(value(sides[0], keep) - value(sides[1], keep), abs=1e-12)
    assert row["high"] - row["estimate"] == pytest.approx(stdtrit(freedom(d), 0.975) * se, rel=1e-10)


def test_verdicts_follow_their_bounds():
    """A planted loss of a fifth, none at all, and too few people to tell."""
    rng = np.random.default_rng(2)
    many, few = people_of(200, 10), people_of(21, 4)
    base = rng.random(2000) < 0.7
    lost = base & (rng.random(2000) < 0.8)
    pairs = {
        "worse": (many, lost, base),
        "same": (many, np.roll(base, 40), base),  # whole persons change places
        "better": (many, base | (rng.random(2000) < 0.5), base),
        "few": (few, rng.random(84) < 0.6, rng.random(84) < 0.6),
    }
    found = {
        name: only(compare([(answers(t, n, "n"), answers(t, o, "o"))], make_suite(), margin=0.05))
        for name, (t, n, o) in pairs.items()
    }
    said = {name: (each.non_inferior, each.equivalent) for name, each in found.items()}
    assert said == {
        "worse": ("no", "no"), "same": ("yes", "yes"), "better": ("yes", "no"),
        "few": ("inconclusive", "inconclusive"),
    }  # fmt: skip


def test_of_an_error_less_is_better():
    rng = np.random.default_rng(4)
    truth = rng.uniform(-1, 1, 400)
    targets = make_targets({"subject": [f"s{i // 8}" for i in range(400)], "valence": truth})
    good, bad = (
        make_cell(targets, {"valence": truth + rng.normal(0, s, 400)}, model=m)
        for s, m in ((0.1, "n"), (0.4, "o"))
    )
    suite = make_suite(metrics=("rmse_valence", "bias_valence"))
    found = compare([(good, bad)], suite, margin=0.05)
    assert only(found, "rmse_valence").row["estimate"] < -0.2
    assert only(found, "rmse_valence").non_inferior == "yes"
    assert only(compare([(bad, good)], suite, margin=0.05), "rmse_valence").non_inferior == "no"
    assert only(found, "bias_valence").non_inferior is None  # neither more nor less is better


def test_rates_of_false_answers_at_the_margin_and_under_equality():
    """New is worse by exactly the margin: passes in at most 5 %; equal models differ at p < .05 in about 5 %."""
    rng = np.random.default_rng(11)
    targets, passed, alarms, sets = people_of(30, 10), 0, 0, 400
    for _ in range(sets):
        skill = rng.normal(0.7, 0.1, 30).clip(0, 1).repeat(10)
        old, level = rng.random(300) < skill, rng.random(300) < skill
        worse = rng.random(300) < skill - 0.05
        suite = make_suite(metrics=("accuracy",))
        at_margin = only(compare([(answers(targets, worse, "n"), answers(targets, old, "o"))], suite, 0.05))
        passed += at_margin.non_inferior == "yes"
        equal = only(compare([(answers(targets, level, "n"), answers(targets, old, "o"))], suite))
        alarms += equal.row["p"] < 0.05
    error = 3 * np.sqrt(0.05 * 0.95 / sets)
    assert passed / sets <= 0.05 + error
    assert abs(alarms / sets - 0.05) <= error


def test_withheld_on_one_side_is_withheld():
    targets = make_targets({
        "subject": [f"s{i // 8:02d}" for i in range(200)], "label": [LABELS[i % 4] for i in range(200)],
        "site": ["small" if i < 24 else "large" if i < 120 else "other" for i in range(200)],
    })  # fmt: skip
    right = np.random.default_rng(0).random(200) < 0.7
    found = compare(
        [(answers(targets, right, "n"), answers(targets, ~right, "o"))],
        make_suite(slices=("site",)),
        margin=0.1,
    )
    small = only(found, value="small")
    assert small.row["status"] == "suppressed"
    assert "estimate" not in small.row
    assert np.isnan([small.new, small.old]).all()
    assert small.non_inferior is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.slice(0, 239), "240 rows in the new run, 239 in the old"),
        (lambda t: t.drop_columns(["sex"]), "column 'sex' is in one of them alone"),
        (
            lambda t: t.set_column(2, "label", [["fear", *t["label"].to_pylist()[1:]]]),
            "'label' is not the same, first of target 't000000'",
        ),
    ],
)
def test_targets_that_differ_are_refused_and_the_difference_is_named(change, words):
    targets = people_of(30, 8)
    other = change(targets.table)
    columns = {name: other[name].to_pylist() for name in other.column_names if name != "target"}
    others = make_targets(columns)
    right = np.ones(240, bool)
    with pytest.raises(UserError) as refused:
        compare([(answers(targets, right, "n"), answers(others, right[: len(others)], "o"))], make_suite())
    assert str(refused.value) == (
        f"made: the targets differ: {words}. A comparison is of the same targets, row by row. "
        "Run or score both models on the same table."
    )


def test_the_false_discovery_rate_is_over_all_differences():
    rng = np.random.default_rng(8)
    targets = people_of(40, 8)
    pair = answers(targets, rng.random(320) < 0.75, "n"), answers(targets, rng.random(320) < 0.7, "o")
    found = compare([pair], make_suite(slices=("sex",)))
    rows = [each.row for each in found if each.row.get("p", np.nan) >= 0]
    assert len(rows) > 5
    assert [row["p_adjusted"] for row in rows] == pytest.approx(
        false_discovery_control([row["p"] for row in rows])
    )
    assert {row["family"] for row in rows} == {f"{len(rows)} differences"}


def test_rows_that_one_side_alone_could_not_decode_are_told():
    targets = people_of(30, 8)
    right = np.random.default_rng(1).random(240) < 0.7
    new, old = answers(targets, right, "n"), answers(targets, ~right, "o")
    status = ["decode_error" if i < 3 else "ok" for i in range(240)]
    said = [None if i < 3 else word for i, word in enumerate(old.predictions["predicted"].to_pylist())]
    old = make_cell(targets, {"status": status, "predicted": said}, model="o")
    (told,) = {only(compare([(new, old)], make_suite())).row["warning"].split(";")[0]}
    assert told == "not quite paired: 3 rows are decode errors on one side alone"


@pytest.mark.parametrize("metric", ["brier", "auroc/fear", "flip_rate", "precision/fear"])
def test_a_model_that_abstains_where_it_is_unsure_is_not_said_to_be_as_good(metric):
    """The same answers, but none where the larger probability is small: by what leaves out misses it looks better."""
    rng, rows = np.random.default_rng(7), 400
    targets = make_targets({
        "subject": [f"s{i // 10:03d}" for i in range(rows)],
        "clip": [f"c{i // 5}" for i in range(rows)],
        "frame": [i % 5 for i in range(rows)],
        "label": [LABELS[k] for k in rng.integers(0, 4, rows)],
    })  # fmt: skip
    shares = rng.dirichlet(np.ones(4), rows)
    given = [[float(v) for v in share] for share in shares]
    sure = [max(share) > 0.5 for share in given]
    columns = {f"p_{label}": [share[k] for share in given] for k, label in enumerate(LABELS)}
    some = {
        name: [v if ok else None for v, ok in zip(column, sure, strict=True)]
        for name, column in columns.items()
    }
    picky = make_cell(
        targets, {"status": ["ok" if ok else "abstained" for ok in sure], **some}, model="picky"
    )
    every = make_cell(targets, columns, model="all")
    found = only(compare([(picky, every)], make_suite(metrics=(metric,)), margin=0.9), metric)
    assert (found.non_inferior, found.equivalent) == ("inconclusive", "inconclusive")
    assert "not the same rows" in found.row["warning"]
    again = only(
        compare([(picky, replace(picky, model="twin"))], make_suite(metrics=(metric,)), margin=0.9), metric
    )
    assert "not the same rows" not in (again.row["warning"] or "")


def test_what_is_insufficient_is_shown_and_not_tested():
    targets = people_of(30, 8)
    rng = np.random.default_rng(2)
    pair = tuple(answers(targets, rng.random(240) < rate, name) for name, rate in (("n", 0.7), ("o", 0.4)))
    suite = make_suite(slices=("sex",), slice_rule={"clusters": 20})
    found = {e.row["value"]: e.row for e in compare([pair], suite) if e.row["metric"] == "accuracy"}
    assert found["male"]["status"] == "insufficient"
    assert np.isnan(found["male"]["p"])
    assert found["male"]["low"] < found["male"]["estimate"] < found["male"]["high"]
    assert "p_adjusted" not in found["male"]
    assert found[None]["p"] < 0.05


def test_units_that_lack_as_many_rows_as_others_are_not_the_same_rows():
    rng, rows = np.random.default_rng(3), 240
    truth = rng.uniform(0, 5, (2, rows))
    targets = make_targets(
        {"subject": [f"s{i // 8:02d}" for i in range(rows)], "au_01": list(truth[0]), "au_04": list(truth[1])},
        labels=(), label_space="", au_scale="intensity",
    )  # fmt: skip
    said = {f"au_{name}": [float(v) for v in row] for name, row in zip(("01", "04"), truth, strict=True)}
    holes = {name: [None if i < 30 else v for i, v in enumerate(said[name])] for name in said}
    pair = tuple(make_cell(targets, {**said, name: holes[name]}, model=name) for name in ("au_01", "au_04"))
    found = only(compare([pair], make_suite(metrics=("au_icc",)), margin=0.5), "au_icc")
    assert "not the same rows" in found.row["warning"]
    assert found.non_inferior == "inconclusive"
