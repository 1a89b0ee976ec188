"""What a report says: the planted numbers, what they mean, and what was not measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.report.format import DASH
from bench.spec import Facts
from tests.report import fake_run
from tests.report.reading import read


def test_undefined_and_insufficient_are_said(hostile_run: Path) -> None:
    page = read(hostile_run)[1]
    rows = {row[0]: row for row in page.table(f"{fake_run.SCRIPT} on ")}
    assert rows["un\ufffdknown\ufffd"][4:] == ["undefined", "280", "undefined", "280", "undefined"]
    assert rows[fake_run.LONG][4] == "† 0.600 [0.580, 0.620]"
    assert rows[fake_run.LONG][-1] == "insufficient"
    assert page.table("Slices by state")[2][1:] == ["1"] * 4
    lowest = page.table("Lowest reportable slice of each attribute")
    assert lowest[2][2:4] == [f"{fake_run.QUOTES} (the only one)", "0.700 [0.680, 0.720]"]
    assert lowest[4][2] == "none reportable"


def test_the_banners_and_the_gaps_are_said(hostile_run: Path) -> None:
    shown = "".join(read(hostile_run)[1].texts)
    assert f"{fake_run.QUOTES}: these are doubles of known quality, not models." in shown
    assert "with clips as clusters independence is assumed" in shown
    assert "Intervals cover the sampling of subjects, not retraining or seeds." in shown
    assert "unavailable for every model: AUROC." in shown
    assert "undefined over all rows for <script>alert('x')</script>: CCC valence." in shown
    assert "constant \ufffd[31m" in shown


def test_conditions_stand_with_severities_coverage_and_misses(hostile_run: Path) -> None:
    page = read(hostile_run)[1]
    rows = page.table("UAR on data <b>&amp; under each condition")
    assert [row[0] for row in rows[3:]] == [
        "low light, on the frame",
        *(f"severity {s}" for s in range(1, 6)),
    ]
    # 0.61 falls by 0.05 a severity.
    assert [row[3].split()[0] for row in rows[4:]] == ["0.560", "0.510", "0.460", "0.410", "0.360"]
    assert rows[4][4] == "0.998"
    missed = [rows for caption, rows in page.tables if caption.startswith("Rows by status")][1]
    assert missed[2][1:] == ["1\u202f234", "1\u202f229", "4", "0", "1", "0"]


def test_planted_numbers_arrive(crema_run: Path) -> None:
    page = read(crema_run)[1]
    headline = {row[0]: row for row in page.table("Headline numbers")}
    assert headline["face"][1:4] == ["7\u202f442", "91 persons", "0.6626 [0.649, 0.677]"]
    rows = {row[0]: row for row in page.table("face on crema-d")}
    # By hand: .6626 less .036, half the interval .14 over the root of 48; n is 82 times 48 less 20.
    assert rows["Male"][1:6] == ["3\u202f916", "48 persons", "0.998", "0.627 [0.606, 0.647]", "1\u202f566"]
    assert rows["Unknown"][4] == "† 0.693 (no interval)"
    lowest = page.table("Lowest reportable slice of each attribute")
    race = next(row for row in lowest if row[:2] == ["race", "face"])
    assert race[2:] == ["African American", "0.663 [0.633, 0.692]", "1\u202f784", "22 persons", "2 of 4"]


def test_a_model_trained_on_the_data_is_named(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    for who in ("m@2", "other"):
        small_run.estimate(who, "uar", 0.5)
    shown = "".join(read(small_run.write(tmp_path / "run"))[1].texts)
    assert "m@2: trained on d, so its numbers there do not measure new data." in shown
    assert "m@2, entry m, checkpoint 2" in shown


def test_valence_and_arousal_stand_apart(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    for metric in ("ccc_valence", "ccc_valence_covered", "rmse_valence", "ccc_arousal"):
        for part in ((None, None), ("a", "x")):
            small_run.estimate("m@2", metric, 0.321, part=part, n=812)
    page = read(small_run.write(tmp_path / "run"))[1]
    rows = page.table("Valence and arousal on d")
    assert [row[0] for row in rows[1:]] == [
        "CCC valence",
        "CCC valence, covered only",
        "RMSE valence",
        "CCC arousal",
    ]
    assert rows[1][1:] == ["812", "91 persons", "0.321 [0.301, 0.341]", "not measured"]
    captions = [caption for caption, _ in page.tables if "by slice" in caption]
    assert [caption.partition(":")[2].partition(" by slice")[0].strip() for caption in captions] == [
        "CCC valence, RMSE valence",
        "CCC valence, covered only",
        "CCC arousal",
    ]


@pytest.mark.parametrize(("missed", "tables"), [(0.0, 0), (0.1, 1)])
def test_coverage_by_slice_has_a_table_where_rows_are_missed(
    small_run: fake_run.FakeRun, tmp_path: Path, missed: float, tables: int
) -> None:
    for part in ((None, None), ("a", "x")):
        small_run.estimate("m@2", "coverage", 1.0 - missed, part=part)
    page = read(small_run.write(tmp_path / "run"))[1]
    assert len([caption for caption, _ in page.tables if "coverage by slice" in caption]) == tables


def test_what_predictions_lack_is_unavailable(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    text = "unavailable: the predictions have no output for uar; independence of clips is assumed"
    small_run.estimate("m@2", "uar", None, part=(None, None), status="insufficient", warning=text)
    small_run.estimate("m@2", "uar", 0.4, part=("a", "x"), warning="3 rows without label left out")
    small_run.estimate("m@2", "uar", 0.4, part=("a", "y"), warning="1 row without label left out")
    page = read(small_run.write(tmp_path / "run"))[1]
    assert page.table("Headline numbers")[2][3] == "unavailable1"
    assert "1 unavailable: the predictions have no output for uar" in "".join(page.texts)
    assert "On d unavailable over all rows for m@2: UAR." in "".join(page.texts)
    warned = {row[0]: row[-1] for row in page.table("Warnings of the estimates")}
    assert warned["independence of clips is assumed"] == "1"
    assert warned["without label left out"] == "2"


def test_scored_predictions_are_named_by_their_digest(crema_run: Path) -> None:
    page = read(crema_run)[1]
    rows = page.table("What each model rests on")
    assert rows[1:3] == [["voice"], ["predictions", fake_run.scored("voice")["predictions_sha256"]]]
    assert "made elsewhere, scored here" in page.texts
    assert "Device" not in {row[0] for row in page.table("The run")}


def test_what_was_not_declared_and_not_looked_at_is_said(crema_run: Path, hostile_run: Path) -> None:
    scored, run = (read(path)[1].texts for path in (crema_run, hostile_run))
    for texts in (scored, run):
        assert texts[texts.index("Trained on by") + 1] == "not declared (this is not a no)"
    assert scored[scored.index("Media") + 1] == "none were looked at; predictions were made elsewhere"
    assert run[run.index("Media") + 1] == "whole frames with a face"


def test_the_origin_of_a_model_is_shown_and_unknown_fields_are_none_of_ours(
    small_run: fake_run.FakeRun, tmp_path: Path
) -> None:
    origin = "models:/emotion@champion, version 2"
    small_run.models[0] |= {"origin": origin, "later": [1]}
    small_run.models[1] |= {"origin": None}
    small_run.estimate("m@2", "uar", 0.5)
    path = small_run.write(tmp_path / "run")
    plan = json.loads((path / "run.json").read_text())
    plan["later"] = {"x": 1}
    plan["datasets"][0]["later"] = 1
    (path / "run.json").write_text(json.dumps(plan))
    page = read(path)[1]
    assert page.texts[page.texts.index("Models") + 1] == f"m@2 ({origin}); other"
    rows = page.table("What each model rests on")
    assert [f"m@2, entry m, checkpoint 2, from {origin}"] in rows
    assert ["other"] in rows


def test_which_faces_a_model_sees_is_said_in_words(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    front = {"version": 1, "detector": "ultraface@slim", "size": 112, "margin": 0.2}
    small_run.models[0] |= {"sampling": {"rate": 5.0, "count": None}, "front": front}
    small_run.models[1] |= {"sampling": {"rate": None, "count": None}, "front": None}
    small_run.estimate("m@2", "uar", 0.5)
    assert read(small_run.write(tmp_path / "run"))[1].table("What each model sees")[1:] == [
        ["m@2", "5 a second",
         "found by ultraface@slim, tracked, turned upright, 112 x 112 pixels with a margin of 20 %"],
        ["other", "every one", "whole frames"],
    ]  # fmt: skip
    small_run.facts = small_run.facts.model_copy(update={"media_kind": "aligned"})
    rows = read(small_run.write(tmp_path / "aligned"))[1].table("What each model sees")
    assert {row[2] for row in rows[1:]} == {"the media as they are"}


@pytest.mark.parametrize("double", [False, True])
def test_flat_lines_are_explained_where_all_models_are_doubles(tmp_path: Path, *, double: bool) -> None:
    models = [fake_run.model("m", double=double), fake_run.model("n", double=True)]
    run = fake_run.FakeRun(Facts(name="d"), models, rows=10)
    for place in (fake_run.CLEAN, ("low_light", 1, "frame")):
        run.estimate("m", "uar", 0.5, place=place)
    texts = read(run.write(tmp_path / "run"))[1].texts
    assert texts.count("Doubles do not look at pictures, so these lines are flat.") == double


def test_no_slice_is_the_lowest_where_all_are_equal(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    for who, last in (("m@2", 0.1 + 0.2), ("other", 0.299)):
        small_run.estimate(who, "uar", 0.3)
        for name, value in (("x", 0.3), ("y", last)):
            small_run.estimate(who, "uar", value, part=("a", name))
        small_run.estimate(who, "uar", 0.1, part=("a", "z"), status="insufficient")
    rows = read(small_run.write(tmp_path / "run"))[1].table("Lowest reportable slice of each attribute")
    assert rows[2] == ["a", "m@2", "all equal", "0.300", DASH, DASH, "2 of 3"]
    assert rows[3][2:4] == ["y", "0.299 [0.279, 0.319]"]


def test_each_metric_has_its_own_counts_where_they_differ(
    small_run: fake_run.FakeRun, tmp_path: Path
) -> None:
    for part in ((None, None), ("a", "x")):
        small_run.estimate("m@2", "accuracy", 0.5, part=part, n=1500, clusters=91)
        small_run.estimate("m@2", "precision/fear", 0.4, part=part, n=169, clusters=48)
        small_run.estimate("m@2", "precision/joy", 0.4, part=part, n=121, clusters=91)
    page = read(small_run.write(tmp_path / "run"))[1]
    rows = page.table("m@2 on d: accuracy")
    assert rows[0] == [
        "Slice", "Coverage", "Accuracy (WAR)", "n / clusters", "n_eff", "Precision: fear", "n / clusters", "n_eff",
        "Precision: joy", "n / clusters", "n_eff", "State",
    ]  # fmt: skip
    assert [rows[-1][i] for i in (0, 3, 6, 9)] == ["x", "1\u202f500 / 91", "169 / 48", "121 / 91"]


def test_counts_of_the_headline_are_a_range_where_metrics_differ(
    small_run: fake_run.FakeRun, tmp_path: Path
) -> None:
    small_run.estimate("m@2", "accuracy", 0.5, n=169, clusters=48)
    small_run.estimate("m@2", "ccc_valence", 0.5, n=121, clusters=40)
    page = read(small_run.write(tmp_path / "run"))[1]
    assert page.table("Headline numbers")[2][1:3] == [f"121{DASH}169", f"40{DASH}48 persons"]
    assert "A range of n or clusters: metrics rest on different rows" in "".join(page.texts)


def test_why_there_is_no_interval_or_value_is_a_footnote(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    still, gone = "no interval: the value is the same without any one cluster", "undefined: no rows at all"
    for who in ("m@2", "other"):
        small_run.estimate(who, "uar", 0.8, half=None, warning=f"2 rows left out; {still}")
    small_run.estimate("m@2", "ccc_valence", None, half=None, warning=gone)
    text, page = read(small_run.write(tmp_path / "run"))
    rows = page.table("Headline numbers")
    assert rows[2][3:] == ["0.8000 (no interval)1", "undefined2"]
    assert rows[3][3] == "0.8000 (no interval)1"
    assert f'<p class="note"><sup>1</sup> {still}</p>\n<p class="note"><sup>2</sup> {gone}</p>' in text


def test_long_names_break_after_commas(tmp_path: Path) -> None:
    name = "planted_bias@tint=cool,loss=0.25"
    run = fake_run.FakeRun(Facts(name="d"), [fake_run.model(name)], rows=9)
    run.estimate(name, "uar", -0.25)
    text, page = read(run.write(tmp_path / "run"))
    assert "<td>" not in text
    assert '<th scope="row">planted_bias@<wbr>tint=cool,<wbr>loss=0.25</th>' in text
    assert page.table("Headline numbers")[2][3] == "\u22120.2500 [\u22120.270, \u22120.230]"
