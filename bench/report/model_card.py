"""Model cards: what the authors of a model say of it, word for word, and whether it was trained on some data.

A run carries no card. That of a model of the shipped zoo is given where the model's own Python file is, by
its digest, the one that ran; any other is given by whoever reports. Nothing in a card is believed or checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.digest import digest_bytes, digest_file
from bench.errors import UserError
from bench.report.records import Model
from bench.shipped import shipped
from bench.spec import Facts

__all__ = ["ModelCard", "Seen", "read_card", "shipped_card", "trained_on"]

_LARGEST = 200_000  # bytes: a card is read by people
_TRAINED = re.compile(
    r"^[-*\s]*\*{0,2}training data\*{0,2}\s*:\*{0,2}[ \t]*(.+(?:\n[ \t]+\S.*)*)", re.I | re.M
)
Seen = Literal["declared", "card", "unknown"]


@dataclass(frozen=True)
class ModelCard:
    """The text of a card, where it is from, and its sha256."""

    text: str
    origin: str
    sha256: str

    @property
    def trained_on(self) -> str | None:
        r"""What the card says under "Training data", None where it has no such line.

        >>> ModelCard("- **Training data**: FER2013,\n  training part. More.", "", "").trained_on
        'FER2013, training part. More.'
        >>> ModelCard("- **Training data**:\n- **Evaluated on**: FER2013", "", "").trained_on is None
        True
        """
        found = _TRAINED.search(self.text)
        return None if found is None else " ".join(found.group(1).replace("**", "").split())

    @property
    def quoted(self) -> str:
        """The sentence that stands before its text."""
        return f"The words of its authors, unchecked: {self.origin}; sha256 {self.sha256}."


def read_card(path: Path) -> ModelCard:
    """The card in a file of the user's; UserError where it is no text, or too long for a card."""
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
    return ModelCard(text, f"given as {path.name}", digest_bytes(data))


def shipped_card(model: Model) -> ModelCard | None:
    """The card of the shipped zoo, where the entry's own file is the one that ran; None else."""
    entry = model.entry
    ran = dict(model.digests).get(f"{entry}/model.py")
    if entry is None or ran is None or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", entry):
        return None
    folder = shipped("model_zoo") / entry
    own, card = folder / "model.py", folder / "CARD.md"
    if not (own.is_file() and card.is_file()) or digest_file(own) != ran:
        return None
    data = card.read_bytes()
    origin = f"the card of the zoo's {entry}, whose model.py is the file that ran"
    return ModelCard(data.decode("utf-8"), origin, digest_bytes(data))


def trained_on(model: Model, facts: Facts, card: ModelCard | None) -> tuple[Seen, str]:
    """Whether a model was trained on a data set, by its facts or by the model's card, and a sentence.

    It is never a no: nobody can declare that data were not seen by being silent.
    """
    if {model.name, model.entry} & set(facts.trained_on_by):
        return (
            "declared",
            f"The facts of {facts.name} declare that {model.entry or model.name} was trained on it.",
        )
    if card is not None and card.trained_on is not None and _names(card.trained_on, facts.name):
        return "card", f"Its card names {facts.name} as training data; which part of it, the card may say."
    named = ", ".join(facts.trained_on_by)
    told = f"they name {named}" if named else "they name no model"
    return "unknown", f"Not declared by the facts of {facts.name} ({told}), which is not a no."


def _names(text: str, name: str) -> bool:
    """Whether a text has a name as words of its own, however its letters and digits are joined.

    >>> _names("FER-2013, training part", "fer2013"), _names("FER2013", "t"), _names("FER2013", "_")
    (True, False, False)
    """
    chunks = re.findall(r"[^\W\d_]+|\d+", name)
    joined = r"[\W_]*".join(map(re.escape, chunks))
    pattern = rf"(?<![^\W_]){joined}(?![^\W_])"
    return bool(chunks) and re.search(pattern, text, re.I) is not None
