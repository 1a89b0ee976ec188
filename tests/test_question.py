"""What flags add to a suite: taken once, held against the suite's rules, refused by the flag's name."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.question import Question, reread
from bench.spec import DataSource, Facts, Suite
from bench.tables import validate_targets

SUITE = Suite(
    suite="s", data=(DataSource(adapter="manifest", labels="ekman-7"),), slices=("sex", "age"),
    bins={"age": (30.0,)}, metrics=("uar",),
)  # fmt: skip
QUESTION = Question(SUITE, {}, lambda kind, name: f"s.yaml {kind} {name}")


def test_flags_add_to_the_suite_and_say_so() -> None:
    asked = reread(QUESTION, ["race", "race&sex"], ["accuracy"], {"age": (20.0, 40.0)})
    assert asked.suite.slices == ("sex", "age", "race", ("race", "sex"))
    assert asked.suite.metrics == ("uar", "accuracy")
    assert asked.suite.bins == {"age": (20.0, 40.0)}
    assert asked.suite.data == SUITE.data
    places = [("slice", "race"), ("slice", "age"), ("metric", "accuracy"), ("metric", "uar"), ("bins", "age")]
    assert [asked.place(*place) for place in places] == [
        "--slice", "s.yaml slice age", "--metric", "s.yaml metric uar", "--bins",
    ]  # fmt: skip


def test_what_is_said_twice_is_taken_once() -> None:
    once = reread(QUESTION, ["race", "race&sex"], ["accuracy"], {})
    twice = reread(
        QUESTION, ["race", "race", "race&sex", "sex", "race&sex"], ["accuracy", "accuracy", "uar"], {}
    )
    assert twice.suite == once.suite
    assert reread(QUESTION, [], [], {}).suite == SUITE


def test_bins_of_no_attribute_name_the_nearest() -> None:
    table = pa.table({"target": ["a"], "age": [30], "sex": ["f"]})
    question = Question(SUITE, {"T": validate_targets(table, Facts(name="T"), "T.csv")}, QUESTION.place)
    with pytest.raises(UserError) as caught:
        reread(question, ["sex"], [], {"agee": (30.0, 45.0)})
    assert str(caught.value) == (
        "--bins: bins cut 'agee', which is no attribute. Did you mean 'age'? The targets have: age, sex. Correct the "
        "name."
    )
    assert reread(question, [], [], {"age": (20.0,)}).suite.bins == {"age": (20.0,)}


@pytest.mark.parametrize(
    ("slices", "metrics", "bins", "message"),
    [
        ([], [], {"rage": (30.0, 45.0)},
         "--bins: bins cut 'rage', which no slice uses. Did you mean 'age'? Bins cut a sliced attribute. "
         "Slice by it too, as in --slice age --bins age=30,45,60."),
        (["race&race"], [], {},
         "--slice: a slice is ['race', 'race']. An intersection is as [sex, race]. "
         "Write --slice sex or --slice 'race&sex', each attribute once."),
        (["race&"], [], {},
         "--slice: entry 3 of 'slices' is a list. Allowed: the name of an attribute, or a list of names for an "
         "intersection. Write --slice sex or --slice 'race&sex', each attribute once."),
        ([], [""], {},
         "--metric: entry 2 of 'metrics' is ''. Allowed: text that is not empty. Correct the metric's name."),
    ],
)  # fmt: skip
def test_what_makes_no_suite_is_refused_by_the_flag(
    slices: list[str], metrics: list[str], bins: dict[str, tuple[float, ...]], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        reread(QUESTION, slices, metrics, bins)
    assert str(caught.value) == message
