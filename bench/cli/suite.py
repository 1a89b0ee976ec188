"""``affectbench suite``: the shipped suites, and what one expands to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.flags import (
    Aligned,
    Attributes,
    Bins,
    Controls,
    DataRoots,
    Labels,
    Metrics,
    Root,
    Slices,
    Table,
)
from bench.report import format as fmt

if TYPE_CHECKING:
    from bench.spec import Suite

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The suites: list, show, lock.")


@app.command("list")
def list_() -> None:
    """Name the shipped suites and what each is about."""
    from bench.shipped import shipped
    from bench.suite import read_suite

    for path in sorted(shipped("suites").glob("*.yaml")):
        suite = read_suite(path).suite
        typer.echo(f"{suite.suite:<20} {suite.about}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A name or a YAML file.")],
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="FILE.png", help="Draw each condition at every severity."),
    ] = None,
    clip: Annotated[
        Path | None,
        typer.Option("--clip", metavar="MEDIUM", help="Of which a frame is drawn; default: a drawn face."),
    ] = None,
) -> None:
    """Print the data, conditions, slices, metrics and tests of a suite, with the amount of every severity.

    With --pictures also a contact sheet: a row for each condition, severity 0 to 5 from left to right.
    """
    from bench.cli.pictures import draw_pictures
    from bench.errors import quantity
    from bench.predict.datasets import find_adapter
    from bench.predict.perturb import find_perturbation
    from bench.suite import find_suite, read_suite

    plan = read_suite(find_suite(name))
    suite = plan.suite
    for source in suite.data:
        find_adapter(source, plan.place("adapter", source.adapter))
    harms = [find_perturbation(c.perturb, plan.place("perturbation", c.perturb)) for c in suite.conditions]
    drawn = draw_pictures(suite, harms, pictures, clip)
    typer.echo(f"{suite.suite}: {suite.about}".rstrip(": "))
    for text in _data(suite):
        typer.echo(f"data       {text}")
    if suite.clean:
        typer.echo("condition  clean")
    for condition, harm in zip(suite.conditions, harms, strict=True):
        amounts = [harm.amounts[severity - 1] for severity in condition.severities]
        amounts[-1] = quantity(amounts[-1], harm.unit)
        said = ", ".join(f"{s}: {amount}" for s, amount in zip(condition.severities, amounts, strict=True))
        typer.echo(f"condition  {condition.name} ({said})")
        typer.echo(f"source     {harm.source}")
        if harm.destroys_label_from is not None:
            typer.echo(
                f"caution    people may no longer see the label from severity {harm.destroys_label_from}"
            )
    for what, text in _measured(suite):
        typer.echo(f"{what:<10} {text}")
    for text in drawn:
        typer.echo(f"pictures   {text}")


@app.command()
def lock(
    name: Annotated[str, typer.Argument(help="A name or a YAML file.")],
    out: Annotated[Path, typer.Option("--out", help="The lock to write: a new JSON file.")],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="What 'gate' will hold it against: a name or YAML file."),
    ] = None,
    data: DataRoots = None,
    targets: Table = None,
    root: Root = None,
    aligned: Aligned = False,
    labels: Labels = None,
    attributes: Attributes = None,
    slice_: Slices = None,
    control: Controls = None,
    bins: Bins = None,
    metric: Metrics = None,
) -> None:
    """Lock a plan before a run: suite, policy and targets under one digest, for --lock of 'run' and 'score'.

    The flags are those of the run to come. A file that is there is never written over.
    """
    from bench.cli.ask import Words, ask
    from bench.cli.locking import lock_plan
    from bench.policy import read_policy
    from bench.prereg import require_new

    require_new(out)
    asked = slice_ or (), bins or (), metric or (), control or (), attributes or ()
    question = ask(Words(name, data or (), targets, root, labels, aligned, *asked))
    held = None if policy is None else read_policy(policy)
    made = lock_plan(question, held, out, lambda text: typer.echo(f"warning: {text}", err=True))
    typer.echo(f"lock       {made.lock}")
    typer.echo(f"time       {made.time:%Y-%m-%dT%H:%M:%SZ}")
    typer.echo(f"suite      {question.suite.suite}")
    typer.echo(f"policy     {made.policy.name if made.policy else 'none'}")
    for found in made.datasets:
        typer.echo(f"data       {found.name}: {fmt.counted(found.rows, 'target', '')}")
    typer.echo(f"give it to the run as --lock {out}")


def _data(suite: Suite) -> list[str]:
    """The data sets of a suite, or how to give it one where it is for any."""
    named = [f"{s.key} (adapter {s.adapter}, split {s.split or 'all'})" for s in suite.data]
    return named or ["any: --data ADAPTER=DIR, --data ADAPTER@SPLIT=DIR or --targets T"]


def _measured(suite: Suite) -> Iterator[tuple[str, str]]:
    """What rows are cut by, measured by, tested for and held against, as the kind of each and its text."""
    yield from (("slice", part if isinstance(part, str) else "&".join(part)) for part in suite.slices)
    yield from (("control", attribute) for attribute in suite.controls)
    yield from (("bins", f"{name} at {', '.join(f'{e:g}' for e in at)}") for name, at in suite.bins.items())
    yield "metrics", ", ".join(suite.metrics) or "all that the targets allow"
    yield from (("primary", test) for test in suite.primary)
    if suite.reference is not None:
        yield "reference", suite.reference
