"""The console of standard output, made here for every command, and tables on it that never cut a number.

A terminal is as wide as it says; a file or a pipe has one width, whatever wrote it and wherever. A table that
needs more is as wide as it needs.
"""

from __future__ import annotations

import sys

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["PIPED", "fits", "print_whole", "standard_output"]

PIPED = 120
"""The width in characters where standard output is no terminal."""
# What a column of names keeps where numbers take the rest.
_NAME_WIDTH = 9


def standard_output() -> Console:
    """The console of standard output; plain where that is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=PIPED, color_system=None)


def fits(console: Console, table: Table) -> bool:
    """Whether a table has room with no cell folded."""
    return _width(table, None) <= console.width


def print_whole(console: Console, what: Table | Text) -> None:
    """Print; a table whose numbers need more than the console has is as wide as they need.

    Its title has the width of the console, not that of the table.
    """
    if isinstance(what, Table):
        title, what.title = what.title, None
        if title is not None:
            console.print(title, markup=False, highlight=False, crop=False)
        if (least := _width(what, _NAME_WIDTH)) > console.width:
            what.width = least
    console.print(what, crop=False)


def _width(table: Table, names: int | None) -> int:
    """The width in characters at which no number is cut, and names have so many or all that they need."""
    widths = []
    for column in table.columns:
        lines = (line for cell in (column.header, *column.cells) for line in str(cell).split("\n"))
        longest = max(map(cell_len, lines))
        widths.append(longest if column.no_wrap or names is None else min(longest, names))
    # Between columns stand what pads them and one space more; at each edge stands one.
    _, right, _, left = table.padding
    return sum(widths) + (right + left + 1) * len(widths) + 2 - right - left - 1
