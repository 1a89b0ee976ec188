from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import MachineError
from bench.shipped import shipped


def test_checkout() -> None:
    assert (shipped("suites") / "fer2013.yaml").is_file()


def test_the_wheels_own_copy_wins(tmp_path: Path) -> None:
    package = tmp_path / "bench"
    (tmp_path / "suites").mkdir()  # another project's folder beside an installed package
    (package / "_installed" / "suites").mkdir(parents=True)
    assert shipped("suites", package) == package / "_installed" / "suites"


def test_broken_installation(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"the shipped folder 'reports' is neither in .* nor in .*Install"):
        shipped("reports", tmp_path / "bench")
