"""The variance of a paired difference at a margin: likelihoods by scipy, rows counted by hand, verdicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import stdtrit

from bench.judge.comparison import compare
from bench.judge.margin import at_margin, differing
from bench.judge.metrics import expand
from bench.judge.score import Ground, read_cell
from bench.judge.sums import Sums
from tests.judge.made import LABELS, frame, judged, make_cell, make_suite, make_targets, random_cell

METRICS = ("accuracy", "uar", "recall", "false_positive_rate", "selection_rate", "macro_f1", "ccc_valence")


@pytest.mark.parametrize("seed", range(20))
def test_the_restricted_variance_is_that_of_the_likelihood(seed):
    rng = np.random.default_rng(seed)
    gained, lost, alike = rng.dirichlet([1, 1, 6])
    margin = rng.uniform(0.005, 0.4)

    def unlikely(x):
        return -(gained * np.log(x) + lost * np.log(x + margin) + alike * np.log(1 - 2 * x - margin))

    bounds = (1e-12, (1 - margin) / 2 - 1e-12)
    best = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    expected = (2 * best + margin - margin**2) / (gained + lost - (gained - lost) ** 2)
    assert at_margin(np.array([gained]), np.array([lost]), margin)[0] == pytest.approx(expected, rel=1e-5)


def test_a_sample_that_looks_better_than_the_margin_varies_more_there():
    gained, lost = np.array([0.05, 0.02, 0.0]), np.array([0.05, 0.1, 0.01])
    ratio = at_margin(gained, lost, 0.05)
    assert ratio[0] > 1 > ratio[1]
    assert ratio[2] > 4  # a row in a hundred differs, and at least five would


@pytest.mark.parametrize(
    ("gained", "lost", "margin"), [(0.0, 0.0, 0.1), (np.nan, np.nan, 0.1), (0.2, 0.1, 1.0), (0.2, 0.1, 3.0)]
)
def test_where_there_is_nothing_to_restrict_the_ratio_is_one(gained, lost, margin):
    assert at_margin(np.array([gained]), np.array([lost]), margin).tolist() == [1.0]


def by_hand(metric, new, old, keep):
    """The shares that one side alone has among the successes, row by row."""
    truth, said = new["label"], [side["decision"] for side in (new, old)]
    name, _, label = metric.partition("/")
    if name == "uar":
        each = [
            by_hand(f"recall/{label}", new, old, keep) for label in LABELS if (truth[keep] == label).any()
        ]
        return np.mean(each, axis=0)
    if name == "accuracy":
        hits, counted = [column == truth for column in said], keep
    elif name == "recall":
        hits, counted = [column == truth for column in said], keep & (truth == label)
    else:
        hits = [column == label for column in said]
        counted = keep & (truth != label) if name == "false_positive_rate" else keep
    return [(mine & ~other)[counted].mean() for mine, other in (hits, hits[::-1])]


def test_rows_that_differ_by_hand():
    new, old = random_cell(3, 700, 40), random_cell(3, 700, 40)
    rng = np.random.default_rng(5)
    said = [LABELS[rng.integers(0, 4)] if c and rng.random() < 0.3 else c
            for c in old.predictions["predicted"].to_pylist()]  # fmt: skip
    columns = {"status": old.predictions["status"], "predicted": said, "valence": old.predictions["valence"]}
    old = make_cell(new.targets, columns)
    ground = Ground(new.targets, make_suite(slices=("sex", "light"), metrics=METRICS))
    sums = [Sums(read_cell(cell, ground.metrics), ground.cut.strata, 0.0) for cell in (new, old)]
    frames = [frame(cell) for cell in (new, old)]
    counted = judged(frames[0], "label")
    for metric in expand(METRICS, LABELS):
        for one in ground.cut.slices:
            found = differing(metric, sums[0], sums[1], one)
            for v, value in enumerate(one.values):
                has = None if value == "unmeasured" else value
                keep = counted & (np.equal(frames[0][one.name], has) if one.name else True)
                if metric.name in ("macro_f1", "ccc_valence"):
                    assert np.isnan(found).all()
                else:
                    expected = by_hand(metric.name, *frames, np.asarray(keep))
                    assert [share[v] for share in found] == pytest.approx(expected, abs=1e-15)


def answers(targets, right, model):
    truth = [LABELS.index(label) for label in targets.table["label"].to_pylist()]
    said = [LABELS[k if good else (k + 1) % 4] for k, good in zip(truth, right, strict=True)]
    return make_cell(targets, {"predicted": said}, model=model)


@pytest.fixture
def close():
    """A model that loses four rows of 400, each of another person, and gains one."""
    persons, clips = 40, 10
    targets = make_targets({
        "subject": [f"s{i // clips:02d}" for i in range(persons * clips)],
        "label": [LABELS[i % 4] for i in range(persons * clips)],
    })  # fmt: skip
    old = np.arange(persons * clips) % 20 != 3
    new = old.copy()
    new[[0, 31, 82, 154]], new[3] = False, True
    return answers(targets, new, "n"), answers(targets, old, "o")


def test_a_verdict_takes_the_variance_at_the_margin(close):
    (found,) = compare([close], make_suite(metrics=("accuracy",)), margin=0.016)
    row, ratio = found.row, at_margin(np.array([1 / 400]), np.array([4 / 400]), 0.016)[0]
    half = (row["high"] - row["estimate"]) / stdtrit(row["df"], 0.975) * stdtrit(row["df"], 0.95)
    assert row["estimate"] == pytest.approx(-3 / 400)
    assert row["estimate"] - half > -0.016  # by the sample's own variance it would pass
    assert row["estimate"] - half * np.sqrt(ratio) < -0.016
    assert (found.non_inferior, found.equivalent) == ("inconclusive", "inconclusive")
    (wider,) = compare([close], make_suite(metrics=("accuracy",)), margin=0.03)
    assert (wider.non_inferior, wider.equivalent) == ("yes", "yes")


@pytest.mark.parametrize("margin", [0.008, 0.012, 0.016, 0.02, 0.03])
@pytest.mark.parametrize("turned", [False, True])
def test_where_less_is_better_losses_are_gains(close, margin, turned):
    """Where all rows are neutral, what is not right is a false positive, and the verdicts are the same."""
    persons = close[0].targets.table["subject"]
    targets = make_targets({"subject": persons, "label": ["neutral"] * len(persons)})
    right = [frame(cell)["decision"] == frame(cell)["label"] for cell in close]
    pair = tuple(answers(targets, each, name) for each, name in zip(right, "no", strict=True))
    suite = make_suite(metrics=("accuracy", "false_positive_rate/happiness"))
    found = compare([pair[::-1] if turned else pair], suite, margin=margin)
    one, other = ((each.non_inferior, each.equivalent) for each in found)
    assert found[0].row["estimate"] == pytest.approx(-found[1].row["estimate"])
    assert one == other


def test_without_a_margin_nothing_is_concluded(close):
    (found,) = compare([tuple(replace(cell) for cell in close)], make_suite(metrics=("accuracy",)))
    assert found.non_inferior is None
