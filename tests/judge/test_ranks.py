"""Rows of ranks against draws made by hand, planted truth, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kurtosis, norm, rankdata
from scipy.stats import t as student

from bench import workflow
from bench.folder import write_json
from bench.judge import ranks
from bench.judge.audit import audit
from bench.judge.bootstrap import draw
from bench.judge.contrasts import METHOD, contrast
from bench.judge.influence import Influence
from bench.judge.metrics import METRICS
from bench.judge.score import judge
from bench.track.names import metric_name
from tests.judge.conditions import Made, suite
from tests.judge.made import LABELS, make_cell, make_suite, make_targets
from tests.judge.scored import change_estimates, finished

LOSSES = {"best": 0.0, "good": 0.02, "fair": 0.12, "poor": 0.3}


def cells_of(made, losses=LOSSES, **fields):
    """A cell a model, each losing a share of right answers; of good and fair other rows than of the rest."""
    found = {}
    for name, loss in losses.items():
        luck = np.random.default_rng(sum(map(ord, name))).random(len(made.truth))
        right = np.where(luck < 0.3, luck / 0.3, made.luck) < made.skill - loss
        found[name] = made.cell(np.where(right, made.truth, (made.truth + 1) % 4), model=name, **fields)
    return found


def ranked(cells, asked, models=None):
    table = judge(cells.values(), asked, ranked=cells if models is None else models)
    return [row for row in table.to_pylist() if row["kind"] == "rank"]


def of(rows, metric="accuracy"):
    return {row["model"]: row for row in rows if row["metric"] == metric}


def hits(cell):
    return np.array(cell.predictions["predicted"]) == np.array(cell.targets.table["label"])


def test_ranks_and_ranges_are_those_of_persons_drawn_by_hand():
    made = Made(1)
    cells = cells_of(made)
    found = of(ranked(cells, suite(seed=9)))
    right = np.stack([np.bincount(made.subject, hits(cell)) for cell in cells.values()], axis=1) / 8
    value = right.mean(axis=0)
    assert [found[m]["estimate"] for m in cells] == rankdata(-value, method="min").tolist()
    weights = np.concatenate(list(draw(made.targets.table["subject"], 9).counts()))
    drawn = weights @ right / 60
    pairs = list(combinations(range(4), 2))
    apart = {(a, b): value[a] - value[b] for a, b in pairs}
    sd = {(a, b): (drawn[:, a] - drawn[:, b]).std(ddof=1) for a, b in pairs}
    errors = [abs(drawn[:, a] - drawn[:, b] - apart[a, b]) / sd[a, b] for a, b in pairs]
    highest = np.sort(np.max(errors, axis=0))[int(np.ceil(0.95 * 2001)) - 1]
    # equal persons are worth as many as there are but for the kurtosis of their differences
    excess = {(a, b): max(kurtosis(right[:, a] - right[:, b], bias=False), 0) for a, b in pairs}
    df = {p: 59 / (1 + 59 / 120 * excess[p]) for p in pairs}
    reach = {p: student.ppf(norm.cdf(highest), df[p]) * np.sqrt(1 + 1 / df[p]) for p in pairs}
    for k, name in enumerate(cells):
        sure = [np.sign(apart[p]) * (1 if p[0] == k else -1) for p in pairs
                if k in p and abs(apart[p]) > reach[p] * sd[p]]  # fmt: skip
        row = found[name]
        assert (row["low"], row["high"]) == (1 + sure.count(-1), 4 - sure.count(1)), name
        assert row["method"] == "cluster bootstrap, 2,000 shared draws"
        assert (row["reference"], row["family"]) == (None, "4 models")
        assert (row["n"], row["clusters"], row["level"], row["side"]) == (480, 60, 0.95, "two-sided")
        assert (row["status"], row["warning"], row["role"]) == ("reportable", None, "exploratory")
    # the near tie is told from neither, the others are told apart
    assert (found["best"]["low"], found["good"]["high"], found["poor"]["low"]) == (1, 2, 4)


def test_what_cannot_be_drawn_is_compared_by_contrasts(monkeypatch):
    monkeypatch.setattr(ranks, "can_draw", lambda *_: False)
    made = Made(2, persons=15)
    cells = cells_of(made)
    rows = of(ranked(cells, suite()))
    share = np.stack([np.bincount(made.subject, hits(cell)) for cell in cells.values()], axis=1) / 8
    pull = np.sqrt(15 / 14) * (share - share.mean(axis=0)) / 15
    both = Influence(share.mean(axis=0), pull, np.ones(15, int), np.full(4, 15), np.arange(15))
    weights = np.array([[(k == a) - (k == b) for k in range(4)] for a, b in combinations(range(4), 2)], float)
    found = contrast(both, weights, 0.95, 0, 999)
    for k, name in enumerate(cells):
        ahead = sum((found.high < 0)[weights[:, k] == 1]) + sum((found.low > 0)[weights[:, k] == -1])
        assert rows[name]["low"] == 1 + ahead
        assert rows[name]["method"] == METHOD
        assert rows[name]["status"] == "insufficient"
    assert rows["poor"]["low"] > 1


def test_fewer_than_five_persons_have_ranks_without_ranges():
    made = Made(3, persons=4, attributes_public=True)
    rows = of(ranked(cells_of(made), suite()))
    assert sorted(row["estimate"] for row in rows.values())[0] == 1
    for row in rows.values():
        assert (row["low"], row["high"], row["method"], row["side"]) == (None,) * 4
        assert "fewer than 5 clusters" in row["warning"]


def test_what_is_asked_and_has_a_better_side_is_ranked():
    made = Made(1)
    guess = np.random.default_rng(0).uniform(-1, 1, (2, len(made.truth)))
    cells = {
        name: made.cell(made.answers(0.1 * k), model=name, valence=guess[k]) for k, name in enumerate("ab")
    }
    assert list(of(ranked(cells, make_suite()), "uar")) == ["a", "b"]
    asked = {row["metric"] for row in ranked(cells, make_suite())}
    assert asked == {"accuracy", "uar", "macro_f1", "ccc_valence"}
    named = ("rmse_valence", "bias_valence", "recall", "selection_rate", "coverage", "kappa")
    rows = ranked(cells, make_suite(metrics=named))
    assert {row["metric"] for row in rows} == {"rmse_valence", "kappa"}
    error = [np.sqrt(np.mean((np.array(made.targets.table["valence"]) - g) ** 2)) for g in guess]
    assert [row["estimate"] for row in of(rows, "rmse_valence").values()] == rankdata(error).tolist()


def test_what_is_no_skill_is_not_ranked():
    named = make_suite(metrics=("jitter", "flip_rate", "coverage", "label_agreement", "au_f1", "ece"))
    assert [name for name in named.metrics if ranks.ranks(METRICS[name], named)] == ["au_f1", "ece"]


def test_whom_to_rank_the_caller_decides_and_nothing_else_changes():
    cells = cells_of(Made(1))
    plain = judge(cells.values(), suite(slices=("sex",))).to_pylist()
    rows = judge(cells.values(), suite(slices=("sex",)), ranked=("best", "fair", "poor")).to_pylist()
    assert [row for row in rows if row["kind"] != "rank"] == plain
    found = of([row for row in rows if row["kind"] == "rank"])
    assert {name: row["estimate"] for name, row in found.items()} == {"best": 1, "fair": 2, "poor": 3}
    assert found["best"]["family"] == "3 models"
    assert not ranked(cells, suite(), models=("best",))
    assert not ranked(cells, suite(), models=())


def test_ranks_do_not_depend_on_the_order_of_cells():
    cells = cells_of(Made(1))
    turned = {name: cells[name] for name in reversed(cells)}
    by_model = {row["model"]: row for row in ranked(turned, suite())}
    assert by_model == of(ranked(cells, suite()))


def test_a_model_that_is_another_one_shares_its_rank():
    made = Made(1)
    cells = cells_of(made, {"best": 0.0, "poor": 0.3})
    twin = replace(cells["best"], model="twin")
    rows = of(ranked({**cells, "twin": twin}, suite()))
    assert [(row["estimate"], row["low"], row["high"]) for row in rows.values()] == [
        (1, 1, 2), (3, 3, 3), (1, 1, 2),
    ]  # fmt: skip
    assert "the same" in rows["twin"]["warning"]
    # of two that are one nothing is known, and that is said
    alone = of(ranked({"best": cells["best"], "twin": twin}, suite()))
    assert [(row["estimate"], row["low"], row["method"]) for row in alone.values()] == [(1, None, None)] * 2


def test_models_that_were_judged_on_different_rows_are_not_ranked():
    made = Made(1)
    cells = cells_of(made)
    unread = np.where(np.arange(480) == 7, "decode_error", "ok")
    predicted = [None if status != "ok" else word for word, status in
                 zip(cells["good"].predictions["predicted"].to_pylist(), unread, strict=True)]  # fmt: skip
    columns = {"predicted": predicted, "status": unread}
    rows = of(ranked({**cells, "good": make_cell(made.targets, columns, model="good")}, suite()))
    for row in rows.values():
        assert (row["estimate"], row["low"], row["n"], row["status"]) == (None, None, None, "insufficient")
        assert row["warning"].startswith("not ranked: models are judged on different rows")
    # where nobody could read it, it is no one's
    same = {name: make_cell(made.targets, {**columns, "predicted": predicted}, model=name) for name in "ab"}
    assert [row["n"] for row in of(ranked(same, suite())).values()] == [479, 479]


def test_a_model_does_not_climb_by_failing():
    made = Made(1)
    cells = cells_of(made, {"a": 0.0, "b": 0.1})
    # b answers only where it is right
    right = hits(cells["b"])
    columns = {"predicted": np.where(right, np.array(cells["b"].predictions["predicted"]), None),
               "valence": np.where(right, 0.1 * made.luck, np.nan),
               "status": np.where(right, "ok", "abstained")}  # fmt: skip
    cells["b"] = make_cell(made.targets, columns, model="b")
    cells["a"] = made.cell(made.answers(0.0), model="a", valence=made.luck)
    rows = ranked(cells, suite(metrics=("accuracy", "rmse_valence", "rmse_valence_covered")))
    assert {row["estimate"] for row in of(rows).values()} == {1, 2}
    assert {row["estimate"] for row in of(rows, "rmse_valence").values()} == {1, 2}
    for row in of(rows, "rmse_valence_covered").values():
        assert row["estimate"] is None
        assert row["warning"].startswith("not ranked: a model misses rows")


def test_an_undefined_value_has_no_rank_and_takes_none():
    made = Made(1)
    x = np.array(made.targets.table["valence"])
    noise = np.random.default_rng(5).normal(0, 0.1, (2, len(x)))
    guesses = {"flat": np.zeros(len(x)), "near": x + noise[0], "far": x + 2 * noise[1]}
    cells = {name: made.cell(made.truth, model=name, valence=guess) for name, guess in guesses.items()}
    rows = of(ranked(cells, suite(metrics=("ccc_valence",))), "ccc_valence")
    assert (rows["flat"]["estimate"], rows["flat"]["family"]) == (None, None)
    assert rows["flat"]["warning"].startswith("not ranked: the value is undefined")
    assert [rows[name]["estimate"] for name in ("near", "far")] == [1, 2]
    assert rows["near"]["family"] == "2 models"
    del cells["far"]
    alone = of(ranked(cells, suite(metrics=("ccc_valence",))), "ccc_valence")
    assert alone["near"]["warning"].startswith("not ranked: fewer than two models")


def test_conditions_are_ranked_apart_and_forgotten_at_once(monkeypatch):
    made = Made(1)
    kept = []
    seen = ranks.Ranking.add
    monkeypatch.setattr(
        ranks.Ranking, "add", lambda self, *parts: (seen(self, *parts), kept.append(len(self._waiting)))
    )
    cells = [replace(cell, severity=severity, condition=name, where="crop" if severity else None)
             for name, severity in (("clean", 0), ("low_light", 1), ("low_light", 3), ("sensor_noise", 2))
             for cell in cells_of(made, {"a": 0.0, "b": 0.2 if severity == 1 else -0.2}).values()]  # fmt: skip
    rows = judge(cells, suite(), ranked=("a", "b")).to_pylist()
    found = {(r["condition"], r["severity"], r["model"]): r["estimate"] for r in rows if r["kind"] == "rank"}
    assert len(found) == 8
    assert (found["low_light", 1, "a"], found["low_light", 3, "a"], found["clean", 0, "a"]) == (1, 2, 2)
    assert kept == [1, 0] * 4
    partly = [r for r in judge(cells[:-1], suite(), ranked=("a", "b")).to_pylist() if r["kind"] == "rank"]
    assert len(partly) == 7
    for r in partly:
        alone = r["condition"] == "sensor_noise"
        assert r["estimate"] == (None if alone else found[r["condition"], r["severity"], r["model"]])
        assert alone == (r["warning"] or "").startswith("not ranked: fewer than two models have a value")


def test_rows_that_are_their_own_clusters():
    # Paired row by row: the difference of two accuracies is known from the rows on which they differ alone.
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 4, 900)
    targets = make_targets({"label": [LABELS[k] for k in truth]}, cluster_unit="clip")
    right = rng.random(900) < 0.7
    worse = right & (rng.random(900) > 0.05)
    said = {name: [LABELS[k] for k in np.where(mask, truth, (truth + 1) % 4)]
            for name, mask in (("a", right), ("b", worse))}  # fmt: skip
    cells = {name: make_cell(targets, {"predicted": words}, model=name) for name, words in said.items()}
    rows = of(ranked(cells, suite(slices=())))
    assert [(row["estimate"], row["low"], row["high"]) for row in rows.values()] == [(1, 1, 1), (2, 2, 2)]
    assert rows["a"]["method"] == METHOD
    assert "independence of clips is assumed" in rows["a"]["warning"]


def test_random_groups_have_the_variance_of_their_clusters(monkeypatch):
    monkeypatch.setattr(ranks, "MOST_FOR_MOMENTS", 1000)
    monkeypatch.setattr(ranks, "_GROUPS", 500)
    # sorted, and in step with any number of groups: what fixed groups would stumble over
    pull = np.tile(np.r_[np.linspace(-2, 1, 10), np.linspace(0, 1, 10)], 1000)
    pull -= pull.mean()
    whole = Influence(np.zeros(1), pull[:, None], np.ones(20_000, int), np.array([20_000]), np.arange(20_000))
    found = [ranks._grouped(whole, seed).variance(np.eye(1))[0] for seed in range(40)]
    exact = (pull**2).sum()
    assert np.mean(found) / exact == pytest.approx(1 - 1 / 500, abs=4 * np.sqrt(2 / 500 / 40))
    assert np.std(found) / exact == pytest.approx(np.sqrt(2 / 500), rel=0.4)
    few = replace(whole, pull=whole.pull[:1000], cluster=np.arange(1000))
    assert ranks._grouped(few, 0) is few


def test_very_many_rows_are_ranked_in_groups(monkeypatch):
    monkeypatch.setattr(ranks, "MOST_FOR_MOMENTS", 400)
    monkeypatch.setattr(ranks, "_GROUPS", 200)
    made = Made(1)
    facts = {"cluster_unit": "clip"}
    targets = make_targets({"label": [LABELS[k] for k in made.truth]}, **facts)
    cells = {name: replace(cell, targets=targets) for name, cell in cells_of(made).items()}
    rows = of(ranked(cells, suite(slices=())))
    assert (rows["poor"]["low"], rows["poor"]["high"], rows["best"]["low"]) == (4, 4, 1)
    assert rows["poor"]["clusters"] == 480


@pytest.mark.usefixtures("no_report")
def test_the_audit_finds_a_rank_that_is_not_so(tmp_path: Path):
    asked = ("accuracy", "uar", "false_positive_rate/fear", "mcc", "precision")
    run = finished(tmp_path, slices=("sex",), metrics=asked)  # ranks are of all rows
    honest = audit(run.path)
    assert honest.agrees
    assert honest.compared["kind rank"] == 6

    def swap(rows):
        return [{**row, "estimate": 3 - row["estimate"]} if row["kind"] == "rank" else row for row in rows]

    before = run.estimates.read_bytes()
    change_estimates(run, swap)
    assert [d.row["kind"] for d in audit(run.path).differences] == ["rank"] * 6
    run.estimates.write_bytes(before)
    change_estimates(
        run, lambda rows: [row | {"estimate": None} if row["kind"] == "rank" else row for row in rows]
    )
    assert audit(run.path).not_audited["kind rank, not ranked"] == 6
    # a double is no model, so that the other one has no rival
    run.estimates.write_bytes(before)
    plan = {
        **run.plan,
        "models": [{**model, "double": model["name"] == "soft"} for model in run.plan["models"]],
    }
    write_json(run.path / "run.json", plan)
    assert {d.row["kind"] for d in audit(run.path).differences} == {"rank"}
    workflow.finish(run)
    assert "kind rank" not in audit(run.path).compared
    assert audit(run.path).agrees


def test_the_name_in_mlflow_does_not_change_with_the_number_of_models():
    rows = ranked(cells_of(Made(1)), suite())
    assert {metric_name(row) for row in rows} == {"rank/accuracy"}
