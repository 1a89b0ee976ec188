"""The commands on finished runs: report, compare, gate, leaderboard."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.flags import Json, Metrics, Quiet, Slices, Store
from bench.cli.show import Voice

__all__ = ["compare", "gate", "leaderboard", "report"]


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    context: Annotated[
        Path | None,
        typer.Option("--context", help="The declared use, a YAML file: write an audit report of one system."),
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Write the audit report without a context: no posture is given.")
    ] = False,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Audit report: what the model must keep.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Audit report: the system, if the run has several models.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="RUN|RUN_ID|models:/NAME@alias", help="Audit report: the earlier release."
        ),
    ] = None,
    baseline_model: Annotated[
        str | None, typer.Option("--baseline-model", help="The baseline's model, if that run has several.")
    ] = None,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="Audit report: what its authors say.")
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Audit report: its date.")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Audit report: not a draft; refused where nobody signs it.")
    ] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Audit report: make the numbers again by another way.")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Audit report: write it as PDF, too.")] = False,
    tracking_uri: Store = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Judge a run's predictions again and write its report again; with --context, its audit report."""
    from bench.cli.audit_report import Form, Words, report_audit, require_audit

    words = Words(run, context, policy, model, baseline, baseline_model, card, tracking_uri)
    form = Form(date, final, recompute, pdf)
    if context is None and not audit:
        from bench.folder import RunFolder

        require_audit(words, form)
        Voice(quiet=quiet, json=json).conclude(RunFolder(run), "off", upload=False)
        return
    files = report_audit(words, form)
    if json:
        typer.echo(dumps({"audit": [str(path) for path in files]}, indent=2))
    for path in files:
        Voice(quiet=quiet, json=json).say(f"audit report: {path}")


def compare(
    new: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    old: Annotated[Path | None, typer.Argument(help="Another; without it, two models of one run.")] = None,
    new_model: Annotated[
        str | None, typer.Option("--new", help="The new model, if the run has several.")
    ] = None,
    old_model: Annotated[
        str | None, typer.Option("--old", help="The old model, if the run has several.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option("--margin", help="How much worse is not yet worse, in units of the metric."),
    ] = None,
    slice_: Slices = None,
    metric: Metrics = None,
    json: Json = False,
) -> None:
    """Compare a new model with an old one on the same targets, paired by person."""
    from bench.cli.compare import as_json, print_comparison, read_margin, require_margin
    from bench.folder import RunFolder
    from bench.question import Question, reread
    from bench.sides import Side
    from bench.sides import compare as compare_sides
    from bench.suite import planned_suite

    sides = Side("--new", RunFolder(new), new_model), Side("--old", RunFolder(old or new), old_model)
    question = Question(planned_suite(sides[0].run), {}, lambda kind, name: f"--{kind} {name}")
    suite = reread(question, slice_ or (), metric or (), {}).suite
    found = compare_sides(*sides, suite, read_margin(margin))
    require_margin(found, margin)
    if json:
        typer.echo(as_json(found, margin))
    else:
        print_comparison(found, margin, (new, old or new))


def gate(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    policy: Annotated[Path, typer.Option("--policy", help="What it must keep: a name or a YAML file.")],
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="RUN|RUN_ID|models:/NAME@alias",
            help="What it may not be worse than: a run's folder, or what MLflow has of one.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The model that is gated, if the run has several.")
    ] = None,
    baseline_model: Annotated[
        str | None, typer.Option("--baseline-model", help="The baseline's model, if that run has several.")
    ] = None,
    allow_environment_change: Annotated[
        bool,
        typer.Option(
            "--allow-environment-change", help="Decide though device, torch, CUDA or precision differ."
        ),
    ] = False,
    inconclusive: Annotated[
        str | None,
        typer.Option(
            "--inconclusive", metavar="pass|fail", help="What an inconclusive verdict exits with. Default: 3."
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="Add Markdown to this file.")] = None,
    tracking_uri: Store = None,
    record: Annotated[bool, typer.Option("--record", help="Tag the run in MLflow with the verdict.")] = False,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", metavar="models:/NAME/VERSION", help="Tag this model version too, with --record."
        ),
    ] = None,
    alias: Annotated[
        str | None, typer.Option("--alias", help="Move this alias to the version if the run passes.")
    ] = None,
    json: Json = False,
) -> None:
    """Hold a run against a policy: exit 0 if it passes, 1 if it fails, 3 if the data do not decide."""
    from bench.cli.gate_command import Recording, Shown, Words, hold

    words = Words(run, policy, model, baseline, baseline_model, allow_environment_change)
    recording = Recording(tracking_uri, record, version, alias)
    raise typer.Exit(hold(words, recording, Shown(inconclusive, junit, summary, json)))


def leaderboard(
    runs: Annotated[list[Path], typer.Argument(help="Finished runs.", metavar="RUN...")],
    out: Annotated[Path, typer.Option("--out", help="The site: a new folder, or that of a leaderboard.")],
    metric: Annotated[str | None, typer.Option("--metric", help="What models are ranked by.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="The title of the site.")] = None,
    card: Annotated[
        list[str] | None, typer.Option("--card", metavar="NAME=FILE", help="What its authors say.")
    ] = None,
) -> None:
    """Put the models of finished runs side by side, as a site that needs no server."""
    from bench.cli.leaderboard import publish

    publish(runs, out, metric, title, card or ())
