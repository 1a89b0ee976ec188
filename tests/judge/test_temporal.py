"""Steps, onsets and segments by hand, frame by frame; letters are labels, ``-`` is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.judge.metrics import METRICS
from bench.judge.score import judge
from tests.judge.followed import ON_SEQUENCES, frames_cell, sums, value
from tests.judge.made import make_cell, make_suite, make_targets, row, values


def shuffled(cell, seed=0):
    """The same frames in another order of rows."""
    order = np.random.default_rng(seed).permutation(len(cell.targets))
    table = cell.targets.table.take(order)
    columns = {name: table[name] for name in table.column_names if name not in ("target",)}
    said = cell.predictions.take(order)
    names = [name for name in said.column_names if name != "target"]
    return make_cell(make_targets(columns), {name: said[name] for name in names})


@pytest.mark.parametrize(
    ("said", "flips", "steps"),
    [
        ("aabbb", 1, 4),
        ("ababa", 4, 4),
        ("aaaaa", 0, 4),
        ("a-bbb", 0, 2),  # over a frame that decides nothing, nothing is compared
        ("-a-b-", 0, 0),
        ("b", 0, 0),
    ],
)
def test_a_flip_is_a_change_between_two_frames_that_follow_one_another(said, flips, steps):
    cell = frames_cell({"x": "a" * len(said), "y": "aa"}, {"x": said, "y": "cc"})
    counted, changes, possible, _ = sums(cell, "flip_rate").sum(axis=0)
    assert (changes, counted, possible) == (flips, steps + 1, len(said) - 1 + 1)
    assert value(cell, "flip_rate") == pytest.approx(flips / (steps + 1), abs=1e-15)


def test_a_step_is_of_the_row_of_its_second_frame_and_no_step_joins_two_clips():
    cell = frames_cell({"x": "aab", "y": "bba"})
    assert sums(cell, "flip_rate").tolist() == [
        [0, 0, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1],
    ]  # fmt: skip


def test_a_word_outside_the_label_space_is_a_decision_that_can_flip_but_never_right():
    cell = frames_cell({"x": "aaaa"})
    said = cell.predictions.set_column(
        2, "predicted", pa.array(["neutral", "contempt", "contempt", "neutral"])
    )
    cell = replace(cell, predictions=said)
    assert value(cell, "flip_rate") == pytest.approx(2 / 3, abs=1e-15)
    assert value(cell, "segment_agreement") == 0.0  # a label segment of four, two predicted of one


def test_a_frame_that_could_not_be_decoded_is_no_step_and_is_passed_over_in_runs():
    cell = frames_cell({"x": "aaabbb"}, {"x": "aaabbb"})
    status = pa.array(["ok", "ok", "decode_error", "ok", "ok", "ok"])
    said = cell.predictions.set_column(1, "status", status)
    words = said["predicted"].to_pylist()
    said = said.set_column(2, "predicted", pa.array([*words[:2], None, *words[3:]]))
    cell = replace(cell, predictions=said)
    assert sums(cell, "flip_rate").sum(axis=0)[:3].tolist() == [3, 0, 3]
    assert value(cell, "segment_agreement") == 1.0
    assert value(cell, "onset_lag") == 0.0


@pytest.mark.parametrize("name", ["jitter_valence", "jitter"])
def test_jitter_is_the_mean_change(name):
    targets = make_targets(
        {"clip": ["x"] * 4, "frame": range(4), "valence": [0.0] * 4, "label": ["fear"] * 4}
    )
    if name == "jitter":
        p = np.array([[0.7, 0.3, 0, 0], [0.2, 0.8, 0, 0], [0.2, 0.3, 0.5, 0], [0.2, 0.3, 0.5, 0]])
        labels = ("neutral", "happiness", "sadness", "fear")
        cell = make_cell(targets, {f"p_{label}": p[:, k] for k, label in enumerate(labels)})
        wanted = (0.5 + 0.5 + 0.0) / 3
    else:
        cell = make_cell(targets, {"valence": [0.1, -0.3, None, 0.2]})
        wanted = 0.4
    assert value(cell, name) == pytest.approx(wanted, abs=1e-15)


@pytest.mark.parametrize(
    ("truth", "said", "lags", "missed"),
    [
        ("aaabbb", "aaabbb", [0], 0),
        ("aaabbb", "aaaabb", [1], 0),
        ("aaabbb", "aabbbb", [0], 0),  # it was the new label before
        ("aaabbb", "aaaaaa", [3], 1),  # censored at the end of the clip
        ("aabbcc", "aaaacc", [2, 0], 1),  # censored where the label changes again
        ("aabbcc", "aa-bcc", [1, 0], 0),  # a miss delays
        ("aabbaa", "aaaabb", [2, 2], 2),  # late is missed where the label has gone
        ("aa-bbb", "aaabbb", [], 0),  # when an unlabelled frame changed nobody knows
        ("aaaaaa", "bbbbbb", [], 0),
    ],
)
def test_the_lag_of_an_onset_is_frames_until_the_new_label(truth, said, lags, missed):
    cell = frames_cell({"x": truth}, {"x": said})
    onsets, lag, lost, _ = sums(cell, "onset_lag").sum(axis=0)
    assert (onsets, lag, lost) == (len(lags), sum(lags), missed)
    assert value(cell, "onset_lag") == pytest.approx(np.mean(lags) if lags else np.nan, nan_ok=True)
    assert value(cell, "onset_missed") == pytest.approx(missed / len(lags) if lags else np.nan, nan_ok=True)


def test_lags_are_in_frame_numbers_where_frames_were_sampled_thinly():
    columns = {"clip": ["x"] * 5, "frame": [0, 10, 20, 30, 45], "subject": ["s"] * 5}
    targets = make_targets({**columns, "label": ["fear", "fear", "sadness", "sadness", "sadness"]})
    late = make_cell(targets, {"predicted": ["fear", "fear", "fear", "fear", "sadness"]})
    assert value(late, "onset_lag") == 25.0
    never = make_cell(targets, {"predicted": ["fear"] * 5})
    assert value(never, "onset_lag") == 26.0  # frames 20 to 45
    assert value(never, "onset_missed") == 1.0


@pytest.mark.parametrize(
    ("truth", "said", "agree", "labelled", "predicted"),
    [
        ("aaabbb", "aaabbb", 2, 2, 2),
        ("aaabbb", "aaaaaa", 1, 2, 1),  # 3 of 6 frames: exactly half
        ("aabbbb", "aaaaaa", 0, 2, 1),  # 2 of 6
        ("aaaaaa", "aabaaa", 1, 1, 3),  # a flicker costs two segments too many
        ("aaaaaa", "aa-aaa", 1, 1, 2),  # a miss is no segment, but ends one
        ("aaa-aa", "aaaaaa", 2, 2, 2),  # runs are cut where there is no label
        ("aaabbb", "bbbaaa", 0, 2, 2),
        ("aaabbb", "------", 0, 2, 0),
    ],
)
def test_segments_agree_if_they_are_of_one_label_and_half_of_them_meets(
    truth, said, agree, labelled, predicted
):
    cell = frames_cell({"x": truth}, {"x": said})
    segments, agreeing, _ = sums(cell, "segment_agreement").sum(axis=0)
    assert (segments, agreeing) == (labelled + predicted, 2 * agree)
    assert value(cell, "segment_agreement") == pytest.approx(2 * agree / (labelled + predicted), abs=1e-15)


def random_cell(seed, clips=40, long=12, right=0.7):
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcd"))
    truth = {f"c{i}": "".join(np.repeat(letters[rng.integers(0, 4, long // 3)], 3)) for i in range(clips)}
    said = {
        clip: "".join(t if rng.random() < right else rng.choice(list("abcd-")) for t in text)
        for clip, text in truth.items()
    }
    return truth, said


@pytest.mark.parametrize("name", ["flip_rate", "onset_lag", "onset_missed", "segment_agreement"])
def test_the_order_of_rows_and_the_names_of_labels_do_not_matter(name):
    truth, said = random_cell(1)
    cell = frames_cell(truth, said)
    assert value(shuffled(cell), name) == pytest.approx(value(cell, name), rel=1e-13)
    renamed = str.maketrans("abcd", "cadb")
    other = frames_cell(
        *({clip: text.translate(renamed) for clip, text in side.items()} for side in (truth, said))
    )
    assert value(other, name) == pytest.approx(value(cell, name), rel=1e-13)


def test_the_truth_itself_has_no_lag_and_agrees_and_one_answer_never_flips():
    truth, said = random_cell(2)
    right, same = (
        frames_cell(truth),
        frames_cell(truth, {clip: "a" * len(text) for clip, text in said.items()}),
    )
    assert (value(right, "onset_lag"), value(right, "onset_missed")) == (0.0, 0.0)
    assert value(right, "segment_agreement") == 1.0
    assert value(right, "flip_rate") > 0
    assert value(same, "flip_rate") == 0.0
    assert value(same, "segment_agreement") < value(frames_cell(truth, said), "segment_agreement")


def test_a_miss_in_place_of_a_right_answer_makes_onsets_later_and_segments_agree_less():
    truth, said = random_cell(3)
    rng = np.random.default_rng(3)
    shy = {
        clip: "".join(
            "-" if s == t and rng.random() < 0.3 else s for s, t in zip(text, truth[clip], strict=True)
        )
        for clip, text in said.items()
    }
    cell, shy = frames_cell(truth, said), frames_cell(truth, shy)
    assert value(shy, "onset_lag") > value(cell, "onset_lag")
    assert value(shy, "onset_missed") > value(cell, "onset_missed")
    assert value(shy, "segment_agreement") < value(cell, "segment_agreement")
    coverage = [row(judge([c], make_suite(metrics=("flip_rate",))), metric="flip_rate") for c in (cell, shy)]
    assert coverage[1]["coverage"] < coverage[0]["coverage"]
    assert coverage[1]["n"] < coverage[0]["n"]


def test_persons_of_one_clip_are_sequences_of_their_own():
    columns = {
        "clip": ["x"] * 6,
        "frame": [0, 0, 1, 1, 2, 2],
        "subject": ["p", "q"] * 3,
        "label": ["fear"] * 6,
    }
    cell = make_cell(make_targets(columns), {"predicted": ["fear", "sadness"] * 3})
    assert value(cell, "flip_rate") == 0.0
    assert sums(cell, "flip_rate")[:, 0].tolist() == [0, 0, 1, 1, 1, 1]


def test_a_frame_that_is_there_twice_is_refused():
    columns = {"clip": ["x", "x", "y"], "frame": [0, 0, 0], "subject": ["p", "p", "p"], "label": ["fear"] * 3}
    cell = make_cell(make_targets(columns), {"predicted": ["fear"] * 3})
    with pytest.raises(UserError) as error:
        value(cell, "flip_rate")
    assert str(error.value) == (
        "suite made, metric flip_rate: metric 'flip_rate' follows frames, and made has frame 0 of clip 'x' and "
        "subject 'p' twice. Each frame of a clip is one row, or one for each subject. Correct 'frame', give each "
        "of several persons a 'subject', or take the metric out."
    )
    assert value(cell, "accuracy") == 1.0


@pytest.mark.parametrize(
    ("metric", "column"),
    [("onset_lag", "clip"), ("segment_agreement", "clip"), ("ccc_within_valence", "clip")],
)
def test_what_needs_a_label_of_each_frame_is_refused_where_targets_are_no_frames(metric, column):
    targets = make_targets({"subject": ["s"], "label": ["fear"], "valence": [0.1]})
    with pytest.raises(UserError, match=f"metric '{metric}' needs the column '{column}'"):
        judge([make_cell(targets, {"predicted": ["fear"], "valence": [0.1]})], make_suite(metrics=(metric,)))


def test_a_column_that_is_empty_in_every_row_is_said_to_be_so():
    targets = make_targets({"subject": ["s"], "label": ["fear"], "valence": pa.array([None], pa.float64())})
    with pytest.raises(UserError) as error:
        judge([make_cell(targets, {"valence": [0.1]})], make_suite(metrics=("ccc_valence",)))
    assert "metric 'ccc_valence' needs the column 'valence', which made has empty in every row" in str(
        error.value
    )
    assert str(error.value).endswith("Take the metric out or fill 'valence' in the targets.")


def test_steps_need_frames_and_say_so_where_there_are_none():
    targets = make_targets({"subject": ["s"], "label": ["fear"]})
    table = judge([make_cell(targets, {"predicted": ["fear"]})], make_suite(metrics=("flip_rate", "jitter")))
    for name in ("flip_rate", "jitter"):
        assert row(table, metric=name)["warning"] == (
            f"unavailable: there are no frames to follow, or they have no output for {name}"
        )


def test_each_says_what_its_n_counts():
    cell = frames_cell({"x": "aabb", "y": "aabb"})
    table = judge([cell], make_suite(metrics=("flip_rate", "onset_lag", "segment_agreement", "accuracy")))
    found = {r["metric"]: (r["n"], r["warning"]) for r in values(table)}
    assert [n for n, _ in found.values()] == [6, 2, 8, 8]
    said = [text.split("; ")[-1] for _, text in found.values()]
    assert said[0] == "n counts steps from frame to frame, as densely as they were sampled"
    assert said[1] == "n counts changes of the label"
    assert said[2] == "n counts segments, those of the labels and those predicted"


def test_rows_of_no_clip_are_told():
    cell = frames_cell({"x": "aabb", "y": "a"})
    (found,) = values(judge([cell], make_suite(metrics=("flip_rate",))))
    assert "1 row without successive frames left out" in found["warning"]


def test_none_is_a_headline_metric_so_nobody_reads_frames_who_does_not_ask():
    assert not any(METRICS[name].headline for name in ON_SEQUENCES)

    def read():
        raise AssertionError("frames are read")

    targets = make_targets({"subject": ["s"] * 2, "label": ["fear", "sadness"]})
    cell = replace(make_cell(targets, {"predicted": ["fear"] * 2}), frames_table=read)
    assert row(judge([cell], make_suite()), metric="accuracy")["estimate"] == 0.5
    with pytest.raises(AssertionError, match="frames are read"):
        judge([cell], make_suite(metrics=("flip_rate",)))


def test_few_people_with_an_onset_are_withheld_with_what_gives_them():
    """Six persons of each sex, but labels change for two women alone; flips are of all."""
    truth = {f"c{i}": "aabb" if i not in (0, 2, 4, 6) else "aaaa" for i in range(12)}
    cell = frames_cell(truth)
    sex = np.repeat(np.array(["f", "m"] * 6), 4)
    table = cell.targets.table
    columns = {name: table[name] for name in table.column_names if name != "target"}
    cell = make_cell(make_targets({**columns, "sex": sex}), {"predicted": cell.predictions["predicted"]})
    found = judge([cell], make_suite(slices=("sex",), metrics=("onset_lag", "onset_missed", "flip_rate")))
    hidden = {(r["metric"], r["value"]): r["status"] == "suppressed" for r in values(found) if r["slice"]}
    assert hidden == {
        (metric, sex): metric != "flip_rate"
        for metric in ("onset_lag", "onset_missed", "flip_rate") for sex in ("f", "m")
    }  # fmt: skip


def test_a_miss_in_place_of_a_wrong_answer_helps_no_onset_but_can_help_segments():
    wrong, shy = (frames_cell({"x": "aaabbb"}, {"x": said}) for said in ("aaaccb", "aaa--b"))
    for name in ("onset_lag", "onset_missed"):
        assert value(shy, name) == value(wrong, name)
    assert value(shy, "segment_agreement") > value(wrong, "segment_agreement")
