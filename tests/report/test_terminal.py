"""The terminal summary: golden text, no cut number at any width, no markup or control from names, JSON."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.report import console
from bench.report.console import PIPED, standard_output
from bench.report.format import DASH
from bench.report.render import render
from bench.report.terminal import as_json, cautions, summarise
from bench.spec import Facts
from tests.report import fake_run
from tests.report.reading import read

GOLDEN = """\
m: these are doubles of known quality, not models.
fer, all rows (clean)

 Model        Metric           Estimate, interval          n     Clusters   State
 ─────────────────────────────────────────────────────────────────────────────────────
 m (double)   accuracy (WAR)   0.6552 [0.640, 0.671]   3 573   91 persons   reportable
 other        accuracy (WAR)   0.4713 [0.456, 0.487]   3 573   91 persons   reportable

m on fer, accuracy (WAR) by slice (clean)

 Slice   Value   Estimate, interval            n     Clusters   State
 ───────────────────────────────────────────────────────────────────────────
 sex     F       0.655 [0.640, 0.671]      3 000   60 persons   reportable
         M       0.600 [0.584, 0.616]        500   15 persons   insufficient
         X       withheld               withheld     withheld   suppressed

other on fer, accuracy (WAR) by slice (clean)

 Slice   Value   Estimate, interval           n     Clusters   State
 ──────────────────────────────────────────────────────────────────────────
 sex     F       undefined                3 000   60 persons   undefined
         M       0.600 (no interval)        500    4 persons   insufficient
         X       withheld              withheld     withheld   suppressed

fer, rows by status (clean)

 Model      ok   no face   abstained   decode error   model error
 ────────────────────────────────────────────────────────────────
 m       3 570         3           0              0             0

