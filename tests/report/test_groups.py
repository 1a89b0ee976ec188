"""Groups as a fairlearn frame: what the estimates show, and nothing that they withhold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.report.results import read_results
from tests.judge import scored

FRAME = ("accuracy", "uar", "macro_f1", "recall/fear", "recall/neutral")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        return scored.finished(tmp_path_factory.mktemp("frame")).path


@pytest.mark.parametrize(("model", "attribute"), [("soft", "sex"), ("hard", "race"), ("soft", "age&light")])
def test_a_frame_has_what_the_estimates_show(finished: Path, model: str, attribute: str) -> None:
    results = read_results(finished)
    rows = {(r["slice"], r["value"], r["metric"]): r for r in results.rows if r["model"] == model}
    frame = results.metric_frame(attribute, model=model)
    for metric in FRAME:
        assert frame.overall[metric] == pytest.approx(rows[None, None, metric]["estimate"], abs=1e-12)
        for value, found in frame.by_group[metric].items():
            row = rows[attribute, value, metric]
            if row["status"] == "suppressed":
                assert np.isnan(found)
            else:
                assert found == pytest.approx(row["estimate"], abs=1e-12)
    assert (attribute != "race") == bool(frame.by_group["accuracy"].notna().all())


def test_a_frame_refuses_what_the_run_does_not_have(finished: Path) -> None:
    results = read_results(finished)
    with pytest.raises(UserError, match=r"model: none is named\. It has: hard, soft"):
        results.metric_frame("sex")
    with pytest.raises(UserError, match="slice 'clan': the run does not have it"):
        results.metric_frame("clan", model="soft")


@pytest.mark.parametrize("metrics", [("accuracy",), ("accuracy", "uar", "macro_f1", "recall")])
def test_a_class_of_one_person_is_in_no_part_of_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics: tuple[str, ...]
) -> None:
    monkeypatch.setattr("bench.report.render.render", lambda path: path)
    frame = read_results(scored.rare_fear(tmp_path, metrics).path).metric_frame("group")
    assert frame.by_group["accuracy"].notna().all()
    if metrics == ("accuracy",):
        assert list(frame.by_group.columns) == ["accuracy"]
        return
    hidden = ["recall/fear", "macro_f1"]
    assert frame.by_group[hidden].isna().all(axis=None)  # B's would give A's away
    for part in (frame.difference(), frame.ratio(), frame.group_min(), frame.group_max()):
        assert np.isfinite(part["accuracy"])
        assert part[hidden].isna().all()
