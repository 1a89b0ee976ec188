"""The audit report of a gated run: rules on speed, and a baseline out of MLflow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.gate.conftest import Tracked, invoke, track
from tests.gate.test_speed import plant

pytestmark = pytest.mark.usefixtures("_no_settings")


def test_an_audit_report_holds_speed_against_a_baseline_in_mlflow(tracked: Tracked, tmp_path: Path) -> None:
    """Planted: 1.2 times as slow. The report is that on the folder, but for the name of the baseline."""
    for name, slower in (("old", 1.0), ("new", 1.2)):
        shutil.copytree(tracked.folder / name, tmp_path / name)
        (tmp_path / name / "track.json").unlink(missing_ok=True)
        plant(tmp_path / name, name, slower)
    sent = track(tmp_path / "old", tracked.uri)
    (tmp_path / "policy.yaml").write_text(
        "policy: p\nrules:\n  - {metric: latency_p50, no_slower_than: 1.1}\n"
        "  - {metric: throughput, no_slower_than: 1.6}\n  - {metric: latency_p50, at_most: 9, device: other}\n"
    )
    made = []
    for baseline, called in (
        (sent["parent"], f"old of run {sent['parent']}"),
        (tmp_path / "old", "old of old"),
    ):
        done = invoke("report", tmp_path / "new", "--audit", "--policy", tmp_path / "policy.yaml", "--baseline", baseline,
                      "--tracking-uri", tracked.uri)  # fmt: skip
        assert done.exit_code == 0, (done.output, done.exception)
        text = (tmp_path / "new" / "audit.md").read_text()
        assert f"Against {called}" in text
        made.append(text.replace(called, "B"))
    assert made[0] == made[1]
    found = json.loads((tmp_path / "new" / "audit.json").read_text())
    rules = found["sections"][1]["parts"][0]["tables"][0]["groups"]
    assert [line["head"] for group in rules for line in group["lines"]] == ["fails", "holds", "unknown"]
    on_baseline = found["sections"][11]["parts"][1]["tables"][0]["groups"]
    assert [line["head"] for group in on_baseline for line in group["lines"]] == ["fail", "pass"]
