"""Policies: what a rule says, and that the shipped one is valid and is the README's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UserError
from bench.policy import REQUIREMENTS, Rule, read_policy
from bench.shipped import shipped

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
SHIPPED = shipped("suites") / "policies" / "release.yaml"


def test_the_shipped_policy_is_the_one_that_the_readme_shows() -> None:
    assert f"```yaml\n{SHIPPED.read_text(encoding='utf-8')}```" in README
    policy = read_policy(SHIPPED)
    assert [rule.requirement for rule in policy.policy.rules] == [
        ("at_least", 0.5), ("at_least", 0.3), ("at_least", 0.98), ("loses_at_most", 0.1), ("not_worse_by", 0.02),
    ]  # fmt: skip
    assert [policy.line(number) for number in range(5)] == [4, 6, 8, 10, 13]
    assert policy.place("rules", 3, "condition").endswith("release.yaml:11")
    assert policy.place("rules", 3, "severity").endswith("release.yaml:10")


def test_every_requirement_can_be_the_one_of_a_rule() -> None:
    for name in REQUIREMENTS:
        of = {"metric": "throughput"} if name == "no_slower_than" else {"metric": "uar", "slice": "sex"}
        rule = Rule.model_validate({**of, name: 0.1})
        assert rule.requirement == (name, 0.1)


def test_a_shipped_policy_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_policy(Path("release")).digest == read_policy(SHIPPED).digest
    with pytest.raises(UserError, match=r"^releas: there is no such file"):
        read_policy(Path("releas"))
    (tmp_path / "release").write_text("policy: mine\nrules: [{metric: uar, at_least: 0.1}]\n")
    assert read_policy(Path("release")).policy.policy == "mine"
