"""Every fault of a user's file, with the whole text of its message: one tiny broken file each."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pyarrow as pa
import pytest

from bench.context import read_context
from bench.errors import UserError
from bench.policy import read_policy
from bench.suite import read_suite
from bench.tables import read_predictions, read_targets, write_table

BROKEN = Path(__file__).parent / "broken"
EXPECTED: dict[str, str] = tomllib.loads((BROKEN / "expected.toml").read_text(encoding="utf-8"))
CLASSROOM = (
    BROKEN / "predictions" / "targets.csv"
)  # the one valid file, which broken predictions are read against
FILES = sorted(
    path.relative_to(BROKEN).as_posix()
    for path in BROKEN.glob("*/*")
    if path.parent.name in ("contexts", "policies", "suites", "targets", "predictions") and path != CLASSROOM
)


def read(name: str) -> None:
    path = Path(name)
    if path.parent.name == "suites":
        read_suite(path)
    elif path.parent.name == "policies":
        read_policy(path)
    elif path.parent.name == "contexts":
        read_context(path)
    elif path.parent.name == "targets":
        read_targets(path)
    else:
        read_predictions(path, read_targets(CLASSROOM))


def message(name: str) -> str:
    with pytest.raises(UserError) as caught:
        read(name)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    assert message(name) == EXPECTED[name]


def test_every_text_has_its_file() -> None:
    assert set(EXPECTED) - {"targets/cut_short.parquet", "targets/missing.csv"} == set(FILES)


@pytest.mark.parametrize("keep", [3, 100, -8])
def test_truncated_parquet(keep: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("targets/cut_short.parquet")
    write_table(pa.table({"target": [str(n) for n in range(100)]}), path)
    path.write_bytes(path.read_bytes()[:keep])
    text = message(str(path))
    if keep == -8:
        assert text == EXPECTED["targets/cut_short.parquet"]
    assert text.startswith("targets/cut_short.parquet: the file cannot be read: Parquet ")


def test_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert message("targets/missing.csv") == EXPECTED["targets/missing.csv"]


def test_large_suite(tmp_path: Path) -> None:
    path = tmp_path / "suites" / "large.yaml"
    path.parent.mkdir()
    path.write_text("suite: a\n" + "# nothing\n" * 110_000, encoding="utf-8")
    with pytest.raises(UserError, match=r"the file has 1100009 bytes. It has at most 1 MiB"):
        read_suite(path)
