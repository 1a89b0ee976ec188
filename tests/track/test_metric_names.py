"""Names are legal for MLflow, one to one, and stable."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, path_not_unique

from bench.track.names import metric_name, part

_WORDS = {"and": "&", "given": "|", "slash": "/", "lt": "<", "gt": ">", "eq": "=", "plus": "+", "empty": ""}


def read_back(text: str) -> str:
    """Undo ``part`` by its description: a dot before a letter opens a word that the next dot closes."""

    def character(match: re.Match[str]) -> str:
        word = match.group(1)
        return _WORDS[word] if word in _WORDS else chr(int(word[1:], 16))

    return re.sub(r"\.([a-z][a-zA-Z0-9]*)\.", character, text)


@given(st.text(max_size=12) | st.text(alphabet="a.&/x2 E:-\n", max_size=12))
def test_a_part_can_be_read_back_and_so_never_collides(text):
    assert read_back(part(text)) == text


@given(st.text(max_size=40), st.none() | st.text(max_size=40), st.none() | st.text(max_size=300))
def test_mlflow_accepts_every_name(metric, attribute, value):
    row = {"metric": metric, "kind": "value", "slice": attribute, "value": value, "reference": value}
    for ending in ("", ".low", ".high"):
        name = metric_name(row) + ending
        _validate_metric_name(name)
        assert len(name) <= 250
        assert not path_not_unique(name)
        assert re.fullmatch(r"[/\w.\- ]*", name), "legal on Windows too, where a colon is not"


def test_names_are_those_of_the_design():
    def name(metric, kind="value", cut=None, value=None, reference=None):
        return metric_name(
            {"metric": metric, "kind": kind, "slice": cut, "value": value, "reference": reference}
        )

    assert name("uar") == "uar"
    assert name("recall/fear") == "recall/fear"
    assert name("recall/fear", cut="sex", value="Female") == "recall/fear/sex/Female"
    assert name("uar", cut="sex", value="Female") == "uar/sex/Female"
    assert name("uar", cut="race", value="African American") == "uar/race/African American"
    assert name("uar", cut="race&sex", value="Asian&Male") == "uar/race.and.sex/Asian.and.Male"
    assert name("uar", "gap", cut="sex") == "gap/uar/sex"
    assert name("uar", "contrast", "sex", "Female", "rest") == "contrast/uar/sex/Female.vs.rest"
    assert name("uar", cut="age", value=">=60") == "uar/age/.gt..eq.60"


def test_an_attribute_called_low_is_no_bound_and_an_own_and_is_no_intersection():
    bound = metric_name({"metric": "uar", "kind": "value"}) + ".low"
    names = [
        metric_name({"metric": "uar", "kind": "value", "slice": cut, "value": value})
        for cut, value in [("low", "x"), ("a&b", "x"), ("a.and.b", "x"), ("a and b", "x"), ("a/b", "x"),
                           ("a", "b/x"), ("a", "x.low"), ("a", "x")]
    ]  # fmt: skip
    assert len({bound, *names, names[-1] + ".low"}) == 10


def test_long_names_are_cut_differently_and_always_the_same_way():
    rows = [{"metric": "uar", "kind": "value", "slice": "s", "value": "v" * 300 + end} for end in "ab"]
    first, second = (metric_name(row) for row in rows)
    assert first != second
    assert len(first) == len(second) == 245
    assert first == metric_name(rows[0])
