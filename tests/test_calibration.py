"""The calibration benchmark itself: its truths are true, and it sees what is broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, recall_score

from bench.judge.metrics import METRICS
from benchmarks import calibration, calibration_tables
from benchmarks import calibration_draws as draws
from benchmarks.calibration_alarms import Alarm, Trial, alarms, planted
from benchmarks.calibration_coverage import Cell, Design, Share, alone, coverage, grid
from benchmarks.calibration_gates import gap_gate, non_inferiority
from benchmarks.calibration_groups import BETWEEN, WITHIN, between, simulate, within
from benchmarks.calibration_joint import Joint, Ranked, Rivals
from benchmarks.calibration_page import Measured, write
from benchmarks.calibration_pairs import LOSS, Pairing, answers, paired_alarms, paired_coverage

MIX = np.array(draws.MIX)


def rng(*words):
    return draws.generator(5, *words)


def anova_icc(hits, rows):
    """The intra-class correlation of clusters of equal size (Fleiss 1981, section 13.2)."""
    clusters = len(hits)
    share = hits / rows
    between_ = rows * ((share - share.mean()) ** 2).sum() / (clusters - 1)
    inside = (hits * (1 - share)).sum() / (clusters * (rows - 1))
    return (between_ - inside) / (between_ + (rows - 1) * inside)


@pytest.mark.parametrize("icc", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("rate", [0.5, 0.95])
def test_rate_and_icc_are_what_they_are_said_to_be(rate, icc):
    clusters = 40_000
    skill = draws.skills(rng(rate, icc), rate, icc, (clusters,))
    hits = draws.hits(rng(rate, icc, "hits"), np.full(clusters, 15), skill)[:, 0, 0]
    # Rows of a cluster correlate: 1 + 14 ICC is the design effect of the rate.
    error = np.sqrt(rate * (1 - rate) / (15 * clusters) * (1 + 14 * icc))
    assert hits.sum() / (15 * clusters) == pytest.approx(rate, abs=4 * error)
    assert anova_icc(hits, 15) == pytest.approx(icc, abs=0.012)
    if not icc:
        assert (skill == rate).all()


def test_sizes_are_what_they_are_said_to_be():
    unequal = draws.sizes(rng(), "unequal", (100_000,))
    assert (unequal.min(), unequal.max()) == (5, 40)
    assert unequal.mean() == pytest.approx(14.7, abs=0.15)
    assert (draws.sizes(rng(), "equal", (3, 2)) == 15).all()


@pytest.mark.parametrize("rate", [0.5, 0.7, 0.95])
def test_truths_of_label_metrics_are_those_of_scikit_learn(rate):
    confusion = draws.expected(rate, MIX)
    truth, said = np.divmod(np.arange(confusion.size), 5)
    weights = confusion.ravel()
    expected = {
        "uar": recall_score(truth, said, labels=range(4), average="macro", sample_weight=weights),
        "macro_f1": f1_score(truth, said, labels=range(4), average="macro", sample_weight=weights),
        "kappa": cohen_kappa_score(truth, said, sample_weight=weights),
    }
    assert expected["uar"] == pytest.approx(rate, abs=1e-12)
    for metric, value in expected.items():
        assert draws.label_truth(metric, rate) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("icc", [0.0, 0.2])
def test_confusions_are_drawn_from_the_expected_one(icc):
    rows = draws.sizes(rng(), "unequal", (40_000,))
    found = draws.confusions(rng(icc), rows, draws.skills(rng(icc), 0.7, icc, rows.shape), 0.7, MIX)
    assert (found.sum(axis=(1, 2)) == rows).all()
    np.testing.assert_allclose(found.sum(axis=0) / rows.sum(), draws.expected(0.7, MIX), atol=0.004)


@pytest.mark.parametrize("ccc", [0.5, 0.95])
@pytest.mark.parametrize("icc", [0.0, 0.2])
def test_truths_of_valence_are_those_of_many_rows(ccc, icc):
    rows = np.full((20, 2_000), 15)
    found = draws.affect(rng(ccc, icc), rows, ccc, icc, np.arange(2_000))
    for metric in ("ccc_valence", "pcc_valence", "rmse_valence", "bias_valence"):
        value = METRICS[metric].finish(found.sum(axis=(0, 1)))
        assert value == pytest.approx(draws.affect_truth(metric, ccc), abs=0.01)
    # The mean error of a cluster varies by noise^2 (icc + (1 - icc) / rows).
    error = (found[..., 2] - found[..., 1]) / 15
    noise = draws.affect_truth("rmse_valence", ccc) ** 2 - draws.BIAS**2
    assert error.var() == pytest.approx(noise * (icc + (1 - icc) / 15), rel=0.05)


def test_moments_are_those_of_the_metric():
    found = draws.affect(rng(), np.array([[3, 4]]), 0.7, 0.0, np.arange(2))[0]
    assert (found[:, 0] == [3, 4]).all()
    # (x - y)^2 = x^2 - 2 x y + y^2, and |x - y| bounds it.
    np.testing.assert_allclose(found[:, 8], found[:, 3] - 2 * found[:, 5] + found[:, 4], atol=1e-12)
    assert (found[:, 6] ** 2 <= found[:, 0] * found[:, 8]).all()


def test_coverage_sees_that_rows_are_no_clusters():
    cells = {cell.metric: cell for cell in coverage(Design(30, 0.7, 0.2, "equal"), {"proportion": 2_000}, 1)}
    assert 0.93 < cells["accuracy"].held.value < 0.975
    assert cells["naive"].held.value < 0.8


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_every_kind_of_interval_is_simulated(sizes):
    sets = {"proportion": 400, "labels": 400, "affect": 400}
    found = {cell.metric: cell for cell in coverage(Design(30, 0.7, 0.05, sizes), sets, 1)}
    kinds = {kind for cell in found.values() for kind in cell.methods}
    assert kinds > {"wilson-clustered", "jackknife-logit", "jackknife-atanh", "jackknife-log", "jackknife"}
    for name, cell in found.items():
        assert cell.none.of == 400 or name == "naive"
        assert cell.held.value > 0.9 or name == "naive"


def test_too_few_clusters_have_no_interval():
    (cell, _) = coverage(Design(4, 0.7, 0.05, "equal"), {"proportion": 50}, 1)
    assert (cell.none, cell.held) == (Share(50, 50), Share(0, 0))


@pytest.mark.parametrize("metric", ["accuracy", "uar"])
def test_rows_alone_are_covered(metric):
    cell = alone(metric, 0.7, 200, 400, 1)
    assert cell.held.of == 400
    assert 0.92 < cell.held.value < 0.98


def rates(layout, sets=60):
    found = simulate(rng(), "accuracy", layout, 0.7, sets)[:, :, 0].sum(axis=0)
    hits = np.bincount(layout.group, found[:, 0])
    return hits / np.bincount(layout.group, found.sum(axis=1))


@pytest.mark.parametrize("design", BETWEEN)
@pytest.mark.parametrize("groups", [2, 6])
def test_groups_between_clusters_have_one_truth(design, groups):
    layout = between(design, groups)
    assert len(np.unique(layout.cluster)) == len(layout.cluster)
    np.testing.assert_allclose(rates(layout), 0.7, atol=0.05)
    found = rates(layout.plant(0.2))
    np.testing.assert_allclose(found - 0.7, np.where(np.arange(groups) == 0, -0.2, 0.0), atol=0.05)


@pytest.mark.parametrize("design", WITHIN)
@pytest.mark.parametrize("groups", [2, 6, 30])
def test_groups_within_clusters_have_one_truth(design, groups):
    layout = within(design, groups, 60)
    per_cluster = np.bincount(layout.cluster)
    assert (per_cluster == (5 if groups == 30 else groups)).all()
    assert (np.bincount(layout.group) == (10 if groups == 30 else 60)).all()
    np.testing.assert_allclose(rates(layout), 0.7, atol=0.08)


def test_a_class_mix_leaves_uar_alone():
    layout = between("class mix", 2)
    found = simulate(rng(), "uar", layout, 0.7, 200)
    pooled = np.stack([found[:, layout.group == g].sum(axis=(0, 1)) for g in (0, 1)])
    np.testing.assert_allclose(METRICS["uar"].finish(pooled), 0.7, atol=0.01)
    assert abs(np.subtract(*METRICS["accuracy"].finish(pooled))) > 0.05


@pytest.mark.parametrize("kind", ["between", "within"])
def test_alarms_are_few_without_and_many_with_a_gap(kind):
    layout = between("equal", 6) if kind == "between" else within("equal", 6, 30)
    trial = Trial("equal", kind, "accuracy", 0.7, layout, 60, 99)
    quiet = list(alarms(trial, 1))
    assert [alarm.test for alarm in quiet] == ["gap", "all pairs", "group - rest"]
    assert all(alarm.every.of == 60 and alarm.every.value < 0.2 for alarm in quiet)
    loud = list(alarms(replace(trial, layout=layout.plant(0.3)), 1))
    assert all(alarm.every.value > 0.9 for alarm in loud)


def test_alarms_beside_a_caution_are_no_unwarned_ones():
    trial = Trial("all of these", "between", "rmse_valence", 0.7, between("all of these", 2), 60, 99)
    found = list(alarms(trial, 1))
    # All of such data sets carry a caution, and none is one without.
    assert all(alarm.unwarned.of == 0 for alarm in found)
    assert all(alarm.ruled.of == 60 for alarm in found)
    alike = Trial("equal", "between", "accuracy", 0.7, between("equal", 2).plant(0.3), 60, 99)
    for alarm in alarms(alike, 1):
        assert alarm.unwarned == alarm.ruled
        assert alarm.ruled.count > 45


def test_a_miss_is_drawn_anew_with_four_times_the_data_sets():
    quiet = Trial("equal", "within", "accuracy", 0.7, within("equal", 2, 30), 100, 99)
    assert not any(alarm.trial.anew for alarm in calibration.confirmed(quiet, 1))
    loud = calibration.confirmed(replace(quiet, layout=quiet.layout.plant(0.3)), 1)
    assert all(alarm.trial.anew and alarm.every.of == 400 for alarm in loud)
    assert "| equal * |" in calibration_tables.alarm_table(loud)
    assert "| equal |" in calibration_tables.alarm_table(calibration.confirmed(quiet, 1))


def test_groups_below_the_rule_are_not_compared():
    found = list(alarms(Trial("small", "between", "accuracy", 0.7, between("small", 2), 20, 99), 1))
    assert {alarm.compared for alarm in found} == {0.0}
    assert all(alarm.ruled.of == 0 and alarm.every.of == 20 for alarm in found)


def test_a_planted_loss_is_found():
    found = planted(Trial("equal", "between", "accuracy", 0.8, between("equal", 2), 60, 99), 0.2, 1)
    assert abs(found.bias) < 4 * found.error
    assert found.power.value > 0.9 < found.named.value
    assert found.held.value > 0.85


def test_answers_lose_what_is_said():
    rows = np.full((2_000, 30, 1), 15)
    found = answers(rng(), rows, 0.7, 0.2, LOSS)
    assert found.old.sum() / rows.sum() == pytest.approx(0.7, abs=0.01)
    assert (found.old - found.new).sum() / rows.sum() == pytest.approx(LOSS, abs=0.003)
    assert (found.both <= np.minimum(found.old, found.new)).all()
    assert (found.old + found.new - found.both <= rows).all()
    # Far more rows are right in both than chance alone makes: .7 * .67 = .47.
    assert found.both.sum() / rows.sum() > 0.55


@pytest.mark.parametrize("metric", ["accuracy", "uar"])
def test_paired_differences_are_covered(metric):
    found = paired_coverage(Design(20, 0.7, 0.05, "equal"), metric, 150, 199, 1)
    assert found.held.of + found.none.count == 150
    assert found.held.value > 0.88
    assert paired_alarms(between("equal", 2), 0.7, 60, 99, 1).value < 0.2


def test_gates_on_rows_pass_far_too_often():
    sets = {"proportion": 2_000, "labels": 300}
    found = {gate.rule: gate.passed for gate in non_inferiority(Design(30, 0.7, 0.2, "equal"), sets, 1)}
    assert found["accuracy"].value < 0.07
    assert found["accuracy, rows as if independent"].value > 0.12
    assert found["UAR"].value < 0.09
    assert gap_gate("equal", 2, 0.7, 1_000, 1).passed.value < 0.06


def test_the_same_seed_gives_the_same_page_and_another_does_not():
    design, sets = Design(5, 0.5, 0.05, "unequal"), {"proportion": 200, "labels": 50, "affect": 50}
    first = list(coverage(design, sets, 1))
    assert first == list(coverage(design, sets, 1)) != list(coverage(design, sets, 2))


def made(missed=frozenset()):
    """A finished simulation in which everything is well but what is named."""
    well, nothing = Share(950, 1_000), Share(0, 1_000)

    def cell(design, metric):
        share = Share(880, 1_000) if (metric, design) in missed else well
        return Cell(design, metric, share, share, nothing, Share(50, 1_000), ("wilson-clustered",))

    cells = [cell(design, metric) for design in grid() for metric in ("accuracy", "naive")]
    pairings = [Pairing(design, "accuracy", well, nothing) for design in grid()]
    gates = list(non_inferiority(Design(5, 0.5, 0.0, "equal"), {"proportion": 20, "labels": 20}, 1))
    trial = Trial("equal", "between", "accuracy", 0.7, between("equal", 2), 20, 99)
    many = Share(200, 1_000) if "alarms" in missed else Share(50, 1_000)
    double = {"metric": "accuracy", "loss": 0.1, "estimate": -0.1, "low": -0.2, "high": 0.0, "p": 0.04}
    return Measured(
        1, 1.0, 99, cells, cells[:1], pairings, [("equal", 2, 0.7, well)], gates, gates,
        [planted(trial, 0.1, 1)], [double], [Alarm(trial, "gap", many, many, many, 2.0)],
        Joint(500, [Ranked(Rivals("uar", 50, (0.0,) * 3), Share(400, 500), well, 0.9, anew=True)] * ("ranks" in missed)
              + [Ranked(Rivals("uar", 91, (0.0,) * 3), Share(470, 500), well, 0.9)], []),
    )  # fmt: skip


def test_the_page_names_every_miss():
    design = Design(20, 0.7, 0.05, "equal")
    page = write(made({("accuracy", design), "alarms", "ranks"}))
    assert "## Misses without a warning: 3" in page
    assert "- ranks of `uar` 0.7, 50 clusters, 3 models, equal truth: 80.0 % of 500 data sets" in page
    assert (
        "- coverage of `accuracy`, 20 clusters, equal, rate 0.7, ICC 0.05: 88.0 % of 1,000 reportable ones"
        in page
    )
    assert "- false alarms of gap, 2 groups between clusters, equal, `accuracy` 0.7: 20.0 % of 1,000" in page
    assert page.count("**88.0**") == 1
    assert "## Misses without a warning: 0" in write(made())


def test_too_wide_and_warned_cells_are_marked():
    design, nothing = Design(5, 0.7, 0.05, "equal"), Share(0, 0)

    def verdict(held, trusted):
        return calibration_tables.verdict(Cell(design, "uar", held, trusted, nothing, nothing))

    assert verdict(Share(995, 1_000), nothing) == "wide"
    assert verdict(Share(880, 1_000), nothing) == "warned"
    assert verdict(Share(950, 1_000), Share(880, 1_000)) == "miss"
    assert verdict(Share(920, 1_000), Share(925, 1_000)) == ""  # within two errors of .93
    assert verdict(Share(950, 1_000), Share(30, 50)) == ""  # too few data sets to say


def test_what_is_missed_and_not_known_ends_with_1(tmp_path, monkeypatch):
    missed = frozenset({("accuracy", Design(20, 0.7, 0.05, "equal"))})
    known, out = tmp_path / "known.md", tmp_path / "out.md"

    def end(found, before):
        known.write_text(write(before), encoding="utf-8")
        monkeypatch.setattr(calibration, "measure", lambda scale, seed: found)
        monkeypatch.setattr("sys.argv", ["calibration", "--out", str(out), "--known", str(known)])
        calibration.main()

    with pytest.raises(SystemExit, match="not known:\ncoverage of `accuracy`, 20 clusters, equal"):
        end(made(missed), made())
    assert "**88.0**" in out.read_text(encoding="utf-8")
    end(made(missed), made(missed))
    end(made(), made())
