"""Label spaces, and the explicit map from the words people use to the words of the field.

A label space is an ordered tuple of names. Nothing is guessed: a word that is neither a label nor an alias
is refused where a known emotion space is declared or found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.errors import UserError, nearest

__all__ = [
    "ALIASES", "CREMA_6", "EKMAN_7", "EKMAN_8", "SPACES", "LabelSpace", "canonical", "declare", "infer",
    "near_label",
]  # fmt: skip


@dataclass(frozen=True)
class LabelSpace:
    """An ordered set of labels with a name.

    >>> EKMAN_7.code("happiness")
    1
    """

    name: str
    labels: tuple[str, ...]

    def code(self, label: str) -> int:
        """The position of a label; ValueError when it is not of this space."""
        return self.labels.index(label)

    def __len__(self) -> int:
        return len(self.labels)


EKMAN_7 = LabelSpace("ekman-7", ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"))
EKMAN_8 = LabelSpace("ekman-8", (*EKMAN_7.labels, "contempt"))
CREMA_6 = LabelSpace("crema-6", ("neutral", "happiness", "sadness", "fear", "disgust", "anger"))
SPACES = {space.name: space for space in (EKMAN_7, EKMAN_8, CREMA_6)}

ALIASES = {
    "angry": "anger", "ang": "anger", "anger": "anger",
    "contemptuous": "contempt", "contempt": "contempt",
    "disgusted": "disgust", "dis": "disgust", "disgust": "disgust",
    "afraid": "fear", "fearful": "fear", "fea": "fear", "fear": "fear",
    "happy": "happiness", "hap": "happiness", "joy": "happiness", "happiness": "happiness",
    "neutral": "neutral", "neu": "neutral", "neutrality": "neutral",
    "sad": "sadness", "sadness": "sadness",
    "surprised": "surprise", "sur": "surprise", "surprise": "surprise",
}  # fmt: skip


def canonical(word: str) -> str:
    """The field's noun for an emotion word in any case; every other word stays as it is.

    >>> canonical("Happy"), canonical("engaged")
    ('happiness', 'engaged')
    """
    return ALIASES.get(word.strip().lower(), word.strip())


def near_label(word: str, labels: Iterable[str]) -> str:
    """Say which label, or which other word for one, was probably meant, or nothing.

    >>> near_label("hapy", EKMAN_7.labels)
    " Did you mean 'happy'?"
    """
    space = set(labels)
    return nearest(
        word.strip().lower(), [*space, *(alias for alias, label in ALIASES.items() if label in space)]
    )


def declare(text: str, where: str) -> LabelSpace:
    """Read a label space from the name of a known one or a comma-separated list of labels.

    >>> declare("bored, engaged", "--labels").labels
    ('bored', 'engaged')
    """
    if text in SPACES:
        return SPACES[text]
    labels = tuple(canonical(word) for word in text.split(",") if word.strip())
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise UserError(
            where,
            f"{text!r} names no label space.{nearest(text, SPACES)}",
            f"Known spaces: {', '.join(SPACES)}; or at least two different labels, separated by commas",
            "Name one of them or list the labels",
        )
    return LabelSpace("declared", labels)


def infer(labels: Iterable[str]) -> LabelSpace:
    """Find the label space of a table that declares none.

    If any label is an emotion word the space is Ekman-7, or Ekman-8 where contempt occurs, so that a
    misspelt label is caught; a table of other words (engagement, say) is its own sorted space.

    >>> infer(["happy", "sad"]).name, infer(["bored", "engaged"]).labels
    ('ekman-7', ('bored', 'engaged'))
    """
    found = sorted({canonical(label) for label in labels})
    if any(label in EKMAN_8.labels for label in found):
        return EKMAN_8 if "contempt" in found else EKMAN_7
    return LabelSpace("found", tuple(found))
