"""Conditions in a report: what severities stand for, labels that may be lost, one severity each or several."""

from __future__ import annotations

from pathlib import Path

from bench.report.format import DASH, THIN
from bench.report.results import read_results
from bench.report.robustness import conditions_json, worst_of
from bench.report.terminal import cautions
from bench.spec import Condition, Facts
from tests.report import fake_run
from tests.report.reading import read

# As older runs have it: without texts of the amounts.
FAR = {"levels": [1.5, 2, 3, 4, 6], "unit": "times as far", "destroys_label_from": 4}
HALVINGS = ["1/2", "1/4", "1/8", "1/16", "1/32"]
DARK = {"levels": [1, 2, 3, 4, 5], "amounts": HALVINGS, "unit": "of the light", "destroys_label_from": None}
HERE = "on the crop"


def made(places: list[fake_run.Place], *models: str) -> fake_run.FakeRun:
    severities = {name: tuple(s for n, s, _ in places if n == name) for name in ("distance", "low_light")}
    run = fake_run.FakeRun(
        Facts(name="d"), [fake_run.model(name) for name in models], rows=1000, metrics=("accuracy",),
        conditions=tuple(Condition(perturb=n, severities=s) for n, s in severities.items() if s),
        perturbations={"distance": FAR, "low_light": DARK},
    )  # fmt: skip
    for name in models:
        for place in (fake_run.CLEAN, *places):
            run.estimate(name, "accuracy", 0.7 - 0.1 * place[1], place=place)
            run.cell(name, {"ok": 990, "no_face": 10}, place)
    return run


def plant_worst(run: fake_run.FakeRun, place: fake_run.Place) -> None:
    run.estimate("m", "accuracy", 0.4, place=place, kind="worst", reference="clean")


def test_conditions_of_one_severity_stand_below_one_another(tmp_path: Path) -> None:
    run = made([("distance", 4, "crop"), ("low_light", 3, "crop")], "m")
    plant_worst(run, ("distance", 4, "crop"))
    results = read_results(run.write(tmp_path / "run"))
    told = worst_of(results, results.datasets[0], "m", "accuracy")
    assert told is not None
    said = "0.700 to 0.300, degradation 0.400 [0.380, 0.420]"
    assert told.endswith(f"is worst by distance, severity 4, {HERE}, label may be lost: {said}")
    page = read(tmp_path / "run")[1]
    rows = page.table("accuracy (WAR) on d under each condition")
    assert rows[0][:3] == ["Condition", "Amount", "n"]
    assert [row[:2] for row in rows[1:]] == [
        ["clean", DASH],
        [f"distance, severity 4, {HERE}, label may be lost", "4 times as far"],
        [f"low light, severity 3, {HERE}", "1/8 of the light"],
    ]
    assert [row[4].split()[0] for row in rows[1:]] == ["0.700", "0.300", "0.400"]
    missed = [rows for caption, rows in page.tables if caption.startswith("Rows by status")][1]
    assert missed[0][:2] == ["Condition", "Rows"]
    assert [row[0] for row in missed[1:]] == [
        "d, m",
        f"distance, severity 4, {HERE}",
        f"low light, severity 3, {HERE}",
    ]
    said = "".join(page.texts)
    assert "Where the label may be lost people would miss it too" in said
    assert (
        said.count("Accuracy (WAR) under each condition with 95 % intervals. The line and band are clean")
        == 1
    )
    assert "along the severities" not in said


