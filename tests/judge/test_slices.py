"""Slices: bins, unmeasured values, intersections, attributes that vary within a person; and refusals."""

from __future__ import annotations

import pytest

from bench.errors import UserError
from bench.judge.score import check, judge
from bench.judge.slices import cut
from tests.judge.made import make_cell, make_suite, make_targets, row

TARGETS = make_targets(
    {
        "subject": ["a", "a", "b", "b", "c", "d"],
        "clip": ["1", "1", "2", "3", "4", None],
        "label": ["fear", "sadness"] * 3,
        "age": [19.0, 20.0, 29.5, 30.0, None, 51.0],
        "monk": [1, 10, 2, 2, None, 1],
        "gender": ["male", "male", "female", None, "female", "male"],
    }
)


def where(kind, name):
    return f"{kind}:{name}"


def values(suite):
    return [(one.name, *one.values) for one in cut(TARGETS, suite, where).slices]


def test_values_in_order_with_unmeasured_last():
    suite = make_suite(slices=("age", "monk", "gender", ("gender", "age")), bins={"age": (20, 30, 50)})
    assert values(suite) == [
        (None, ""),
        ("age", "<20", "[20, 30)", "[30, 50)", ">=50", "unmeasured"),
        ("monk", "1", "2", "10", "unmeasured"),
        ("gender", "female", "male", "unmeasured"),
        (
            "gender&age", "female&[20, 30)", "female&unmeasured", "male&<20", "male&[20, 30)", "male&>=50",
            "unmeasured&[30, 50)",
        ),
    ]  # fmt: skip


def test_what_slices_hold_where_attributes_vary_within_a_person():
    suite = make_suite(slices=("gender", "age", ("age", "gender", "monk")), bins={"age": (20,)})
    whole, gender, age, deep = cut(TARGETS, suite, where).slices
    assert [list(x) for x in (whole.clusters, whole.clips, whole.rows)] == [[4], [5], [6]]
    assert [list(x) for x in (gender.clusters, gender.clips, gender.rows)] == [
        [2, 2, 1],
        [2, 2, 1],
        [2, 3, 1],
    ]
    assert list(age.clusters) == [1, 3, 1]
    assert deep.name == "age&gender&monk"
    assert deep.rows.sum() == 6


def test_slices_repeat_once():
    assert len(cut(TARGETS, make_suite(slices=("gender", ("gender",))), where).slices) == 2


def test_frames_are_rows_where_targets_are_frames():
    targets = make_targets(
        {
            "subject": list("aabbcc"),
            "clip": list("112233"),
            "frame": [0, 1] * 3,
            "label": ["fear"] * 6,
            "g": list("xxxxyy"),
        }
    )
    cell = make_cell(targets, {"predicted": ["fear"] * 6}, frames=99)
    table = judge([cell], make_suite(slices=("g",), metrics=("accuracy",), slice_rule={"suppress_below": 1}))
    assert [(r["value"], r["clips"], r["frames"]) for r in table.to_pylist() if r["kind"] == "value"] == [
        (None, 3, 6),
        ("x", 2, 4),
        ("y", 1, 2),
    ]
    clips = make_targets({"subject": list("abc"), "label": ["fear"] * 3})
    cell = make_cell(clips, {"predicted": ["fear"] * 3}, frames=99)
    assert row(judge([cell], make_suite()), metric="accuracy")["frames"] == 99


