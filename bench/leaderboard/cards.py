"""Cards of a leaderboard: those given for its models by name, else those of the shipped zoo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import UserError, listed
from bench.leaderboard.sources import Submission
from bench.report.model_card import ModelCard, read_card, shipped_card

__all__ = ["read_cards"]


def read_cards(found: Sequence[Submission], given: Sequence[str]) -> dict[str, ModelCard]:
    """The cards by submission: those given as NAME=FILE, else those of the shipped zoo.

    UserError for a name that no submission has, and for a file that is no text.
    """
    named: dict[str, ModelCard] = {}
    for words in given:
        name, equals, path = words.partition("=")
        known = [submission.name for submission in found]
        if not equals or name not in known:
            raise UserError(
                f"--card {words}", "it names no model of these runs",
                f"NAME=FILE, NAME one of: {listed(known)}",
                "Name the model as the page does",
            )  # fmt: skip
        named[name] = read_card(Path(path))
    shipped_ones = {s.name: card for s in found if (card := shipped_card(s.model)) is not None}
    return {**shipped_ones, **named}