def test_conditions_that_take_as_much_as_the_worst_are_named(tmp_path: Path) -> None:
    places = [("distance", 4, "crop"), ("low_light", 3, "crop"), ("low_light", 4, "frame")]
    run = made(places, "m")
    for place, lost in zip(places, (0.4, 0.4 + 1e-15, 0.39), strict=True):
        run.estimate("m", "accuracy", lost, place=place, kind="degradation", reference="clean")
        for value, of_slice in (("F", lost), ("M", lost), ("X", lost - 0.1)):
            part = ("sex", value)
            run.estimate(
                "m", "accuracy", of_slice, place=place, part=part, kind="degradation", reference="clean"
            )
    plant_worst(run, places[0])
    results = read_results(run.write(tmp_path / "run"))
    told = worst_of(results, results.datasets[0], "m", "accuracy")
    assert told is not None
    also = f"(as much by low light, severity 3, {HERE})"
    assert f"is worst by distance, severity 4, {HERE}, label may be lost {also}: 0.700" in told
    assert [row["worst"] for row in conditions_json(results, "d")] == [True, True, False]
    page = read(tmp_path / "run")[1]
    assert page.table("Conditions over all severities, accuracy")[-1][0].endswith(also)
    (lines,) = [rows for caption, rows in page.tables if caption.startswith("What each condition takes")]
    assert {row[5] for row in lines[2:]} == {"sex F (as much: sex M)"}


def test_severities_of_a_condition_stand_together_with_their_amounts(tmp_path: Path) -> None:
    run = made([("distance", severity, "crop") for severity in (3, 4)], "m", "n")
    page = read(run.write(tmp_path / "run"))[1]
    rows = page.table("accuracy (WAR) on d under each condition")
    assert [row[:2] for row in rows[3:]] == [
        [f"distance, {HERE}"],
        ["severity 3", "3 times as far"],
        ["severity 4, label may be lost", "4 times as far"],
    ]
    missed = [rows for caption, rows in page.tables if caption.startswith("Rows by status")][1]
    assert missed[0][0] == "Model"
    said = "".join(page.texts)
    assert (
        "Accuracy (WAR) along the severities of distance, on the crop; 0 is clean. The label may be lost at severity 4."
        in said
    )


def test_without_lost_labels_nothing_is_said_of_them(tmp_path: Path) -> None:
    page = read(made([("low_light", 5, "crop")], "m").write(tmp_path / "run"))[1]
    assert "may be lost" not in "".join(page.texts)


def test_frames_that_stayed_as_they_were_are_said(tmp_path: Path) -> None:
    places = [("distance", 3, "crop"), ("low_light", 3, "frame"), ("low_light", 4, "frame")]
    run = made(places, "m", "n")
    page = read(run.write(tmp_path / "none"))[1]
    assert "stay as they are" not in "".join(page.texts)
    for model in ("m", "n"):
        for place in places[1:]:
            run.harmed[model, place] = {"perturbable": 1340, "unperturbed": 67}
    run.harmed["m", places[0]] = {"perturbable": 40, "unperturbed": 0}
    run.models.append(fake_run.model("d", double=True))
    run.cell("d", {"ok": 990, "no_face": 10})
    run.cell("d", {"ok": 990, "no_face": 10}, places[1])
    run.harmed["d", places[1]] = {"perturbable": 9, "unperturbed": 9}
    said = "".join(read(run.write(tmp_path / "some"))[1].texts).replace(THIN, " ")
    end = "have no face that could be worked on and stay as they are"
    assert said.count(f"Low light, on the frame: 67 of 1 340 frames (5 %) {end}.") == 1
    assert said.count(f"Distance, on the crop: 0 of 40 frames (0 %) {end} for m.") == 1
    assert "9 of 9 frames" not in said
    # Over all models and conditions: twice two of 67 of 1,340, and none of 40.
    (told,) = (text for text in cautions(tmp_path / "some") if "stayed as they were" in text)
    assert told.replace(THIN, " ").startswith("d: 268 of 5 400 frames (5.0 %) that were to be perturbed")
    assert not any("stayed as they were" in text for text in cautions(tmp_path / "none"))
    assert said.count("Where frames stay as they are a loss is smaller than it would be") == 1


def test_one_of_a_unit_is_said_in_the_singular(tmp_path: Path) -> None:
    run = made([("low_light", severity, "crop") for severity in (1, 2)], "m", "n")
    stops = {"levels": [1, 2, 3, 4, 5], "unit": "stops of exposure lost", "destroys_label_from": None}
    run.perturbations["low_light"] = stops
    rows = read(run.write(tmp_path / "run"))[1].table("accuracy (WAR) on d under each condition")
    assert [row[1] for row in rows[4:]] == ["1 stop of exposure lost", "2 stops of exposure lost"]
