"""The exceptions of affectbench.

::

    AffectbenchError
    ├── UserError      the user must change something: exit 2, no traceback, nothing touched
    └── MachineError   the machine or the program failed: exit 4
    MediaFault         one medium cannot be used: a row with a status, never the end of a run

Every message reads ``where: what was found. What is allowed. What to do.``
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AffectbenchError",
    "MachineError",
    "MediaFault",
    "UserError",
    "counted",
    "listed",
    "nearest",
    "quantity",
]


class AffectbenchError(Exception):
    """Anything affectbench raises on purpose and that ends a command.

    >>> str(UserError("T.csv", "label 'hapy' is unknown", "Allowed: happiness", "Correct the label"))
    "T.csv: label 'hapy' is unknown. Allowed: happiness. Correct the label."
    """

    exit_code = 4

    def __init__(self, where: str, found: str, allowed: str, remedy: str) -> None:
        self.where, self.found, self.allowed, self.remedy = where, found, allowed, remedy
        super().__init__(f"{where}: {_sentence(found)} {_sentence(allowed)} {_sentence(remedy)}")


class UserError(AffectbenchError):
    """The user must change something; the command touched nothing."""

    exit_code = 2


class MachineError(AffectbenchError):
    """The machine or the program failed; what was finished is kept."""


class MediaFault(Exception):  # noqa: N818 (a fault is data, not an error of the program)
    """One medium cannot be used: its row gets ``status`` and this text, the run goes on."""

    def __init__(self, found: str, status: str = "decode_error") -> None:
        self.status = status
        super().__init__(found)


def nearest(word: str, choices: Iterable[str]) -> str:
    """Say which of the choices was probably meant, or nothing.

    >>> nearest("gendr", ["age", "gender"])
    " Did you mean 'gender'?"
    """
    found = get_close_matches(word, list(choices), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def listed(words: Iterable[str], limit: int = 12) -> str:
    """Join words for a message, cutting a long list with a count.

    >>> listed(["b", "a"])
    'a, b'
    """
    ordered = sorted(words)
    rest = len(ordered) - limit
    return ", ".join(ordered[:limit]) + (f" and {rest} more" if rest > 0 else "")


def counted(count: int, noun: str) -> str:
    """A count with what it is of, for a message: the noun as it is of one, with an s of any other number.

    >>> counted(1, "file"), counted(0, "row"), counted(3573, "row")
    ('1 file', '0 rows', '3,573 rows')
    """
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


_ONE = {"stops": "stop", "degrees": "degree", "photons": "photon", "stretches": "stretch"}


def quantity(amount: str, unit: str) -> str:
    """An amount with its unit, which is in the singular where the amount is one.

    >>> quantity("0.5", "stops of exposure lost"), quantity("1", "stops of exposure lost")
    ('0.5 stops of exposure lost', '1 stop of exposure lost')
    """
    counted, *rest = unit.split(" ")
    return " ".join([amount, _ONE.get(counted, counted) if amount == "1" else counted, *rest])


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
