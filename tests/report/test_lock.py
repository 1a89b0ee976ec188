"""What a report says of the plan that was locked before its run: one line, and a warning where it was not kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.folder import write_json
from bench.report.terminal import as_json, cautions, summarise
from tests.report import fake_run
from tests.report.reading import read

NONE = "No plan was locked before this run: all tests are exploratory in the strict sense."
FOLLOWED = "This run followed the lock aaaaaaaaaaaa of 2026-03-01T09:30:00Z."
LOCK: dict[str, Any] = {
    "lock": "a" * 64, "time": "2026-03-01T09:30:00Z", "policy": {"name": "release", "sha256": "b" * 64},
    "followed": True, "differs": None,
}  # fmt: skip
DIFFERS = f"seed of the suite: {fake_run.SCRIPT}, and 0 in the lock"


def write(run: fake_run.FakeRun, path: Path, lock: dict[str, Any] | None) -> Path:
    run.estimate("m@2", "uar", 0.5)
    run.write(path)
    if lock is not None:
        plan = json.loads((path / "run.json").read_text())
        write_json(path / "run.json", plan | {"lock": lock})
    return path


def printed(path: Path) -> str:
    out = io.StringIO()
    summarise(path, Console(file=out, width=200, color_system=None))
    return out.getvalue()


def test_no_lock(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    path = write(small_run, tmp_path / "run", None)
    page = read(path)[1]
    assert page.texts.count(NONE) == 1
    assert "Lock" not in {row[0] for row in page.table("The run")}
    found = as_json(path)
    assert (found["plan"], found["lock"]) == (NONE, None)
    assert NONE not in cautions(path)


def test_a_lock_that_was_followed(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    path = write(small_run, tmp_path / "run", LOCK)
    page = read(path)[1]
    assert page.texts.count(FOLLOWED) == 1
    rows = dict(row for row in page.table("The run") if len(row) == 2)
    assert rows["Lock"] == "a" * 64
    assert rows["Locked at"] == LOCK["time"]
    assert rows["Locked policy"] == f"release {'b' * 64}"
    assert rows["Lock followed"] == "yes"
    found = as_json(path)
    assert (found["plan"], found["lock"]) == (FOLLOWED, LOCK)
    assert FOLLOWED in printed(path)
    assert FOLLOWED not in cautions(path)


def test_a_lock_that_was_not_followed_is_said_before_any_number(
    small_run: fake_run.FakeRun, tmp_path: Path
) -> None:
    path = write(small_run, tmp_path / "run", LOCK | {"followed": False, "differs": DIFFERS, "policy": None})
    said = f"This run did not follow the lock {'a' * 12} of {LOCK['time']}: {DIFFERS}."
    first = printed(path).splitlines()[0]
    assert first.startswith(said)
    assert cautions(path)[0].startswith(said)
    assert as_json(path)["notes"][0].startswith(said)
    assert not as_json(path)["lock"]["followed"]
    html, page = read(path)
    assert fake_run.SCRIPT not in html
    assert [text for text in page.texts if text.startswith(said)]
    rows = dict(row for row in page.table("The run") if len(row) == 2)
    assert rows["Lock followed"] == f"no: {DIFFERS}"
    assert "Locked policy" not in rows


def test_predictions_made_elsewhere_are_of_unknown_age(small_run: fake_run.FakeRun, tmp_path: Path) -> None:
    small_run.kind = "score"
    path = write(small_run, tmp_path / "run", LOCK)
    assert as_json(path)["plan"] == f"{FOLLOWED} When its predictions were made is not known."


@pytest.mark.parametrize("lock", [{}, LOCK | {"followed": "perhaps"}, LOCK | {"more": 1}, None, "a"])
def test_what_is_no_word_on_a_lock_is_refused(small_run: fake_run.FakeRun, tmp_path: Path, lock: Any) -> None:
    from bench.errors import UserError

    path = write(small_run, tmp_path / "run", LOCK)
    plan = json.loads((path / "run.json").read_text())
    write_json(path / "run.json", plan | {"lock": lock})
    with pytest.raises(UserError, match="a field is missing or wrong"):
        as_json(path)
