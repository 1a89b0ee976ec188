"""Reading a suite: values, lines and places. The texts of all faults are in tests/broken."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import UserError
from bench.judge.request import check
from bench.labels import declare
from bench.predict.datasets import ADAPTERS
from bench.predict.perturb import PERTURBATIONS
from bench.shipped import shipped
from bench.spec import Condition, DataSource, Facts
from bench.suite import find_suite, read_mapping, read_suite
from bench.tables import validate_targets

WHOLE = """\
suite: whole
about: >-
  Two lines of
  text.
data:
  - adapter: manifest
    name: mine
    targets: T.csv
  - {adapter: fer2013, split: test}
clean: false
conditions:
  - perturb: low_light
    severities: [1, 3]
    where: crop
slices:
  - sex
  - [sex, race]
  - age
bins: {age: [18, 65.5]}
metrics:
  - uar
level: 0.9
primary: [gap/uar/sex]
slice_rule:
  clusters: 30
"""


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    return path


def test_values(whole: Path) -> None:
    suite = read_suite(whole).suite
    assert suite.about == "Two lines of text."
    assert suite.data[0] == DataSource(adapter="manifest", name="mine", targets="T.csv")
    assert suite.conditions == (Condition(perturb="low_light", severities=(1, 3), where="crop"),)
    assert suite.slices == ("sex", ("sex", "race"), "age")
    assert suite.bins == {"age": (18.0, 65.5)}
    assert (suite.level, suite.slice_rule.clusters, suite.slice_rule.n_eff) == (0.9, 30, 50)


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [
        ("slice", "sex", 16),
        ("slice", "race", 17),
        ("slice", "age", 18),
        ("metric", "uar", 21),
        ("primary", "gap/uar/sex", 23),
        ("perturbation", "low_light", 12),
        ("bins", "age", 19),
        ("adapter", "fer2013", 9),
        ("data", "mine", 6),
    ],
)
def test_place(whole: Path, kind: str, name: str, line: int) -> None:
    assert read_suite(whole).place(kind, name) == f"{whole}:{line}"


def test_place_of_what_came_from_elsewhere_is_the_file(whole: Path) -> None:
    plan = read_suite(whole)
    assert plan.place("slice", "gendr") == plan.place("bins", "gendr") == str(whole)


def test_place_of_a_kind_that_suites_do_not_have(whole: Path) -> None:
    with pytest.raises(ValueError, match="a suite has no 'gate'"):
        read_suite(whole).place("gate", "uar")


def test_mapping(tmp_path: Path) -> None:
    path = tmp_path / "columns.yaml"
    path.write_text("predicted: top1\np_fear: 'prob_3'\n", encoding="utf-8")
    assert read_mapping(path) == {"predicted": "top1", "p_fear": "prob_3"}
    path.write_text("predicted: top1\np_fear: 3\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_mapping(path)
    assert str(caught.value) == (
        f"{path}:2: 'p_fear' is 3. Allowed: text; put it in quotes where YAML takes it for something else. "
        "Correct the line."
    )


def test_byte_order_mark_is_no_part_of_the_suite(whole: Path) -> None:
    whole.write_bytes(b"\xef\xbb\xbf" + whole.read_bytes())
    assert read_suite(whole).suite.suite == "whole"


def test_first_fault_of_several_is_named(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("suite: a\ndata:\n  - adapter: x\nlevel: high\nseed: low\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_suite(path)
    assert caught.value.where == f"{path}:4"


def test_dates_and_equal_signs_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "dates.yaml"
    path.write_text("suite: 2024-01-01\nabout: =\ndata:\n  - adapter: x\n", encoding="utf-8")
    suite = read_suite(path).suite
    assert (suite.suite, suite.about) == ("2024-01-01", "=")


@pytest.mark.parametrize(
    "text", ["seed: 0x_\n", "seed: 1:2:x\n", f"seed: {'9' * 5000}\n", f"seed: {2**63}\n"]
)
def test_strange_numbers_are_refused_not_raised(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"suite: a\ndata:\n  - adapter: x\n{text}", encoding="utf-8")
    with pytest.raises(UserError, match=r"x\.yaml:4: "):
        read_suite(path)


@given(st.text(max_size=80) | st.text("[]{}:-&*!<|>'\"#,? \n\tab1", max_size=60) | st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_a_suite_or_a_message(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    with pytest.raises(UserError, match=r"^.*any\.yaml"):
        read_suite(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"there is no such file. This is to be a YAML file. Correct the path\."
    ):
        read_suite(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(shipped("suites").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_suite(path: Path) -> None:
    suite = read_suite(path).suite
    assert suite.suite == path.stem
    assert suite.about
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40


README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(suite:.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_readme_shows_a_suite() -> None:
    assert EXAMPLES
    assert len(EXAMPLES) == len(re.findall(r"^suite:", README, re.MULTILINE))


@pytest.mark.parametrize("text", EXAMPLES)
def test_suite_of_the_readme(text: str, tmp_path: Path) -> None:
    """It can be read, and asks only for what exists of a table that has the attributes it slices by."""
    path = tmp_path / "readme.yaml"
    path.write_text(text, encoding="utf-8")
    plan = read_suite(path)
    suite = plan.suite
    assert {condition.perturb for condition in suite.conditions} <= set(PERTURBATIONS)
    sliced = {name for s in suite.slices for name in ([s] if isinstance(s, str) else s)}
    columns = {name: [30.0, 50.0] if name in suite.bins else ["x", "y"] for name in sliced}
    for source in suite.data:
        assert source.adapter in ADAPTERS
        space = declare(source.labels or "ekman-7", "README.md")
        facts = Facts(name=source.key, labels=space.labels, label_space=space.name)
        rows = {"target": ["a", "b"], "subject": ["s", "t"], "label": space.labels[:2], **columns}
        check(suite, validate_targets(pa.table(rows), facts, "README.md"), plan.place)


def test_find_takes_a_path_before_a_name(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole.parent)
    assert find_suite("whole.yaml") == Path("whole.yaml")
    assert find_suite("ferplus") == shipped("suites") / "ferplus.yaml"
    (whole.parent / "ferplus").write_text("mine", encoding="utf-8")
    assert find_suite("ferplus") == Path("ferplus")


@pytest.mark.parametrize("name", ["crema", "../suites/crema-d", "", "nowhere/x.yaml"])
def test_find_refuses_other_names(name: str) -> None:
    with pytest.raises(
        UserError, match=r"there is no such file and no such suite.*Shipped suites: .*crema-d"
    ):
        find_suite(name)
