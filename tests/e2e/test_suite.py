"""What ``affectbench suite show`` says of a suite: everything that a run of it does and tests."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from bench.cli.app import app

SUITE = """\
suite: whole
about: All there is.
data: [{adapter: manifest, targets: T.csv}]
conditions: [{perturb: low_light, severities: [1, 3], where: crop}]
slices: [sex, [sex, race]]
controls: [age]
bins: {age: [18, 65.5]}
metrics: [uar, accuracy]
primary: [gap/uar/sex, gap/accuracy/sex&race]
reference: small
"""


def shown(path: Path) -> list[str]:
    done = CliRunner().invoke(app, ["suite", "show", str(path)])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_a_suite_is_shown_whole(tmp_path: Path) -> None:
    path = tmp_path / "S.yaml"
    path.write_text(SUITE)
    lines = shown(path)
    assert lines[0] == "whole: All there is."
    assert lines[2] == "condition  clean"
    assert lines[3].startswith("condition  low_light on the crop (1: ")
    assert lines[4].startswith("source     photographic stops, ")
    assert lines[5:] == [
        "slice      sex",
        "slice      sex&race",
        "control    age",
        "bins       age at 18, 65.5",
        "metrics    uar, accuracy",
        "primary    gap/uar/sex",
        "primary    gap/accuracy/sex&race",
        "reference  small",
    ]


def test_severities_at_which_people_lose_the_label_are_named(tmp_path: Path) -> None:
    path = tmp_path / "S.yaml"
    path.write_text(SUITE.replace("{perturb: low_light,", "{perturb: distance,"))
    assert "caution    people may no longer see the label from severity 4" in shown(path)


def test_what_a_suite_does_not_name_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "S.yaml"
    path.write_text("suite: bare\ndata: [{adapter: manifest, targets: T.csv}]\n")
    assert [line.split()[0] for line in shown(path)] == ["bare", "data", "condition", "metrics"]
