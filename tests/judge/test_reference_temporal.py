"""Metrics that follow frames against a second source: published code and data, other libraries, plain loops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.distance import cityblock
from scipy.stats import pearsonr
from sklearn.metrics import hamming_loss, mean_absolute_error

from bench.judge.comparison import compare
from bench.judge.score import judge
from tests.judge.followed import frames_cell, sums, value
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, row
from tests.judge.test_temporal import random_cell

SEEDS = pytest.mark.parametrize("seed", range(4))

# pH and PaCO2 of eight critically ill patients: Bland, Altman 1995, BMJ 310, p. 446, table I.
PATIENTS = {
    "1": [(6.68, 3.97), (6.53, 4.12), (6.43, 4.09), (6.33, 3.97)],
    "2": [(6.85, 5.27), (7.06, 5.37), (7.13, 5.41), (7.17, 5.44)],
    "3": [(7.40, 5.67), (7.42, 3.64), (7.41, 4.32), (7.37, 4.73), (7.34, 4.96), (7.35, 5.04), (7.28, 5.22),
          (7.30, 4.82), (7.34, 5.07)],
    "4": [(7.36, 5.67), (7.33, 5.10), (7.29, 5.53), (7.30, 4.75), (7.35, 5.51)],
    "5": [(7.35, 4.28), (7.30, 4.44), (7.30, 4.32), (7.37, 3.23), (7.27, 4.46), (7.28, 4.72), (7.32, 4.75),
          (7.32, 4.99)],
    "6": [(7.38, 4.78), (7.30, 4.73), (7.29, 5.12), (7.33, 4.93), (7.31, 5.03), (7.33, 4.93)],
    "7": [(6.86, 6.85), (6.94, 6.44), (6.92, 6.52)],
    "8": [(7.19, 5.28), (7.29, 4.56), (7.21, 4.34), (7.25, 4.32), (7.20, 4.41), (7.19, 3.69), (6.77, 6.09),
          (6.82, 5.58)],
}  # fmt: skip


def published_f1(said, truth, overlap=0.5, background=None):
    """``f_score`` of Lea et al., TemporalConvolutionalNetworks/code/metrics.py, as published with the paper."""

    def segments(codes):
        ends = np.flatnonzero(np.diff(codes) != 0) + 1
        places = [0, *ends, len(codes)]
        labels = [codes[place] for place in places[:-1]]
        return labels, list(pairwise(places))

    true_labels, true = segments(truth)
    pred_labels, pred = segments(said)
    if background is not None:
        pred = [one for one, label in zip(pred, pred_labels, strict=True) if label != background]
        pred_labels = [label for label in pred_labels if label != background]
    tp = fp = 0
    used = np.zeros(len(true))
    for (start, end), label in zip(pred, pred_labels, strict=True):
        intersection = np.minimum(end, [e for _, e in true]) - np.maximum(start, [s for s, _ in true])
        union = np.maximum(end, [e for _, e in true]) - np.minimum(start, [s for s, _ in true])
        iou = (1.0 * intersection / union) * [label == other for other in true_labels]
        best = iou.argmax()
        if iou[best] >= overlap and not used[best]:
            tp += 1
            used[best] = 1
        else:
            fp += 1
    return tp, fp, len(true) - int(used.sum())


def codes(text):
    return np.array(["abcd".find(letter) for letter in text])


@SEEDS
def test_segment_agreement_is_the_published_f1_at_50(seed):
    truth, said = random_cell(seed, clips=50, long=24)
    counts = np.sum([
        published_f1(codes(said[clip]), codes(text), background=-1) for clip, text in truth.items()
    ], axis=0)  # fmt: skip
    tp, fp, fn = counts
    assert tp > 50
    assert value(frames_cell(truth, said), "segment_agreement") == pytest.approx(
        2 * tp / (2 * tp + fp + fn), abs=1e-12
    )


@SEEDS
def test_flips_are_the_hamming_distance_of_a_sequence_to_itself_one_later(seed):
    truth, said = random_cell(seed)
    said = {clip: text.replace("-", "a") for clip, text in said.items()}
    now = [letter for text in said.values() for letter in text[1:]]
    then = [letter for text in said.values() for letter in text[:-1]]
    assert value(frames_cell(truth, said), "flip_rate") == pytest.approx(hamming_loss(then, now), abs=1e-12)


def plain_onsets(truth, said):
    """Lags of onsets, and which were missed, frame by frame."""
    lags, missed = [], []
    for place in range(1, len(truth)):
        if "-" in truth[place - 1 : place + 1] or truth[place] == truth[place - 1]:
            continue
        at = place
        while at < len(truth) and truth[at] == truth[place] and said[at] != truth[place]:
            at += 1
        lags.append(at - place)
        missed.append(at == len(truth) or truth[at] != truth[place])
    return lags, missed


@SEEDS
def test_onsets_frame_by_frame(seed):
    truth, said = random_cell(seed, right=0.2)
    rng = np.random.default_rng(seed)
    truth = {
        clip: "".join(rng.choice([t, "-"], p=[0.95, 0.05]) for t in text) for clip, text in truth.items()
    }
    found = [plain_onsets(text, said[clip]) for clip, text in truth.items()]
    lags = [lag for each, _ in found for lag in each]
    missed = [miss for _, each in found for miss in each]
    cell = frames_cell(truth, said)
    assert sum(missed) > 3
    assert value(cell, "onset_lag") == pytest.approx(np.mean(lags), abs=1e-12)
    assert value(cell, "onset_missed") == pytest.approx(np.mean(missed), abs=1e-12)
    assert sums(cell, "onset_lag")[:, 0].sum() == len(lags)


def graded_cell(seed, clips=30, long=15):
    rng = np.random.default_rng(seed)
    count = clips * long
    p = rng.dirichlet(np.full(4, 0.5), count)
    x = np.clip(rng.normal(0, 0.3, clips)[np.arange(count) // long] + rng.normal(0, 0.2, count), -1, 1)
    y = np.clip(0.6 * x + 0.1 + rng.normal(0, 0.15, count), -1, 1)
    clip = np.arange(count) // long
    targets = make_targets(
        {"clip": [f"c{i}" for i in clip], "subject": [f"s{i // 2}" for i in clip],
         "frame": np.arange(count) % long, "label": ["fear"] * count, "valence": x}
    )  # fmt: skip
    said = {f"p_{label}": p[:, k] for k, label in enumerate(LABELS)}
    return make_cell(targets, {**said, "valence": y}), clip, p, x, y


@SEEDS
def test_jitter_is_scipys_distance_and_scikit_learns_error_of_a_sequence_to_itself_one_later(seed):
    cell, clip, p, _, y = graded_cell(seed)
    step = np.flatnonzero(clip[1:] == clip[:-1])
    distances = [cityblock(p[k], p[k + 1]) / 2 for k in step]
    assert value(cell, "jitter") == pytest.approx(np.mean(distances), abs=1e-12)
    error = mean_absolute_error(y[step], y[step + 1])
    assert value(cell, "jitter_valence") == pytest.approx(error, abs=1e-12)


def ccc(x, y):
    (var_x, cov), (_, var_y) = np.cov(x, y, bias=True)
    return 2 * cov / (var_x + var_y + (np.mean(x) - np.mean(y)) ** 2)


@SEEDS
def test_within_and_between_clips_is_lin_and_pearson_of_deviations_and_of_means(seed):
    cell, clip, _, x, y = graded_cell(seed)
    means = [np.bincount(clip, side) / np.bincount(clip) for side in (x, y)]
    deviations = [side - mean[clip] for side, mean in zip((x, y), means, strict=True)]
    for part, sides in (("within", deviations), ("between", means)):
        assert value(cell, f"ccc_{part}_valence") == pytest.approx(ccc(*sides), abs=1e-12)
        assert value(cell, f"pcc_{part}_valence") == pytest.approx(pearsonr(*sides).statistic, abs=1e-12)


def test_sums_of_squares_within_and_between_add_up_to_those_of_all():
    """With equally long clips, n var = within + n var of means; so the whole CCC follows from the parts."""
    cell, _, _, x, y = graded_cell(9)
    within, between = (sums(cell, f"ccc_{part}_valence").sum(axis=0) for part in ("within", "between"))
    n, (clips, mx, my, mxx, myy, mxy) = within[0], between[1:]
    for inside, square, a, b, whole in (
        (within[1], mxx, mx, mx, np.var(x)), (within[2], myy, my, my, np.var(y)),
        (within[3], mxy, mx, my, np.cov(x, y, bias=True)[0, 1]),
    ):  # fmt: skip
        across = square / clips - (a / clips) * (b / clips)
        assert inside / n + across == pytest.approx(whole, abs=1e-12)


def patients():
    """The published data on [-1, 1]: both are moved and shrunk alike for all, which no correlation sees."""
    clip = [name for name, pairs in PATIENTS.items() for _ in pairs]
    both = np.array([pair for pairs in PATIENTS.values() for pair in pairs])
    scaled = (both - both.mean(axis=0)) / 4
    frame = [k for pairs in PATIENTS.values() for k in range(len(pairs))]
    targets = make_targets({"clip": clip, "subject": clip, "frame": frame, "valence": scaled[:, 0]})
    return make_cell(targets, {"valence": scaled[:, 1]})


def test_within_clip_correlation_is_that_of_bland_and_altman():
    """r = -0.51 within patients, from an analysis of covariance; P = 0.0008, 38 degrees of freedom."""
    assert len([pair for pairs in PATIENTS.values() for pair in pairs]) == 47
    assert round(value(patients(), "pcc_within_valence"), 2) == -0.51


def test_between_patients_each_counts_once():
    means = np.array([np.mean(pairs, axis=0) for pairs in PATIENTS.values()])
    expected = pearsonr(*means.T).statistic
    assert value(patients(), "pcc_between_valence") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "said", "within", "between"),
    [
        # Every clip is followed, but each lies a whole unit off: the whole CCC sees neither alone.
        ({"x": [-0.6, -0.4], "y": [0.4, 0.6]}, {"x": [0.4, 0.6], "y": [-0.6, -0.4]}, 1.0, -1.0),
        # The clips' means are known, what happens in them is turned round.
        ({"x": [-0.6, -0.4], "y": [0.4, 0.6]}, {"x": [-0.4, -0.6], "y": [0.6, 0.4]}, -1.0, 1.0),
        # Constant within clips: undefined within.
        ({"x": [-0.6, -0.4], "y": [0.4, 0.6]}, {"x": [-0.5, -0.5], "y": [0.5, 0.5]}, np.nan, 1.0),
        # The same mean of each clip: undefined between.
        ({"x": [-0.5, 0.5], "y": [-0.5, 0.5]}, {"x": [-0.5, 0.5], "y": [-0.4, 0.4]}, 1.8 / 1.82, np.nan),
        ({"x": [-0.5], "y": [0.5]}, {"x": [-0.5], "y": [0.5]}, np.nan, 1.0),
    ],
)
def test_within_and_between_by_hand(truth, said, within, between):
    cell = frames_cell(truth, said)
    assert value(cell, "ccc_within_valence") == pytest.approx(within, abs=1e-12, nan_ok=True)
    assert value(cell, "ccc_between_valence") == pytest.approx(between, abs=1e-12, nan_ok=True)


def test_only_covered_rows_count_and_coverage_says_so():
    truth = {"x": [-0.5, 0.1, 0.5, 0.2], "y": [0.4, 0.6, 0.2, None]}
    said = {"x": [-0.4, 0.2, None, 0.1], "y": [0.3, 0.7, 0.3, 0.9]}
    kept = {"x": [-0.5, 0.1, 0.2], "y": [0.4, 0.6, 0.2]}
    heard = {"x": [-0.4, 0.2, 0.1], "y": [0.3, 0.7, 0.3]}
    for name in ("ccc_within_valence", "ccc_between_valence"):
        found = row(judge([frames_cell(truth, said)], make_suite(metrics=(name,))), metric=name)
        assert found["estimate"] == pytest.approx(value(frames_cell(kept, heard), name), abs=1e-12)
        assert found["n"] == 6
        assert found["coverage"] == pytest.approx(6 / 7)
        assert "1 row without valence left out" in found["warning"]


def test_a_slice_that_holds_a_part_of_each_clip_adds_up_with_the_rest_to_the_whole():
    """Light changes within clips: rows deviate from the mean of their whole clip, and share its weight."""
    cell, *_ = graded_cell(11)
    light = np.where(np.arange(len(cell.targets)) % 15 < 5, "dark", "bright")
    for part in ("within", "between"):
        stats = sums(cell, f"ccc_{part}_valence")
        parts = [stats[light == each].sum(axis=0) for each in ("dark", "bright")]
        assert sum(parts) == pytest.approx(stats.sum(axis=0), rel=1e-12)
    dark = sums(cell, "ccc_between_valence")[light == "dark"].sum(axis=0)
    assert dark[1] == pytest.approx(30 / 3, rel=1e-12)  # of thirty clips a third each


def test_values_that_share_all_that_moves_them_have_no_spread_between_them():
    """Dark and bright hold a part of each clip, so that both have the clips' means: nothing is left of s2."""
    cell, *_ = graded_cell(12)
    table = cell.targets.table
    columns = {name: table[name] for name in table.column_names if name != "target"}
    light = np.where(np.arange(len(table)) % 15 < 5, "dark", "bright")
    targets = make_targets({**columns, "light": light}, attributes_public=True)
    lit = make_cell(targets, {"valence": cell.predictions["valence"]})
    rule = {"clusters": 5}
    found = judge([lit], make_suite(metrics=("ccc_between_valence",), slices=("light",), slice_rule=rule))
    spread = [r for r in found.to_pylist() if r["kind"] == "spread" and r["metric"] == "ccc_between_valence"]
    assert spread
    assert spread[0]["estimate"] == pytest.approx(0, abs=1e-7)


