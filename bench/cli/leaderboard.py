"""What ``leaderboard`` does: put runs together, write the site, and say what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from bench.report import format as fmt

__all__ = ["publish"]


def publish(
    runs: Sequence[Path], out: Path, metric: str | None, title: str | None, cards: Sequence[str]
) -> None:
    """Write the site and print a line for each of its tables, and where it lies."""
    from bench.leaderboard.assemble import assemble
    from bench.leaderboard.site import require_place, write_site

    require_place(out)
    found = assemble(runs, metric, title, cards)
    write_site(found, out)
    for table in found.tables:
        board, standing = table.board, table.standing
        models = sum(not member.double for member in board.members)
        by = f"ranked by {fmt.metric(table.metric)}" if table.metric else "no metric ranks them"
        if standing is not None and standing.refused is not None:
            by = f"not ranked: {standing.refused}"
        typer.echo(fmt.plain(f"{board.number}. {board.dataset.name}: {fmt.counted(models, 'model')}, {by}"))
    typer.echo(f"leaderboard: {out / 'index.html'}")
