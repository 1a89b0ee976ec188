"""What leads a summary: the metrics best known, else those that were asked for by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.judge.metrics import METRICS
from bench.report.results import Results, read_results
from bench.report.selection import headline_metrics, is_error, slicing_metric
from bench.report.terminal import as_json
from bench.spec import Facts
from tests.report import fake_run
from tests.report.reading import read

ASKED = ("nll", "ece", "kappa", "aurc", "brier", "mcc", "auroc")
LACKING = "unavailable: the predictions have no output for nll"


def made(path: Path, metrics: tuple[str, ...], present: tuple[str, ...] | None = None) -> Results:
    """One model, of sex two values enough and one not; every metric but NLL has slices."""
    facts = Facts(name="d", labels=("neutral", "fear"), attributes={"sex": "given"})
    run = fake_run.FakeRun(facts, [fake_run.model("m")], rows=9, slices=("sex",), metrics=metrics)
    values = {None: 0.2, "F": 0.15, "M": 0.25, "X": 0.6}
    for metric in present or metrics:
        for value, estimate in values.items():
            told = {"status": "insufficient"} if value == "X" else {}
            if metric == "nll":
                told = {"status": "insufficient", "warning": LACKING}
            shown = None if metric == "nll" else estimate
            run.estimate("m", metric, shown, part=(value and "sex", value), **told)
        run.estimate("m", metric, 0.1, part=("sex", None), kind="gap", half=None, p=0.2, p_adjusted=0.3)
    return read_results(run.write(path / "run"))


def test_metrics_that_are_not_the_best_known_head_a_report_that_asks_for_them(tmp_path: Path) -> None:
    present = (*ASKED[:-1], "auroc/fear", "auroc/neutral")
    results = made(tmp_path, ASKED, present)
    assert headline_metrics(results) == list(ASKED[:5])
    text, page = read(results.run)
    assert page.table("Headline numbers")[0] == [
        "Model", "n", "Clusters", "NLL", "ECE", "Cohen's kappa", "AURC", "Brier score",
    ]  # fmt: skip
    assert "Shown under each data set alone: MCC." in text
    # NLL has no slices, so that ECE leads: in the terminal, the summary, the figures.
    assert slicing_metric(results, results.datasets[0]) == "ece"
    assert as_json(results.run)["slices"][0]["metric"] == "ece"
    assert page.table("Highest reportable slice of each attribute")[1:] == [
        ["d, by ECE"],
        ["sex", "m", "M", "0.250 [0.230, 0.270]", "1\u202f000", "91 persons", "2 of 3"],
    ]
    assert page.table("Slices by state")[1:] == [["d, by ECE"], ["m", "2", "1", "0", "0"]]
    gaps = [rows for caption, rows in page.tables if caption.startswith("Largest minus smallest")]
    assert gaps[0][1] == ["d, ECE"]
    assert "Of this metric lower is better." in text
    assert "Lowest reportable" not in text


@pytest.mark.parametrize(
    ("metrics", "present", "shown", "leads"),
    [
        (("ece", "accuracy"), None, ["accuracy"], "accuracy"),
        (("ece", "coverage"), None, ["ece", "coverage"], "ece"),
        ((), ("coverage",), ["coverage"], "coverage"),
        (("recall/fear",), None, ["recall/fear"], "recall/fear"),
        (("precision", "kappa"), ("precision/fear", "kappa"), ["kappa"], "kappa"),
    ],
)
def test_the_best_known_come_first_and_classes_last(
    tmp_path: Path, metrics: tuple[str, ...], present: tuple[str, ...] | None, shown: list[str], leads: str
) -> None:
    results = made(tmp_path, metrics, present)
    assert headline_metrics(results) == shown
    assert slicing_metric(results, results.datasets[0]) == leads
    rows = read(results.run)[1].table("Headline numbers")
    assert len(rows[0]) == 3 + len(shown)


def test_of_errors_lower_is_better() -> None:
    errors = (
        "rmse_arousal",
        "mae_valence_covered",
        "ece",
        "nll",
        "aurc",
        "onset_missed",
        "false_positive_rate/fear",
    )
    others = (
        "uar",
        "recall/fear",
        "au_f1/au_12",
        "auroc/fear",
        "bias_valence",
        "label_sd_valence",
        "ccc_valence",
    )
    assert [is_error(name) for name in (*errors, *others)] == [True] * len(errors) + [False] * len(others)


def test_a_new_metric_is_an_error_by_what_the_judge_says_of_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for direction in ("higher", "lower"):
        new = replace(METRICS["accuracy"], name="loss_of_face", direction=direction)
        monkeypatch.setitem(METRICS, "loss_of_face", new)
        assert is_error("loss_of_face/fear") == (direction == "lower")
