"""Rows that are ok and name no label are said to be, with how many, whose and in which file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.tables.unanswered import unanswered


def table(status: list[str], predicted: list[str | None], **more: list[float]) -> pa.Table:
    names = [f"t{n}" for n in range(len(status))]
    return pa.table(
        {"target": names, "status": status, "predicted": pa.array(predicted, pa.string()), **more}
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (table(["ok"] * 2, ["fear", None]), "P.csv: in 1 of 2 rows the status is ok and 'predicted' is empty (t1), "),
        (table(["ok"] * 6, ["fear", None, *[None] * 4]), "P.csv: in 5 of 6 rows the status is ok and 'predicted' is "
         "empty (t1, t2, t3, ...), "),
        (table(["ok"] * 2, [None, None]), "P.csv: in 2 of 2 rows the status is ok and 'predicted' is empty (t0, t1), "),
        (table(["ok", "abstained"], ["fear", None]), None),
        (table(["ok"] * 2, ["fear", None], p_fear=[0.9, 0.5]), None),  # a tie
        (table(["ok"] * 2, [None, None], valence=[0.1, 0.2]), None),  # it gives no labels
        (table(["ok"], ["fear"]), None),
    ],
)  # fmt: skip
def test_only_labels_that_are_lacking_are_told(found: pa.Table, told: str | None) -> None:
    said = unanswered(found, "P.csv")
    assert (said is None) == (told is None)
    assert (said or "").startswith(told or "")


@pytest.mark.parametrize("words", [[], ["--quiet"], ["--json"]])
def test_score_warns_of_them_and_counts_them_as_wrong(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "T.csv").write_text("target,subject,label\n" + "".join(f"t{n},s{n},fear\n" for n in range(4)))
    (tmp_path / "P.csv").write_text("target,predicted\nt0,fear\nt1,\nt2,anger\nt3,\n")
    done = CliRunner().invoke(app, [
        "score", "--targets", str(tmp_path / "T.csv"), "--predictions", f"new={tmp_path / 'P.csv'}", "--out",
        str(tmp_path / "run"), "--metric", "accuracy", "--tracking-uri", "off", *words,
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.stderr.splitlines() if "predicted" in line]
    assert line == (
        f"warning: {tmp_path / 'P.csv'}: in 2 of 4 rows the status is ok and 'predicted' is empty (t1, t3), which "
        "counts as wrong. Give a status such as abstained or no_face where the model gave no label"
    )
    if not words:
        assert "0.2500 (no interval)" in done.stdout  # 1 of 4: an empty row stays in the denominator
