"""Paths in a bundle: plain and relative; says why any other is refused."""

from __future__ import annotations

import re

__all__ = ["unfit"]

_NAME = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9@=,._~+-]+(?:/[A-Za-z0-9@=,._~+-]+)*")
_LONGEST = 1000


def unfit(name: str) -> str | None:
    """Why a name is refused, None where it may be used as a path below a folder.

    >>> unfit("cells/a/b.json"), unfit("../a")
    (None, 'it leads out of the folder')
    """
    if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
        return "it leads out of the folder"
    if name.endswith("/"):
        return "it is a folder"
    if len(name) > _LONGEST:
        return f"it has {len(name):,} characters, and may have {_LONGEST:,}"
    return None if _NAME.fullmatch(name) else "it has other characters than letters, digits and @=,._~+-"
