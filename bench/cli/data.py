"""``affectbench data``: the data sets that are known, and their targets and human votes as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
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
    """Write targets.parquet and, where people rated the media, their votes as predictions.

    A table that is there already with another content is refused, and nothing is written.
    """
    from bench.cli.ask import pairs
    from bench.predict.datasets import ADAPTERS, open_data
    from bench.spec import DataSource
    from bench.tables import write_table

    ((name, root),) = pairs([source], "NAME=ROOT", "NAME=ROOT").items()
    asked = DataSource(adapter=name, split=split)
    targets = open_data(asked, Path(root))
    raters = getattr(ADAPTERS[name], "raters", None)
    votes = raters(Path(root)) if raters else {}
    writers = {rater: partial(write_table, table) for rater, table in votes.items()}
    counts = {rater: f"{table.num_rows} predictions" for rater, table in votes.items()}
    _write_new(out, {"targets": targets.write, **writers})
    for table, count in {"targets": f"{len(targets)} targets", **counts}.items():
        typer.echo(f"{out / f'{table}.parquet'}: {count}")


def _write_new(out: Path, writers: Mapping[str, Callable[[Path], None]]) -> None:
    """Write every table; UserError, with nothing written, where one would replace another content."""
    import tempfile

    from bench.digest import digest_file
    from bench.errors import UserError, listed

    paths = {name: out / f"{name}.parquet" for name in writers}
    with tempfile.TemporaryDirectory(prefix="affectbench-") as scratch:
        differing = []
        for name, path in paths.items():
            if path.is_file():
                again = Path(scratch) / path.name
                writers[name](again)
                differing += [path.name] if digest_file(again) != digest_file(path) else []
    if differing:
        raise UserError(
            str(out), f"it holds {listed(differing)} with another content",
            "A table is written where none is, or again where it would be the same", "Choose another --out",
        )  # fmt: skip
    for name, path in paths.items():
        writers[name](path)
