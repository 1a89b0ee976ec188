"""Where the folders that ship with the program lie: in a checkout's top level, or inside the wheel.

An installed wheel must behave like a checkout, so whoever needs a shipped suite, model or template asks here.
It refuses to guess: where neither place has the folder, the installation is broken and says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bench.errors import MachineError

__all__ = ["Kind", "shipped"]

Kind = Literal["suites", "model_zoo", "reports"]
_PACKAGE = Path(__file__).resolve().parent


def shipped(kind: Kind, package: Path = _PACKAGE) -> Path:
    """The shipped folder of suites, models or reports; MachineError where the installation lacks it.

    The wheel's own copy comes first: beside an installed package lie other projects' folders.

    >>> (shipped("suites") / "crema-d.yaml").is_file()
    True
    """
    installed, checkout = package / "_installed" / kind, package.parent / kind
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise MachineError(
        str(package), f"the shipped folder {kind!r} is neither in {installed} nor in {checkout}",
        "An installation carries it", "Install affectbench again",
    )  # fmt: skip
