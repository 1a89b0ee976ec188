"""``affectbench zoo``: what models there are, their cards and weights, and whether they keep the laws."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The models: list, show, pull, check.")

Name = Annotated[str, typer.Argument(help="NAME or NAME@CHECKPOINT.")]
Zoos = Annotated[list[Path] | None, typer.Option("--zoo", help="A folder of private models. May repeat.")]


@app.command("list")
def list_(zoo: Zoos = None) -> None:
    """Name every entry, its kind and its checkpoints."""
    from rich.table import Table

    from bench.predict.zoo import Zoo
    from bench.report.console import print_whole, standard_output

    table = Table("name", "kind", "checkpoints (default first)", "weights here", box=None)
    for entry in Zoo(zoo or ()).entries:
        names = sorted((c.name for c in entry.lock.checkpoint), key=lambda n: (n != entry.lock.default, n))
        table.add_row(entry.name, entry.lock.kind, ", ".join(names) or "-", _here(entry))
    print_whole(standard_output(), table)


@app.command()
def show(name: Name, zoo: Zoos = None) -> None:
    """Print an entry's card and its locked weights."""
    from bench.predict.zoo import Zoo, parse_choice

    entry = Zoo(zoo or ()).find(parse_choice(name).entry, "NAME")
    typer.echo(entry.card)
    for checkpoint in entry.lock.checkpoint:
        typer.echo(f"{checkpoint.name}: {checkpoint.file}, {checkpoint.size} bytes, {checkpoint.licence}")
        typer.echo(f"  sha256 {checkpoint.sha256}\n  {checkpoint.url or 'no address'}")


@app.command()
def pull(name: Name, zoo: Zoos = None) -> None:
    """Find or fetch an entry's weights, and verify them."""
    from bench.predict.lock import pull as pull_checkpoint
    from bench.predict.zoo import Zoo, parse_choice

    choice = parse_choice(name)
    entry = Zoo(zoo or ()).find(choice.entry, "NAME")
    where = f"{entry.name}/weights.toml"
    checkpoint = entry.lock.choose(choice.checkpoint, where)
    if checkpoint is None:
        typer.echo(f"{entry.name} has no weights")
    else:
        typer.echo(f"{checkpoint.name}: {pull_checkpoint(checkpoint, where)}")


@app.command()
def check(
    name: Name,
    zoo: Zoos = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda:N.")] = "auto",
    weights: Annotated[Path | None, typer.Option("--weights", help="Your own file of weights.")] = None,
) -> None:
    """Hold a model against the laws every model must keep; exit 1 if it breaks one."""
    from bench.predict.check import check_model
    from bench.predict.device import choose_device
    from bench.predict.zoo import Zoo, parse_choice

    findings = check_model(Zoo(zoo or ()), parse_choice(name, weights), choose_device(device))
    for finding in findings:
        typer.echo(f"{'kept  ' if finding.kept else 'BROKEN'}  {finding.law}: {finding.measured}")
    if not all(finding.kept for finding in findings):
        raise typer.Exit(1)


def _here(entry: object) -> str:
    from bench.predict.lock import locate
    from bench.predict.zoo import Entry

    assert isinstance(entry, Entry)
    if not entry.lock.checkpoint:
        return "-"
    found = sum(locate(c, entry.name) is not None for c in entry.lock.checkpoint)
    return f"{found} of {len(entry.lock.checkpoint)}"
