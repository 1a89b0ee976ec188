"""The words that name a model: NAME, or NAME@CHECKPOINT; whether there is one is the zoo's to say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError

__all__ = ["NAME", "Choice", "parse_choice"]

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
"""What an entry may be called."""


@dataclass(frozen=True)
class Choice:
    """The model a user asks for: an entry, and a checkpoint or a file of weights instead of it.

    ``origin``: the words that led to a file, such as a registry's, for the report.
    """

    entry: str
    checkpoint: str | None = None
    weights: Path | None = None
    origin: str | None = None


def parse_choice(text: str, weights: Path | None = None, where: str = "--model") -> Choice:
    """Read ``NAME`` or ``NAME@CHECKPOINT``; ``where`` is what messages say it was written at.

    >>> parse_choice("mini-xception@119-0.65").checkpoint
    '119-0.65'
    """
    name, at, checkpoint = text.partition("@")
    if not NAME.match(name) or (at and not checkpoint):
        raise UserError(
            where, f"{text!r} names no {'model' if where == '--model' else 'entry'}",
            "NAME or NAME@CHECKPOINT, in letters, digits, '-' and '_'"
            + ("; or models:/NAME@alias" if where == "--model" else ""),
            "See 'affectbench zoo list'",
        )  # fmt: skip
    if checkpoint and weights is not None:
        raise UserError(
            "--weights", f"a file is given and the model names the checkpoint {checkpoint!r}",
            "One of the two", "Leave out the @CHECKPOINT or the --weights",
        )  # fmt: skip
    return Choice(name, checkpoint or None, weights)
