"""Cards: what the authors of a model say of it, word for word.

A run carries no card. That of a model of the shipped zoo is given where the model's own Python file is, by
its digest, the one that ran; any other is given by the publisher. Nothing in a card is believed or checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.digest import digest_bytes, digest_file
from bench.errors import UserError, listed
from bench.leaderboard.sources import Submission
from bench.shipped import shipped

__all__ = ["Card", "read_cards"]

_LARGEST = 200_000  # bytes: a card is read by people
_TRAINED = re.compile(r"^[-*\s]*\*{0,2}training data\*{0,2}\s*:\*{0,2}\s*(.+(?:\n[ \t]+\S.*)*)", re.I | re.M)


@dataclass(frozen=True)
class Card:
    """The text of a card, where it is from, and its sha256."""

    text: str
    origin: str
    sha256: str

    @property
    def trained_on(self) -> str | None:
        r"""What the card says under "Training data", None where it has no such line.

        >>> Card("- **Training data**: FER2013,\n  training part. More.", "", "").trained_on
        'FER2013, training part. More.'
        """
        found = _TRAINED.search(self.text)
        return None if found is None else " ".join(found.group(1).replace("**", "").split())


def read_cards(found: Sequence[Submission], given: Sequence[str]) -> dict[str, Card]:
    """The cards by submission: those given as NAME=FILE, else those of the shipped zoo.

    UserError for a name that no submission has, and for a file that is no text.
    """
    named: dict[str, Card] = {}
    for words in given:
        name, equals, path = words.partition("=")
        known = [submission.name for submission in found]
        if not equals or name not in known:
            raise UserError(
                f"--card {words}", "it names no model of these runs",
                f"NAME=FILE, NAME one of: {listed(known)}",
                "Name the model as the page does",
            )  # fmt: skip
        named[name] = _read(Path(path))
    shipped_ones = {s.name: card for s in found if (card := _shipped(s)) is not None}
    return {**shipped_ones, **named}


def _read(path: Path) -> Card:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
        raise UserError(
            f"--card {path}",
            f"it cannot be read: {cause}",
            "A text file, such as CARD.md",
            "Correct the path",
        ) from None
    if len(data) > _LARGEST:
        raise UserError(
            f"--card {path}", f"it has {len(data):,} bytes", f"A card of {_LARGEST:,} bytes at most",
            "Give the card, not the paper",
        )  # fmt: skip
    return Card(text, f"given by the publisher as {path.name}", digest_bytes(data))


def _shipped(submission: Submission) -> Card | None:
    """The card of the shipped zoo, where the entry's own file is the one that ran; None else."""
    entry = submission.model.entry
    ran = dict(submission.model.digests).get(f"{entry}/model.py")
    if entry is None or ran is None or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", entry):
        return None
    folder = shipped("model_zoo") / entry
    own, card = folder / "model.py", folder / "CARD.md"
    if not (own.is_file() and card.is_file()) or digest_file(own) != ran:
        return None
    data = card.read_bytes()
    origin = f"the card of the zoo's {entry}, whose model.py is the file that ran"
    return Card(data.decode("utf-8"), origin, digest_bytes(data))
