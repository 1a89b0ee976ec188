"""The terminal summary: golden text, no cut number at any width, no markup or control from names, JSON."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import fake_run
import pytest
from rich.console import Console

from bench.report.render import render
from bench.report.terminal import as_json, summarise
from bench.spec import Facts

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
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal)
    summarise(run, console)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def test_golden(small_run: Path) -> None:
    assert printed(small_run, 100) == GOLDEN


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
