"""Columns of targets whose names are nearly those of reserved ones, and would be lost as attributes.

A table with ``subjct`` for ``subject`` would be judged as if no person were known, one with ``lable`` as if
there were no truth: both are refused. A name that only looks alike has to be another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from bench.errors import UserError

__all__ = ["refuse_misspelt"]

_NEAR = 0.78  # difflib's ratio: 'lable' (.8) is near 'label', 'lab' (.75) is an attribute
# Words of their own that are as near to a reserved column as a slip of the hand.
_WORDS = ("audit", "dominant", "folder", "frames", "labeler", "median", "subjective", "voter", "voters")


def refuse_misspelt(names: Sequence[str], reserved: Sequence[str], where: str) -> None:
    """Raise UserError where a reserved column is absent and one that is not reserved nearly has its name.

    >>> refuse_misspelt(["target", "mediator", "height"], ["target", "media", "weight"], "T.csv")
    """
    others = [name for name in names if name not in reserved]
    for absent in (name for name in reserved if name not in names):
        for name in (name for name in others if _is_slip(name, absent)):
            raise UserError(
                where, f"there is no column {absent!r}, and {name!r} would be an attribute",
                f"Columns that are no attributes: {', '.join(reserved)}, au_NN",
                f"Rename {name!r}: {absent!r} if that is what it is, else a name less like it",
            )  # fmt: skip


def _is_slip(name: str, reserved: str) -> bool:
    """Whether a name is a reserved one misspelt: the same first letter, and nearly or exactly its letters.

    >>> [_is_slip(name, "subject") for name in ("subjct", "subject_id", "subject_age", "object")]
    [True, True, False, False]
    """
    word = name.strip().casefold().removesuffix("_id")
    if word in _WORDS or word[:1] != reserved[0] or word.startswith(f"{reserved}_"):
        return False
    return bool(get_close_matches(word, [reserved], cutoff=_NEAR)) or sorted(word) == sorted(reserved)
