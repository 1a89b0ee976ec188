"""What ``affectbench suite show`` says of a suite: everything that a run of it does and tests."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from bench.cli.app import app
from bench.predict.perturb import (
    FACE_PERTURBATIONS,
    FILM_PERTURBATIONS,
    PERTURBATIONS,
    SOUND_PERTURBATIONS,
)
from bench.shipped import shipped
from bench.suite import read_suite
from tests.e2e.conftest import Affectbench

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


def test_a_suite_for_any_data_is_run_over_frames_and_over_faces(
    affectbench: Affectbench, drawn: Path, tmp_path: Path
) -> None:
    (tmp_path / "S.yaml").write_text(
        "suite: any\nconditions: [{perturb: roll, severities: [2]}, {perturb: exposure, severities: [1, 4]}]\n"
        "metrics: [accuracy]\nreference: majority\n"
    )
    assert "data       any: --data ADAPTER=DIR, --data ADAPTER@SPLIT=DIR or --targets T" in shown(
        tmp_path / "S.yaml"
    )
    for words, where in (((), "frame"), (("--aligned",), "crop")):
        out = tmp_path / where
        done = affectbench(
            "run", "--suite", "S.yaml", "--model", "oracle", "--model", "majority", "--targets",
            drawn / "targets.csv", *words, "--out", out, "--tracking-uri", "off", cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        cells = {path.parent.name for path in out.rglob("cell.json")}
        assert cells == {"clean", f"roll-2-{where}", f"exposure-1-{where}", f"exposure-4-{where}"}
        rows = pq.read_table(out / "estimates.parquet").to_pylist()
        areas = {(row["condition"], row["where"]) for row in rows if row["kind"] == "area"}
        assert areas == {("roll", where), ("exposure", where)}
        assert affectbench("audit", out, cwd=tmp_path).returncode == 0


def test_what_a_suite_for_any_data_cannot_be_given(affectbench: Affectbench, tmp_path: Path) -> None:
    words = ("run", "--suite", "robustness-core", "--model", "oracle", "--out", "RUN")
    for data, said in {
        "@test=.": "--data: '@test' names no data set. --data ADAPTER=DIR, or ADAPTER@SPLIT=DIR.",
        "fer2014@test=.": "data set 'fer2014' is not known. Did you mean 'fer2013'?",
    }.items():
        done = affectbench(*words, "--data", data, cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
    pictures = affectbench("suite", "show", "robustness-time", "--pictures", "P.png", cwd=tmp_path)
    assert pictures.returncode == 2
    assert "no condition of robustness-time acts on less than a whole video." in pictures.stderr


def test_each_perturbation_is_in_one_shipped_suite_of_robustness() -> None:
    suites = {path.stem: read_suite(path).suite for path in shipped("suites").glob("robustness-*.yaml")}
    conditions = suites.pop("robustness-core").conditions
    core = {condition.perturb for condition in conditions}
    families = [condition.perturb for suite in suites.values() for condition in suite.conditions]
    assert len(core) == 12
    optics = {"defocus", "motion_blur", "zoom_blur", "low_resolution", "vignetting"}
    kept = {name: {c.perturb for c in suite.conditions} & core for name, suite in suites.items()}
    held = {name.removeprefix("robustness-"): len(found - optics) for name, found in kept.items() if found}
    # As it says of itself: two of pose and of the sensor, four of light and of optics.
    assert held | {"optics": len(core & optics)} == {"pose": 2, "sensor": 2, "light": 4, "optics": 4}
    # The middle severity, or the one before where the middle one may destroy labels: a gate counts them all.
    marks = {name: PERTURBATIONS[name].destroys_label_from or 6 for name in core}
    assert {c.perturb: c.severities for c in conditions} == {
        n: (3 if m > 3 else 2,) for n, m in marks.items()
    }
    assert min(marks.values()) > 2
    assert core <= set(families)
    assert sorted(families) == sorted(set(families))
    kinds = ("light", "occlusion", "pose", "sensor", "sound", "time")
    assert set(suites) == {f"robustness-{name}" for name in kinds}
    assert all(not suite.data for suite in suites.values())
    everything = (PERTURBATIONS, FACE_PERTURBATIONS, FILM_PERTURBATIONS, SOUND_PERTURBATIONS)
    assert {name for registry in everything for name in registry} == set(families)


def test_one_of_a_unit_is_shown_in_the_singular(tmp_path: Path) -> None:
    path = tmp_path / "S.yaml"
    path.write_text(SUITE.replace("[1, 3]", "[1]"))
    assert shown(path)[3] == "condition  low_light on the crop (1: 1 stop of exposure lost)"
    path.write_text(SUITE)
    assert shown(path)[3] == "condition  low_light on the crop (1: 1, 3: 3 stops of exposure lost)"


def test_what_a_suite_does_not_name_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "S.yaml"
    path.write_text("suite: bare\ndata: [{adapter: manifest, targets: T.csv}]\n")
    assert [line.split()[0] for line in shown(path)] == ["bare", "data", "condition", "metrics"]