Withheld: fewer than 5 persons are in the value or a class of it, or in another that the number would reveal.
Intervals cover the sampling of subjects, not retraining or seeds.
"""


@pytest.fixture
def small_run(tmp_path: Path) -> Path:
    facts = Facts(name="fer", labels=("neutral", "fear"), label_space="declared", attributes={"sex": "given"})
    models = [fake_run.model("m", double=True), fake_run.model("other")]
    run = fake_run.FakeRun(facts, models, rows=3573, slices=("sex",))
    for who, value in (("m", 0.6552), ("other", 0.4713)):
        run.estimate(who, "accuracy", value, n=3573, half=0.0156)
    run.estimate("m", "accuracy", 0.6552, part=("sex", "F"), n=3000, clusters=60, half=0.0156)
    run.estimate(
        "m", "accuracy", 0.6, part=("sex", "M"), n=500, clusters=15, half=0.016, status="insufficient"
    )
    run.estimate("other", "accuracy", None, part=("sex", "F"), n=3000, clusters=60)
    run.estimate(
        "other", "accuracy", 0.6, part=("sex", "M"), n=500, clusters=4, half=None, status="insufficient"
    )
    for who in ("m", "other"):
        run.estimate(who, "accuracy", 0.123, part=("sex", "X"), n=73, clusters=3, status="suppressed")
    run.cell("m", {"ok": 3570, "no_face": 3})
    return run.write(tmp_path / "run")


def printed(run: Path, width: int, *, terminal: bool = False) -> str:
    out = Console(file=io.StringIO(), width=width, force_terminal=terminal)
    summarise(run, out)
    assert isinstance(out.file, io.StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().splitlines()) + "\n"


def test_golden(small_run: Path) -> None:
    assert printed(small_run, 115) == GOLDEN


def test_slices_that_may_reveal_one_another_are_named(
    small_run: Path, crema_run: Path, tmp_path: Path
) -> None:
    told = "Of slices asked for together one may be withheld for the sake of another: sex, age."
    assert "asked for together" not in printed(small_run, 300) + read(small_run)[0] + read(crema_run)[0]
    run = fake_run.FakeRun(Facts(name="d"), [fake_run.model("m")], rows=100, slices=("sex", "age"))
    run.estimate("m", "accuracy", 0.5)
    run.estimate("m", "accuracy", 0.5, part=("sex", "F"), n=97)
    run.estimate("m", "accuracy", None, half=None, part=("age", "old"), status="suppressed")
    assert told in printed(run.write(tmp_path / "two"), 300)
    assert told in read(tmp_path / "two")[0]


def test_nothing_withheld_is_not_explained(crema_run: Path) -> None:
    assert "ithheld" not in printed(crema_run, 200)


@pytest.mark.parametrize("width", [20, 60, 80, 100, 200])
def test_no_number_is_cut_at_any_width(crema_run: Path, hostile_run: Path, width: int) -> None:
    for run in (crema_run, hostile_run):
        text = printed(run, width)
        assert "…" not in text
        wide = printed(run, 400)
        for number in (
            "0.386 [0.362, 0.411]",
            "0.446 (no interval)",
            "2 604",
            "0.600 [0.580, 0.620]",
            "1 230",
        ):
            assert text.count(number) == wide.count(number)


def test_names_of_models_stay_whole_on_a_narrow_terminal(tmp_path: Path) -> None:
    """A name that takes the room of numbers stands above a table of its own, with every number it had."""
    names = ("efficientnet_b2_8_best", "efficientnet_b0_afew")
    run = fake_run.FakeRun(
        Facts(name="d", attributes={"sex": "given"}), [fake_run.model(n) for n in names], rows=9
    )
    for name, value in zip(names, (0.6, 0.5), strict=True):
        run.estimate(name, "accuracy", value)
        run.cell(name, {"ok": 9})
    text, wide = (printed(run.write(tmp_path / str(width)), width) for width in (80, 300))
    assert "d, all rows (clean)" in wide.splitlines()
    for name in names:
        assert f"{name} on d, all rows (clean)" in text.splitlines()
    for number in ("0.6000 [0.580, 0.620]", "0.5000 [0.480, 0.520]"):
        assert text.count(number) == wide.count(number) == 1
    assert max(map(len, text.splitlines())) <= 80


def test_every_command_prints_through_one_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert standard_output().width == PIPED
    root = Path(console.__file__).parents[1]
    made = {
        p.name for p in root.rglob("*.py") if re.search(r"\bConsole\((?!stderr=True)", p.read_text("utf-8"))
    }
    assert made == {"console.py"}


def test_names_are_text(hostile_run: Path) -> None:
    text = printed(hostile_run, 400)
    assert "[red]markup[/red]" in text
    assert fake_run.LONG[:50] in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\x07" not in printed(hostile_run, 100, terminal=True)
    assert "[31m" not in text.replace("\ufffd[31m", "")


def test_the_state_of_headline_numbers_and_further_conditions_are_said(tmp_path: Path) -> None:
    run = fake_run.FakeRun(Facts(name="d"), [fake_run.model("m")], rows=10)
    run.estimate("m", "accuracy", 0.5, status="insufficient")
    for severity in (1, 2, 3):
        run.estimate("m", "accuracy", 0.4, place=("low_light", severity, "frame"))
    lines = printed(run.write(tmp_path / "run"), 100).splitlines()
    assert next(line for line in lines if line.startswith(" m ")).endswith("   insufficient")
    assert lines[-2] == "3 more conditions: see the report"


def test_json_holds_the_summary(small_run: Path) -> None:
    found = json.loads(json.dumps(as_json(small_run), allow_nan=False))
    assert found == as_json(small_run)
    assert found["report"] is None
    assert found["models"] == [{"name": "m", "double": True}, {"name": "other", "double": False}]
    first = found["headline"][0]
    assert first["estimate"] == 0.6552
    assert (first["n"], first["clusters"], first["cluster_unit"]) == (3573, 91, "person")
    assert found["slices"][0] == {
        "model": "m", "dataset": "fer", "metric": "accuracy", "reportable": 1, "insufficient": 1,
        "suppressed": 1, "undefined": 0,
    }  # fmt: skip
    assert found["statuses"][0]["statuses"] == {"ok": 3570, "no_face": 3}
    assert as_json(render(small_run).parent)["report"] == str(small_run / "report.html")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("bench.report", ("numpy", "jinja2", "matplotlib", "torch", "pandas")),
        ("bench.report.terminal", ("jinja2", "matplotlib", "torch", "pandas", "datasets", "mlflow")),
        ("bench.report.render", ("matplotlib.pyplot", "torch", "pandas", "datasets", "mlflow")),
    ],
)
def test_imports_are_lean(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


GAPS = """\
fer, largest minus smallest value of each attribute (clean)

 Attribute   Model   Metric                Gap   Chance: mean, 95 %          p          q   Left out   State
 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
 sex         m       accuracy (WAR)      0.078         0.021, 0.052       .002       .018          0   reportable
                     recall: fear            -                    -          -          -          1   insufficient
             other   accuracy (WAR)      0.000                    -          -          -          0   reportable
                     recall: fear        0.162         0.046, 0.112     < .001       .004          0   reportable
 age         m       accuracy (WAR)   withheld             withheld   withheld   withheld   withheld   suppressed