REFUSED = [
    (
        {"slices": ("gendr",)},
        "slice:gendr: slice 'gendr' is not an attribute of made. Did you mean 'gender'? "
        "It has: age, gender, monk, yaw. Name one of them or add the attribute to the targets.",
    ),
    (
        {"slices": (("gender", "yaw"),)},
        "slice:yaw: slice 'yaw' is a number with 13 values and no bins. "
        "Without bins a numeric attribute has at most 12 values. "
        "Cut it, for example with --bins yaw=3,6,9, or in a suite with 'bins: {yaw: [3, 6, 9]}'.",
    ),
    (
        {"slices": ("gender",), "bins": {"gender": (1,)}},
        "bins:gender: bins cut 'gender', which is text in made: row 1 is 'male'. Bins cut numbers. "
        "Take the bins out, or write numbers (an empty field is unmeasured).",
    ),
    (
        {"metrics": ("acuracy",)},
        "metric:acuracy: metric 'acuracy' is not known. Did you mean 'accuracy'? Known: ",
    ),
    ({"metrics": ("recall/joy",)}, "metric:recall/joy: metric 'recall/joy' is not known."),
    ({"metrics": ("uar/fear",)}, "metric:uar/fear: metric 'uar/fear' is not known."),
    (
        {"metrics": ("ccc_valence",)},
        "metric:ccc_valence: metric 'ccc_valence' needs the column 'valence', which made does not have. "
        "It allows: accuracy, uar, macro_f1, coverage, weighted_f1, kappa, mcc, ece, brier, nll, aurc, "
        "flip_rate, jitter, jitter_valence, jitter_arousal, jitter_dominance, funnel_decoded, funnel_face, "
        "funnel_followed, funnel_predicted, funnel_right; recall, precision, false_positive_rate, selection_rate, auroc, all labels or one as recall/neutral; "
        "the criteria equalised_odds, equal_opportunity, demographic_parity, of all labels or one. "
        "Take the metric out or add 'valence' to the targets.",
    ),
]


@pytest.mark.parametrize("codes", [["9007199254740993", "1", None], [None] * 3])
def test_bins_of_text_name_no_row_where_no_single_one_makes_it_text(codes):
    """Numbers that float64 would round stay text, and so does a column that is empty throughout."""
    targets = make_targets({"subject": list("abc"), "label": ["fear"] * 3, "code": codes})
    with pytest.raises(UserError) as caught:
        check(make_suite(slices=("code",), bins={"code": (5,)}), targets, where)
    assert str(caught.value).startswith(
        "bins:code: bins cut 'code', which is text in made. Bins cut numbers."
    )
    check(make_suite(slices=("code",)), targets, where)


@pytest.mark.parametrize(("asked", "message"), REFUSED)
def test_refusals_name_the_place(asked, message):
    columns = {n: TARGETS.table[n].to_pylist() for n in ("subject", "label", "age", "monk", "gender")}
    targets = make_targets(
        {n: (c * 3)[:13] for n, c in columns.items()} | {"yaw": [float(k) for k in range(13)]}
    )
    with pytest.raises(UserError) as caught:
        check(make_suite(**asked), targets, where)
    assert str(caught.value).startswith(message)
    check(
        make_suite(slices=("yaw",), bins={"yaw": (3, 6)}, metrics=("recall", "recall/fear")), targets, where
    )


def ampersands(slices):
    """The refusal of slices by u ('x&y' or 'x'), v ('z' or 'y&z') and 'r&d', or None."""
    columns = {"u": ["x&y", "x"] * 3, "v": ["z", "y&z"] * 3, "w": ["a", "b"] * 3, "r&d": ["a", "b"] * 3}
    targets = make_targets({"subject": list("abcdef"), "label": ["fear"] * 6, **columns})
    try:
        check(make_suite(slices=slices), targets, where)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("slices", [("u", "v", "w"), (("u",), "v")])
def test_values_may_hold_the_sign_that_joins_where_nothing_is_joined(slices):
    assert ampersands(slices) is None


@pytest.mark.parametrize(
    ("slices", "found"),
    [
        ((("u", "v"),), "slice:u: slice 'u' of made has an '&' in its values: x&y."),
        (("u", ("w", "v")), "slice:v: slice 'v' of made has an '&' in its values: y&z."),
        (("r&d",), "slice:r&d: slice 'r&d' of made has an '&' in its name."),
    ],
)
def test_the_sign_that_joins_is_refused_where_two_would_read_alike(slices, found):
    assert ampersands(slices) == (
        f"{found} '&' joins the attributes of an intersection and their values. "
        "Replace the '&' in the targets, for example by 'and'."
    )
