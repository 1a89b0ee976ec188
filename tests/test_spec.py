from __future__ import annotations

import pytest
from pydantic import ValidationError

from bench.spec import DataSource, Facts, SliceRule, Suite


def test_records_are_frozen_and_closed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Facts(name="x").name = "y"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        Facts(name="x", licence_text="y")  # type: ignore[call-arg]


def test_defaults_are_those_of_the_statistics() -> None:
    rule = SliceRule()
    assert (rule.suppress_below, rule.clusters, rule.n_eff) == (5, 20, 50)
    assert (rule.successes_and_failures, rule.rows_in_class) == (10, 10)
    suite = Suite(suite="a", data=(DataSource(adapter="fer2013"),))
    assert (suite.level, suite.seed, suite.missing_constant, suite.clean) == (0.95, 0, 0.0, True)


def test_key_is_the_name_or_else_the_adapter() -> None:
    assert DataSource(adapter="manifest").key == "manifest"
    assert DataSource(adapter="manifest", name="mine").key == "mine"


def test_two_manifests_need_names() -> None:
    one, other = DataSource(adapter="manifest", name="a"), DataSource(adapter="manifest", name="b")
    assert Suite(suite="x", data=(one, other)).data == (one, other)
    with pytest.raises(ValidationError, match="data set 'a' is there twice"):
        Suite(suite="x", data=(one, one))