""".replace("  -  ", f"  {DASH}  ")


@pytest.fixture
def gaps_run(tmp_path: Path) -> Path:
    facts = Facts(name="fer", labels=("neutral", "fear"), attributes={"sex": "given", "age": "given"})
    run = fake_run.FakeRun(
        facts, [fake_run.model("m"), fake_run.model("other")], rows=3573, slices=("sex", "age"),
        metrics=("accuracy", "recall/fear", "precision"),
    )  # fmt: skip
    for who in ("m", "other"):
        for metric in ("accuracy", "recall/fear", "precision/fear"):
            run.estimate(who, metric, 0.5)
            for part in (("sex", "F"), ("sex", "M"), ("age", "<30")):
                run.estimate(who, metric, 0.5, part=part)

    def gap(who: str, metric: str, value: float | None, name: str = "sex", **fields: Any) -> None:
        blank = {"level": None, "side": None, "method": None, "coverage": None, "n_eff": None}
        run.estimate(who, metric, value, part=(name, None), half=None, kind="gap", **blank, **fields)

    tested = {"null_mean": 0.0208, "null_p95": 0.0516, "p": 0.0023, "p_adjusted": 0.0175}
    gap("m", "accuracy", 0.0782, **tested)
    gap("m", "recall/fear", None, status="insufficient", slices_left_out=1, warning="nothing to compare: few")
    gap("m", "precision/fear", 0.3, **tested)
    gap("other", "accuracy", 0.0)
    gap("other", "recall/fear", 0.162, null_mean=0.0456, null_p95=0.1115, p=0.0004, p_adjusted=0.0042)
    gap("m", "accuracy", 0.9, "age", status="suppressed", **tested)
    return run.write(tmp_path / "run")


def test_gaps_stand_beside_what_chance_makes(gaps_run: Path) -> None:
    text = printed(gaps_run, 130)
    assert GAPS in text
    assert "0.900" not in text
    assert " ".join(text.splitlines()[-2:]) == (
        "A gap is the largest minus the smallest reportable value. p and q (the false discovery rate) hold it "
        "against what chance alone makes."
    )
    shown = [line.split("  ")[0].strip() for line in text.splitlines() if "precision" in line]
    assert len(shown) == 2, "the class is shown over all rows, and its gap only where it is asked for itself"


def test_gaps_in_json_are_the_rows_of_the_estimates(gaps_run: Path) -> None:
    gaps = as_json(gaps_run)["gaps"]
    assert [(g["slice"], g["model"], g["metric"], g["status"]) for g in gaps] == [
        ("sex", "m", "accuracy", "reportable"), ("sex", "m", "recall/fear", "insufficient"),
        ("sex", "other", "accuracy", "reportable"), ("sex", "other", "recall/fear", "reportable"),
        ("age", "m", "accuracy", "suppressed"),
    ]  # fmt: skip
    assert gaps[0] == {
        "model": "m", "dataset": "fer", "slice": "sex", "value": None, "metric": "accuracy",
        "reference": None, "estimate": 0.0782,
        "null_mean": 0.0208, "null_p95": 0.0516, "p": 0.0023, "p_adjusted": 0.0175, "family": None,
        "role": "exploratory", "method": None, "clusters": 91, "cluster_unit": "person", "slices_left_out": 0, "warning": None,
        "status": "reportable",
    }  # fmt: skip
    assert (gaps[1]["estimate"], gaps[1]["p"], gaps[1]["slices_left_out"]) == (None, None, 1)
    assert {gaps[4][name] for name in ("estimate", "null_mean", "p", "p_adjusted", "clusters")} == {None}


def test_one_class_asked_for_alone_is_shown_over_all_rows_and_by_slice(tmp_path: Path) -> None:
    facts = Facts(name="d", labels=("neutral", "fear"), attributes={"sex": "given"})
    run = fake_run.FakeRun(facts, [fake_run.model("m")], rows=9, slices=("sex",), metrics=("recall/fear",))
    for part in ((None, None), ("sex", "F"), ("sex", "M")):
        run.estimate("m", "recall/fear", 0.5, part=part)
    folder = run.write(tmp_path / "run")
    lines = printed(folder, 100).splitlines()
    assert " m       recall: fear   0.5000 [0.480, 0.520]   1 000   91 persons   reportable" in lines
    assert "m on d, recall: fear by slice (clean)" in lines
    found = as_json(folder)
    assert [(e["metric"], e["estimate"]) for e in found["headline"]] == [("recall/fear", 0.5)]
    assert found["slices"][0] | {"metric": "recall/fear", "reportable": 2} == found["slices"][0]


def test_labels_that_cannot_be_predicted_are_a_caution(tmp_path: Path) -> None:
    run = fake_run.FakeRun(Facts(name="d"), [fake_run.model(n) for n in ("a", "b", "c")], rows=10)
    note = "1 row without label left out; no probability for fear, joy: can never be predicted"
    for who in ("a", "b", "c"):
        for metric in ("accuracy", "uar"):
            run.estimate(who, metric, 0.5, warning=note if who != "c" else None)
    folder = run.write(tmp_path / "run")
    said = ["a, b: on d no probability for fear, joy: can never be predicted."]
    assert cautions(folder) == as_json(folder)["notes"] == said
    assert printed(folder, 100).splitlines()[0] == said[0]


def test_why_there_is_no_interval_is_said_once_with_whose_it_is(tmp_path: Path) -> None:
    run = fake_run.FakeRun(
        Facts(name="d", attributes={"sex": "given"}), [fake_run.model("m")], rows=9, slices=("sex",)
    )
    why = "no interval: fewer than 5 clusters"
    run.estimate("m", "uar", 0.8, half=None, warning=f"{why}; 2 rows with a decode error left out")
    run.estimate("m", "macro_f1", 0.8, half=None, warning=why)
    for value, half in (("F", 0.1), ("M", None), ("X", None)):
        said = None if half else why
        run.estimate("m", "uar", 0.8, part=("sex", value), half=half, warning=said)
    lines = printed(run.write(tmp_path / "run"), 100).splitlines()
    assert [line for line in lines if line.startswith(why)] == [
        f"{why} (m: UAR, macro F1)",
        f"{why} (sex: M, X)",
    ]


def test_the_family_of_q_is_named_and_primary_gaps_are_marked(tmp_path: Path) -> None:
    run = fake_run.FakeRun(
        Facts(name="d", attributes={"sex": "given"}), [fake_run.model("m")], rows=9, slices=("sex",)
    )
    for part in ((None, None), ("sex", "F"), ("sex", "M")):
        run.estimate("m", "uar", 0.5, part=part)
    tested = {"p": 0.0023, "p_adjusted": 0.0175, "family": "1 primary gap of m", "role": "confirmatory"}
    run.estimate("m", "uar", 0.1, part=("sex", None), kind="gap", half=None, **tested)
    text = printed(run.write(tmp_path / "run"), 200)
    assert "q / adjusted p" in text
    assert ".018 (primary)" in text
    told = " ".join(text.split())
    assert told.endswith(
        "q / adjusted p (of primary gaps, by Holm) is taken over 1 primary gap of m, of all data sets, "
        "conditions, slices and metrics."
    )


def test_primary_gaps_are_shown_whatever_they_are_of_and_those_not_testable_named(tmp_path: Path) -> None:
    facts = Facts(name="d", attributes={"sex": "given", "race": "given"})
    run = fake_run.FakeRun(
        facts, [fake_run.model("m")], rows=9, slices=("sex", "race"),
        primary=("gap/kappa/sex", "gap/kappa/race", "gap/ccc_valence/sex"),
    )  # fmt: skip
    for part in ((None, None), ("sex", "F"), ("sex", "M"), ("race", "A")):
        for metric in ("uar", "kappa"):
            run.estimate("m", metric, 0.5, part=part)
    told = {"family": "3 primary gaps of m, 2 of them not testable", "role": "confirmatory"}
    run.estimate(
        "m", "kappa", 0.1, part=("sex", None), kind="gap", half=None, p=0.01, p_adjusted=0.03, **told
    )
    few = "nothing to compare: fewer than two values hold enough; decode errors: 2 rows left out"
    nothing = {"status": "insufficient", "warning": few, "slices_left_out": 1, **told}
    run.estimate("m", "kappa", None, part=("race", None), kind="gap", half=None, **nothing)
    folder = run.write(tmp_path / "run")
    text = printed(folder, 200)
    cells = [line.split() for line in text.splitlines() if "(primary)" in line]
    assert cells == [
        ["sex", "m", "Cohen's", "kappa", "0.100", DASH, ".010", ".030", "(primary)", "0", "reportable"],
        ["race", "m", "Cohen's", "kappa", *[DASH] * 4, "(primary)", "1", "insufficient"],
    ]
    said = " ".join(text.split())
    assert (
        "taken over 3 primary gaps of m, 2 of them not testable, of all data sets, conditions, slices and metrics."
        in said
    )
    assert said.endswith(
        "Not testable on d: gap/kappa/race (m: fewer than two values hold enough); gap/ccc_valence/sex "
        "(m: unavailable). A primary gap that cannot be tested counts as p = 1."
    )
