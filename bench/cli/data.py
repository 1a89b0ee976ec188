"""``affectbench data``: the data sets that are known, and their targets and human votes as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The data sets: list, write.")


@app.command("list")
def list_() -> None:
    """Name the adapters, with the facts of each."""
    from bench.predict.datasets import ADAPTERS

    for name, adapter in ADAPTERS.items():
        facts = adapter.facts
        typer.echo(
            f"{name:<10} {facts.label_space or 'any labels':<12} clusters: {facts.cluster_unit:<7} "
            f"media: {facts.media_kind:<8} licence: {facts.licence}"
        )


@app.command()
def write(
    source: Annotated[str, typer.Argument(metavar="NAME=ROOT", help="An adapter and the data set's folder.")],
    out: Annotated[Path, typer.Option("--out", help="A folder for the tables.")],
    split: Annotated[str | None, typer.Option("--split", help="One split; default: all.")] = None,
) -> None:
    """Write targets.parquet and, where people rated the media, their votes as predictions."""
    from bench.cli.ask import pairs
    from bench.predict.datasets import ADAPTERS, open_data
    from bench.spec import DataSource
    from bench.tables import write_table

    ((name, root),) = pairs([source], "NAME=ROOT", "NAME=ROOT").items()
    asked = DataSource(adapter=name, split=split)
    targets = open_data(asked, Path(root))
    targets.write(out / "targets.parquet")
    typer.echo(f"{out / 'targets.parquet'}: {len(targets)} targets")
    raters = getattr(ADAPTERS[name], "raters", None)
    for rater, table in raters(Path(root)).items() if raters else ():
        write_table(table, out / f"{rater}.parquet")
        typer.echo(f"{out / f'{rater}.parquet'}: {table.num_rows} predictions")