def test_intervals_of_flips_are_those_of_accuracy_on_the_steps_as_rows():
    """A flip rate is a proportion of steps in clusters; as a table of steps accuracy gives the same interval."""
    truth, said = random_cell(5)
    said = {clip: text.replace("-", "b") for clip, text in said.items()}
    cell = frames_cell(truth, said)
    found = row(judge([cell], make_suite(metrics=("flip_rate",))), metric="flip_rate")
    steps = [(clip, a, b) for clip, text in said.items() for a, b in pairwise(text)]
    targets = make_targets(
        {"subject": [s for s, *_ in steps], "label": [LABELS["abcd".index(a)] for _, a, _ in steps]}
    )
    other = make_cell(targets, {"predicted": [LABELS["abcd".index(b)] for *_, b in steps]})
    wanted = row(judge([other], make_suite(metrics=("accuracy",))), metric="accuracy")
    assert [found["low"], found["high"]] == pytest.approx([1 - wanted["high"], 1 - wanted["low"]], abs=1e-12)
    assert (found["n"], found["clusters"]) == (wanted["n"], wanted["clusters"])


def test_a_model_that_flips_more_is_seen_to():
    """Planted: two models of the same accuracy, one flickers; the paired difference says which."""
    truth, _ = random_cell(6, clips=40, long=24)
    rng = np.random.default_rng(6)
    flicker = {c: "".join(t if rng.random() < 0.75 else "d" for t in text) for c, text in truth.items()}
    block = {c: text[: len(text) * 3 // 4] + "d" * (len(text) // 4) for c, text in truth.items()}
    cells = [frames_cell(truth, said) for said in (flicker, block)]
    values = [value(cell, "flip_rate") for cell in cells]
    assert values[0] > values[1] + 0.1
    new, old = (replace(cell, model=name) for cell, name in zip(cells, "ab", strict=True))
    (found,) = compare([(new, old)], make_suite(metrics=("flip_rate",)))
    assert found.row["estimate"] == pytest.approx(values[0] - values[1], abs=1e-12)
    assert found.row["low"] > 0
